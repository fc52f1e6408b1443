"""The log-rank test adjusted for a prognostic score: level, gain, and its sums against a plain loop."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from design_examples import survival_design, two_arms

from immunescape.design.cohort import Streams
from immunescape.design.group_sequential import GroupSequential, Hypothesis
from immunescape.design.prognostic import PrognosticScore, adjusted_log_rank, fitted_score
from immunescape.design.simulation import simulate
from immunescape.design.statistics import Statistic
from immunescape.design.truth import SCORE, Endpoint, VirtualPool
from immunescape.errors import InputError
from immunescape.stats import nonproportional as nph

ADJUSTED = GroupSequential((Hypothesis("OS", "os", Statistic("adjusted-log-rank")),))


def design(correlation: float, ratio: float = 0.75, rule: Any = ADJUSTED, **changes: Any) -> Any:
    truth = dataclasses.replace(two_arms(ratio), prognostic=PrognosticScore("os", correlation))
    return survival_design(truth, (150, 225, 300), rule=rule, **changes)


def _loop(time: Any, event: Any, arm: Any, x: Any) -> tuple[float, float]:
    """The statistic by sums over patients and event times."""
    n = len(time)
    part = np.zeros(n)
    score = variance = 0.0
    for i in range(n):
        other = 1 - arm[i]
        for j in range(n):
            if event[j] and time[j] <= time[i]:
                risk = time >= time[j]
                w = (risk & (arm == other)).sum() / risk.sum()
                part[i] -= w / risk.sum()
        if event[i]:
            risk = time >= time[i]
            part[i] += (risk & (arm == other)).sum() / risk.sum()
            share = (risk & (arm == 1)).sum() / risk.sum()
            score += share - arm[i]
            variance += share * (1 - share)
    slopes = {a: np.polyfit(x[arm == a], part[arm == a], 1)[0] for a in (0, 1)}
    c = x - x.mean()
    score += slopes[1] * c[arm == 1].sum() - slopes[0] * c[arm == 0].sum()
    p = (arm == 1).mean()
    variance -= n * p * (1 - p) * (slopes[0] + slopes[1]) ** 2 * (c**2).mean()
    return score / np.sqrt(variance), variance


def test_statistic_equals_a_plain_loop() -> None:
    rng = np.random.default_rng(2)
    time, event = rng.exponential(10, 60), rng.random(60) < 0.7
    arm, x = rng.integers(0, 2, 60), rng.normal(size=60)
    time = time * np.exp(0.5 * x)
    z, variance, gained = adjusted_log_rank(
        time[None], event[None], arm[None].astype(bool), np.ones((1, 60), dtype=bool), x[None]
    )
    expected = _loop(time, event, arm, x)
    assert float(z[0]) == pytest.approx(expected[0], rel=1e-9)
    assert float(variance[0]) == pytest.approx(expected[1], rel=1e-9)
    assert 0 < float(gained[0]) < 1


def test_a_score_that_says_nothing_changes_next_to_nothing() -> None:
    rng = np.random.default_rng(3)
    time, event = rng.exponential(10, (50, 400)), rng.random((50, 400)) < 0.7
    arm = np.tile([True, False], (50, 200))
    z, _, gained = adjusted_log_rank(time, event, arm, np.ones_like(arm), rng.normal(size=(50, 400)))
    plain, _ = nph.log_rank(nph.ordered(time, event, arm))
    assert float(np.abs(z - plain).max()) < 0.25
    assert float(gained.mean()) < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.7])
def test_level_is_held_whatever_the_score(correlation: float) -> None:
    error = simulate(design(correlation), 2500, seed=3, scenarios=["null"]).type_one_error
    assert error is not None
    assert error.value <= 0.025 + 0.003 + 3 * error.error


@pytest.mark.slow
def test_power_rises_by_what_the_score_explains() -> None:
    """A gain g of the variance is worth 1 / (1 - g) times the events: power as of a larger trial without a score."""
    adjusted = simulate(design(0.7), 1500, seed=4, scenarios=["alternative"])
    plain_rule = GroupSequential((Hypothesis("OS", "os"),))
    plain = simulate(design(0.7, rule=plain_rule), 1500, seed=4, scenarios=["alternative"])
    name = "share of the variance that the prognostic score explains"
    gained = float(adjusted.outcomes["alternative"].extra[name].mean())
    assert 0.2 < gained < 0.7
    assert adjusted.power().value > plain.power().value + 0.08
    larger = simulate(
        survival_design(two_arms(0.75), tuple(round(n / (1 - gained)) for n in (150, 225, 300)), patients=1000),
        1500,
        seed=4,
        scenarios=["alternative"],
    )
    assert adjusted.power().value == pytest.approx(larger.power().value, abs=0.05)


def _table(seed: int = 1) -> pd.DataFrame:
    """Two arms of the same patients, so that the arms of the pool do not differ by chance."""
    rng = np.random.default_rng(seed)
    age, ecog = rng.normal(65, 8, 1500), rng.choice(["0", "1"], 1500)
    unit = rng.exponential(15 * np.exp(-0.06 * (age - 65) - 0.8 * (ecog == "1")))
    parts = [
        pd.DataFrame(
            {"arm": arm, "age": age, "ecog": ecog, "os_months": np.minimum(time, 80), "os_event": (time <= 80) * 1.0}
        )
        for arm, time in (("new", unit * 1.4), ("control", unit))
    ]
    return pd.concat(parts, ignore_index=True)


def test_score_of_a_pool_is_fitted_to_covariates_of_the_control_arm() -> None:
    table = _table()
    score = fitted_score(table, "control", "os", ["age", "ecog"])
    expected = 0.06 * table["age"] + 0.8 * (table["ecog"] == "1")
    assert np.corrcoef(score, expected)[0, 1] > 0.98
    pool = VirtualPool.from_table(table.assign(**{SCORE: score}), ["new", "control"], [Endpoint("os")])
    trial = survival_design(pool, (250,), patients=400, rule=ADJUSTED)
    plain = dataclasses.replace(trial, rule=GroupSequential((Hypothesis("OS", "os"),)))
    a, b = (_rejected(d) for d in (trial, plain))
    assert a.mean() > b.mean() + 0.05
    null = _rejected(trial, "null")
    assert null.mean() <= 0.025 + 4 * np.sqrt(0.025 / len(null))


def _rejected(trial: Any, scenario: str = "alternative") -> Any:
    plan = trial.rule.plan(trial)
    blocks = [trial.rule.run(trial, trial.scenario(scenario), Streams(2, b, 250), plan) for b in range(2)]
    return np.concatenate([b.rejected[:, 0] for b in blocks])


@pytest.mark.parametrize(
    ("covariates", "words"),
    [
        (["os_months"], "is an outcome"),
        (["age", "progression_day"], "is an outcome"),
        (["agee"], "Did you mean 'age'"),
        ([], "needs covariates"),
    ],
)
def test_scores_of_outcomes_or_unknown_columns_are_refused(covariates: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        fitted_score(_table().assign(progression_day=30.0), "control", "os", covariates)


def test_an_adjusted_test_without_a_score_is_refused() -> None:
    with pytest.raises(InputError, match="prognostic score"):
        simulate(survival_design(two_arms(0.7), (150, 300), rule=ADJUSTED), 1)
