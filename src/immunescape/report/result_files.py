"""The tables of a result folder as Parquet files that say what their columns are, and where a result comes from."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from immunescape.model.specificity import DEFAULT
from immunescape.release import installation

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.trial.result import TrialResult

__all__ = ["column_notes", "described_parquet", "provenance", "result_schema"]

_COMMON_COLUMNS = {
    "id": ("", "number of the candidate; identifies the patient together with the arm"),
    "arm": ("", "arm of the trial"),
    "weight": ("1", "prevalence weight"),
    "draw": ("", "number of the parameter set with which the tumour was diagnosed"),
    "days_to_diagnosis": ("day", "from the first cancer cells to diagnosis"),
    "regimen": ("", "treatment"),
    "day": ("day", "since randomisation"),
    "response": ("", "RECIST 1.1 at this scan"),
    "best_response": ("", "best overall response by RECIST 1.1"),
    "new_lesion": ("", "a new lesion has been seen"),
    "doses": ("", "number of doses of the trial regimen given"),
    "grade3_events": ("", "severe (grade 3 or higher) toxic events"),
    "late_cycles": ("", "cycles that toxicity delayed"),
    "death_cause": ("", "cause of death: disease, tumour volume or toxicity"),
    "resistance": ("", "to checkpoint inhibitors, by the definitions of SITC"),
    "largest_mm": ("mm", "diameter of the largest lesion"),
    "change_pct": ("percent", "sum of diameters relative to baseline"),
    "frailty_death": ("1", "frailty: factor of the hazard of death not explained by tumour and covariates"),
    "frailty_new_lesion": ("1", "frailty: factor of the hazard of new lesions not explained by tumour and covariates"),
    "volume_ml_baseline": ("milliliter", "tumour volume at the baseline scan"),
    "sld_mm_baseline": ("mm", "sum of the longest diameters of the target lesions at the baseline scan"),
    "largest_mm_baseline": ("mm", "diameter of the largest lesion at the baseline scan"),
    "target_lesions": ("", "number of target lesions"),
    "best_change_pct": ("percent", "best change of the sum of diameters relative to baseline"),
    "progression_day": ("day", "progression by RECIST 1.1, since randomisation; empty without one"),
    "progression_new_lesion": ("", "progression was due to a new lesion"),
    "death_day": ("day", "death, since randomisation; empty for those who live to the end of follow-up"),
    "dropout_day": ("day", "lost to follow-up, since randomisation"),
    "follow_up_day": ("day", "end of the patient's follow-up, since randomisation"),
    "entry_months": ("month", "entry into the trial, since the first patient's"),
    "treatment_end_day": ("day", "end of the trial's treatment, since randomisation"),
    "grade3_day": ("day", "first severe (grade 3 or higher) toxic event, since randomisation"),
    "toxicity_stop_day": ("day", "treatment stopped for toxicity, since randomisation"),
    "dose_reduced": ("", "a dose was reduced for toxicity"),
    "checkpoint_inhibitor": ("", "the trial's treatment includes a checkpoint inhibitor"),
    "ici_with_chemotherapy": ("", "the trial's treatment includes a checkpoint inhibitor and chemotherapy"),
    "next_line": ("", "a further line of treatment was given"),
    "next_line_regimen": ("", "treatment of the further line"),
    "next_line_day": ("day", "start of the further line, since randomisation"),
    "pfs_months": ("month", "progression-free survival, or time to censoring"),
    "pfs_event": ("", "progression or death was observed"),
    "pfs_reason": ("", "what ended progression-free survival, or censored it"),
    "os_months": ("month", "overall survival, or time to censoring"),
    "os_event": ("", "death was observed"),
    "dor_months": ("month", "duration of response, or time to censoring"),
    "dor_event": ("", "the response ended in progression or death"),
    "lesion_draws": ("", "number of the draw that gave each further lesion its parameters; -1: the patient's own"),
}
_ENDINGS = (
    ("_ml", "milliliter"),
    ("_mm", "mm"),
    ("_pct", "percent"),
    ("_day", "day"),
    ("_days", "day"),
    ("_months", "month"),
    ("_ml_baseline", "milliliter"),
    ("_mm_baseline", "mm"),
)


def column_notes(columns: list[str], drugs: tuple[str, ...], specificity: str = DEFAULT) -> dict[str, dict[str, str]]:
    """Unit and description of each column of a table of patients or scans.

    ``p:`` are parameters in the unit of the parameter table, ``b:`` observables at diagnosis in their declared unit.
    """
    from immunescape.population.covariates import COLUMNS
    from immunescape.population.reference_baseline import prepared_model

    model = prepared_model(drugs, specificity)
    notes: dict[str, dict[str, str]] = {}
    for column in columns:
        unit, text = "", column.replace("_", " ")
        name = column[2:]
        if column.startswith("p:") and name in model.parameters:
            parameter = model.parameters[name]
            unit, text = (
                parameter.unit,
                f"parameter {name} of {parameter.owner}" + (f": {parameter.note}" if parameter.note else ""),
            )
        elif column.startswith("b:") and name in model.quantities:
            unit, text = model.unit(name), f"at diagnosis: {model.quantities[name].meaning}"
        elif column.startswith("progression:") and column.partition(":")[2] in model.quantities:
            quantity = column.partition(":")[2]
            unit, text = (
                model.unit(quantity),
                f"largest lesion at progression on the trial's line: {model.quantities[quantity].meaning}",
            )
        elif column in COLUMNS:
            unit, text = COLUMNS[column]
        elif column in _COMMON_COLUMNS:
            unit, text = _COMMON_COLUMNS[column]
        elif column.startswith("prior ") and column.endswith("_days"):
            line = column.removeprefix("prior ").removesuffix("_days")
            unit, text = "day", f"length of earlier line {line}, from its start to the next line or the trial"
        else:
            unit = next((u for ending, u in _ENDINGS if column.endswith(ending)), "")
        notes[column] = {"unit": unit, "description": text}
    return notes


def described_parquet(
    table: pd.DataFrame, drugs: tuple[str, ...], source: dict[str, Any], specificity: str = DEFAULT
) -> bytes:
    """Bytes of a Parquet file whose columns carry ``unit`` and ``description``, and whose metadata say its source.

    In pyarrow: ``pyarrow.parquet.read_schema(file).field("age").metadata``; the same as JSON in the file's metadata
    under ``immunescape_columns``, with ``immunescape_provenance`` beside.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    notes = column_notes([str(c) for c in table.columns], drugs, specificity)
    data = pa.Table.from_pandas(table, preserve_index=False)
    fields = [
        f.with_metadata({k: v for k, v in notes[f.name].items() if v}) if f.name in notes else f for f in data.schema
    ]
    kept = {
        **(data.schema.metadata or {}),
        b"immunescape_columns": json.dumps(notes).encode(),
        b"immunescape_provenance": json.dumps(source).encode(),
    }
    data = data.cast(pa.schema(fields, metadata=kept))
    buffer = io.BytesIO()
    pq.write_table(data, buffer)
    return buffer.getvalue()


def provenance(result: TrialResult, command: str) -> dict[str, Any]:
    """How a result came about: command, versions, model, date; enough to repeat it."""
    import hashlib

    from immunescape.population.reference_baseline import prepared_model

    document = prepared_model(result.trial.drugs, result.trial.specificity).to_sbml()
    return {
        "command": command,
        "specificity": result.trial.specificity,
        "version": result.version,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **installation(),
        "engine": result.engine,
        "model_sha256": hashlib.sha256(document.encode()).hexdigest(),
        "protocol_sha256": result.trial.sha256,
    }


def result_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of ``result.json``."""
    number: dict[str, Any] = {"type": ["number", "null"]}
    interval: dict[str, Any] = {"type": ["array", "null"], "items": number, "minItems": 2, "maxItems": 2}
    arm = {
        "type": "object",
        "required": ["name", "n", "failed", "orr_pct"],
        "properties": {
            "name": {"type": "string"},
            "n": {"type": "integer", "minimum": 0},
            "failed": {"type": "integer", "minimum": 0, "description": "patients whose integration failed"},
            **{
                f"{name}{suffix}": {**(interval if suffix else number), "description": text}
                for name, text in (
                    ("orr_pct", "objective response, percent"),
                    ("dor_median_months", "duration of response"),
                    ("pfs_median_months", "progression-free survival"),
                    ("os_median_months", "overall survival"),
                )
                for suffix in ("", "_ci" if name != "orr_pct" else "")
            },
            "orr_ci": {**interval, "description": "95 % interval of objective response"},
            "grade3_pct": number,
            "discontinued_pct": number,
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "immunescape result.json",
        "description": "Result of a virtual trial; what was not reached or measured is null. Other fields may follow.",
        "type": "object",
        "required": ["trial", "seed", "engine", "version", "paired", "arms", "comparison", "provenance"],
        "properties": {
            "trial": {"type": "string"},
            "seed": {"type": "integer", "minimum": 0},
            "engine": {"type": "string"},
            "version": {"type": "string"},
            "paired": {"type": "boolean"},
            "wall_s": {"type": "number"},
            "arms": {"type": "array", "items": arm, "minItems": 1},
            "comparison": {
                "type": "object",
                "properties": {"pfs_hr": number, "pfs_hr_ci": interval, "os_hr": number, "os_hr_ci": interval},
            },
            "published": {"type": ["object", "null"]},
            "failures": {"type": "array", "items": {"type": "object", "required": ["arm", "id", "reason"]}},
            "provenance": {
                "type": "object",
                "required": ["command", "version", "date", "engine", "model_sha256"],
                "properties": {
                    "command": {"type": "string"},
                    "date": {"type": "string", "format": "date-time"},
                    "model_sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                },
            },
        },
    }
