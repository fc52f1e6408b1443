"""A profiled study as tables, JSON, AnnData and MuData."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from immunescape.errors import ImmunescapeError
from immunescape.knowledge.biomarker_labels import biomarker_label
from immunescape.knowledge.profile_records import Call, Measurement, PatientProfile
from immunescape.profile.biomarkers.registry import biomarkers, values_frame
from immunescape.profile.calls.caller import rule_text

if TYPE_CHECKING:
    from immunescape.profile.assemble import Assembled

__all__ = ["SCHEMA_VERSION", "json_schema", "long_table", "patient_json", "study_json", "to_anndata", "to_mudata"]

SCHEMA_VERSION = "1"


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of ``profile.json`` (draft 2020-12)."""
    return dict(json.loads((files("immunescape.profile") / "profile.schema.json").read_text(encoding="utf-8")))


def _plain(value: Any) -> Any:
    """Records and arrays as plain JSON values; numbers that are not finite become null; empty fields are left out."""
    if hasattr(value, "model_dump"):
        return _plain(value.model_dump())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


_FIELDS = tuple(f.name for f in dataclasses.fields(Measurement) if f.name not in ("name", "value", "unit", "status"))


def _measurement(m: Measurement) -> dict[str, Any]:
    row: dict[str, Any] = {"value": _plain(m.value), "unit": m.unit, "status": m.status}
    for name in _FIELDS:
        field = getattr(m, name)
        if field is not None and field != "" and field != ():
            row[name] = list(field) if isinstance(field, tuple) else _plain(field)
    return row


def _call(call: Call) -> dict[str, Any]:
    evidence = [
        {
            "statement": e.statement,
            "measurement": e.measurement,
            "threshold": e.threshold,
            "supports": e.supports,
            "citation": list(e.citation),
        }
        for e in call.evidence
    ]
    return {
        "state": call.state,
        "coverage": None if call.coverage is None else round(call.coverage, 4),
        "citation": list(call.citation),
        "evidence": evidence,
    }


class _Once:
    """Makes the JSON of a record once, however many patients share the record (all are kept alive by the profile)."""

    def __init__(self, make: Callable[[Any], dict[str, Any]]) -> None:
        self._make, self._made = make, dict[int, dict[str, Any]]()

    def __call__(self, record: Any) -> dict[str, Any]:
        found = self._made.get(id(record))
        if found is None:
            found = self._made[id(record)] = self._make(record)
        return found


def patient_json(
    profile: PatientProfile,
    measurement: Callable[[Measurement], dict[str, Any]] = _measurement,
    call: Callable[[Call], dict[str, Any]] = _call,
) -> dict[str, Any]:
    """Return one patient as it stands in ``profile.json``."""
    options = [
        {
            "strategy": o.strategy,
            "tier": o.tier,
            "because": list(o.because),
            "uncertain": list(o.uncertain),
            "against": list(o.against),
        }
        for o in profile.options
    ]
    return {
        "samples": list(profile.samples),
        "biomarkers": {n: measurement(m) for n, m in profile.biomarkers.items()},
        "calls": {n: call(c) for n, c in profile.calls.items()},
        "stratum": _plain(profile.stratum),
        "scores": _plain(profile.scores),
        "options": options,
        "resistance": _plain(profile.resistance),
        "timeline": _plain(profile.timeline),
    }


def study_json(done: Assembled, notice: str, version: str) -> dict[str, Any]:
    """Return the content of ``profile.json``; what all patients share (rules, strategies, labels) stands once."""
    from immunescape.knowledge.strategies import load_strategies

    rules = done.calls.rules
    strategies = load_strategies()
    known = biomarkers()
    measurement, call = _Once(_measurement), _Once(_call)
    return {
        "schema": SCHEMA_VERSION,
        "immunescape": version,
        "notice": notice,
        "study": done.profile.study,
        "reads": _plain(done.profile.reads),
        "problems": list(done.profile.problems),
        "biomarkers": {
            n: {
                "title": known[n].title if n in known else n,
                "family": known[n].family if n in known else "",
                "label": biomarker_label(n).label,
                "label_support": biomarker_label(n).text,
            }
            for n in done.measured
        },
        "rules": {
            "version": rules.version,
            "mechanisms": {
                n: {
                    "title": r.title,
                    "origin": r.origin,
                    "context": r.context,
                    "summary": r.summary,
                    **{k: rule_text(t) for k, t in r.trees.items()},
                    "absent_needs": r.absent_needs,
                    "never_assessable": r.never_assessable,
                }
                for n, r in rules.mechanisms.items()
            },
        },
        "strategies": {"version": strategies.version, "tiers": dict(strategies.tiers)}
        | {"strategies": {n: _plain(s) for n, s in strategies.strategies.items()}},
        "patients": {p: patient_json(profile, measurement, call) for p, profile in done.profile.patients.items()},
    }


def long_table(done: Assembled) -> pd.DataFrame:
    """One row for each patient and biomarker: what ``biomarkers.parquet`` holds."""
    columns = "unit status low high coverage percentile reference day sample method note".split()
    rows: dict[str, list[Any]] = {c: [] for c in ("patient", "biomarker", "value", "word", *columns, "source")}
    for name, found in done.measured.items():
        for patient, m in found.items():
            number = isinstance(m.value, (int, float, np.number)) and not isinstance(m.value, (bool, np.bool_))
            rows["patient"].append(patient)
            rows["biomarker"].append(name)
            rows["value"].append(float(m.value) if number else np.nan)  # type: ignore[arg-type]
            rows["word"].append(
                None
                if number or m.value is None
                else str(m.value).lower()
                if m.value in (True, False)
                else str(m.value)
            )
            for column in columns:
                rows[column].append(getattr(m, column))
            rows["source"].append("; ".join(m.source))
    frame = pd.DataFrame(rows)
    for column in ("low", "high", "coverage", "percentile", "day"):
        frame[column] = frame[column].astype(float)
    return frame


def _need(module: str, extra: str) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError:
        raise ImmunescapeError(
            f"this export needs the package '{module}'", hint=f"pip install 'immunescape[{extra}]'"
        ) from None


def to_polars(done: Assembled) -> dict[str, Any]:
    """Biomarkers (long) and calls (wide) as polars data frames; needs the extra ``polars``."""
    polars = _need("polars", "polars")
    return {
        "biomarkers": polars.from_pandas(long_table(done)),
        "calls": polars.from_pandas(done.calls.states.reset_index()),
    }


def to_anndata(done: Assembled) -> Any:
    """AnnData, patients x numeric biomarkers (NaN: not assessable); words, states, outcomes as categories in ``obs``.

    Needs the extra ``anndata``.
    """
    anndata = _need("anndata", "anndata")
    values = values_frame(done.measured)
    numeric = values.select_dtypes("number")
    words = values.drop(columns=numeric.columns)
    patients = done.study.patients.set_index("patient").reindex(values.index)
    states = done.calls.states.add_prefix("call_")
    obs = pd.concat([patients, words, states], axis=1)
    obs = obs.loc[:, ~obs.columns.duplicated()].dropna(axis=1, how="all")
    for name in obs.select_dtypes("object").columns:  # categories: files of AnnData know no other missing text
        obs[name] = pd.Categorical([None if v is None or v != v else str(v) for v in obs[name]])
    table = anndata.AnnData(numeric.to_numpy(dtype=float), obs=obs)
    known = biomarkers()
    table.var_names = list(numeric.columns)
    table.var["unit"] = [known[n].unit if n in known else "" for n in numeric.columns]
    table.var["family"] = [known[n].family if n in known else "" for n in numeric.columns]
    table.uns["rules_version"] = done.calls.rules.version
    return table


def to_mudata(done: Assembled) -> Any:
    """MuData with the modalities ``biomarkers``, ``calls`` (1 present, 0 absent, NaN else) and ``expression``.

    Needs the extra ``mudata``.
    """
    mudata, anndata = _need("mudata", "mudata"), _need("anndata", "mudata")
    states = done.calls.states
    code = states.apply(lambda c: c.map({"present": 1.0, "absent": 0.0})).to_numpy(dtype=float)
    calls = anndata.AnnData(code, obs=pd.DataFrame(index=states.index))
    calls.var_names = list(states.columns)
    parts = {"biomarkers": to_anndata(done), "calls": calls}
    expression = done.study.expression
    if len(expression.columns):
        owner = done.study.samples.set_index("sample")["patient"].to_dict()
        chosen = {owner.get(s, s): s for s in reversed(list(expression.columns)) if owner.get(s, s) in states.index}
        table = anndata.AnnData(expression[list(chosen.values())].T.to_numpy(dtype=float))
        table.obs_names, table.var_names = list(chosen), [str(g) for g in expression.index]
        table.uns["unit"] = done.study.expression_unit
        parts["expression"] = table
    return mudata.MuData(parts)
