"""Which change of a driver gene is activating: the table ``knowledge/data/driver_alterations.csv`` and its rules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import immunescape.knowledge
from immunescape.knowledge.tables import read_rows

if TYPE_CHECKING:
    from immunescape.profile.biomarkers.alterations import Hit

__all__ = ["DriverRule", "driver_rules", "match", "residue"]

TABLE = Path(immunescape.knowledge.__file__).parent / "data" / "driver_alterations.csv"
_RULES = ("deletion", "insertion", "protein", "residue", "splice", "partner")


@dataclass(frozen=True)
class DriverRule:
    """One row of the table: changes of one class in one gene."""

    gene: str
    kind: str
    rule: str
    values: tuple[str, ...]
    source: str
    note: str

    def matches(self, hit: Hit, partner: str = "") -> bool:
        """Return whether a hit is of this class."""
        protein = hit.protein.removeprefix("p.")
        if self.rule == "partner":
            return partner in self.values
        if self.rule == "protein":
            return protein in self.values
        if self.rule == "residue":
            return hit.classification.startswith("Missense") and any(
                re.fullmatch(rf"{v}[A-Z]", protein) for v in self.values
            )
        first, _, last = self.values[0].partition("-")
        position = residue(protein)
        inside = position is not None and int(first) <= position <= int(last)
        if self.rule == "splice":
            return inside and (hit.classification == "Splice_Site" or protein.endswith("_splice"))
        classification = "In_Frame_Del" if self.rule == "deletion" else "In_Frame_Ins"
        kind_of_indel = "del" if self.rule == "deletion" else "ins"
        in_frame = hit.classification.startswith("In_Frame") and "fs" not in protein
        return inside and (hit.classification == classification or (in_frame and kind_of_indel in protein))


def residue(protein: str) -> int | None:
    """Return the first residue number of a protein change (``p.E746_A750del`` -> 746), or None."""
    position = re.match(r"(?:p\.)?\D{1,3}(\d+)", protein)
    return int(position.group(1)) if position else None


@lru_cache(maxsize=1)
def driver_rules() -> dict[str, tuple[DriverRule, ...]]:
    """Return the rules of each driver gene.

    Raises
    ------
    InputError
        Naming the row, for an unknown rule or a row without source.
    """
    rules: dict[str, list[DriverRule]] = {}
    for row in read_rows(TABLE):
        kind = row.choice("rule", _RULES)
        rule = DriverRule(row["gene"], row["class"], kind, tuple(row["value"].split()), row["source"], row["note"])
        rules.setdefault(rule.gene, []).append(rule)
    return {gene: tuple(rules) for gene, rules in rules.items()}


def match(gene: str, hit: Hit, partner: str = "") -> str | None:
    """Return the class of an activating change (``exon_19_deletion``), or None if it is not listed."""
    for rule in driver_rules().get(gene, ()):
        if rule.matches(hit, partner):
            return rule.kind
    return None
