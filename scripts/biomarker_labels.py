"""Write knowledge/data/biomarker_labels.csv: is a biomarker prognostic, predictive, both? Tested in OAK.

Usage: python scripts/biomarker_labels.py FOLDER_WITH_OAK_TABLES > src/immunescape/knowledge/data/biomarker_labels.csv

For each biomarker two Cox models of overall survival: arm, biomarker and their product (interaction: is the effect of
atezolizumab over docetaxel another in carriers?), and the biomarker in the docetaxel arm (prognostic value under a
control treatment). Only values of the published supplement of Gandara et al. 2018 go in; only estimates come out.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter

COLUMNS = (
    "biomarker,definition,endpoint,n,carriers,interaction_hr,interaction_low,interaction_high,interaction_p,"
    "control_hr,control_low,control_high,control_p,trial,source,note"
).split(",")
GENES = {"stk11_status": "STK11", "keap1_status": "KEAP1", "kras_status": "KRAS", "tp53_status": "TP53"}


def estimate(frame: pd.DataFrame, term: str) -> list[float]:
    """Hazard ratio, 95 % interval and Wald p of one term of a Cox model."""
    fit = CoxPHFitter().fit(frame, "months", "event").summary.loc[term]
    names = ("exp(coef)", "exp(coef) lower 95%", "exp(coef) upper 95%", "p")
    return [float(fit[name]) for name in names]


def definitions(folder: Path) -> list[tuple[str, str, pd.Series, str]]:
    """Biomarkers that OAK measured: name, definition, value of each patient (NaN: not measured), note."""
    patients = pd.read_csv(folder / "oak_clinical.csv", na_values=["."]).set_index("PtID")
    variants = pd.read_csv(folder / "oak_btmb_variants.csv")
    variants = variants[variants["effect"] != "synonymous"]
    assessed = patients["BEP"] == "Y"
    strong = {"TC3 or IC3": 1.0, "TC0/1/2 and IC0/1/2": 0.0}
    some = {"TC1/2/3 or IC1/2/3": 1.0, "TC0 and IC0": 0.0}
    rows = [
        (
            "pdl1_tps",
            "PD-L1 TC3 or IC3 (SP142)",
            patients["TC3IC3"].map(strong),
            "SP142, not a tumour proportion score by 22C3",
        ),
        ("pdl1_stratum", "PD-L1 TC1/2/3 or IC1/2/3 (SP142)", patients["TC1IC1"].map(some), "SP142"),
        ("tmb", "blood TMB ≥ 16", (patients["btmb"] >= 16).astype(float).where(assessed), "plasma, not tissue"),
    ]
    for name, gene in GENES.items():
        carriers = set(variants.loc[variants["gene_name"] == gene, "PtID"])
        value = pd.Series(patients.index.isin(carriers).astype(float), patients.index).where(assessed)
        rows.append(
            (name, f"any non-synonymous {gene} variant in plasma", value, "clonal haematopoiesis is not filtered out")
        )
    msaf = patients["MSAF"].where(assessed)
    rows.append(
        (
            "ctdna_baseline",
            "highest allele frequency above the median",
            (msaf > msaf.median()).astype(float).where(msaf.notna()),
            "",
        )
    )
    egfr = patients["EGFRMUT"].map({"POSITIVE": 1.0, "NEGATIVE": 0.0})
    rows.append(("egfr_status", "EGFR mutation by local test", egfr, "few carriers"))
    return rows


def main(folder: Path) -> None:
    """Print the table."""
    patients = pd.read_csv(folder / "oak_clinical.csv", na_values=["."]).set_index("PtID")
    base = pd.DataFrame(
        {
            "months": patients["OS"],
            "event": 1 - patients["OS.CNSR"],
            "arm": (patients["TRT01P"] != "Docetaxel").astype(float),
        }
    )
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, definition, value, note in definitions(folder):
        frame = base.assign(marker=value).dropna()
        frame["product"] = frame["arm"] * frame["marker"]
        interaction = estimate(frame, "product")
        control = estimate(frame.loc[frame["arm"] == 0, ["months", "event", "marker"]], "marker")
        numbers = [f"{x:.3g}" for x in (*interaction, *control)]
        carriers = int(np.sum(frame["marker"]))
        writer.writerow([name, definition, "os", len(frame), carriers, *numbers, "OAK", "gandara2018", note])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with the tables of OAK")
    main(parser.parse_args().folder)
