"""What the view of one patient computes: its courses at every change, and on request the steps that limit it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shiny import Session, reactive

from immunescape.app.choices import PatientChoice
from immunescape.app.patient_run import Simulator, course_files
from immunescape.errors import ImmunescapeError

if TYPE_CHECKING:
    from immunescape.patients import PatientCourses
    from immunescape.patients.relief import LimitingStep

__all__ = ["CourseFiles", "Relief", "Simulated", "Simulation"]


@dataclass(frozen=True)
class Simulated:
    """A choice, and the courses of its patient."""

    choice: PatientChoice
    courses: PatientCourses


class Simulation:
    """Simulates a choice whenever it changes; the last change wins, and what was shown stays until then.

    Parameters
    ----------
    simulator
        What sessions share.
    choice
        Reactive: what the fields hold; raises where that is not a choice.
    """

    def __init__(self, simulator: Simulator, choice: Callable[[], PatientChoice]) -> None:
        self.shown: reactive.Value[Simulated | None] = reactive.value(None)
        self.compiling = reactive.value("")
        self._asked: reactive.Value[PatientChoice | None] = reactive.value(None)
        self._refused = reactive.value("")  # what the fields hold is not a choice
        self._failed = reactive.value("")  # what was chosen cannot be simulated

        @reactive.extended_task
        async def compute(asked: PatientChoice) -> tuple[Simulated | None, str]:
            try:
                return Simulated(asked, await asyncio.to_thread(simulator.run, asked)), ""
            except ImmunescapeError as error:
                return None, str(error)

        self._compute = compute

        @reactive.effect
        def _start() -> None:
            try:
                choice_now = choice()
                missing = simulator.missing(choice_now)
            except ImmunescapeError as error:
                self._refused.set(str(error))
                return
            self._refused.set("")
            if compute.status() == "running":
                return  # runs again when it is finished
            with reactive.isolate():
                if self._asked() == choice_now:
                    return
            self._asked.set(choice_now)
            self.compiling.set(_compiling_text(missing))
            compute(choice_now)

        @reactive.effect
        def _finish() -> None:
            if compute.status() != "success":
                return
            simulated, text = compute.result()
            self._failed.set(text)
            if simulated is not None:
                self.shown.set(simulated)

    def status(self) -> str:
        """Status of the computation: ``initial``, ``running``, ``success``, ``error`` or ``cancelled``."""
        return self._compute.status()

    def problem(self) -> str:
        """What is wrong with the fields, or else with what was chosen."""
        return self._refused() or self._failed()


def _compiling_text(missing: list[tuple[str, ...]]) -> str:
    if not missing:
        return ""
    drugs = ["the untreated patient" if not d else " + ".join(d) for d in missing]
    return f"Preparing the model for {', '.join(drugs)}: up to half a minute, once for each set of drugs."


class Relief:
    """Relieves the steps of the cycle of what is shown, when this is asked for.

    Parameters
    ----------
    simulator
        What sessions share.
    shown
        Reactive: what is shown.
    asked
        Reactive: changes when the steps are asked for.
    """

    def __init__(
        self, simulator: Simulator, shown: Callable[[], Simulated | None], asked: Callable[[], object]
    ) -> None:
        self._shown = shown

        @reactive.extended_task
        async def relieve(simulated: Simulated) -> tuple[PatientChoice, list[LimitingStep], str]:
            try:
                return simulated.choice, await asyncio.to_thread(simulator.limiting, simulated.courses), ""
            except ImmunescapeError as error:
                return simulated.choice, [], str(error)

        self._relieve = relieve

        @reactive.effect
        @reactive.event(asked)
        def _limit() -> None:
            simulated = shown()
            if simulated is not None and not self.running():
                relieve(simulated)

    def running(self) -> bool:
        """Whether the steps are being relieved."""
        return bool(self._relieve.status() == "running")

    def steps(self) -> tuple[list[LimitingStep] | None, str]:
        """Steps of what is shown, and what is wrong with them; those of an earlier choice are not shown."""
        simulated = self._shown()
        if simulated is None or self._relieve.status() != "success":
            return None, ""
        choice, limiting, text = self._relieve.result()
        return (limiting or None, text) if choice == simulated.choice else (None, "")


class CourseFiles:
    """Files of what is shown, written when they are downloaded and deleted with the session.

    Parameters
    ----------
    session
        The session.
    shown
        Reactive: what is shown.
    """

    def __init__(self, session: Session, shown: Callable[[], Simulated | None]) -> None:
        self._shown = shown
        self._folder = tempfile.TemporaryDirectory(prefix="immunescape-")
        session.on_ended(self._folder.cleanup)

    async def content(self, name: str) -> bytes:
        """Content of one of the files, by its name in ``immunescape simulate --out``."""
        with reactive.isolate():
            simulated = self._shown()
        if simulated is None:
            raise RuntimeError("nothing is simulated yet")
        return await asyncio.to_thread(self._written, simulated.courses, name)

    def _written(self, courses: PatientCourses, name: str) -> bytes:
        with tempfile.TemporaryDirectory(dir=self._folder.name) as place:
            return course_files(courses, Path(place), name)
