"""Build the expression references that ship, from open-tier data of The Cancer Genome Atlas.

    python scripts/build_expression_references.py FOLDER

FOLDER holds the expression tables and their sample sheets: RSEM counts of 62 patients, selected for a purity of at
least 60 %; counts per million of 54 further patients, joined to the first by genes and shared tumours; GDC TPM of
1,065 immune genes of 36. What is written holds smoothed quantiles and means, no sample. Run it again and nothing
changes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from immunescape.profile.biomarkers.expression.frozen_reference import SHIPPED, reference_build
from immunescape.profile.biomarkers.expression.scoring import log2_values
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


def second_cohort(folder: Path, first: Study) -> Study:
    """Return counts per million of the patients that the first file lacks, on the scale of the first, common genes.

    Both files hold tumours of the first; their mean difference in a gene (log2) is taken off. What is left between the
    two files in the shared tumours has a standard deviation of 0.09.
    """
    sheet = pd.read_csv(folder / "tcga_nsclc_pooled_samples.tsv", sep="\t")
    values = pd.read_csv(folder / "tcga_nsclc_pooled_cpm_n116.tsv.gz", sep="\t", index_col=0)
    mapped, _ = map_expression(values, "counts", "pooled")
    genes = [g for g in first.expression.index if g in set(mapped.index)]
    here, _ = log2_values(first.expression.loc[genes], "counts")
    there, _ = log2_values(mapped.loc[genes], "counts")
    owner = dict(zip(first.samples["patient"], first.samples["sample"], strict=True))
    both = [p for p in owner if p in there.columns]
    offset = here[[owner[p] for p in both]].mean(axis=1) - there[both].mean(axis=1)
    sheet = sheet[sheet["source"] == "Angione"]
    moved = np.exp2(there[list(sheet["patient"])].add(offset, axis=0)).sub(1.0).clip(lower=0.0)
    histology = {p: HISTOLOGY[h] for p, h in zip(sheet["patient"], sheet["histology"], strict=True)}
    return study_of(moved, "counts", {p: p for p in moved.columns}, histology, "TCGA lung, second source")


def pooled_study(folder: Path) -> Study:
    """Return both cohorts, counts per million over the genes that both hold; no patient stands in it twice."""
    first = counts_study(folder)
    second = second_cohort(folder, first)
    assert not set(first.patients["patient"]) & set(second.patients["patient"])
    genes = list(second.expression.index)
    scaled = [t / t.sum() * 1e6 for t in (first.expression.loc[genes], second.expression)]
    samples = pd.concat([first.samples, second.samples], ignore_index=True)
    patients = pd.concat([first.patients, second.patients], ignore_index=True)
    return study_of(
        pd.concat(scaled, axis=1),
        "counts",
        dict(zip(samples["sample"], samples["patient"], strict=True)),
        dict(zip(patients["patient"], patients["histology"], strict=True)),
        "TCGA lung, counts per million from two sources",
    )


def tpm_study(folder: Path) -> Study:
    """GDC TPM of immune genes: 18 adenocarcinomas and 18 squamous-cell carcinomas."""
    values = pd.read_csv(folder / "tcga_nsclc_tumour_tpm_immune1065_n36.tsv.gz", sep="\t", index_col=0)
    sheet = pd.read_csv(folder / "tcga_pancancer_tpm_immune1065_samples.tsv", sep="\t")
    histology = {
        p: HISTOLOGY[c.removeprefix("TCGA-")]
        for p, c in zip(sheet["patient"], sheet["cancer"], strict=True)
        if c in ("TCGA-LUAD", "TCGA-LUSC")
    }
    return study_of(values, "tpm", {p: p for p in values.columns}, histology, "TCGA lung, GDC TPM of immune genes")


def main(folder: Path) -> None:
    """Write the references."""
    about = {"preservation": "fresh frozen", "tissue": "resected primary lung tumours", "citation": CITATION}
    genes = (
        "The lowest-expressed third of genes is missing; scores that need more of them come from tcga-nsclc-cpm-pure, "
        "and IFNG, CD8B, XCL1, XCL2, ARG1 and CGAS from nowhere."
    )
    pure = (
        "from tumours of at least 60 % purity, where immune scores are low: other tumours stand higher (the median of "
        "54 others at about the 76th percentile)"
    )
    few = "1,064 immune genes of 36 tumours: no score by rank, no stratum by histology, wide intervals."
    for study, name, more in (
        (pooled_study(folder), "tcga-nsclc-cpm", {"limits": f"{LIMITS} {genes}", "further": "tcga-nsclc-cpm-pure"}),
        (
            counts_study(folder),
            "tcga-nsclc-cpm-pure",
            {"limits": f"{LIMITS} Only purity of at least 60 %.", "bias": pure},
        ),
        (tpm_study(folder), "tcga-nsclc-tpm", {"limits": f"{LIMITS} {few}"}),
    ):
        whole = not name.endswith("tpm")
        target = reference_build(study, name, SHIPPED / name, whole=whole, about={**about, **more}, digits=6)
        print(f"{target.name}: {study.expression.shape[1]} samples, {len(study.expression)} genes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with the downloaded tables")
    main(parser.parse_args().folder)
