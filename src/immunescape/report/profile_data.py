"""What the report page holds of each patient, compact: the page draws a patient when it is asked for."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

from immunescape.knowledge.biomarker_labels import biomarker_label
from immunescape.profile.scores import disagreement
from immunescape.report.response_text import contribution_rows, missing_text, probability_rows

if TYPE_CHECKING:
    from immunescape.knowledge.profile_records import Call, Measurement, PatientProfile
    from immunescape.knowledge.strategies import TrialEvidence
    from immunescape.profile.scores import Score
    from immunescape.profile.study_tables import StudyTables

__all__ = ["packed", "page_data"]

_CODE = {"present": "p", "absent": "a", "not_assessable": "n", "conflicting": "c"}


def value_text(m: Measurement) -> str:
    """A value as a person reads it."""
    if m.value is None:
        return "not assessable"
    if isinstance(m.value, bool):
        return "yes" if m.value else "no"
    if isinstance(m.value, str):
        return m.value.replace("_", " ")
    unit = f" {_unit(m.unit)}".rstrip()
    if m.status == "below_limit":
        return f"below {m.value:.4g}{unit}"
    interval = f" ({m.low:.3g} to {m.high:.3g})" if m.low is not None and m.high is not None else ""
    place = f", percentile {m.percentile:.0f}" if m.percentile is not None else ""
    return f"{m.value:.4g}{interval}{unit}{place}"


def _call(call: Call) -> list[Any]:
    seen: dict[str, None] = {}
    rows: list[list[str]] = []
    if call.state == "not_assessable":
        for e in call.evidence:
            if e.statement not in seen:
                seen[e.statement] = None
                rows.append([e.statement, "", ""])
        rows = rows[:6]
    else:
        rows = [
            [
                f"{e.statement} [{e.note}]" if e.note else e.statement,
                f"{e.threshold} → {e.supports}",
                ", ".join(e.citation),
            ]
            for e in call.evidence
            if e.supports != "neither"
        ]
    share = None if call.coverage is None else round(100 * call.coverage)
    return [_CODE[call.state], share, rows]


def _unit(unit: str) -> str:
    return "" if unit == "1" else unit.replace("percent", "%").replace("1/megabase", "per Mb")


def _score(s: Score) -> list[str]:
    value = "–" if s.value is None else f"{s.value:.3g}" if isinstance(s.value, float) else str(s.value)
    return [s.title, value, _unit(s.unit), s.reading, s.rule, s.note]


def _trial(t: TrialEvidence) -> list[str]:
    return [t.name, t.phase, t.population, t.result.replace("_", " "), t.finding, t.registry]


def _patient(p: PatientProfile) -> dict[str, Any]:
    measured = [
        [n, value_text(m), "; ".join(m.source[:2]), m.note] for n, m in p.biomarkers.items() if m.value is not None
    ]
    missing = [[n, m.note] for n, m in p.biomarkers.items() if m.value is None]
    reasons: dict[str, list[str]] = {}
    for name, note in missing:
        reasons.setdefault(note, []).append(name)
    return {
        "id": p.patient,
        "samples": list(p.samples),
        "stratum": [p.stratum.title, "; ".join(p.stratum.options), p.stratum.caveat],
        "resistance": [p.resistance.kind.replace("_", " "), p.resistance.why],
        "calls": {n: _call(c) for n, c in p.calls.items()},
        "scores": [_score(s) for s in p.scores],
        "disagree": disagreement(p.scores),
        "response": [
            p.response.setting,
            [list(r.values()) for r in probability_rows(p.response)],
            [list(r.values()) for r in contribution_rows(p.response)],
            missing_text(p.response),
        ],
        "options": [
            [o.strategy, list(o.because), list(o.uncertain), list(o.against), list(o.cautions)] for o in p.options
        ],
        "biomarkers": measured,
        "missing": [[note, names] for note, names in reasons.items()],
        "timeline": [[e.kind, round(e.day, 1), e.label, e.value, e.unit, e.end_day, e.below_limit] for e in p.timeline],
    }


def page_data(study: StudyTables, limit: int) -> dict[str, Any]:
    """Everything that the page's script draws from; at most `limit` patients."""
    from immunescape.knowledge.strategies import load_strategies

    rules = study.done.calls.rules.mechanisms
    strategies = load_strategies()
    return {
        "mechanisms": {n: [r.title, r.origin, r.summary, r.absent_needs, r.context] for n, r in rules.items()},
        "strategies": {
            n: [s.title, s.tier, s.rationale, [_trial(t) for t in s.trials]] for n, s in strategies.strategies.items()
        },
        "tiers": dict(strategies.tiers),
        "labels": {n: biomarker_label(n).label for n in study.done.measured},
        "patients": [_patient(p) for p in list(study.patients.values())[:limit]],
    }


def packed(data: Any) -> str:
    """JSON, compressed, in letters that may stand inside a script element: a cohort repeats the same words often."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode("utf-8"), mtime=0)).decode("ascii")
