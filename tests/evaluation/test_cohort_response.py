"""Response by PD-L1: reading of cohorts, matching, weights, intervals against closed cases."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from immunescape.errors import InputError
from immunescape.evaluation.cohort_response import ARMS, read_cohorts, response_rows, size_rows
from immunescape.trial.loading import load_trial

HEAD = "SAMPLE_ID,PDL1_TPS(%),Systemic_therapy_history,Drug,Response\n"


def write(path: Path, *rows: str, head: str = HEAD) -> Path:
    path.write_text(head + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def result(trial: str, arm: str, tps: list[float], responds: list[bool]) -> Any:
    """A virtual trial whose responders shrink at two scans in a row."""
    n = len(tps)
    patients = pd.DataFrame(
        {
            "id": range(n),
            "arm": arm,
            "pdl1_tps": tps,
            "entry_months": 0.0,
            "follow_up_day": 900.0,
            "dropout_day": np.inf,
        }
    )
    words = ["PR" if r else "PD" for r in responds]
    visits = pd.DataFrame(
        {
            "id": np.repeat(np.arange(n), 2),
            "arm": arm,
            "day": np.tile([63.0, 126.0], n),
            "response": np.repeat(words, 2),
        }
    )
    return SimpleNamespace(trial=load_trial(trial), patients=patients, visits=visits)


@pytest.fixture
def cohort(tmp_path: Path) -> Any:
    one = write(tmp_path / "one.csv", "1,0,1,0,0", "2,0.5,1,0,1", "3,20,1,0,0", "4,50,0,0,1", "5,,1,0,1", "6,90,0,1,1")
    two = write(tmp_path / "two.csv", "1,80,0,0,0", "2,100,1,0,1", "3,0,0,0,0", "4,49,1,0,NA")
    return read_cohorts([one, two])


def test_tables_are_pooled_and_missing_values_counted(cohort: Any) -> None:
    assert len(cohort.tps) == 8
    assert cohort.left_out == 2
    assert cohort.combination.sum() == 1


def test_patients_are_matched_for_prior_therapy_and_drug(cohort: Any) -> None:
    first = result("keynote-024", "pembrolizumab", [60, 80, 90, 70], [True, False, False, False])
    later = result("oak", "atezolizumab", [0, 0, 10, 60], [False, True, False, True])
    rows = {(r.stratum, r.prior, r.drug): r for r in response_rows(cohort, {"keynote-024": first, "oak": later})}
    low = rows["TPS < 1 %", "yes", "one"]
    assert (low.n, low.responders, low.published) == (2, 1, 50.0)
    assert (low.simulated, low.n_simulated, low.arms, low.inside) == (50.0, 2, "oak: atezolizumab", True)
    exact = binomtest(1, 2).proportion_ci(method="exact")
    assert (low.published_low, low.published_high) == pytest.approx((100 * exact.low, 100 * exact.high))
    assert (low.low, low.high) == pytest.approx((100 * exact.low, 100 * exact.high))
    # nobody stands for first-line patients without PD-L1, nor for combinations
    for key in (("TPS < 1 %", "none", "one"), ("TPS >= 50 %", "any", "combination")):
        assert rows[key].n == 1
        assert rows[key].simulated is None
        assert rows[key].inside is None
    # two first-line patients and one later: (2 x 25 % + 1 x 100 %) / 3
    both = rows["TPS >= 50 %", "matched", "one"]
    assert (both.n, both.responders) == (3, 2)
    assert both.simulated == pytest.approx(50.0)
    assert both.arms == "keynote-024: pembrolizumab, oak: atezolizumab"
    assert rows["TPS < 1 %", "matched", "one"].n == 2


def test_arms_weigh_as_the_published_ones(cohort: Any) -> None:
    oak = result("oak", "atezolizumab", [0.0] * 10, [True] * 10)
    other = result("checkmate-017", "nivolumab", [0.0] * 40, [False] * 40)
    row = next(r for r in response_rows(cohort, {"oak": oak, "checkmate-017": other}) if r.prior == "yes")
    assert row.simulated == pytest.approx(100 * 425 / (425 + 135))
    weights = np.repeat([42.5, 135 / 40], [10, 40])
    effective = weights.sum() ** 2 / (weights**2).sum()
    assert effective < 50
    exact = binomtest(round(effective * row.simulated / 100), round(effective)).proportion_ci(method="exact")
    assert row.low == pytest.approx(100 * exact.low, abs=4)
    assert row.high == pytest.approx(100 * exact.high, abs=4)


def test_response_by_size_goes_arm_by_arm() -> None:
    oak = result("oak", "atezolizumab", [0.0] * 4, [True, False, True, True])
    oak.patients["sld_mm_baseline"] = [20.0, 64.9, 65.0, 200.0]
    counts = {
        ("oak", "atezolizumab"): {"small": (3, 10), "large": (9, 10)},
        ("x", "y"): {"small": (0, 0), "large": (1, 2)},
    }
    rows = size_rows(counts, {"oak": oak})
    assert [(r.stratum, r.drug, r.published, r.simulated) for r in rows] == [
        ("small", "atezolizumab", 30.0, 50.0),
        ("large", "atezolizumab", pytest.approx(90.0), 100.0),
        ("small", "y", None, None),
        ("large", "y", 50.0, None),
    ]


def test_without_trials_the_cohorts_stand_alone(cohort: Any) -> None:
    rows = response_rows(cohort, {})
    assert all(r.simulated is None and r.prior != "matched" for r in rows)
    assert sum(r.n for r in rows) == 8


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,high,1,0,1", r"'high' is not a number for PDL1_TPS\(%\)"),
        ("1,101,1,0,1", r"PDL1_TPS\(%\) is 101"),
        ("1,10,2,0,1", "Systemic_therapy_history is 2"),
        ("1,10,1,0,0.5", "Response is 0.5"),
    ],
)
def test_a_bad_cell_is_named_with_its_row(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_cohorts([write(tmp_path / "c.csv", "0,10,1,0,1", row)])
    assert "c.csv, row 3" in str(caught.value)


def test_a_missing_column_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown column 'Response'") as caught:
        read_cohorts([write(tmp_path / "c.csv", "1,1,1,0,1", head=HEAD.replace("Response", "Responder"))])
    assert "Did you mean 'Responder'" in str(caught.value)


def test_arms_ship_and_give_one_inhibitor() -> None:
    for trial, arm in (pair for arms in ARMS.values() for pair in arms):
        assert arm in [a.name for a in load_trial(trial).arms]


def test_pooled_cohorts_are_those_that_were_published(shared_data: Path) -> None:
    cohort = read_cohorts(sorted((shared_data / "loris").glob("*.csv")))
    rows = response_rows(cohort, {})
    found = {}
    for stratum in dict.fromkeys(r.stratum for r in rows):
        mine = [r for r in rows if r.stratum == stratum]
        n = sum(r.n for r in mine)
        found[stratum] = (n, round(100 * sum(r.responders for r in mine) / n, 1))
    assert found == {"TPS < 1 %": (118, 16.9), "TPS 1-49 %": (58, 25.9), "TPS >= 50 %": (137, 38.7)}
