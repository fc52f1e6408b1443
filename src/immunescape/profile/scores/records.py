"""The record of one published score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

__all__ = ["Reading", "Score"]

Reading = Literal["favourable", "unfavourable", "between", ""]


@dataclass(frozen=True)
class Score:
    """One published score of one patient.

    Attributes
    ----------
    name, title : ``loris_nsclc``, what it is.
    value : number or word, None where it cannot be had.
    unit : unit of a number.
    reading : what the study that published it takes it for; '' where it gives no cut-off.
    rule : the cut-off behind the reading.
    inputs : what it was made from, with units.
    note : why it is missing, or what to keep in mind.
    citation : keys of ``knowledge/references.bib``.
    """

    name: str
    title: str
    value: float | str | None
    _: KW_ONLY
    unit: str = ""
    reading: Reading = ""
    rule: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    citation: tuple[str, ...] = ()
