"""Who the patients are: age, body, blood, disease extent, histology, drivers, PD-L1 and TMB, jointly distributed.

Discrete facts follow from each other by conditional prevalences (sex -> smoking -> histology -> driver -> KRAS ->
STK11 -> KEAP1, TP53); everything measured on a scale shares a Gaussian copula. All numbers are in
``knowledge/data/covariates_nsclc.csv`` and ``covariate_correlations.csv``, with unit, source and grade. The population
is the one that enters trials of advanced NSCLC (plus ECOG 2), before any eligibility is applied.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import unknown_word
from immunescape.knowledge.tables import read_rows
from immunescape.population.distributions import Distribution, latent_correlation, normal_copula
from immunescape.population.sampling import Method, uniforms
from immunescape.population.tables import ConditionalTable
from immunescape.units import body_surface_area

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLUMNS",
    "DRIVERS",
    "LATENT",
    "LEVELS",
    "PLAIN",
    "REGIONS",
    "SOBOL_DIMENSIONS",
    "covariates_at",
    "creatinine_clearance",
    "facts_at",
    "latent_pairs",
    "sample_covariates",
]

FloatArray = NDArray[np.float64]
Region = Literal["western", "east_asian"]
REGIONS = ("western", "east_asian")
DRIVERS = ("EGFR", "ALK", "ROS1", "BRAF", "MET", "RET", "HER2")

COLUMNS = {
    "region": ("", "region whose prevalences apply"),
    "age": ("year", "age"),
    "sex": ("", "F or M"),
    "weight_kg": ("kg", "body weight"),
    "height_cm": ("cm", "height"),
    "bsa_m2": ("m^2", "body surface area (DuBois)"),
    "creatinine_umol_l": ("umol/L", "serum creatinine"),
    "crcl_ml_min": ("mL/min", "creatinine clearance (Cockcroft-Gault)"),
    "albumin_g_l": ("g/L", "serum albumin"),
    "ldh_uln": ("1", "lactate dehydrogenase / upper limit of normal"),
    "nlr": ("1", "neutrophils / lymphocytes in blood"),
    "ecog": ("", "performance status 0, 1, 2"),
    "smoking": ("", "never, former, current"),
    "histology": ("", "nonsquamous, squamous"),
    "stage": ("", "III (unresectable), IV"),
    "driver": ("", "none or the driver alteration"),
    "kras": ("", "KRAS mutation"),
    "kras_g12c": ("", "KRAS G12C mutation"),
    "stk11": ("", "STK11 mutation"),
    "keap1": ("", "KEAP1 mutation"),
    "tp53": ("", "TP53 mutation"),
    "met_amp": ("", "MET amplification"),
    "idh": ("", "mutation of IDH1 or IDH2"),
    "akkermansia": ("", "Akkermansia detected in stool"),
    "antibiotics": ("", "antibiotics around the start of treatment"),
    "ddr": ("", "deleterious mutation of a gene of DNA repair"),
    "pdl1_tps": ("percent", "PD-L1 tumour proportion score (22C3)"),
    "tmb_mut_mb": ("1/megabase", "tumour mutational burden"),
    "n_sites": ("", "number of metastatic sites"),
    "n_target_lesions": ("", "number of target lesions (RECIST 1.1)"),
    "n_lesions": ("", "number of lesions"),
    "liver_mets": ("", "liver metastases"),
    "brain_mets": ("", "brain metastases"),
    "sld_mm": ("mm", "sum of the longest diameters of the target lesions"),
}
"""Covariate columns: unit and meaning."""

LEVELS: dict[str, tuple[str, ...]] = {
    "region": REGIONS,
    "sex": ("F", "M"),
    "smoking": ("never", "former", "current"),
    "histology": ("nonsquamous", "squamous"),
    "stage": ("III", "IV"),
    "driver": ("none", *DRIVERS),
}
"""Levels of the columns that hold words."""

_LATENT = (  # normal scores that share the copula
    "age",
    "bmi",
    "albumin",
    "ldh",
    "nlr",
    "ecog",
    "sites",
    "targets",
    "sld",
    "liver",
    "brain",
    "tps",
    "tmb",
)
_PLAIN = (
    *("sex", "smoking", "histology", "stage", "driver", "kras", "g12c", "stk11", "keap1", "height", "creatinine"),
    *(
        "tp53",
        "met_amp",
        "idh",
        "akkermansia",
        "antibiotics",
        "her2",
        "ddr",
    ),  # new dimensions go last, so that the others keep their numbers
)
LATENT, PLAIN = _LATENT, _PLAIN
"""Names of the numbers that a patient's covariates follow from: correlated normal scores, and independent uniforms."""
_DIMENSIONS = (*_LATENT, *_PLAIN)
SOBOL_DIMENSIONS = len(_DIMENSIONS)
"""Leading dimensions of the Sobol sequence that covariates take."""


@lru_cache(maxsize=1)
def covariate_table() -> ConditionalTable:
    """The numbers behind the covariates."""
    return ConditionalTable(read_rows("covariates_nsclc", ConditionalTable.columns))


@lru_cache(maxsize=1)
def latent_pairs() -> dict[tuple[str, str], float]:
    """Correlations of the normal scores, from the rank correlations of the table."""
    rows = read_rows("covariate_correlations", ("first", "second", "spearman", "source", "grade", "note"))
    pairs = {}
    for row in rows:
        for end in ("first", "second"):
            if row[end] not in _LATENT:
                raise unknown_word("covariate in a correlation", row[end], _LATENT, where=row.where)
        pairs[row["first"], row["second"]] = latent_correlation(row.number("spearman"))
    return pairs


def creatinine_clearance(
    age: FloatArray, weight_kg: FloatArray, creatinine_umol_l: FloatArray, female: NDArray[np.bool_]
) -> FloatArray:
    """Creatinine clearance in mL/min by the formula of Cockcroft and Gault (cockcroft1976), 88.4 umol/L = 1 mg/dL."""
    return (140.0 - age) * weight_kg / (72.0 * creatinine_umol_l / 88.4) * np.where(female, 0.85, 1.0)


def _categories(u: FloatArray, shares: list[FloatArray]) -> NDArray[np.int64]:
    """Index of the category that `u` falls into; the last category takes what the shares leave."""
    edges = np.cumsum(np.stack(shares), axis=0)
    values: NDArray[np.int64] = np.sum(u[None, :] >= edges, axis=0)
    return values


def _truncated(
    kind: str, name: str, c: dict[str, NDArray[Any]], z: dict[str, FloatArray], t: ConditionalTable
) -> FloatArray:
    """Truncated (log)normal covariate, whose parameters may differ between patients, at normal scores ``z[name]``."""
    from scipy.special import ndtr

    centre, deviation = ("median", "sd_ln") if kind == "lognormal" else ("mean", "sd")
    u, value, spread = ndtr(z[name]), t.values(f"{name}_{centre}", c), t.values(f"{name}_{deviation}", c)
    lower, upper = t.number(f"{name}_lower"), t.number(f"{name}_upper")
    out = np.empty(u.shape)
    for pair in {*zip(value.tolist(), spread.tolist(), strict=True)}:
        rows = (value == pair[0]) & (spread == pair[1])
        out[rows] = Distribution(kind, kind=kind, value=pair[0], spread=pair[1], lower=lower, upper=upper).ppf(u[rows])
    return out


def sample_covariates(
    start: int, n: int, seed: int, stream: int = 0, *, region: Region = "western", method: Method = "auto"
) -> pd.DataFrame:
    """Draw the covariates of patients ``start .. start + n - 1``.

    Parameters
    ----------
    start, n
        First patient and number of patients.
    seed, stream
        Patient i of a stream depends only on (seed, stream, i).
    region
        ``western`` or ``east_asian``.
    method
        See `immunescape.population.sampling`; ``auto`` is Sobol here.

    Returns
    -------
    Table indexed by patient number, with the columns of `COLUMNS`.
    """
    if region not in REGIONS:
        raise unknown_word("region", region, REGIONS)
    u = uniforms([f"covariate:{d}" for d in _DIMENSIONS], start, n, seed, stream, method)
    z = dict(zip(_LATENT, normal_copula(u[:, : len(_LATENT)], _LATENT, latent_pairs()).T, strict=True))
    p = dict(zip(_PLAIN, u[:, len(_LATENT) :].T, strict=True))
    return covariates_at(z, p, region, start)


def facts_at(p: dict[str, FloatArray], region: Region) -> dict[str, NDArray[Any]]:
    """Words and yes/no facts that follow from each other by conditional prevalences.

    Parameters
    ----------
    p
        Name of `PLAIN` -> (n,) numbers in (0, 1).
    region
        Whose prevalences apply.

    Returns
    -------
    Column -> (n,) values: region, sex, smoking, histology, stage and the genes and exposures.
    """
    t = covariate_table()
    c: dict[str, NDArray[Any]] = {"region": np.full(len(p["sex"]), region, dtype=object)}
    c["sex"] = np.where(p["sex"] < t.values("male", c), "M", "F").astype(object)
    never, current = t.values("never_smoker", c), t.values("current_smoker", c)
    levels = np.array(["never", "current", "former"], dtype=object)
    c["smoking"] = levels[_categories(p["smoking"], [never, current])]
    c["histology"] = np.where(p["histology"] < t.values("squamous", c), "squamous", "nonsquamous").astype(object)
    c["stage"] = np.where(p["stage"] < t.values("stage_iii", c), "III", "IV").astype(object)
    _genes(c, p, t)
    return c


def covariates_at(
    z: dict[str, FloatArray], p: dict[str, FloatArray], region: Region = "western", start: int = 0
) -> pd.DataFrame:
    """Covariates of n patients at given numbers.

    Parameters
    ----------
    z
        Name of `LATENT` -> (n,) standard normal scores, correlated as `latent_pairs` says where they are drawn.
    p
        Name of `PLAIN` -> (n,) numbers in (0, 1).
    region
        Whose prevalences apply.
    start
        Number of the first patient.

    Returns
    -------
    Table as of `sample_covariates`.
    """
    import pandas as pd

    t, c = covariate_table(), facts_at(p, region)
    _biomarkers(c, z, t)
    _body(c, z, p, t)
    _blood(c, z, t)
    _extent(c, z, t)
    index = pd.RangeIndex(start, start + len(c["sex"]), name="id")
    frame = pd.DataFrame({name: c[name] for name in COLUMNS}, index=index)
    for name in ("ecog", "n_sites", "n_target_lesions", "n_lesions"):
        frame[name] = frame[name].astype(np.int64)
    return frame


def _genes(c: dict[str, NDArray[Any]], p: dict[str, FloatArray], t: ConditionalTable) -> None:
    kind = _categories(p["driver"], [t.values(gene, c, default=0.0) for gene in DRIVERS])
    c["driver"] = np.array([*DRIVERS, "none"], dtype=object)[kind]
    free = c["driver"] == "none"
    c["kras"] = free & (p["kras"] < t.values("KRAS", c))
    c["kras_g12c"] = c["kras"] & (p["g12c"] < t.values("G12C", c))
    c["stk11"] = p["stk11"] < t.values("STK11", c)
    c["keap1"] = p["keap1"] < t.values("KEAP1", c)
    c["tp53"] = p["tp53"] < t.values("TP53", c)
    c["met_amp"] = p["met_amp"] < t.values("MET_AMP", c)
    for name in ("idh", "akkermansia", "antibiotics"):
        c[name] = p[name] < t.values(name.upper(), c)
    c["ddr"] = p["ddr"] < t.values("DDR", c)


def _biomarkers(c: dict[str, NDArray[Any]], z: dict[str, FloatArray], t: ConditionalTable) -> None:
    from scipy.special import ndtr

    # PD-L1: mass at 0, log-uniform from 1 to 49 %, uniform from 50 to 100 %. Mutations shift the normal score among
    # nonsquamous tumours without a driver; the shift is centred and rescaled there, so that the shares are kept.
    score = z["tps"].copy()
    group = (c["driver"] == "none") & (c["histology"] == "nonsquamous")
    shift = t.number("tps_shift_stk11") * c["stk11"] + t.number("tps_shift_kras") * c["kras"]
    mean, variance = _shift_moments(str(c["region"][0]))
    score[group] = (score[group] + shift[group] - mean) / np.sqrt(1.0 + variance)
    low, high = t.values("tps_below_1", c), t.values("tps_50", c)
    u = ndtr(score)
    with np.errstate(invalid="ignore"):
        middle = np.exp(np.clip((u - low) / (1.0 - high - low), 0.0, 1.0) * np.log(50.0))
        upper = 50.0 + 50.0 * (u - 1.0 + high) / high
    tps = np.where(u < low, 0.0, np.where(u < 1.0 - high, np.minimum(np.floor(middle), 49.0), np.floor(upper)))
    c["pdl1_tps"] = np.clip(tps, 0.0, 100.0)
    c["tmb_mut_mb"] = _truncated("lognormal", "tmb", c, z, t)


@lru_cache(maxsize=4)
def _shift_moments(region: str) -> tuple[float, float]:
    """Mean and variance of the PD-L1 shift in nonsquamous tumours without a driver, by enumeration."""
    t = covariate_table()
    total = mean = square = 0.0
    for sex in LEVELS["sex"]:
        for smoking in LEVELS["smoking"]:
            c: dict[str, NDArray[Any]] = {
                "region": np.array([region], dtype=object),
                "sex": np.array([sex], dtype=object),
                "smoking": np.array([smoking], dtype=object),
            }

            def prevalence(name: str, c: dict[str, NDArray[Any]] = c, default: float | None = None) -> float:
                return float(t.values(name, c, default)[0])

            male = prevalence("male")
            never, current = prevalence("never_smoker"), prevalence("current_smoker")
            share = (male if sex == "M" else 1.0 - male) * {
                "never": never,
                "current": current,
                "former": 1.0 - never - current,
            }[smoking]
            share *= 1.0 - prevalence("squamous")
            c["histology"] = np.array(["nonsquamous"], dtype=object)
            share *= 1.0 - sum(prevalence(gene, default=0.0) for gene in DRIVERS)
            c["driver"] = np.array(["none"], dtype=object)
            kras = prevalence("KRAS")
            for mutated, fraction in ((True, kras), (False, 1.0 - kras)):
                c["kras"] = np.array([mutated])
                stk11 = prevalence("STK11")
                for lost, piece in ((True, stk11), (False, 1.0 - stk11)):
                    weight = share * fraction * piece
                    shift = t.number("tps_shift_stk11") * lost + t.number("tps_shift_kras") * mutated
                    total, mean, square = total + weight, mean + weight * shift, square + weight * shift**2
    mean /= total
    return mean, square / total - mean**2


def _body(c: dict[str, NDArray[Any]], z: dict[str, FloatArray], p: dict[str, FloatArray], t: ConditionalTable) -> None:
    from scipy.special import ndtri

    c["age"] = _truncated("normal", "age", c, z, t)
    c["height_cm"] = t.values("height_mean", c) + t.values("height_sd", c) * np.clip(ndtri(p["height"]), -3.5, 3.5)
    bmi = _truncated("lognormal", "bmi", c, z, t)
    c["weight_kg"] = bmi * (c["height_cm"] / 100.0) ** 2
    c["bsa_m2"] = body_surface_area(c["weight_kg"], c["height_cm"])
    centre = np.log(t.values("creatinine_median", c)) + t.number("creatinine_age_slope") * (
        c["age"] - t.number("age_mean")
    )
    creatinine = np.exp(centre + t.number("creatinine_sd_ln") * ndtri(p["creatinine"]))
    c["creatinine_umol_l"] = np.clip(creatinine, t.number("creatinine_lower"), t.number("creatinine_upper"))
    c["crcl_ml_min"] = creatinine_clearance(c["age"], c["weight_kg"], c["creatinine_umol_l"], c["sex"] == "F")


def _blood(c: dict[str, NDArray[Any]], z: dict[str, FloatArray], t: ConditionalTable) -> None:
    from scipy.special import ndtr, ndtri

    def draw(name: str, kind: str, value: float, spread: float, lower: float | None, upper: float | None) -> FloatArray:
        return Distribution(name, kind=kind, value=value, spread=spread, lower=lower, upper=upper).ppf(ndtr(z[name]))

    number = t.number
    c["albumin_g_l"] = draw(
        "albumin",
        "normal",
        number("albumin_mean"),
        number("albumin_sd"),
        number("albumin_lower"),
        number("albumin_upper"),
    )
    spread = number("ldh_sd_ln")
    median = float(np.exp(spread * ndtri(number("ldh_above_uln"))))
    c["ldh_uln"] = draw("ldh", "lognormal", median, spread, None, number("ldh_upper"))
    c["nlr"] = draw(
        "nlr", "lognormal", number("nlr_median"), number("nlr_sd_ln"), number("nlr_lower"), number("nlr_upper")
    )
    shares = [np.full(len(z["ecog"]), number(f"ecog_{k}")) for k in (0, 1)]
    c["ecog"] = _categories(ndtr(z["ecog"]), shares)


def _extent(c: dict[str, NDArray[Any]], z: dict[str, FloatArray], t: ConditionalTable) -> None:
    from scipy.special import ndtr

    n = len(z["sites"])
    advanced = c["stage"] == "IV"

    def count(name: str, top: int) -> NDArray[np.int64]:
        shares = [np.full(n, t.number(f"{name}_{k}")) for k in range(1, top)]
        return 1 + _categories(ndtr(z[name]), shares)

    c["liver_mets"] = ndtr(z["liver"]) > 1.0 - t.values("liver_mets", c)
    c["brain_mets"] = ndtr(z["brain"]) > 1.0 - t.values("brain_mets", c)
    c["n_sites"] = np.where(advanced, count("sites", 7), 1)
    c["n_target_lesions"] = count("targets", 5)
    c["n_lesions"] = np.maximum(c["n_target_lesions"], c["n_sites"] + 1)
    smallest = t.number("sld_lower")
    sld = Distribution(
        "sld",
        kind="lognormal",
        value=t.number("sld_median"),
        spread=t.number("sld_sd_ln"),
        lower=smallest,
        upper=t.number("sld_upper"),
    )
    c["sld_mm"] = np.maximum(sld.ppf(ndtr(z["sld"])), smallest * c["n_target_lesions"])
