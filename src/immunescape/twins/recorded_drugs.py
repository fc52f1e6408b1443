"""What a treatment of a patient's file is to the model: drugs of its own, a stand-in of the same kind, or no line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Literal

from immunescape.knowledge.recorded_treatments import (
    NamesWithin,
    denies_treatment,
    load_recorded_treatments,
    plain_name,
)
from immunescape.knowledge.tables import read_rows
from immunescape.profile.biomarkers.antibiotics import is_antibiotic

__all__ = ["RecordedDrug", "nearest_drug", "recorded_drug"]

_NOT_AGAINST_CANCER = ("antibiotic", "flora")
_APART = re.compile(r"\s*[+/,;&]\s*|\s+and\s+", re.IGNORECASE)

_SLASH = "\N{DIVISION SLASH}"


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
    for name, texts in load_recorded_treatments().abbreviations.items():
        names.update(dict.fromkeys(texts, name))
    return names


@lru_cache(maxsize=1)
def _plain_names() -> Mapping[str, str]:
    return {plain_name(text): name for text, name in _drug_names().items()}


@lru_cache(maxsize=1)
def _names_within() -> NamesWithin:
    """Every name of a drug or of what it stands in for, as it may stand within a longer text."""
    return NamesWithin({*_drug_names(), *(n for s in load_recorded_treatments().stand_ins for n in s.names)})


@lru_cache(maxsize=1)
def _words_within() -> NamesWithin:
    """Words for treatments against the tumour that are no drugs: ``chemotherapy``, ``TKI``."""
    return NamesWithin(load_recorded_treatments().against_cancer.names)


def nearest_drug(name: str) -> str:
    """Name of the drug of which a word that is none may be a misspelling; '' where none is near."""
    near = get_close_matches(name.casefold(), _drug_names(), n=1, cutoff=0.85)
    return near[0] if near else ""


@lru_cache(maxsize=1)
def _usual() -> frozenset[str]:
    return frozenset(row["drug"] for row in read_rows("usual_regimens"))


def recorded_drug(text: object) -> tuple[RecordedDrug, ...]:
    """What a cell of the column of drugs names: one treatment, several that it joins (``a + b``, ``a/b``), or none.

    A text that is no name itself is read for the names in it: ``pembrolizumab 200 mg``, ``cisplatin-pemetrexed``.
    """
    name = text.strip() if isinstance(text, str) else ""
    if not name:
        return ()
    whole = _recorded_drug(name)
    if whole.drugs or whole.registered or whole.counts == "never":
        return (whole,)
    kept = _names_within().replaced(name, lambda drug: drug.replace("/", _SLASH))  # PD-1/PD-L1 is one word
    pieces = [piece.replace(_SLASH, "/") for piece in _APART.split(kept) if piece]
    return tuple(dict.fromkeys(drug for piece in pieces for drug in _within(piece)))


def _within(piece: str) -> tuple[RecordedDrug, ...]:
    """What a text without separators names."""
    whole = _recorded_drug(piece)
    if whole.drugs or whole.registered or whole.counts == "never":
        return (whole,)
    named: dict[tuple[str, str], RecordedDrug] = {}
    for match in _names_within().given(piece):
        drug = _recorded_drug(match.group())
        named.setdefault((drug.registered, drug.kind), drug)  # a brand beside the name of its drug is no second drug
    rest = _names_within().rest(piece)
    given = rest if _words_within().given(rest) else _words_within().rest(rest)  # 'without chemotherapy' is none
    further = _further(given, tuple(named.values())) if rest != piece else ()
    if named or further:
        return (*named.values(), *further)
    if denies_treatment(piece) or any(names.denies_only(piece) for names in (_names_within(), _words_within())):
        return (RecordedDrug(piece, counts="never"),)  # 'ICI-naive' is nothing that was given
    if rest != piece:  # 'XY-12 after pembrolizumab' may be
        return (RecordedDrug(piece, counts="numbered"),)
    return (whole,)


def _further(rest: str, named: tuple[RecordedDrug, ...]) -> tuple[RecordedDrug, ...]:
    """Treatments against the tumour that stand between the names of others: drugs that the model has not."""
    from immunescape.trial.toxicity import contains_class

    cytotoxic = any(contains_class((d,), "cytotoxic") for drug in named for d in drug.drugs)
    words = (w for w in re.findall(r"[a-z0-9]{6,}", rest, re.IGNORECASE) if _recorded_drug(w).counts == "line")
    return tuple(RecordedDrug(w) for w in words if not (cytotoxic and w.casefold() == "chemotherapy"))


def _recorded_drug(name: str) -> RecordedDrug:
    from immunescape.trial.toxicity import contains_class

    table = load_recorded_treatments()
    registered = _plain_names().get(plain_name(name), "")
    against_cancer = not (registered and any(contains_class((registered,), c) for c in _NOT_AGAINST_CANCER))
    if is_antibiotic(name) or not against_cancer or any(table.is_no_line(n) for n in (name, registered) if n):
        return RecordedDrug(name, registered=registered, counts="never")
    if registered in _usual():
        return RecordedDrug(name, (registered,), registered=registered)
    stand_in = table.stand_in(name) or (table.stand_in(registered) if registered else None)
    if stand_in is not None:
        return RecordedDrug(name, stand_in.drugs, stand_in.kind, registered)
    if registered or table.is_against_cancer(name):
        return RecordedDrug(name, registered=registered)
    return RecordedDrug(name, counts="never" if table.names_no_line(name) else "numbered")
