"""Where arms exchange drugs, forecasts lie on the line of such trials; no trial's own result moves its forecast."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from immunescape.evaluation.calibration import comparison_kind
from immunescape.evaluation.harness.class_effects import PRIOR_MEAN, PRIOR_SD, ClassEvidence, shipped_effect
from immunescape.evaluation.harness.corrections import (
    FORECAST_KINDS,
    correction,
    forecast_error,
    left_out_forecasts,
)
from immunescape.evaluation.harness.exchange_line import (
    EXCHANGED,
    LEVEL_SD,
    exchange_line,
    replaces_chemotherapy,
    shipped_line,
)
from immunescape.evaluation.harness.protocols import protocols
from immunescape.evaluation.harness.scoring import FigureComparison
from immunescape.evaluation.trial_identity import _by_registry, names_of_same_trial
from immunescape.knowledge.tables import read_rows
from immunescape.predictions import open_protocols
from immunescape.trial.grammar import parse_regimen
from immunescape.trial.loading import load_trial


def on_a_line(level: float, slope: float, count: int, rng: np.random.Generator, sd: float = 0.1) -> list[ClassEvidence]:
    predicted = rng.normal(-0.3, 0.25, count)
    published = level + slope * predicted + rng.normal(0.0, sd, count)
    return [
        ClassEvidence(f"t{k}", EXCHANGED, y, sd, m, 0.0)
        for k, (m, y) in enumerate(zip(predicted, published, strict=True))
    ]


def test_level_and_slope_are_found_again() -> None:
    line = exchange_line(on_a_line(-0.15, 0.8, 300, np.random.default_rng(1)))
    assert (line.level, line.slope) == (pytest.approx(-0.15, abs=0.04), pytest.approx(0.8, abs=0.08))
    assert line.trials == 300
    assert line.slope_sd < 0.05


def test_without_evidence_the_line_is_the_prior() -> None:
    line = exchange_line([])
    assert (line.level, line.slope, line.covariance) == (0.0, PRIOR_MEAN, 0.0)
    assert (line.level_sd, line.slope_sd) == (pytest.approx(LEVEL_SD), pytest.approx(PRIOR_SD))
    assert line.at(-0.4) == (pytest.approx(-0.2), pytest.approx(math.hypot(LEVEL_SD, 0.4 * PRIOR_SD)))


def test_the_posterior_covers_truths_that_are_drawn_from_the_prior() -> None:
    rng, inside = np.random.default_rng(7), []
    for _ in range(300):
        truth = rng.normal((0.0, PRIOR_MEAN), (LEVEL_SD, PRIOR_SD))
        line = exchange_line(on_a_line(*truth, 12, rng, sd=0.12))
        value, sd = line.at(-0.5)
        inside.append(abs(value - (truth[0] - 0.5 * truth[1])) < 1.2816 * sd)
    # tau is 0 here, so that its prior makes the 80 % intervals rather wide
    assert 0.76 < np.mean(inside) < 0.95


def arm_of(trial, regimen: str, role: str = "experimental"):
    """An arm of a trial with another regimen."""
    source = trial.experimental[0] if role == "experimental" else trial.control
    return replace(source, name=regimen, choices=(replace(source.choices[0], regimen=parse_regimen(regimen)),))


@pytest.mark.parametrize(
    ("experimental", "control", "replaced"),
    [
        ("pembrolizumab 200 mg every 3 weeks", "docetaxel 75 mg/m2 every 3 weeks", True),
        ("sotorasib 960 mg daily", "docetaxel 75 mg/m2 every 3 weeks", True),
        ("docetaxel 75 mg/m2 every 3 weeks", "pembrolizumab 200 mg every 3 weeks", False),
        ("docetaxel 75 mg/m2 every 3 weeks", "pemetrexed 500 mg/m2 every 3 weeks", False),
        ("pembrolizumab 200 mg every 3 weeks", "osimertinib 80 mg daily", False),
        (
            "pembrolizumab 200 mg every 3 weeks",
            "docetaxel 75 mg/m2 every 3 weeks + bevacizumab 15 mg/kg every 3 weeks",
            False,
        ),
        ("docetaxel 75 mg/m2 every 3 weeks", "docetaxel 75 mg/m2 every 3 weeks", False),
    ],
)
def test_only_chemotherapy_alone_is_replaced(experimental: str, control: str, replaced: bool) -> None:
    trial = load_trial("keynote-024")
    made = replace(trial, arms=(arm_of(trial, experimental), arm_of(trial, control, "control")))
    assert replaces_chemotherapy(made) is replaced
    assert correction(made, "", "os_hr", 3, (1,)).changes is replaced


def test_each_arm_of_a_trial_is_compared_on_its_own() -> None:
    trial = load_trial("keynote-024")
    both = arm_of(trial, "pembrolizumab 200 mg every 3 weeks + docetaxel 75 mg/m2 every 3 weeks")
    alone = arm_of(trial, "pembrolizumab 200 mg every 3 weeks")
    control = arm_of(trial, "docetaxel 75 mg/m2 every 3 weeks", "control")
    for arms in ((both, alone, control), (alone, both, control)):
        made = replace(trial, arms=arms)
        assert not replaces_chemotherapy(made, both.name)
        assert replaces_chemotherapy(made, alone.name)
        assert comparison_kind(made, both.name) == "inhibitor added"
        assert comparison_kind(made, alone.name) == "inhibitor against chemotherapy"


def test_a_trial_is_known_by_its_registry_number_and_a_stratum_by_its_trial() -> None:
    renamed = replace(load_trial("keynote-024"), name="mine")
    assert names_of_same_trial(renamed) == {"mine", "keynote-024"}
    own, other = (correction(t, "", "pfs_hr", 3, (1,)) for t in (load_trial("keynote-024"), renamed))
    assert (own.level, own.share) == (other.level, other.share)
    assert (own.level, own.share) != (shipped_line("pfs_hr").level, shipped_line("pfs_hr").slope)
    assert "keynote-042" in names_of_same_trial(replace(renamed, name="keynote-042-high", registry=None))
    assert names_of_same_trial(replace(renamed, registry=None)) == {"mine"}


def test_every_trial_of_the_evidence_is_known_by_a_registry_number() -> None:
    names = {name for group in _by_registry().values() for name in group}
    for table in ("class_evidence", "exchange_evidence"):
        assert {row["trial"] for row in read_rows(table)} <= names


@pytest.mark.parametrize(
    ("name", "exchanged"),
    [("keynote-024", True), ("oak", True), ("keynote-189", False), ("pacific", False), ("harmoni-7", False)],
)
def test_trials_that_replace_chemotherapy_are_known(name: str, exchanged: bool) -> None:
    trial = load_trial(open_protocols().get(name, name))
    assert replaces_chemotherapy(trial) is exchanged


def test_arms_of_the_same_drugs_exchange_none_and_are_left_alone() -> None:
    trial = load_trial("keynote-024")
    control = next(a for a in trial.arms if a.name == trial.control.name)
    same = replace_arms(trial, control)
    assert not replaces_chemotherapy(same)
    assert not correction(same, "", "pfs_hr", 5, (1,)).changes


def replace_arms(trial, control):
    """The trial with the drugs of its control in both arms."""
    experimental = replace(trial.experimental[0], choices=control.choices)
    return replace(trial, arms=(experimental, control))


def test_no_result_of_an_exchange_predicts_itself() -> None:
    whole, without = shipped_line("pfs_hr"), shipped_line("pfs_hr", frozenset({"keynote-024"}))
    assert without.trials == whole.trials - 1
    made = correction(load_trial("keynote-024"), "", "pfs_hr", 4000, (1,))
    assert (made.level, made.share) == (without.level, without.slope)
    assert made.shares.std() == pytest.approx(without.slope_sd, rel=0.05)
    assert np.cov(made.levels, made.shares)[0, 1] == pytest.approx(without.covariance, rel=0.15)


def test_an_added_drug_gets_the_share_of_its_class() -> None:
    trial = load_trial("impower131")
    made, effect = correction(trial, "", "os_hr", 10, (1,)), shipped_effect(trial, "", "os_hr")
    assert effect is not None
    assert (made.level, made.share) == (0.0, effect.mean)


def test_the_chance_of_a_trial_is_not_corrected() -> None:
    made = correction(load_trial("oak"), "", "pfs_hr", 3, (1,))
    fixed = replace(made, levels=np.full(3, made.level), shares=np.full(3, made.share))
    moved = fixed.of_replicates(np.array([0.7, 0.8, 0.9]), 0.8)
    assert moved[1] == pytest.approx(made.ratio(0.8))
    assert moved / moved[1] == pytest.approx(np.array([0.7, 0.8, 0.9]) / 0.8)


def test_the_error_of_a_forecast_is_that_of_its_endpoint_or_else_of_the_model() -> None:
    errors = {"hr": 0.2, FORECAST_KINDS["os_hr"]: 0.1}
    assert forecast_error(errors, "os_hr") == 0.1
    assert forecast_error(errors, "pfs_hr") == 0.2
    assert forecast_error({}, "pfs_hr") == 0.0


def compared(published: float) -> list[FigureComparison]:
    """PFS ratios of three trials that exchange drugs, and of one that adds one; of OAK as published."""
    ratios = {"oak": published, "checkmate-017": 0.62, "checkmate-057": 0.92, "keynote-189": 0.49}
    common = dict(role="calibration", kind="ici", arm="", figure="pfs_hr", virtual=0.8, se=0.03, guessed=False)
    rest = dict(published_low=None, published_high=None, published_se=0.1, source="", checked="", n=800, counted=True)
    return [FigureComparison(trial=name, published=value, **common, **rest) for name, value in ratios.items()]


def test_a_forecast_does_not_depend_on_its_own_result_but_on_those_of_others() -> None:
    chosen = protocols(None, ("oak", "checkmate-017", "checkmate-057", "keynote-189"))
    low, high = (
        {c.trial: c.virtual for c in left_out_forecasts(chosen, compared(published))} for published in (0.6, 1.2)
    )
    assert low["oak"] == high["oak"]
    assert low["checkmate-017"] < high["checkmate-017"]  # type: ignore[operator]
    assert low["keynote-189"] == high["keynote-189"]
    arms = [replace(c, figure="orr_pct", virtual=30.0) for c in compared(1.0)]
    assert left_out_forecasts(chosen, arms) == arms
