"""Predictions as rows of a table, for the terminal and for a browser alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from immunescape.predictions.ledger import Outcome, Prediction
from immunescape.predictions.versions import earlier, latest, made_with

__all__ = ["figure_text", "outcome_text", "summary_rows"]


def figure_text(figure: Mapping[str, Any] | None) -> str:
    """`value (low to high)` of a predicted figure; a dash for what was not predicted."""
    if figure is None:
        return "–"
    digits = 2 if str(figure["endpoint"]).endswith("_hr") else 1

    def number(value: float | None) -> str:
        return "not reached" if value is None else f"{value:.{digits}f}"

    return f"{number(figure['value'])} ({number(figure['low'])} to {number(figure['high'])})"


def outcome_text(outcome: Outcome) -> str:
    """`value (low to high), source` of a published figure."""
    low, high = ("not given" if bound is None else f"{bound:g}" for bound in (outcome.low, outcome.high))
    bounds = "" if outcome.low is None and outcome.high is None else f" ({low} to {high})"
    return f"{outcome.value:g}{bounds}, {outcome.source}"


def summary_rows(
    predictions: Sequence[Prediction], outcomes: Sequence[Outcome], *, every: bool = False
) -> list[dict[str, str]]:
    """One row for each trial's latest prediction: ratios, probability of success, model, what was before, published.

    With `every`, one row for each prediction. ``model`` is a word of `immunescape.predictions.versions.MADE_WITH`.
    """
    rows = []
    for prediction in predictions if every else latest(predictions):
        before = earlier(prediction, predictions)
        chances = prediction.forecast["probability_of_success"]
        published = [f"{o.endpoint} {outcome_text(o)}" for o in outcomes if o.trial == prediction.trial]
        rows.append(
            {
                "trial": prediction.trial,
                "entered": prediction.date,
                "PFS HR": figure_text(prediction.figure("pfs_hr")),
                "OS HR": figure_text(prediction.figure("os_hr")),
                "P(success)": _chances_text(chances),
                "model": made_with(prediction),
                "before": "–" if before is None else _before_text(before),
                "published": "; ".join(published) or "–",
            }
        )
    return rows


def _chances_text(chances: Mapping[str, float]) -> str:
    """Probabilities by endpoint; of several experimental arms one after the other, in the order of the protocol."""
    of_endpoint: dict[str, list[str]] = {}
    for name, value in chances.items():
        of_endpoint.setdefault(name.partition(",")[0], []).append(f"{value:.2f}")
    return ", ".join(f"{end} {' / '.join(values)}" for end, values in of_endpoint.items())


def _before_text(prediction: Prediction) -> str:
    """Hazard ratios of an earlier record, with its date."""
    named = (("PFS HR", "pfs_hr"), ("OS HR", "os_hr"))
    values = [(name, prediction.figure(end)) for name, end in named]
    ratios = [f"{name} {f['value']:.2f}" for name, f in values if f is not None and f["value"] is not None]
    return f"{prediction.date}: {', '.join(ratios) or 'no hazard ratio'}"
