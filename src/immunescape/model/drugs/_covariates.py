"""Drug parameters that are set by covariates of the patient."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

__all__ = ["COVARIATES", "covariate_parameters"]

COVARIATES = {"weight_": "weight_kg", "bsa_": "bsa_m2", "crcl_": "crcl_ml_min"}
"""Prefix of a parameter (before ``<drug>``) -> column of the patient table that sets it, in the same unit."""


def covariate_parameters(parameters: Iterable[str]) -> dict[str, str]:
    """Return the parameters set by covariates of a patient, with the column of the covariate.

    ``weight_pembrolizumab`` -> ``weight_kg`` (kg), ``bsa_docetaxel`` -> ``bsa_m2`` (m^2), ``crcl_carboplatin`` ->
    ``crcl_ml_min`` (mL/min). If they are not set, the values of the reference patient are used. Carboplatin dosed to a
    target AUC reaches it only if ``crcl_carboplatin`` is the filtration rate from which the dose was calculated.

    Parameters
    ----------
    parameters
        Names of a model's parameters.
    """
    return dict(_among(tuple(parameters)))


@lru_cache(maxsize=8)
def _among(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, column)
        for name in names
        for prefix, column in COVARIATES.items()
        if name.startswith(prefix) and not name.startswith(f"{prefix}ref_")
    )
