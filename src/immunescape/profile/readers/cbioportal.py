"""A cBioPortal study folder as downloaded: clinical, mutations, copy number, structural variants, panels, timeline."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from immunescape.errors import InputError
from immunescape.profile.panels import read_panel_file
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._finish import build_word, finish
from immunescape.profile.readers._text import Table, read_table, read_text
from immunescape.profile.readers.copy_number import read_discrete, read_seg
from immunescape.profile.readers.expression import read_expression
from immunescape.profile.readers.maf import read_maf

__all__ = ["files_of_study", "is_study_folder", "read_meta", "read_study_file"]

_PATIENT = {
    "age": ("AGE", "AGE_AT_DIAGNOSIS", "AGE_AT_SEQ_REPORT", "AGE_AT_TREATMENT"),
    "sex": ("SEX", "GENDER"),
    "histology": ("HISTOLOGY", "HISTOLOGICAL_SUBTYPE", "HISTOLOGICAL_DIAGNOSIS"),
    "smoking": ("SMOKER", "SMOKING_STATUS", "SMOKING_HISTORY", "TOBACCO_SMOKING_HISTORY_INDICATOR"),
    "ecog": ("ECOG", "ECOG_PS", "ECOG_PERFORMANCE_STATUS"),
    "stage": ("STAGE", "AJCC_PATHOLOGIC_TUMOR_STAGE", "CLINICAL_STAGE", "TUMOR_STAGE"),
    "treatment": ("TREATMENT", "DRUG", "DRUG_TYPE", "TREATMENT_TYPE"),
    "treatment_class": ("TREATMENT_CLASS", "TREATMENT_TYPE"),
    "os_months": ("OS_MONTHS",),
    "os_event": ("OS_STATUS",),
    "pfs_months": ("PFS_MONTHS",),
    "pfs_event": ("PFS_STATUS",),
    "best_response": ("BEST_RESPONSE", "BOR", "BEST_OVERALL_RESPONSE", "RECIST"),
    "durable_benefit": ("DURABLE_CLINICAL_BENEFIT", "DCB"),
    "arm": ("ARM", "TREATMENT_ARM"),
}
_SAMPLE = {
    "tumour_purity": ("TUMOR_PURITY", "PURITY", "FACETS_PURITY"),
    "ploidy": ("PLOIDY", "FACETS_PLOIDY"),
    "tmb": ("TMB_NONSYNONYMOUS", "TMB_SCORE", "TMB"),
    "msi": ("MSI_TYPE", "MSI_STATUS"),
}
_NOT_READ = frozenset({"NOT APPLICABLE", "NOT AVAILABLE", "UNKNOWN", "UNK"})


def is_study_folder(folder: Path) -> bool:
    """Tell whether a folder looks like a cBioPortal study."""
    return (folder / "meta_study.txt").is_file() or any(folder.glob("data_clinical*.txt"))


def read_meta(path: Path) -> dict[str, str]:
    """Read a ``meta_*.txt`` file: one ``key: value`` a line."""
    found = {}
    for line in read_text(path).splitlines():
        key, colon, value = line.partition(":")
        if colon:
            found[key.strip()] = value.strip()
    return found


def _strip_unknown(table: Table) -> Table:
    for column in table.frame.columns:
        cells = table.frame[column]
        table.frame[column] = cells.where(~cells.map(lambda v: isinstance(v, str) and v.upper() in _NOT_READ), None)
    return table


def _pick(table: Table, names: Mapping[str, tuple[str, ...]]) -> tuple[dict[str, pd.Series], set[str]]:
    picked, used = {}, set()
    for target, candidates in names.items():
        column = table.find(*candidates)
        if column is not None:
            picked[target] = table.frame[column]
            used.add(column)
    return picked, used


def _lenient_age(values: pd.Series, problems: list[str], file: str) -> pd.Series:
    """Cut ``>89`` to 89, as ages are published."""
    marked = values.map(lambda v: isinstance(v, str) and v[:1] in "<>" and v[1:].strip("= ").isdigit())
    if marked.any():
        problems.append(f"{file}: {int(marked.sum())} ages such as '{values[marked].iloc[0]}' are read as their limit")
    return values.map(lambda v: v.lstrip("<>= ") if isinstance(v, str) else v)


def _words_of_response(values: pd.Series) -> pd.Series:
    """Keep RECIST words; other codes of a clinical table are kept as an extra column by the caller."""
    from immunescape.profile.readers._finish import _RECIST

    return values.where(values.map(lambda v: isinstance(v, str) and v.upper() in _RECIST), None)


def _clinical_patient(path: Path, options: Mapping[str, Any]) -> Partial:
    table = _strip_unknown(read_table(path))
    out = Partial()
    key = table.need("PATIENT_ID")
    picked, used = _pick(table, _PATIENT)
    lines = table.find("LINES_OF_TX", "LINE_OF_THERAPY", "TREATMENT_LINE")
    prior = table.find("PRIOR_LINES", "NUMBER_OF_PRIOR_LINES")
    if prior is not None:
        picked["prior_lines"] = table.frame[prior]
        used.add(prior)
    elif lines is not None:
        picked["prior_lines"] = table.number(lines) - 1
        out.problems.append(f"{path.name}: prior_lines is {lines} minus 1 (that column counts the present line)")
    if "age" in picked:
        picked["age"] = _lenient_age(picked["age"], out.problems, path.name)
    if "best_response" in picked:
        kept = _words_of_response(picked["best_response"])
        lost = int((kept.isna() & picked["best_response"].notna()).sum())
        if lost:
            out.problems.append(f"{path.name}: {lost} best responses are no RECIST words and stay in their own column")
            used -= {str(picked["best_response"].name)}
        picked["best_response"] = kept
    extra = {c: table.frame[c] for c in table.frame.columns if c != key and c not in used and c not in picked}
    frame = pd.DataFrame({"patient": table.frame[key]} | picked | extra, index=table.frame.index)
    out.tables["patients"] = finish("patients", frame, path.name, out.problems)
    out.note(path.name, "cbioportal clinical patient", len(frame), len(frame))
    return out


def _clinical_sample(path: Path, options: Mapping[str, Any]) -> Partial:
    table = _strip_unknown(read_table(path))
    out = Partial()
    picked, used = _pick(table, _SAMPLE)
    key, patient = table.need("SAMPLE_ID"), table.need("PATIENT_ID")
    panel = table.find("GENE_PANEL")
    if panel is not None:
        picked["panel"] = table.frame[panel]
        used.add(panel)
    extra = {c: table.frame[c] for c in table.frame.columns if c not in {key, patient} | used | set(picked)}
    frame = pd.DataFrame(
        {"sample": table.frame[key], "patient": table.frame[patient]} | picked | extra, index=table.frame.index
    )
    out.tables["samples"] = finish("samples", frame, path.name, out.problems)
    _pdl1_of_samples(table, key, patient, out)
    histology = table.find("CANCER_TYPE_DETAILED", "ONCOTREE_CODE")
    if histology is not None:
        first = pd.DataFrame({"patient": table.frame[patient], "histology": table.frame[histology]})
        out.tables["patients"] = finish("patients", first.drop_duplicates("patient"), path.name, out.problems)
    out.note(path.name, "cbioportal clinical sample", len(frame), len(frame))
    return out


def _pdl1_of_samples(table: Table, key: str, patient: str, out: Partial) -> None:
    column = table.find("PDL1_SCORE", "PD_L1_SCORE", "PDL1_TPS", "PD_L1_TPS", "PDL1_EXPRESSION")
    if column is None:
        return
    numbers = pd.to_numeric(table.frame[column].map(lambda v: v.rstrip("% ") if isinstance(v, str) else v), "coerce")
    words = table.frame[column].where(numbers.isna(), None)
    assay = table.find("PDL1_ASSAY", "PD_L1_ASSAY", "PDL1_CLONE")
    frame = pd.DataFrame(
        {
            "patient": table.frame[patient],
            "sample": table.frame[key],
            "assay": table.frame[assay] if assay else None,
            "score": "tps",
            "value_percent": numbers,
            "category": words,
        },
        index=table.frame.index,
    )
    frame = frame[frame["value_percent"].notna() | frame["category"].notna()]
    out.tables["pdl1"] = finish("pdl1", frame, table.file, out.problems, {"value_percent": "percent"})
    if assay is None:
        out.problems.append(
            f"{table.file}: {column} is read as tumour proportion score in percent; no column names the antibody clone"
        )


def _panel_matrix(path: Path, options: Mapping[str, Any]) -> Partial:
    table = read_table(path)
    out = Partial()
    frame = pd.DataFrame({"sample": table.frame[table.need("SAMPLE_ID")], "patient": None}, index=table.frame.index)
    for target, names in (
        ("panel", ("mutations", "mutations_extended")),
        ("panel_cna", ("cna", "gistic")),
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


def _structural(path: Path, options: Mapping[str, Any]) -> Partial:
    table = read_table(path)
    out = Partial()
    if table.find("Sample_Id") is not None:
        one, two = table.text("Site1_Hugo_Symbol"), table.text("Site2_Hugo_Symbol")
        sample, event = table.frame[table.need("Sample_Id")], table.text("Event_Info", "Class")
        state = table.text("SV_Status").map(lambda s: isinstance(s, str) and s.casefold() == "germline")
    else:  # the older data_fusions.txt: one gene a row
        sample, one = table.frame[table.need("Tumor_Sample_Barcode")], table.frame[table.need("Hugo_Symbol")]
        event, two = table.text("Fusion"), pd.Series([None] * len(table.frame), index=table.frame.index, dtype=object)
        state = pd.Series(False, index=table.frame.index)
    frame = pd.DataFrame(
        {"patient": None, "sample": sample, "gene1": one, "gene2": two, "event": event}, index=table.frame.index
    )
    for extra in ("Class", "Annotation", "Site2_Effect_On_Frame"):
        if table.find(extra):
            frame[extra] = table.text(extra)
    keep = ~state & (frame["gene1"].notna() | frame["gene2"].notna())
    out.tables["structural_variants"] = finish("structural_variants", frame[keep], path.name, out.problems)
    left = f"{int((~keep).sum())} rows without gene or germline" if (~keep).any() else ""
    out.note(path.name, "cbioportal structural variants", len(frame), int(keep.sum()), left)
    return out


def _timeline(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read treatments, laboratory values and responses; START_DATE is a day number."""
    table = read_table(path)
    out = Partial()
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
    lab = kind.str.contains("lab")
    if lab.any():
        frame = base.assign(
            day=start,
            analyte=table.text("TEST"),
            value=table.text("RESULT"),
            unit=table.text("UNITS", "UNIT", "LR_UNIT_MEASURE"),
        )
        frame = frame.drop(columns="start")[lab & table.text("TEST").notna()]
        out.tables["labs"] = finish("labs", frame, path.name, out.problems)
    seen = _words_of_response(table.text("RECIST", "RESPONSE", "BEST_RESPONSE", "STATUS"))
    image = kind.isin(("imaging", "status", "response")) & seen.notna()
    if image.any():
        frame = base.assign(day=start, recist=seen).drop(columns="start")[image]
        out.tables["responses"] = finish("responses", frame, path.name, out.problems)
    kept = int((treated | lab | image).sum())
    left = (
        ""
        if kept == len(table.frame)
        else f"events of other kinds: {', '.join(sorted(set(kind[~(treated | lab | image)])))[:80]}"
    )
    out.problems.append(f"{path.name}: days count from the study's own day 0; cBioPortal does not say which it is")
    out.note(path.name, "cbioportal timeline", len(table.frame), kept, left)
    return out


def _expression(path: Path, options: Mapping[str, Any]) -> Partial:
    name = path.name.casefold()
    unit = options.get("unit") or ("tpm" if "tpm" in name else None)
    return read_expression(path, {"unit": unit} if unit else {})


_FILES: tuple[tuple[str, Callable[[Path, Mapping[str, Any]], Partial]], ...] = (
    (r"data_clinical_patients?\.txt", _clinical_patient),
    (r"data_clinical(_sample|_samples)?\.txt", _clinical_sample),
    (r"data_(mutations.*|.*mutations_extended.*)\.(txt|maf)(\.gz)?", read_maf),
    (r"data_cna\.txt|data_CNA\.txt", read_discrete),
    (r".*\.seg", read_seg),
    (r"data_(sv|fusions)\.txt", _structural),
    (r"data_gene_panel_matrix\.txt", _panel_matrix),
    (r"data_timeline.*\.txt", _timeline),
    (r"data_.*tpm.*\.txt", _expression),
)
_SKIP = (r"data_gene_panel_(?!matrix).*\.txt", r"meta_.*", r"LICENSE.*", r"Readme.*|README.*", r"case_lists")


def files_of_study(folder: Path) -> tuple[list[tuple[Path, Callable[..., Partial]]], list[Path], list[Path]]:
    """Return the files of a study folder: (file, reader), panel files, and files that no reader takes."""
    chosen, panels, left = [], [], []
    for path in sorted(folder.iterdir()):
        if path.is_dir() or path.name.startswith("."):
            continue
        if re.fullmatch(_SKIP[0], path.name):
            panels.append(path)
            continue
        for pattern, function in _FILES:
            if re.fullmatch(pattern, path.name, re.IGNORECASE):
                chosen.append((path, function))
                break
        else:
            if not any(re.fullmatch(p, path.name, re.IGNORECASE) for p in _SKIP[1:]):
                left.append(path)
    return chosen, panels, left


def read_study_file(path: Path, function: Callable[..., Partial], folder: Path) -> Partial:
    """Read one file of a study folder, with the genome build that its meta file gives."""
    options: dict[str, Any] = {}
    if function is read_seg:
        for meta in sorted(folder.glob("meta_*.txt")):
            fields = read_meta(meta)
            if fields.get("data_filename") == path.name and fields.get("reference_genome_id"):
                options["genome_build"] = build_word(fields["reference_genome_id"], meta.name)
    return function(path, options)


@reader("cbioportal_clinical_patient", "cBioPortal data_clinical_patient.txt", ("patients",))
def _read_patient(path: Path, options: Mapping[str, Any]) -> Partial:
    return _clinical_patient(path, options)


@reader("cbioportal_clinical_sample", "cBioPortal data_clinical_sample.txt", ("samples", "pdl1"))
def _read_sample(path: Path, options: Mapping[str, Any]) -> Partial:
    return _clinical_sample(path, options)


@reader("cbioportal_sv", "cBioPortal data_sv.txt or data_fusions.txt", ("structural_variants",))
def _read_sv(path: Path, options: Mapping[str, Any]) -> Partial:
    return _structural(path, options)


@reader("cbioportal_timeline", "cBioPortal timeline", ("treatments", "labs", "responses"))
def _read_timeline(path: Path, options: Mapping[str, Any]) -> Partial:
    return _timeline(path, options)


@reader("cbioportal_panel_matrix", "cBioPortal data_gene_panel_matrix.txt", ("samples",))
def _read_panels(path: Path, options: Mapping[str, Any]) -> Partial:
    return _panel_matrix(path, options)


def panel_files(paths: list[Path]) -> Partial:
    """Read the gene lists of panels that stand in the folder."""
    out = Partial()
    for path in paths:
        panel = read_panel_file(path)
        if panel.name in out.panels:
            raise InputError(f"two files describe the panel '{panel.name}'", where=path.name)
        out.panels[panel.name] = panel
        out.note(path.name, "cbioportal gene panel", len(panel.genes), len(panel.genes))
    return out
