"""Public cohorts that the response model is fitted to and tested on, on one scale; read by fit_response.py.

Facts about the columns that the tables do not say: in the Chowell cohort sex 1 is male (haemoglobin is higher), drug 1
is PD-(L)1 with CTLA-4; in the Shim cohort sex 1 is male, histology 2 squamous (of 39, 32 smoked; 94 of 130 are sex 1)
and smoking 0 never (nobody there has pack years). Both from memory of the studies' codebooks and checked against the
values. Plasma burden in OAK counts mutations; 16 of them are 14 per Mb (gandara2018). TOPOSCORE's signature was found
in its discovery set, so its class counts only in the other patients.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from immunescape.knowledge.held_out import is_held_out
from immunescape.profile.scores.response_fitting import benefit_labels
from immunescape.profile.scores.response_inputs import INPUTS

SP142 = {
    "SP142 TC0 and IC0": (10.0, 500.0),
    "SP142 TC1/2 or IC1/2": (30.0, 900.0),
    "SP142 TC3 or IC3": (65.0, 800.0),
}
"""Class by SP142 -> mean and variance of the TPS (percent) within it (assumed: SP142 stains fewer tumour cells and
scores immune cells as well, so 40 % and more of the variance of 1,300 is left)."""
LIPI = {
    "LDH above normal": (1.26, 0.19),
    "LDH normal": (0.26, 0.19),
    "dNLR above 3": (1.41, 0.24),
    "dNLR up to 3": (0.41, 0.24),
}
"""Half of LIPI -> mean and variance of its points: of the training patients 44, 46 and 11 % have 0, 1 and 2, as where
LDH is high in 41 and the derived NLR in 26 %, one independent of the other (assumed; which is which from memory)."""
BLOOD_TMB_PER_COUNT = 14.0 / 16.0


@dataclass(frozen=True)
class Cohorts:
    """All patients: `inputs` (unit of the input; PD-L1 may be a class), `outcome`, aligned.

    `outcome` has cohort, patient, held_out, treated (with a checkpoint inhibitor), response (0, 1, NaN), benefit,
    weight, and published scores and values to compare with.
    """

    inputs: pd.DataFrame
    outcome: pd.DataFrame


def _loris(path: Path, study: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    raw = pd.read_csv(path)
    x = pd.DataFrame(index=raw.index, columns=list(INPUTS), dtype=object)
    x["prior_therapy"], x["age"], x["male"] = raw["Systemic_therapy_history"], raw["Age"], raw["Sex"]
    x["chemotherapy"], x["ctla4"] = 0, raw["Drug"]
    x["pdl1"], x["tmb"], x["nlr"] = raw["PDL1_TPS(%)"], raw["TMB"], raw["NLR"]
    x["albumin"], x["hla_loh"] = raw["Albumin"] * 10, raw["HLA_LOH"]
    if study == "loris_chowell":
        x["hemoglobin"], x["platelets"], x["bmi"] = raw["HGB"] * 10, raw["Platelets"], raw["BMI"]
    else:
        x["ecog"], x["squamous"] = raw["Performance_status"], (raw["Histology"] == 2).astype(int)
        x["never_smoker"] = (raw["Smoking_status"] == 0).astype(int)
    out = pd.DataFrame({"cohort": study, "patient": raw["SAMPLE_ID"], "treated": True})
    out["response"] = raw["Response"].astype(float)
    survival = [raw[c].to_numpy(float) for c in ("PFS_Months", "PFS_Event", "OS_Months", "OS_Event")]
    out["benefit"], out["weight"] = benefit_labels(*survival)
    return x, out


def _oak(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    raw = pd.read_csv(folder / "oak_clinical.csv", na_values=["."])
    raw = raw[raw["PFS"].notna()].reset_index(drop=True)
    x = pd.DataFrame(index=raw.index, columns=list(INPUTS), dtype=object)
    x["prior_therapy"], x["chemotherapy"], x["ctla4"] = 1, 0, 0
    x["squamous"], x["age"] = (raw["HIST"] == "SQUAMOUS").astype(int), raw["BAGE"]
    x["male"], x["ecog"] = (raw["SEX"] == "M").astype(int), raw["ECOGGR"]
    x["never_smoker"] = (raw["TOBHX"] == "NEVER").astype(int)
    level = np.select(
        [raw["TC3IC3"] == "TC3 or IC3", raw["TC1IC1"] == "TC0 and IC0", raw["TC1IC1"] == "TC1/2/3 or IC1/2/3"],
        ["SP142 TC3 or IC3", "SP142 TC0 and IC0", "SP142 TC1/2 or IC1/2"],
        "",
    )
    x["pdl1"] = [w or None for w in level]
    x["blood_tmb"] = (raw["btmb"] * BLOOD_TMB_PER_COUNT).where(raw["btmb_QC"] == "pass")
    x["metastatic_sites"], x["sld"] = raw["METSITES"], raw["blSLD"].clip(lower=5)
    variants = pd.read_csv(folder / "oak_btmb_variants.csv")
    hits = variants[variants["effect"].isin(["missense", "nonsense", "frameshift", "splice", "nonframeshift"])]
    assessed = (raw["BEP"] == "Y") & (raw["btmb_QC"] == "pass")
    for gene, column in (("EGFR", "EGFRMUT"), ("KRAS", "KRASMUT")):
        x[gene.lower()] = raw[column].map({"POSITIVE": 1, "NEGATIVE": 0})
    for gene in ("STK11", "KEAP1"):
        carriers = set(hits.loc[hits["gene_name"] == gene, "PtID"])
        x[gene.lower()] = raw["PtID"].isin(carriers).astype(int).where(assessed)
    out = pd.DataFrame({"cohort": "oak", "patient": raw["PtID"], "treated": raw["TRT01P"] != "Docetaxel"})
    out["response"] = raw["BCOR"].isin(["CR", "PR"]).astype(float)  # not evaluable counts as no response
    out["benefit"], out["weight"] = 0.0, 0.0
    for arm in (True, False):
        mine = out["treated"] == arm
        survival = (raw["PFS"], 1 - raw["PFS.CNSR"], raw["OS"], 1 - raw["OS.CNSR"])
        label, weight = benefit_labels(*(s[mine].to_numpy(float) for s in survival))
        out.loc[mine, "benefit"], out.loc[mine, "weight"] = label, weight
    return x, out


def _toposcore(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    raw = pd.read_csv(path)
    raw.columns = [c.strip() for c in raw.columns]
    x = pd.DataFrame(index=raw.index, columns=list(INPUTS), dtype=object)
    line = raw["LIGNE"].fillna("").astype(str)
    number = raw["Treatment_line"].fillna("").astype(str)
    later = line.isin([">1", "2", "3", ">2"]) | number.isin([">=2", "2", "3", ">2"])
    first = line.isin(["1"]) & ~later
    x["prior_therapy"] = np.select([later, first], [1.0, 0.0], np.nan)
    drug = raw["ICB_monotherapyORcombination"].fillna("").str.casefold()
    chemo = drug.str.contains(r"ct|chemo|platin|carbo|cddp|cbdca|peme|taxol|txl|gemcit") & ~drug.str.contains("tirago")
    x["chemotherapy"] = chemo.astype(float).where(drug.str.len() > 2)
    x["ctla4"] = drug.str.contains("tremelimumab|ipilimumab").astype(float).where(drug.str.len() > 2)
    histology = raw["Histology"].fillna("").str.casefold()
    x["squamous"] = histology.str.contains("squam").astype(float).where(histology != "")
    x["age"], x["bmi"] = raw["Age"], raw["BMI"].where(raw["BMI"].between(10, 90))
    x["male"] = raw["Gender"].str.strip().map({"Male": 1.0, "Female": 0.0})
    x["ecog"] = raw["ECOGPS"].map(lambda v: float(v) if str(v).strip() in ("0", "1", "2", "3", "4") else np.nan)
    smoking = raw["Smoking"].fillna("").str.strip().str.casefold()
    x["never_smoker"] = (smoking == "never").astype(float).where(smoking.isin(["never", "former", "current", "smoker"]))
    x["lipi"] = raw["LIPI 0=good 1=intermediate 2=poor"]
    x["metastatic_sites"], x["liver_metastases"] = raw["Number_metastatic_sites"], raw["M1_liver"]
    x["brain_metastases"] = raw["M1_brain"]
    x["antibiotics"] = raw["ATB"].map({"yes": 1.0, "no": 0.0})
    words = {">50": ">=50", "1+49+": "1-49", ">50%": ">=50", "1-49%": "1-49"}
    x["pdl1"] = [_pdl1(v, words) for v in raw["PDL1pos (1+49+ or >50)"]]
    x["toposcore_class"] = raw["PRED_TOPO"].map({"R": 1.0, "NR": 0.0}).where(raw["Cohort"] != "Disc")
    out = pd.DataFrame({"cohort": "toposcore", "patient": raw["Group"], "treated": True})
    best = raw["Best_response"].str.strip()
    out["response"] = best.str.match(r"(CR|PR)\b").astype(float).where(best.notna())
    survival = [raw[c].to_numpy(float) for c in ("PFS", "PD", "OS", "Death")]
    out["benefit"], out["weight"] = benefit_labels(*survival)
    return x, out


def _pdl1(value: object, words: dict[str, str]) -> object:
    text = "" if value is None or value != value else str(value).strip()
    if text.casefold() in ("", "nan", "unknown"):
        return None
    if text in words or text in words.values():
        return words.get(text, text)
    return "<1" if text == "0" else float(text)


def read_cohorts(shared: Path) -> Cohorts:
    """Read LORIS' two cohorts, OAK (both arms) and TOPOSCORE from the folder of public data."""
    parts = [
        _loris(shared / "loris/chowell_train_nsclc.csv", "loris_chowell"),
        _loris(shared / "loris/shim_nsclc.csv", "loris_shim"),
        _oak(shared / "oak"),
        _toposcore(shared / "toposcore/DS1_oncology_clinical_data_DiscValid.csv"),
    ]
    inputs = pd.concat([p[0].astype(object) for p in parts], ignore_index=True)
    outcome = pd.concat([p[1] for p in parts], ignore_index=True)
    outcome["held_out"] = [is_held_out(c, p) for c, p in zip(outcome["cohort"], outcome["patient"], strict=True)]
    order = outcome.assign(key=outcome["patient"].astype(str)).sort_values(["cohort", "key"]).index
    return Cohorts(inputs.loc[order].reset_index(drop=True), outcome.loc[order].reset_index(drop=True))
