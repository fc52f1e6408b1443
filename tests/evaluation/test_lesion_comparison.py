"""Measured lesions beside simulated ones: selection, pooling, follow-up, and the verdicts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from immunescape.errors import InputError
from immunescape.evaluation.kinetics import read_lesions
from immunescape.evaluation.lesion_comparison import COMPARISONS, FILES, LesionComparison, compare_arm, compare_lesions
from immunescape.trial.loading import load_trial

DAYS = 42.0 * np.arange(1, 5)


def result(arm: str, sizes: np.ndarray) -> Any:
    """A virtual trial of one arm: sizes (patients, scans), each of 40 mm at baseline."""
    n, scans = sizes.shape
    patients = pd.DataFrame({"id": np.arange(n), "arm": arm, "largest_mm_baseline": 40.0})
    visits = pd.DataFrame(
        {"id": np.repeat(np.arange(n), scans), "arm": arm, "day": np.tile(DAYS[:scans], n), "largest_mm": sizes.ravel()}
    )
    return SimpleNamespace(patients=patients, visits=visits)


def measured(sizes: np.ndarray) -> dict[str, Any]:
    days = np.concatenate([[0.0], DAYS[: sizes.shape[1]]])
    return {f"m{k}": (days, np.concatenate([[40.0], row])) for k, row in enumerate(sizes)}


def courses(n: int, rate: float, seed: int = 0) -> np.ndarray:
    rates = np.random.default_rng(seed).normal(rate, 0.05, size=(n, 1))
    return 40.0 * np.exp(rates * DAYS / 30.4375)


ONE = LesionComparison("one", "t.csv", ("A",), (("t", "x", 1.0),))


def test_distances_are_those_of_scipy_and_the_aim_is_judged() -> None:
    a, b = courses(60, -0.05), courses(50, 0.05, seed=1)
    found = compare_arm(ONE, {"A": measured(a)}, {"t": result("x", b)})
    rows = {r.measure: r for r in found.rows}
    expected = ks_2samp(100 * (a.min(axis=1) / 40 - 1), 100 * (b.min(axis=1) / 40 - 1))
    assert rows["best_change"].distance == pytest.approx(expected.statistic)
    assert rows["best_change"].p == pytest.approx(expected.pvalue)
    assert rows["best_change"].met is False
    assert (rows["best_change"].n_observed, rows["best_change"].n_simulated) == (60, 50)
    same = compare_arm(ONE, {"A": measured(a)}, {"t": result("x", a)})
    assert all(r.met for r in same.rows if r.distance is not None)
    assert max(r.distance for r in same.rows if r.distance is not None) == 0.0


def test_a_small_arm_is_judged_by_p() -> None:
    small = LesionComparison("small", "t.csv", ("A",), (("t", "x", 1.0),), None, True)
    found = compare_arm(small, {"A": measured(courses(9, 0.0))}, {"t": result("x", courses(50, 0.0, seed=2))})
    row = next(r for r in found.rows if r.measure == "growth")
    assert row.p is not None
    assert row.met is (row.p >= 0.05)


def test_patients_with_fewer_measurements_count_in_neither_group() -> None:
    found = compare_arm(ONE, {"A": measured(courses(20, 0.0))}, {"t": result("x", courses(20, 0.0)[:, :1])})
    assert {r.n_simulated for r in found.rows} == {0}
    assert {r.met for r in found.rows} == {None}
    assert found.rows[0].n_observed == 20


def test_simulated_scans_end_with_the_follow_up() -> None:
    early = measured(courses(20, 0.0)[:, :2])  # nobody is measured after day 84
    found = compare_arm(ONE, {"A": early}, {"t": result("x", courses(20, 0.3))})
    days = 84 / 30.4375
    assert found.simulated["time_to_regrowth"].max() <= days
    # with a median of 1.4 months of at most 2.8, follow-up is spread from 0 on, and half have no third measurement
    short = LesionComparison("short", "t.csv", ("A",), (("t", "x", 1.0),), 42 / 30.4375)
    spread = compare_arm(short, {"A": early}, {"t": result("x", courses(20, 0.3))})
    assert len(spread.simulated["growth"]) < 20


def test_arms_are_pooled_in_proportion_to_their_weights() -> None:
    both = LesionComparison("both", "t.csv", ("A", "B"), (("t", "x", 1.0), ("u", "y", 3.0)))
    lesions = {"A": measured(courses(5, 0.0)), "B": measured(courses(7, 0.0, seed=4))}
    found = compare_arm(both, lesions, {"t": result("x", courses(30, 0.0)), "u": result("y", courses(30, 0.0))})
    assert found.rows[0].n_observed == 12
    assert found.rows[0].n_simulated == 10 + 30


def test_an_unknown_study_arm_is_refused() -> None:
    with pytest.raises(InputError, match="unknown study arm 'A'"):
        compare_arm(ONE, {"B": measured(courses(5, 0.0))}, {"t": result("x", courses(5, 0.0))})


def test_groups_without_table_or_trial_are_left_out() -> None:
    lesions = {"oak.csv": {"Study_4_Arm_1": measured(courses(9, 0.0)), "Study_4_Arm_2": measured(courses(9, 0.1))}}
    assert compare_lesions(lesions, {}) == ()
    assert compare_lesions({}, {"oak": result("atezolizumab", courses(9, 0.0))}) == ()
    found = compare_lesions(lesions, {"oak": result("atezolizumab", courses(9, 0.0))})
    assert [a.comparison.name for a in found] == ["OAK, atezolizumab", "OAK, docetaxel"]
    assert found[1].rows[0].n_simulated == 0


def test_comparisons_name_trials_and_arms_that_ship() -> None:
    assert {c.file for c in COMPARISONS} == set(FILES)
    for trial, arm in {a[:2] for c in COMPARISONS for a in c.arms}:
        assert arm in [a.name for a in load_trial(trial).arms]


def test_comparisons_cover_every_study_arm_of_the_data(shared_data: Path) -> None:
    for name in FILES:
        arms = set(read_lesions(shared_data / "tumour_kinetics" / name))
        assert {code for c in COMPARISONS if c.file == name for code in c.codes} == arms
