"""Build the expression references that ship, from open-tier data of The Cancer Genome Atlas.

    python scripts/build_expression_references.py FOLDER

FOLDER holds the expression tables and their sample sheets (RSEM counts of 62 patients, GDC TPM of 1,065 immune genes
of 36). What is written holds smoothed quantiles and means, no sample. Run it again and nothing changes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from immunescape.profile.biomarkers.expression.reference import SHIPPED, reference_build
from immunescape.profile.genes import map_expression
from immunescape.profile.study import Study, empty_table

CITATION = ["tcga2014luad", "tcga2012lusc", "harrell1982"]
HISTOLOGY = {"LUAD": "adenocarcinoma", "LUSC": "squamous"}
LIMITS = (
    "Resected, untreated, fresh-frozen primary tumours: a biopsy, a metastasis, FFPE or another library may stand "
    "elsewhere for that reason alone."
)


def study_of(values: pd.DataFrame, unit: str, patient: dict[str, str], histology: dict[str, str], name: str) -> Study:
    """Return a study of one sample a patient from genes x samples."""
    mapped, report = map_expression(values, unit, name)
    samples = empty_table("samples").reindex(range(values.shape[1]))
    samples["sample"] = list(values.columns)
    samples["patient"] = [patient[s] for s in values.columns]
    patients = empty_table("patients").reindex(range(values.shape[1]))
    patients["patient"] = samples["patient"]
    patients["histology"] = [histology[p] for p in patients["patient"]]
    return Study(
        name=name,
        patients=patients,
        samples=samples,
        expression=mapped,
        expression_unit=unit,  # type: ignore[arg-type]
        gene_map=report,
        given={"expression", "patients", "samples"},
    )


def counts_study(folder: Path) -> Study:
    """RSEM counts of the primary tumours; aliquots that are probably FFPE are left out, one aliquot a patient."""
    sheet = pd.read_csv(folder / "tcga_nsclc_rsem_counts_samples.tsv", sep="\t", keep_default_na=False)
    sheet = sheet[(sheet["tissue"] == "tumour") & (sheet["aliquot_note"] == "")].drop_duplicates("patient")
    values = pd.read_csv(folder / "tcga_nsclc_tumour_rsem_counts_n67.tsv.gz", sep="\t", index_col=0)
    return study_of(
        values[list(sheet["sample"])],
        "counts",
        dict(zip(sheet["sample"], sheet["patient"], strict=True)),
        {p: HISTOLOGY[h] for p, h in zip(sheet["patient"], sheet["histology"], strict=True)},
        "TCGA lung, RSEM counts",
    )


def tpm_study(folder: Path) -> Study:
    """GDC TPM of immune genes: 18 adenocarcinomas and 18 squamous-cell carcinomas."""
    values = pd.read_csv(folder / "tcga_nsclc_tumour_tpm_immune1065_n36.tsv.gz", sep="\t", index_col=0)
    sheet = pd.read_csv(folder / "tcga_pancancer_tpm_immune1065_samples.tsv", sep="\t")
    histology = {p: HISTOLOGY[c.removeprefix("TCGA-")] for p, c in zip(sheet["patient"], sheet["cancer"], strict=True)
                 if c in ("TCGA-LUAD", "TCGA-LUSC")}  # fmt: skip
    return study_of(values, "tpm", {p: p for p in values.columns}, histology, "TCGA lung, GDC TPM of immune genes")


def main(folder: Path) -> None:
    """Write both references."""
    about = {"preservation": "fresh frozen", "tissue": "resected primary lung tumours", "citation": CITATION}
    genes = "The lowest-expressed quarter of genes is missing, and with it IFNG, CD8B, XCL1, XCL2, ARG1 and CGAS."
    few = "1,064 immune genes of 36 tumours: no score by rank, no stratum by histology, wide intervals."
    for study, name, whole, limits in (
        (counts_study(folder), "tcga-nsclc-cpm", True, f"{LIMITS} {genes}"),
        (tpm_study(folder), "tcga-nsclc-tpm", False, f"{LIMITS} {few}"),
    ):
        target = reference_build(study, name, SHIPPED / name, whole=whole, about={**about, "limits": limits}, digits=6)
        print(f"{target.name}: {study.expression.shape[1]} samples, {len(study.expression)} genes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
