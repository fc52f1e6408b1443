"""Combinations told apart, the noise floor, and fifteen odds ratios of response: sections of the harness's report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from immunescape.console import markdown_table
from immunescape.evaluation.harness.combination_table import (
    LEAST,
    AfterInhibitor,
    CombinationScore,
    Floor,
    combination_aims,
)
from immunescape.evaluation.harness.odds_table import LEAST_PATIENTS, OddsRow, odds_aims
from immunescape.report.tables import number

if TYPE_CHECKING:
    from immunescape.evaluation.aims import Aim

__all__ = ["combination_lines", "odds_lines"]

_FIGURES = {"pfs_hr": "PFS", "os_hr": "OS"}
_COMBINATIONS = (
    "Add-ons and switches whose trial is known to have met its primary endpoint or not; ln hazard ratios. `best"
    " constant` is the median of the published ratios, which no constant can beat; the rule predicts the mean of the"
    " other regimens that contain a VEGF or KRAS inhibitor, or of those that do not. ROC area: successes have the lower"
    " predicted ratio."
)
_FLOOR = (
    "What chance alone leaves to a model that knows every true effect: published figures at their standard errors,"
    " virtual patients at theirs, errors of trials that are run with one seed being correlated."
)
_FIFTEEN = (
    "Published: all real patients of the named studies (Mantel-Haenszel over cohorts). Virtual: pembrolizumab alone as"
    " first treatment, whatever the PD-L1. Log-likelihood: of the published ratio at the virtual one, and at 1."
)


def _lines(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    return markdown_table(head, ([str(cell).replace("|", "\\|") for cell in row] for row in rows))


def _aims(aims: Sequence[Aim]) -> list[str]:
    met_labels = {True: "met", False: "missed", None: "not judged"}
    return _lines(("aim", "reached", "n", "met"), [(a.text, a.reached, a.n, met_labels[a.met]) for a in aims])


def combination_lines(
    scores: Sequence[CombinationScore], after: AfterInhibitor, floors: Sequence[Floor], correlation: str
) -> list[str]:
    """Markdown of the combinations.

    Parameters
    ----------
    scores, after, floors : of the PFS and OS hazard ratios; of response after an inhibitor; the noise floor of both.
    correlation : words on the correlation of errors of one seed that `floors` were made with.
    """
    if not scores:
        return [f"Fewer than {LEAST} in this run.", ""]
    lines = [_COMBINATIONS, ""]
    lines += _lines(
        ("figure", "trials", "n", "mean predicted ln HR", "mean published ln HR", "difference"),
        [
            (_FIGURES[s.figure], group, n, f"{m:+.2f}", f"{y:+.2f}", f"{m - y:+.2f}")
            for s in scores
            for group, (n, m, y) in s.means.items()
        ],
    )
    names = list(dict.fromkeys(name for s in scores for errors in s.errors.values() for name in errors))
    lines += _lines(
        ("figure", "regimens", "n", *(f"median abs. error: {n}" for n in names)),
        [
            (_FIGURES[s.figure], group, s.sizes[group], *(number(errors.get(n), 3) for n in names))
            for s in scores
            for group, errors in s.errors.items()
        ],
    )
    lines += _lines(
        ("figure", "n", "successes", "slope of published on predicted (SE)", *(f"ROC area: {n}" for n in names)),
        [
            (
                _FIGURES[s.figure],
                s.n,
                s.successes,
                f"{number(s.slope, 2)} ({number(s.slope_se, 2)})",
                *(number(s.roc.get(n), 2) for n in names),
            )
            for s in scores
        ],
    )
    lines += [f"{_FLOOR} {correlation}", ""]
    lines += _lines(
        ("figure", "score of a perfect model", "5 %", "median", "95 %"),
        [(_FIGURES[f.figure], f.score, f"{f.low:.3f}", f"{f.median:.3f}", f"{f.high:.3f}") for f in floors],
    )
    if after.rows:
        lines += ["Response after progression on an inhibitor (%).", ""]
        lines += _lines(
            ("trial", "arm", "predicted", "published"), [(t, a, f"{p:.1f}", f"{y:.1f}") for t, a, p, y in after.rows]
        )
    return [*lines, *_aims(combination_aims(scores, after))]


def odds_lines(rows: Sequence[OddsRow]) -> list[str]:
    """Markdown of the fifteen odds ratios."""
    if not rows:
        return ["Not in this run: it needs a data folder and the protocol 'all-comers-pembrolizumab'.", ""]
    n = max(r.n_virtual for r in rows)
    note = "" if n >= LEAST_PATIENTS else f" Provisional: {n} virtual patients, fewer than {LEAST_PATIENTS}."
    inside = {True: "yes", False: "no", None: "–"}

    def interval(value: float | None, low: float | None, high: float | None) -> str:
        return "–" if value is None or low is None or high is None else f"{value:.2f} ({low:.2f}–{high:.2f})"

    table = _lines(
        (
            "factor",
            "studies",
            "n, with it",
            "published (95 %)",
            "held out",
            "virtual (95 %)",
            "n, with it",
            "inside",
            "log-likelihood",
            "odds ratio 1",
        ),
        [
            (
                r.factor,
                r.studies or "–",
                f"{r.n}, {r.carriers}",
                interval(r.published, r.low, r.high),
                number(r.held_out, 2),
                interval(r.virtual, r.virtual_low, r.virtual_high),
                f"{r.n_virtual}, {r.n_carriers}",
                inside[r.inside],
                number(r.model, 2),
                number(r.no_association, 2),
            )
            for r in rows
        ],
    )
    return [f"{_FIFTEEN}{note}", "", *table, *_aims(odds_aims(rows))]
