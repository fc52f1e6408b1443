"""What a change in frame does to a protein: the table ``knowledge/data/variant_effects.csv``.

A row is a single change (``R521K``), or all missense changes of a residue (``R130*``). What no row lists is of unknown
significance: lying in a domain alone proves nothing, and is said in the note of the call only.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import immunescape.knowledge
from immunescape.errors import InputError

__all__ = ["TABLE", "VariantEffect", "variant_effect", "variant_effects"]

TABLE = Path(immunescape.knowledge.__file__).parent / "data" / "variant_effects.csv"
_EFFECTS = ("inactivating", "benign")
_MISSENSE = re.compile(r"([A-Z])(\d+)([A-Z])$")
_THREE = dict(
    zip(
        "Ala Arg Asn Asp Cys Gln Glu Gly His Ile Leu Lys Met Phe Pro Ser Thr Trp Tyr Val".split(),
        "ARNDCQEGHILKMFPSTWYV",
        strict=True,
    )
)


@dataclass(frozen=True)
class VariantEffect:
    """One row: gene, change, ``inactivating`` or ``benign``, source, grade and note."""

    gene: str
    change: str
    effect: str
    source: str
    grade: str
    note: str


@lru_cache(maxsize=1)
def variant_effects() -> dict[tuple[str, str], VariantEffect]:
    """Return (gene, change) -> row.

    Raises
    ------
    InputError
        Naming the row, for an unknown effect or a row without source.
    """
    found = {}
    with TABLE.open(encoding="utf-8", newline="") as stream:
        for number, row in enumerate(csv.DictReader(stream), start=2):
            where = f"{TABLE.name}, row {number}"
            if row["effect"] not in _EFFECTS:
                raise InputError(
                    f"unknown effect '{row['effect']}'", where=where, hint=f"Known: {', '.join(_EFFECTS)}."
                )
            if not row["source"] or not row["grade"]:
                raise InputError("the row has no source or no grade", where=where)
            found[row["gene"], row["change"]] = VariantEffect(**row)
    return found


def _one_letter(protein: str) -> str:
    """Return a missense change in one-letter words (``p.Arg521Lys`` -> ``R521K``)."""
    change = protein.removeprefix("p.").strip("()")
    return re.sub(r"[A-Z][a-z]{2}", lambda m: _THREE.get(m.group(), m.group()), change)


def variant_effect(gene: str, classification: str, protein: str) -> VariantEffect | None:
    """Return what is known of a missense change, or None where no row lists it."""
    if not classification.startswith("Missense"):
        return None
    change = _MISSENSE.match(_one_letter(protein))
    if change is None:
        return None
    table = variant_effects()
    return table.get((gene, change.group())) or table.get((gene, f"{change.group(1)}{change.group(2)}*"))
