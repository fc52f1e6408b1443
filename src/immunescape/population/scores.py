"""Scores of covariates: numbers made of columns, and the same standardised over the covariate population."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError, unknown_word
from immunescape.population.covariates import COLUMNS, LEVELS, Region, sample_covariates
from immunescape.population.tables import has_level

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ScoredCovariates", "reference_covariates", "region_of", "score", "standard_score"]

FloatArray = NDArray[np.float64]
_REFERENCE_PATIENTS = 2048


class ScoredCovariates:
    """A table of covariates of one region, each score of which (see `score`) is computed once."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table
        self.region: Region = table["region"].iloc[0]
        self._scores: dict[str, FloatArray] = {}

    def __len__(self) -> int:
        return len(self.table)

    def score(self, text: str, where: str | None) -> FloatArray:
        """Score (n,) of a covariate."""
        if text not in self._scores:
            self._scores[text] = score(text, self.table, where)
        return self._scores[text]


def score(text: str, covariates: pd.DataFrame | ScoredCovariates, where: str | None = None) -> FloatArray:
    """Turn a covariate into a number.

    ``column`` (numbers and truth values), ``ln:column``, ``rank:column`` (normal score of the rank in the covariate
    population, ties share one), or ``column=level|level`` (1 where it holds).
    """
    if isinstance(covariates, ScoredCovariates):
        return covariates.score(text, where)
    kind, _, rest = text.partition(":") if ":" in text else ("", "", text)
    column, equals, levels = rest.partition("=")
    if column not in covariates:
        raise unknown_word("covariate", column, COLUMNS, where=where)
    values = np.asarray(covariates[column])
    if equals:
        chosen_levels = levels.split("|")
        for level in chosen_levels:
            if column in LEVELS and level not in LEVELS[column]:
                raise unknown_word(f"level of {column}", level, LEVELS[column], where=where)
        if values.dtype == bool:  # as numpy writes them
            values = values.astype(object)
        return has_level(values, chosen_levels).astype(float)
    if column in LEVELS:
        raise InputError(f"'{column}' is categorical; name a level: {column}={LEVELS[column][0]}", where=where)
    numbers = values.astype(float)
    functions: Mapping[str, Any] = {
        "": lambda x: x,
        "ln": np.log,
        "rank": lambda x: _normal_rank(x, column, covariates["region"].iloc[0]),
    }
    if kind not in functions:
        raise unknown_word("function of a covariate", kind, functions, where=where)
    result: FloatArray = functions[kind](numbers)
    return result


def _normal_rank(values: FloatArray, column: str, region: Region) -> FloatArray:
    from scipy.special import ndtri

    reference = np.sort(np.asarray(reference_covariates(region)[column], dtype=float))
    below, upto = np.searchsorted(reference, values, "left"), np.searchsorted(reference, values, "right")
    result: FloatArray = ndtri((below + upto + 1.0) / (2.0 * len(reference) + 2.0))
    return result


@lru_cache(maxsize=4)
def reference_covariates(region: Region) -> pd.DataFrame:
    """Fixed sample of the covariate population that standardises the scores."""
    return sample_covariates(0, _REFERENCE_PATIENTS, seed=0, stream=0, region=region, method="sobol")


def region_of(covariates: pd.DataFrame | ScoredCovariates) -> Region:
    """Region that a table of covariates belongs to."""
    region: Region = covariates.region if isinstance(covariates, ScoredCovariates) else covariates["region"].iloc[0]
    return region


@lru_cache(maxsize=64)
def _moments(text: str, region: Region) -> tuple[float, float]:
    values = score(text, reference_covariates(region))
    return float(values.mean()), float(values.std()) or 1.0


def standard_score(text: str, covariates: pd.DataFrame | ScoredCovariates, where: str | None = None) -> FloatArray:
    """Score (n,) of a covariate (see `score`) with mean 0 and standard deviation 1 over the covariate population."""
    mean, spread = _moments(text, region_of(covariates))
    return (score(text, covariates, where) - mean) / spread
