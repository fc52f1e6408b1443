"""Effects of in-frame changes on proteins: the table ``knowledge/data/variant_effects.csv``.

A row is a change (``R521K``), all missense changes of a residue (``D194*``), or a domain (``49-309``). A change is
inactivating or benign if a row classifies it as such. All others are of unknown significance: the location in a domain
proves nothing by itself, but the call states the domain, or that the change lies outside the listed domains.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import immunescape.knowledge
from immunescape.errors import InputError
from immunescape.knowledge.tables import read_rows

__all__ = ["TABLE", "VariantEffect", "place_in_protein", "single_letter_code", "variant_effect", "variant_effects"]

TABLE = Path(immunescape.knowledge.__file__).parent / "data" / "variant_effects.csv"
_EFFECTS = ("inactivating", "benign", "domain")
_MISSENSE = re.compile(r"([A-Z])(\d+)([A-Z])$")
_THREE = dict(
    zip(
        "Ala Arg Asn Asp Cys Gln Glu Gly His Ile Leu Lys Met Phe Pro Ser Thr Trp Tyr Val".split(),
        "ARNDCQEGHILKMFPSTWYV",
        strict=True,
    )
) | {"Ter": "*"}


@dataclass(frozen=True)
class VariantEffect:
    """One row: gene, change, ``inactivating``, ``benign`` or ``domain``, sources, grade and note."""

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
        Naming the row, for an unknown effect, a row without source, or a change that occurs twice.
    """
    effects = {}
    for row in read_rows(TABLE):
        row.choice("effect", _EFFECTS)
        if (row["gene"], row["change"]) in effects:
            raise InputError(f"{row['gene']} {row['change']} occurs twice", where=row.where)
        effects[row["gene"], row["change"]] = VariantEffect(**row)
    return effects


def single_letter_code(protein: str) -> str:
    """Return a protein change in one-letter code (``p.Arg521Lys``, ``p.(R521K)`` -> ``p.R521K``).

    Brackets mean that the change is predicted from the DNA, as all of these are. Other text is unchanged.
    """
    bracketed = re.fullmatch(r"(?:p\.)?\((.+)\)", protein)
    if not bracketed and not re.search(r"[A-Z][a-z]{2}\d", protein):
        return protein
    change = bracketed.group(1) if bracketed else protein.removeprefix("p.")
    letters = re.sub(r"[A-Z][a-z]{2}", lambda m: _THREE.get(m.group(), m.group()), change)
    return "p." * protein.startswith("p.") + letters


def variant_effect(gene: str, classification: str, protein: str) -> VariantEffect | None:
    """Return what is known about a missense change, or None if no row lists it."""
    if not classification.startswith("Missense"):
        return None
    change = _MISSENSE.match(single_letter_code(protein).removeprefix("p."))
    if change is None:
        return None
    table = variant_effects()
    return table.get((gene, change.group())) or table.get((gene, f"{change.group(1)}{change.group(2)}*"))


def place_in_protein(gene: str, protein: str) -> str:
    """Return where a change lies (``in the kinase domain``), or '' if no domain of the gene is listed."""
    domains = [(k[1], e) for k, e in variant_effects().items() if k[0] == gene and e.effect == "domain"]
    residue = re.search(r"\d+", protein)
    if not domains or residue is None:
        return ""
    for change, effect in domains:
        first, _, last = change.partition("-")
        if int(first) <= int(residue.group()) <= int(last):
            return f"in the {effect.note.partition(';')[0]}"
    return "outside the domains of known function"
