"""What a treatment of a patient's file is to the model: drugs of its own, a stand-in of the same kind, or no line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from immunescape.knowledge.recorded_treatments import load_recorded_treatments
from immunescape.knowledge.tables import read_rows
from immunescape.profile.biomarkers.antibiotics import is_antibiotic

__all__ = ["RecordedDrug", "recorded_drug"]

_NOT_AGAINST_CANCER = ("antibiotic", "flora")
_APART = re.compile(r"\s*[+/,;&]\s*|\s+and\s+", re.IGNORECASE)


@dataclass(frozen=True)
class RecordedDrug:
    """A treatment as a file names it.

    Attributes
    ----------
    name : as it stands in the file.
    drugs : drugs with a usual regimen that are simulated for it; none where there is no such drug.
    kind : of what `drugs` stand in for; '' where they are what the file names.
    registered : name in the registry, where the drug is one of the model; else ''.
    counts : ``line``; ``numbered`` where only the number of its line, in the file, says that it is against the tumour;
        ``never``.
    """

    name: str
    drugs: tuple[str, ...] = ()
    kind: str = ""
    registered: str = ""
    counts: Literal["line", "numbered", "never"] = "line"


@lru_cache(maxsize=1)
def _drug_names() -> Mapping[str, str]:
    from immunescape.model.registry import drugs

    names: dict[str, str] = {}
    for name, record in drugs().items():
        for text in (name, name.replace("_", " "), name.replace("_", "-"), *getattr(record, "synonyms", ())):
            names[str(text).casefold()] = name
    return names


@lru_cache(maxsize=1)
def _usual() -> frozenset[str]:
    return frozenset(row["drug"] for row in read_rows("usual_regimens"))


def recorded_drug(text: object) -> tuple[RecordedDrug, ...]:
    """What a cell of the column of drugs names: one treatment, several that it joins (``a + b``, ``a/b``), or none."""
    name = text.strip() if isinstance(text, str) else ""
    if not name:
        return ()
    whole = _recorded_drug(name)
    pieces = [piece for piece in _APART.split(name) if piece]
    if not whole.drugs and whole.counts != "never" and len(pieces) > 1:
        return tuple(_recorded_drug(piece) for piece in pieces)
    return (whole,)


def _recorded_drug(name: str) -> RecordedDrug:
    from immunescape.trial.toxicity import contains_class

    table = load_recorded_treatments()
    registered = _drug_names().get(name.casefold(), "")
    against_cancer = not (registered and any(contains_class((registered,), c) for c in _NOT_AGAINST_CANCER))
    if is_antibiotic(name) or not against_cancer or any(table.is_no_line(n) for n in (name, registered) if n):
        return RecordedDrug(name, registered=registered, counts="never")
    if registered in _usual():
        return RecordedDrug(name, (registered,), registered=registered)
    stand_in = table.stand_in(name) or (table.stand_in(registered) if registered else None)
    if stand_in is not None:
        return RecordedDrug(name, stand_in.drugs, stand_in.kind, registered)
    counts: Literal["line", "numbered"] = "line" if registered or table.is_against_cancer(name) else "numbered"
    return RecordedDrug(name, registered=registered, counts=counts)
