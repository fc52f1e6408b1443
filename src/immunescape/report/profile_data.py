"""What the report page holds of each patient, compact: the page draws a patient when it is asked for."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

from immunescape.knowledge.biomarker_labels import biomarker_label
from immunescape.knowledge.printed_units import printed_unit
from immunescape.profile.biomarkers.words import analyte_title, measurement_title, state_words, value_words
from immunescape.profile.scores import disagreement
from immunescape.report.call_text import evidence_lines, missing_lines
from immunescape.report.response_text import contribution_rows, missing_text, probability_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from immunescape.knowledge.profile_records import Call, PatientProfile
    from immunescape.knowledge.strategies import TrialEvidence
    from immunescape.profile.scores import Score
    from immunescape.profile.study_tables import StudyTables
    from immunescape.profile.timeline import TimelineEvent

__all__ = ["packed", "page_data"]

_CODE = {"present": "p", "absent": "a", "not_assessable": "n", "conflicting": "c"}


def _call(call: Call) -> list[Any]:
    if call.state == "not_assessable":
        rows = [[text, "", ""] for text in missing_lines(call)[:6]]
    else:
        rows = [[e.noted, "; ".join(e.comparisons), ", ".join(e.citation)] for e in evidence_lines(call)]
    share = None if call.coverage is None else round(100 * call.coverage)
    return [_CODE[call.state], share, rows]


def _score(s: Score) -> list[str]:
    value = "–" if s.value is None else f"{s.value:.3g}" if isinstance(s.value, float) else state_words(str(s.value))
    return [s.title, value, printed_unit(s.unit), s.reading, s.rule, s.note]


def _trial(t: TrialEvidence) -> list[str]:
    return [t.name, t.phase, t.population, t.result.replace("_", " "), t.finding, t.registry]


def _label(e: TimelineEvent) -> str:
    return analyte_title(e.label) if e.kind == "lab" else e.label


def _patient(p: PatientProfile, titles: Mapping[str, str]) -> dict[str, Any]:
    measured = [
        [titles[n], value_words(m), biomarker_label(n).label, "; ".join(m.source[:2]), m.note]
        for n, m in p.biomarkers.items()
        if m.value is not None
    ]
    reasons: dict[str, list[str]] = {}
    for name, m in p.biomarkers.items():
        if m.value is None:
            reasons.setdefault(m.note, []).append(titles[name])
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
        "timeline": [
            [e.kind, round(e.day, 1), _label(e), e.value, printed_unit(e.unit), e.end_day, e.below_limit]
            for e in p.timeline
        ],
    }


def page_data(study: StudyTables, limit: int) -> dict[str, Any]:
    """Everything that the page's script draws from; at most `limit` patients."""
    from immunescape.knowledge.strategies import load_strategies

    rules = study.done.calls.rules.mechanisms
    strategies = load_strategies()
    titles = {name: measurement_title(name) for name in study.done.measured}
    return {
        "mechanisms": {n: [r.title, r.origin, r.summary, r.absent_needs, r.context] for n, r in rules.items()},
        "strategies": {
            n: [s.title, s.tier, s.rationale, [_trial(t) for t in s.trials]] for n, s in strategies.strategies.items()
        },
        "tiers": dict(strategies.tiers),
        "patients": [_patient(p, titles) for p in list(study.patients.values())[:limit]],
    }


def packed(data: Any) -> str:
    """JSON, compressed, in letters that may stand inside a script element: a cohort repeats the same words often."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode("utf-8"), mtime=0)).decode("ascii")
