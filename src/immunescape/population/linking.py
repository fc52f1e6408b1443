"""From covariates to model parameters: each patient's parameter values, in the units of the parameter tables.

Four ways, the numbers all in tables with source and grade:

- a parameter with a distribution takes its own number, correlated with covariates (``covariate_links.csv``): with S the
  standardised scores and w their weights, its normal score is ``S w + sqrt(1 - w' corr(S) w) z``; axes of suppression
  also go with other parameters (``parameter:cd8_infiltration``: access of T cells, the immune phenotype);
- ``diameter_diagnosis`` is the mean diameter of the target lesions: the model's tumour is one of them, and the others
  are like it;
- `INDICATORS` are covariates that hold or not: 1 or 0;
- ``weight_<drug>``, ``bsa_<drug>`` and ``crcl_<drug>`` are covariates themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.knowledge.tables import Row, read_rows
from immunescape.population.covariates import (
    SOBOL_DIMENSIONS,
    Region,
    covariate_table,
)
from immunescape.population.distributions import Distribution
from immunescape.population.fit import PopulationFit
from immunescape.population.sampling import Method, uniforms_of
from immunescape.population.scores import ScoredCovariates, reference_covariates, region_of, score

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.model.parameters import Parameter

__all__ = ["DIAMETER", "INDICATORS", "lesion_diameter", "links", "patient_parameters", "suppression_links"]

FloatArray = NDArray[np.float64]
DIAMETER = "diameter_diagnosis"
INDICATORS = {
    "kras_mutant": "kras",
    "kras_g12c": "kras_g12c",
    "egfr_mutant": "driver=EGFR",
    "alk_fusion": "driver=ALK",
    "met_amplified": "met_amp",
    "idh_mutant": "idh",
    "akkermansia": "akkermansia",
    "antibiotics_recent": "antibiotics",
    "her2_mutant": "driver=HER2",
    "ddr_deficient": "ddr",
    "stk11_loss": "stk11",
    "keap1_loss": "keap1",
    "tp53_mutant": "tp53",
    "squamous": "histology=squamous",
}
"""Parameter -> the score (see `score`) of 0 or 1 that it takes."""


@lru_cache(maxsize=1)
def links() -> dict[str, tuple[Row, ...]]:
    """Rows of ``covariate_links.csv`` by parameter."""
    return _by_parameter("covariate_links")


@lru_cache(maxsize=1)
def suppression_links() -> dict[str, tuple[Row, ...]]:
    """Rows of ``suppression_links.csv`` by parameter: in place of the others where its distribution is sparse."""
    return _by_parameter("suppression_links")


def _by_parameter(table: str) -> dict[str, tuple[Row, ...]]:
    rows_of_parameter: dict[str, list[Row]] = {}
    for row in read_rows(table, ("parameter", "score", "weight", "source", "grade", "note")):
        rows_of_parameter.setdefault(row["parameter"], []).append(row)
    return {name: tuple(rows) for name, rows in rows_of_parameter.items()}


_OTHER = "parameter:"


def _rows(name: str, sparse: bool) -> tuple[Row, ...]:
    return (suppression_links() if sparse else links()).get(name, ())


def _covariate_rows(name: str, sparse: bool) -> tuple[Row, ...]:
    return tuple(row for row in _rows(name, sparse) if not row["score"].startswith(_OTHER))


def _others(name: str, sparse: bool) -> list[tuple[str, float]]:
    """Other parameters that a parameter goes with, and the weight of the normal score that each has before the fit."""
    rows = (row for row in _rows(name, sparse) if row["score"].startswith(_OTHER))
    return [(row["score"].removeprefix(_OTHER), row.number("weight")) for row in rows]


@lru_cache(maxsize=64)
def _standard(name: str, region: Region, sparse: bool = False) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Means, standard deviations and weights of a parameter's scores, and the share of variance that they leave."""
    rows = _covariate_rows(name, sparse)
    reference = reference_covariates(region)
    table = np.array([score(row["score"], reference, row.where) for row in rows]).reshape(len(rows), len(reference))
    mean, spread = table.mean(axis=1), table.std(axis=1)
    spread = np.where(spread > 0.0, spread, 1.0)
    weights = np.array([row.number("weight") for row in rows])
    explained = (
        float(weights @ np.atleast_2d(np.cov((table - mean[:, None]) / spread[:, None], bias=True)) @ weights)
        if rows
        else 0.0
    )
    explained += sum(weight**2 for _, weight in _others(name, sparse))
    if not explained < 1.0:
        raise InputError(
            f"the links of '{name}' explain {explained:.2f} of its variance, more than 1",
            where=_rows(name, sparse)[0].where,
        )
    return mean, spread, weights, 1.0 - explained


def linked_score(name: str, covariates: pd.DataFrame | ScoredCovariates, *, sparse: bool = False) -> FloatArray:
    """What covariates add to the normal score (n,) of a parameter by its links; 0 where nothing."""
    rows = _covariate_rows(name, sparse)
    if not rows:
        return np.zeros(len(covariates))
    mean, spread, weights, _ = _standard(name, region_of(covariates), sparse)
    table = np.stack([score(row["score"], covariates, row.where) for row in rows])
    values: FloatArray = (weights[:, None] * (table - mean[:, None]) / spread[:, None]).sum(axis=0)
    return values


def unexplained_share(name: str, region: Region, *, sparse: bool = False) -> float:
    """Share of the variance of a parameter's normal score that its links leave; 1 without links."""
    return _standard(name, region, sparse)[3] if _rows(name, sparse) else 1.0


def lesion_diameter(sld_mm: FloatArray, n_lesions: NDArray[Any]) -> FloatArray:
    """Diameter (cm) of the sphere of the volume of `n_lesions` equal spheres whose diameters add up to `sld_mm`."""
    return np.minimum(sld_mm / 10.0 / n_lesions.astype(float) ** (2.0 / 3.0), covariate_table().number("lesion_upper"))


def patient_parameters(
    parameters: Mapping[str, Parameter],
    covariates: pd.DataFrame,
    seed: int,
    stream: int = 0,
    *,
    method: Method = "auto",
    draw: int = 0,
    fit: PopulationFit | None = None,
) -> dict[str, FloatArray]:
    """Parameters of patients that differ from the reference patient's, in the units of the parameter tables.

    Parameters
    ----------
    parameters
        Those of the model.
    covariates
        Rows of patients in increasing order of their numbers, as `sample_covariates` gives them.
    seed, stream
        Those that the covariates were drawn with.
    method
        See `immunescape.population.sampling`; ``auto`` is a Latin hypercube here.
    draw
        Number of the draw; each gives the same patients other parameters, independent of the draws before.
    fit
        How distributions are moved; None takes the fit that ships.

    Returns
    -------
    Name -> (n,) values. ``diameter_diagnosis`` (cm) is always there, in the model or not; the model's bounds hold.
    """
    ids = covariates.index.to_numpy()
    names = varying_parameters(parameters)
    dimensions = [f"parameter:{name}" if draw == 0 else f"parameter:{name}:{draw}" for name in names]
    how: Method = "latin" if method == "auto" or (method == "sobol" and draw > 0) else method
    u = uniforms_of(dimensions, ids, seed, stream, how, skip=SOBOL_DIMENSIONS)
    return parameters_at(parameters, covariates, dict(zip(names, u.T, strict=True)), fit=fit)


_KEPT: dict[tuple[int, ...], tuple[list[Parameter], dict[str, Distribution]]] = {}
"""Distributions of the last sets of parameters, by the identities of the records, which are kept so that these stay."""


def _distributions(parameters: Mapping[str, Parameter]) -> dict[str, Distribution]:
    """Distributions of the parameters that vary across patients, sorted by name."""
    key = tuple(map(id, parameters.values()))
    if key not in _KEPT:
        made = {n: Distribution.from_row(p) for n, p in parameters.items() if n != DIAMETER and p.distribution}
        if len(_KEPT) >= 8:
            _KEPT.pop(next(iter(_KEPT)))
        _KEPT[key] = (list(parameters.values()), {n: made[n] for n in sorted(made) if made[n].varies})
    return _KEPT[key][1]


def varying_parameters(parameters: Mapping[str, Parameter]) -> list[str]:
    """Return the parameters that have a distribution across patients, sorted; the diameter is a covariate's."""
    return list(_distributions(parameters))


def parameters_at(
    parameters: Mapping[str, Parameter],
    covariates: pd.DataFrame,
    numbers: Mapping[str, FloatArray],
    *,
    fit: PopulationFit | None = None,
) -> dict[str, FloatArray]:
    """Parameters of patients at given quantiles, in the units of the parameter tables.

    Parameters
    ----------
    parameters
        Those of the model.
    covariates
        (n, columns) of the patients.
    numbers
        (n,) quantiles in (0, 1) of each varying parameter; for one that covariates are linked to, of what they leave.
    fit
        How distributions are moved; None takes the fit that ships.

    Returns
    -------
    As `patient_parameters`.
    """
    from scipy.special import ndtr, ndtri

    from immunescape.model.drugs._covariates import covariate_parameters

    scored = ScoredCovariates(covariates)
    moved = PopulationFit.shipped() if fit is None else fit
    out: dict[str, FloatArray] = {}
    for name, distribution in _distributions(parameters).items():
        sparse = distribution.kind == "sparse"
        if not _rows(name, sparse) and name not in moved:
            out[name] = distribution.ppf(numbers[name])
            continue
        left = np.sqrt(unexplained_share(name, scored.region, sparse=sparse))
        z = linked_score(name, scored, sparse=sparse) + left * ndtri(numbers[name])
        for other, weight in _others(name, sparse):
            left = np.sqrt(unexplained_share(other, scored.region))
            z = z + weight * (linked_score(other, scored) + left * ndtri(numbers[other]))
        out[name] = distribution.ppf(np.clip(ndtr(moved.move(name, z, scored)), 2.0**-40, 1.0 - 2.0**-40))
    for name, text in INDICATORS.items():
        if name in parameters:
            out[name] = score(text, scored).copy()
    for name, column in covariate_parameters(parameters).items():
        out[name] = np.asarray(covariates[column], dtype=float)
    diameter = lesion_diameter(np.asarray(covariates["sld_mm"]), np.asarray(covariates["n_target_lesions"]))
    size_of_patient = parameters.get(DIAMETER)
    low, high = (None, None) if size_of_patient is None else (size_of_patient.lower, size_of_patient.upper)
    out[DIAMETER] = np.clip(diameter, -np.inf if low is None else low, np.inf if high is None else high)
    for name, (how, number) in moved.values.items():
        if name not in parameters:
            continue
        p = parameters[name]
        now = out.get(name, np.full(len(covariates), float(p.value)))
        changed = np.full(len(covariates), number) if how == "set" else number * now
        out[name] = np.clip(changed, -np.inf if p.lower is None else p.lower, np.inf if p.upper is None else p.upper)
    return out
