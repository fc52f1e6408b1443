"""Final steps of every expression reader: the unit, a check that columns are samples and not cells, HGNC symbols."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from immunescape.errors import InputError, unknown_word
from immunescape.profile.file_limits import limit
from immunescape.profile.gene_doubts import may_mean
from immunescape.profile.genes import map_expression
from immunescape.profile.readers._base import Partial

__all__ = ["BULK_HELP", "UNITS", "UNIT_HELP", "finish_expression", "refuse_cells"]

UNITS = ("counts", "tpm", "log2_tpm1")
UNIT_HELP = "unit of the values: counts, tpm or log2_tpm1 (log2(TPM + 1))"
BULK_HELP = "true: columns that look like single cells are bulk samples"
_BARCODE = re.compile(r"(^|[^A-Za-z])[ACGT]{12,24}([-_.:]|$)")
_CELLS_WAY = "Single cells are read from h5ad with format: single_cells (patient and sample as columns of the cells); "


def refuse_cells(names: Sequence[str], zeros: float, genes: int, file: str) -> None:
    """Refuse columns that are single cells, by their barcodes or by how many values are zero.

    Parameters
    ----------
    names
        Names of the columns.
    zeros
        Share of zeros among values.
    genes
        Number of rows from which the share was computed.
    file
        For messages.

    Raises
    ------
    InputError
        Pointing to the format for single cells.
    """
    barcodes = sum(bool(_BARCODE.search(n)) for n in names)
    if len(names) >= limit("cells_fewest") and barcodes > len(names) / 2:
        why = f"{barcodes} of {len(names)} columns are named by barcodes (first: {names[0]})"
    elif (
        len(names) >= limit("cells_zeros_columns")
        and genes >= limit("cells_zeros_genes")
        and zeros >= limit("cells_zeros")
    ):
        why = f"{100 * zeros:.0f} % of the values of {len(names)} columns are zero"
    elif len(names) > limit("cells_most"):
        why = f"{len(names):,} columns"
    else:
        return
    raise InputError(
        f"single cells, not samples: {why}; each would count as a patient",
        where=file,
        hint=f"{_CELLS_WAY}for bulk data sum the cells of each sample, or set bulk: true if these are bulk samples.",
    )


def _checked(values: pd.DataFrame, unit: Any, file: str, problems: list[str]) -> str:
    """Return the unit; a missing one is inferred only where the values allow exactly one."""
    numbers = values.to_numpy(float)
    finite = numbers[np.isfinite(numbers)]
    unit_name = "" if unit is None else str(unit)
    if unit_name.casefold() in ("fpkm", "rpkm"):
        raise InputError(
            f"{unit_name} is not a supported unit of expression: its sum differs between samples",
            where=file,
            hint="Convert it to TPM (each value over its sample's sum, times 1,000,000), and set unit: tpm.",
        )
    if unit_name and unit_name not in UNITS:
        raise unknown_word("unit of expression", unit_name, UNITS, where=file)
    if len(finite) and finite.min() < 0:
        raise InputError(
            f"negative expression ({finite.min():g}): counts, TPM and log2(TPM + 1) are not negative",
            where=file,
            hint="Give values before centring or scaling: counts or TPM.",
        )
    if not unit_name:
        if len(finite) and finite.max() > 50 and bool((finite == np.round(finite)).all()):
            problems.append(
                f"{file}: expression is read as counts, because all values are whole numbers up to {finite.max():g}"
            )
            return "counts"
        raise InputError(
            "the unit of expression is not declared, and cannot be inferred from the values",
            where=file,
            hint=f"Set unit: in the manifest to one of {', '.join(UNITS)}.",
        )
    if unit_name == "counts" and len(finite) and not bool((np.abs(finite - np.round(finite)) < 1e-6).all()):
        problems.append(f"{file}: counts are not whole numbers (expected counts of a quantifier?)")
    if unit_name == "log2_tpm1" and len(finite) and finite.max() > 25:
        raise InputError(f"log2(TPM + 1) cannot reach {finite.max():g}", where=file, hint="Is it TPM? Set unit: tpm.")
    return unit_name


def finish_expression(
    values: pd.DataFrame, unit: Any, *, file: str, name: str, out: Partial, bulk: bool = False, left: str = ""
) -> Partial:
    """Check the unit, refuse single cells, and turn identifiers into HGNC symbols.

    Parameters
    ----------
    values
        Identifiers x samples.
    unit
        ``counts``, ``tpm`` or ``log2_tpm1``, or None.
    file, name
        File and reader, for messages.
    out
        Receives the expression, its note and any doubts.
    bulk
        The columns are bulk samples, whatever they look like.
    left
        What was not read from the file, for the note.

    Raises
    ------
    InputError
        For an ambiguous or impossible unit, for single cells, and for rows that are not human genes.
    """
    unit_name = _checked(values, unit, file, out.problems)
    missing = values.isna()
    if bool(missing.to_numpy().any()):
        empty = missing.all(axis=1)
        values = values.loc[~empty]
        partly = int(values.isna().any(axis=1).sum())
        if partly:
            out.problems.append(f"{file}: {partly} genes with missing values in some samples are left out")
            values = values.dropna(axis=0)
    mapped, report = map_expression(values, unit_name, file)
    if not bulk:
        zeros = float((mapped.to_numpy(float) == 0).mean()) if mapped.size else 0.0
        refuse_cells([str(c) for c in mapped.columns], zeros, len(mapped), file)
    for doubtful in values.index:
        meant = may_mean(str(doubtful))
        if meant and meant[0] not in mapped.index:
            out.problems.append(
                f"{file}: '{doubtful}' is not an HGNC symbol and is left out (nearest: {', '.join(meant[:3])})"
            )
    if unit_name == "tpm" and len(mapped):
        sums = values.sum(axis=0)
        off = (sums < 1e5) | (sums > 1.5e6)
        if off.any():
            out.problems.append(
                f"{file}: TPM of a sample should sum to a million; {int(off.sum())} samples do not "
                f"({sums.min():.3g} to {sums.max():.3g}): the table has only a subset of genes, or another unit"
            )
    if report.merged:
        out.problems.append(f"{file}: {report.merged} rows share a gene symbol with another and were merged")
    out.expression, out.expression_unit, out.gene_map = mapped, unit_name, report
    out.note(file, name, report.rows, len(mapped), "; ".join(x for x in (report.note, left) if x))
    return out
