"""Three-valued logic (Kleene) over trees of conditions, for all patients at once.

A truth value is 1 (holds), -1 (does not hold) or 0 (not known: missing, too little coverage, another unit, within the
limit of detection). ``not`` changes the sign, ``all`` is the minimum, ``any`` the maximum: what is not known stays so
unless the rest decides. All of them are monotone in information, so taking data away can turn 1 or -1 only into 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.knowledge.mechanism_rules import Condition
from immunescape.knowledge.profile_records import Measurement

__all__ = ["MeasurementColumns", "condition_truth", "evaluate"]

Truth = NDArray[np.int8]
_NUMERIC = ("at_least", "above", "at_most", "below")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One biomarker of all patients: bounds of what the value may be, percentile, coverage, category, unit."""

    low: NDArray[np.float64]
    value: NDArray[np.float64]
    high: NDArray[np.float64]
    percentile: NDArray[np.float64]
    coverage: NDArray[np.float64]
    category: NDArray[np.object_]
    unit: NDArray[np.object_]


class MeasurementColumns:
    """Measurements of many patients as arrays, made when a rule first asks for them."""

    def __init__(self, measurements: Mapping[str, Mapping[str, Measurement]], patients: Sequence[str]) -> None:
        self.measurements = measurements
        self.patients = patients
        self._made: dict[str, Column] = {}

    def __getitem__(self, name: str) -> Column:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Column:
        n = len(self.patients)
        numbers = np.full((5, n), np.nan)
        verdict: NDArray[np.object_] = np.full(n, None, dtype=object)
        unit: NDArray[np.object_] = np.full(n, None, dtype=object)
        rows = self.measurements.get(name, {})
        for i, patient in enumerate(self.patients):
            m = rows.get(patient)
            if m is None or m.value is None:
                continue
            unit[i] = m.unit
            if m.coverage is not None:
                numbers[4, i] = m.coverage
            if m.percentile is not None:
                numbers[3, i] = m.percentile
            if isinstance(m.value, (bool, str, np.bool_)):
                verdict[i] = bool(m.value) if not isinstance(m.value, str) else m.value
                continue
            value = float(m.value)
            if m.status == "below_limit":  # somewhere between zero and the limit
                numbers[:3, i] = (0.0, np.nan, value)
            else:
                numbers[:3, i] = (value if m.low is None else m.low, value, value if m.high is None else m.high)
        low, middle, high, percentile, coverage = numbers
        return Column(
            low=low, value=middle, high=high, percentile=percentile, coverage=coverage, category=verdict, unit=unit
        )


def _compare(test: str, x: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        if test == "at_least":
            return x >= threshold
        if test == "above":
            return x > threshold
        return x <= threshold if test == "at_most" else x < threshold


def _number(condition: Condition, test: str, columns: MeasurementColumns) -> Truth:
    column = columns[condition.measurement]
    low, value, high = column.low, column.value, column.high
    comparable = ~np.isnan(low)
    if condition.unit is not None:
        comparable &= column.unit == condition.unit
    if condition.relative_to:
        below = columns[condition.relative_to].value
        usable = below > 0
        comparable &= usable
        divisor = np.where(usable, below, np.nan)
        with np.errstate(over="ignore"):  # a ratio beyond every number is beyond every threshold
            low, value, high = low / divisor, value / divisor, high / divisor
    threshold = float(getattr(condition, test))
    holds_low, holds_high = _compare(test, low, threshold), _compare(test, high, threshold)
    result = np.where(holds_low & holds_high, 1, np.where(holds_low | holds_high, 0, -1))
    if not condition.whole_interval:  # the value decides, except where only a limit is known
        point = np.where(_compare(test, value, threshold), 1, -1)
        result = np.where(np.isnan(value), result, point)
    return np.where(comparable, result, 0).astype(np.int8)


def condition_truth(condition: Condition, columns: MeasurementColumns, minimum_coverage: float = 0.0) -> Truth:
    """Truth of one condition in every patient.

    Parameters
    ----------
    condition
        The condition.
    columns
        Measurements.
    minimum_coverage
        Coverage below which a measurement counts as missing, unless the condition names its own.

    Returns
    -------
    array of int8, one per patient
        1, -1, or 0 where it cannot be known.
    """
    column = columns[condition.measurement]
    test = condition.tests[0]
    if test == "is":
        allowed = set(condition.allowed)
        comparable = np.fromiter((w is not None for w in column.category), dtype=bool, count=len(column.category))
        holds = np.fromiter((w is not None and w in allowed for w in column.category), bool, len(column.category))
        result = np.where(comparable, np.where(holds, 1, -1), 0).astype(np.int8)
    elif test in _NUMERIC:
        result = _number(condition, test, columns)
    else:
        threshold = float(getattr(condition, test))
        with np.errstate(invalid="ignore"):
            holds = column.percentile >= threshold if test == "percentile_at_least" else column.percentile <= threshold
        result = np.where(np.isnan(column.percentile), 0, np.where(holds, 1, -1)).astype(np.int8)
    least = minimum_coverage if condition.minimum_coverage is None else condition.minimum_coverage
    with np.errstate(invalid="ignore"):
        thin = column.coverage < least
    return np.where(thin, 0, result).astype(np.int8)


def evaluate(node: Any, columns: MeasurementColumns, minimum_coverage: float = 0.0) -> Truth:
    """Truth of a tree of conditions in every patient; a tree that is None is unknown everywhere."""
    if node is None:
        return np.zeros(len(columns.patients), dtype=np.int8)
    if isinstance(node, Condition):
        return condition_truth(node, columns, minimum_coverage)
    truths = np.stack([evaluate(m, columns, minimum_coverage) for m in node.members])
    if node.none_of is not None:
        value: Truth = (-truths[0]).astype(np.int8)
        return value
    if node.all_of is not None:
        return np.asarray(truths.min(axis=0), dtype=np.int8)
    if node.any_of is not None:
        return np.asarray(truths.max(axis=0), dtype=np.int8)
    needed = node.at_least_of.n
    sure, possible = (truths > 0).sum(axis=0), (truths >= 0).sum(axis=0)
    return np.where(sure >= needed, 1, np.where(possible < needed, -1, 0)).astype(np.int8)
