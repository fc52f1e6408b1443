"""Statements that must not hold, read from ``knowledge/must_not.yaml``: what a model of the field may not say.

Each names a false statement (a B2M-null tumour that PD-1 blockade rescues, a biomarker that does not predict, an add-on
that failed in trials) as a comparison of scenarios, the direction in which it would be true, and the bounds within
which there is no effect. All were written, and their set-ups locked, before the model was run for any of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from immunescape.errors import InputError
from immunescape.knowledge.claim_records import Claim, Setting, first_problem
from immunescape.registry import Entry, Registry

__all__ = ["MUST_NOT", "MustNot", "load_must_not"]


class MustNot(BaseModel):
    """One statement that must not hold.

    Attributes
    ----------
    id, text : its name, and the false statement in words.
    at, sources : place in the review or references that deny it. With neither it follows from what a drug or a
        parameter acts on.
    guarded_by : mechanisms each of which is switched off in turn: where the statement then comes true, the mechanism
        is what keeps the model from it, and the statement is one that a model can fail.
    background, change, against, modifies, observe, with_value, measure, day, with_day : as in `Claim`.
    must_not : direction of the effect in which the statement would be true.
    low, high : bounds of no effect, in the scale of `measure`.
    batch : ``first``, or ``second`` for those that were added, and locked, after the first had been run.
    note : what a reader should know.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    text: str = Field(min_length=10)
    at: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    guarded_by: tuple[str, ...] = Field(min_length=1)
    background: Setting = Setting()
    change: Setting = Setting()
    against: Setting = Setting()
    modifies: Setting | None = None
    observe: str
    with_value: str = ""
    measure: Literal["ratio", "difference", "correlation", "share"] = "ratio"
    day: float = Field(ge=0.0, le=2000.0)
    with_day: float = Field(default=0.0, ge=0.0)
    must_not: Literal["increase", "decrease", "change"]
    low: float
    high: float
    batch: Literal["first", "second"] = "first"
    note: str = ""

    @property
    def name(self) -> str:
        """Its id, under which it is registered."""
        return self.id

    @field_validator("at", "sources", "guarded_by", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _bounded(self) -> MustNot:
        neutral = 1.0 if self.measure == "ratio" else 0.0
        if not self.low <= neutral <= self.high:
            raise ValueError(f"the bounds {self.low:g} to {self.high:g} of no effect leave out {neutral:g}")
        return self

    def as_claim(self) -> Claim:
        """Return the same comparison as a claim of no effect."""
        data = self.model_dump(exclude={"must_not", "guarded_by", "batch"})
        return Claim.model_validate(
            {**data, "mechanism": self.guarded_by, "expect": "none", "chapter": "must not hold"}
        )


def _statements() -> Iterator[Entry[MustNot]]:
    """Statements of the file, each with its number."""
    rows = yaml.safe_load((files("immunescape.knowledge") / "must_not.yaml").read_text(encoding="utf-8"))["statements"]
    for number, row in enumerate(rows, 1):
        where = f"must_not.yaml, statement {number}, '{row.get('id', '?')}'"
        try:
            record = MustNot.model_validate(row)
            record.as_claim()
        except ValidationError as error:
            raise first_problem(error, where) from error
        yield Entry(record, where)


MUST_NOT = Registry("statement that must not hold", MustNot, read=_statements, error=InputError)


def load_must_not() -> tuple[MustNot, ...]:
    """Return every statement that must not hold.

    Raises
    ------
    InputError
        Naming the statement and the field; for an id that stands twice, both places.
    """
    return tuple(MUST_NOT.all().values())
