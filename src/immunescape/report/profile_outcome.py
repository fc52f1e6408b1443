"""Outcome in the profile report: associations with multiplicity control, forest plots, Kaplan-Meier curves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from immunescape.profile.biomarkers.words import measurement_title, state_words
from immunescape.report.curves import curve_of
from immunescape.report.figures import figure_html, kaplan_meier_figure
from immunescape.report.pictures import Picture
from immunescape.report.profile_figures import CURVE_COLOURS, forest_figure, short
from immunescape.report.tables import Table

if TYPE_CHECKING:
    from immunescape.profile.study_tables import StudyTables

__all__ = ["association_lines", "association_rows", "compared", "interaction_lines", "outcome_sections"]

_TITLES = {
    "response": "Objective response",
    "benefit": "Durable clinical benefit",
    "pfs": "Progression-free survival",
    "os": "Overall survival",
}
_SHOWN = 14
_CURVES = 4
_NOTE = (
    "Mechanisms (present against absent) and biomarkers measured before treatment, each alone, unadjusted; patients "
    "without the measurement are left out and counted. q is the false discovery rate over all tests of one outcome "
    "(Benjamini-Hochberg); filled squares: q < 0.05. Associations in a treated cohort do not tell prognostic from "
    "predictive."
)


def _rows(table: pd.DataFrame) -> Iterable[Any]:
    return table.itertuples()


def _between(r: Any, separator: str) -> str:
    bounded = np.isfinite(r.low) or np.isfinite(r.high)
    return f" ({r.low:.2f}{separator}{r.high:.2f})" if bounded else " (no interval)"


def _titled(name: str, titles: Mapping[str, str]) -> str:
    """Title of a mechanism (in `titles`) or biomarker; a name without a record is spelled without underscores."""
    return titles.get(name) or measurement_title(name)


def compared(name: str, level: str, titles: Mapping[str, str], width: int | None = None) -> str:
    """What a test compares, in words: title of mechanism or biomarker, and the level that is set against the others.

    Parameters
    ----------
    name, level
        As in the table of associations; a level that is empty or "True" is not said.
    titles
        Title of each mechanism by its name.
    width
        Longest title, without what stands in brackets; None leaves it whole.
    """
    title = _titled(name, titles)
    said = "" if level in ("", "True") else f": {state_words(level)}"
    return (title if width is None else short(title, width)) + said


_ELSEWHERE = re.compile(r"the same patients as (\w[\w-]*)(?: = (.+))?: tested there")


def _noted(note: str, titles: Mapping[str, str]) -> str:
    """A note, in which another comparison is named as in the column of comparisons."""
    return _ELSEWHERE.sub(lambda m: f"the same patients as {compared(m[1], m[2] or '', titles)}, tested there", note)


def association_rows(table: pd.DataFrame, titles: dict[str, str]) -> list[dict[str, Any]]:
    """Associations as rows of text; what was not tested says why."""
    rows = []
    for r in _rows(table):
        tested = np.isfinite(r.estimate)
        rows.append(
            {
                "Compared": compared(str(r.biomarker), str(r.level), titles),
                "Kind": "mechanism" if r.biomarker in titles else "biomarker",
                "n": r.n,
                "Positive": "" if pd.isna(r.n_positive) else int(r.n_positive),
                "Not measured": r.n_missing,
                "Measure": r.measure,
                "Estimate (95 %)": f"{r.estimate:.2f}{_between(r, ' to ')}" if tested else "–",
                "p": f"{r.p:.2g}" if np.isfinite(r.p) else "–",
                "q": f"{r.q:.2g}" if np.isfinite(r.q) else "–",
                "Note": _noted(str(r.note), titles),
            }
        )
    return rows


_BRIEF = {"odds ratio": "OR", "odds ratio per SD": "OR/SD", "hazard ratio": "HR", "hazard ratio per SD": "HR/SD"}


def association_lines(table: pd.DataFrame, titles: dict[str, str]) -> list[dict[str, str]]:
    """Associations that were tested, as rows narrow enough for a terminal (OR/SD: odds ratio per deviation)."""
    lines = []
    for r in _rows(table[table["p"].notna()].sort_values("p")):
        lines.append(
            {
                "compared": compared(str(r.biomarker), str(r.level), titles),
                "patients": str(r.n) if pd.isna(r.n_positive) else f"{int(r.n_positive)} of {r.n}",
                "estimate (95 %)": f"{_BRIEF.get(r.measure, r.measure)} {r.estimate:.2f}{_between(r, '-')}",
                "p": f"{r.p:.2g}",
                "q": f"{r.q:.2g}" if np.isfinite(r.q) else "–",
            }
        )
    return lines


def interaction_lines(table: pd.DataFrame, titles: dict[str, str]) -> list[dict[str, str]]:
    """Interactions with treatment that were tested, as rows narrow enough for a terminal."""
    lines = []
    for r in _rows(table[table["p"].notna()].sort_values("p")):
        name, _, level = str(r.biomarker).partition(" = ")
        lines.append(
            {
                "biomarker": compared(name, level, titles),
                "n": str(r.n),
                "ratio of HR (95 %)": f"{r.ratio:.2f} ({r.ratio_low:.2f}-{r.ratio_high:.2f})",
                "p": f"{r.p:.2g}",
                "q": f"{r.q:.2g}",
                "control HR (p)": f"{r.prognostic_hr:.2f} ({r.prognostic_p:.2g})",
                "label": "–" if r.label == "not established" else str(r.label),
            }
        )
    return lines


def _forest(table: pd.DataFrame, titles: dict[str, str]) -> str:
    """Forest plot of the smallest p values; of a number's two tests the odds ratio stands in for the AUC."""
    ratios = table[table["measure"].str.contains("ratio") & np.isfinite(table["estimate"]) & (table["low"] > 0)]
    ratios = ratios[np.isfinite(ratios["high"])].sort_values("p").head(_SHOWN)
    if ratios.empty:
        return ""
    labels = []
    for r in _rows(ratios):
        per = " (per SD)" if "per SD" in r.measure else f" ({int(r.n_positive)} of {r.n})"
        label = compared(str(r.biomarker), str(r.level), titles, 34) + per
        # the plot has one row a label: titles that are cut alike would share it
        labels.append(label if label not in labels else compared(str(r.biomarker), str(r.level), titles) + per)
    bold = [bool(np.isfinite(q) and q < 0.05) for q in ratios["q"]]
    measure = "Hazard ratio" if ratios["measure"].str.startswith("hazard").any() else "Odds ratio"
    return figure_html(forest_figure(labels, ratios["estimate"], ratios["low"], ratios["high"], measure, bold))


def _curves(study: StudyTables, table: pd.DataFrame, outcome: pd.DataFrame, titles: dict[str, str]) -> list[str]:
    from immunescape.profile.cohort_values import mechanism_values
    from immunescape.stats.survival import kaplan_meier

    values = mechanism_values(study.done)
    figures = []
    for endpoint in ("os", "pfs"):
        tests = table[(table["endpoint"] == endpoint) & table["biomarker"].isin(titles) & np.isfinite(table["p"])]
        for name in tests.sort_values("p")["biomarker"].head(_CURVES // 2):
            curves = []
            colours = {}
            for state, label in ((True, "present"), (False, "absent")):
                rows = outcome[values[name].reindex(outcome.index).map(lambda v, s=state: v is s)]
                months, event = rows[f"{endpoint}_months"], rows[f"{endpoint}_event"]
                followed = months.notna() & event.notna()
                if not followed.any():
                    continue
                km = kaplan_meier(months[followed], event[followed])
                curves.append(curve_of(f"{label} (n = {int(followed.sum())})", km))
                colours[curves[-1].arm] = CURVE_COLOURS[label]
            if curves:
                title = f"{short(titles[name], 60)}: {_TITLES[endpoint].lower()}"
                figures.append(
                    figure_html(_as_measured(kaplan_meier_figure(title, curves, colours=colours)), tools=False)
                )
    return figures


def _as_measured(figure: Picture) -> Picture:
    """Curves of a cohort, which nobody predicted, in less height."""
    data = [
        {**trace, "name": trace["name"].removesuffix(", predicted")} if "name" in trace else trace
        for trace in figure.data
    ]
    layout = {**figure.layout, "height": 330, "xaxis": {**figure.layout["xaxis"], "title": {"text": "Months"}}}
    return Picture(data, layout)


def outcome_sections(study: StudyTables) -> dict[str, Any]:
    """Associations of mechanisms and biomarkers with every outcome that the study holds."""
    table, outcome = study.associations()
    if table.empty:
        return {"outcome_note": "The files contain no response, progression-free or overall survival to test against."}
    titles = {n: r.title for n, r in study.done.calls.rules.mechanisms.items()}
    sections = []
    for endpoint, rows in table.groupby("endpoint", sort=False):
        sections.append(
            {
                "title": _TITLES[str(endpoint)],
                "figure": _forest(rows, titles),
                "table": Table(
                    association_rows(rows.sort_values("p"), titles), ("n", "Positive", "Not measured", "p", "q")
                ),
            }
        )
    return {"associations": sections, "curves": _curves(study, table, outcome, titles), "outcome_note": _NOTE}
