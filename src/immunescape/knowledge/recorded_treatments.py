"""Treatments of patients' files that the model cannot give as they are: stand-ins, and what is no line at all."""

from __future__ import annotations

import re
from functools import lru_cache

from pydantic import Field

from immunescape.knowledge.yaml_tables import DATA, Block, load_table

__all__ = ["RecordedTreatments", "StandIn", "load_recorded_treatments", "plain_name"]


class StandIn(Block):
    """Treatments of one kind, and the drugs that are simulated in their place."""

    kind: str
    drugs: tuple[str, ...] = Field(min_length=1)
    names: tuple[str, ...] = Field(min_length=1)


class AgainstCancer(Block):
    """Names, and ends of names, of treatments against the tumour for which nothing stands in."""

    names: tuple[str, ...]
    endings: tuple[str, ...]


class RecordedTreatments(Block):
    """The whole table."""

    version: str
    abbreviations: dict[str, tuple[str, ...]]
    stand_ins: tuple[StandIn, ...]
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


def plain_name(name: str) -> str:
    """A name as it is compared: ``Anti-PD-1`` and ``anti PD1`` are one."""
    return re.sub(r"[\s_–-]+", "", name.casefold())


@lru_cache(maxsize=1)
def load_recorded_treatments() -> RecordedTreatments:
    """Return ``recorded_treatments.yaml``."""
    return load_table(DATA / "recorded_treatments.yaml", RecordedTreatments)
