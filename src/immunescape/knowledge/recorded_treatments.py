"""Treatments of patients' files that the model cannot give as they are: stand-ins, and what is no line at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal

from pydantic import Field

from immunescape.knowledge.yaml_tables import DATA, Block, load_table

__all__ = [
    "RecordedTreatments",
    "StandIn",
    "load_recorded_treatments",
    "named_checkpoint_inhibitors",
    "names_other_drug",
    "plain_name",
    "whole_words",
]


class StandIn(Block):
    """Treatments of one kind, and the drugs that are simulated in their place."""

    kind: str
    drugs: tuple[str, ...] = Field(min_length=1)
    names: tuple[str, ...] = Field(min_length=1)


class AgainstCancer(Block):
    """Names, and ends of names, of treatments against the tumour for which nothing stands in."""

    names: tuple[str, ...]
    endings: tuple[str, ...]


class Inhibitors(Block):
    """Checkpoint inhibitors of one target: kinds of stand-ins whose names count, and further names."""

    kinds: tuple[str, ...]
    names: tuple[str, ...]


class RecordedTreatments(Block):
    """The whole table."""

    version: str
    abbreviations: dict[str, tuple[str, ...]]
    stand_ins: tuple[StandIn, ...]
    checkpoint_inhibitors: dict[Literal["PD-(L)1", "CTLA-4"], Inhibitors]
    against_cancer: AgainstCancer
    no_line: tuple[str, ...]

    def stand_in(self, name: str) -> StandIn | None:
        """What stands in for a treatment; None where nothing does."""
        plain = plain_name(name)
        return next((s for s in self.stand_ins if plain in map(plain_name, s.names)), None)

    def is_no_line(self, name: str) -> bool:
        """Whether a treatment is known to be no line of systemic treatment."""
        return plain_name(name) in map(plain_name, self.no_line)

    def names_no_line(self, name: str) -> bool:
        """Whether a text, ``thoracic radiotherapy`` or ``dexamethasone 8 mg``, has the name of such a treatment."""
        pieces = {plain_name(piece) for piece in re.split(r"[^a-z0-9-]+", name.casefold()) if piece}
        return not pieces.isdisjoint(map(plain_name, self.no_line))

    def is_against_cancer(self, name: str) -> bool:
        """Whether a treatment is against the tumour, by its name or the end of it."""
        plain = plain_name(name)
        return plain in map(plain_name, self.against_cancer.names) or any(
            piece.endswith(self.against_cancer.endings) for piece in re.split(r"[^a-z0-9]+", name.casefold()) if piece
        )


def named_checkpoint_inhibitors(text: str) -> frozenset[str]:
    """Targets, ``PD-(L)1`` and ``CTLA-4``, of the checkpoint inhibitors that a text names.

    Drugs, brands, codes, short forms and words for the class count, as whole words, whatever their case and hyphens;
    ``no ICI``, ``non-ICI`` and ``after anti-PD-1`` name none.
    """
    return frozenset(target for target, names in _inhibitor_names().items() if names.search(text))


@lru_cache(maxsize=1)
def _inhibitor_names() -> Mapping[Literal["PD-(L)1", "CTLA-4"], re.Pattern[str]]:
    table = load_recorded_treatments()
    patterns = {}
    for target, inhibitors in table.checkpoint_inhibitors.items():
        named = {*inhibitors.names, *(n for s in table.stand_ins if s.kind in inhibitors.kinds for n in s.names)}
        whole = {plain_name(n) for n in named}
        named |= {short for name, texts in table.abbreviations.items() if plain_name(name) in whole for short in texts}
        patterns[target] = whole_words(named)
    return patterns


def whole_words(names: Iterable[str]) -> re.Pattern[str]:
    """Any of some names as it may stand within a longer text, the longest first; not where it was not given."""
    longest_first = sorted({n.casefold() for n in names}, key=lambda name: (-len(name), name))
    texts = (r"[\s_–-]*".join(map(re.escape, re.split(r"[\s_–-]+", name))) for name in longest_first)
    return re.compile(rf"{_NOT_GIVEN}(?<![a-z0-9])(?:{'|'.join(texts)})(?![a-z0-9])", re.IGNORECASE)


_TELL_NOTHING = ("clinical trial", "trial", "study drug")
_NOT_GIVEN = r"(?<!anti[\s-])(?<!non[\s-])(?<!no\s)(?<!without\s)(?<!after\s)(?<!post[\s-])"


def names_other_drug(text: str) -> bool:
    """Whether a text names a drug against cancer, or chemotherapy, that is no checkpoint inhibitor.

    Words such as *combination* or *clinical trial* tell nothing.
    """
    table = load_recorded_treatments()
    endings = tuple(e for e in table.against_cancer.endings if e != "mab")
    if any(w.endswith(endings) for w in re.split(r"[^a-z0-9]+", text.casefold()) if w):
        return True
    return _other_names().search(text) is not None


@lru_cache(maxsize=1)
def _other_names() -> re.Pattern[str]:
    table = load_recorded_treatments()
    inhibitors = {kind for i in table.checkpoint_inhibitors.values() for kind in i.kinds}
    names = {n for s in table.stand_ins if s.kind not in inhibitors for n in (*s.names, *s.drugs)}
    words = {n for n in table.against_cancer.names if n not in _TELL_NOTHING}
    return whole_words({*names, *words, "placebo"})


def plain_name(name: str) -> str:
    """A name as it is compared: ``Anti-PD-1`` and ``anti PD1`` are one."""
    return re.sub(r"[\s_–-]+", "", name.casefold())


@lru_cache(maxsize=1)
def load_recorded_treatments() -> RecordedTreatments:
    """Return ``recorded_treatments.yaml``."""
    return load_table(DATA / "recorded_treatments.yaml", RecordedTreatments)
