"""FHIR R4 bundles (mCODE, Genomics Reporting): patients, stage, treatments, values, response, genomic variants."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from immunescape.errors import InputError, unknown_word
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._fhir_variants import VariantRows, is_region, is_variant
from immunescape.profile.readers._finish import finish
from immunescape.profile.readers._json import dicts, get, iso_day, read_json, text_of
from immunescape.units import DAYS_PER

__all__ = ["read_fhir"]

_ECOG = ("89247-1",)
_TMB = ("94076-7",)
_MSI = ("81695-9",)
_CLONE = re.compile(r"22c3|28-8|sp263|sp142|73-10|e1l3n", re.IGNORECASE)
_PDL1 = ("pd-l1", "pdl1", "cd274", "programmed cell death ligand 1", "programmed death ligand 1")
_RESPONSE = ("97509-4", "88040-1", "21976-6")
_RECIST = (("complete", "CR"), ("partial", "PR"), ("stable", "SD"), ("progress", "PD"), ("not eval", "NE"))


def _pdl1_score(text: str) -> str | None:
    """Return the score stated in the name of a PD-L1 observation, or None."""
    if "combined positive" in text or "cps" in text:
        return "cps"
    if "immune cell" in text:
        return "ic"
    tumour = ("tumor proportion", "tumour proportion", "tps", "tumor cells", "tumour cells", "viable tumor")
    return "tps" if any(w in text for w in tumour) else None


def _codes(concept: Any) -> list[str]:
    return [c for coding in dicts(get(concept, "coding")) if (c := text_of(coding.get("code")))]


def _concept_text(concept: Any) -> str | None:
    first = get(concept, "coding", 0, "display")
    return text_of(get(concept, "text")) or text_of(first) or next(iter(_codes(concept)), None)


def _target(reference: Any) -> str | None:
    text = text_of(get(reference, "reference"))
    return text.rsplit("/", 1)[-1].removeprefix("urn:uuid:") if text else None


def _recist_category(value: Any) -> str | None:
    for code in _codes(value):
        if code in ("CR", "PR", "SD", "PD", "NE"):
            return code
    text = (_concept_text(value) or "").casefold()
    return next((recist for stem, recist in _RECIST if stem in text), None)


class _Rows:
    """The content of the resources of a bundle, before days are counted from the first immunotherapy."""

    def __init__(self, file: str, source_class: str = "") -> None:
        self.file = file
        self.variants = VariantRows(file, unstated=source_class)
        self.problems: list[str] = []
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self.left: dict[str, int] = {}

    def add(self, kind: str, **row: Any) -> None:
        self.tables.setdefault(kind, []).append(row)

    def skip(self, what: str) -> None:
        self.left[what] = self.left.get(what, 0) + 1


def _patient(resource: Mapping[str, Any], rows: _Rows) -> None:
    name = text_of(resource.get("id"))
    if name is None:
        raise InputError("a Patient without id", where=rows.file)
    sex = text_of(resource.get("gender"))
    rows.add("patients", patient=name, sex=sex, born=iso_day(resource.get("birthDate")))


def _condition(resource: Mapping[str, Any], rows: _Rows) -> None:
    patient = _target(resource.get("subject"))
    if patient is None:
        rows.skip("Condition without subject")
        return
    stage = _concept_text(get(resource, "stage", 0, "summary"))
    histology = None
    for extension in dicts(resource.get("extension")):
        if str(extension.get("url", "")).endswith("mcode-histology-morphology-behavior"):
            histology = _concept_text(extension.get("valueCodeableConcept"))
    rows.add("conditions", patient=patient, stage=stage, histology=histology or _concept_text(resource.get("code")))


def _observation(resource: Mapping[str, Any], rows: _Rows) -> None:
    patient, codes = _target(resource.get("subject")), _codes(resource.get("code"))
    when = iso_day(resource.get("effectiveDateTime")) or iso_day(get(resource, "effectivePeriod", "start"))
    quantity = resource.get("valueQuantity")
    value, unit = text_of(get(quantity, "value")), text_of(get(quantity, "code")) or text_of(get(quantity, "unit"))
    if patient is None:
        rows.skip("Observation without subject")
    elif any(c in _ECOG for c in codes):
        score = text_of(resource.get("valueInteger")) or value
        rows.add("ecog", patient=patient, ecog=score)
    elif any(c in _TMB for c in codes):
        rows.add("tmb", patient=patient, tmb=value)
    elif is_region(codes, resource):
        rows.variants.region(resource)
    elif is_variant(codes, resource):
        rows.variants.variant(resource, rows.skip)
    elif any(c in _MSI for c in codes):
        rows.add("msi", patient=patient, msi=_concept_text(resource.get("valueCodeableConcept")) or value)
    elif any(w in (name := (_concept_text(resource.get("code")) or "").casefold()) for w in _PDL1):
        _pdl1(resource, patient, name=name, value=value, unit=unit, when=when, rows=rows)
    elif any(c in _RESPONSE for c in codes):
        response = _recist_category(resource.get("valueCodeableConcept"))
        if response is None or when is None:
            rows.skip("response without RECIST category or date")
        else:
            rows.add("responses", patient=patient, at=when, recist=response)
    elif value is not None:
        loinc = next(iter(codes), None)
        rows.add(
            "labs",
            patient=patient,
            at=when,
            analyte=loinc,
            name=_concept_text(resource.get("code")),
            value=value,
            unit=unit,
        )
    else:
        rows.skip(f"Observation without a number ({_concept_text(resource.get('code')) or 'unnamed'})")


def _pdl1(
    resource: Mapping[str, Any],
    patient: str,
    *,
    name: str,
    value: str | None,
    unit: str | None,
    when: int | None,
    rows: _Rows,
) -> None:
    """Read PD-L1 as a number or a category; the antibody clone may be given in the method or in the name."""
    category = text_of(resource.get("valueString")) or _concept_text(resource.get("valueCodeableConcept"))
    if value is None and category is None:
        rows.skip(f"PD-L1 without a value ({name})")
        return
    clone = _CLONE.search(name)
    assay = _concept_text(resource.get("method")) or (clone.group(0).upper() if clone else None)
    score = _pdl1_score(name)
    if score is None and unit == "%" and clone and clone.group(0).casefold() != "sp142":
        score = "tps"
        rows.problems.append(
            f"{rows.file}: a PD-L1 percentage by {clone.group(0).upper()} without a stated score is read as tumour "
            "proportion score"
        )
    sign = text_of(get(resource, "valueQuantity", "comparator")) or ""
    cell = f"{sign}{value}" if value is not None else category
    rows.add("pdl1", patient=patient, assay=assay, score=score, value_percent=cell, at=when)


def _medication(resource: Mapping[str, Any], rows: _Rows) -> None:
    patient, drug = _target(resource.get("subject")), _concept_text(resource.get("medicationCodeableConcept"))
    start = iso_day(get(resource, "effectivePeriod", "start")) or iso_day(resource.get("effectiveDateTime"))
    start = start or iso_day(resource.get("authoredOn"))
    if patient is None or drug is None or start is None:
        rows.skip(f"{resource.get('resourceType')} without subject, drug or start")
        return
    rows.add("treatments", patient=patient, drug=drug, at=start, until=iso_day(get(resource, "effectivePeriod", "end")))


_READ = {
    "Patient": _patient,
    "Condition": _condition,
    "Observation": _observation,
    "MedicationAdministration": _medication,
    "MedicationStatement": _medication,
    "MedicationRequest": _medication,
}
_IMMUNO = ("lizumab", "volumab", "zolizumab", "valumab", "velumab", "plimab", "elimumab", "dostarlimab")


def day_zero(treatments: list[dict[str, Any]]) -> dict[str, int]:
    """Return for each patient the date (ordinal) of the first checkpoint antibody, else of the first drug."""
    zero: dict[str, tuple[int, int]] = {}
    for row in treatments:
        rank = 0 if any(w in str(row["drug"]).casefold() for w in _IMMUNO) else 1
        key = (rank, int(row["at"]))
        zero[row["patient"]] = min(zero.get(row["patient"], key), key)
    return {patient: at for patient, (_, at) in zero.items()}


def dated(frame: pd.DataFrame, zero: Mapping[str, int], start: str = "day") -> pd.DataFrame:
    """Convert dates (``at``, ``until``) to days after day zero; without it they are missing."""
    base = frame["patient"].map(zero)
    out = frame.copy()
    out[start] = pd.to_numeric(out.pop("at")) - base
    if "until" in out:
        out["end_day"] = pd.to_numeric(out.pop("until")) - base
    return out


OPTIONS = {
    "units": "analyte -> unit of the file, for values without unit",
    "source_class": "somatic or germline: what genomic variants without source class (48002-0) are",
}


@reader(
    "fhir",
    "FHIR R4 bundle (JSON): mCODE, Genomics Reporting",
    (
        "patients",
        "samples",
        "pdl1",
        "labs",
        "treatments",
        "responses",
        "mutations",
        "copy_number",
        "structural_variants",
    ),
    OPTIONS,
)
def read_fhir(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read a bundle: Patient, Condition (stage, histology), Observation (ECOG, TMB, PD-L1, labs, response), drugs.

    Genomic variants are read if they are somatic; germline variants are reported and skipped, and genes of variants
    without a source class are not assessable unless ``source_class: somatic`` is declared.

    Days count from the first dose of a checkpoint antibody, else of the first drug.

    Raises
    ------
    InputError
        For anything but a bundle with at least one Patient.
    """
    bundle = read_json(path)
    if get(bundle, "resourceType") == "Patient":
        bundle = {"resourceType": "Bundle", "entry": [{"resource": bundle}]}
    if get(bundle, "resourceType") != "Bundle":
        raise InputError("this is not a FHIR bundle (resourceType is not 'Bundle')", where=path.name)
    source_class = str(options.get("source_class") or "")
    if source_class not in ("", "somatic", "germline"):
        raise unknown_word("source_class", source_class, ("somatic", "germline"), where=path.name)
    rows, out = _Rows(path.name, source_class), Partial()
    entries = dicts(get(bundle, "entry"))
    for entry in entries:
        resource = entry.get("resource")
        kind = text_of(get(resource, "resourceType"))
        if kind in _READ and isinstance(resource, dict):
            _READ[kind](resource, rows)
        else:
            rows.skip(kind or "entry without resource")
    if not rows.tables.get("patients"):
        raise InputError("the bundle contains no Patient", where=path.name)
    _tables(rows, out, {str(k): str(v) for k, v in dict(options.get("units") or {}).items()})
    left = ", ".join(f"{n} × {what}" for what, n in sorted(rows.left.items()))
    out.note(path.name, "fhir", len(entries), len(entries) - sum(rows.left.values()), left)
    return out


def _tables(rows: _Rows, out: Partial, units: Mapping[str, str]) -> None:
    out.problems.extend(dict.fromkeys(rows.problems))
    rows.variants.into(out)
    zero = day_zero(rows.tables.get("treatments", []))
    patients = pd.DataFrame(rows.tables["patients"])
    born = pd.to_numeric(patients.pop("born"))
    age = (patients["patient"].map(zero) - born) / DAYS_PER["year"]
    patients["age"] = age.round(1)
    for kind, columns in (("conditions", ("stage", "histology")), ("ecog", ("ecog",))):
        if rows.tables.get(kind):
            first = pd.DataFrame(rows.tables[kind]).drop_duplicates("patient").set_index("patient")
            for column in columns:
                patients[column] = patients["patient"].map(first[column])
    patients.index = pd.RangeIndex(1, len(patients) + 1)
    out.tables["patients"] = finish("patients", patients.astype(object), rows.file, out.problems)
    specimens: dict[str, set[str]] = {}
    for sample, patient in rows.variants.sequenced.items():
        specimens.setdefault(patient, set()).add(sample)
    for kind in ("tmb", "msi"):
        if rows.tables.get(kind):
            frame = pd.DataFrame(rows.tables[kind])
            frame["sample"] = [next(iter(s)) if len(s := specimens.get(p, {p})) == 1 else p for p in frame["patient"]]
            more = finish("samples", frame.drop_duplicates("sample"), rows.file, out.problems)
            before = out.tables.get("samples")
            out.tables["samples"] = more if before is None else pd.concat([before, more])
    if rows.tables.get("pdl1"):
        frame = dated(pd.DataFrame(rows.tables["pdl1"]), zero)
        frame.index = pd.RangeIndex(1, len(frame) + 1)
        out.tables["pdl1"] = finish("pdl1", frame, rows.file, out.problems, {"value_percent": "percent"})
    for kind, start in (("labs", "day"), ("responses", "day"), ("treatments", "start_day")):
        if rows.tables.get(kind):
            frame = dated(pd.DataFrame(rows.tables[kind]), zero, start)
            given = {**units} if kind == "labs" else {}
            out.tables[kind] = finish(kind, frame, rows.file, out.problems, given)
    lost = set(patients["patient"]) - set(zero)
    if lost and any(rows.tables.get(k) for k in ("labs", "responses")):
        out.problems.append(f"{rows.file}: {len(lost)} patients have no dated treatment, so their days are missing")
