"""The evidence of a call as a reader sees it: each measurement once, with everything that it was compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from immunescape.knowledge.profile_records import Call, Evidence

__all__ = ["EvidenceLine", "evidence_lines", "missing_lines"]


@dataclass(frozen=True)
class EvidenceLine:
    """One measurement behind a call.

    Attributes
    ----------
    statement : title and value.
    comparisons : each threshold with the state that the comparison speaks for, e.g. ``present if percentile ≤ 25``.
    notes : what a reader must know of the thresholds.
    citation : keys of the bibliography.
    """

    statement: str
    comparisons: tuple[str, ...]
    notes: tuple[str, ...] = ()
    citation: tuple[str, ...] = ()

    @property
    def noted(self) -> str:
        """The statement, with the notes on its thresholds in brackets."""
        return f"{self.statement} [{'; '.join(self.notes)}]" if self.notes else self.statement


def evidence_lines(call: Call) -> list[EvidenceLine]:
    """What speaks for and against a call; a measurement that several rules of it look at stands once."""
    grouped: dict[str, list[Evidence]] = {}
    for item in call.evidence:
        if item.supports != "neither":
            grouped.setdefault(item.statement, []).append(item)
    return [
        EvidenceLine(
            statement,
            tuple(dict.fromkeys(f"{e.supports} if {e.criterion}" for e in items)),
            tuple(dict.fromkeys(e.note for e in items if e.note)),
            tuple(dict.fromkeys(key for e in items for key in e.citation)),
        )
        for statement, items in grouped.items()
    ]


def missing_lines(call: Call) -> list[str]:
    """Why a mechanism is not assessable: a sentence for each measurement that its rule looks at, each once."""
    return list(dict.fromkeys(e.statement for e in call.evidence))
