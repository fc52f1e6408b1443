"""How much of the predicted effect of an added drug arrives: classes shrink by evidence, and the untested stay wide."""

from __future__ import annotations

import numpy as np
import pytest

from immunescape.evaluation.harness.class_effects import (
    PRIOR_MEAN,
    UNTESTED,
    ClassEvidence,
    added_class,
    class_effects,
    delivered_shares,
    shipped_effect,
    shipped_effects,
    shipped_evidence,
    shrunk,
)
from immunescape.trial.loading import load_trial


def trials(name: str, share: float, count: int, predicted: float = -0.5, se: float = 0.08) -> list[ClassEvidence]:
    return [ClassEvidence(f"{name} {k}", name, share * predicted, se, predicted, 0.0) for k in range(count)]


def test_a_class_with_many_trials_has_its_own_share_and_one_with_few_leans_on_the_others() -> None:
    rows = trials("vegf", 1.0, 8) + trials("tigit", 0.0, 6) + trials("new", 1.0, 1)
    by = {e.drug_class: e for e in class_effects(rows, "pfs_hr")}
    assert by["vegf"].mean == pytest.approx(0.97, abs=0.06)
    assert by["tigit"].mean == pytest.approx(0.03, abs=0.06)
    assert by["tigit"].low < 0.0 < by["tigit"].high
    assert 0.55 < by["new"].mean < by["vegf"].mean  # one trial alone says less than eight
    assert by["new"].sd > 1.3 * by["vegf"].sd
    assert [by[n].trials for n in ("vegf", "tigit", "new", UNTESTED)] == [8, 6, 1, 0]


def test_a_class_without_a_trial_keeps_a_wide_and_pessimistic_prior_however_well_others_did() -> None:
    by = {e.drug_class: e for e in class_effects(trials("a", 1.0, 9) + trials("b", 1.1, 9))}
    assert by[UNTESTED].mean <= PRIOR_MEAN
    assert by[UNTESTED].sd > 0.6
    failed = {e.drug_class: e for e in class_effects(trials("a", -0.1, 9) + trials("b", 0.0, 9))}
    assert failed[UNTESTED].mean < by[UNTESTED].mean - 0.15  # failures teach, successes of others do not
    nothing = class_effects([])
    assert [e.drug_class for e in nothing] == [UNTESTED]
    assert nothing[0].mean == pytest.approx(PRIOR_MEAN)


def test_the_intervals_of_classes_cover_what_made_the_trials() -> None:
    rng = np.random.default_rng(3)
    hits, all_ = 0, 0
    for _ in range(70):
        mu = rng.normal(0.5, 0.5)
        omega, tau = abs(rng.normal(0.0, 0.4)), abs(rng.normal(0.0, 0.1))
        rows, shares = [], {}
        for c in range(5):
            shares[f"c{c}"] = rng.normal(mu, omega)
            for k in range(1 + c):
                predicted = -rng.uniform(0.1, 0.8)
                y = shares[f"c{c}"] * predicted + rng.normal(0.0, np.hypot(0.1, tau))
                rows.append(ClassEvidence(f"{c}{k}", f"c{c}", y, 0.1, predicted, 0.0))
        for e in class_effects(rows):
            if e.drug_class in shares:
                hits += e.low < shares[e.drug_class] < e.high
                all_ += 1
    assert hits / all_ == pytest.approx(0.8, abs=0.08)


def test_a_prediction_is_multiplied_by_what_its_class_delivers() -> None:
    effects = class_effects(trials("vegf", 0.6, 12), "pfs_hr")
    mean, sd = shrunk(effects, "vegf", "pfs_hr", -0.4)
    assert mean == pytest.approx(-0.24, abs=0.03)
    far, wide = shrunk(effects, "unheard of", "pfs_hr", -0.4)
    assert wide > sd
    assert far >= -0.5 * 0.4 - 1e-9


def test_added_drugs_are_named_by_their_class_and_replacements_are_none() -> None:
    kinds = {n: added_class(load_trial(n)) for n in ("keynote-189", "keynote-024")}
    assert kinds["keynote-024"] == ""
    assert kinds["keynote-189"]
    assert "+" not in kinds["keynote-189"]


def test_the_evidence_that_ships_shrinks_added_drugs_and_leaves_replaced_ones_alone() -> None:
    effect = shipped_effect(load_trial("impower131"), "", "pfs_hr")
    assert effect is not None
    assert effect.drug_class == "anti-PD-L1 antibody"
    assert effect.trials >= 1
    assert shipped_effect(load_trial("keynote-024"), "", "pfs_hr") is None
    assert delivered_shares(load_trial("keynote-024"), "", "pfs_hr", 3, (1,))[0] == 1.0
    mean, shares = delivered_shares(load_trial("impower131"), "", "pfs_hr", 4000, (1,))
    assert mean == effect.mean
    assert shares.std() == pytest.approx(effect.sd, rel=0.05)


def test_no_result_predicts_itself() -> None:
    own = {e.trial for e in shipped_evidence("pfs_hr") if e.drug_class == "anti-PD-1 antibody"}
    assert "keynote-189" in own
    without = shipped_effect(load_trial("keynote-189"), "", "pfs_hr")
    assert without is not None
    assert without.trials == len(own) - 1


def test_a_class_that_no_trial_tested_is_predicted_with_the_wide_and_pessimistic_prior() -> None:
    effects = {e.drug_class: e for e in shipped_effects("os_hr")}
    assert effects[UNTESTED].mean <= PRIOR_MEAN
    assert effects[UNTESTED].sd >= 0.6


def test_a_class_whose_trials_tell_nothing_of_its_share_is_as_one_without_trials() -> None:
    """A failure that was predicted says nothing of what a predicted effect of the class would deliver."""
    silent = [ClassEvidence("failed", "silent", 0.05, 0.13, -0.02, 0.01)]
    effects = {e.drug_class: e for e in class_effects([*trials("vegf", 0.9, 6), *silent])}
    assert (effects["silent"].mean, effects["silent"].sd) == (effects[UNTESTED].mean, effects[UNTESTED].sd)
    assert effects["silent"].trials == 1
    told = [ClassEvidence("told", "told", -0.05, 0.08, -0.5, 0.01)]
    few = {e.drug_class: e for e in class_effects([*trials("vegf", 0.9, 6), *told])}["told"]
    assert few.sd < 0.3
    assert few.mean < 0.5
