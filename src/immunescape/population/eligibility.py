"""Which candidates a trial may enrol, decided on covariates before anything is simulated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError, unknown_word
from immunescape.population.covariates import COLUMNS, LEVELS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Eligibility", "check_eligibility", "eligible"]

Eligibility = Callable[["pd.DataFrame"], "NDArray[np.bool_]"] | Mapping[str, Any]
"""A vectorised predicate, or column -> condition.

A condition is a level or a list of levels, ``{"not": [...]}``, or ``{"min": a, "max": b}`` (both ends included).
"""


def _levels(column: str, allowed: Any) -> list[Any]:
    levels = list(allowed) if isinstance(allowed, (list, tuple, set, frozenset)) else [allowed]
    for level in levels:
        if column in LEVELS and level not in LEVELS[column]:
            raise unknown_word(f"level of {column}", str(level), LEVELS[column], where=f"eligibility, {column}")
    return levels


def check_eligibility(conditions: Mapping[str, Any]) -> None:
    """Raise InputError for an unknown column, level or key."""
    for column, condition in conditions.items():
        if column not in COLUMNS:
            raise unknown_word("covariate", column, COLUMNS, where="eligibility")
        if isinstance(condition, Mapping):
            for key in condition:
                if key not in ("not", "min", "max"):
                    raise unknown_word("condition", str(key), ("not", "min", "max"), where=f"eligibility, {column}")
            if column in LEVELS and {"min", "max"} & set(condition):
                raise InputError("a categorical column has no min or max", where=f"eligibility, {column}")
            if "not" in condition:
                _levels(column, condition["not"])
        else:
            _levels(column, condition)


def eligible(rule: Eligibility | None, covariates: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each candidate (row) may enrol; None admits all."""
    n = len(covariates)
    if rule is None:
        return np.ones(n, dtype=bool)
    if not isinstance(rule, Mapping):
        mask = np.asarray(rule(covariates))
        if mask.shape != (n,) or mask.dtype != bool:
            raise InputError(f"the eligibility rule returned {mask.dtype} of shape {mask.shape}, not {n} truth values")
        return mask
    check_eligibility(rule)
    mask = np.ones(n, dtype=bool)
    for column, condition in rule.items():
        values = covariates[column]
        if isinstance(condition, Mapping):
            if "not" in condition:
                mask &= ~values.isin(_levels(column, condition["not"])).to_numpy()
            if condition.get("min") is not None:
                mask &= (values >= condition["min"]).to_numpy()
            if condition.get("max") is not None:
                mask &= (values <= condition["max"]).to_numpy()
        else:
            mask &= values.isin(_levels(column, condition)).to_numpy()
    return mask
