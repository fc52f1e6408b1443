"""A patient's profile as tables: calls with their evidence, groups, probabilities, scores, what was read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.app.uploads import Bounds, gather
from immunescape.model.drugs._titles import sentence_case

if TYPE_CHECKING:
    from immunescape.api.profiles import ProfiledStudy
    from immunescape.knowledge.profile_records import PatientProfile

__all__ = ["patient_card", "profile_code", "run_profile_task"]

STATES = {"present": "present", "conflicting": "conflicting", "absent": "absent", "not_assessable": "not assessable"}
MOST_PATIENTS = 300
"""Patients of a study that the app shows one by one; profile.json holds all."""


def run_profile_task(request: Mapping[str, Any], folder: Path, progress: Any) -> dict[str, Any]:
    """Profile a study; writes ``run/`` (as `immunescape profile` does) and one card for each patient.

    Parameters
    ----------
    request
        ``sent``: (name, path) of what a user sent, which is moved away; empty: the example that ships.
        ``bounds``: fields of `immunescape.app.uploads.Bounds`.
    folder
        Folder of the job. The files stay in ``sent/``, for the twins, until it is deleted; those that cannot be read
        are deleted at once.
    progress
        Not called: how long a study takes is not known before.
    """
    import json
    import shutil

    from immunescape.api.profiles import profile_study
    from immunescape.profile.loading import example_folder

    sent = [(str(name), Path(path)) for name, path in request.get("sent") or ()]
    place = folder / "sent"
    try:
        root = example_folder()
        if sent:
            place.mkdir()
            root = gather(sent, place, Bounds(**request["bounds"]))
        study = profile_study(root)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    finally:
        for _, path in sent:
            path.unlink(missing_ok=True)
    study.save(folder / "run")
    study.calls.to_csv(folder / "run" / "calls.csv")
    study.biomarkers.to_csv(folder / "run" / "biomarkers.csv")
    cards = folder / "cards"
    cards.mkdir()
    names = list(study.patients)[:MOST_PATIENTS]
    for index, name in enumerate(names):
        text = json.dumps(patient_card(study, name), allow_nan=False)
        (cards / f"{index}.json").write_text(text, encoding="utf-8")
    reads = study.done.profile.reads
    return {
        "study": study.name,
        "folder": str(root.relative_to(folder)) if sent else "",
        "patients": names,
        "number": len(study.patients),
        "reads": [{"File": r.file, "Rows": str(r.rows), "Kept": str(r.kept), "Left": str(r.left)} for r in reads],
        "problems": [str(problem) for problem in study.done.profile.problems],
    }


def patient_card(study: ProfiledStudy, patient: str) -> dict[str, Any]:
    """Everything that the card of one patient shows, as plain rows of text."""
    from immunescape.report.response_text import LIMITS, contribution_rows, missing_text, probability_rows

    p = study.patients[patient]
    return {
        "patient": patient,
        "facts": [
            {"": "Guideline group", " ": p.stratum.title + (f" ({p.stratum.caveat})" if p.stratum.caveat else "")},
            {"": "Resistance (SITC definitions)", " ": f"{p.resistance.kind.replace('_', ' ')} ({p.resistance.why})"},
            {"": "Samples", " ": ", ".join(p.samples) or "none"},
        ],
        "calls": _call_rows(study, p),
        "silent": _silent(study, p),
        "setting": p.response.setting,
        "probabilities": [_capital(row) for row in probability_rows(p.response)],
        "contributions": [_capital(row) for row in contribution_rows(p.response, 8)],
        "missing": missing_text(p.response) or "nothing",
        "limits": LIMITS,
        "scores": _score_rows(p),
        "biomarkers": _biomarker_rows(p),
        "strategies": _strategy_rows(study, p),
    }


def _capital(row: Mapping[str, str]) -> dict[str, str]:
    return {sentence_case(key): str(value) for key, value in row.items()}


def _call_rows(study: ProfiledStudy, p: PatientProfile) -> list[dict[str, str]]:
    """Calls that could be made: present first; each with what speaks for and against it, and its sources."""
    from immunescape.report.call_text import evidence_lines

    rules = study.done.calls.rules.mechanisms
    order = list(STATES)
    rows = []
    for call in sorted(p.calls.values(), key=lambda c: order.index(c.state)):
        if call.state == "not_assessable":
            continue
        evidence = [f"{line.noted} ({'; '.join(line.comparisons)})" for line in evidence_lines(call)]
        measured = "" if call.coverage is None else f"{100 * call.coverage:.0f} %"
        rows.append(
            {
                "Mechanism": rules[call.mechanism].title,
                "Call": STATES[call.state],
                "Evidence": "; ".join(evidence) or "–",
                "Measured of the rule": measured,
                "Sources": ", ".join(call.citation) or "–",
            }
        )
    return rows


def _silent(study: ProfiledStudy, p: PatientProfile) -> list[dict[str, str]]:
    from immunescape.report.call_text import missing_lines

    rules = study.done.calls.rules.mechanisms
    rows = []
    for call in p.calls.values():
        if call.state == "not_assessable":
            why = "; ".join(missing_lines(call))
            rows.append({"Mechanism": rules[call.mechanism].title, "Why": why or "not measured"})
    return rows


def _score_rows(p: PatientProfile) -> list[dict[str, str]]:
    return [
        {
            "Score": s.title,
            "Value": "–" if s.value is None else f"{s.value:.3g}" if isinstance(s.value, float) else str(s.value),
            "Reading": s.reading or "–",
            "Note": str(s.note if s.value is None else s.rule),
        }
        for s in p.scores
    ]


def _biomarker_rows(p: PatientProfile) -> list[dict[str, str]]:
    from immunescape.profile.biomarkers.words import measurement_title, value_words

    return [
        {"Biomarker": measurement_title(name), "Value": value_words(m), "Source": "; ".join(m.source[:2])}
        for name, m in p.biomarkers.items()
        if m.value is not None
    ]


def _strategy_rows(study: ProfiledStudy, p: PatientProfile) -> list[dict[str, str]]:
    titles = {name: rule.title for name, rule in study.done.calls.rules.mechanisms.items()}
    return [
        {
            "Strategy": o.title,
            "Evidence": str(o.tier),
            "Because of": "; ".join(titles[m] for m in o.because),
            "Against it": "; ".join(titles[m] for m in o.against) or "–",
            "Line and history": "; ".join(o.cautions) or "–",
            "Negative trials": ", ".join(t.name for t in o.trials if t.result == "negative") or "–",
        }
        for o in p.options
    ]


def profile_code(example: bool, patient: str) -> tuple[str, str]:
    """Python and command line that profile the same files: the example that ships, or a folder of the user."""
    import shlex

    if example:
        start = (
            "import immunescape\nfrom immunescape.profile.loading import example_folder\n\n"
            "study = immunescape.profile_study(example_folder())"
        )
        words = ["immunescape", "profile", "--example"]
    else:
        start = 'import immunescape\n\nstudy = immunescape.profile_study("FOLDER")  # the folder of your files'
        words = ["immunescape", "profile", "FOLDER"]
    python = f'{start}\nstudy.show({patient!r})\nstudy.calls.loc[{patient!r}]\nstudy.save("profile")'
    return python, shlex.join([*words, "--out", "profile"])
