"""LORIS for NSCLC: a published logistic model of objective response to checkpoint inhibition (Chang et al. 2024).

``S = 0.0353 min(TMB, 50) + 0.0111 PD-L1 - 0.375 PSTH + 0.2924 albumin - 0.0103 min(NLR, 25) - 1.5593``; the score is
``1 / (1 + exp(-S))``; mutational burden per Mb, PD-L1 tumour proportion score in percent, PSTH 1 after earlier systemic
therapy, albumin in g/dL, neutrophil-to-lymphocyte ratio. The published code names age as a sixth feature; the published
formula, used here, has none.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from immunescape.errors import InputError
from immunescape.knowledge.printed_units import printed_unit
from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.words import measurement_title
from immunescape.profile.scores.records import Score

__all__ = ["loris_nsclc", "loris_score"]

_TITLE = "LORIS for NSCLC (probability of objective response)"
_CITATION = ("chang2024",)
_ALBUMIN = {"g/dL": 1.0, "g/L": 0.1}


def loris_nsclc(
    tmb: ArrayLike, pdl1: ArrayLike, prior_therapy: ArrayLike, albumin: ArrayLike, nlr: ArrayLike
) -> NDArray[np.float64]:
    """LORIS of many patients at once.

    Parameters
    ----------
    tmb
        Mutations per Mb.
    pdl1
        Tumour proportion score, percent (0 to 100).
    prior_therapy
        1 if systemic therapy was given before, else 0.
    albumin
        g/dL.
    nlr
        Neutrophil-to-lymphocyte ratio.

    Returns
    -------
    array
        Scores between 0 and 1; NaN where an input is NaN.

    Raises
    ------
    InputError
        Where a value cannot be in the unit that is asked for (albumin in g/L, PD-L1 above 100).
    """
    t, p, h, a, n = (np.asarray(x, dtype=np.float64) for x in (tmb, pdl1, prior_therapy, albumin, nlr))
    _within("albumin", a, 0.5, 10.0, "in g/dL; divide g/L by 10")
    _within("PD-L1", p, 0.0, 100.0, "in percent")
    _within("tumour mutational burden", t, 0.0, np.inf, "in mutations per Mb")
    _within("neutrophil-to-lymphocyte ratio", n, 0.0, np.inf, "as a ratio")
    _within("earlier systemic therapy", h, 0.0, 1.0, "as 0 or 1")
    s = 0.0353 * np.minimum(t, 50) + 0.0111 * p - 0.375 * h + 0.2924 * a - 0.0103 * np.minimum(n, 25) - 1.5593
    return np.asarray(1.0 / (1.0 + np.exp(-s)))


def _within(name: str, values: NDArray[np.float64], low: float, high: float, unit: str) -> None:
    with np.errstate(invalid="ignore"):
        bad = (values < low) | (values > high)
    if bad.any():
        first = float(np.atleast_1d(values)[np.atleast_1d(bad)][0])
        raise InputError(f"{name} of {first:g} is outside {low:g} to {high:g}", hint=f"Give it {unit}.")


def loris_score(biomarkers: Mapping[str, Measurement], prior_lines: float | None) -> Score:
    """LORIS of one patient from measurements; says which input is missing or in another unit."""
    missing: list[str] = []

    def number(name: str, units: Mapping[str, float]) -> float:
        m = biomarkers.get(name)
        if m is None or m.value is None or isinstance(m.value, (str, bool)):
            missing.append(f"{measurement_title(name)} is missing")
            return float("nan")
        if m.unit not in units:
            expected = " or ".join(dict.fromkeys(printed_unit(u) or "no unit" for u in units))
            missing.append(f"{measurement_title(name)} is in {printed_unit(m.unit) or 'no unit'}, not in {expected}")
            return float("nan")
        return float(m.value) * units[m.unit]

    inputs = {
        "tmb (1/Mb)": number("tmb", {"1/megabase": 1.0, "1/Mb": 1.0}),
        "pdl1_tps (%)": number("pdl1_tps", {"percent": 1.0, "%": 1.0}),
        "albumin (g/dL)": number("albumin", _ALBUMIN),
        "nlr": number("nlr", {"1": 1.0, "": 1.0}),
    }
    prior = float("nan") if prior_lines is None or np.isnan(prior_lines) else float(prior_lines > 0)
    if np.isnan(prior):
        missing.append("earlier lines of therapy are missing")
    inputs["earlier systemic therapy"] = prior
    given = {k: v for k, v in inputs.items() if not np.isnan(v)}
    if missing:
        return Score("loris_nsclc", _TITLE, None, inputs=given, note="; ".join(missing), citation=_CITATION)
    try:
        value = float(
            loris_nsclc(inputs["tmb (1/Mb)"], inputs["pdl1_tps (%)"], prior, inputs["albumin (g/dL)"], inputs["nlr"])
        )
    except InputError as error:
        return Score("loris_nsclc", _TITLE, None, inputs=given, note=error.message, citation=_CITATION)
    note = "trained on one centre's panel sequencing; mutational burden of another panel shifts it"
    return Score(
        "loris_nsclc",
        _TITLE,
        value,
        unit="",
        reading="",
        rule="no cut-off applied",
        inputs=given,
        note=note,
        citation=_CITATION,
    )
