"""Predicted neoantigens: pVACseq's all_epitopes and aggregated tables. Predictions are taken as given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from immunescape.errors import InputError
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._finish import finish
from immunescape.profile.readers._text import TextTable, read_table
from immunescape.profile.readers.hla import allele_name
from immunescape.profile.receptor_loci import is_class_two

__all__ = ["read_pvacseq"]


def _variants(table: TextTable) -> pd.Series:
    """Return the identifier of variants: position and alleles as written in the aggregated table, else None."""
    named = table.text("ID")
    columns = [table.text(c) for c in ("Chromosome", "Start", "Stop", "Reference", "Variant")]
    if all(p.notna().any() for p in columns):
        place = columns[0] + "-" + columns[1] + "-" + columns[2] + "-" + columns[3] + "-" + columns[4]
        named = place.where(named.isna(), named) if table.find("ID") and table.find("Best Peptide") else place
    return named.astype(object).where(named.notna(), None)


@reader(
    "pvacseq",
    "neoantigens by pVACseq (all_epitopes.tsv or all_epitopes.aggregated.tsv)",
    ("neoantigens",),
    {"patient": "patient that the file belongs to", "units": "vaf: fraction or percent"},
)
def read_pvacseq(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read pVACseq: peptide, allele, predicted IC50 of the mutant and of the wild type, expression and VAF.

    VAF is a fraction in pVACseq's tables. The aggregated table lists the best peptide of each variant; it gives no
    wild-type peptide, and clonality is in its tier (``Subclonal``). Both tables give the variant of each peptide, so
    that the load, which counts variants, is the same for both. Peptides of class II alleles are left out and reported.

    Raises
    ------
    InputError
        For a missing column, an invalid allele, and a table of class II alleles only.
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
    second = alleles.map(is_class_two).astype(bool)
    if second.any():
        if second.all():
            raise InputError(
                f"all {len(second)} peptides are predicted for class II alleles (first: {alleles.iloc[0]})",
                where=path.name,
                hint="Neoantigen load refers to class I: use the MHC_Class_I table instead of this one.",
            )
        out.problems.append(
            f"{path.name}: {int(second.sum())} of {len(second)} rows are for class II alleles and are left out, as "
            "the load refers to class I"
        )
        table.frame, alleles = table.frame[~second], alleles[~second]
        owner = owner[~second] if isinstance(owner, pd.Series) else owner
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
            "variant": _variants(table),
            "clonal": tier.map(lambda t: None if t is None else t != "subclonal").astype(object),
        },
        index=table.frame.index,
    )
    if table.find("Mutation", "AA Change"):
        frame["protein_change"] = table.text("Mutation", "AA Change")
    units = {"vaf": "fraction"} | {str(k): str(v) for k, v in dict(options.get("units") or {}).items()}
    out.tables["neoantigens"] = finish("neoantigens", frame, path.name, out.problems, units)
    left = ["tiers and coverage columns"] if aggregated else []
    if second.any():
        left.append(f"{int(second.sum())} rows of class II")
    out.note(path.name, "pvacseq", len(second), len(frame), "; ".join(left))
    return out
