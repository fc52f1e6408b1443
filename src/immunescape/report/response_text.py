"""The probability of response and of benefit as rows, for the terminal, the report page and the table of a cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING

from immunescape.profile.scores.response import TITLES
from immunescape.profile.scores.response_inputs import INPUTS

if TYPE_CHECKING:
    from immunescape.profile.scores.response import ResponseEstimate
    from immunescape.profile.study_tables import StudyTables

__all__ = [
    "LIMITS",
    "NO_INHIBITOR",
    "contribution_rows",
    "missing_text",
    "probability_rows",
    "response_rows",
    "response_summary",
]

NO_INHIBITOR = "no checkpoint inhibitor was given"
"""Reason that `resistance_of` gives for patients on other drugs; their outcome says nothing about the probability."""

LIMITS = (
    "Fitted to four public cohorts of advanced NSCLC (docs/response.md has its accuracy beside PD-L1, TMB, NLR and "
    "LORIS). What was not measured is averaged over and widens the interval. Research use; no treatment advice."
)


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def probability_rows(estimate: ResponseEstimate) -> list[dict[str, str]]:
    """One row for each outcome: probability and its 95 % interval."""
    return [
        {
            "outcome": TITLES[e],
            "probability": _percent(s.probability),
            "95 % interval": f"{_percent(s.low)} to {_percent(s.high)}",
        }
        for e, s in estimate.standings.items()
    ]


def contribution_rows(estimate: ResponseEstimate, most: int | None = None) -> list[dict[str, str]]:
    """One row for each measurement, the one that moved most first: its value and the log odds that it moved."""
    contributions = {e: s.contributions for e, s in estimate.standings.items()}
    names = sorted(estimate.values, key=lambda n: -max(abs(p[n]) for p in contributions.values() if n in p))
    return [
        {"measurement": INPUTS[n].title, "value": estimate.values[n]}
        | {_SHORT[e]: f"{p[n]:+.2f}" for e, p in contributions.items()}
        for n in names[:most]
        if all(n in p for p in contributions.values())
    ]


_SHORT = {"response": "log odds of response", "benefit_12_months": "of benefit at 12 months"}


def missing_text(estimate: ResponseEstimate) -> str:
    """Titles of the inputs that were not measured, and why others were left out."""
    text = ", ".join(INPUTS[n].title for n in estimate.missing)
    return "; ".join(x for x in (text, *estimate.refused) if x)


def response_rows(study: StudyTables, most: int) -> list[dict[str, str]]:
    """Rows of a cohort's table, at most so many patients."""
    rows = []
    for name, p in list(study.patients.items())[:most]:
        ends = probability_rows(p.response)
        row = {"Patient": name}
        for end in ends:
            row[end["outcome"]] = f"{end['probability']} ({end['95 % interval']})"
        rows.append(row | {"Inputs": f"{len(p.response.values)} of {len(INPUTS)}", "Setting": p.response.setting})
    return rows


def response_summary(study: StudyTables) -> str:
    """Say how the probabilities lie in a cohort and, where responses are in the files, how they compare with them."""
    import numpy as np

    from immunescape.profile.cohort import outcomes
    from immunescape.stats.discrimination import auc

    frame = study.response
    if frame.empty:
        return ""
    low, middle, high = (_percent(float(q)) for q in np.quantile(frame["response"], [0.1, 0.5, 0.9]))
    text = (
        f"Probability of response under a PD-(L)1 inhibitor: median {middle} (10th to 90th percentile {low} to "
        f"{high}), from {frame['inputs'].median():.0f} of {len(INPUTS)} inputs"
    )
    seen = outcomes(study.done.study)["response"].reindex(frame.index)
    had_other = [p.resistance.why == NO_INHIBITOR for p in study.patients.values()]
    complete = seen.notna() & ~np.array(had_other)
    if complete.sum() < 10 or seen[complete].nunique() < 2:
        return text
    y = seen[complete].astype(bool)
    p = frame.loc[complete, "response"]
    area = auc(p, y)
    interval = "" if area.low is None else f" ({area.low:.2f} to {area.high:.2f})"
    return (
        f"{text}. Of {int(complete.sum())} patients with a best response, {_percent(float(y.mean()))} responded and "
        f"{_percent(float(p.mean()))} were expected; AUC {area.value:.2f}{interval}"
    )
