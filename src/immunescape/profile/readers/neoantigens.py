"""Predicted neoantigens: pVACseq's all_epitopes and aggregated tables. Predictions are taken as given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._finish import finish
from immunescape.profile.readers._text import read_table
from immunescape.profile.readers.hla import allele_name

__all__ = ["read_pvacseq"]


@reader(
    "pvacseq",
    "neoantigens by pVACseq (all_epitopes.tsv or all_epitopes.aggregated.tsv)",
    ("neoantigens",),
    {"patient": "patient that the file belongs to", "units": "vaf: fraction or percent"},
)
def read_pvacseq(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read pVACseq: peptide, allele, predicted IC50 of the mutant and of the wild type, expression and VAF.

    VAF is a fraction in pVACseq's tables. The aggregated table holds the best peptide of each variant; it gives no
    wild-type peptide, and clonality is in its tier (``Subclonal``).
    """
    table = read_table(path, separator="\t")
    aggregated = table.find("Best Peptide") is not None
    out = Partial()
    owner: Any = str(options["patient"]) if options.get("patient") else None
    if owner is None:
        column = table.find("patient", "sample", "Sample Name", "Tumor Sample")
        owner = table.frame[column] if column else path.name.partition(".")[0]
        if column is None:
            out.problems.append(f"{path.name}: no patient column; the patient is taken from the file name: {owner}")
    allele_column = "Allele" if aggregated else "HLA Allele"
    alleles = table.frame[table.need(allele_column, "Allele", "HLA Allele")]
    named = [allele_name(a, f"{path.name}, line {i}") if isinstance(a, str) else None for i, a in alleles.items()]
    tier = table.text("Tier").map(lambda t: t.casefold() if isinstance(t, str) else None)
    frame = pd.DataFrame(
        {
            "patient": owner,
            "gene": table.frame[table.need("Gene", "Gene Name")],
            "peptide": table.frame[table.need("Best Peptide" if aggregated else "MT Epitope Seq")],
            "wt_peptide": table.text("WT Epitope Seq"),
            "allele": named,
            "ic50_nm": table.number(
                "IC50 MT", "Median MT IC50 Score", "Median MT Score", "Best MT IC50 Score", "Best MT Score"
            ),
            "wt_ic50_nm": table.number(
                "IC50 WT",
                "Median WT IC50 Score",
                "Median WT Score",
                "Corresponding WT IC50 Score",
                "Corresponding WT Score",
            ),
            "tpm": table.number("Gene Expression", "RNA Expr"),
            "vaf": table.number("Tumor DNA VAF", "DNA VAF"),
            "clonal": tier.map(lambda t: None if t is None else t != "subclonal").astype(object),
        },
        index=table.frame.index,
    )
    if table.find("Mutation", "AA Change"):
        frame["protein_change"] = table.text("Mutation", "AA Change")
    units = {"vaf": "fraction"} | {str(k): str(v) for k, v in dict(options.get("units") or {}).items()}
    out.tables["neoantigens"] = finish("neoantigens", frame, path.name, out.problems, units)
    out.note(path.name, "pvacseq", len(frame), len(frame), "tiers and coverage columns" if aggregated else "")
    return out
