"""Rates, nadir and regrowth of single lesions on closed cases, agreement against scipy, and how tables are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kstest

from immunescape.errors import InputError
from immunescape.evaluation.kinetics import (
    MEASURES,
    compare_rates,
    lesion_measures,
    patient_rates,
    read_lesions,
)

MONTH = 30.4375
HEAD = "Patient_Anonmyized,Treatment_Day,TargetLesionLongDiam_mm,Study_Arm\n"


def lesion(months: list[float], mm: list[float]) -> tuple[np.ndarray, np.ndarray]:
    return MONTH * np.array(months), np.array(mm)


def test_rates_of_an_exact_course_come_back() -> None:
    months = np.arange(0, 9, 1.4)
    series = {"a": (MONTH * months, 40.0 * (np.exp(-0.3 * months) + np.exp(0.05 * months) - 1.0))}
    found = lesion_measures(series)
    assert found["growth"][0] == pytest.approx(0.05, rel=1e-3)
    assert found["shrinkage"][0] == pytest.approx(0.3, rel=1e-3)
    assert found["growth"] == pytest.approx(patient_rates(series)["growth"])


def test_nadir_and_regrowth_are_times_from_the_first_measurement() -> None:
    found = lesion_measures(
        {
            "regrows": lesion([-0.1, 1.4, 2.8, 4.2, 5.6], [40, 30, 20, 22, 25]),
            "too little": lesion([0, 1.4, 2.8], [10, 8, 10]),  # a quarter more, and 2 mm
            "shrinks": lesion([0, 1.4, 2.8], [40, 30, 20]),
            "grows": lesion([0, 1.4, 2.8], [20, 26, 40]),
            "too few": lesion([0, 1.4], [20, 26]),
        }
    )
    assert set(found) == set(MEASURES)
    assert found["time_to_nadir"] == pytest.approx([2.9, 1.4, 2.8, 0.0])
    assert found["time_to_regrowth"] == pytest.approx([5.7, np.nan, np.nan, 1.4], nan_ok=True)
    assert found["best_change"] == pytest.approx([-50, -20, -50, 30])


def test_nobody_gives_empty_measures() -> None:
    assert all(len(values) == 0 for values in lesion_measures({}).values())


def test_distance_is_that_of_the_empirical_distributions() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=80), rng.normal(0.4, size=50)
    (found,) = compare_rates({"growth": a}, {"growth": b})
    grid = np.concatenate([a, b])
    by_hand = max(abs((a <= x).mean() - (b <= x).mean()) for x in grid)
    assert found.distance == pytest.approx(by_hand)
    assert found.p == pytest.approx(kstest(a, b).pvalue)


def write(path: Path, *rows: str) -> Path:
    path.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_words_of_the_table_are_read(tmp_path: Path) -> None:
    rows = ("p,36,TOO SMALL TO MEASURE,A", "p,-3,42,A", "p,80,NOT EVALUABLE,A", "p,90,,A", "q,0,10,B")
    found = read_lesions(write(tmp_path / "t.csv", *rows))
    assert found["A"]["p"][0].tolist() == [-3, 36]
    assert found["A"]["p"][1].tolist() == [42, 5]
    assert set(found) == {"A", "B"}


@pytest.mark.parametrize(
    ("row", "message"), [("p,36,big,A", "'BIG' is not a diameter"), ("p,soon,12,A", "missing or not a number")]
)
def test_a_bad_cell_is_named_with_its_row(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_lesions(write(tmp_path / "t.csv", "p,-3,42,A", row))
    assert "t.csv, row 3" in str(caught.value)


def test_an_empty_or_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no measurement"):
        read_lesions(write(tmp_path / "t.csv"))
    with pytest.raises(InputError, match="no such file"):
        read_lesions(tmp_path / "u.csv")
