"""Simulating what a user chose: patients are drawn once, models compiled once, and sessions share only these."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.errors import InputError

if TYPE_CHECKING:
    from immunescape.app.choices import PatientChoice
    from immunescape.patients import PatientCourses, VirtualPatient
    from immunescape.patients.relief import LimitingStep

__all__ = ["Simulator", "course_files", "drugs_of"]


@lru_cache(maxsize=64)
def _drawn(seed: int, covariates: tuple[tuple[str, Any], ...]) -> VirtualPatient:
    from immunescape.patients import draw_patient

    return draw_patient(seed, **dict(covariates))


def drugs_of(regimen: str) -> tuple[str, ...]:
    """Return the drugs of a regimen text.

    Raises
    ------
    InputError
        Where the text is not a regimen; names the nearest word.
    """
    from immunescape.patients.simulate import UNTREATED
    from immunescape.trial.grammar import parse_regimen

    return () if regimen.strip().casefold() in UNTREATED else tuple(parse_regimen(regimen).drugs)


@dataclass
class Simulator:
    """Simulates choices of several sessions at once.

    Holds nothing of a session: only which models are compiled, and a lock for each, so that two sessions that ask for
    the same drugs do not compile them twice, and those that ask for others do not wait.
    """

    _locks: dict[tuple[str, ...], threading.Lock] = field(default_factory=dict)
    _ready: set[tuple[str, ...]] = field(default_factory=set)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def missing(self, choice: PatientChoice) -> list[tuple[str, ...]]:
        """Return the sets of drugs of a choice for which no model is compiled in this process yet."""
        needed = dict.fromkeys([(), *(drugs_of(text) for text in choice.regimens)])
        with self._guard:
            return [drugs for drugs in needed if drugs not in self._ready]

    def run(self, choice: PatientChoice) -> PatientCourses:
        """Draw the patient and simulate it under every regimen.

        Raises
        ------
        ImmunescapeError
            As `immunescape.patient` and `VirtualPatient.simulate` do.
        """
        from immunescape.patients import PatientCourses

        if len(choice.regimens) > 4:
            raise InputError(f"{len(choice.regimens)} regimens are given", hint="Compare at most four.")
        models = [drugs_of(text) for text in choice.regimens]  # a misspelt one is found before anything is compiled
        with self._lock(()):
            patient = _drawn(choice.seed, tuple(sorted(choice.covariates.items())))
            patient = patient.changed(**choice.changes)
        self._note(())
        courses = []
        for text, drugs in zip(choice.regimens, models, strict=True):
            with self._lock(drugs):
                courses.append(patient.simulate(text, months=choice.months, conduct=choice.conduct))
            self._note(drugs)
        return PatientCourses(tuple(courses))

    def limiting(self, courses: PatientCourses) -> list[LimitingStep]:
        """Relieve the steps of the cycle for each of the courses.

        Raises
        ------
        ImmunescapeError
            As `VirtualPatient.limiting_step` does.
        """
        steps = []
        for course in courses:
            text = course.regimen if course.regimen != "no treatment" else "none"
            with self._lock(drugs_of(text)):
                steps.append(course.patient.limiting_step(text))
        return steps

    def _lock(self, drugs: tuple[str, ...]) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(drugs, threading.Lock())

    def _note(self, drugs: tuple[str, ...]) -> None:
        with self._guard:
            self._ready.add(drugs)


def course_files(courses: PatientCourses, folder: Path, name: str) -> bytes:
    """Return one of the files that `immunescape simulate --out` writes, by name.

    Parameters
    ----------
    courses
        What was simulated.
    folder
        A private folder to write to.
    name
        Name of the file.
    """
    courses.save(folder, figure=False)
    if name.endswith(".png"):
        courses.plot(path=folder / name)
    return (folder / name).read_bytes()
