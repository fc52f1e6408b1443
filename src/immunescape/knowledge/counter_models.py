"""For each statement that must not hold, one wrong model that would make it true, read from ``counter_models.yaml``.

A statement that the model respects says something only where a wrong model violates it. Which wrong model that is was
decided from the biology of the statement, written down and locked before any of them was run. Every one is wrong in one
place, of a kind that is open to all statements; none touches what is looked at.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from immunescape.errors import InputError, unknown_word
from immunescape.knowledge.claim_records import Setting, first_problem
from immunescape.knowledge.must_not_records import load_must_not

__all__ = ["KINDS", "CounterModel", "Link", "Wire", "load_counter_models"]

KINDS = ("off", "set", "reverse", "clone_like", "also_give", "wire", "as_strong_as", "link")
"""Ways in which a model can be wrong; each counter-model has one."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Wire(_Record):
    """A coupling that does not exist: a parameter, state or quantity that acts on a shared process."""

    source: str
    process: str
    effect: Literal["inhibits", "promotes"]
    strength: float = Field(gt=0.0, le=10.0)


class Link(_Record):
    """A biomarker that goes with a parameter: SDs of ln(parameter) for each SD of the biomarker's rank."""

    source: str
    parameter: str
    weight: float = Field(ge=-1.0, le=1.0)


class CounterModel(_Record):
    """One wrong model.

    Attributes
    ----------
    statement : id of the statement that must not hold.
    because : which error of a modeller, or which idea of the field, it stands for.
    off : mechanisms that are absent.
    set : parameters, as in `Setting`; a biology that is left out or overdone.
    reverse : modulations (``process/pathway/mechanism``, or all of a mechanism by its name) or parameters whose sign is
        turned.
    clone_like : clone -> clone whose traits it has; ``sensitive`` takes its defect away.
    also_give : drug -> regimen whose action it has as well: an effect off its target, or another class.
    wire : a coupling that is added, with the strength that a real one of that process has.
    as_strong_as : modulation -> modulation whose reference strength it has.
    link : a biomarker that is made to go with a parameter.
    """

    statement: str
    because: str = Field(min_length=10)
    off: tuple[str, ...] = ()
    set: dict[str, float | str] = Field(default_factory=dict)
    reverse: tuple[str, ...] = ()
    clone_like: dict[str, str] = Field(default_factory=dict)
    also_give: dict[str, str] = Field(default_factory=dict)
    wire: Wire | None = None
    as_strong_as: dict[str, str] = Field(default_factory=dict)
    link: Link | None = None

    @field_validator("off", "reverse", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _single(self) -> CounterModel:
        kinds = [k for k in KINDS if getattr(self, k)]
        if len(kinds) != 1:
            raise ValueError(f"a counter-model is wrong in one way ({', '.join(KINDS)}), not {len(kinds)}")
        if self.set:
            Setting(set=self.set)
        return self

    @property
    def id(self) -> str:
        """Name under which it is locked."""
        return f"counter:{self.statement}"

    @property
    def kind(self) -> str:
        """The way in which it is wrong."""
        return next(k for k in KINDS if getattr(self, k))

    @property
    def change(self) -> str:
        """What is wrong in it, in one line."""
        value = getattr(self, self.kind)
        if isinstance(value, Wire):
            return f"wire: {value.source} {value.effect} {value.process}, strength {value.strength:g}"
        if isinstance(value, Link):
            return f"link: {value.parameter} follows {value.source}, {value.weight:+g} SD for one SD"
        if isinstance(value, dict):
            return f"{self.kind.replace('_', ' ')}: " + "; ".join(f"{a} {b}" for a, b in value.items())
        return f"{self.kind}: {', '.join(value)}"


@lru_cache(maxsize=1)
def load_counter_models() -> dict[str, CounterModel]:
    """Return statement -> counter-model.

    Raises
    ------
    InputError
        Naming the entry and the field, and for a statement that does not exist, with the nearest.
    """
    text = (files("immunescape.knowledge") / "counter_models.yaml").read_text(encoding="utf-8")
    statements = {s.id for s in load_must_not()}
    records: dict[str, CounterModel] = {}
    for number, row in enumerate(yaml.safe_load(text)["counter_models"], 1):
        where = f"counter_models.yaml, entry {number}, '{row.get('statement', '?')}'"
        try:
            record = CounterModel.model_validate(row)
        except ValidationError as error:
            raise first_problem(error, where) from error
        if record.statement not in statements:
            raise unknown_word("statement that must not hold", record.statement, statements, where=where)
        if record.statement in records:
            raise InputError("this statement has two counter-models", where=where)
        records[record.statement] = record
    return records
