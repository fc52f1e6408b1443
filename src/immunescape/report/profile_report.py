"""The one-file HTML report of a profiled study: cohort overview, outcome, each patient, what was read and left."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from immunescape.knowledge.biomarker_labels import biomarker_labels
from immunescape.profile.biomarkers.words import measurement_title, state_words
from immunescape.profile.scores.response import CITATION as RESPONSE_CITATION
from immunescape.release import installed_version
from immunescape.report.figures import figure_html
from immunescape.report.pictures import plotly_script
from immunescape.report.profile_data import packed, page_data
from immunescape.report.profile_figures import (
    STATE_COLOURS,
    STATE_LABELS,
    overview_figure,
    prevalence_figure,
    short,
    track_legend,
)
from immunescape.report.response_text import LIMITS, response_rows, response_summary
from immunescape.report.tables import Table
from immunescape.report.writing import write_page

if TYPE_CHECKING:
    from immunescape.profile.study_tables import StudyTables

__all__ = ["write_report"]

MAX_PATIENTS = 1000
"""Patients that the page can draw one by one; profile.json holds all of them."""

_LABELS_NOTE = (
    "Tested in the randomised OAK trial (atezolizumab against docetaxel, overall survival): predictive where biomarker "
    "and arm interact, prognostic where the biomarker acts in the control arm, each at p < 0.05 after Holm's "
    "correction over this table (p values as shown are uncorrected). A biomarker that is not in the table is not "
    "established."
)
_RULES_NOTE = (
    "A mechanism is present or absent only where its rule holds on what was measured; it is not assessable where "
    "measurements are missing or lie between thresholds, and conflicting where they contradict each other. Percentile "
    "thresholds are assumptions; so is every threshold without a study behind it."
)


def _tracks(study: StudyTables) -> dict[str, pd.Series]:
    people = study.patients
    tracks = {
        "Guideline group": pd.Series({p: r.stratum.title for p, r in people.items()}, dtype=object),
        "Resistance (SITC)": pd.Series(
            {p: r.resistance.kind.replace("_", " ") for p, r in people.items()}, dtype=object
        ),
    }
    table = study.done.study.patients.set_index("patient")
    for column, title in (("best_response", "Best response"), ("arm", "Arm")):
        track = table[column].reindex(list(people))
        if track.notna().any() and track.nunique() <= 8:
            tracks[title] = track.astype(object)
    return {n: w for n, w in tracks.items() if set(w.dropna().str.casefold()) - {"not assessable"}}


def _labels() -> Table:
    rows = [
        {
            "Biomarker": measurement_title(label.biomarker),
            "As tested in OAK": label.definition,
            "Carriers of n": f"{label.carriers} of {label.n}",
            "Interaction HR (95 %)": _interval(label.interaction_hr, label.interaction_interval),
            "Interaction p": f"{label.interaction_p:.3g}",
            "HR in the control arm (95 %)": _interval(label.control_hr, label.control_interval),
            "Control-arm p": f"{label.control_p:.3g}",
            "Label": label.label,
            "Note": label.note,
        }
        for label in biomarker_labels().values()
    ]
    return Table(rows, ("Interaction p", "Control-arm p"))


def _interval(value: float | None, interval: tuple[float, float] | None) -> str:
    return "–" if value is None or interval is None else f"{value:.2f} ({interval[0]:.2f} to {interval[1]:.2f})"


def _rules(study: StudyTables) -> Table:
    from immunescape.profile.calls.caller import rule_words

    rows = []
    for rule in study.done.calls.rules.mechanisms.values():
        trees = {n: rule_words(t) for n, t in rule.trees.items()}
        rows.append(
            {
                "Mechanism": rule.title,
                "Present": trees.get("present", rule.never_assessable),
                "Absent": trees.get("absent", "–"),
                "Conflicting also where": "; ".join(v for k, v in trees.items() if "contradicted" in k) or "–",
                "References": ", ".join(rule.citation),
            }
        )
    return Table(rows)


def _references(study: StudyTables) -> list[str]:
    from immunescape.knowledge.mechanism_rules import conditions
    from immunescape.knowledge.references import format_reference, load_references
    from immunescape.knowledge.strategies import load_strategies

    keys = {"kluger2020", "kluger2023", "gandara2018", "chang2024", *RESPONSE_CITATION}
    for rule in study.done.calls.rules.mechanisms.values():
        keys.update(rule.citation, (k for t in rule.trees.values() for c in conditions(t) for k in c.source))
    for profile in study.patients.values():
        keys.update(profile.stratum.citation, (k for s in profile.scores for k in s.citation))
    for rows in study.done.measured.values():
        for m in rows.values():
            keys.update(m.citation)
    matched = {o.strategy for p in study.patients.values() for o in p.options}
    for name, strategy in load_strategies().strategies.items():
        if name in matched:
            keys.update(k for t in strategy.trials for k in t.citation)
    references = load_references()
    return [f"[{k}] {format_reference(references[k])}" for k in sorted(keys) if k in references]


def _cohort(study: StudyTables, statistics: bool) -> dict[str, Any]:
    rules = study.done.calls.rules.mechanisms
    titles = {n: r.title for n, r in rules.items()}
    calls, counts = study.calls, study.prevalence
    tracks = _tracks(study)
    kinds = [r.resistance.kind for r in study.patients.values()]
    nobody = counts[(counts["present"] + counts["absent"] + counts["conflicting"]) == 0].index
    context = [n for n, r in rules.items() if r.context]
    rows = []
    for name, c in counts.sort_values("present", ascending=False).iterrows():
        assessed = int(c["present"] + c["absent"])
        share = "–" if not assessed else f"{100 * c['present_share']:.0f} % of {assessed}"
        states = {STATE_LABELS[s].capitalize(): int(c[s]) for s in STATE_LABELS}
        least, most = (f"{100 * c[f'{end}_share']:.0f}" for end in ("least", "most"))
        bound = f"{least} %" if least == most else f"{least} to {most} %"
        rows.append({"Mechanism": titles[str(name)], **states, "Present of assessed": share, "Of all": bound})
    measured = sum(any(m.value is not None for m in rows.values()) for rows in study.done.measured.values())
    drawn: Any = len(nobody) < len(rules)  # else there is nothing to draw
    sections: dict[str, Any] = {
        "tiles": [
            (len(study.patients), "patients"),
            (sum(len(p.samples) for p in study.patients.values()), "samples"),
            (f"{measured} of {len(study.done.measured)}", "biomarkers measured in someone"),
            (f"{len(rules) - len(nobody)} of {len(rules)}", "mechanisms assessed in someone"),
            (kinds.count("primary"), "primary resistance"),
            (kinds.count("acquired"), "acquired resistance"),
        ],
        "overview_figure": drawn and figure_html(overview_figure(calls, counts, titles, tracks, context)),
        "overview_width": min(700, 130 + 4 * len(study.patients)),  # narrower, and patients could not be told apart
        "state_legend": [(STATE_LABELS[s], c) for s, c in STATE_COLOURS.items()],
        "track_legends": [(name, track_legend(track.reindex(list(calls.index)))) for name, track in tracks.items()],
        "unassessed": "; ".join(short(titles[n], 80) for n in nobody),
        "prevalence_figure": drawn and figure_html(prevalence_figure(counts, titles, context)),
        "prevalence": Table(rows, (*(w.capitalize() for w in STATE_LABELS.values()), "Present of assessed", "Of all")),
        "response_summary": response_summary(study),
        "response_limits": LIMITS,
        "response_table": Table(response_rows(study, MAX_PATIENTS)),
        "associations": [],
        "curves": [],
        "outcome_note": "",
    }
    if statistics:
        from immunescape.report.profile_outcome import outcome_sections

        sections |= outcome_sections(study)
    return sections


def context(study: StudyTables, notice: str, statistics: bool = True) -> dict[str, Any]:
    """Everything that the template shows."""
    from immunescape.knowledge.strategies import load_strategies

    done = study.done
    n = len(study.patients)
    version = installed_version()
    cohort = n > 1
    capped = f"The first {MAX_PATIENTS} of {n} patients; profile.json contains all." if n > MAX_PATIENTS else ""
    values: dict[str, Any] = {
        "title": study.name,
        "lead": f"Biomarkers and calls of resistance mechanisms; {n} patient{'s' if n != 1 else ''}; "
        f"immunescape {version}, rules {done.calls.rules.version}.",
        "notice": notice,
        "plotly_js": plotly_script() if cohort else "",
        "cohort": cohort,
        "capped": capped,
        "labels": _labels(),
        "labels_note": _LABELS_NOTE,
        "reads": Table(
            [
                {"File": r.file, "Format": state_words(r.reader), "Rows": r.rows, "Kept": r.kept, "Left": r.left or "–"}
                for r in done.profile.reads
            ],
            ("Rows", "Kept"),
        ),
        "problems": list(done.profile.problems),
        "reference_notes": [_sentence(p) for p in done.profile.problems if p.startswith("expression:")],
        "rules": _rules(study),
        "rules_note": _RULES_NOTE,
        "tiers": Table([{"Grade": k, "Meaning": v} for k, v in load_strategies().tiers.items()]),
        "references": _references(study),
        "provenance": Table(
            [
                {"Item": "Version", "Value": f"immunescape {version}, Python {platform.python_version()}"},
                {"Item": "Rules", "Value": done.calls.rules.version},
                {"Item": "Strategies", "Value": load_strategies().version},
            ]
        ),
        "data_packed": packed(page_data(study, MAX_PATIENTS)),
    }
    return values | (_cohort(study, statistics) if cohort else {})


def _sentence(problem: str) -> str:
    text = problem.partition(": ")[2]
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def write_report(study: StudyTables, path: Path, notice: str, statistics: bool = True) -> Path:
    """Write the HTML report: one file, no network needed to read it."""
    return write_page(path, "profile.html", context(study, notice, statistics))
