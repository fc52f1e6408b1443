"""What the intervals of a ranking hold: posterior of the fit, assumed strengths, error of the class of regimen."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from immunescape.errors import InputError
from immunescape.evaluation.posterior import Posterior
from immunescape.population.fit import FitTerm, PopulationFit
from immunescape.trial.runner import numbers_digest
from immunescape.twins import ranking_uncertainty as module
from immunescape.twins.assumed import assumed_strengths, regimens_of_classes, time_stretch
from immunescape.twins.conditioning import TwinPopulation
from immunescape.twins.courses import Courses
from immunescape.twins.fit_weights import fit_factors, truncated
from immunescape.twins.moved import moved_parameters
from immunescape.twins.options import Option
from immunescape.twins.ranking import ranked
from immunescape.twins.ranking_uncertainty import (
    AssumedMoves,
    ClassErrors,
    RankingUncertainty,
    added_classes,
    comparison_of,
    moves_of,
    shipped_uncertainty,
)
from immunescape.twins.twin import MONTH, Followed

MONO = Option(
    name="mono",
    title="pembrolizumab",
    kind="ici",
    regimen="",
    role="standard",
    level="tested",
    drugs=("pembrolizumab",),
)
BOTH = Option(
    name="both",
    title="pembrolizumab and chemotherapy",
    kind="ici and chemotherapy",
    regimen="",
    role="option",
    level="tested",
    drugs=("pembrolizumab", "carboplatin", "pemetrexed"),
)


def followed(arms: dict[str, np.ndarray]) -> Followed:
    """Twins whose months to death on each option are given; half of it is without progression."""
    n = len(next(iter(arms.values())))
    rows = [
        {
            "id": i,
            "arm": name,
            "best_response": "PR" if months[i] > 12 else "PD",
            "progression_day": months[i] * MONTH / 2,
            "death_day": months[i] * MONTH,
            "grade3_day": None,
            "toxicity_stop_day": None,
        }
        for name, months in arms.items()
        for i in range(n)
    ]
    table = pd.DataFrame(index=pd.RangeIndex(n, name="id"))
    weights = np.full(n, 1 / n)
    return Followed(
        TwinPopulation(
            patient="P", table=table, weights=weights, facts=(), effective=float(n), candidates=n, surprise={}, seed=1
        ),
        Courses(pd.DataFrame(rows), pd.DataFrame()),
        weights,
    )


@pytest.fixture
def made() -> Followed:
    months = np.random.default_rng(3).gamma(2.0, 6.0, 300)
    return followed({"mono": months, "both": months + 2.0})


def row_of(made: Followed, uncertainty: RankingUncertainty, name: str = "both"):
    result = ranked(made, (MONO, BOTH), uncertainty=uncertainty)
    return next(r for r in result.rows if r.option.name == name), result


def test_without_any_source_but_the_twins_intervals_are_those_of_the_twins(made):
    plain = ranked(made, (MONO, BOTH), discrepancy={})
    row, result = row_of(made, RankingUncertainty())
    assert [r.score for r in plain.rows] == [r.score for r in result.rows]
    assert set(row.spread) == {"twins"}
    assert any(sentence.startswith("Intervals include: variability of the twins") for sentence in result.words)


def test_assumed_strengths_that_move_all_classes_alike_cancel_in_the_comparison_and_widen_each_alone(made):
    moves = np.random.default_rng(1).normal(0.0, 0.3, (50, 3))
    same = RankingUncertainty(strengths=AssumedMoves({"ici": moves, "ici and chemotherapy": moves}))
    other = np.random.default_rng(2).normal(0.0, 0.3, (50, 3))
    apart = RankingUncertainty(strengths=AssumedMoves({"ici": moves, "ici and chemotherapy": other}))
    alone, _ = row_of(made, RankingUncertainty())
    shared, _ = row_of(made, same)
    differing, _ = row_of(made, apart)
    width = {k: r.score.high - r.score.low for k, r in (("alone", alone), ("shared", shared))}
    assert width["shared"] > 1.5 * width["alone"]
    assert differing.spread["strengths"] > 3.0 * shared.spread["strengths"]
    assert alone.distinguishable
    assert not differing.distinguishable


def test_two_regimens_of_one_class_are_never_told_apart(made):
    """The error of the model is known by class and cancels within one: a narrow interval is no evidence there."""
    other, result = row_of(made, RankingUncertainty())
    assert other.distinguishable
    sibling = replace(BOTH, kind=MONO.kind)
    result = ranked(made, (MONO, sibling), uncertainty=RankingUncertainty())
    row = next(r for r in result.rows if r.option.name == "both")
    assert row.against_standard.low > 0.0
    assert not row.distinguishable
    assert any("cannot be told apart" in s and "one class of regimen" in s for s in result.words)
    assert not any("scores above" in s for s in result.words)


def test_a_class_that_no_draw_simulated_gets_the_widest_spread_of_those_that_were(made):
    moves = {"ici": np.full((10, 3), 0.0), "chemotherapy": np.random.default_rng(1).normal(0, 0.5, (10, 3))}
    row, _ = row_of(made, RankingUncertainty(strengths=AssumedMoves(moves)))
    assert row.spread["strengths"] > 0.02


def test_other_fits_move_the_figures_as_their_weights_say(made):
    n = len(made.twins)
    late = np.asarray(made.courses.patients.query("arm == 'mono'")["death_day"]) > 12 * MONTH
    factors = np.stack([np.where(late, 1.5, 0.7), np.where(late, 0.7, 1.5)])
    row, result = row_of(made, RankingUncertainty(factors=factors), "mono")
    assert row.spread["fit"] > row.spread["twins"] > 0.0
    assert factors.shape == (2, n)
    assert any("posterior of the fit (" in sentence for sentence in result.words)


def test_the_share_that_trials_of_a_class_delivered_shrinks_the_lead_of_an_add_on(made):
    assert added_classes(BOTH, MONO) == " + ".join(sorted(added_classes(BOTH, MONO).split(" + ")))
    added = added_classes(BOTH, MONO)
    assert added
    assert not added_classes(MONO, BOTH)
    nothing = ClassErrors({}, {(f, added): (0.0, 0.01) for f in ("pfs_hr", "os_hr")}, "m")
    whole = ClassErrors({}, {(f, added): (1.0, 0.01) for f in ("pfs_hr", "os_hr")}, "m")
    lost, _ = row_of(made, RankingUncertainty(classes=nothing))
    kept, _ = row_of(made, RankingUncertainty(classes=whole))
    assert kept.distinguishable
    assert kept.against_standard.low > 0.0
    assert lost.against_standard.high < kept.against_standard.low + 0.02
    assert lost.against_standard.low < 0.01


def test_an_untested_class_uses_the_share_of_untested_classes():
    errors = ClassErrors({"all": {"median": 0.3}}, {("os_hr", "any class without a trial"): (0.4, 0.6)})
    assert errors.share("os_hr", "STING agonist") == (0.4, 0.6)
    assert errors.share("pfs_hr", "STING agonist") is None
    assert errors.sd("flora", "median") == 0.3
    assert errors.sd("flora", "orr") == 0.0


def test_notes_say_what_is_missing_or_of_an_earlier_state(monkeypatch):
    monkeypatch.setattr(module, "shipped_strengths", lambda: AssumedMoves({"ici": np.zeros((3, 3))}, "earlier"))
    monkeypatch.setattr(module, "shipped_class_errors", lambda: ClassErrors({"all": {"orr": 0.5}}, {}, "earlier"))
    notes = " ".join(shipped_uncertainty(np.ones((0, 5))).notes)
    assert "assumed strengths were simulated with an earlier state" in notes
    assert "by class of regimen are those of an earlier state" in notes
    assert "No posterior" in notes
    monkeypatch.setattr(module, "shipped_strengths", lambda: None)
    assert "no draws of them are included" in " ".join(shipped_uncertainty(np.ones((2, 5))).notes)


def test_chance_of_the_simulated_patients_is_taken_off_the_moves():
    rng = np.random.default_rng(5)
    moves = rng.normal(0.2, 0.5, 4000)
    content = {"kinds": {"ici": {f: {"moves": list(moves), "se": 0.3} for f in ("response", "pfs", "os")}}}
    found = moves_of(content).kinds["ici"]
    assert found.mean(axis=0) == pytest.approx(0.0, abs=1e-9)
    assert found.std(axis=0) == pytest.approx(0.4, rel=0.05)
    all_chance = {"kinds": {"ici": {f: {"moves": [0.1, -0.1], "se": 0.3} for f in ("response", "pfs", "os")}}}
    assert not moves_of(all_chance).kinds["ici"].any()


def test_the_errors_and_shares_of_the_last_run_of_the_harness_are_used():
    from immunescape.evaluation.harness.class_effects import shipped_effects
    from immunescape.evaluation.posterior import shipped_discrepancy

    errors = module.shipped_class_errors()
    for kind, comparison in (
        ("ici", "inhibitor against chemotherapy"),
        ("ici and chemotherapy", "inhibitor added"),
        ("targeted", "other"),
    ):
        assert comparison_of(kind) == comparison
        for figure in ("orr", "median"):
            assert errors.sd(kind, figure) == shipped_discrepancy(comparison)[figure] > 0.0
    for effect in shipped_effects("os_hr"):
        assert errors.share("os_hr", effect.drug_class) == (effect.mean, effect.sd)
    assert len(errors.model) == 12
    assert numbers_digest().startswith(errors.model)  # learnt with the numbers that ship; else run the harness again


def test_the_digest_of_the_numbers_follows_values_and_neither_sources_nor_what_runs_wrote(tmp_path, monkeypatch):
    from immunescape.trial import runner

    for package in ("model", "population", "trial", "knowledge/data"):
        (tmp_path / package).mkdir(parents=True)
    table = tmp_path / "model" / "cells.csv"
    monkeypatch.setattr(runner, "files", lambda _: tmp_path)

    def with_rows(text: str) -> str:
        table.write_text(text, encoding="utf-8")
        return runner.numbers_digest()

    first = with_rows("name,value,source,note\nk_kill,1.0,smith2001,\n")
    assert with_rows("name,value,source,note\nk_kill,1.0,jones2002,read again\n") == first
    assert with_rows("name,value,source,note\nk_kill,1.1,smith2001,\n") != first
    with_rows("name,value,source,note\nk_kill,1.0,smith2001,\n")
    (tmp_path / "knowledge" / "data" / "prediction_errors.csv").write_text("sd\n0.3\n", encoding="utf-8")
    assert runner.numbers_digest() == first


def test_times_are_stretched_to_the_restricted_mean():
    times = np.random.default_rng(2).gamma(2.0, 6.0, 500)
    assert time_stretch(times, times * 1.3) == pytest.approx(math.log(1.3), abs=0.01)
    assert time_stretch(times, np.full(5, np.inf)) == pytest.approx(3.0)


def fake_trial(moves: dict[str, float], failed: Mapping[float, int] = MappingProxyType({})):
    """A simulation in which what a draw changes lengthens the survival of each class by its own exponent.

    `failed`: factor of the draw -> patients that fail.
    """

    def simulate(trial, *, patients, seed, workers, engine, fit, paired):
        assert paired
        changed = fit.values.get("k_growth", ("times", 1.0))[1]
        rng = np.random.default_rng(seed)
        base = rng.gamma(2.0, 200.0, patients)
        rows = [
            {
                "id": i,
                "arm": arm.name,
                "best_response": "PR" if i % 3 == 0 else "PD",
                "death_day": base[i] * changed ** moves[arm.name],
                "progression_day": base[i] / 2,
            }
            for arm in trial.arms
            for i in range(patients)
        ]
        return SimpleNamespace(patients=pd.DataFrame(rows), failures=[{}] * failed.get(changed, 0))

    return simulate


def test_draws_of_assumed_strengths_resume_and_move_classes_together(tmp_path, monkeypatch):
    from immunescape.twins import assumed

    values = [1.2, 0.9, 1.5, 0.7]
    monkeypatch.setattr(assumed, "draw", lambda model, seed, number, **_: values[number])
    monkeypatch.setattr(assumed, "fit_of", lambda one, model, fit: fit.with_values({"k_growth": ("times", one)}))
    kinds = {k: regimens_of_classes()[k] for k in ("ici", "chemotherapy")}
    simulate = fake_trial({"ici": 1.0, "chemotherapy": -0.5})
    found = assumed_strengths(draws=4, patients=200, kinds=kinds, out=tmp_path, simulate=simulate)
    logs = np.log(values)
    assert np.array(found["kinds"]["ici"]["os"]["moves"]) == pytest.approx(logs, abs=0.02)
    assert np.array(found["kinds"]["chemotherapy"]["os"]["moves"]) == pytest.approx(-0.5 * logs, abs=0.02)
    assert not any(found["kinds"]["ici"]["response"]["moves"])

    def never(*args, **kwargs):
        raise AssertionError("simulated again")

    again = assumed_strengths(draws=4, patients=200, kinds=kinds, out=tmp_path, simulate=never)
    assert json.dumps(again) == json.dumps(found)
    with pytest.raises(InputError, match="too few for a spread"):
        assumed_strengths(draws=2)

    partly_failed = fake_trial({"ici": 1.0, "chemotherapy": -0.5}, {0.9: 15, 1.5: 60})
    fewer = assumed_strengths(draws=4, patients=200, kinds=kinds, simulate=partly_failed)
    assert fewer["lost"] == {
        "2": "60 of 76 virtual patients could not be integrated",  # given up after the first eight per arm
    }
    assert fewer["kinds"]["ici"]["os"]["moves"] == [found["kinds"]["ici"]["os"]["moves"][k] for k in (0, 1, 3)]
    with pytest.raises(InputError, match="only 1 of 3 draws"):
        assumed_strengths(
            draws=3,
            patients=200,
            kinds=kinds,
            simulate=fake_trial({"ici": 1.0, "chemotherapy": 1.0}, {0.9: 60, 1.5: 60}),
        )


@pytest.mark.parametrize(
    ("content", "whole"),
    [
        ({"kinds": {"ici": {"response": [1.0], "pfs": [None], "os": [3.5]}}}, True),
        ({"lost": "no reference patient"}, True),
        ({"kinds": {"ici": {"response": [1.0], "pfs": [None], "os": []}}}, False),
        ({"kinds": {"ici": {"response": [1.0], "pfs": ["2"], "os": [3.5]}}}, False),
        ({"kinds": {"ici": {"response": [1.0]}}}, False),
        ({"kinds": {}}, False),
        ({"kinds": None}, False),
        ({"lost": 3}, False),
    ],
)
def test_a_stored_draw_of_strengths_is_taken_only_where_it_is_whole(content, whole, tmp_path):
    from immunescape.files import stored_json
    from immunescape.twins import assumed

    path = tmp_path / "draw-1.json"
    path.write_text(json.dumps({"key": "k", **content}))
    assert (stored_json(path, lambda c: assumed._whole(c, "k", ["ici"], 1)) is not None) == whole


def test_every_class_of_the_tables_has_a_regimen_to_simulate():
    found = regimens_of_classes()
    assert {"ici", "ici and chemotherapy", "chemotherapy"} <= set(found)


def test_no_twin_carries_a_draw_alone():
    factors = np.ones(400)
    factors[0] = 1e6
    cut = truncated(factors, np.full(400, 1 / 400))
    assert cut.mean() == pytest.approx(1.0)
    assert cut.max() < 0.06 * 400


@pytest.fixture(scope="module")
def grown():
    """Sixty patients of the population at diagnosis."""
    from immunescape.population.covariates import sample_covariates
    from immunescape.twins.growth import GrowTask, grow

    return grow(GrowTask(5), sample_covariates(5, 60, 0, 0, region="western")).table


def test_the_shipped_fit_itself_gives_factors_of_one_and_a_faster_fit_favours_fast_tumours(grown):
    fit = PopulationFit.shipped()
    assert "k_growth" in moved_parameters()
    rows = pd.DataFrame({"id": grown.index, "arm": "mono"})
    twins = TwinPopulation(
        patient="P",
        table=grown,
        weights=np.full(len(grown), 1 / len(grown)),
        facts=(),
        effective=60.0,
        candidates=60,
        surprise={},
        seed=5,
    )
    made = Followed(twins, Courses(rows, pd.DataFrame()), twins.weights)
    terms = [
        replace(t, value=t.value + 0.4) if (t.parameter, t.term) == ("k_growth", "shift") else t for t in fit.terms
    ]
    assert any(isinstance(t, FitTerm) and t.parameter == "k_growth" for t in terms)
    same, faster = fit_factors(made, 2, 1, [fit, PopulationFit(tuple(terms))])
    assert same == pytest.approx(1.0, abs=1e-9)
    assert np.corrcoef(np.log(faster), np.log(grown["p:k_growth"]))[0, 1] > 0.3
    drawn = fit_factors(made, 20, 1)
    posterior = Posterior.shipped()
    assert posterior is not None
    assert drawn.shape == (20, len(grown))
    shares = [1.0 / float(((row / row.sum()) ** 2).sum()) / len(grown) for row in drawn]
    assert np.median(shares) > 0.3  # most of the twins stand for the fit that was drawn
