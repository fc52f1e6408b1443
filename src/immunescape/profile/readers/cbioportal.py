"""Tables of a cBioPortal study: clinical, panels, structural variants, long copy number, timeline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from immunescape.errors import InputError
from immunescape.profile.genes import to_symbols
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._clinical import (
    DeclaredUnits,
    clinical_tables,
    labs_or_note,
    prior_lines,
    recist_or_none,
    strip_unknown,
)
from immunescape.profile.readers._finish import finish
from immunescape.profile.readers._text import TextTable, read_table

__all__ = ["read_clinical_patient", "read_clinical_sample", "read_discrete_long", "read_structural", "read_timeline"]

_UNITS = {"units": "column -> unit of the file, for columns whose name contains none"}


def _units(options: Mapping[str, Any]) -> tuple[DeclaredUnits, bool]:
    """Return the declared units, and whether this file must use all of them."""
    given = options.get("units")
    return (given, False) if isinstance(given, DeclaredUnits) else (DeclaredUnits(given), True)


def _kept_columns(table: TextTable, used: set[str]) -> tuple[dict[str, pd.Series], str]:
    """Return the columns that were not used, and the sentence that lists them."""
    rest = [str(c) for c in table.frame.columns if c not in used]
    listed = f"columns not used (kept as they are): {', '.join(rest)}" if rest else ""
    return {c: table.frame[c] for c in rest}, listed


@reader("cbioportal_clinical_patient", "cBioPortal data_clinical_patient.txt", ("patients",), _UNITS)
def read_clinical_patient(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read the clinical table of patients; sample-level columns are assigned to a patient's only sample."""
    table = strip_unknown(read_table(path))
    out = Partial()
    units, alone = _units(options)
    key = table.need("PATIENT_ID")
    picked, of_samples, used = clinical_tables(table, key, None, units, out)
    lines = prior_lines(table, used, out)
    if lines is not None:
        picked["prior_lines"] = lines
    extra, listed = _kept_columns(table, used)
    clash = {c: v for c, v in extra.items() if c not in picked and c != "patient"}
    frame = pd.DataFrame({"patient": table.frame[key]} | picked | clash, index=table.frame.index)
    out.tables["patients"] = finish("patients", frame, path.name, out.problems)
    if of_samples:
        out.of_patients = pd.DataFrame({"patient": table.frame[key]} | of_samples, index=table.frame.index)
    if alone:
        units.check(path.name)
    out.note(path.name, "cbioportal clinical patient", len(frame), len(frame), listed)
    return out


@reader(
    "cbioportal_clinical_sample",
    "cBioPortal data_clinical_sample.txt",
    ("samples", "pdl1", "patients", "hla", "labs"),
    _UNITS,
)
def read_clinical_sample(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read the clinical table of samples; a patient may have several."""
    table = strip_unknown(read_table(path))
    out = Partial()
    units, alone = _units(options)
    key, patient = table.need("SAMPLE_ID"), table.need("PATIENT_ID")
    of_patients, picked, used = clinical_tables(table, patient, key, units, out)
    panel = table.find("GENE_PANEL", "SEQUENCING_PANEL")
    if panel is not None:
        picked["panel"] = table.frame[panel]
        used.add(panel)
    lines = prior_lines(table, used, out)
    if lines is not None:
        of_patients["prior_lines"] = lines
    if "histology" not in of_patients:
        histology = table.find("CANCER_TYPE_DETAILED", "ONCOTREE_CODE")
        if histology is not None:
            of_patients["histology"] = table.frame[histology]
    extra, listed = _kept_columns(table, used)
    clash = {c: v for c, v in extra.items() if c not in picked and c not in ("sample", "patient")}
    frame = pd.DataFrame(
        {"sample": table.frame[key], "patient": table.frame[patient]} | picked | clash, index=table.frame.index
    )
    out.tables["samples"] = finish("samples", frame, path.name, out.problems)
    if of_patients:
        rows = pd.DataFrame({"patient": table.frame[patient]} | of_patients, index=table.frame.index)
        groups = rows.groupby("patient", sort=False)
        first = groups.first()  # the first of several samples that has a value
        differ = [c for c in of_patients if bool((groups[c].nunique() > 1).any())]
        if differ:
            whose = groups[differ].nunique().gt(1).any(axis=1)
            out.problems.append(
                f"{path.name}: {', '.join(differ)} differ between the samples of {int(whose.sum())} patients (first: "
                f"{whose.index[whose][0]}): the first sample with a value is used"
            )
        first = first.astype(object).where(first.notna(), None).reset_index()
        first.index = pd.Index(rows.drop_duplicates("patient").index)
        out.tables["patients"] = finish("patients", first, path.name, out.problems)
    if alone:
        units.check(path.name)
    out.note(path.name, "cbioportal clinical sample", len(frame), len(frame), listed)
    return out


@reader("cbioportal_panel_matrix", "cBioPortal data_gene_panel_matrix.txt", ("samples",))
def read_panel_matrix(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read which panel each sample was sequenced with; an empty cell names none."""
    table = read_table(path)
    out = Partial()
    frame = pd.DataFrame({"sample": table.frame[table.need("SAMPLE_ID")], "patient": None}, index=table.frame.index)
    for target, names in (
        ("panel", ("mutations", "mutations_extended")),
        ("panel_cna", ("cna", "gistic", "cna_rae", "cna_consensus")),
        ("panel_sv", ("structural_variants", "fusion", "sv")),
    ):
        frame[target] = table.text(*names)
    out.tables["samples"] = finish("samples", frame, path.name, out.problems)
    for target, kind in (("panel", "mutations"), ("panel_cna", "copy_number"), ("panel_sv", "structural_variants")):
        listed = frame.loc[frame[target].notna(), "sample"]
        if len(listed):
            out.assessed[kind] = frozenset(listed)
    out.note(path.name, "cbioportal gene panel matrix", len(frame), len(frame))
    return out


@reader("cbioportal_cna_long", "cBioPortal discrete copy number, one gene and sample per row", ("copy_number",))
def read_discrete_long(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read rows of gene, sample and a value from -2 (deep deletion) to 2 (amplification).

    Raises
    ------
    InputError
        For a value outside -2..2.
    """
    table = read_table(path)
    out = Partial()
    symbol, entrez = table.text("Hugo_Symbol"), table.text("Entrez_Gene_Id")
    if table.find("Hugo_Symbol") is None and table.find("Entrez_Gene_Id") is None:
        table.need("Hugo_Symbol")
    named = pd.Series(to_symbols(symbol.where(symbol.notna(), entrez)), index=table.frame.index, dtype=object)
    values = table.number(table.need("Value"))
    bad = values.abs() > 2
    if bad.any():
        raise InputError(
            f"{values[bad].iloc[0]:g}: discrete copy number is -2 to 2",
            where=f"{path.name}, line {values.index[bad][0]}",
        )
    sample = table.frame[table.need("Sample_Id")]
    frame = pd.DataFrame(
        {"patient": None, "sample": sample, "gene": named, "discrete": values}, index=table.frame.index
    )
    keep = frame["gene"].notna() & frame["sample"].notna() & frame["discrete"].notna()
    strongest = frame[keep].assign(size=frame.loc[keep, "discrete"].abs()).sort_values("size", kind="stable")
    strongest = strongest.drop_duplicates(["sample", "gene"], keep="last").drop(columns="size").sort_index()
    out.tables["copy_number"] = finish("copy_number", strongest, path.name, out.problems)
    out.assessed["copy_number"] = frozenset(sample.dropna())
    left = []
    if (~keep).any():
        left.append(f"{int((~keep).sum())} rows without a known gene, sample or value")
    twice = int(keep.sum()) - len(strongest)
    if twice:
        left.append(f"{twice} duplicate rows of a gene and sample (the stronger value counts)")
    out.note(path.name, "cbioportal discrete copy number", len(frame), len(strongest), "; ".join(left))
    return out


@reader("cbioportal_sv", "cBioPortal data_sv.txt or data_fusions.txt", ("structural_variants",))
def read_structural(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read structural variants; germline variants and rows without a gene are skipped."""
    table = read_table(path)
    out = Partial()
    if table.find("Sample_Id", "Site1_Hugo_Symbol", "Site2_Hugo_Symbol") is not None:
        gene1, gene2 = table.text("Site1_Hugo_Symbol"), table.text("Site2_Hugo_Symbol")
        if table.find("Site1_Hugo_Symbol") is None and table.find("Site2_Hugo_Symbol") is None:
            table.need("Site1_Hugo_Symbol")
        sample, event = table.frame[table.need("Sample_Id")], table.text("Event_Info", "Class")
        state = table.text("SV_Status").map(lambda s: isinstance(s, str) and s.casefold() == "germline")
    else:  # the older data_fusions.txt: one gene per row
        sample, gene1 = table.frame[table.need("Tumor_Sample_Barcode")], table.frame[table.need("Hugo_Symbol")]
        event, gene2 = table.text("Fusion"), pd.Series([None] * len(table.frame), index=table.frame.index, dtype=object)
        state = pd.Series(False, index=table.frame.index)
    frame = pd.DataFrame(
        {"patient": None, "sample": sample, "gene1": gene1, "gene2": gene2, "event": event}, index=table.frame.index
    )
    for extra in ("Class", "Annotation", "Site2_Effect_On_Frame"):
        if table.find(extra):
            frame[extra] = table.text(extra)
    keep = ~state & (frame["gene1"].notna() | frame["gene2"].notna())
    out.tables["structural_variants"] = finish("structural_variants", frame[keep], path.name, out.problems)
    left = f"{int((~keep).sum())} rows without a gene, or germline" if (~keep).any() else ""
    out.note(path.name, "cbioportal structural variants", len(frame), int(keep.sum()), left)
    return out


@reader("cbioportal_timeline", "cBioPortal timeline", ("treatments", "labs", "responses", "samples"), _UNITS)
def read_timeline(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read treatments, laboratory values, responses and the days of samples; START_DATE is a day number."""
    table = read_table(path)
    out = Partial()
    units, alone = _units(options)
    patient = table.frame[table.need("PATIENT_ID")]
    start = table.number(table.need("START_DATE", "START_DAY"))
    kind = table.text("EVENT_TYPE").map(lambda e: e.casefold() if isinstance(e, str) else "")
    base = pd.DataFrame({"patient": patient, "start": start}, index=table.frame.index)
    treated = kind.str.contains("treatment")
    if treated.any():
        frame = base.assign(
            start_day=start,
            end_day=table.number("STOP_DATE", "STOP_DAY"),
            drug=table.text("AGENT", "TREATMENT", "REGIMEN"),
            line=table.number("LINE", "LINE_OF_THERAPY"),
        )
        frame = frame.drop(columns="start")[treated]
        out.tables["treatments"] = finish("treatments", frame, path.name, out.problems)
    lab = kind.str.contains("lab") & table.text("TEST").notna()
    if lab.any():
        frame = base.assign(
            day=start,
            analyte=table.text("TEST"),
            value=table.text("RESULT"),
            unit=table.text("UNITS", "UNIT", "LR_UNIT_MEASURE"),
        )
        frames = []
        for analyte, rows in frame.drop(columns="start")[lab].groupby("analyte", sort=False):
            declared = units.of(str(analyte))
            rows = rows.assign(unit=rows["unit"].where(rows["unit"].notna(), declared))
            labs = labs_or_note(rows, str(analyte), path.name, out)
            if labs is not None:
                frames.append(labs)
        if frames:
            out.tables["labs"] = pd.concat(frames)
    seen = recist_or_none(table.text("RECIST", "RESPONSE", "BEST_RESPONSE", "STATUS"))
    image = kind.isin(("imaging", "status", "response")) & seen.notna()
    if image.any():
        frame = base.assign(day=start, recist=seen).drop(columns="start")[image]
        out.tables["responses"] = finish("responses", frame, path.name, out.problems)
    taken = table.text("SAMPLE_ID", "SPECIMEN_ID")
    specimen = kind.str.contains("specimen|sample|biopsy", regex=True) & taken.notna()
    if specimen.any():
        rows = pd.DataFrame({"sample": taken, "patient": patient, "day": start}, index=table.frame.index)[specimen]
        out.tables["samples"] = finish("samples", rows.drop_duplicates("sample"), path.name, out.problems)
    used = treated | lab | image | specimen
    left = ""
    if not used.all():
        left = f"events of other kinds: {', '.join(sorted(set(kind[~used]) - {''})) or 'unnamed'}"[:120]
    if alone:
        units.check(path.name)
    out.problems.append(f"{path.name}: days are counted from the study's own day 0, which cBioPortal does not define")
    out.note(path.name, "cbioportal timeline", len(table.frame), int(used.sum()), left)
    return out
