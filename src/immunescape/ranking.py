"""The face of the twins: ``immunescape.twin(folder, patient)``, ``immunescape.rank(…)``, and how their results show."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.errors import InputError, unknown_word
from immunescape.face import NOTICE

if TYPE_CHECKING:
    from immunescape.profiles import ProfiledStudy
    from immunescape.twins.records import PatientRecord
    from immunescape.twins.twin import TwinResult

__all__ = ["Twins", "twin"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Twins:
    """Twins of one patient, with ways to look at them; made by :func:`twin`."""

    result: TwinResult

    def __repr__(self) -> str:
        t = self.result.twins
        return f"Twins({t.patient!r}, {len(t)} twins, {t.effective:.0f} effective; .show() prints them)"

    @property
    def table(self) -> Any:
        """Twins at diagnosis (pandas), with their ``weight``."""
        return self.result.twins.table.assign(weight=self.result.twins.weights)

    @property
    def forecast(self) -> dict[str, Any]:
        """Forecast of the line on the day of the decision."""
        return dict(self.result.now)

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``twins.json``."""
        return {**self.result.to_json(), "notice": NOTICE}

    def show(self) -> None:
        """Print what the twins were conditioned on, how many are effective, and the forecast."""
        from immunescape.report.twin_text import print_twins

        print_twins(self.result)
        print(f"\n{NOTICE}")

    def save(self, folder: str | Path) -> list[Path]:
        """Write ``twins.json`` and ``twins.parquet``; returns the paths."""
        from immunescape.report.files import make_folder, parquet_bytes, write_whole

        target = Path(folder)
        make_folder(target)
        text = json.dumps(self.to_json(), indent=1, ensure_ascii=False)
        table = self.table[[c for c in self.table.columns if not str(c).startswith("x:")]]
        return [
            write_whole(target / "twins.json", text.encode()),
            write_whole(target / "twins.parquet", parquet_bytes(table)),
        ]


def _profiled(
    folder: str | Path | None, patient: str | None, units: dict[str, str] | None
) -> tuple[ProfiledStudy, str]:
    """The study with one patient profiled; None is the example that ships, and its first patient."""
    from immunescape.profile.loading import example_folder
    from immunescape.profiles import profile

    place = example_folder() if folder is None else folder
    if patient is None:
        if folder is not None:
            raise InputError("name a patient", hint="immunescape twin FOLDER --patient ID")
        patient = EXAMPLE
    study = profile(place, patients=[patient], units=units)
    if patient not in study.patients:
        raise unknown_word("patient", patient, study.done.study.patient_ids)
    return study, patient


EXAMPLE = "EX-01"
"""Patient of the example study whose twins `--example` makes."""


def twin(
    folder: str | Path | None = None,
    patient: str | None = None,
    *,
    at: float = 0.0,
    regimen: str | None = None,
    twins: int = 400,
    seed: int = 1,
    workers: int | None = None,
    engine: str = "auto",
    region: str = "western",
    units: dict[str, str] | None = None,
    enough: int | None = None,
    progress: Progress | None = None,
) -> Twins:
    """Draw the twins of a patient: the virtual population conditioned on what was measured.

    Parameters
    ----------
    folder
        Study folder, as of ``immunescape.profile``; None takes the example that ships.
    patient
        Identifier; None takes the example's patient.
    at
        Day of the decision, counted from the first dose of immunotherapy; nothing later is read.
    regimen
        What the forecast is of, as regimen text; None takes the line that the files name, else the standard of the
        setting.
    twins, seed, workers, engine, region
        Twins wanted; everything random follows from the seed and not from the number of processes.
    units
        For a cBioPortal study: column -> unit, where the study says none.
    enough
        Effective twins that there must be; None: 200.
    progress
        Called with (twins done, twins in all).

    Raises
    ------
    InputError
        For a patient or unit that is not known, and where too few twins are effective: names the measurement that the
        population finds least likely.
    """
    from immunescape.twins.conditioning import ENOUGH
    from immunescape.twins.records import patient_record
    from immunescape.twins.twin import made_twins

    study, patient = _profiled(folder, patient, units)
    record = patient_record(study.done.study, study.patients[patient], at)
    label, text = _line_of(record, regimen)
    result = made_twins(
        record, label, text, twins=twins, seed=seed, workers=_cores(workers), engine=engine, region=region,
        enough=ENOUGH if enough is None else enough, progress=progress,
    )  # fmt: skip
    return Twins(result)


def _line_of(record: PatientRecord, regimen: str | None) -> tuple[str, str]:
    """Name and regimen text of the line that is forecast."""
    from immunescape.twins.courses import regimen_of, usual_regimen
    from immunescape.twins.options import standard_of

    if regimen is not None:
        return regimen, str(regimen_of(regimen)) if regimen_of(regimen).drugs else "none"
    line = record.ongoing or record.planned
    if line is not None:
        return line.title, usual_regimen(line.drugs)
    standard = standard_of(record)
    return standard.title, standard.regimen


def _cores(workers: int | None) -> int:
    import os

    if workers is not None:
        return workers
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
