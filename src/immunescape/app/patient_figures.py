"""Pictures and tables of a patient's courses, as data that the page draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from immunescape.app.figures import Card, plain_layout, significant
from immunescape.evaluation.mechanism_labels import step_mechanism, title_labelled
from immunescape.knowledge.printed_units import printed_unit
from immunescape.patients.plot import COLOURS, PANELS
from immunescape.patients.relief import reliefs
from immunescape.patients.small_tumours import NOT_SHOWN, measurable
from immunescape.report.pictures import level_line
from immunescape.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from immunescape.patients import PatientCourse, PatientCourses
    from immunescape.patients.relief import LimitingStep

__all__ = [
    "COLOURS",
    "DASHES",
    "course_cards",
    "further_outputs",
    "outcome_rows",
    "patient_rows",
    "short_label",
    "step_rows",
]

DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = {"CR": "triangle-down", "PR": "triangle-down", "SD": "circle", "PD": "triangle-up", "NE": "x-thin"}
MEANING = {"CR": "response", "PR": "response", "SD": "stable", "PD": "progression", "NE": "not evaluable"}
_POINTS = 400
_AS_PERCENT = ("PD1_occupancy_T", "exhausted_share_T")


def short_label(index: int, course: PatientCourse) -> str:
    """``A: pembrolizumab 200 mg every 3 weeks``."""
    return f"{'ABCDEFGH'[index]}: {course.label}"


def further_outputs(courses: PatientCourses) -> dict[str, str]:
    """Output -> meaning, of all that every course has and that no panel shows by itself."""
    common = [n for n in courses[0].table.columns if all(n in c.table.columns for c in courses)]
    shown = {*PANELS, "diameter_T"}
    names = [n for n in common if n not in shown and not n.startswith("conc_")]
    return dict(sorted(((n, courses[0].meanings[n]) for n in names), key=lambda item: item[1]))


def patient_rows(courses: PatientCourses) -> list[dict[str, Any]]:
    """Covariates of the patient, those that are shown first."""
    return [{"Covariate": name, "Value": value} for name, value in courses[0].patient._facts()]


def outcome_rows(courses: PatientCourses) -> list[dict[str, Any]]:
    """One row for each course: what happened."""
    return [
        {"Regimen": short_label(k, course), "What happens": " ".join(course.sentences())}
        for k, course in enumerate(courses)
    ]


def step_rows(steps: Sequence[LimitingStep]) -> list[dict[str, str]]:
    """One row for each step of the cancer-immunity cycle: how much smaller each course's tumour is with it relieved.

    Beside the mechanism of the step stands what it was tested by.
    """
    rows = []
    for relief in reliefs():
        mechanism = title_labelled(step_mechanism(relief.step))
        row = {"Step": relief.title, "Relieved by": relief.note.split(";")[0], "Mechanism": mechanism}
        for k, step in enumerate(steps):
            mark = " (limits)" if step.step == relief.step else ""
            row["ABCDEFGH"[k]] = f"{step.smaller_pct[relief.step]:.0f}\u00a0%{mark}"
        rows.append(row)
    return rows


def course_cards(courses: PatientCourses, more: Sequence[str] = ()) -> list[Card]:
    """Cards of the courses: the tumour with its scans, serum concentrations, immune cells, occupancy, ctDNA, further.

    Parameters
    ----------
    courses
        Courses of one patient.
    more
        Further outputs; those that a course lacks are left out.
    """
    cards = [_tumour(courses)]
    drugs = _drugs(courses)
    if drugs is not None:
        cards.append(drugs)
    names = [n for n in (*PANELS, *more) if all(n in c.table.columns for c in courses)]
    return cards + [_output(courses, name) for name in dict.fromkeys(names)]


@dataclass(frozen=True)
class _Line:
    """How the course of a number is drawn: colour and dashes together, so that neither alone has to tell it."""

    index: int

    @property
    def style(self) -> dict[str, Any]:
        return {"color": COLOURS[self.index % len(COLOURS)], "dash": DASHES[self.index % len(DASHES)], "width": 2}


def _months(course: PatientCourse) -> np.ndarray:
    return np.asarray(course.table.index, dtype=float) / DAYS_PER_MONTH


def _thin(course: PatientCourse) -> np.ndarray:
    """Rows that are drawn: at most `_POINTS`, the first and the last among them."""
    return np.unique(np.linspace(0, len(course.table) - 1, min(_POINTS, len(course.table))).astype(int))


def _trace(course: PatientCourse, k: int, values: np.ndarray, rows: np.ndarray) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": significant(_months(course)[rows]),
        "y": significant(values[rows]),
        "line": _Line(k).style,
        "name": short_label(k, course),
        "hovertemplate": f"{'ABCDEFGH'[k]}, month %{{x:.1f}}: %{{y:.3~g}}<extra></extra>",
        "showlegend": False,
    }


def _table(courses: PatientCourses, series: Sequence[np.ndarray]) -> list[dict[str, str]]:
    """Values every three months, a column for each course; empty after a death."""
    last = max(float(_months(c)[-1]) for c in courses)
    rows = []
    for month in range(0, int(last + 1e-6) + 1, 3):
        row = {"Month": str(month)}
        for k, (course, values) in enumerate(zip(courses, series, strict=True)):
            months = _months(course)
            at = int(np.abs(months - month).argmin())
            near = abs(months[at] - month) < 0.5
            row["ABCDEFGH"[k]] = f"{values[at]:.3g}" if near and np.isfinite(values[at]) else "–"
        rows.append(row)
    return rows


def _span(courses: PatientCourses) -> list[float]:
    return [0.0, 1.02 * max(float(_months(c)[-1]) for c in courses)]


def _from_to(courses: PatientCourses, series: Sequence[np.ndarray], unit: str) -> str:
    parts = []
    for k, (course, values) in enumerate(zip(courses, series, strict=True)):
        drawn = np.flatnonzero(np.isfinite(values))
        if not len(drawn):
            parts.append(f"{short_label(k, course)}: nothing drawn")
            continue
        ends = f"{values[drawn[0]]:.3g} to {values[drawn[-1]]:.3g} {unit}".strip()
        parts.append(f"{short_label(k, course)}: {ends} at month {_months(course)[drawn[-1]]:.1f}")
    return "; ".join(parts)


def _tumour(courses: PatientCourses) -> Card:
    data: list[dict[str, Any]] = []
    series = []
    for k, course in enumerate(courses):
        size = course.table["diameter_T"].to_numpy(dtype=float)
        change = 100.0 * (size / size[0] - 1.0)
        series.append(change)
        data.append(_trace(course, k, change, _thin(course)))
        data += _scans(course, k)
        death = course.outcome.get("death_day")
        if death is not None:
            data.append(_mark([death], [float(change[-1])], symbol="cross", k=k, words=["death"], size=13, filled=True))
    layout = plain_layout("Months since the start of treatment", "Change of diameter (%)", _span(courses))
    top = max([45.0, *(float(v) for s in data for v in s["y"] if v is not None)])
    layout["yaxis"]["range"] = [-108, min(1.1 * top, 250)]
    layout["shapes"] = [level_line(20, "#8a8a8a", "dot"), level_line(-30, "#8a8a8a", "dot")]
    scans = any(len(c.scans) for c in courses)
    key = (
        "Lines: model. Marks: scans with measurement error (▽ response, ○ stable, △ progression; hollow: a new lesion; "
        "✚ death). Dotted: −30 % and +20 %."
        if scans
        else "Dotted: −30 % and +20 %."
    )
    return Card(
        key="tumour",
        title="Tumour: change of diameter",
        data=data,
        layout=layout,
        alternative=f"Change of the tumour's diameter over months. {_from_to(courses, series, '%')}.",
        note=key,
        rows=[*_table(courses, series)],
        unit="%",
    )


def _mark(
    days: Sequence[float],
    values: Sequence[float],
    *,
    symbol: str,
    k: int,
    words: Sequence[str],
    size: int,
    filled: bool,
) -> dict[str, Any]:
    colour = COLOURS[k % len(COLOURS)]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [round(float(d) / DAYS_PER_MONTH, 3) for d in days],
        "y": significant(np.asarray(values, dtype=float)),
        "text": list(words),
        "marker": {
            "symbol": symbol,
            "size": size,
            "color": colour if filled else "#ffffff",
            "line": {"color": colour, "width": 1.6},
        },
        "hovertemplate": f"{'ABCDEFGH'[k]}, month %{{x:.1f}}: %{{y:.0f}} %, %{{text}}<extra></extra>",
        "showlegend": False,
    }


def _scans(course: PatientCourse, k: int) -> list[dict[str, Any]]:
    """One trace for each kind of mark."""
    groups: dict[tuple[str, bool], list[tuple[float, float, str]]] = {}
    for day, change, response, new in course.scans[["day", "change_pct", "response", "new_lesion"]].to_numpy():
        label = MEANING.get(str(response), "baseline") + (", new lesion" if new else "")
        kind = (SYMBOLS.get(str(response), "square"), not new)
        groups.setdefault(kind, []).append((float(day), float(change), label))
    return [
        _mark(
            [m[0] for m in marks],
            [m[1] for m in marks],
            symbol=symbol,
            k=k,
            words=[m[2] for m in marks],
            size=8,
            filled=filled,
        )
        for (symbol, filled), marks in groups.items()
    ]


def _drugs(courses: PatientCourses) -> Card | None:
    data, units, names, top = [], set(), [], []
    for k, course in enumerate(courses):
        given = sorted(set(course.doses["drug"])) if len(course.doses) else []
        for j, drug in enumerate(d for d in given if f"conc_{d}" in course.table.columns):
            values = course.table[f"conc_{drug}"].to_numpy(dtype=float)
            values = np.where(values > 0, values, np.nan)
            if not np.isfinite(values).any():
                continue
            trace = _trace(course, k, values, np.arange(len(values)))
            trace["line"] = {**trace["line"], "dash": DASHES[(k + j) % len(DASHES)], "width": 1.5}
            trace["hovertemplate"] = f"{'ABCDEFGH'[k]}, {drug}, month %{{x:.1f}}: %{{y:.3~g}}<extra></extra>"
            data.append(trace)
            units.add(_unit(course.units[f"conc_{drug}"]))
            names.append(f"{'ABCDEFGH'[k]} {drug}")
            top.append((float(np.nanmax(values)), f"{'ABCDEFGH'[k]} {drug}", values, course))
    if not data:
        return None
    unit = ", ".join(sorted(units))
    layout = plain_layout("Months since the start of treatment", f"Concentration ({unit})", _span(courses))
    highest = max(peak for peak, *_ in top)
    lowest = min(peak for peak, *_ in top)
    ends = [float(np.log10(lowest * 1e-4)), float(np.log10(highest * 2))]
    layout["yaxis"] |= {"type": "log", "range": ends, "dtick": 1, "exponentformat": "power"}
    rows = [{"Drug": name, f"Highest ({_unit_of(course, name)})": f"{peak:.3g}"} for peak, name, _, course in top]
    if len({tuple(r) for r in rows}) > 1:
        rows = [{"Drug": n, "Highest": f"{p:.3g} {_unit_of(c, n)}"} for p, n, _, c in top]
    peaks = "; ".join(f"{name} {peak:.3g}" for peak, name, *_ in top)
    return Card(
        key="drugs",
        title="Drugs in serum",
        data=data,
        layout=layout,
        alternative=f"Concentrations in serum on a logarithmic axis. Highest: {peaks} {unit}.",
        note=f"Drawn: {', '.join(names)}.",
        rows=rows,
        unit="",
    )


def _unit_of(course: PatientCourse, name: str) -> str:
    return _unit(course.units[f"conc_{name[2:]}"])


def _unit(text: str) -> str:
    return "copies/mL" if text == "1/milliliter" else printed_unit(text)  # of ctDNA


def _output(courses: PatientCourses, name: str) -> Card:
    percent = name in _AS_PERCENT
    scale, unit = (100.0, "%") if percent else (1.0, _unit(courses[0].units[name]))
    series = [scale * measurable(c, name) for c in courses]
    data = [_trace(c, k, series[k], _thin(c)) for k, c in enumerate(courses)]
    hidden = any(np.isnan(values).any() for values in series)
    note = f"{NOT_SHOWN.capitalize()}." if hidden else ""
    layout = plain_layout("Months since the start of treatment", unit or "relative", _span(courses))
    layout["yaxis"]["rangemode"] = "tozero"
    if percent:
        layout["yaxis"]["range"] = [0, 103]  # of a whole: courses stay comparable
    title = courses[0].meanings[name]
    return Card(
        key=name,
        title=title,
        data=data,
        layout=layout,
        alternative=f"{title}, over months. {_from_to(courses, series, unit)}.",
        note=note,
        rows=_table(courses, series),
        unit=unit,
    )
