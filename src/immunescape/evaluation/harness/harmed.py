"""In whom an added drug does harm: baseline features in which harmed patients differ from the others.

Each feature is compared alone, by its standardised difference. With as many features as a virtual patient has, some
differ by chance; how many is said beside the result, and which of them would remain after Bonferroni's correction.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BEYOND", "FEWEST", "HARMING_PCT", "FeatureDifference", "HarmedPatients", "baseline_features", "harmed_in"]

FloatArray = NDArray[np.float64]
HARMING_PCT = 5.0
"""Share of patients from which on a drug counts as harming."""
FEWEST = 5
"""Patients that there must be on either side, and with and without a trait: fewer give no usable standard error."""
BEYOND = 2.0
"""Standard errors below which nothing is said of a difference."""
_CHANCE = math.erfc(BEYOND / math.sqrt(2.0))
_FAMILY = 0.05
_LEFT_OUT = ("region",)
_SKEWED = ("tmb_mut_mb", "ldh_uln", "nlr", "creatinine_umol_l")
_PARAMETERS = ("cd8_infiltration", "k_kill", "k_growth", "n_clones_tum")
"""Parameters that are compared beside the axes of suppression: infiltration, killing, growth, neoantigens."""
_AXIS = "activity_"


@dataclass(frozen=True, kw_only=True)
class FeatureDifference:
    """One feature in which harmed patients differ.

    Attributes
    ----------
    feature : name; of a category ``name: level``; ``axis NAME`` for the strength of an axis of suppression.
    harmed, others : mean (of a trait: share) in either group; the geometric mean of a strength or a skewed number.
    difference : of the means, in standard deviations of all patients.
    se : its standard error under no difference, that of a random division of the same patients.
    corrected : whether it remains after Bonferroni's correction for all features that were compared.
    """

    feature: str
    harmed: float
    others: float
    difference: float
    se: float
    corrected: bool


@dataclass(frozen=True, kw_only=True)
class HarmedPatients:
    """In whom one drug does harm.

    Attributes
    ----------
    harmed, patients : numbers of patients.
    compared : features that were compared.
    differences : those beyond `BEYOND` standard errors, the largest first.
    step, step_pct : step of the cycle whose factor the drug lowers most in those harmed, on average, and by how much.
    through : mechanisms through which the drug acts, by what tested them.
    """

    harmed: int
    patients: int
    compared: int
    differences: tuple[FeatureDifference, ...]
    step: str
    step_pct: float
    through: str

    @property
    def by_chance(self) -> float:
        """Features expected beyond `BEYOND` standard errors if none differed."""
        return _CHANCE * self.compared

    def sentence(self, drug: str, most: int = 6) -> str:
        """The result in words, with at most some of the differences."""
        start = f"{drug}: {self.harmed} of {self.patients} harmed"
        lost = f"; step weakened most in them: {self.step} ({self.step_pct:+.0f} %)" if self.step else ""
        acts = f"; acts through: {self.through}" if self.through else ""
        if not self.compared:
            return f"{start}, too few on one side to compare{lost}{acts}."
        beyond = len(self.differences)
        count = (
            f"{beyond} of {self.compared} features differ by {BEYOND:g} standard errors or more "
            f"({self.by_chance:.1f} expected by chance)"
        )
        if not beyond:
            return f"{start}, {count}{lost}{acts}."
        shown = [
            f"{d.feature} {d.harmed:.2g} against {d.others:.2g} ({d.difference:+.2f} SD, SE {d.se:.2f}"
            f"{', also after correction' if d.corrected else ''})"
            for d in self.differences[:most]
        ]
        more = f"; {beyond - most} more" if beyond > most else ""
        return f"{start}, {count}: {', '.join(shown)}{more}{lost}{acts}."

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "harmed": self.harmed,
            "patients": self.patients,
            "features_compared": self.compared,
            "expected_by_chance": self.by_chance,
            "differences": [vars(d) for d in self.differences],
            "step": self.step or None,
            "step_pct": self.step_pct,
            "through": self.through,
        }


def baseline_features(table: pd.DataFrame) -> dict[str, tuple[FloatArray, bool]]:
    """Features of patients at diagnosis.

    Parameters
    ----------
    table
        Table of a :class:`~immunescape.population.population.Population`.

    Returns
    -------
    dict
        Feature -> its values (n,), and whether these are logarithms: covariates (a category as one trait for each
        level), strengths of the axes of suppression, and some parameters of the patient. Missing values are NaN.
    """
    from immunescape.population.covariates import COLUMNS

    features: dict[str, tuple[FloatArray, bool]] = {}
    for name in (c for c in COLUMNS if c in table.columns and c not in _LEFT_OUT):
        column = table[name]
        if column.dtype == bool:
            features[name] = column.to_numpy(dtype=float), False
        elif column.dtype.kind in "ifu":
            values = column.to_numpy(dtype=float)
            features[name] = (_logarithm(values), True) if name in _SKEWED else (values, False)
        else:
            for level in sorted(column.dropna().astype(str).unique()):
                features[f"{name}: {level}"] = (column.astype(str) == level).to_numpy(dtype=float), False
    for column_name in table.columns:
        parameter = str(column_name).removeprefix("p:")
        if parameter == column_name:
            continue
        if parameter.startswith(_AXIS):
            title = f"axis {parameter.removeprefix(_AXIS)}"
        elif parameter in _PARAMETERS:
            title = parameter
        else:
            continue
        features[title] = _logarithm(table[column_name].to_numpy(dtype=float)), True
    return features


def _logarithm(values: FloatArray) -> FloatArray:
    """Natural logarithm; NaN of what is not above 0."""
    return np.log(np.where(values > 0.0, values, np.nan))


def harmed_in(
    harmed: NDArray[np.bool_],
    features: Mapping[str, tuple[FloatArray, bool]],
    *,
    step: str = "",
    step_pct: float = 0.0,
    through: str = "",
) -> HarmedPatients:
    """Compare harmed patients with the others, feature by feature.

    Parameters
    ----------
    harmed
        (n,) whether each patient was harmed.
    features
        As of `baseline_features`, of the same patients.
    step, step_pct, through
        As of `HarmedPatients`.

    Notes
    -----
    The difference is divided by the standard deviation of all patients rather than that within groups: it then stays
    finite where a trait divides the groups perfectly, and its standard error under a random division of the patients is
    sqrt(n / (n_harmed n_others)) whatever the distribution.
    """
    from scipy.stats import norm

    rows: list[tuple[str, float, float, float, float]] = []
    if min(int(harmed.sum()), int((~harmed).sum())) >= FEWEST:
        for name, (values, logarithmic) in features.items():
            finite = np.isfinite(values)
            inside, outside = values[finite & harmed], values[finite & ~harmed]
            if min(len(inside), len(outside)) < FEWEST or _is_rare(values[finite]):
                continue
            spread = float(values[finite].std(ddof=1))
            a, b = float(inside.mean()), float(outside.mean())
            se = math.sqrt(1.0 / len(inside) + 1.0 / len(outside))
            means = (math.exp(a), math.exp(b)) if logarithmic else (a, b)
            rows.append((name, *means, (a - b) / spread, se))
    strict = float(norm.isf(_FAMILY / (2.0 * len(rows)))) if rows else math.inf
    differences = [
        FeatureDifference(
            feature=name, harmed=a, others=b, difference=d, se=se, corrected=abs(d) >= max(strict, BEYOND) * se
        )
        for name, a, b, d, se in rows
        if abs(d) >= BEYOND * se
    ]
    return HarmedPatients(
        harmed=int(harmed.sum()),
        patients=len(harmed),
        compared=len(rows),
        differences=tuple(sorted(differences, key=lambda d: -abs(d.difference) / d.se)),
        step=step,
        step_pct=step_pct,
        through=through,
    )


def _is_rare(values: FloatArray) -> bool:
    """Whether fewer than `FEWEST` patients differ from the most frequent value: nothing to compare."""
    _, counts = np.unique(values, return_counts=True)
    return len(values) - int(counts.max()) < FEWEST
