"""Genomic variants of FHIR R4 (Genomics Reporting, mCODE): somatic ones are read, others are reported and skipped.

Components by LOINC: 48018-6 gene, 48004-6 coding and 48005-3 protein change (HGVS), 81290-9 genomic change, 81258-6
allelic frequency, 48002-0 genomic source class, 62374-4 assembly, 82155-3 copy number, 69547-8 and 69551-0 alleles.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import pandas as pd

from immunescape.errors import InputError
from immunescape.profile.genes import to_symbols
from immunescape.profile.readers._base import Partial
from immunescape.profile.readers._finish import CLASSES, canonical_build, finish
from immunescape.profile.readers._hgvs import class_of_hgvs, short_protein
from immunescape.profile.readers._json import dicts, get, text_of
from immunescape.profile.study import Panel

__all__ = ["VariantRows", "is_region", "is_variant"]

VARIANT, REGION = "69548-6", "53041-0"
_SOMATIC = frozenset({"LA6684-0", "LA18195-0"})
_NOT_SOMATIC = frozenset({"LA6683-2", "LA18194-3", "LA10429-1", "LA18196-8", "LA26807-0"})
_ABSENT = frozenset({"LA9634-2", "LA18198-4", "LA11884-6"})
"""Absent, no call, indeterminate: no variant."""
_SO = {
    "SO:0001587": "Nonsense_Mutation",
    "SO:0001589": "Frame_Shift_Del",
    "SO:0001583": "Missense_Mutation",
    "SO:0001819": "Silent",
    "SO:0001574": "Splice_Site",
    "SO:0001575": "Splice_Site",
    "SO:0001578": "Nonstop_Mutation",
    "SO:0002012": "Translation_Start_Site",
    "SO:0001821": "In_Frame_Ins",
    "SO:0001822": "In_Frame_Del",
    "LA6698-0": "Missense_Mutation",
    "LA6699-8": "Nonsense_Mutation",
    "LA6694-9": "Frame_Shift_Del",
    "LA6700-4": "Silent",
}
"""Molecular consequences (Sequence Ontology) and LOINC's amino acid change types (entered from memory)."""


def _codes(concept: Any) -> list[str]:
    return [c for coding in dicts(get(concept, "coding")) if (c := text_of(coding.get("code")))]


def _target(reference: Any) -> str | None:
    text = text_of(get(reference, "reference"))
    return text.rsplit("/", 1)[-1].removeprefix("urn:uuid:") if text else None


def is_variant(codes: list[str], resource: Mapping[str, Any]) -> bool:
    """Return whether an Observation is a genomic variant."""
    return VARIANT in codes or ("48018-6" in codes and REGION not in codes) or _profile(resource, "variant")


def is_region(codes: list[str], resource: Mapping[str, Any]) -> bool:
    """Return whether an Observation says which genes were studied."""
    return REGION in codes or _profile(resource, "region-studied")


def _profile(resource: Mapping[str, Any], tail: str) -> bool:
    profiles = get(resource, "meta", "profile")
    return any(isinstance(p, str) and p.partition("|")[0].endswith(tail) for p in profiles or ()) if profiles else False


def _components(resource: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return LOINC code -> components; an Observation that is itself one component counts as well."""
    by_code: dict[str, list[dict[str, Any]]] = {}
    for component in [*dicts(resource.get("component")), dict(resource)]:
        for code in _codes(component.get("code")):
            by_code.setdefault(code, []).append(component)
    return by_code


def _texts(component: Mapping[str, Any]) -> list[str]:
    """Return every text in the value of a component: texts, displays, codes."""
    concept = component.get("valueCodeableConcept")
    texts = [text_of(component.get("valueString")), text_of(get(concept, "text"))]
    for coding in dicts(get(concept, "coding")):
        texts += [text_of(coding.get("display")), text_of(coding.get("code"))]
    return [t for t in texts if t]


def _gene(component: Mapping[str, Any]) -> str | None:
    """Return the symbol of a gene: a term in the gene table, else the first that looks like a symbol."""
    labels = [w for w in _texts(component) if not re.fullmatch(r"(HGNC:)?\d+", w)]
    for entry in labels:
        symbol = to_symbols([entry.partition(" ")[0]])[0]
        if symbol:
            return symbol
    return None


def _hgvs(components: list[dict[str, Any]], mark: str) -> str | None:
    for component in components:
        for notation in _texts(component):
            if mark in notation:
                return notation
    return None


def _fraction(component: Mapping[str, Any], file: str) -> float | None:
    """Return an allelic frequency as a fraction; without a unit that says percent, it is one."""
    value = text_of(get(component, "valueQuantity", "value"))
    unit = (text_of(get(component, "valueQuantity", "unit")) or "") + (
        text_of(get(component, "valueQuantity", "code")) or ""
    )
    if value is None:
        return None
    number = float(value)
    number = number / 100.0 if "%" in unit or "percent" in unit.casefold() else number
    if not 0.0 <= number <= 1.0:
        raise InputError(
            f"allelic frequency {value} {unit}".strip() + " is outside 0..1",
            where=file,
            hint="Give the unit '%' with percent (component 81258-6).",
        )
    return number


@dataclass
class VariantRows:
    """Genomic variants of a bundle, grouped by how they may be used.

    Parameters
    ----------
    file
        Name of the file, for messages.
    unstated
        What the user declares for variants without a genomic source class: ``somatic``, ``germline`` or ''.
    """

    file: str
    _: KW_ONLY
    unstated: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    copies: list[dict[str, Any]] = field(default_factory=list)
    fusions: list[dict[str, Any]] = field(default_factory=list)
    studied: dict[str, set[str]] = field(default_factory=dict)
    sequenced: dict[str, str] = field(default_factory=dict)
    germline: list[str] = field(default_factory=list)
    open: list[tuple[str, str, str]] = field(default_factory=list)
    build: str = ""

    def region(self, resource: Mapping[str, Any]) -> None:
        """Note the genes that were studied."""
        patient = _target(resource.get("subject"))
        if patient is None:
            return
        sample = _target(resource.get("specimen")) or patient
        genes = {g for c in _components(resource).get("48018-6", []) if (g := _gene(c))}
        self.studied.setdefault(sample, set()).update(genes)
        self.sequenced[sample] = patient

    def variant(self, resource: Mapping[str, Any], skip: Callable[[str], None]) -> None:
        """Read one Observation of a variant."""
        patient = _target(resource.get("subject"))
        by_code = _components(resource)
        genes = [g for c in by_code.get("48018-6", []) if (g := _gene(c))]
        coding, protein = _hgvs(by_code.get("48004-6", []), "c."), _hgvs(by_code.get("48005-3", []), "p.")
        label = " ".join(w for w in ("-".join(dict.fromkeys(genes)), short_protein(protein) or coding or "") if w)
        if patient is None or not genes:
            skip(f"genomic variant without {'subject' if patient is None else 'gene'}")
            return
        if _ABSENT & set(_codes(resource.get("valueCodeableConcept"))):
            skip(f"genomic variant that is not present ({label})")
            return
        sample = _target(resource.get("specimen")) or patient
        source = [w for c in by_code.get("48002-0", []) for w in _texts(c)]
        if self._source(source) == "germline":
            self.germline.append(label)
            skip(f"genomic variant of the germline ({label})")
            return
        if self._source(source) != "somatic":
            self.open.extend((sample, gene, label) for gene in genes)
            self.sequenced[sample] = patient
            skip(f"genomic variant without source class ({label})")
            return
        self.sequenced[sample] = patient
        self._assembly(by_code)
        number = next((text_of(get(c, "valueQuantity", "value")) for c in by_code.get("82155-3", [])), None)
        whole = {"patient": patient, "sample": sample}
        if number is not None:
            self.copies.append(whole | {"gene": genes[0], "total_cn": number})
        elif len(set(genes)) > 1 and coding is None:
            self.fusions.append(whole | {"gene1": genes[0], "gene2": genes[1], "event": label})
        else:
            self.rows.append(whole | self._row(by_code, genes[0], coding, protein))

    def _source(self, statements: list[str]) -> str:
        codes, text = set(statements), " ".join(statements).casefold()
        if codes & _SOMATIC or "somatic" in text:
            return "somatic"
        if codes & _NOT_SOMATIC or re.search(r"germline|prenatal|fetal|de novo", text):
            return "germline"
        return self.unstated

    def _assembly(self, by_code: Mapping[str, list[dict[str, Any]]]) -> None:
        for component in by_code.get("62374-4", []):
            for assembly in _texts(component):
                match = re.search(r"(GRCh3[78]|hg19|hg38)", assembly)
                if match:
                    self.build = canonical_build(match.group(1), self.file)

    def _row(
        self, by_code: Mapping[str, list[dict[str, Any]]], gene: str, coding: str | None, protein: str | None
    ) -> dict[str, Any]:
        kind = class_of_hgvs(protein, coding)
        if kind is None:
            consequences = [
                w for code in ("48006-1", "molecular-consequence") for c in by_code.get(code, []) for w in _texts(c)
            ]
            plain = {c.casefold(): c for c in CLASSES}
            kind = next(
                (_SO.get(w) or plain.get(w.casefold()) for w in consequences if _SO.get(w) or w.casefold() in plain),
                None,
            )
        genomic = _hgvs(by_code.get("81290-9", []), "g.") or ""
        place = re.search(r"NC_0000(\d\d)\.\d+:g\.(\d+)", genomic)
        texts = {c: next((w for x in by_code.get(c, []) for w in _texts(x)), None) for c in ("69547-8", "69551-0")}
        vaf = next((v for c in by_code.get("81258-6", []) if (v := _fraction(c, self.file)) is not None), None)
        chrom = {"23": "X", "24": "Y"}.get(str(int(place.group(1))), str(int(place.group(1)))) if place else None
        return {
            "gene": gene,
            "classification": kind,
            "protein_change": short_protein(protein) or None,
            "HGVSc": coding,
            "chrom": chrom,
            "start": float(place.group(2)) if place else None,
            "ref": texts["69547-8"],
            "alt": texts["69551-0"],
            "vaf": vaf,
            "germline": False,
        }

    def into(self, out: Partial) -> None:
        """Write tables, panels and messages for the user into a partial study."""
        if self.germline:
            out.problems.append(
                f"{self.file}: {len(self.germline)} genomic variants are not somatic and are not used: "
                f"{', '.join(self.germline[:6])}{' …' if len(self.germline) > 6 else ''}"
            )
        if self.open:
            labels = list(dict.fromkeys(label for _, _, label in self.open))
            out.problems.append(
                f"{self.file}: {len(labels)} genomic variants have no source class (48002-0) and may therefore be "
                f"germline: their genes are not assessable ({', '.join(labels[:6])}"
                f"{' …' if len(labels) > 6 else ''}). If all of them are somatic, set source_class: somatic"
            )
            for sample, gene, _ in self.open:
                out.mark_unclear("mutations", gene, (sample,))
        if not self.sequenced:
            return
        samples = pd.DataFrame({"sample": list(self.sequenced), "patient": list(self.sequenced.values())})
        samples["panel"] = samples["sample"].map(lambda s: f"genes studied in {s}" if self.studied.get(s) else None)
        samples = samples.astype(object).where(samples.notna(), None)
        samples.index = pd.RangeIndex(1, len(samples) + 1)
        out.tables["samples"] = finish("samples", samples, self.file, out.problems)
        out.assessed["mutations"] = frozenset(self.sequenced)
        for sample, genes in self.studied.items():
            if genes:
                name = f"genes studied in {sample}"
                out.panels[name] = Panel(name, genes=frozenset(genes), source=f"{self.file}, region studied (53041-0)")
        if any(not self.studied.get(s) for s in self.sequenced):
            out.problems.append(
                f"{self.file}: no Observation states which genes were studied (53041-0), so that genes without a "
                "variant are not assessable"
            )
        out.genome_build = self.build
        rows = pd.DataFrame(self.rows or [{"patient": None, "sample": None, "gene": None, "classification": None}])
        rows = rows.iloc[: len(self.rows)]
        rows.index = pd.RangeIndex(1, len(rows) + 1)
        done = finish("mutations", rows, self.file, out.problems, {"vaf": "fraction"}, self.build)
        out.tables["mutations"] = done
        for kind, entries in (("copy_number", self.copies), ("structural_variants", self.fusions)):
            if entries:
                frame = pd.DataFrame(entries, index=range(1, len(entries) + 1))
                out.tables[kind] = finish(kind, frame, self.file, out.problems)
