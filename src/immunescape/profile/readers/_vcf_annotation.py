"""Annotation in INFO of a VCF: VEP's CSQ, SnpEff's ANN, PAVE's IMPACT and PAVE_TI -> gene and consequence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from immunescape.profile.readers._somatic import frequency, is_population_column

__all__ = ["Annotation", "annotation_of", "maf_class", "pave_annotation"]

_TERMS = (
    ("splice_acceptor_variant", "Splice_Site"),
    ("splice_donor_variant", "Splice_Site"),
    ("stop_gained", "Nonsense_Mutation"),
    ("frameshift_variant", "Frame_Shift"),
    ("stop_lost", "Nonstop_Mutation"),
    ("start_lost", "Translation_Start_Site"),
    ("initiator_codon_variant", "Translation_Start_Site"),
    ("inframe_insertion", "In_Frame_Ins"),
    ("inframe_deletion", "In_Frame_Del"),
    ("disruptive_inframe_insertion", "In_Frame_Ins"),
    ("disruptive_inframe_deletion", "In_Frame_Del"),
    ("conservative_inframe_insertion", "In_Frame_Ins"),
    ("conservative_inframe_deletion", "In_Frame_Del"),
    ("protein_altering_variant", "In_Frame"),
    ("missense_variant", "Missense_Mutation"),
    ("splice_region_variant", "Splice_Region"),
    ("synonymous_variant", "Silent"),
    ("stop_retained_variant", "Silent"),
    ("coding_sequence_variant", "Unknown"),
    ("5_prime_UTR_variant", "5'UTR"),
    ("3_prime_UTR_variant", "3'UTR"),
    ("upstream_gene_variant", "5'Flank"),
    ("downstream_gene_variant", "3'Flank"),
    ("intron_variant", "Intron"),
    ("non_coding_transcript_exon_variant", "RNA"),
    ("intergenic_variant", "IGR"),
)
_RANK = {term: i for i, (term, _) in enumerate(_TERMS)}
_CLASS_OF_TERM = dict(_TERMS)
_THREE = {
    **dict(Ala="A", Arg="R", Asn="N", Asp="D", Cys="C", Gln="Q", Glu="E", Gly="G", His="H", Ile="I", Leu="L"),
    **dict(Lys="K", Met="M", Phe="F", Pro="P", Ser="S", Thr="T", Trp="W", Tyr="Y", Val="V", Ter="*", Sec="U"),
}


def maf_class(terms: Sequence[str], ref: str, alt: str) -> str:
    """Return the MAF classification of the most severe Sequence Ontology term.

    Parameters
    ----------
    terms
        Sequence Ontology terms, e.g. ``missense_variant``.
    ref, alt
        Alleles: a frameshift that adds bases is an insertion.
    """
    ranked = [t for t in terms if t in _RANK]
    if not ranked:
        return "Unknown"
    classification = _CLASS_OF_TERM[min(ranked, key=_RANK.__getitem__)]
    if classification in ("Frame_Shift", "In_Frame"):
        return f"{classification}_{'Ins' if len(alt) > len(ref) else 'Del'}"
    return classification


def _short(hgvsp: str) -> str | None:
    text = hgvsp.rpartition(":")[2].removeprefix("p.").replace("%3D", "=").strip("()")
    if not text:
        return None
    return re.sub(r"[A-Z][a-z]{2}", lambda m: _THREE.get(m.group(0), m.group(0)), text)


@lru_cache(maxsize=100)
def _population_fields(fields: tuple[str, ...]) -> tuple[str, ...]:
    """Return the fields with population frequencies; VEP's AF is that of all of 1000 Genomes."""
    return tuple(f for f in fields if f == "af" or is_population_column(f))


@dataclass(frozen=True)
class Annotation:
    """The annotation of one allele: gene, Sequence Ontology terms, protein change, population frequency."""

    gene: str | None = None
    terms: tuple[str, ...] = ()
    protein_change: str | None = None
    population: float = float("nan")
    clinical: str = ""
    given: bool = field(default=False)


def annotation_of(
    kind: str, fields: Sequence[str], info: Mapping[str, str], alt: str, alts: Sequence[str]
) -> Annotation:
    """Return the annotation of an allele from CSQ or ANN: of the MANE or canonical transcript, else the most severe.

    Parameters
    ----------
    kind, fields
        INFO key, and its fields in order, in lower case.
    info
        INFO of the row.
    alt, alts
        The allele, and all alleles of the row.
    """
    best: tuple[tuple[int, int, int], dict[str, str]] | None = None
    shares: list[str] = []
    text = info.get(kind, "")
    populations = _population_fields(tuple(fields))
    ranked = any(f in fields for f in ("canonical", "mane_select"))
    for entry in text.split(","):
        values = dict(zip(fields, entry.split("|"), strict=False))
        allele = values.get("allele", "")
        if len(alts) > 1 and allele not in (alt, alt[1:] or "-", "-"):
            continue
        shares.extend(values[f] for f in populations if values.get(f))
        terms = (values.get("consequence") or values.get("annotation") or "").split("&")
        rank = min((_RANK.get(t, 99) for t in terms), default=99)
        key = (0 if values.get("mane_select") else 1, 0 if values.get("canonical") == "YES" else 1, rank)
        key = key if ranked else (0, 0, rank)
        if best is None or key < best[0]:
            best = (key, values)
    if not text or best is None:
        return Annotation(given=bool(text))
    values = best[1]
    gene = values.get("symbol") or values.get("gene_name") or ""
    if not gene and re.match(r"ENSG\d", values.get("gene", "")):
        gene = values["gene"]
    return Annotation(
        gene or None,
        tuple((values.get("consequence") or values.get("annotation") or "").split("&")),
        _short(values.get("hgvsp", values.get("hgvs.p", ""))),
        frequency(shares),
        values.get("clin_sig", ""),
        True,
    )


def pave_annotation(info: Mapping[str, str]) -> Annotation:
    """Return PAVE's annotation: IMPACT (the canonical transcript), else the most severe entry of PAVE_TI.

    IMPACT holds gene, transcript, effects, coding effect, splice region, HGVS coding, HGVS protein, and three more;
    PAVE_TI holds gene id, gene, transcript, effects, splice region, HGVS coding and HGVS protein for each transcript.
    """
    cells = info.get("IMPACT", "").split(",")
    population = frequency(v for k, v in info.items() if is_population_column(k))
    if len(cells) >= 7 and cells[0]:
        return Annotation(cells[0], tuple(cells[2].split("&")), _short(cells[6]), population, "", True)
    best: tuple[int, list[str]] | None = None
    for entry in info.get("PAVE_TI", "").split(","):
        fields = entry.split("|")
        if len(fields) < 7 or not fields[1]:
            continue
        rank = min(_RANK.get(t, 99) for t in fields[3].split("&"))
        if best is None or rank < best[0]:
            best = (rank, fields)
    if best is None:
        return Annotation(population=population, given="IMPACT" in info or "PAVE_TI" in info)
    fields = best[1]
    return Annotation(fields[1], tuple(fields[3].split("&")), _short(fields[6]), population, "", True)
