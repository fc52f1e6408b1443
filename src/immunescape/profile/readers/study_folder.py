"""A cBioPortal study folder: its files (by their meta files), which samples were profiled, and with which panel."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from immunescape.errors import InputError
from immunescape.profile.panels import EXOME, read_panel_file
from immunescape.profile.readers._advice import answerable
from immunescape.profile.readers._bad_rows import read_but_bad_rows
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._clinical import DeclaredUnits
from immunescape.profile.readers._column_map import ColumnMap, using
from immunescape.profile.readers._finish import canonical_build, finish
from immunescape.profile.readers._text import read_text
from immunescape.profile.readers.cbioportal import (
    read_clinical_patient,
    read_clinical_sample,
    read_discrete_long,
    read_panel_matrix,
    read_structural,
    read_timeline,
)
from immunescape.profile.readers.copy_number import read_discrete, read_seg
from immunescape.profile.readers.expression import read_expression
from immunescape.profile.readers.maf import read_maf

__all__ = ["StudyFile", "files_of_study", "is_study_folder", "read_meta", "read_study_folder"]

Function = Callable[[Path, Mapping[str, Any]], Partial]


@dataclass(frozen=True)
class StudyFile:
    """One data file of a study folder.

    Attributes
    ----------
    path : the file.
    reads : its reader, or None.
    why_not : why there is no reader; '' if there is one.
    meta : fields of its meta file.
    """

    path: Path
    reads: str = ""
    why_not: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)


_READERS: dict[str, Function] = {
    "patient": read_clinical_patient,
    "sample": read_clinical_sample,
    "maf": read_maf,
    "cna": read_discrete,
    "cna_long": read_discrete_long,
    "seg": read_seg,
    "sv": read_structural,
    "panel_matrix": read_panel_matrix,
    "timeline": read_timeline,
    "expression": read_expression,
}
_BY_META = {
    ("CLINICAL", "PATIENT_ATTRIBUTES"): "patient",
    ("CLINICAL", "SAMPLE_ATTRIBUTES"): "sample",
    ("CLINICAL", "MIXED_ATTRIBUTES"): "sample",
    ("CLINICAL", "TIMELINE"): "timeline",
    ("MUTATION_EXTENDED", "MAF"): "maf",
    ("COPY_NUMBER_ALTERATION", "DISCRETE"): "cna",
    ("COPY_NUMBER_ALTERATION", "DISCRETE_LONG"): "cna_long",
    ("COPY_NUMBER_ALTERATION", "SEG"): "seg",
    ("STRUCTURAL_VARIANT", "SV"): "sv",
    ("STRUCTURAL_VARIANT", "FUSION"): "sv",
    ("FUSION", "FUSION"): "sv",
    ("GENE_PANEL_MATRIX", "GENE_PANEL_MATRIX"): "panel_matrix",
    ("MRNA_EXPRESSION", "CONTINUOUS"): "expression",
}
_NOT_READ = {
    ("COPY_NUMBER_ALTERATION", "LOG2-VALUE"): "log2 ratios by gene are not copy numbers; segments (SEG) are read",
    ("COPY_NUMBER_ALTERATION", "CONTINUOUS"): "relative copy numbers by gene are not absolute; segments (SEG) are read",
    ("MUTATION_EXTENDED", "MUTATION_UNCALLED"): "mutations that were not called",
    (
        "MRNA_EXPRESSION",
        "Z-SCORE",
    ): "z-scores are relative to the other samples of the study; values in a unit are read",
    ("MRNA_EXPRESSION", "DISCRETE"): "discretised expression; values in a unit are read",
}
_NOT_READ_KIND = {
    "METHYLATION": "methylation is not used",
    "PROTEIN_LEVEL": "protein levels are not used",
    "GENESET_SCORE": "gene-set scores are computed from expression, not imported",
    "GENERIC_ASSAY": "other assays are not used",
    "GISTIC_GENES_AMP": "peaks of a cohort do not describe single patients",
    "GISTIC_GENES_DEL": "peaks of a cohort do not describe single patients",
    "MUTSIG": "genes of a cohort do not describe single patients",
    "CANCER_TYPE": "names and colours of cancer types",
    "RESOURCE": "links",
}
_BY_NAME: tuple[tuple[str, str], ...] = (
    (r"data_clinical(_supp)?_patients?\.txt", "patient"),
    (r"data_clinical(_supp)?(_samples?)?\.txt", "sample"),
    (r"data_(.*_)?mutations?(_extended|_mskcc)?\.(txt|maf)(\.gz)?", "maf"),
    (r"data_(cna|CNA)\.txt", "cna"),
    (r".*\.seg", "seg"),
    (r"data_(sv|fusions|structural_variants)\.txt", "sv"),
    (r"data_gene_panel_matrix\.txt", "panel_matrix"),
    (r"data_timeline.*\.txt", "timeline"),
    (r"data_.*tpm.*\.txt", "expression"),
)
_PANEL_FILE = re.compile(r"(data_)?gene_panel_(?!matrix).*\.txt")
_SILENT = re.compile(r"meta_.*|licen[sc]e.*|readme.*|case_lists|manifest\.ya?ml|\..*", re.IGNORECASE)


def is_study_folder(folder: Path) -> bool:
    """Return whether a folder looks like a cBioPortal study."""
    if (folder / "meta_study.txt").is_file() or any(folder.glob("data_clinical*.txt")):
        return True
    marks = {"cancer_study_identifier", "genetic_alteration_type"}
    return any(marks & read_meta(m).keys() for m in sorted(folder.glob("meta_*.txt"))[:3])


def read_meta(path: Path) -> dict[str, str]:
    """Read a ``meta_*.txt`` file: one ``key: value`` per line."""
    fields = {}
    for line in read_text(path).splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields[key.strip()] = value.strip()
    return fields


def _by_meta(path: Path, meta: Mapping[str, str]) -> StudyFile:
    kind = meta.get("genetic_alteration_type", "RESOURCE" if "resource_type" in meta else "").upper()
    datatype = meta.get("datatype", "").upper()
    reads = _BY_META.get((kind, datatype), "")
    if not reads and kind == "CLINICAL" and datatype.startswith("TIME"):
        reads = "timeline"
    why = ""
    if not reads:
        why = (
            _NOT_READ.get((kind, datatype)) or _NOT_READ_KIND.get(kind) or f"no reader takes {kind} {datatype}".strip()
        )
    return StudyFile(path, reads, why, meta)


def files_of_study(folder: Path) -> tuple[list[StudyFile], list[Path], list[str]]:
    """Return the data files of a study folder, its panel files, and files named in meta files but missing.

    The content of a file named in a meta file (``data_filename``) is as stated there; others are recognised by name.
    """
    files: dict[Path, StudyFile] = {}
    problems: list[str] = []
    for place in sorted(folder.glob("meta_*.txt")):
        meta = read_meta(place)
        name = meta.get("data_filename")
        if not name or place.name == "meta_study.txt":
            continue
        path = folder / name
        if path.resolve().parent != folder.resolve():
            raise InputError(
                f"data_filename '{name}' lies outside the study folder",
                where=place.name,
                hint="Put the file beside it.",
            )
        if not path.is_file() and (folder / f"{name}.gz").is_file():
            path = folder / f"{name}.gz"
        if path.is_file():
            files[path] = _by_meta(path, meta)
        else:
            problems.append(f"{place.name}: names the file {name}, which is not in the folder: it was not read")
    panels = []
    for path in sorted(folder.iterdir()):
        if path in files or _SILENT.fullmatch(path.name):
            continue
        if path.is_dir():
            files[path] = StudyFile(path, why_not="subfolders of a study are not read, except case_lists")
            continue
        if _PANEL_FILE.fullmatch(path.name):
            panels.append(path)
            continue
        reads = next((r for pattern, r in _BY_NAME if re.fullmatch(pattern, path.name, re.IGNORECASE)), "")
        why = "" if reads else "no meta file describes it, and its name is not recognised"
        files[path] = StudyFile(path, reads, why)
    return list(files.values()), panels, problems


def _panels(paths: list[Path]) -> Partial:
    """Read the gene lists of panels in the folder."""
    out = Partial()
    for path in paths:
        panel = read_panel_file(path)
        if panel.name in out.panels:
            raise InputError(f"two files describe the panel '{panel.name}'", where=path.name)
        out.panels[panel.name] = panel
        out.note(path.name, "cbioportal gene panel", len(panel.genes), len(panel.genes))
    return out


def _expression_unit(file: StudyFile, units: DeclaredUnits) -> str | None:
    if declared := units.of(file.path.name):
        return declared
    text = " ".join((file.path.name, file.meta.get("stable_id", ""), file.meta.get("profile_name", ""))).casefold()
    if re.search(r"(^|[^a-z])tpm([^a-z]|$)", text) is None or re.search(r"log|z-?score", text):
        return None
    return "tpm"


def _read(file: StudyFile, folder_build: str, units: DeclaredUnits) -> Partial:
    name = file.path.name
    options: dict[str, Any] = {}
    build = file.meta.get("reference_genome_id", "")
    if file.reads in ("patient", "sample", "timeline"):
        options["units"] = units
    elif file.reads == "maf":
        if declared := units.of("vaf"):
            options["units"] = {"vaf": declared}
    elif file.reads == "seg":
        if build or folder_build:
            options["genome_build"] = canonical_build(build or folder_build, name)
    elif file.reads == "expression":
        unit = _expression_unit(file, units)
        if unit is None:
            out = Partial()
            out.problems.append(
                f"{name}: expression was left out, as its unit is not stated. If it is in TPM: --unit {name}=tpm (or "
                "counts, log2_tpm1); microarrays, RPKM and normalised RSEM have no such unit and are not used"
            )
            out.note(name, "none", 0, 0, "its unit is not known")
            return out
        options["unit"] = unit
    with using(ColumnMap({}, {}, {})) as columns:
        try:
            partial = read_but_bad_rows(file.path, _READERS[file.reads], options, build or folder_build)
            if file.reads == "maf" and not partial.genome_build and folder_build:
                options["genome_build"] = canonical_build(folder_build, "meta_study.txt")
                partial = read_but_bad_rows(file.path, _READERS[file.reads], options, folder_build)
        except InputError as error:
            raise _answered_by_folder(error) from None
    if file.reads not in ("patient", "sample", "expression", "cna"):
        _list_unused(partial, columns)
    panel = file.meta.get("gene_panel")
    column = {"maf": "panel", "cna": "panel_cna", "cna_long": "panel_cna", "sv": "panel_sv"}.get(file.reads)
    if panel and column:
        _assign_panel(partial, panel, column, name)
    return partial


def _list_unused(partial: Partial, columns: ColumnMap) -> None:
    """Add the columns that a reader did not use to the note of its file."""
    unused = [c for c in columns.seen if c not in columns.taken]
    if unused and partial.reads:
        note = partial.reads[-1]
        listed = f"columns not used: {', '.join(unused[:12])}"
        listed += f" and {len(unused) - 12} more" if len(unused) > 12 else ""
        left = "; ".join(w for w in (note.left, listed) if w)
        partial.reads[-1] = type(note)(note.file, note.reader, note.rows, note.kept, left)


def _assign_panel(partial: Partial, panel: str, column: str, file: str) -> None:
    """Assign the panel given in the meta file to the samples of a file."""
    samples = sorted({str(s) for t in partial.tables.values() if "sample" in t for s in t["sample"].dropna().unique()})
    rows = pd.DataFrame({"sample": samples, "patient": None, column: panel}, index=range(1, len(samples) + 1))
    partial.tables["samples"] = finish("samples", rows, file, partial.problems)


def _answered_by_folder(error: InputError) -> InputError:
    """Return an error whose hint can be followed in a folder without a manifest."""
    hint = re.sub(r"units: \{([^:{}]+): ([^{}]+)\}", r"--unit \1=\2", error.hint or "")
    hint = hint.replace(" in the manifest", "")
    return answerable(InputError(error.message, where=error.where, hint=hint or None), "cbioportal", ())


_LISTS = {
    "mutations": ("_sequenced", "_cnaseq", "_3way_complete", "_complete"),
    "copy_number": ("_cna", "_cnaseq", "_3way_complete", "_complete"),
    "structural_variants": ("_sv",),
}
_CATEGORIES = {
    "mutations": ("all_cases_with_mutation_data", "all_cases_with_mutation_and_cna_data"),
    "copy_number": ("all_cases_with_cna_data", "all_cases_with_mutation_and_cna_data"),
    "structural_variants": ("all_cases_with_sv_data",),
}


def _case_lists(folder: Path, study: str) -> Partial:
    """Read which samples were profiled from ``case_lists``, which include sequenced samples without any mutation."""
    out = Partial()
    for path in sorted((folder / "case_lists").glob("*.txt")):
        fields = read_meta(path)
        stable, category = fields.get("stable_id", ""), fields.get("case_list_category", "")
        samples = frozenset(fields.get("case_list_ids", "").split())
        tail = stable.removeprefix(study) if study else stable
        kinds = [k for k, ends in _LISTS.items() if samples and (tail in ends or category in _CATEGORIES[k])]
        for kind in kinds:
            out.assessed[kind] = out.assessed.get(kind, frozenset()) | samples
        left = "" if kinds else "does not state for any kind of data which samples were profiled"
        out.note(f"case_lists/{path.name}", "cbioportal case list", len(samples), len(samples) if kinds else 0, left)
    return out


_EXOME_TEXT = re.compile(
    r"whole[\s-]*(exome|genome)|exome[\s-]*(wide|seq)|\bexomes?\b|\bW[EXG]S\b|genome sequencing", re.IGNORECASE
)
_TARGETED_TEXT = re.compile(r"target(ed)?\b|\bpanels?\b|impact|\bhybrid capture\b|amplicon|hotspot", re.IGNORECASE)
LARGEST_PANEL = 3000
"""Number of mutated genes above which the data are taken as exome or genome sequencing (assumed)."""


def _exome_evidence(files: list[StudyFile], study: Mapping[str, str], partials: list[Partial], rest: set[str]) -> str:
    """Return the evidence that samples without a panel were sequenced exome-wide, or ''."""
    has_matrix = any(f.reads == "panel_matrix" for f in files)
    for file in files:
        if file.reads == "maf":
            text = " ".join(file.meta.get(k, "") for k in ("profile_description", "profile_name", "description"))
            if _EXOME_TEXT.search(text) and (has_matrix or not _TARGETED_TEXT.search(text)):
                return f"the description of {file.path.name}"
    text = " ".join(study.get(k, "") for k in ("name", "description"))
    if _EXOME_TEXT.search(text) and (has_matrix or not _TARGETED_TEXT.search(text)):
        return "the description of the study"
    genes: set[str] = set()
    for partial in partials:
        table = partial.tables.get("mutations")
        if table is not None and len(table):
            genes.update(table.loc[table["sample"].isin(rest), "gene"].dropna().unique())
    return f"mutations in {len(genes):,} genes" if len(genes) > LARGEST_PANEL else ""


def _without_panel(
    files: list[StudyFile], study: Mapping[str, str], partials: list[Partial], listed: Partial
) -> Partial | None:
    """Assign the exome to sequenced samples without a panel if the study states exome sequencing."""
    sequenced = set(listed.assessed.get("mutations", frozenset()))
    with_panel: set[str] = set()
    for partial in partials:
        table = partial.tables.get("mutations")
        if table is not None:
            sequenced |= set(table["sample"].dropna())
        samples = partial.tables.get("samples")
        if samples is not None:
            with_panel |= set(samples.loc[samples["panel"].notna(), "sample"])
    rest = sequenced - with_panel
    if not rest:
        return None
    out = Partial()
    why = _exome_evidence(files, study, partials, rest)
    if not why:
        out.problems.append(
            f"{len(rest)} samples were sequenced with an unnamed panel: genes without mutation are not "
            "assessable in them. If it was an exome, write manifest.yaml with the line `panel: WES` and the file entry "
            "{file: ., format: cbioportal}; for a panel add data_gene_panel_NAME.txt and data_gene_panel_matrix.txt"
        )
        return out
    rows = pd.DataFrame({"sample": sorted(rest), "patient": None, "panel": EXOME}, index=range(1, len(rest) + 1))
    out.tables["samples"] = finish("samples", rows, "samples without panel", out.problems)
    out.assessed["mutations"] = frozenset(rest)
    out.problems.append(f"{len(rest)} samples without a panel are taken as exome-sequenced ({why})")
    return out


def _only_samples(partials: list[Partial]) -> Partial | None:
    """Assign tumour data in patient tables to the patient's only sample; report patients with several samples."""
    owner: dict[str, set[str]] = {}
    for partial in partials:
        samples = partial.tables.get("samples")
        if samples is not None:
            for sample, patient in samples[["sample", "patient"]].dropna().itertuples(index=False):
                owner.setdefault(str(patient), set()).add(str(sample))
    out = Partial()
    for partial in partials:
        if partial.of_patients is None:
            continue
        rows = partial.of_patients
        single = rows["patient"].map(lambda p: next(iter(owner[p])) if len(owner.get(p, ())) == 1 else None)
        values = [c for c in rows.columns if c != "patient"]
        lost = single.isna() & rows[values].notna().any(axis=1)
        if lost.any():
            out.problems.append(
                f"{int(lost.sum())} patients have several samples or none, and the table of patients gives their "
                f"{', '.join(values)}: the sample is not known, so these values were left out (first: "
                f"{rows.loc[lost, 'patient'].iloc[0]})"
            )
        kept = rows[single.notna()].assign(sample=single[single.notna()])
        if len(kept):
            out.tables["samples"] = finish("samples", kept, "table of patients", out.problems)
    return out if out.tables or out.problems else None


@reader(
    "cbioportal",
    "cBioPortal study folder as downloaded",
    ("patients", "samples", "mutations", "copy_number", "segments", "structural_variants", "pdl1", "hla", "labs"),
    {"units": "column, analyte or file name -> unit, if the study states none"},
)
def read_study_folder(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read a cBioPortal study folder; ``per_file`` holds the contribution of each file.

    Raises
    ------
    InputError
        Naming file, line and next action.
    """
    if not path.is_dir():
        raise InputError(
            "a cBioPortal study is a folder, not a file", where=str(path), hint="Give the folder: file: my_study/"
        )
    if not is_study_folder(path):
        raise InputError(
            "not a cBioPortal study: neither meta_study.txt nor data_clinical_*.txt",
            where=str(path),
            hint="Name its folder.",
        )
    given = options.get("units")
    units = given if isinstance(given, DeclaredUnits) else DeclaredUnits(given)
    study = read_meta(path / "meta_study.txt") if (path / "meta_study.txt").is_file() else {}
    files, panels, problems = files_of_study(path)
    build = study.get("reference_genome", "")
    whole = Partial(problems=problems)
    whole.per_file.append(_panels(panels))
    for file in sorted(files, key=lambda f: (list(_READERS).index(f.reads) if f.reads else 99, f.path.name)):
        if file.reads:
            whole.per_file.append(_read(file, build, units))
        else:
            whole.note(file.path.name, "none", 0, 0, file.why_not)
    whole.per_file.append(_case_lists(path, study.get("cancer_study_identifier", "")))
    for more in (_only_samples(whole.per_file), _without_panel(files, study, whole.per_file[:-1], whole.per_file[-1])):
        if more is not None:
            whole.per_file.append(more)
    if not isinstance(given, DeclaredUnits):
        units.check(path.name)
    return whole
