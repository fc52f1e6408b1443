"""Patients of a data folder beside virtual ones: odds ratios of biomarkers, best response and curves of OAK.

Every figure is given for the patients that may be fitted to, for the 30 % that nothing is fitted to
(:mod:`immunescape.knowledge.held_out`), and for all. Studies are the strata of a pooled odds ratio.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from immunescape.errors import InputError, unknown_word
from immunescape.evaluation.harness.figures import CURVE_MONTHS
from immunescape.evaluation.harness.tables import HOW
from immunescape.knowledge.held_out import is_held_out

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GROUPS", "curve_references", "oak_references", "odds_ratio", "patient_odds"]

Counts = list[int]
"""Responders with the factor, patients with it, responders without it, patients without it."""
GROUPS = ("fitted to", "held out", "all")
OAK_GENES = ("STK11", "KEAP1")


def odds_ratio(tables: Iterable[Counts]) -> tuple[float, float, float] | None:
    """Mantel-Haenszel odds ratio of response over strata with its 95 % interval (Robins, Breslow and Greenland).

    Returns
    -------
    tuple or None
        (ratio, low, high); None where no stratum has both levels, or no responder or no failure is left to compare.
    """
    r = s = pr = ps_qr = qs = 0.0
    for responders, carriers, others_responding, others in tables:
        n = float(carriers + others)
        if not carriers or not others:
            continue
        a, b = float(responders), float(carriers - responders)
        c, d = float(others_responding), float(others - others_responding)
        p, q = (a + d) / n, (b + c) / n
        rk, sk = a * d / n, b * c / n
        r, s = r + rk, s + sk
        pr, ps_qr, qs = pr + p * rk, ps_qr + p * sk + q * rk, qs + q * sk
    if r <= 0 or s <= 0:
        return None
    se = math.sqrt(pr / (2 * r * r) + ps_qr / (2 * r * s) + qs / (2 * s * s))
    return r / s, r / s * math.exp(-1.96 * se), r / s * math.exp(1.96 * se)


def patients_of(path: Path, columns: Iterable[str]) -> pd.DataFrame:
    """Read a table of patients; a full stop stands for what is missing.

    Raises
    ------
    InputError
        Naming the file, for a column that it lacks or a file that is no table.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, na_values=["."])
    except (ValueError, pd.errors.ParserError) as error:  # an empty file, one that is not UTF-8, ragged rows
        reason = str(error).splitlines()[0]
        raise InputError(f"not a table of patients ({reason})", where=str(path), hint=HOW) from error
    for name in columns:
        if name not in table.columns:
            raise InputError(
                f"there is no column '{name}'", where=str(path), hint=unknown_word("column", name, table.columns).hint
            )
    return table


@dataclass(frozen=True, eq=False)
class _Cohort:
    """Patients of one table: the study, by what it is split, its rows, response (NaN: not assessed), factors (0, 1)."""

    study: str
    salt: str
    table: pd.DataFrame
    ids: str
    response: pd.Series
    factors: Mapping[str, Any]


def patient_odds(data: Path) -> dict[str, dict[str, dict[str, list[Counts]]]]:
    """Factor -> study -> group of `GROUPS` -> a table of counts for each stratum (cohort); what is absent is left out.

    Studies: ``LORIS`` (two cohorts on inhibitors, any line), ``OAK`` (atezolizumab), ``TOPOSCORE`` (inhibitors alone).
    """
    import pandas as pd

    out: dict[str, dict[str, dict[str, list[Counts]]]] = {}
    for cohort in (*_loris(data), *_oak(data), *_toposcore(data)):
        held = np.array([is_held_out(cohort.salt, p) for p in cohort.table[cohort.ids]])
        assessed = cohort.response.notna().to_numpy()
        answer = cohort.response.fillna(0).to_numpy(dtype=float) > 0
        for factor, column in cohort.factors.items():
            carried = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
            for group, mask in zip(GROUPS, (~held, held, np.ones(len(held), dtype=bool)), strict=True):
                counts = [
                    int(v)
                    for level in (1.0, 0.0)
                    for chosen in [(carried == level) & mask & assessed]
                    for v in ((answer & chosen).sum(), chosen.sum())
                ]
                out.setdefault(factor, {}).setdefault(cohort.study, {}).setdefault(group, []).append(counts)
    return out


def _loris(data: Path) -> Iterator[_Cohort]:
    import pandas as pd

    for salt, name in (("loris_chowell", "chowell_train_nsclc.csv"), ("loris_shim", "shim_nsclc.csv")):
        path = data / "loris" / name
        if path.is_file():
            t = patients_of(path, ("SAMPLE_ID", "Response", "PDL1_TPS(%)", "TMB", "HLA_LOH", "NLR", "Albumin"))
            tps = pd.to_numeric(t["PDL1_TPS(%)"], errors="coerce")
            factors = {
                "PD-L1 >= 50 v < 1 %": _between(tps, 1, 50),
                "TMB >= 10/Mb": _over(t["TMB"], 10),
                "HLA LOH": t["HLA_LOH"],
                "NLR >= 5": _over(t["NLR"], 5),
                "albumin < 35 g/L": 1 - _over(t["Albumin"], 3.5),
            }
            yield _Cohort("LORIS", salt, t, "SAMPLE_ID", t["Response"], factors)


def _oak(data: Path) -> Iterator[_Cohort]:
    path = data / "oak" / "oak_clinical.csv"
    if not path.is_file():
        return
    t = patients_of(
        path,
        (
            "PtID",
            "TRT01P",
            "BCOR",
            "TC3IC3",
            "btmb",
            "BEP",
            "KRASMUT",
            "EGFRMUT",
            "ECOGGR",
            "TOBHX",
            "HIST",
            "blSLD",
        ),
    )
    t = t[t["TRT01P"] != "Docetaxel"].reset_index(drop=True)
    yes = {"POSITIVE": 1.0, "NEGATIVE": 0.0}
    factors = {
        "PD-L1 >= 50 v < 1 %": t["TC3IC3"].map({"TC3 or IC3": 1.0, "TC0/1/2 and IC0/1/2": 0.0}),
        "TMB >= 10/Mb": _over(t["btmb"].where(t["BEP"] == "Y"), 16),
        "KRAS": t["KRASMUT"].map(yes),
        "EGFR": t["EGFRMUT"].map(yes),
        "ECOG >= 1": _over(t["ECOGGR"], 1),
        "never smoker": (t["TOBHX"] == "NEVER").astype(float),
        "squamous": (t["HIST"] == "SQUAMOUS").astype(float),
        "sum of diameters >= 65 mm": _over(t["blSLD"], 65),
        **_mutated(data / "oak" / "oak_btmb_variants.csv", t),
    }
    # a missing best response is none (25 of 425 patients)
    yield _Cohort("OAK", "oak", t, "PtID", t["BCOR"].isin(("CR", "PR")).astype(float), factors)


def _toposcore(data: Path) -> Iterator[_Cohort]:
    import pandas as pd

    path = data / "toposcore" / "DS1_oncology_clinical_data_DiscValid.csv"
    if not path.is_file():
        return
    t = patients_of(
        path,
        (
            "Group",
            "Best_response",
            "ICB_monotherapyORcombination",
            "ATB",
            "Akkermansia_muciniphila",
            "M1_liver",
            "ECOGPS",
        ),
    )
    t = t[t["ICB_monotherapyORcombination"] == "monotherapy"].reset_index(drop=True)
    factors = {
        "antibiotics": t["ATB"].map({"yes": 1.0, "no": 0.0}),
        "Akkermansia": (pd.to_numeric(t["Akkermansia_muciniphila"], errors="coerce") > 0).astype(float),
        "liver metastases": t["M1_liver"],
        "ECOG >= 1": _over(t["ECOGPS"], 1),
    }
    assessed = t["Best_response"].notna()
    response = t["Best_response"].str.startswith(("CR", "PR")).where(assessed).astype(float)
    yield _Cohort("TOPOSCORE", "toposcore", t, "Group", response, factors)


def _over(values: pd.Series, limit: float) -> pd.Series:
    import pandas as pd

    number = pd.to_numeric(values, errors="coerce")
    return (number >= limit).astype(float).where(number.notna())


def _between(values: pd.Series, low: float, high: float) -> pd.Series:
    return (values >= high).astype(float).where((values >= high) | (values < low))


def _mutated(path: Path, patients: pd.DataFrame) -> dict[str, pd.Series]:
    """Gene -> whether a patient of the biomarker population has a variant that changes its protein."""
    if not path.is_file():
        return {}
    variants = patients_of(path, ("PtID", "gene_name", "effect"))
    variants = variants[variants["effect"] != "synonymous"]
    out = {}
    for gene in OAK_GENES:
        carriers = set(variants.loc[variants["gene_name"] == gene, "PtID"])
        out[gene] = patients["PtID"].isin(carriers).astype(float).where(patients["BEP"] == "Y")
    return out


def oak_references(data: Path) -> list[dict[str, Any]]:
    """Best response in full, survival curves and baseline size of both arms of OAK from its patients."""
    import pandas as pd

    from immunescape.stats.survival import kaplan_meier

    path = data / "oak" / "oak_clinical.csv"
    if not path.is_file():
        return []
    t = patients_of(path, ("TRT01P", "BCOR", "blSLD", "PFS", "PFS.CNSR", "OS", "OS.CNSR"))
    out: list[dict[str, Any]] = []

    def add(arm: str, figure: str, value: float, se: float | None) -> None:
        out.append(
            {
                "trial": "oak",
                "arm": arm,
                "figure": figure,
                "value": value,
                "se": se,
                "source": "gandara2018 (patients)",
                "checked": "computed",
            }
        )

    for arm, rows in t.groupby(t["TRT01P"].str.lower().replace({"mpdl3280a": "atezolizumab"})):
        n = len(rows)
        best = rows["BCOR"].fillna("NE")
        for category in ("CR", "PR", "SD", "PD", "NE"):
            p = float((best == category).mean())
            add(str(arm), f"{category.lower()}_pct", 100 * p, 100 * math.sqrt(max(p * (1 - p), 0.25 / n / n) / n))
        add(str(arm), "baseline_sld_median_mm", float(pd.to_numeric(rows["blSLD"], errors="coerce").median()), None)
        for end, column in (("pfs", "PFS"), ("os", "OS")):
            curve = kaplan_meier(rows[column], rows[f"{column}.CNSR"] == 0)
            for months in CURVE_MONTHS:
                _add_point(curve, months, lambda v, se, a=str(arm), f=f"{end}_{months}_pct": add(a, f, v, se))
    return out


def curve_references(data: Path) -> list[dict[str, Any]]:
    """Survival at 6, 12, 24 and 60 months read off the published curves of ``km/`` for trials that are simulated."""
    from immunescape.evaluation.curve_files import CURVES
    from immunescape.stats.survival import kaplan_meier

    out: list[dict[str, Any]] = []
    for stem, file in CURVES.items():
        path = data / "km" / f"{stem}.csv"
        if file.selected or not path.is_file():
            continue
        for arm, event_times in file.read(path).items():
            curve = kaplan_meier([time for time, _ in event_times], [event for _, event in event_times])
            for months in CURVE_MONTHS:
                _add_point(
                    curve,
                    months,
                    lambda v, se, a=arm, f=f"{file.endpoint}_{months}_pct", t=file.trial, s=file.source: out.append(
                        {"trial": t, "arm": a, "figure": f, "value": v, "se": se, "source": s, "checked": "digitised"}
                    ),
                )
    return out


def _add_point(curve: pd.DataFrame, months: float, add: Callable[..., None]) -> None:
    times = curve["time"].to_numpy(dtype=float)
    k = int(np.searchsorted(times, months, side="right")) - 1
    if times[-1] < months or curve["at_risk"].iloc[k] < max(10, curve["at_risk"].iloc[0] // 10):
        return  # beyond the follow-up, or too few patients are left
    low, high = float(curve["low"].iloc[k]), float(curve["high"].iloc[k])
    add(100 * float(curve["survival"].iloc[k]), 100 * (high - low) / 3.92 if math.isfinite(high - low) else None)
