"""Real patients on checkpoint inhibitors or docetaxel, in one form: setting, covariates, response and survival.

========== ======================================= ==========================================================
cohort     table                                   patients
========== ======================================= ==========================================================
OAK        ``oak/oak_clinical.csv``                both arms, after platinum (``gandara2018``)
LORIS      ``loris/*.csv``                         two cohorts on an inhibitor alone (``chang2024``)
TOPOSCORE  ``toposcore/DS1_oncology_clinical…``    inhibitor alone (``derosa2024``)
========== ======================================= ==========================================================

Codes that a table does not explain (sex, histology and smoking of LORIS) are left out. PD-L1 of OAK is a class of
tumour and immune cells (SP142), which has no tumour proportion score: it is read as the range of ranks that the class
takes among OAK's patients. Its mutational burden in blood is read by rank as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from immunescape.errors import InputError
from immunescape.evaluation.harness.real import patients_of
from immunescape.knowledge.held_out import is_held_out

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NUMBERS", "WORDS", "RealCohort", "read_real_cohorts"]

NUMBERS = ("age", "albumin_g_l", "nlr", "tmb_mut_mb", "tmb_rank", "sld_mm", "n_sites")
WORDS = (
    "sex",
    "smoking",
    "histology",
    "ecog",
    "driver",
    "kras",
    "akkermansia",
    "antibiotics",
    "liver_mets",
    "brain_mets",
    "hla_loh",
)
FIRST, LATER = "first line", "later line"
RANKS = {"TC0 and IC0": (0.0, 0.45), "middle": (0.45, 0.84), "TC3 or IC3": (0.84, 1.0)}
"""Ranks of PD-L1 that OAK's classes take: 45 % are in TC0 and IC0, 16 % in TC3 or IC3 (``gandara2018``)."""
HOW = (
    "--data FOLDER contains oak/oak_clinical.csv, loris/*.csv, toposcore/DS1_oncology_clinical_data_DiscValid.csv and "
    "tumour_kinetics/oak.csv; `python scripts/public_data.py list` says where they come from."
)


@dataclass(frozen=True)
class RealCohort:
    """Patients of one source.

    Attributes
    ----------
    name : of the cohort.
    table : a row for each patient: ``patient``, ``study``, ``held`` (nothing was fitted to him), ``setting``, ``arm``
        (``inhibitor`` or ``docetaxel``), ``response`` (1, 0 or NaN), ``pfs``, ``os`` (months) with ``pfs_event`` and
        ``os_event``, the covariates of `NUMBERS` and `WORDS` that the source has (NaN or None: not known), ``pdl1_low``
        and ``pdl1_high``.
    pdl1 : ``tps`` (percent) or ``rank`` (0 to 1), the scale of the range of PD-L1.
    inputs : covariates that the source has.
    loris : whether all inputs of the LORIS formula are there.
    """

    name: str
    table: pd.DataFrame
    pdl1: str
    inputs: tuple[str, ...]
    loris: bool = False

    def where(self, **values: Any) -> RealCohort:
        """Those patients whose columns have these values."""
        from dataclasses import replace

        keep = np.ones(len(self.table), dtype=bool)
        for column, value in values.items():
            keep &= (self.table[column] == value).to_numpy()
        return replace(self, table=self.table[keep].reset_index(drop=True))


def read_real_cohorts(data: Path) -> tuple[RealCohort, ...]:
    """Cohorts of a folder, those whose files are there.

    Raises
    ------
    InputError
        Where there is none, and for a table that lacks a column, with the file.
    """
    if not data.is_dir():
        raise InputError("no such folder", where=str(data), hint=HOW)
    cohorts = []
    oak = data / "oak" / "oak_clinical.csv"
    if oak.is_file():
        cohorts.append(_oak(oak))
    loris = [data / "loris" / name for name in ("chowell_train_nsclc.csv", "shim_nsclc.csv")]
    if all(path.is_file() for path in loris):
        cohorts.append(_loris(loris))
    topo = data / "toposcore" / "DS1_oncology_clinical_data_DiscValid.csv"
    if topo.is_file():
        cohorts.append(_toposcore(topo))
    if not cohorts:
        raise InputError("there is no table of patients in this folder", where=str(data), hint=HOW)
    return tuple(cohorts)


def _made(name: str, table: pd.DataFrame, pdl1: str, inputs: Sequence[str], loris: bool = False) -> RealCohort:
    table = table[(table["os"] > 0) & (table["pfs"] > 0)].reset_index(drop=True)
    return RealCohort(name, table, pdl1, tuple(inputs), loris)


def _held(study: str, ids: pd.Series) -> list[bool]:
    return [is_held_out(study, i) for i in ids]


def _mapped(column: pd.Series, words: dict[Any, Any]) -> pd.Series:
    """Words as objects; what is not in the list is None."""
    return column.map(lambda v: words.get(v.strip().casefold() if isinstance(v, str) else v))


def _oak(path: Path) -> RealCohort:
    import pandas as pd

    t = patients_of(
        path,
        (
            "PtID",
            "TRT01P",
            "BCOR",
            "TC1IC1",
            "TC3IC3",
            "btmb",
            "BEP",
            "BAGE",
            "SEX",
            "HIST",
            "ECOGGR",
            "TOBHX",
            "blSLD",
            "METSITES",
            "KRASMUT",
            "EGFRMUT",
            "PFS",
            "PFS.CNSR",
            "OS",
            "OS.CNSR",
        ),
    )
    number = {c: pd.to_numeric(t[c], errors="coerce") for c in ("BAGE", "blSLD", "METSITES", "btmb", "ECOGGR")}
    assessed = t["BEP"] == "Y"
    burden = number["btmb"].where(assessed)
    held = np.array(_held("oak", t["PtID"]))
    # ranks among those that may be fitted to, so that the held-out patients do not place each other
    burdens = np.sort(burden[~held].dropna().to_numpy(dtype=float))
    place = [np.searchsorted(burdens, burden, side) for side in ("left", "right")]
    rank = pd.Series((place[0] + place[1] + 1.0) / (2.0 * len(burdens) + 2.0)).where(burden.notna().to_numpy())
    group = np.select(
        [t["TC3IC3"] == "TC3 or IC3", t["TC1IC1"] == "TC0 and IC0", t["TC1IC1"] == "TC1/2/3 or IC1/2/3"],
        ["TC3 or IC3", "TC0 and IC0", "middle"],
        "",
    )
    table = pd.DataFrame(
        {
            "patient": t["PtID"],
            "study": "oak",
            "held": held,
            "setting": LATER,
            "arm": np.where(t["TRT01P"] == "Docetaxel", "docetaxel", "inhibitor"),
            # a missing best response is none, as in the trial's report
            "response": t["BCOR"].isin(("CR", "PR")).astype(float),
            "pfs": t["PFS"],
            "pfs_event": t["PFS.CNSR"] == 0,
            "os": t["OS"],
            "os_event": t["OS.CNSR"] == 0,
            "age": number["BAGE"],
            "sld_mm": number["blSLD"],
            "n_sites": number["METSITES"],
            "tmb_rank": rank,
            "sex": _mapped(t["SEX"], {"m": "M", "f": "F"}),
            "smoking": _mapped(t["TOBHX"], {"never": "never", "previous": "former", "current": "current"}),
            "histology": _mapped(t["HIST"], {"squamous": "squamous", "non-squamous": "nonsquamous"}),
            "ecog": number["ECOGGR"],
            "driver": _mapped(t["EGFRMUT"], {"positive": "EGFR", "negative": "none"}),
            "kras": _mapped(t["KRASMUT"], {"positive": True, "negative": False}),
            "pdl1_low": [RANKS[g][0] if g else np.nan for g in group],
            "pdl1_high": [RANKS[g][1] if g else np.nan for g in group],
        }
    )
    inputs = ("age", "sld_mm", "n_sites", "tmb_rank", "sex", "smoking", "histology", "ecog", "driver", "kras")
    return _made("OAK", table, "rank", inputs)


def _loris(paths: Sequence[Path]) -> RealCohort:
    import pandas as pd

    parts = []
    needed = (
        "SAMPLE_ID",
        "TMB",
        "PDL1_TPS(%)",
        "Systemic_therapy_history",
        "Albumin",
        "NLR",
        "Age",
        "HLA_LOH",
        "Drug",
        "PFS_Event",
        "PFS_Months",
        "OS_Event",
        "OS_Months",
        "Response",
    )
    for study, path in zip(("loris_chowell", "loris_shim"), paths, strict=True):
        t = patients_of(path, needed)
        t = t[t["Drug"] == 0].reset_index(drop=True)  # 1: an inhibitor with other drugs
        tps = pd.to_numeric(t["PDL1_TPS(%)"], errors="coerce")
        parts.append(
            pd.DataFrame(
                {
                    "patient": t["SAMPLE_ID"],
                    "study": study,
                    "held": _held(study, t["SAMPLE_ID"]),
                    "setting": np.where(t["Systemic_therapy_history"] == 1, LATER, FIRST),
                    "arm": "inhibitor",
                    "response": t["Response"].astype(float),
                    "pfs": t["PFS_Months"],
                    "pfs_event": t["PFS_Event"] == 1,
                    "os": t["OS_Months"],
                    "os_event": t["OS_Event"] == 1,
                    "age": t["Age"],
                    "albumin_g_l": 10.0 * t["Albumin"],
                    "nlr": t["NLR"],
                    "tmb_mut_mb": t["TMB"],
                    "hla_loh": _mapped(t["HLA_LOH"], {1: True, 0: False}),
                    "ecog": pd.to_numeric(t["Performance_status"], errors="coerce")
                    if "Performance_status" in t
                    else np.nan,
                    "pdl1_low": tps,
                    "pdl1_high": tps,
                }
            )
        )
    inputs = ("age", "albumin_g_l", "nlr", "tmb_mut_mb", "ecog", "hla_loh")
    return _made("LORIS", pd.concat(parts, ignore_index=True), "tps", inputs, loris=True)


def _toposcore(path: Path) -> RealCohort:
    import pandas as pd

    t = patients_of(
        path,
        (
            "Group",
            "OS",
            "Death",
            "PFS",
            "PD",
            "Best_response",
            "LIGNE",
            "Age",
            "Gender",
            "ECOGPS",
            "Histology",
            "Smoking",
            "ICB_monotherapyORcombination",
            "Number_metastatic_sites",
            "M1_liver",
            "M1_brain",
            "ATB",
            "PDL1pos (1+49+ or >50)",
            "Akkermansia_muciniphila",
        ),
    )
    alone = t["ICB_monotherapyORcombination"] == "monotherapy"
    line = t["LIGNE"].astype(str).str.strip()
    setting = np.select([line == "1", line.isin((">1", "2", "3", ">2"))], [FIRST, LATER], "")
    keep = alone.to_numpy() & (setting != "")
    t, setting = t[keep].reset_index(drop=True), setting[keep]
    best = t["Best_response"].astype(str).str.strip()
    ranges = [_tps_range(text) for text in t["PDL1pos (1+49+ or >50)"]]
    histology = t["Histology"].astype(str).str.casefold()
    squamous, rest = histology.str.startswith("squamous"), histology.str.contains("adeno|large cell")
    akk = pd.to_numeric(t["Akkermansia_muciniphila"], errors="coerce")
    table = pd.DataFrame(
        {
            "patient": t["Group"],
            "study": "toposcore",
            "held": _held("toposcore", t["Group"]),
            "setting": setting,
            "arm": "inhibitor",
            "response": best.str.startswith(("CR", "PR")).astype(float).where(t["Best_response"].notna()),
            "pfs": t["PFS"],
            "pfs_event": (t["PD"] == 1) | (t["Death"] == 1),
            "os": t["OS"],
            "os_event": t["Death"] == 1,
            "age": pd.to_numeric(t["Age"], errors="coerce"),
            "n_sites": pd.to_numeric(t["Number_metastatic_sites"], errors="coerce"),
            "sex": _mapped(t["Gender"], {"male": "M", "female": "F"}),
            "smoking": _mapped(t["Smoking"], {"never": "never", "former": "former", "current": "current"}),
            "histology": [
                "squamous" if s else "nonsquamous" if other else None for s, other in zip(squamous, rest, strict=True)
            ],
            "ecog": pd.to_numeric(t["ECOGPS"], errors="coerce"),
            "antibiotics": _mapped(t["ATB"], {"yes": True, "no": False}),
            "liver_mets": _mapped(t["M1_liver"], {1.0: True, 0.0: False}),
            "brain_mets": _mapped(t["M1_brain"], {1.0: True, 0.0: False}),
            "akkermansia": (akk > 0).astype(object).where(akk.notna(), None),
            "pdl1_low": [r[0] for r in ranges],
            "pdl1_high": [r[1] for r in ranges],
        }
    )
    inputs = (
        "age",
        "n_sites",
        "sex",
        "smoking",
        "histology",
        "ecog",
        "antibiotics",
        "liver_mets",
        "brain_mets",
        "akkermansia",
    )
    return _made("TOPOSCORE", table, "tps", inputs)


def _tps_range(text: object) -> tuple[float, float]:
    """Range of the tumour proportion score of a cell: a number, ``1+49+``, ``1-49%``, ``>50``; else not known."""
    level = str(text).strip().rstrip("%")
    if level in ("1+49+", "1-49"):
        return 1.0, 49.0
    if level in (">50", ">=50"):
        return 50.0, 100.0
    try:
        value = float(level)
    except ValueError:
        return np.nan, np.nan
    return (value, value) if 0.0 <= value <= 100.0 else (np.nan, np.nan)
