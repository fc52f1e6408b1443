"""Several predictions of one trial: which is the latest, with which model each was made, and what moved between them.

A later model enters new records beside the earlier ones. A record carries hashes of the model that made it, so that a
reader learns whether the installed model would give it again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from immunescape.predictions.ledger import Prediction

__all__ = ["MADE_WITH", "earlier", "latest", "made_with", "moved", "moved_rows"]

INSTALLED, SAME_NUMBERS, SAME_FIT, OTHER_FIT, OTHER = (
    "installed",
    "same numbers",
    "same fit",
    "another fit",
    "another, fit not recorded",
)
MADE_WITH: Mapping[str, str] = {
    INSTALLED: "the installed model",
    SAME_NUMBERS: "other files than the installed model's, with the same numbers, fit and learnt tables",
    SAME_FIT: "another model than the installed one, with the same fit",
    OTHER_FIT: "another model than the installed one, with another fit",
    OTHER: "another model than the installed one; its fit was not recorded",
}
"""Word of `made_with` -> what made a record, for a sentence."""
_PERCENTAGES = ("orr_pct",)
"""Figures that are compared by their difference; all others by their ratio."""


@cache
def _installed() -> Mapping[str, str]:
    """Hashes of the installed model: ``model`` of all its files, and those of its tables."""
    from immunescape.evaluation.posterior import table_digests
    from immunescape.trial.runner import model_digest

    return {"model": model_digest(), **table_digests()}


def made_with(prediction: Prediction) -> str:
    """Whether the installed model made a record: a word of `MADE_WITH`."""
    made, now = prediction.forecast, _installed()
    if made["model"] == now["model"]:
        return INSTALLED
    if not made.get("fit"):  # records of 29 November 2026
        return OTHER
    if all(made.get(name) == now[name] for name in ("numbers", "fit", "learnt")):
        return SAME_NUMBERS
    return SAME_FIT if made["fit"] == now["fit"] else OTHER_FIT


def latest(predictions: Sequence[Prediction]) -> list[Prediction]:
    """The last record of each trial, in the order in which the trials were first entered."""
    return list({p.trial: p for p in predictions}.values())


def earlier(prediction: Prediction, predictions: Sequence[Prediction]) -> Prediction | None:
    """The record of the same trial before this one; None where it is the first."""
    before = None
    for other in predictions:
        if other.record == prediction.record:
            return before
        if other.trial == prediction.trial:
            before = other
    return before


def moved(before: Prediction, after: Prediction) -> list[dict[str, Any]]:
    """What moved from one record of a trial to the next, by figure that both hold.

    Returns
    -------
    One record for each figure: ``arm``, ``endpoint``, values ``before`` and ``after``, ``change`` (a difference in
    percentage points and in probabilities, else a ratio; None where either value is not reached), ``monte_carlo_se``
    (of the change, or of its logarithm, from the simulated patients of both; None where it is not known), and
    ``inside`` (whether the later value lies in the earlier interval; None without a value or an interval).
    """
    out = []
    for old, new in _shared(before, after):
        a, b = old["value"], new["value"]
        difference = new["endpoint"] in _PERCENTAGES
        comparable = a is not None and b is not None and (difference or (a > 0.0 and b > 0.0))
        first, second = old.get("monte_carlo_se"), new.get("monte_carlo_se")
        out.append(
            {
                "arm": new["arm"],
                "endpoint": new["endpoint"],
                "before": a,
                "after": b,
                "change": (b - a if difference else b / a) if comparable else None,
                "monte_carlo_se": None if first is None or second is None else math.hypot(first, second),
                "inside": _inside(b, old),
            }
        )
    chances = before.forecast["probability_of_success"]
    for end, chance in after.forecast["probability_of_success"].items():
        if end in chances:
            out.append(
                {
                    "arm": "",
                    "endpoint": f"P(success) {end}",
                    "before": chances[end],
                    "after": chance,
                    "change": chance - chances[end],
                    "monte_carlo_se": None,
                    "inside": None,
                }
            )
    return out


def moved_rows(before: Prediction, after: Prediction) -> list[dict[str, str]]:
    """The records of :func:`moved` as rows of a table."""
    rows = []
    for record in moved(before, after):
        end, change, error = record["endpoint"], record["change"], record["monte_carlo_se"]
        chance = end.startswith("P(")
        digits = 2 if chance or end.endswith("_hr") else 1
        difference = chance or end in _PERCENTAGES
        shown = "–" if change is None else (f"{change:+.{digits}f}" if difference else f"× {change:.2f}")
        if change is not None and error is not None:
            shown += f" (Monte Carlo error {'' if difference else '× '}{error if difference else math.exp(error):.2g})"
        rows.append(
            {
                "arm": record["arm"],
                "figure": end,
                "before": _number(record["before"], digits),
                "now": _number(record["after"], digits),
                "moved": shown,
                "inside the earlier interval": {None: "–", True: "yes", False: "no"}[record["inside"]],
            }
        )
    return rows


def _shared(before: Prediction, after: Prediction) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Figures of both records, in the order of the later one."""
    old = {(f["arm"], f["endpoint"]): f for f in before.forecast["figures"]}
    for figure in after.forecast["figures"]:
        if (key := (figure["arm"], figure["endpoint"])) in old:
            yield old[key], figure


def _inside(value: float | None, old: Mapping[str, Any]) -> bool | None:
    """Whether a value lies in an earlier interval, whose bounds may not be reached."""
    if value is None or old["low"] is None:
        return None
    return bool(old["low"] <= value and (old["high"] is None or value <= old["high"]))


def _number(value: float | None, digits: int) -> str:
    return "not reached" if value is None else f"{value:.{digits}f}"
