"""``profile.json``: written patient by patient; what patients share stands once, with the biomarker, score or rule.

A patient's record of a biomarker holds value and status, the unit where there is a value, and each further field in
which it differs from what stands under ``biomarkers.NAME.usual``; a score likewise from ``scores.NAME.usual``. A call
holds what speaks for its state, or, where it is not assessable, what was measured in vain. :func:`expand` puts a
patient together.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from immunescape.knowledge.biomarker_labels import biomarker_label
from immunescape.knowledge.mechanism_rules import Rule, conditions, measurements
from immunescape.knowledge.profile_records import Call, Measurement, PatientProfile
from immunescape.profile.biomarkers.registry import biomarkers
from immunescape.profile.calls.caller import rule_text
from immunescape.profile.prevalence import prevalence

if TYPE_CHECKING:
    from immunescape.profile.assemble import Assembled

__all__ = ["SCHEMA_VERSION", "expand", "json_schema", "json_text", "study_json"]

SCHEMA_VERSION = "2"
_USUAL = ("unit", "method", "citation", "source", "note", "reference")
_DETAILS = ("low", "high", "coverage", "sample", "day", "percentile")
_SCORE_USUAL = ("title", "unit", "rule", "note", "citation")
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of ``profile.json`` (draft 2020-12)."""
    return dict(json.loads((files("immunescape.profile") / "profile.schema.json").read_text(encoding="utf-8")))


def plain(value: Any) -> Any:
    """Records and arrays as plain JSON values; numbers that are not finite become null; empty fields are left out."""
    if hasattr(value, "model_dump"):
        return plain(value.model_dump())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _usual(records: Iterable[Any], fields: tuple[str, ...]) -> dict[str, Any]:
    """Return the most common value of each field that is not empty."""
    counted = [(record, n) for record, n in _by_identity(records)]
    shared_fields: dict[str, Any] = {}
    for field in fields:
        tally: Counter[Any] = Counter()
        for record, n in counted:
            tally[getattr(record, field)] += n
        if tally:
            value = tally.most_common(1)[0][0]
            if value not in ("", ()):
                shared_fields[field] = value
    return shared_fields


def _by_identity(records: Iterable[Any]) -> list[tuple[Any, int]]:
    held: dict[int, list[Any]] = {}
    for record in records:
        held.setdefault(id(record), [record, 0])[1] += 1
    return [(record, n) for record, n in held.values()]


class _Once:
    """Encodes a record once, however many patients share it (all are kept alive by the profile while it works)."""

    def __init__(self, make: Callable[..., str], most: int = 20_000) -> None:
        self._make, self._most, self._made = make, most, dict[int, tuple[Any, str]]()

    def __call__(self, record: Any, *more: Any) -> str:
        made = self._made.get(id(record))
        if made is None:
            if len(self._made) >= self._most:
                self._made.clear()
            made = self._made[id(record)] = (record, self._make(record, *more))
        return made[1]


def _differing(record: Any, usual: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    row = {}
    for name in fields:
        value = getattr(record, name)
        if value != usual.get(name, () if isinstance(value, tuple) else ""):
            row[name] = list(value) if isinstance(value, tuple) else plain(value)
    return row


def _measurement(m: Measurement, usual: Mapping[str, Any]) -> str:
    row: dict[str, Any] = {"value": plain(m.value), "status": m.status}
    if m.value is not None:
        row = {"value": row["value"], "unit": m.unit, "status": m.status}
    row |= {n: plain(v) for n in _DETAILS if (v := getattr(m, n)) is not None}
    return _encode(row | _differing(m, usual, _USUAL))


def _call(call: Call, rule: Rule, profile: PatientProfile) -> str:
    def missing(name: str | None) -> bool:
        m = profile.biomarkers.get(name) if name is not None else None
        return m is None or m.value is None

    row: dict[str, Any] = {"state": call.state}
    row["coverage"] = None if call.coverage is None else round(call.coverage, 4)
    if call.state != "not_assessable":
        row["citation"] = list(call.citation)
    row["evidence"] = [
        {"statement": e.statement, "measurement": e.measurement, "threshold": e.threshold, "supports": e.supports}
        for e in call.evidence
        if e.supports != "neither" or (call.state == "not_assessable" and not missing(e.measurement))
    ]
    absent = [n for n in measurements(rule) if missing(n)]
    if absent:
        row["missing"] = absent
    return _encode(row)


def _response(estimate: Any) -> dict[str, Any] | None:
    """Probabilities with intervals and contributions (log odds), to four digits."""
    if estimate is None:
        return None
    ends = {
        e: {n: round(getattr(s, n), 4) for n in ("probability", "low", "high", "log_odds", "average_log_odds")}
        | {"log_odds_sd": round(s.variance**0.5, 4)}
        | {"contributions": {n: round(c, 4) for n, c in s.contributions.items()}}
        for e, s in estimate.standings.items()
    }
    return {
        "setting": estimate.setting,
        **ends,
        "inputs": dict(estimate.values),
        "missing": list(estimate.missing),
        "left_out": list(estimate.refused),
    }


class _Patients:
    """Writes patients, with what they share taken out."""

    def __init__(self, done: Assembled) -> None:
        self.rules = done.calls.rules.mechanisms
        self.usual = {n: _usual(rows.values(), _USUAL) for n, rows in done.measured.items()}
        people = done.profile.patients.values()
        every: dict[str, list[Any]] = {}
        for p in people:
            for score in p.scores:
                every.setdefault(score.name, []).append(score)
        self.usual_scores = {n: _usual(rows, _SCORE_USUAL) for n, rows in every.items()}
        self._measurement, self._call = _Once(_measurement), _Once(_call)

    def _scores(self, profile: PatientProfile) -> list[dict[str, Any]]:
        return [
            {"name": s.name, "value": plain(s.value), "reading": s.reading, "inputs": plain(s.inputs)}
            | _differing(s, self.usual_scores[s.name], _SCORE_USUAL)
            for s in profile.scores
        ]

    def text(self, profile: PatientProfile) -> str:
        """Return one patient as it stands in ``profile.json``."""
        options = [
            {"strategy": o.strategy, "tier": o.tier}
            | {k: list(getattr(o, k)) for k in ("because", "uncertain", "against", "cautions")}
            for o in profile.options
        ]
        measured = ",".join(
            f"{_encode(n)}:{self._measurement(m, self.usual.get(n, {}))}" for n, m in profile.biomarkers.items()
        )
        calls = ",".join(f"{_encode(n)}:{self._call(profile.calls[n], self.rules[n], profile)}" for n in profile.calls)
        rest = {
            "stratum": plain(profile.stratum),
            "scores": self._scores(profile),
            "response": _response(profile.response),
            "options": options,
            "resistance": plain(profile.resistance),
            "timeline": plain(profile.timeline),
        }
        samples = _encode(list(profile.samples))
        return f'{{"samples":{samples},"biomarkers":{{{measured}}},"calls":{{{calls}}},{_encode(rest)[1:]}'


def _rule(rule: Rule) -> dict[str, Any]:
    listed = {(c.measurement, c.text): c for tree in rule.trees.values() for c in conditions(tree)}
    return {
        "title": rule.title,
        "origin": rule.origin,
        "context": rule.context,
        "summary": rule.summary,
        "citation": list(rule.citation),
        **{k: rule_text(t) for k, t in rule.trees.items()},
        "absent_needs": rule.absent_needs,
        "never_assessable": rule.never_assessable,
        "conditions": [
            {"measurement": c.measurement, "threshold": c.text}
            | {"grade": c.grade, "citation": list(c.source), "note": c.note}
            for c in listed.values()
        ],
    }


def _prevalence(done: Assembled) -> dict[str, dict[str, float | int | None]]:
    """Return mechanism -> patients in each state and shares, as `prevalence` counts them; None where nobody counts."""
    counts = prevalence(done.calls.states)
    columns = [str(c) for c in counts.columns]
    summary: dict[str, dict[str, float | int | None]] = {}
    for name, *numbers in counts.itertuples(index=True, name=None):
        row = dict(zip(columns, numbers, strict=True))
        summary[str(name)] = {c: int(v) for c, v in row.items() if not c.endswith("_share")}
        summary[str(name)] |= {
            c: None if v != v else round(float(v), 4) for c, v in row.items() if c.endswith("_share")
        }
    return summary


def _head(done: Assembled, patients: _Patients, notice: str, version: str) -> dict[str, Any]:
    from immunescape.knowledge.strategies import load_strategies

    rules = done.calls.rules
    strategies = load_strategies()
    records = biomarkers()
    return {
        "schema": SCHEMA_VERSION,
        "immunescape": version,
        "notice": notice,
        "study": done.profile.study,
        "reads": plain(done.profile.reads),
        "problems": list(done.profile.problems),
        "biomarkers": {
            n: {
                "title": records[n].title if n in records else n,
                "family": records[n].family if n in records else "",
                "label": biomarker_label(n).label,
                "label_support": biomarker_label(n).text,
                "usual": plain(patients.usual[n]),
            }
            for n in done.measured
        },
        "scores": {n: {"usual": plain(u)} for n, u in patients.usual_scores.items()},
        "prevalence": _prevalence(done),
        "rules": {"version": rules.version, "mechanisms": {n: _rule(r) for n, r in rules.mechanisms.items()}},
        "strategies": {"version": strategies.version, "tiers": dict(strategies.tiers)}
        | {"strategies": {n: plain(s) for n, s in strategies.strategies.items()}},
    }


def json_text(done: Assembled, notice: str, version: str) -> Iterator[str]:
    """Yield the text of ``profile.json`` piece by piece: the head, then one patient at a time."""
    patients = _Patients(done)
    yield _encode(_head(done, patients, notice, version))[:-1] + ',"patients":{'
    comma = "\n"
    for name, profile in done.profile.patients.items():
        yield f"{comma}{_encode(name)}:{patients.text(profile)}"
        comma = ",\n"
    yield "}}\n"


def study_json(done: Assembled, notice: str, version: str) -> dict[str, Any]:
    """Return the content of ``profile.json`` as it is written."""
    return dict(json.loads("".join(json_text(done, notice, version))))


def expand(content: Mapping[str, Any], patient: str) -> dict[str, Any]:
    """Return one patient of a ``profile.json`` with every field in place, also those that stand once for all.

    Parameters
    ----------
    content
        What ``profile.json`` holds.
    patient
        Its name.

    Raises
    ------
    InputError
        For a patient that the file does not hold.
    """
    from immunescape.errors import unknown_word

    if patient not in content["patients"]:
        raise unknown_word("patient", patient, list(content["patients"]))
    record = dict(content["patients"][patient])
    empty = {n: [] if n in ("citation", "source") else "" for n in _USUAL}
    usual = {n: empty | b["usual"] for n, b in content["biomarkers"].items()}
    record["biomarkers"] = {n: usual[n] | m for n, m in record["biomarkers"].items()}
    empty_score = {n: [] if n == "citation" else "" for n in _SCORE_USUAL}
    record["scores"] = [empty_score | content["scores"][s["name"]]["usual"] | s for s in record["scores"]]
    return record
