"""A ranking as a one-file HTML page: forest of the options, twins' courses as a fan, trials, facts, limiting step."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from immunescape.evaluation.mechanism_labels import explanation, step_mechanism, title_labelled
from immunescape.model.drugs._titles import sentence_case
from immunescape.report.fact_text import fact_rows, least_likely_text
from immunescape.report.figures import ARM_COLOURS, figure_html
from immunescape.report.pictures import Picture, numbers, on_common_scale, plotly_script
from immunescape.report.tables import Table
from immunescape.report.twin_text import (
    NEXT_NOTE,
    beside_notes,
    beside_option_rows,
    beside_rows,
    course_rows,
    first_with_rows,
    forecast_note,
    forecast_rows,
    more_figure_rows,
    next_rows,
    option_rows,
    score_note,
    through_rows,
    without_data,
)
from immunescape.report.writing import write_page
from immunescape.twins.courses import regimen_of
from immunescape.twins.steps import cycle_steps
from immunescape.twins.words import biomarker_title
from immunescape.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.knowledge.evidence_table import EvidenceRow
    from immunescape.twins.conditioning import TwinPopulation
    from immunescape.twins.ranking import RankedPatient, Ranking
    from immunescape.twins.recorded_patient import ShownScans
    from immunescape.twins.twin import TwinResult

__all__ = ["fan_picture", "forest_picture", "limiting_picture", "relief_picture", "write_ranking", "write_twins"]

_LEVEL_COLOURS = {
    "tested": ARM_COLOURS[0],
    "extrapolated": "#8a6d3b",
    "contradicted": "#c8501e",
    "not ranked": "#777777",
}
_FAN = (0.05, 0.25, 0.5, 0.75, 0.95)


def _wrapped(text: str, width: int = 18) -> str:
    """A title in lines, so that it leaves room for the picture on a narrow screen."""
    return "<br>".join(textwrap.wrap(text, width))


def forest_picture(result: RankedPatient) -> Picture:
    """Difference of the score to that of the standard, with its interval, one row an option, coloured by evidence."""
    rows = [r for r in result.ranking.rows if r.option.name != result.ranking.standard][::-1]
    traces = []
    for level, colour in _LEVEL_COLOURS.items():
        of_level = [r for r in rows if r.option.level == level]
        if not of_level:
            continue
        d = [r.against_standard for r in of_level]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": level,
                "y": [_wrapped(r.option.title) for r in of_level],
                "x": numbers([f.value for f in d]),
                "marker": {"color": colour, "size": 9},
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "color": colour,
                    "array": numbers([f.high - f.value for f in d]),
                    "arrayminus": numbers([f.value - f.low for f in d]),
                },
            }
        )
    standard = next(r.option.title for r in result.ranking.rows if r.option.name == result.ranking.standard)
    height = 170 + 44 * max(len(rows), 1)
    zero = {
        "type": "line",
        "x0": 0,
        "x1": 0,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"color": "#666666", "width": 1, "dash": "dash"},
    }
    return Picture(
        traces,
        {
            "title": {"text": f"Score less that of {standard}", "font": {"size": 16}},
            "height": height,
            "margin": {"l": 40, "r": 16, "t": 44, "b": 70},
            "shapes": [zero],
            "xaxis": {"title": {"text": "score (share of 24 months),<br>95 % interval"}},
            "yaxis": {
                "automargin": True,
                "categoryorder": "array",
                "categoryarray": [_wrapped(r.option.title) for r in rows],
            },
        },
    )


def fan_picture(
    twins: TwinPopulation,
    scans: pd.DataFrame,
    arm: str,
    title: str,
    shown: ShownScans | None = None,
    drugs: Collection[str] = (),
) -> Picture | None:
    """Sums of diameters of the twins under an option as a fan of quantiles, with the patient's own scans.

    A twin that has progressed or died has no further scans: a day counts those that still have one. Scans after the day
    of the decision stand on the option (its `drugs`) that the patient was given.
    """
    if not len(scans):
        return None
    days, fan = _fan_quantiles(twins, scans[scans["arm"] == arm])
    traces = _fan_traces(numbers(days / DAYS_PER_MONTH), fan)
    if shown is not None:
        given = bool(drugs) and set(drugs) == set(shown.drugs)
        for name, points, symbol in (
            ("the patient's scans", shown.before, "diamond"),
            ("recorded later, not used", shown.after if given else (), "diamond-open"),
        ):
            if points:
                traces.append(
                    {
                        "type": "scatter",
                        "mode": "markers",
                        "x": numbers([(s.day - shown.start) / DAYS_PER_MONTH for s in points]),
                        "y": numbers([100.0 * (s.sld_mm / shown.baseline_mm - 1.0) for s in points]),
                        "name": name,
                        "marker": {"color": "#c4621a", "size": 10, "symbol": symbol, "line": {"width": 2}},
                    }
                )
    return Picture(
        traces,
        {
            "title": {"text": title, "font": {"size": 15}},
            "height": 340,
            "margin": {"l": 56, "r": 16, "t": 44, "b": 56},
            "xaxis": {"title": {"text": "months on treatment"}},
            "yaxis": {"title": {"text": "change in the sum of diameters (%)"}},
        },
    )


def _fan_quantiles(twins: TwinPopulation, arm_scans: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Days (k,) of scans, and weighted quantiles (k, q) of the change in per cent on each; day 0 is the baseline."""
    weights = dict(zip(twins.table.index.tolist(), twins.weights.tolist(), strict=True))
    days, bands = [0.0], [[0.0] * len(_FAN)]
    for day, rows in arm_scans.groupby("day"):
        w = np.array([weights[i] for i in rows["id"].tolist()])
        if w.sum() < 0.1:  # too few are left to speak of quantiles
            continue
        x = rows["change_pct"].to_numpy(dtype=float)
        order = np.argsort(x)
        edges = np.cumsum(w[order]) / w.sum()
        days.append(float(str(day)))
        bands.append([float(x[order][min(int(np.searchsorted(edges, q)), len(x) - 1)]) for q in _FAN])
    return np.array(days), np.array(bands)


def _fan_traces(months: list[Any], fan: np.ndarray) -> list[dict[str, Any]]:
    """Bands that hold 90 and 50 % of the twins, and their median."""
    traces: list[dict[str, Any]] = []
    for low, high, alpha, name in ((0, 4, 0.14, "90 % of twins"), (1, 3, 0.26, "50 % of twins")):
        bare = {"width": 0}
        traces.append(
            {
                "type": "scatter",
                "x": months,
                "y": numbers(fan[:, low]),
                "line": bare,
                "mode": "lines",
                "showlegend": False,
                "hoverinfo": "skip",
            }
        )
        traces.append(
            {
                "type": "scatter",
                "x": months,
                "y": numbers(fan[:, high]),
                "line": bare,
                "mode": "lines",
                "fill": "tonexty",
                "fillcolor": f"rgba(11,110,153,{alpha})",
                "name": name,
            }
        )
    traces.append(
        {
            "type": "scatter",
            "mode": "lines",
            "x": months,
            "y": numbers(fan[:, 2]),
            "name": "median twin",
            "line": {"color": ARM_COLOURS[0]},
        }
    )
    return traces


def _facts(twins: TwinPopulation) -> Table:
    """Measurements that the twins were conditioned on."""
    return Table(fact_rows(twins, ("condition", "measured", "grade", "at least as extreme")))


def _numeric(rows: list[dict[str, Any]]) -> Table:
    """Rows of figures: a column of words, then numbers."""
    return Table(rows, tuple(rows[0])[1:])


def _about(twins: TwinPopulation) -> str:
    """Number of twins, effective sample size, and the least likely measurement."""
    note = f"{len(twins)} twins, effective sample size {twins.effective:.0f}, from {twins.candidates} candidates."
    return f"{note} {least_likely_text(twins)}".strip()


def write_twins(result: TwinResult, path: Path, notice: str) -> Path:
    """Write the page of the twins of a patient: forecast, courses with the patient's scans, what they rest on."""
    record, twins = result.record, result.twins
    drugs = tuple(regimen_of(result.regimen).drugs)
    fan = fan_picture(twins, result.courses.scans, result.label, result.label, record.shown, drugs)
    label = f"Twins on {result.label}, by month"
    return write_page(
        path,
        "twins.html",
        {
            "title": f"Twins: {record.patient}, day {record.at:g}",
            "lead": f"Line {record.line}; {record.stratum_title or 'no guideline group'}",
            "plotly_js": plotly_script(),
            "notice": notice,
            "regimen": result.regimen,
            "forecast": _numeric(forecast_rows(result)),
            "forecast_note": forecast_note(record),
            "beside": Table(beside_rows(result.comparison)),
            "beside_why": result.comparison.why,
            "beside_notes": beside_notes(result.comparison),
            "course": Table(course_rows(record)),
            "fans": [] if fan is None else [figure_html(fan, tools=False, label=label)],
            "scans_note": _scans_note(record.shown),
            "twins_note": _about(twins),
            "facts": _facts(twins),
            "open_questions": [biomarker_title(n) for n in record.open_questions],
            "notes": [*record.notes, *twins.notes],
        },
    )


def evidence_groups(result: RankedPatient) -> list[dict[str, Any]]:
    """Trials in the setting, once for all options of a class: a title that counts their results, and their table."""
    options: dict[tuple[EvidenceRow, ...], list[str]] = {}
    for r in result.ranking.rows:
        if r.option.evidence:
            options.setdefault(tuple(r.option.evidence), []).append(f"{r.option.title} ({r.option.level})")
    groups = []
    for trials, titles in options.items():
        results = [e.result.replace("_", " ") for e in trials]
        counts = ", ".join(f"{results.count(result)} {result}" for result in sorted(set(results), key=_RESULTS.index))
        rows = [
            {
                "trial": e.trial,
                "registry": e.registry,
                "phase": e.phase,
                "result": e.result.replace("_", " "),
                "finding": e.finding,
            }
            for e in sorted(trials, key=lambda e: _RESULTS.index(e.result.replace("_", " ")))
        ]
        groups.append({"title": f"{sentence_case('; '.join(titles))}: {counts}", "table": Table(rows)})
    return groups


_RESULTS = ("negative", "mixed", "positive", "single arm")
"""Results of trials in the order in which they are listed: what speaks against an option first."""


def _scans_note(shown: ShownScans | None) -> str:
    """What the patient's scans on the fans are."""
    if shown is None:
        return ""
    later = " Open diamonds: scans recorded later on the regimen that was given; nothing is computed from them."
    return (
        f"Filled diamonds: the patient's scans up to the day of the decision, relative to {shown.baseline_mm:.4g} mm "
        f"before the line.{later if shown.after else ''}"
    )


def _in_order(ranking: Ranking) -> list[str]:
    """Steps from the last one of the cycle to the first, as they stand from below."""
    return [step for step in cycle_steps() if step in ranking.limiting][::-1]


def limiting_picture(ranking: Ranking) -> Picture:
    """Share of the twins that each step of the cycle limits, in the order of the cycle from above."""
    steps = _in_order(ranking)
    return Picture(
        [
            {
                "type": "bar",
                "orientation": "h",
                "y": [sentence_case(step) for step in steps],
                "x": numbers([100.0 * ranking.limiting[step] for step in steps]),
                "marker": {"color": ARM_COLOURS[0]},
            }
        ],
        {
            "title": {"text": "Limiting step at diagnosis", "font": {"size": 15}},
            "height": 320,
            "margin": {"l": 40, "r": 16, "t": 44, "b": 56},
            "showlegend": False,
            "xaxis": {"title": {"text": "twins (%)"}, "rangemode": "tozero"},
            "yaxis": {"automargin": True},
        },
    )


def relief_picture(ranking: Ranking) -> Picture | None:
    """Change of each step by week 6 under each of the first options; None where they were not simulated so far."""
    shown = [r for r in ranking.rows if r.early][:_OPTIONS_SHOWN]
    if not shown:
        return None
    steps = _in_order(ranking)
    traces = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": _wrapped(r.option.title, 30),
            "y": [sentence_case(step) for step in steps],
            "x": numbers([r.early.get(step, math.nan) for step in steps]),
            "marker": {"size": 11, "symbol": symbol, "color": colour},
        }
        for r, symbol, colour in zip(shown, _SYMBOLS, ARM_COLOURS, strict=False)
    ]
    zero = {"type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1}
    return Picture(
        traces,
        {
            "title": {"text": "What each option does to the steps", "font": {"size": 15}},
            "height": 320 + 24 * len(shown),
            "margin": {"l": 40, "r": 16, "t": 44, "b": 56},
            "shapes": [{**zero, "line": {"color": "#666666", "width": 1, "dash": "dash"}}],
            "xaxis": {"title": {"text": "median change by week 6 against no treatment<br>(SD among virtual patients)"}},
            "yaxis": {"automargin": True},
        },
    )


_OPTIONS_SHOWN = 5
_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x")


def _steps_figures(ranking: Ranking) -> list[str]:
    if not ranking.limiting:
        return []
    drawn = [(limiting_picture(ranking), "Share of the twins that each step of the cycle limits")]
    relief = relief_picture(ranking)
    if relief is not None:
        drawn.append((relief, "Change of each step of the cycle by week 6, by option"))
    return [figure_html(picture, tools=False, label=label) for picture, label in drawn]


def write_ranking(result: RankedPatient, path: Path, notice: str) -> Path:
    """Write the page of a ranking."""
    ranking, twins = result.ranking, result.followed.twins
    drawn = []
    for r in ranking.rows[:4]:
        scans = result.followed.courses.scans
        title = _wrapped(r.option.title, 42)
        picture = fan_picture(twins, scans, r.option.name, title, result.record.shown, r.option.drugs)
        if picture is not None:
            drawn.append((f"Sums of diameters of the twins under {r.option.title}, by month", picture))
    pictures = on_common_scale([picture for _, picture in drawn])
    labels = [label for label, _ in drawn]
    fans = [figure_html(p, tools=False, label=label) for label, p in zip(labels, pictures, strict=True)]
    steps = [
        {
            "step": step,
            "mechanism": title_labelled(step_mechanism(step)) or "–",
            "limits (share of twins)": f"{100 * share:.0f} %",
            **{r.option.title: f"{r.early[step]:+.2f}" for r in ranking.rows if step in r.early},
        }
        for step, share in ranking.limiting.items()
    ]
    forest = figure_html(
        forest_picture(result), tools=False, label="Difference of each option's score to that of the standard"
    )
    return write_page(
        path,
        "ranking.html",
        {
            "title": f"Ranked options: {result.record.patient}, day {result.record.at:g}",
            "lead": sentence_case(result.setting),
            "plotly_js": plotly_script(),
            "notice": notice,
            "forest": [forest] if len(ranking.rows) > 1 else [],
            "options": Table(option_rows(result)),
            "more_figures": Table(more_figure_rows(result)),
            "score_note": score_note(result),
            "beside": Table(beside_option_rows(result)),
            "beside_notes": beside_notes(first_with_rows(result)),
            "without_data": without_data(result),
            "says": ranking.words,
            "evidence": evidence_groups(result),
            "left_out": result.left_out,
            "twins_note": f"The same under every option. {_about(twins)}",
            "fans": fans,
            "facts": _facts(twins),
            "open_questions": [biomarker_title(n) for n in result.record.open_questions],
            "notes": [*result.record.notes, *twins.notes],
            "steps": Table(steps),
            "steps_figures": _steps_figures(ranking),
            "scans_note": _scans_note(result.record.shown),
            "through": Table(through_rows(result)),
            "labels": explanation(),
            "next_says": [] if result.next is None else result.next.words,
            "next_rows": Table(next_rows(result)),
            "next_open": result.next is not None and any(r.shown for r in result.next.rows),
            "next_note": NEXT_NOTE,
        },
    )
