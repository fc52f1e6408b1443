"""Configurations with results that rpact and gsDesign publish in their own tests and articles, against ours.

The inputs and figures are those of the files that each row of `oracles/published.json` names; no software was run to
get them. Where a design there is upper-sided on the hazard ratio, the arms change places here.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from immunescape.design.boundaries import Boundaries, _efficacy, boundaries
from immunescape.design.recursion import exit_probabilities
from immunescape.design.samplesize import (
    TrialSize,
    power_means,
    power_survival,
    sample_size_means,
    sample_size_rates,
    sample_size_survival,
)
from immunescape.design.survival_model import Accrual, PiecewiseExponential

ROWS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "oracles" / "published.json").read_text(encoding="utf-8")
)["rows"]
FAMILIES = {
    "fixed": "fixed",
    "OF": "obrien-fleming",
    "P": "pocock",
    "WT": "wang-tsiatis",
    "asOF": "lan-demets-obrien-fleming",
    "asP": "lan-demets-pocock",
    "asHSD": "hwang-shih-decani",
    "asKD": "power",
}
BETA = {"bsHSD": "hwang-shih-decani", "bsKD": "power", "bsOF": "lan-demets-obrien-fleming"}


def bounds_of(row: dict[str, Any]) -> Boundaries:
    """Boundaries of a row, with its power and its futility where it has them."""
    found = boundaries(
        FAMILIES[row["family"]],
        row["fraction"],
        alpha=row["alpha"],
        parameter=row["parameter"],
        beta=row.get("beta"),
        futility=BETA.get(row.get("betaType", "")),
        futility_parameter=row.get("betaParameter", 0.0),
        binding=row.get("binding", False),
    )
    if "nonBindingFutility" in row:
        return replace(found, futility=np.array([*row["nonBindingFutility"], -np.inf]))
    if "fixedFutility" in row:  # binding: the efficacy bounds count on them
        lower = np.array([*row["fixedFutility"], -np.inf])
        efficacy = _efficacy(found.family, found.fraction, row["alpha"], row["parameter"], lower)
        spent = np.cumsum(exit_probabilities(efficacy, found.fraction, lower=np.minimum(lower, efficacy)).upper)
        return replace(found, efficacy=efficacy, futility=lower, alpha_spent=spent, binding=True)
    return found


def of_kind(*kinds: str) -> Any:
    """Parametrise over the rows of some kinds."""
    chosen = [row for row in ROWS if row["kind"] in kinds]
    assert chosen
    return pytest.mark.parametrize("row", chosen, ids=[f"{r['kind']} {k + 1}" for k, r in enumerate(chosen)])


def test_there_are_more_than_thirty_configurations() -> None:
    assert len(ROWS) > 30
    assert Counter("futility" in r or "fixedFutility" in r or "nonBindingFutility" in r for r in ROWS)[True] >= 15
    assert len({json.dumps(row, sort_keys=True) for row in ROWS}) == len(ROWS)


@of_kind("bounds")
def test_bounds(row: dict[str, Any]) -> None:
    found = bounds_of(row)
    np.testing.assert_allclose(found.efficacy, row["efficacy"], atol=1e-5)
    if "futility" in row:
        np.testing.assert_allclose(found.futility[:-1], row["futility"], atol=2e-5)
    if "alphaSpent" in row:
        np.testing.assert_allclose(found.alpha_spent, row["alphaSpent"], atol=1e-6)
    if "power" in row:
        np.testing.assert_allclose(found.power(found.drift), row["power"], atol=1e-5)
    if "inflation" in row:
        assert found.inflation == pytest.approx(row["inflation"], rel=1e-5)
        assert found.drift**2 == pytest.approx(row["shift"], rel=1e-5)
        for theta, name in ((found.drift, "asn1"), (0.0, "asn0")):
            gone = exit_probabilities(found.efficacy, found.fraction, lower=found.futility, theta=theta)
            stop = gone.upper + gone.lower
            stop[-1] += 1.0 - stop.sum()
            assert found.inflation * float(stop @ found.fraction) == pytest.approx(row[name], rel=1e-5)


def check(plan: TrialSize, row: dict[str, Any], scale: float = 1.0) -> None:
    """Size, expected size, and power by look."""
    if "beta" in row:
        assert plan.patients * scale == pytest.approx(row["patients"], rel=1e-6)
        assert plan.power == pytest.approx(1 - row["beta"], abs=1e-6)
    else:
        np.testing.assert_allclose(plan.cumulative_power, row["power"], atol=1e-6)
        assert plan.early_stop == pytest.approx(row["early"], abs=1e-6)
    assert plan.expected_patients * scale == pytest.approx(row["expected"], rel=1e-6)


@of_kind("size of means", "size of one mean", "power of means", "power of one mean")
def test_means(row: dict[str, Any]) -> None:
    """One sample of n patients has the information of two equal ones of 4 n in all."""
    one = "one mean" in row["kind"]
    bounds, ratio = bounds_of(row), row.get("ratio", 1)
    if "beta" in row:
        check(sample_size_means(row["difference"], row["sd"], bounds, ratio=ratio), row, 0.25 if one else 1.0)
        return
    patients = row["patients"] * (4 if one else 1)
    plan = power_means(row["difference"], row["sd"], patients, bounds, ratio=ratio)
    check(plan, row, 0.25 if one else 1.0)


@of_kind("size of rates")
def test_rates(row: dict[str, Any]) -> None:
    plan = sample_size_rates(*row["rates"], bounds_of(row), alpha=row["alpha"], ratio=row["ratio"])
    if "patients_rounded_up" in row:
        assert np.ceil(plan.patients) == row["patients_rounded_up"]
    else:
        check(plan, row)


@of_kind("size of survival", "events of survival")
def test_sizes_of_survival(row: dict[str, Any]) -> None:
    """There more events are in the first arm; here it is the control, so that the ratio is turned over."""
    pi = row.get("pi")
    hazards = None if pi is None else [-np.log(1 - p) / row["eventTime"] for p in pi]
    ratio = row["hazardRatio"] if hazards is None else hazards[0] / hazards[1]
    control = PiecewiseExponential((0.05 if hazards is None else hazards[0],))
    plan = sample_size_survival(
        1 / ratio,
        control,
        bounds_of(row),
        accrual_months=row.get("accrual", 24),
        follow_up_months=row.get("followUp", 12),
        ratio=1 / row["ratio"],
    )
    assert plan.events == pytest.approx(row["events"], rel=1e-6)
    if "patients" in row:
        assert plan.patients == pytest.approx(row["patients"], rel=1e-6)
    if "expected" in row:
        assert plan.expected_events == pytest.approx(row["expected"], rel=1e-6)


@of_kind("power of survival")
def test_power_of_survival_beyond_a_margin(row: dict[str, Any]) -> None:
    """Hazard ratio above a bound of 0.8 there; below a margin of 1.25 with the arms in each other's place here."""
    control = PiecewiseExponential((row["lambda2"] * row["hazardRatio"],))
    accrual = Accrual((row["subjects"] / row["accrual"],), (row["accrual"],))
    plan = power_survival(
        1 / row["hazardRatio"],
        control,
        row["events"],
        accrual,
        bounds_of(row),
        ratio=row["ratio"],
        margin=1 / row["thetaH0"],
    )
    np.testing.assert_allclose(plan.cumulative_power, row["power"], atol=1e-6)
    np.testing.assert_allclose(plan.months, row["months"], rtol=1e-5)
    assert plan.early_stop == pytest.approx(row["early"], abs=1e-6)
    assert plan.expected_events == pytest.approx(row["expected"], rel=1e-5)
    assert plan.expected_patients == pytest.approx(row["expectedSubjects"], rel=1e-5)
