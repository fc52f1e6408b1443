"""Set-ups of claims are locked: a digest of each, and the list of every change that was made to one.

``claims/lock.csv`` holds one row for each claim, each statement that must not hold and each counter-model
(``counter:<statement>``): its id and the digest of its set-up when it was locked. A set-up whose digest differs has
been changed, and ``claim_changes.yaml`` must say so, with date, reason and the form that it was changed from or to.
The claims stand in their first form; a form that replaced it is kept in the list and is simulated beside it.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from immunescape.errors import unknown_word
from immunescape.knowledge.claim_records import Claim, first_problem, load_claims
from immunescape.knowledge.counter_models import CounterModel, load_counter_models
from immunescape.knowledge.must_not_records import MustNot, load_must_not
from immunescape.knowledge.tables import read_rows

__all__ = ["ClaimChange", "claim_changes", "later_forms", "locked_digests", "setup_digest", "unlisted_changes"]

SETUP_FIELDS = (
    *("kind", "mechanism", "background", "change", "against", "modifies", "observe", "day", "treat_from"),
    *("with_value", "with_day", "expect", "low", "high", "measure", "least", "guarded_by", "must_not"),
)
"""Fields that decide what is simulated and how it is judged; texts, places and notes may be edited freely."""
_LOCK = Path(__file__).parent / "claims" / "lock.csv"


class ClaimChange(BaseModel):
    """One change of a claim's set-up.

    Attributes
    ----------
    claim : id, also of a statement that must not hold or a counter-model. date : of the change.
    reason : why, and after which result.
    kind : ``observable``, ``day``, ``size``, ``dose``, ``set-up``, ``bounds``, ``control`` (the mechanism that is
        switched off), ``removed`` (the claim was taken out for a time), or ``completed`` (the first form named
        something that the model did not have, so that no result of it was ever seen).
    later : fields of the form that replaced the first; a field that is None was absent. Empty where only one form can
        be simulated.
    first : fields of the first form, where the later one stands in the record because the first was ill posed.
    digest : of the set-up that now stands in the claim, where it is no longer the locked one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    claim: str
    date: datetime.date
    kind: Literal["observable", "day", "size", "dose", "set-up", "bounds", "control", "removed", "completed"]
    reason: str = Field(min_length=10)
    later: dict[str, Any] = Field(default_factory=dict)
    first: dict[str, Any] = Field(default_factory=dict)
    digest: str = ""


def setup_digest(record: BaseModel) -> str:
    """Digest (16 hexadecimal digits) of what a claim or a statement simulates and how it is judged."""
    data = record.model_dump(mode="json")
    if isinstance(record, CounterModel):
        setup = {name: value for name, value in data.items() if name != "because" and value}
        return hashlib.sha256(json.dumps(setup, sort_keys=True).encode()).hexdigest()[:16]
    setup = {name: data[name] for name in SETUP_FIELDS if name in data}
    setup |= {name: data[name] for name in ("among", "among_day") if data.get(name)}  # of few claims
    return hashlib.sha256(json.dumps(setup, sort_keys=True).encode()).hexdigest()[:16]


@lru_cache(maxsize=1)
def locked_digests() -> dict[str, str]:
    """Return id -> digest of the locked set-up: claims, statements that must not hold, counter-models."""
    return {row["id"]: row["digest"] for row in read_rows(_LOCK, ("id", "digest", "locked"))}


@lru_cache(maxsize=1)
def claim_changes() -> tuple[ClaimChange, ...]:
    """Return every listed change, in the order of the list.

    Raises
    ------
    InputError
        For an entry that is not a change, and for a claim that does not exist, with the nearest.
    """
    name = "claim_changes.yaml"
    rows = yaml.safe_load((files("immunescape.knowledge") / name).read_text(encoding="utf-8"))["changes"]
    changes = []
    ids = {c.id for c in load_claims()} | {s.id for s in load_must_not()}
    ids |= {c.id for c in load_counter_models().values()}
    for number, row in enumerate(rows, 1):
        where = f"{name}, entry {number}"
        try:
            change = ClaimChange.model_validate(row)
        except ValidationError as error:
            raise first_problem(error, where) from error
        if change.claim not in ids:
            raise unknown_word("claim", change.claim, ids, where=where)
        changes.append(change)
    return tuple(changes)


def later_forms() -> list[Claim]:
    """Return the forms that replaced a first form, as claims of their own, with ``--later`` after the id."""
    claims = {c.id: c for c in load_claims()}
    forms = []
    for change in claim_changes():
        if not change.later:
            continue
        data = claims[change.claim].model_dump()
        data.update(change.later)
        for name in [name for name, value in change.later.items() if value is None]:
            del data[name]
        forms.append(Claim.model_validate({**data, "id": f"{change.claim}--later"}))
    return forms


def unlisted_changes(records: Sequence[Claim | MustNot | CounterModel]) -> list[str]:
    """Return ids of the records whose set-up is neither the locked one nor that of a listed change."""
    listed = {(c.claim, c.digest) for c in claim_changes()}
    locked = locked_digests()
    digests = {record.id: setup_digest(record) for record in records}
    return [name for name, digest in digests.items() if locked.get(name) != digest and (name, digest) not in listed]
