"""Errors of predictions beside those of naive ones, and the aims with what was reached, as tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from immunescape.evaluation.aims import CHANCE, FIGURE_WORDS, aims, error_rows
from immunescape.report.tables import Row, Table, number

if TYPE_CHECKING:
    from immunescape.evaluation.aims import Aim
    from immunescape.evaluation.naive import Judged

__all__ = ["aims_table", "errors_table", "table_of_aims"]


def errors_table(groups: Mapping[str, Sequence[Judged]]) -> Table:
    """Bias and median error of the model and of every naive predictor, by kind of figure and group of trials."""
    rows: list[Row] = []
    for group, judged in groups.items():
        for r in error_rows(judged):
            digits = 3 if r.figure.endswith("_hr") else 1
            rows.append(
                {
                    "Trials": group,
                    "Figure": FIGURE_WORDS[r.figure],
                    "Predictor": r.predictor if r.predictor in ("model", CHANCE) else f"baseline: {r.predictor}",
                    "Bias (95 %)": "–"
                    if r.bias is None
                    else f"{r.bias:+.{digits}f}{_bounds(r.bias_interval, digits, '+')}",
                    "Median abs. error (95 %)": number(r.median_abs, digits) + _bounds(r.median_interval, digits),
                    "Inside (%)": number(None if r.inside is None else 100 * r.inside, 0),
                    "Interval score": number(r.score, 2),
                    "n": r.n,
                }
            )
    return Table(rows, ("n",))


def _bounds(interval: tuple[float, float] | None, digits: int, sign: str = "") -> str:
    """`` (low to high)``; nothing where there is no interval."""
    if interval is None:
        return ""
    low, high = (f"{x:{sign}.{digits}f}" if math.isfinite(x) else "not reached" for x in interval)
    return f" ({low} to {high})"


def aims_table(
    groups: Mapping[str, Sequence[Judged]], aims_of: Callable[[Sequence[Judged]], Sequence[Aim]] = aims
) -> Table:
    """Every aim, or those that `aims_of` gives, with what was reached, by group of trials."""
    return table_of_aims({group: aims_of(judged) for group, judged in groups.items()})


def table_of_aims(groups: Mapping[str, Sequence[Aim]]) -> Table:
    """Aims with what was reached, by group."""
    met_labels = {True: "met", False: "missed", None: "not judged"}
    rows: list[Row] = [
        {"Trials": group, "Aim": a.text, "Reached": a.reached, "n": a.n, "Met": met_labels[a.met]}
        for group, of_group in groups.items()
        for a in of_group
    ]
    return Table(rows, ("n",))
