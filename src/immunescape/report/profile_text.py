"""What a terminal shows of a profiled study and of one patient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from immunescape.console import print_table
from immunescape.errors import unknown_word
from immunescape.profile.biomarkers.words import state_words
from immunescape.profile.scores import disagreement
from immunescape.report.call_text import evidence_lines
from immunescape.report.response_text import (
    LIMITS,
    contribution_rows,
    missing_text,
    probability_rows,
    response_summary,
)

if TYPE_CHECKING:
    from immunescape.profile.study_tables import StudyTables

__all__ = ["print_patient", "print_study"]


def _percent(share: float, of: int) -> str:
    return f"{100 * share:.0f} % of {of}" if of else "–"


def _bounds(least: float, most: float) -> str:
    """Bounds of a share over everybody, those who were not assessed included."""
    low, high = f"{100 * least:.0f}", f"{100 * most:.0f}"
    return f"{low} %" if low == high else f"{low}–{high} %"


def _print_read(study: StudyTables) -> None:
    """Print how many rows of each file were used, why others were not, and every warning."""
    reads = study.done.profile.reads
    print_table("Read", [{"file": r.file, "rows": r.rows, "used": r.kept, "remarks": r.left} for r in reads])
    for problem in study.done.profile.problems:
        print(f"  ! {problem}")


def print_study(study: StudyTables) -> None:
    """Print what was read, the prevalence of every mechanism, strata and resistance."""
    print(f"\n{study.name}: {len(study.patients)} patients\n")
    _print_read(study)
    rules = study.done.calls.rules.mechanisms
    counts = study.prevalence
    assessed = counts[(counts["present"] + counts["absent"] + counts["conflicting"]) > 0]
    rows = [
        {
            "mechanism": rules[str(name)].title,
            "present": int(c["present"]),
            "absent": int(c["absent"]),
            "conflicting": int(c["conflicting"]),
            "not assessable": int(c["not_assessable"]),
            "present of assessed": _percent(float(c["present_share"]), int(c["present"] + c["absent"])),
            "of all": _bounds(float(c["least_share"]), float(c["most_share"])),
        }
        for name, c in assessed.sort_values("present", ascending=False).iterrows()
    ]
    print()
    print_table("Resistance mechanisms (patients)", rows)
    print(
        "  of all: bounds of the share, if none or all of the patients not assessable or conflicting had the mechanism"
    )
    silent = [rules[str(n)].title for n in counts.index if n not in assessed.index]
    if silent:
        print(f"\nNot assessable in any patient from these files: {'; '.join(silent)}")
    print()
    for title, labels in (
        ("Guideline group", [p.stratum.title for p in study.patients.values()]),
        ("Resistance (SITC definitions)", [p.resistance.kind.replace("_", " ") for p in study.patients.values()]),
    ):
        counted = {w: labels.count(w) for w in dict.fromkeys(sorted(labels))}
        print(f"{title}: " + ", ".join(f"{w} {n}" for w, n in counted.items()))
    if summary := response_summary(study):
        print(f"{summary}.")


def print_patient(study: StudyTables, patient: str) -> None:
    """Print one patient: what was read, stratum, resistance, calls with evidence, scores, matching strategies."""
    if patient not in study.patients:
        raise unknown_word("patient", patient, study.patients, where=study.name)
    p = study.patients[patient]
    rules = study.done.calls.rules.mechanisms
    print(f"\n{study.name}, patient {patient}\n")
    _print_read(study)
    print()
    print(f"Guideline group: {p.stratum.title}" + (f" ({p.stratum.caveat})" if p.stratum.caveat else ""))
    print(f"Resistance (SITC definitions): {p.resistance.kind.replace('_', ' ')} ({p.resistance.why})\n")
    print_table(f"Probability: {p.response.setting}", probability_rows(p.response))
    print_table("Contributions relative to the average patient", contribution_rows(p.response, 8))
    print(f"Not measured (averaged over): {missing_text(p.response) or 'nothing'}\n{LIMITS}\n")
    rows: list[dict[str, Any]] = []
    order = ("present", "conflicting", "absent", "not_assessable")
    for call in sorted(p.calls.values(), key=lambda c: order.index(c.state)):
        if call.state == "not_assessable":
            continue
        rows.append(
            {
                "mechanism": rules[call.mechanism].title,
                "state": state_words(call.state),
                "because": "; ".join(e.statement for e in evidence_lines(call)),
                "citations": ", ".join(call.citation),
            }
        )
    print_table("Calls", rows)
    silent = [rules[c.mechanism].title for c in p.calls.values() if c.state == "not_assessable"]
    if silent:
        print(f"\nNot assessable: {'; '.join(silent)}\n")
    losses = [e for e in p.timeline if e.kind == "gene"]
    if losses:
        print("Genes lost, by dated sample")
        for event in losses:
            print(f"  day {event.day:g}: {event.label}")
        print()
    scores = [
        {
            "score": s.title,
            "value": "–"
            if s.value is None
            else f"{s.value:.3g}"
            if isinstance(s.value, float)
            else state_words(s.value),
            "reading": s.reading or "–",
            "note": s.note if s.value is None else s.rule,
        }
        for s in p.scores
    ]
    print_table("Published scores, side by side", scores)
    against = disagreement(p.scores)
    if against:
        print(f"They disagree: {against}\n")
    options = [
        {
            "strategy": o.title,
            "evidence": o.tier,
            "because": "; ".join(rules[m].title for m in o.because),
            "against it": "; ".join(rules[m].title for m in o.against) or "–",
            "line and history": "; ".join(o.cautions) or "–",
            "negative trials": ", ".join(t.name for t in o.trials if t.result == "negative") or "–",
        }
        for o in p.options
    ]
    print_table("Strategies linked to these mechanisms by the literature (not advice)", options)
