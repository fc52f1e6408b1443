"""A forecast says what a trial of the planned size would show, and how probable its success is."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from immunescape.errors import InputError
from immunescape.evaluation import forecast as module
from immunescape.evaluation.calibration import comparison_kind
from immunescape.evaluation.harness import class_effects, corrections, exchange_line
from immunescape.evaluation.harness.class_effects import ClassEffect
from immunescape.evaluation.replicates import ArmOutcomes
from immunescape.predictions import open_protocols
from immunescape.trial.loading import load_trial

TRIAL = load_trial(open_protocols()["harmoni-7"])


def results(ratio: float, seeds: tuple[int, ...] = (1, 2, 3), n: int = 700) -> list[Any]:
    """Trials in which times are exponential, with half of the patients censored at most."""
    out = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        arms = {}
        for arm, rate in zip(TRIAL.arms, (ratio, 1.0), strict=True):
            times = rng.exponential(1 / rate, n)
            event = times < 1.5
            end = (np.minimum(times, 1.5), event)
            arms[arm.name] = ArmOutcomes((rng.random(n) < 0.4).astype(float), end, end)
        out.append(SimpleNamespace(trial=TRIAL, seed=seed, arms=({"failed": 1},), outcomes=arms))
    return out


@pytest.fixture(autouse=True)
def plain_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """No uncertainty of the fit or of the structure: chance of the planned size alone."""
    monkeypatch.setattr(module, "arm_outcomes", lambda result, arm: result.outcomes[arm])
    monkeypatch.setattr(module.Posterior, "shipped", classmethod(lambda cls: None))
    monkeypatch.setattr(module, "shipped_discrepancy", lambda _: {})


@pytest.mark.parametrize("ratio", [1.0, 0.8, 0.75])
def test_the_probability_of_success_is_the_power_of_the_planned_trial(ratio: float) -> None:
    made = module.forecast_of(results(ratio), patients=700)
    value = next(f.value for f in made.figures if f.endpoint == "pfs_hr")
    assert value is not None
    shares = [1 - math.exp(-1.5 * rate) for rate in (ratio, 1.0)]
    error = math.sqrt(sum(1 / (arm.n * share) for arm, share in zip(TRIAL.arms, shares, strict=True)))
    power = norm.cdf(-math.log(value) / error - 1.96)
    assert made.success["pfs"] == pytest.approx(power, abs=0.07)


def test_the_interval_is_that_of_a_trial_of_the_planned_size_not_of_the_simulated_one() -> None:
    figure = next(f for f in module.forecast_of(results(0.8), patients=700).figures if f.endpoint == "os_hr")
    assert figure.low is not None
    assert figure.high is not None
    error = math.sqrt(sum(1 / (arm.n * (1 - math.exp(-1.5 * r))) for arm, r in zip(TRIAL.arms, (0.8, 1), strict=True)))
    assert math.log(figure.high / figure.low) == pytest.approx(3.92 * error, rel=0.2)
    assert (figure.simulated, figure.planned) == (2100, 780)


def test_errors_of_the_structure_widen_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = next(f for f in module.forecast_of(results(0.8), patients=700).figures if f.endpoint == "pfs_hr")
    monkeypatch.setattr(
        module, "shipped_discrepancy", lambda kind: {"hr": 0.3} if kind == comparison_kind(TRIAL) else {}
    )
    wide = next(f for f in module.forecast_of(results(0.8), patients=700).figures if f.endpoint == "pfs_hr")
    assert math.log(wide.high / wide.low) > 2 * math.log(narrow.high / narrow.low)  # type: ignore[operator]


def adding(monkeypatch: pytest.MonkeyPatch, mean: float, sd: float) -> module.ForecastFigure:
    """The PFS ratio of the trial if its experimental arm added a drug of a class that delivers such a share."""
    made = ClassEffect(
        figure="pfs_hr", drug_class="a class", trials=3, mean=mean, sd=sd, low=mean - sd, high=mean + sd, positive=1.0
    )
    monkeypatch.setattr(class_effects, "shipped_effect", lambda *_: made)
    return next(f for f in module.forecast_of(results(0.8), patients=700).figures if f.endpoint == "pfs_hr")


def test_the_effect_of_an_added_drug_is_multiplied_by_the_share_that_its_class_delivers(monkeypatch) -> None:
    plain = next(f for f in module.forecast_of(results(0.8), patients=700).figures if f.endpoint == "pfs_hr")
    assert plain.unshrunk is None
    half = adding(monkeypatch, 0.5, 0.0)
    assert plain.value is not None
    assert half.unshrunk == pytest.approx(plain.value)
    assert half.value == pytest.approx(math.sqrt(plain.value))
    # the chance of a trial of that size stays what it is
    assert math.log(half.high / half.low) == pytest.approx(math.log(plain.high / plain.low), rel=1e-9)  # type: ignore[operator]
    unsure = adding(monkeypatch, 0.5, 0.9)
    assert math.log(unsure.high / unsure.low) > 1.3 * math.log(plain.high / plain.low)  # type: ignore[operator]


def test_where_drugs_are_exchanged_the_ratio_is_moved_along_the_line_of_such_trials(monkeypatch) -> None:
    alone = adding(monkeypatch, 1.0, 0.0)
    monkeypatch.setattr(corrections, "replaces_chemotherapy", lambda *_: True)
    for level, sd in ((-0.2, 0.0001), (-0.2, 0.5)):
        line = exchange_line.ExchangeLine(
            figure="pfs_hr", trials=9, level=level, slope=0.5, level_sd=sd, slope_sd=0.0001, covariance=0.0
        )
        monkeypatch.setattr(corrections, "shipped_line", lambda *_, line=line: line)
        moved = next(f for f in module.forecast_of(results(0.8), patients=700).figures if f.endpoint == "pfs_hr")
        assert alone.value is not None
        assert moved.unshrunk == pytest.approx(alone.value)
        assert moved.value == pytest.approx(math.exp(level) * math.sqrt(alone.value))
        widths = [math.log(f.high / f.low) for f in (alone, moved)]  # type: ignore[operator]
        assert widths[1] == pytest.approx(widths[0], rel=1e-3) if sd < 0.1 else widths[1] > 1.5 * widths[0]


def test_a_class_that_delivers_nothing_leaves_no_more_success_than_chance(monkeypatch) -> None:
    adding(monkeypatch, 0.0, 0.0)
    made = module.forecast_of(results(0.7), patients=700)
    assert made.success["pfs"] < 0.08


def test_failures_are_counted_and_the_error_between_seeds_is_given() -> None:
    made = module.forecast_of(results(0.8), patients=700)
    assert made.failed == 3
    assert all(f.monte_carlo_se is not None for f in made.figures if f.endpoint.endswith("_hr"))
    alone = module.forecast_of(results(0.8, seeds=(1,)), patients=700)
    assert all(f.monte_carlo_se is None for f in alone.figures)


def test_naive_baselines_stand_beside_every_hazard_ratio() -> None:
    made = module.forecast_of(results(0.8), patients=700)
    assert set(made.baselines["os_hr"]) == {"constant", "class", "round", "no effect"}


def test_a_forecast_without_seeds_or_patients_is_refused() -> None:
    with pytest.raises(InputError, match="seed"):
        module.forecast(TRIAL, seeds=())
    with pytest.raises(InputError, match="patients"):
        module.forecast(TRIAL, patients=1)
