"""Changes in HGVS notation -> class of the MAF specification and the short protein change."""

from __future__ import annotations

import re

__all__ = ["class_of_hgvs", "short_protein"]

_THREE = {
    **dict(Ala="A", Arg="R", Asn="N", Asp="D", Cys="C", Gln="Q", Glu="E", Gly="G", His="H", Ile="I", Leu="L"),
    **dict(Lys="K", Met="M", Phe="F", Pro="P", Ser="S", Thr="T", Trp="W", Tyr="Y", Val="V", Ter="*", Sec="U"),
}
_SPLICE = re.compile(r"c\.[*-]?\d+([+-])(\d+)")
_SUBSTITUTION = re.compile(r"([A-Z*])(\d+)([A-Z*])$")


def short_protein(text: str | None) -> str:
    """Return a protein change in one-letter code without accession, brackets and ``p.`` ('' for none)."""
    change = (text or "").strip().rpartition(":")[2].removeprefix("p.").strip("()").replace("(", "").replace(")", "")
    for three, letter in _THREE.items():
        change = change.replace(three, letter)
    return re.sub(r"fs(?:\*|X)?\d*$", lambda m: m.group(0).replace("X", "*"), change)


def class_of_hgvs(protein: str | None, coding: str | None) -> str | None:
    """Return the class of a change, or None if the notation does not determine it.

    Parameters
    ----------
    protein
        ``p.`` notation, one or three letters, with or without accession.
    coding
        ``c.`` notation; used if the protein change is not given (splice sites), and to decide whether a frameshift is
        an insertion or a deletion.
    """
    change, bases = short_protein(protein), (coding or "").strip().rpartition(":")[2]
    longer = "Ins" if re.search(r"ins|dup", bases) and not re.search(r"delins", bases) else "Del"
    splice = _SPLICE.search(bases)
    if change in ("", "?"):
        if splice and int(splice.group(2)) <= 2:
            return "Splice_Site"
        if splice:
            return "Splice_Region" if int(splice.group(2)) <= 8 else "Intron"
        return None
    if "fs" in change:
        return f"Frame_Shift_{longer}"
    if re.match(r"M1([^\d]|$)", change) and not change.endswith("="):
        return "Translation_Start_Site"
    if "ext" in change or re.match(r"\*\d+[A-Z]", change):
        return "Nonstop_Mutation"
    if change.endswith("=") or change == "=":
        return "Silent"
    if re.search(r"\d(\*|X)$", change) or re.search(r"(ins|delins).*\*", change):
        return "Nonsense_Mutation"
    if "delins" in change or "del" in change:
        return "In_Frame_Del"
    if "ins" in change or "dup" in change:
        return "In_Frame_Ins"
    match = _SUBSTITUTION.match(change)
    if match is None:
        return None
    return "Silent" if match.group(1) == match.group(3) else "Missense_Mutation"
