"""What a reader is told: levels that are not held, looks that run out of events, cautions of a rule."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from design_examples import survival_design, two_arms

from immunescape.design.bayes import Bayesian
from immunescape.design.boundaries import boundaries
from immunescape.design.cohort import Milestone
from immunescape.design.diagnosis import diagnose
from immunescape.design.platform import Platform, PlatformArm
from immunescape.design.records import Arm, Decided, Dropout
from immunescape.design.samplesize import power_means, power_rates, power_survival
from immunescape.design.simulation import simulate
from immunescape.design.survival_model import Accrual, PiecewiseExponential
from immunescape.design.truth import Endpoint, Generator, Rate
from immunescape.errors import InputError


def decided(rejected: int, trials: int = 10_000) -> Decided:
    flags = np.zeros((trials, 1), dtype=bool)
    flags[:rejected] = True
    ones = np.ones(trials)
    return Decided(
        rejected=flags,
        stage=np.ones(trials, dtype=np.int64),
        reason=np.zeros(trials, dtype=np.int64),
        patients=ones,
        events=ones,
        months=ones,
    )


@pytest.mark.parametrize(
    ("rejected", "words"),
    [(250, ""), (275, ""), (295, "slightly liberal"), (420, "does not control it"), (986, "does not control it")],
)
def test_a_level_above_alpha_is_warned_of(rejected: int, words: str) -> None:
    design = survival_design()
    warnings, _ = diagnose(design, design.rule.plan(design), {"null": decided(rejected)})
    found = [w for w in warnings if "type I error" in w]
    assert bool(found) == bool(words)
    if words:
        assert words in found[0]
    assert all(w.endswith(".") and not w.endswith("..") for w in warnings)


def responses() -> Generator:
    parts = {(a, "all", "orr"): Rate(0.3) for a in ("new", "control")}
    return Generator(("new", "control"), ("all",), (1.0,), parts)


def test_a_given_posterior_threshold_is_called_uncalibrated() -> None:
    """At 0.95 and three looks the level is far above 2.5 %."""
    design = survival_design(
        responses(),
        endpoints=(Endpoint("orr", kind="response", months=2),),
        patients=200,
        looks=tuple(Milestone(patients=n, follow_up=2) for n in (80, 140, 200)),
        rule=Bayesian("orr", threshold=0.95),
    )
    found = simulate(design, 500, seed=1, scenarios=["null"])
    assert any("not calibrated" in w for w in found.warnings)
    assert any("does not control it" in w for w in found.warnings)
    calibrated = dataclasses.replace(design, rule=Bayesian("orr", calibration=500))
    assert not any("calibrated" in w for w in calibrated.rule.cautions(calibrated))


def test_platforms_say_what_their_alpha_does_not_bound() -> None:
    control = PiecewiseExponential.from_median(6)
    arms = ("a", "b", "control")
    truth = Generator(arms, ("all",), (1.0,), {(x, "all", "os"): control for x in arms})
    entries = (PlatformArm("a", (60, 120)), PlatformArm("b", (60, 120)))
    design = survival_design(
        truth,
        arms=(Arm("a"), Arm("b"), Arm("control", "control")),
        looks=(Milestone(months=1.0),),
        rule=Platform(entries, "os", controls="all", multiplicity="per-arm"),
    )
    cautions = " ".join(design.rule.cautions(design))
    assert "drift in calendar time" in cautions
    assert "not that of the family" in cautions
    family = Platform(entries, "os")
    assert family.cautions(dataclasses.replace(design, rule=family)) == []
    with pytest.raises(InputError, match="waits for 900 events"):
        dataclasses.replace(design, rule=Platform((PlatformArm("a", (60, 900)), PlatformArm("b", (60,))), "os"))


def test_looks_that_run_out_of_events_are_reported() -> None:
    design = survival_design(two_arms(0.7), (150, 230), patients=240, dropout=Dropout(0.3, 12))
    found = simulate(design, 250, seed=1, scenarios=["alternative"])
    assert any("run out of events before a look" in w for w in found.warnings)


def test_many_looks_and_few_events() -> None:
    with pytest.raises(InputError, match="at most 20"):
        survival_design(events=tuple(range(100, 151)))
    design = survival_design(events=(8, 300))
    assert "8 events" in design.rule.cautions(design)[0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0])
def test_formulas_refuse_what_is_no_number(bad: float) -> None:
    bounds = boundaries("lan-demets-obrien-fleming", [0.5, 1.0])
    control, accrual = PiecewiseExponential.from_median(12), Accrual((20.0,), (20.0,))
    for call in (
        lambda: power_rates(bad, 0.2, 200, bounds),
        lambda: power_rates(0.4, 0.2, bad, bounds),
        lambda: power_means(0.5, bad, 200, bounds),
        lambda: power_survival(bad, control, 200, accrual, bounds),
        lambda: Accrual((bad,), (10.0,)),
    ):
        with pytest.raises(InputError):
            call()


@pytest.mark.parametrize(("rejected", "warned"), [(39, False), (50, True)])
def test_few_simulated_trials_are_not_taken_for_a_lost_level(rejected: int, warned: bool) -> None:
    """39 of 1,000 lie above 2.5 % in one run of some hundred; 50 do not by chance."""
    design = survival_design()
    warnings, _ = diagnose(design, design.rule.plan(design), {"null": decided(rejected, 1000)})
    assert any("type I error" in w for w in warnings) == warned


@pytest.mark.parametrize("median", [1e-9, 1e9])
@pytest.mark.filterwarnings("error")
def test_a_truth_with_no_comparable_events_is_simulated_without_an_average(median: float) -> None:
    """Everybody dies at once, or nobody does: there is nothing to average, and no reason to fail."""
    control = PiecewiseExponential.from_median(median)
    parts = {("new", "all", "os"): control.with_effect(0.7), ("control", "all", "os"): control}
    found = simulate(survival_design(Generator(("new", "control"), ("all",), (1.0,), parts)), 250, seed=1)
    assert all(v is None or np.isfinite(v) for row in found.notes["average_hazard_ratio"].values() for v in row)


def test_a_look_at_its_latest_month_is_not_called_short_of_patients() -> None:
    design = survival_design()
    first = dataclasses.replace(design.looks[0], latest=5.0)
    found = simulate(dataclasses.replace(design, looks=(first, *design.looks[1:])), 250, seed=1)
    assert any(
        "come to the latest month of a look" in w and "spends alpha as if it had them" in w for w in found.warnings
    )
