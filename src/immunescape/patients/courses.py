"""Several courses of one patient (regimens, values of a parameter) side by side: one table, one plot, one folder."""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.release import installation

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from immunescape.patients.course import PatientCourse

__all__ = ["PatientCourses", "save_courses"]

_HINT = "Choose another folder (--out), or make room."


@dataclass(frozen=True, repr=False, eq=False)
class PatientCourses:
    """Courses that are compared; made by :meth:`VirtualPatient.compare` and :meth:`VirtualPatient.sweep`."""

    courses: tuple[PatientCourse, ...]

    def __len__(self) -> int:
        return len(self.courses)

    def __iter__(self) -> Iterator[PatientCourse]:
        return iter(self.courses)

    def __getitem__(self, index: int) -> PatientCourse:
        return self.courses[index]

    @property
    def table(self) -> pd.DataFrame:
        """Outputs of all courses, below each other: columns ``course``, ``day`` and the outputs."""
        import pandas as pd

        tables = [c.table.reset_index().assign(course=c.label) for c in self.courses]
        table = pd.concat(tables, ignore_index=True)
        return table[["course", "day", *(c for c in table.columns if c not in ("course", "day"))]]

    @property
    def outcomes(self) -> pd.DataFrame:
        """One row per course: best response, months of progression, death and end of treatment, severe toxicity."""
        import pandas as pd

        from immunescape.units import DAYS_PER_MONTH

        rows = []
        for course in self.courses:
            o = course.outcome
            row: dict[str, Any] = {"course": course.label, "doses": len(course.doses)}
            if o:
                row |= {"best_response": o["best_response"], "best_change_pct": o["best_change_pct"]}
                for name in ("progression", "treatment_end", "death"):
                    day = o[f"{name}_day"]
                    row[f"{name}_months"] = float("nan") if day is None else day / DAYS_PER_MONTH
                row["severe_toxicity"] = len(o["toxicity"])
            elif "diameter_T" in course.table.columns:
                size = course.table["diameter_T"]
                row["change_of_diameter_pct"] = 100.0 * float(size.iloc[-1] / size.iloc[0] - 1.0)
            rows.append(row)
        return pd.DataFrame(rows)

    def plot(self, panels: str | Sequence[str] | None = None, path: str | Path | None = None) -> Figure:
        """Plot the courses over each other; see :meth:`PatientCourse.plot`.

        Parameters
        ----------
        panels, path
            As for :meth:`PatientCourse.plot`.

        Returns
        -------
        Figure
            A matplotlib figure.

        Raises
        ------
        InputError
            For an output that a course does not have, and for a file that cannot be written.
        """
        from immunescape.patients.plot import plot_courses

        return plot_courses(self.courses, panels, path)

    def save(self, folder: str | Path, *, figure: bool = True) -> list[Path]:
        """Write the courses to a folder; see :meth:`PatientCourse.save`.

        Parameters
        ----------
        folder, figure
            As for :meth:`PatientCourse.save`.

        Returns
        -------
        list of Path
            The files written.

        Raises
        ------
        InputError
            If the folder cannot be written to.
        """
        return save_courses(self.courses, Path(folder), figure=figure)

    def __repr__(self) -> str:
        return "PatientCourses(\n" + "\n".join(f"  {c.label}: {' '.join(c.sentences())}" for c in self.courses) + "\n)"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th scope='row'>{html.escape(c.label)}</th><td>{html.escape(' '.join(c.sentences()))}</td></tr>"
            for c in self.courses
        )
        return f"<table>{rows}</table>"


def save_courses(courses: Sequence[PatientCourse], folder: Path, *, figure: bool = True) -> list[Path]:
    """Write ``course.csv``, ``doses.csv``, ``scans.csv``, ``course.json`` and ``course.png`` to a folder.

    Tables have a column ``course``; the second line of ``course.csv`` holds the units.
    """
    import pandas as pd

    from immunescape.files import check_folder, whole_file

    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []

    def write(name: str, text: str) -> None:
        with whole_file(folder / name, "cannot write the course", hint=_HINT) as file:
            file.write(text.encode("utf-8"))
        written.append(folder / name)

    table = PatientCourses(tuple(courses)).table
    units = {**{n: u for c in courses for n, u in c.units.items()}, "course": "", "day": "day"}
    lines = table.to_csv(index=False).split("\n", 1)
    write("course.csv", "\n".join([lines[0], ",".join(_cell(units[c]) for c in table.columns), lines[1]]))
    for name in ("doses", "scans"):
        every = [getattr(c, name).assign(course=c.label) for c in courses]
        nonempty = [course for course in every if len(course)] or every[:1]
        write(f"{name}.csv", pd.concat(nonempty, ignore_index=True).to_csv(index=False))
    content = [{**c.to_json(), "provenance": _provenance(c)} for c in courses]
    write("course.json", json.dumps(content[0] if len(content) == 1 else content, indent=2, allow_nan=False) + "\n")
    if figure:
        from immunescape.patients.plot import plot_courses

        plot_courses(courses, None, folder / "course.png")
        written.append(folder / "course.png")
    return written


def _provenance(course: PatientCourse) -> dict[str, Any]:
    """What the course was computed with: versions, platform, and the hash of the model's SBML."""
    document = course.model.to_sbml()
    return {**installation(), "model_sha256": hashlib.sha256(document.encode()).hexdigest()}


def _cell(text: str) -> str:
    return f'"{text}"' if re.search(r'[",\n]', text) else text
