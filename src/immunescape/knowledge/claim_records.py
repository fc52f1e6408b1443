"""The review's statements as records: read from ``knowledge/claims/*.yaml``, one file for each chapter.

A claim says what is changed (`change`, against `against`, both on top of `background`), which quantity of the model is
looked at (`observe`, on `day`), and how it moves (`expect`, and `low`, `high` where the review gives a size). A
statement that a simulation cannot judge is recorded all the same, as context, with the reason. Places are
``paragraph.sentence`` of the review (title and abstract are paragraph 1); the texts are in our own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from immunescape import plugins
from immunescape.errors import InputError, unknown_word
from immunescape.registry import Entry, Registry

__all__ = [
    "CLAIMS",
    "Claim",
    "Setting",
    "claim_chapters",
    "first_problem",
    "load_claims",
    "places",
    "read_claims",
    "shipped_claims",
]

_PLACE = re.compile(r"^(\d+)\.(\d+)(?:-(\d+))?$")
_FACTOR = re.compile(r"^x\s*([0-9.]+(?:e-?\d+)?)$")


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str | int | float) else value


class Setting(_Record):
    """What is changed in every patient, from day 0 on.

    Attributes
    ----------
    set : parameter -> value in the unit of its table, or ``x3``: three times each patient's own value.
    off : mechanisms that are switched off.
    clones : clone -> its share of the living cancer cells at day 0; the others share the rest as they did.
    give : a regimen, as in trial files, or several that are given side by side.
    """

    set: dict[str, float | str] = Field(default_factory=dict)
    off: tuple[str, ...] = ()
    clones: dict[str, float] = Field(default_factory=dict)
    give: tuple[str, ...] = ()

    @field_validator("off", "give", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:
        return _listed(value)

    @field_validator("set")
    @classmethod
    def _set(cls, value: dict[str, float | str]) -> dict[str, float | str]:
        for name, change in value.items():
            if isinstance(change, str) and not _FACTOR.match(change):
                raise ValueError(f"'{change}' of '{name}' is neither a number nor a factor such as x3")
        return value

    @field_validator("clones")
    @classmethod
    def _clones(cls, value: dict[str, float]) -> dict[str, float]:
        if any(not 0.0 <= share <= 1.0 for share in value.values()) or sum(value.values()) > 1.0 + 1e-9:
            raise ValueError("shares of clones must lie between 0 and 1 and add up to at most 1")
        return value

    @property
    def empty(self) -> bool:
        """Whether it changes nothing."""
        return not (self.set or self.off or self.clones or self.give)

    def factor(self, name: str) -> float | None:
        """Return the factor of a parameter, or None where it is set to a value."""
        match = _FACTOR.match(str(self.set[name]))
        return float(match.group(1)) if match else None


class Claim(_Record):
    """One statement of the review.

    Attributes
    ----------
    id : unique, lower case with hyphens.
    at : places in the review, ``paragraph.sentence`` or ``paragraph.first-last``; none for the claim of a plug-in.
    refs : the review's reference numbers.
    text : what it says, in our own words.
    kind : ``directional``, ``quantitative`` (the review gives a size), or ``context`` (not for a simulation to judge).
    reason : why a context statement is not simulated.
    mechanism : mechanisms (or drugs) that carry the effect; with them switched off it must vanish.
    background, change, against : settings; the effect is ``background + change`` against ``background + against``.
    modifies : a setting whose own effect `change` must alter (its effect with the change less its effect without).
    observe : a state or quantity of the model; ``change:NAME`` is its value on `day` over that at the first dose,
        ``best:NAME`` the smallest such. Or an event of the diameter, 1 or 0 in each patient: ``response`` (30 %
        smaller than at the first dose on `day`) and ``best_response`` (until then), ``progression`` (20 % larger than
        at the first dose on `day`), ``ever_progressed`` (20 % larger than at its smallest, until then) and
        ``relapse`` (the same, of those with a best response). Or of a resection on `day`:
        ``major_pathological_response`` (viable cells are 10 % of the tumour bed at most) and
        ``complete_pathological_response``.
    day : day on which it is looked at, counted from day 0.
    treat_from : day of the first dose; before it, `set`, `off` and `clones` act alone.
    with_value : a second quantity; the claim is then about the rank correlation of both across patients.
    with_day : day on which that is looked at.
    among : only patients with this event on `among_day`, without the change: ``progression`` for those whose tumour has
        grown under the background.
    among_day : day of that event.
    expect : ``increase``, ``decrease``, or ``none`` (the effect lies within ``low`` .. ``high``).
    low, high : bounds of the effect: a ratio for quantities, a difference of shares or a correlation otherwise.
    measure : how the effect is expressed, ``ratio`` where not said; ``share`` is the mean of the changed side alone.
    least : smallest effect that counts, in the same scale.
    correction : what primary sources say where the review errs, with `sources`.
    note : what a reader should know of how the statement was put to the model.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    at: tuple[str, ...] = ()
    refs: tuple[int, ...] = ()
    text: str = Field(min_length=10)
    kind: Literal["directional", "quantitative", "context"] = "directional"
    reason: str = ""
    mechanism: tuple[str, ...] = ()
    background: Setting = Setting()
    change: Setting = Setting()
    against: Setting = Setting()
    modifies: Setting | None = None
    observe: str = ""
    day: float = Field(default=0.0, ge=0.0, le=2000.0)
    treat_from: float = Field(default=0.0, ge=0.0)
    with_value: str = ""
    with_day: float = Field(default=0.0, ge=0.0)
    among: Literal["", "response", "progression"] = ""
    among_day: float = Field(default=0.0, ge=0.0)
    expect: Literal["increase", "decrease", "none"] | None = None
    low: float | None = None
    high: float | None = None
    measure: Literal["ratio", "difference", "correlation", "share"] = "ratio"
    least: float = Field(default=0.02, ge=0.0)
    correction: str = ""
    sources: tuple[str, ...] = ()
    note: str = ""
    chapter: str = ""

    @property
    def name(self) -> str:
        """Its id, under which it is registered."""
        return self.id

    @field_validator("at", "refs", "mechanism", "sources", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        if isinstance(value, list):
            return tuple(str(v) if isinstance(v, float) else v for v in value)
        return (str(value),) if isinstance(value, float) else _listed(value)

    @field_validator("at")
    @classmethod
    def _places(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for place in value:
            if not _PLACE.match(place):
                raise ValueError(f"'{place}' is not a place; write paragraph.sentence, e.g. '19.2' or '19.2-4'")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Claim:
        if self.kind == "context":
            if not self.reason:
                raise ValueError("a context statement needs its 'reason'")
            return self
        if self.change.empty and not self.with_value:
            raise ValueError("'change' is empty")
        if not self.observe or self.expect is None:
            raise ValueError("a claim needs 'observe' and 'expect'")
        if self.with_value and self.measure != "correlation":
            raise ValueError("a claim about two values has 'measure: correlation'")
        if not self.with_value and not self.mechanism:
            raise ValueError("a claim names the 'mechanism' without which the effect vanishes")
        if self.expect == "none" and (self.low is None or self.high is None):
            raise ValueError("'expect: none' needs the bounds 'low' and 'high'")
        if bool(self.among) != bool(self.among_day):
            raise ValueError("'among' and 'among_day' go together")
        if self.among and self.among_day > self.day:
            raise ValueError("'among_day' lies after the day of observation")
        if self.kind == "quantitative" and self.low is None and self.high is None:
            raise ValueError("a quantitative claim needs 'low' or 'high'")
        return self


class _Chapter(_Record):
    chapter: str
    claims: tuple[dict[str, Any], ...]


def places(claim: Claim) -> set[tuple[int, int]]:
    """Return the (paragraph, sentence) pairs that a claim speaks of."""
    positions: set[tuple[int, int]] = set()
    for text in claim.at:
        match = _PLACE.match(text)
        assert match is not None
        paragraph, first, last = int(match[1]), int(match[2]), int(match[3] or match[2])
        positions |= {(paragraph, s) for s in range(first, last + 1)}
    return positions


def _chapter(file: str, text: str) -> Iterator[Entry[Claim]]:
    """Claims of one chapter, each with its line."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
        chapter = _Chapter.model_validate(data)
    except yaml.YAMLError as error:
        raise InputError(f"not valid YAML: {error}", where=file) from error
    except ValidationError as error:
        raise InputError(
            f"not a chapter of claims: {error.errors()[0]['msg']}", where=file, hint="It has 'chapter' and 'claims'."
        ) from error
    assert node is not None
    lines = [item.start_mark.line + 1 for key, value in node.value if key.value == "claims" for item in value.value]
    for line, row in zip(lines, chapter.claims, strict=True):
        where = f"{file}, line {line}, claim '{row.get('id', '?')}'"
        try:
            yield Entry(Claim.model_validate({**row, "chapter": chapter.chapter}), where)
        except ValidationError as error:
            raise _problem(error, where) from error


def read_claims(file: str, text: str) -> list[Claim]:
    """Read the claims of one chapter.

    Raises
    ------
    InputError
        Naming file, line, claim, field and the nearest valid word; for an id that stands twice, both places.
    """
    return list(Registry("claim", Claim, read=lambda: _chapter(file, text), error=InputError).all().values())


def first_problem(error: ValidationError, where: str) -> InputError:
    """Return the first thing that is wrong with a record as an error that names its field."""
    detail = error.errors(include_url=False)[0]
    return InputError(f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}", where=where)


def _problem(error: ValidationError, where: str) -> Exception:
    detail = error.errors(include_url=False)[0]
    field = ".".join(str(p) for p in detail["loc"])
    if detail["type"] == "extra_forbidden":
        fields = Setting.model_fields if len(detail["loc"]) > 1 else Claim.model_fields
        return unknown_word("field", str(detail["loc"][-1]), fields, where=where)
    if detail["type"] == "literal_error":
        return unknown_word(
            f"word for '{field}'",
            str(detail["input"]),
            re.findall(r"'([^']*)'", detail["ctx"]["expected"]),
            where=where,
        )
    return InputError(f"{field or 'claim'}: {detail['msg'].removeprefix('Value error, ')}", where=where)


def _shipped() -> Iterator[Entry[Claim]]:
    """Claims of this package, chapter by chapter."""
    folder = files("immunescape.knowledge") / "claims"
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".yaml"):
            yield from _chapter(entry.name, entry.read_text(encoding="utf-8"))


def _every() -> Iterator[Entry[Claim]]:
    """Claims of this package, and then those of plug-ins."""
    yield from _shipped()
    for path in plugins.library("claims").values():
        yield from _chapter(str(path), path.read_text(encoding="utf-8"))


CLAIMS = Registry("claim", Claim, read=_every, error=InputError)


@lru_cache(maxsize=1)
def shipped_claims() -> tuple[Claim, ...]:
    """Return the claims of this package, chapter by chapter.

    Raises
    ------
    InputError
        Naming file, line and claim.
    """
    return tuple(entry.item for entry in _shipped())


def load_claims() -> tuple[Claim, ...]:
    """Return every claim that ships, chapter by chapter, and then those of plug-ins.

    Raises
    ------
    InputError
        Naming file, line and claim; for an identifier that stands twice, both places.
    """
    return tuple(CLAIMS.all().values())


def claim_chapters() -> list[str]:
    """Return the chapters in order."""
    return list(dict.fromkeys(c.chapter for c in load_claims()))
