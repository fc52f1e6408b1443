"""A folder -> a study: finds the files, reads them, joins what they give, and says what is doubtful."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from immunescape.errors import ImmunescapeError, InputError
from immunescape.profile import manifest as manifests
from immunescape.profile.gene_doubts import doubt_genes
from immunescape.profile.panels import add_panels
from immunescape.profile.readers._base import Partial, get_reader
from immunescape.profile.readers._clinical import DeclaredUnits
from immunescape.profile.readers._somatic import GENERIC_SAMPLES
from immunescape.profile.readers.study_folder import is_study_folder, read_meta, read_study_folder
from immunescape.profile.study import COLUMNS, Study, empty_table

__all__ = ["OUTSIDE_VARIABLE", "example_folder", "join", "load_study", "study_name"]

_BUILT = ("mutations", "segments", "copy_number")


def example_folder() -> Path:
    """Return the folder of the example study that ships (made-up patients)."""
    return Path(__file__).parent / "example"


def load_study(folder: str | Path, units: Mapping[str, str] | None = None, allow_outside: bool | None = None) -> Study:
    """Read a study.

    Parameters
    ----------
    folder
        A folder with ``manifest.yaml``, a manifest file, or a cBioPortal study folder as downloaded.
    units
        For a cBioPortal study: column, analyte or name of an expression file -> unit, where the study says none. A
        manifest holds its own ``units:``.
    allow_outside
        Read files outside the folder that the manifest names (``..``, absolute, or by a symbolic link); None: only
        where the environment variable ``IMMUNESCAPE_ALLOW_OUTSIDE`` is 1.

    Raises
    ------
    InputError
        Naming file, line, the nearest valid word and the next action.
    """
    path = Path(folder)
    declared = DeclaredUnits(units)
    outside = os.environ.get(OUTSIDE_VARIABLE) == "1" if allow_outside is None else allow_outside
    manifest = _manifest_of(path)
    if manifest is None:
        return _from_cbioportal(path, declared, outside)
    return _from_manifest(manifest, declared, outside)


def study_name(folder: str | Path) -> str:
    """Return the name that :func:`load_study` gives the study of a folder, without reading its other files.

    Parameters
    ----------
    folder
        As for :func:`load_study`.

    Raises
    ------
    InputError
        If the folder holds no study, or its manifest cannot be read.
    """
    path = Path(folder)
    manifest = _manifest_of(path)
    return _cbioportal_name(path) if manifest is None else manifests.read_manifest(manifest).study


def _manifest_of(path: Path) -> Path | None:
    """Return the manifest of a folder, or the file itself; None for a cBioPortal study. Anything else is refused."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise InputError("folder not found", where=str(path), hint="Give a study folder or a manifest.yaml.")
    for name in ("manifest.yaml", "manifest.yml"):
        if (path / name).is_file():
            return path / name
    if is_study_folder(path):
        return None
    raise InputError(
        "neither a manifest.yaml nor a cBioPortal study (data_clinical_patient.txt)",
        where=str(path),
        hint="Write one: immunescape profile --template > manifest.yaml",
    )


def _cbioportal_name(folder: Path) -> str:
    """Return the identifier of a cBioPortal study; without one, the name of its folder."""
    meta = read_meta(folder / "meta_study.txt") if (folder / "meta_study.txt").is_file() else {}
    return meta.get("cancer_study_identifier") or folder.name


OUTSIDE_VARIABLE = "IMMUNESCAPE_ALLOW_OUTSIDE"
_PACKAGE_VARIABLE = re.compile(r"\$\{IMMUNESCAPE_\w+\}")


def _inside(path: Path, folders: Iterable[Path], outside: bool, where: str = "") -> Path:
    """Return a path; refuse one that points outside the folders, by ``..``, from the root or by a symbolic link."""
    target = path.resolve()
    if outside or any(target.is_relative_to(f.resolve()) for f in folders):
        return path
    link = " by a symbolic link" if path.is_symlink() else ""
    raise InputError(
        f"'{path}' points outside the study's folder{link}",
        where=where or None,
        hint=f"Copy the file into the folder; or, if you trust the manifest, allow it: {OUTSIDE_VARIABLE}=1.",
    )


def _from_cbioportal(folder: Path, units: DeclaredUnits, outside: bool) -> Study:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            _inside(path, (folder,), outside)
    whole = read_study_folder(folder, {"units": units})
    units.check("--unit")
    return join([whole], _cbioportal_name(folder))


def _from_manifest(path: Path, units: DeclaredUnits, outside: bool) -> Study:
    if units:
        raise InputError(
            "--unit is for a cBioPortal study folder", where=path.name, hint="Write units: {COLUMN: UNIT} for the file."
        )
    spec = manifests.read_manifest(path)
    root = manifests.root_of(spec, path.parent, path.name)
    folders = [path.parent]
    if _PACKAGE_VARIABLE.match(spec.root):  # set for this program by whoever runs it
        folders.append(root)

    def inside(name: str, base: Path) -> Path:
        file = base / manifests._expanded(name, path.name)
        root = [file] if _PACKAGE_VARIABLE.match(name) else []
        return _inside(file, [*folders, *root], outside, f"{path.name}, file {name}")

    build = manifests.build_of(spec, path.name)
    declared = Partial(genome_build=build)
    for panel in spec.panels:
        if isinstance(panel.genes, str):
            inside(panel.genes, path.parent)
        declared.panels[panel.name] = manifests.panel_of(panel, path.parent, path.name)
    partials = [declared]
    for entry in spec.files:
        chosen = get_reader(entry.format, where=f"{path.name}, file {entry.file}")
        options: dict[str, Any] = entry.options
        if build and "genome_build" in chosen.options:
            options.setdefault("genome_build", build)
        if isinstance(options.get("tx2gene"), str):
            options["tx2gene"] = str(inside(options["tx2gene"], root).absolute())
        partials.append(chosen(inside(entry.file, root), options))
    study = join(partials, spec.study, spec.panel)
    if spec.reference is not None:
        from immunescape.profile.biomarkers.expression import load_reference

        folder = root / manifests._expanded(spec.reference, path.name)
        named = Path(spec.reference).name == spec.reference  # a reference that ships or was built
        chosen_reference = inside(spec.reference, root) if folder.is_dir() or not named else spec.reference
        study.expression_reference = load_reference(chosen_reference)
    return study


def join(partials: Iterable[Partial], name: str = "study", panel: str | None = None) -> Study:
    """Join what files gave into one study.

    Parameters
    ----------
    partials
        What the readers returned, in order; the first value of a cell wins.
    name
        Name of the study.
    panel
        Panel of samples that name none.

    Raises
    ------
    InputError
        Where files contradict each other (genome build, patient of a sample, two expression tables).
    """
    study = Study(name=name)
    per_file = [p for whole in partials for p in (whole, *whole.per_file)]
    _check_files_distinct(per_file)
    for partial in per_file:
        _build(study, partial)
        study.reads.extend(partial.reads)
        study.problems.extend(partial.problems)
        study.panels.update(partial.panels)
        for kind, samples in partial.assessed.items():
            study.assessed[kind] = study.assessed.get(kind, frozenset()) | samples
        for key, samples in partial.unclear.items():
            study.unclear[key] = study.unclear.get(key, frozenset()) | samples
        for kind in partial.tables:
            study.given.add(kind)
            files = tuple(dict.fromkeys(note.file for note in partial.reads))
            study.sources[kind] = tuple(dict.fromkeys((*study.sources.get(kind, ()), *files)))
        if partial.expression is not None:
            _expression(study, partial)
    if study.panels:
        study.given.add("panels")
    for kind in COLUMNS:
        tables = [p.tables[kind] for p in per_file if kind in p.tables]
        setattr(study, kind, _stack(kind, tables))
    study.samples = _unique_rows(study.samples, "sample", study)
    study.patients = _unique_rows(study.patients, "patient", study)
    _owners(study)
    _listed_as_seen(study, per_file)
    _default_panel(study, panel, per_file)
    _unknown_consequence(study)
    _several_samples(study)
    for column in ("panel_cna", "panel_sv"):
        study.samples[column] = study.samples[column].where(study.samples[column].notna(), study.samples["panel"])
    add_panels(study)
    _drop_filled(study)
    doubt_genes(study)
    if not len(study.patients):
        raise InputError("no patient in any file", where=name, hint="Name a file that lists patients or samples.")
    study.problems = list(dict.fromkeys(study.problems))
    return study


_DNA = ("mutations", "copy_number", "segments", "structural_variants")


def _listed_as_seen(study: Study, per_file: list[Partial]) -> None:
    """Where some files list the samples that were looked at, add the samples of files that list none but have rows."""
    for kind in ("mutations", "copy_number", "structural_variants"):
        if kind not in study.assessed:
            continue
        for partial in per_file:
            if kind in partial.tables and kind not in partial.assessed:
                study.assessed[kind] |= frozenset(partial.tables[kind]["sample"].dropna())


def _expression_alone(study: Study) -> set[str]:
    """Take samples of which there is RNA alone out of those that were looked at for changes of DNA; return them."""
    dna = {s for kind in _DNA for s in study.table(kind)["sample"].dropna()}
    dna |= {s for kind in _DNA for s in study.assessed.get(kind, ())}
    named = study.samples[["panel", "panel_cna", "panel_sv"]].notna().any(axis=1)
    dna |= set(study.samples.loc[named, "sample"])
    rna = {str(s) for s in study.expression.columns} - dna
    if rna and any(study.has(kind) for kind in _DNA):
        for kind in ("mutations", "copy_number", "structural_variants"):
            if study.has(kind):
                seen = study.assessed.get(kind, frozenset(study.samples["sample"]))
                study.assessed[kind] = frozenset(seen) - rna
    return rna


def _default_panel(study: Study, panel: str | None, per_file: list[Partial]) -> None:
    """Give the default panel to samples that a sequencing file holds; the others were not seen to be sequenced."""
    rna = _expression_alone(study)
    if panel is None:
        return
    sequenced = {s for partial in per_file for s in partial.sequenced}
    sequenced |= {s for samples in study.assessed.values() for s in samples}
    patients: set[str] = set()
    for kind in (*_BUILT, "structural_variants"):
        table = study.table(kind)
        sequenced.update(table["sample"].dropna())
        patients.update(table.loc[table["sample"].isna(), "patient"].dropna())
    samples = study.samples
    there = samples["sample"].isin(sequenced) | samples["patient"].isin(patients) & ~samples["sample"].isin(rna)
    for column in ("panel", "panel_cna", "panel_sv"):
        samples[column] = samples[column].where(samples[column].notna() | ~there, panel)
    without = samples["panel"].isna()
    if without.any():
        first = samples.loc[without, "sample"].iloc[0]
        study.problems.append(
            f"{int(without.sum())} samples are in no sequencing file (first: {first}): "
            f"the default panel {panel} does not apply to them; samples that were sequenced without any "
            "mutation need their "
            "panel in the table of samples"
        )


def _unknown_consequence(study: Study) -> None:
    """A mutation whose consequence is not known leaves its gene open: it is neither changed nor unchanged."""
    table = study.mutations
    unknown = (table["classification"] == "Unknown") & table["gene"].notna()
    if not unknown.any():
        return
    rows = table[unknown]
    for gene, group in rows.groupby("gene"):
        key = ("mutations", str(gene))
        study.unclear[key] = study.unclear.get(key, frozenset()) | frozenset(group["sample"].map(str))
    first = rows.iloc[0]
    study.problems.append(
        f"{len(rows)} mutations have no known consequence (first: {first['gene']} in {first['sample']}): their genes "
        "are not assessable there unless another mutation decides. Annotate them"
    )
    for patient, gene in rows.loc[rows["sample"].isna(), ["patient", "gene"]].itertuples(index=False):
        key = ("mutations", str(gene))
        whose = study.samples.loc[study.samples["patient"] == patient, "sample"]
        study.unclear[key] = study.unclear.get(key, frozenset()) | frozenset(whose)


def _several_samples(study: Study) -> None:
    """Say which patients have several tumour samples, and which of them speaks."""
    table = study.samples[["patient", "sample"]].dropna().drop_duplicates()
    counts = table["patient"].value_counts()
    many = counts.index[counts > 1]
    if not len(many):
        return
    first = table.loc[table["patient"].isin(many), "patient"].iloc[0]
    names = [str(s) for s in table.loc[table["patient"] == first, "sample"]]
    days = study.samples.loc[study.samples["patient"].isin(many), "day"].notna()
    how = "the last up to day 0, else the first" if days.any() else "the first by name, as no day is given"
    study.problems.append(
        f"{len(many)} patients have several samples, which are kept apart (first: {first} with {', '.join(names[:4])}"
        f"{' …' if len(names) > 4 else ''}). Mutation burden rests on one of them, {how}; a value that comes from one "
        "sample names it"
    )


def _check_files_distinct(per_file: list[Partial]) -> None:
    """Refuse one name for the tumours of two files of mutations, where nothing says that they are one tumour."""
    listed: set[str] = set()
    for partial in per_file:
        if "mutations" not in partial.tables and "samples" in partial.tables:
            rows = partial.tables["samples"]
            listed.update(rows.loc[rows["patient"].notna(), "sample"])
    _rename_namesakes(per_file)
    first: dict[str, tuple[str, object]] = {}
    for partial in per_file:
        table = partial.tables.get("mutations")
        if table is None:
            continue
        file = partial.reads[0].file if partial.reads else "a file"
        owner = dict(zip(table["sample"], table["patient"], strict=True))
        if "samples" in partial.tables:
            owner |= dict(zip(partial.tables["samples"]["sample"], partial.tables["samples"]["patient"], strict=True))
        for sample in sorted({*partial.sequenced, *(s for s in owner if isinstance(s, str))}):
            patient = owner.get(sample)
            other, others_patient = first.setdefault(sample, (file, patient))
            if other == file and others_patient is patient:
                continue
            declared = isinstance(patient, str) and patient == others_patient
            if not declared and (sample.casefold() in GENERIC_SAMPLES or sample not in listed):
                raise InputError(
                    f"'{sample}' is the tumour of {other} and of {file}: one patient, or two with the same name?",
                    where=file,
                    hint="Set patient: for each of the two files in the manifest; or join them into one file; or list "
                    "the sample with its patient in a table of samples.",
                )


def _owners_of(partial: Partial) -> dict[str, str]:
    """Return sample -> patient of a file of mutations, where the file or the manifest says it."""
    tables = [
        partial.tables[k] for k in ("mutations", "samples") if k in partial.tables and "mutations" in partial.tables
    ]
    pairs = [pair for t in tables for pair in zip(t["sample"], t["patient"], strict=True)]
    return {s: p for s, p in pairs if isinstance(s, str) and isinstance(p, str)}


def _rename_namesakes(per_file: list[Partial]) -> None:
    """Name samples of one name after their patients, where each file says that they are of different patients."""
    patients: dict[str, set[str]] = {}
    for partial in per_file:
        for sample, patient in _owners_of(partial).items():
            patients.setdefault(sample, set()).add(patient)
    for partial in per_file:
        owners = _owners_of(partial)
        names = {s: f"{p}-{s}" for s, p in owners.items() if len(patients[s]) > 1}
        if not names:
            continue
        for table in partial.tables.values():
            if "sample" in table:
                table["sample"] = table["sample"].replace(names)
        partial.sequenced = frozenset(names.get(s, s) for s in partial.sequenced)
        partial.assessed = {k: frozenset(names.get(s, s) for s in v) for k, v in partial.assessed.items()}
        partial.unclear = {k: frozenset(names.get(s, s) for s in v) for k, v in partial.unclear.items()}
        partial.problems.append(
            f"{partial.reads[0].file if partial.reads else 'a file'}: samples of several patients share a name, and "
            f"are named after the patient: {', '.join(sorted(names.values())[:3])}"
        )


def _drop_filled(study: Study) -> None:
    """Drop zeros of discrete copy number in genes that the sample's panel does not hold: they were never measured."""
    table = study.copy_number
    complete = {n: p.genes for n, p in study.panels.items() if p.complete and p.genes and not p.whole_exome}
    if not len(table) or not complete:
        return
    panel_of = dict(zip(study.samples["sample"], study.samples["panel_cna"], strict=True))
    panels = table["sample"].map(panel_of)
    drop = pd.Series(False, index=table.index)
    for name, genes in complete.items():
        drop |= (panels == name) & ~table["gene"].isin(genes) & (table["discrete"] == 0)
    if drop.any():
        study.copy_number = table[~drop].reset_index(drop=True)
        study.problems.append(
            f"copy number: {int(drop.sum())} zeros of {table.loc[drop, 'gene'].nunique()} genes outside the sample's "
            "panel were left out: not measured is not diploid"
        )


def _build(study: Study, partial: Partial) -> None:
    if partial.genome_build and study.genome_build and partial.genome_build != study.genome_build:
        file = partial.reads[0].file if partial.reads else "a file"
        raise InputError(
            f"genome build {partial.genome_build}, where the study is {study.genome_build}",
            where=file,
            hint="Lift one over, or correct genome_build.",
        )
    study.genome_build = study.genome_build or partial.genome_build


def _expression(study: Study, partial: Partial) -> None:
    assert partial.expression is not None
    file = partial.reads[0].file if partial.reads else ""
    study.given.add("expression")
    study.sources["expression"] = (*study.sources.get("expression", ()), file)
    if study.expression.empty:
        study.expression = partial.expression
        study.expression_unit = partial.expression_unit  # type: ignore[assignment]
        study.gene_map = partial.gene_map or study.gene_map
        return
    if study.expression_unit != partial.expression_unit:
        raise InputError(f"expression in {partial.expression_unit} and in {study.expression_unit}", where=file)
    twice = sorted(set(study.expression.columns) & set(partial.expression.columns))
    if twice:
        raise InputError(f"expression of the sample '{twice[0]}' is given in two files", where=file)
    study.expression = study.expression.join(partial.expression, how="inner")
    study.problems.append(f"{file}: expression tables are joined on {len(study.expression)} shared genes")


def _stack(kind: str, tables: list[pd.DataFrame]) -> pd.DataFrame:
    tables = [t for t in tables if len(t)]
    if not tables:
        return empty_table(kind)
    if len(tables) == 1:
        return tables[0].reset_index(drop=True)
    columns = list(dict.fromkeys(c for t in tables for c in t.columns))
    data: dict[str, Any] = {}
    for column in columns:
        pieces = []
        for table in tables:
            if column in table:
                pieces.append(table[column].to_numpy())
            else:
                pieces.append(np.full(len(table), np.nan if COLUMNS[kind].get(column) == "n" else None))
        numeric = COLUMNS[kind].get(column) == "n"
        data[column] = np.concatenate([np.asarray(p, dtype=float if numeric else object) for p in pieces])
    return pd.DataFrame(data)


def _unique_rows(frame: pd.DataFrame, key: str, study: Study) -> pd.DataFrame:
    """Join rows of one patient or sample; cells that contradict each other are named, and the first one stays."""
    twice = frame[key].duplicated(keep=False)
    if not twice.any():
        return frame
    groups = frame[twice].groupby(key, sort=False)
    clash: list[str] = []
    for column in frame.columns:
        if column == key:
            continue
        many = groups[column].nunique(dropna=True)
        names = list(many.index[many > 1])
        if names and column == "patient":
            raise InputError(f"the sample '{names[0]}' belongs to two patients", where=study.name)
        if names:
            clash.append(f"{column} of {', '.join(str(n) for n in names[:3])}{' …' if len(names) > 3 else ''}")
    repeated = int(frame[key].duplicated().sum())
    if clash:
        study.problems.append(f"rows of one {key} contradict each other, the first is kept: {'; '.join(clash)}")
    joined = groups.first().reset_index()
    rest = frame[~twice]
    order = {v: i for i, v in enumerate(dict.fromkeys(frame[key]))}
    frames = [p for p in (rest, joined[frame.columns]) if len(p)]
    out = frames[0] if len(frames) == 1 else _stack("patients" if key == "patient" else "samples", frames)
    out = out.iloc[np.argsort([order[v] for v in out[key]], kind="stable")].reset_index(drop=True)
    for column in out.columns:
        if out[column].dtype == object:
            out[column] = out[column].where(out[column].notna(), None)
    if repeated and clash:
        study.problems.append(f"{repeated} repeated rows of a {key} were joined")
    return out


def _owners(study: Study) -> None:
    """Give every row its patient (by its sample), and every sample and patient its own row."""
    samples = study.samples
    unowned = samples["patient"].isna()
    owner = dict(zip(samples["sample"], samples["patient"], strict=True))
    owner = {s: p for s, p in owner.items() if isinstance(p, str)}
    for kind in COLUMNS:  # a table that names both says whose the sample is in files that name the sample alone
        table = study.table(kind)
        if kind in ("patients", "samples", "tcr", "microbiome") or "sample" not in COLUMNS[kind] or not len(table):
            continue
        both = table.loc[table["sample"].notna() & table["patient"].notna(), ["sample", "patient"]].drop_duplicates()
        for sample, patient in both.to_numpy(dtype=object):
            if owner.setdefault(sample, patient) != patient:
                raise InputError(
                    f"the sample '{sample}' is of two patients, {owner[sample]} and {patient} (table of {kind})",
                    where=study.name,
                    hint="Give every sample a name of its own, such as PATIENT-T.",
                )
    patients = set(study.patient_ids)
    guessed: set[str] = set()

    def patient_of(sample: object) -> str | None:
        if not isinstance(sample, str):
            return None
        if sample in owner:
            value: str | None = owner[sample]
            return value
        if sample not in patients:
            guessed.add(sample)
        return sample[:12] if sample.startswith("TCGA-") else sample

    seen: dict[str, str | None] = {}
    for kind in COLUMNS:
        if kind in ("patients", "samples") or "sample" not in COLUMNS[kind]:
            continue
        table = study.table(kind)
        if not len(table):
            continue
        missing = table["patient"].isna()
        if missing.any():
            table["patient"] = table["patient"].where(~missing, table["sample"].map(patient_of))
        if kind in ("tcr", "microbiome"):  # blood and stool are no samples of the tumour
            continue
        pairs = table.loc[table["sample"].notna(), ["sample", "patient"]].drop_duplicates("sample")
        seen.update(dict(zip(pairs["sample"], pairs["patient"], strict=True)))
    for sample in [*study.expression.columns, *(s for kind in study.assessed.values() for s in sorted(kind))]:
        seen.setdefault(str(sample), patient_of(str(sample)))
    if unowned.any():
        samples.loc[unowned, "patient"] = samples.loc[unowned, "sample"].map(lambda s: seen.get(s) or patient_of(s))
    new = [s for s in seen if s not in set(samples["sample"])]
    if new:
        added = empty_table("samples").reindex(range(len(new)))
        added["sample"], added["patient"] = new, [seen[s] for s in new]
        study.samples = _stack("samples", [samples, added])
    if guessed:
        study.problems.append(
            f"{len(guessed)} samples are not listed with a patient (first: {sorted(guessed)[0]}): each counts as its "
            "own patient"
        )
    _patients(study)


def _patients(study: Study) -> None:
    patients = set(study.patient_ids)
    extra: dict[str, None] = {}
    for kind in COLUMNS:
        if kind == "patients":
            continue
        for patient in study.table(kind)["patient"].dropna().unique():
            if patient not in patients:
                extra.setdefault(str(patient))
    if extra:
        added = empty_table("patients").reindex(range(len(extra)))
        added["patient"] = list(extra)
        if study.has("patients") and len(patients):
            study.problems.append(
                f"{len(extra)} patients are in other files but not in the table of patients "
                f"(first: {next(iter(extra))})"
            )
        study.patients = _stack("patients", [study.patients, added])


def safely(folder: str | Path) -> Study | ImmunescapeError:
    """Read a study, or return the error that says what is wrong."""
    try:
        return load_study(folder)
    except ImmunescapeError as error:
        return error
