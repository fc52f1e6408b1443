"""GA4GH Phenopackets v2 (JSON; YAML is the same once converted): the clinical part."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from immunescape.errors import InputError
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._finish import finish
from immunescape.profile.readers._json import dicts, get, iso_day, read_json, text_of
from immunescape.profile.readers.fhir import dated, day_zero
from immunescape.units import DAYS_PER

__all__ = ["read_phenopackets"]


def _years(duration: Any) -> float | None:
    """Return an ISO 8601 duration such as ``P62Y3M`` in years."""
    import re

    match = re.fullmatch(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?.*", duration) if isinstance(duration, str) else None
    if match is None or not any(match.groups()):
        return None
    years, months, days = (float(g or 0) for g in match.groups())
    return years + months / 12 + days / DAYS_PER["year"]


def _packets(document: Any, file: str) -> list[dict[str, Any]]:
    if isinstance(document, list):
        packets = dicts(document)
    elif get(document, "members") is not None:
        packets = dicts(get(document, "members"))
    else:
        packets = dicts(document)
    packets = [p.get("phenopacket", p) if isinstance(p.get("phenopacket", p), dict) else p for p in packets]
    if not packets or not all(isinstance(get(p, "subject"), dict) for p in packets):
        raise InputError("this is not a Phenopacket: 'subject' is missing", where=file)
    return packets


def _read_packet(packet: Mapping[str, Any], file: str, tables: dict[str, list[dict[str, Any]]]) -> None:
    patient = text_of(get(packet, "subject", "id"))
    if patient is None:
        raise InputError("a subject without id", where=file, hint="Every Phenopacket needs subject.id.")
    disease = next(iter(dicts(packet.get("diseases"))), {})
    age = _years(get(packet, "subject", "timeAtLastEncounter", "age", "iso8601duration"))
    tables["patients"].append(
        {
            "patient": patient,
            "sex": (text_of(get(packet, "subject", "sex")) or "").casefold() or None,
            "age": age if age is not None else _years(get(disease, "onset", "age", "iso8601duration")),
            "histology": text_of(get(disease, "term", "label")),
            "stage": text_of(get(disease, "diseaseStage", 0, "label")),
        }
    )
    for sample in dicts(packet.get("biosamples")):
        if name := text_of(sample.get("id")):
            tables["samples"].append({"sample": name, "patient": patient})
    for measured in dicts(packet.get("measurements")):
        quantity = get(measured, "value", "quantity")
        value = text_of(get(quantity, "value"))
        label = text_of(get(measured, "assay", "label"))
        code = (text_of(get(measured, "assay", "id")) or "").rpartition(":")[2]
        if value is None or not (label or code):
            continue
        tables["labs"].append(
            {
                "patient": patient,
                "analyte": code if code and code[:1].isdigit() else label,
                "name": label,
                "value": value,
                "unit": text_of(get(quantity, "unit", "label")) or text_of(get(quantity, "unit", "id")),
                "at": iso_day(get(measured, "timeObserved", "timestamp")),
            }
        )
    for action in dicts(packet.get("medicalActions")):
        drug = text_of(get(action, "treatment", "agent", "label"))
        times = dicts(get(action, "treatment", "doseIntervals"))
        starts = [d for t in times if (d := iso_day(get(t, "interval", "start"))) is not None]
        ends = [d for t in times if (d := iso_day(get(t, "interval", "end"))) is not None]
        if drug and starts:
            row = {"patient": patient, "drug": drug, "at": min(starts), "until": max(ends) if ends else None}
            tables["treatments"].append(row)


def _interpreted(packets: list[dict[str, Any]], file: str, samples: list[dict[str, Any]], out: Partial) -> str:
    """Mark the genes of genomic interpretations as open; returns the text for the note."""
    labels: list[str] = []
    for packet in packets:
        patient = text_of(get(packet, "subject", "id"))
        of_patient = {str(s["sample"]) for s in samples if s["patient"] == patient}
        for interpretation in dicts(packet.get("interpretations")):
            for genomic in dicts(get(interpretation, "diagnosis", "genomicInterpretations")):
                variation = get(genomic, "variantInterpretation", "variationDescriptor")
                gene = text_of(get(variation, "geneContext", "symbol")) or text_of(get(genomic, "gene", "symbol"))
                if gene is None:
                    labels.append("a variant without gene")
                    continue
                whose = text_of(genomic.get("subjectOrBiosampleId"))
                out.mark_unclear("mutations", gene, of_patient if whose not in of_patient else {str(whose)})
                notations = [text_of(e.get("value")) for e in dicts(get(variation, "expressions"))]
                labels.append(" ".join(w for w in (gene, next((w for w in notations if w), None)) if w))
    if not labels:
        return ""
    shown = ", ".join(labels[:6]) + (" …" if len(labels) > 6 else "")
    out.problems.append(
        f"{file}: {len(labels)} genomic interpretations do not state whether they are somatic and are not used "
        f"({shown}). Give the variants as a MAF or VCF, or as a FHIR bundle with their source class"
    )
    return f"; {len(labels)} genomic interpretations ({shown})"


@reader(
    "phenopackets",
    "GA4GH Phenopackets v2 (JSON)",
    ("patients", "samples", "labs", "treatments"),
    {"units": "analyte -> unit of the file, for values without unit"},
)
def read_phenopackets(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read a Phenopacket, a list of them, or a cohort.

    Days count from the first dose of a checkpoint antibody, else of the first drug. Phenotypic features are not read.
    Genomic interpretations do not state whether a variant is somatic: they are reported, and their genes are not
    assessable.

    Raises
    ------
    InputError
        For a document without a subject.
    """
    packets = _packets(read_json(path), path.name)
    tables: dict[str, list[dict[str, Any]]] = {"patients": [], "samples": [], "labs": [], "treatments": []}
    for packet in packets:
        _read_packet(packet, path.name, tables)
    out = Partial()
    units = {str(k): str(v) for k, v in dict(options.get("units") or {}).items()}
    left = _interpreted(packets, path.name, tables["samples"], out)
    zero = day_zero(tables["treatments"])
    for kind, rows in tables.items():
        if not rows:
            continue
        frame = pd.DataFrame(rows)
        if kind == "labs":
            frame = dated(frame, zero)
        elif kind == "treatments":
            frame = dated(frame, zero, "start_day")
        out.tables[kind] = finish(kind, frame, path.name, out.problems, units if kind == "labs" else None)
    out.note(path.name, "phenopackets", len(packets), len(packets), f"phenotypic features{left}")
    return out
