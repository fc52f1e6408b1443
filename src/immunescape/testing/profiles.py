"""Checks of a biomarker and of a reader."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from immunescape.errors import ImmunescapeError, PluginError
from immunescape.knowledge.profile_records import Measurement
from immunescape.knowledge.references import get_reference, load_references
from immunescape.profile.biomarkers.registry import BIOMARKERS, Biomarker
from immunescape.profile.loading import example_folder, load_study
from immunescape.profile.readers import Partial, Reader, get_reader
from immunescape.profile.study import COLUMNS, KINDS, Study
from immunescape.record_types import wrong_field
from immunescape.testing.contract import require

__all__ = ["check_biomarker", "check_reader"]


def check_biomarker(biomarker: Biomarker | str, *, study: Study | Path | None = None) -> None:
    """Check that a biomarker keeps the contract.

    It says what it is and cites what exists; patients of whom nothing is known are not assessable, never negative; of a
    study (the example that ships where None) it answers for every patient alone, in its own unit and words, twice the
    same, and leaves the study as it was.

    Raises
    ------
    AssertionError
        Where the contract is not kept.
    """
    record = BIOMARKERS.get(biomarker) if isinstance(biomarker, str) else biomarker
    require(isinstance(record, Biomarker), f"this is {type(record).__name__}, not Biomarker")
    name = record.name
    require(not (wrong := wrong_field(record)), f"the biomarker '{name}': {wrong}")
    for field in ("title", "family", "definition", "limits"):
        require(getattr(record, field), f"the biomarker '{name}' has no {field}")
    references = load_references()
    require(record.references, f"the biomarker '{name}' cites nothing")
    for key in record.references:
        get_reference(key, references, where=f"biomarker '{name}'")
    require(record.needs, f"the biomarker '{name}' needs no data")
    require(set(record.needs) <= set(KINDS), f"the biomarker '{name}' needs a kind of data that no study has")
    given = load_study(example_folder()) if study is None else study if isinstance(study, Study) else load_study(study)
    before = {kind: getattr(given, kind).copy() for kind in COLUMNS}
    first, second = record(given), record(given)
    for kind, table in before.items():
        require(table.equals(getattr(given, kind)), f"the biomarker '{name}' changes the table '{kind}' of the study")
    require(set(first) == set(given.patient_ids), f"the biomarker '{name}' does not answer for every patient")
    for patient, measurement in first.items():
        _check_measurement(record, measurement, patient)
        require(_same(measurement, second[patient]), f"'{name}' of {patient} differs from one call to the next")
    nobody = Study(
        patients=given.patients[["patient"]].assign(**{c: None for c in COLUMNS["patients"] if c != "patient"})
    )
    for patient, measurement in record(nobody).items():
        require(
            measurement.value is None,
            f"'{name}' of {patient} is {measurement.value!r} without any data; it is not assessable",
        )


def _same(a: Measurement, b: Measurement) -> bool:
    return a == b or (a.value == b.value and a.status == b.status)


def _check_measurement(record: Biomarker, measurement: object, patient: str) -> None:
    where = f"'{record.name}' of {patient}"
    require(isinstance(measurement, Measurement), f"{where} is {type(measurement).__name__}, not Measurement")
    assert isinstance(measurement, Measurement)
    require(measurement.name == record.name, f"{where} is named '{measurement.name}'")
    require(measurement.unit == record.unit, f"{where} is in '{measurement.unit}', not '{record.unit}'")
    if measurement.value is None:
        return
    require(measurement.status != "not_assessable", f"{where} has a value and is not assessable")
    if isinstance(measurement.value, float):
        require(math.isfinite(measurement.value), f"{where} is {measurement.value}")
    if record.words and isinstance(measurement.value, str):
        require(
            measurement.value in record.words, f"{where} is '{measurement.value}', which is not one of its categories"
        )


def check_reader(reader: Reader | str, example: Path, *, options: Mapping[str, Any] | None = None) -> Partial:
    """Check that a reader keeps the contract, with a file that it can read; return what it reads.

    It gives tables of the kinds that it says, with columns that exist, notes what it read and left, and reads the file
    twice the same. An empty file, one of random bytes, and the example cut in its middle or without its first row are
    read or refused with an error of immunescape (naming the file), and never end in another error.

    Raises
    ------
    AssertionError
        Where the contract is not kept.
    """
    record = get_reader(reader) if isinstance(reader, str) else reader
    require(isinstance(record, Reader), f"this is {type(record).__name__}, not Reader")
    name = record.name
    require(record.title, f"the reader '{name}' has no title")
    require(record.gives, f"the reader '{name}' gives nothing")
    path = Path(example)
    try:
        given, again = record(path, options), record(path, options)
    except PluginError as error:
        raise AssertionError(str(error)) from error
    for kind, table in given.tables.items():
        require(kind in record.gives, f"the reader '{name}' gives '{kind}', which it does not declare")
        require(table.equals(again.tables[kind]), f"the reader '{name}' reads '{kind}' differently the second time")
        if kind in COLUMNS:
            required = [c for c in ("patient", "sample") if c in COLUMNS[kind]]
            require(
                not len(table) or any(c in table.columns for c in required),
                f"the rows of '{kind}' that '{name}' gives belong to nobody: no column {' or '.join(required)}",
            )
            shared = [c for c in table.columns if c in COLUMNS[kind]]
            require(shared, f"no column of '{kind}' that '{name}' gives is one of {', '.join(COLUMNS[kind])}")
    require(given.tables or given.expression is not None or given.per_file or given.panels, f"'{name}' reads nothing")
    require(given.reads or given.per_file, f"the reader '{name}' does not note what it read and left (Partial.note)")
    _check_damaged(record, path, options)
    return given


def _check_damaged(record: Reader, path: Path, options: Mapping[str, Any] | None) -> None:
    if path.is_dir():
        return
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    damaged = {
        "empty": b"",
        "of random bytes": bytes((37 * i * i + 11 * i) % 256 for i in range(2000)),
        "cut in its middle": content[: len(content) // 2],
        "without its first row": b"".join(lines[1:]),
    }
    with tempfile.TemporaryDirectory() as folder:
        for what, data in damaged.items():
            file = Path(folder) / path.name
            file.write_bytes(data)
            try:
                record(file, options)
            except PluginError as error:
                cause = error.__cause__ or error
                raise AssertionError(
                    f"the reader '{record.name}' ends in {type(cause).__name__} for a file {what}: {cause}"
                ) from error
            except ImmunescapeError as error:
                require(
                    path.name in str(error), f"the error of '{record.name}' for a file {what} does not name it: {error}"
                )
            except Exception as error:
                raise AssertionError(
                    f"the reader '{record.name}' ends in {type(error).__name__} for a file {what}: {error}"
                ) from error
