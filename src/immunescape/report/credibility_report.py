"""The credibility assessment as a document: HTML and Markdown of the same sections, and JSON."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.console import markdown_table
from immunescape.evaluation.credibility import ablation_rows
from immunescape.evaluation.harness.corrections import CORRECTED
from immunescape.evaluation.mechanism_labels import mechanism_labels, outdated_text
from immunescape.evaluation.scoreboard import RIVAL_TEXT, roles
from immunescape.report.scoreboard_report import ENDPOINT_TEXT, interval_sentence, scores_table, value_with_interval
from immunescape.report.tables import Table, number
from immunescape.report.writing import write_page

if TYPE_CHECKING:
    from immunescape.evaluation.credibility import Credibility

__all__ = ["credibility_markdown", "credibility_sections", "write_credibility"]

_MET = {True: "met", False: "not met", None: "could not be judged"}
_NOT_STATED = "Not stated by the author of this assessment."


Section = tuple[str, str, list[tuple[str, Table]]]
"""Title, text, tables with captions."""


def credibility_sections(made: Credibility) -> list[Section]:
    """Sections of the document: title, text, tables with captions."""
    sections = (
        _conclusion,
        _planning,
        _verification,
        _validation,
        _uncertainty,
        _sensitivity,
        _ablation,
        _applicability,
        _not_analysed,
        _provenance,
    )
    return [section(made) for section in sections]


def _conclusion(made: Credibility) -> Section:
    unmet = [c.name for c in made.required if not c.met]
    verdict = (
        "Every criterion required at this model risk is met."
        if made.sufficient
        else f"Not sufficient for the stated context of use: {'; '.join(unmet)}."
    )
    fitted = roles().get(made.trial.name, ("", ""))[0] == "calibration"
    text = (
        f"{verdict} The criteria and their thresholds are fixed in the software before any simulation is run;"
        " the thresholds are conventions of this project, not of a guideline."
        + fitted
        * " The trial assessed here was used in the fit: its own figures are no prediction."
    )
    criteria = [
        {
            "Criterion": c.name,
            "Judgement": _MET[c.met],
            "Required at this risk": "yes" if c in made.required else "no",
            "Result": c.figure,
            "Requirement": c.requirement,
        }
        for c in made.criteria
    ]
    return "Conclusion", text, [("", Table(criteria))]


def _planning(made: Credibility) -> Section:
    purpose, trial, cast = made.purpose, made.trial, made.forecast
    primary = ", ".join(end.upper() for end in trial.endpoints.primary)
    question = f"{_NOT_STATED} Assumed: what will '{trial.title}' show in {primary}?"
    context = (
        f"{_NOT_STATED} Assumed: simulation of {cast.patients * len(cast.seeds)} virtual patients per arm as one source"
        " of information in research; no decision on a patient."
    )
    unstated = "; high if either is not stated" if None in (purpose.influence, purpose.consequence) else ""
    statements = {
        "Question of interest": purpose.question or question,
        "Context of use": purpose.context or context,
        "Model influence": purpose.influence or _NOT_STATED,
        "Consequence of a wrong decision": purpose.consequence or _NOT_STATED,
        "Model risk": f"{purpose.risk} (the higher of influence and consequence{unstated})",
    }
    planning = [{"Item": item, "Statement": statement} for item, statement in statements.items()]
    protocol = [{"Arm": arm.name, "Role": arm.role, "Patients": arm.n, "Treatment": arm.regimen} for arm in trial.arms]
    return "Planning", "", [("", Table(planning)), ("Protocol", Table(protocol, ("Patients",)))]


def _verification(made: Credibility) -> Section:
    checked = made.verification
    text = (
        f"The reference patient on '{checked.regimen}' over 180 days: the largest relative difference in tumour volume"
        f" between {checked.engine}, with the settings used for trials, and {checked.oracle}, is {checked.error:.1e}."
        f" Failed simulations: {made.forecast.failed}. Tests of the engine against SBML test cases and two other"
        " solvers are described in the documentation."
    )
    return "Verification", text, []


def _validation(made: Credibility) -> Section:
    text = (
        "Trials with published results. Calibration trials were used in the fit; validation trials were not."
        f" {interval_sentence()}"
    )
    by_role = [
        (title, scores_table([s for s in made.scores if s.role == role]))
        for role, title in (("calibration", "Calibration trials"), ("validation", "Validation trials"))
        if any(s.role == role for s in made.scores)
    ]
    return "Validation", text, [*by_role, ("Errors beside naive baselines", _skill(made))]


def _uncertainty(made: Credibility) -> Section:
    cast = made.forecast
    text = (
        f"{cast.patients} virtual patients per arm with each of the seeds {', '.join(map(str, cast.seeds))}."
        f" {interval_sentence('planned')} Assumed strengths of mechanisms do not vary."
    )
    if any(f.unshrunk is not None for f in cast.figures):
        text += f" Hazard ratios are {CORRECTED}"
    figures = []
    for f in cast.figures:
        title, digits = ENDPOINT_TEXT[f.endpoint]
        figures.append(
            {
                "Arm": f.arm,
                "Endpoint": title,
                "Predicted (95 % at the planned size)": value_with_interval(f.value, f.low, f.high, digits),
                "Model alone": number(f.unshrunk, 2),
                "Monte Carlo error": number(f.monte_carlo_se, 3),
                "n simulated": f.simulated,
                "n planned": f.planned,
            }
        )
    success = [{"Primary endpoint": end, "Probability": f"{p:.2f}"} for end, p in cast.success.items()]
    baselines = [
        {
            "Hazard ratio": end.replace("_hr", "").upper(),
            **{RIVAL_TEXT.get(k, k): f"{v:.2f}" for k, v in values.items()},
        }
        for end, values in cast.baselines.items()
    ]
    tables = [
        ("", Table(figures, ("n simulated", "n planned"))),
        ("Probability of success", Table(success)),
        ("Naive baselines", Table(baselines)),
    ]
    return "Uncertainty", text, tables


def _sensitivity(made: Credibility) -> Section:
    analysis = made.sensitivity
    if analysis is None:
        text = "Not analysed: the trial's patients had prior lines of treatment."
    else:
        text = (
            f"Elementary effects (Morris) on response in arm '{analysis.arm}', {analysis.points} points;"
            " the ten most influential parameters and the sources of their values."
        )
    return "Sensitivity", text, [("", Table(list(made.influential)))]


def _ablation(made: Credibility) -> Section:
    return "Ablation", _ablation_text(), [("", Table(list(ablation_rows(made.trial))))]


def _applicability(made: Credibility) -> Section:
    tables = [("Population", Table(list(made.setting))), ("Drugs", Table(list(made.drugs)))]
    return "Applicability", "Whether the calibration is informative about this trial.", tables


def _provenance(made: Credibility) -> Section:
    cast = made.forecast
    text = (
        f"Model {cast.digest}, immunescape {cast.version}, {datetime.date.today().isoformat()}. References: ICH M15,"
        " General principles for model-informed drug development; ASME V&V 40, Assessing credibility of computational"
        " modeling through verification and validation."
    )
    return "Provenance", text, []


def _ablation_text() -> str:
    """On what the labels of mechanisms rest: an ablation with the numbers of this model, with others, or none."""
    labels = mechanism_labels().values()
    text = (
        "Mechanisms were switched off one at a time and left-out trials and patients' data predicted without them"
        " (immunescape ablate); those tested by claims only or by nothing have no support from data here, and a drug"
        " that acts through no others is an extrapolation."
    )
    if not labels:
        return f"{text} No ablation has been recorded."
    newest = max(labels, key=lambda label: label.date)
    numbers = f"the parameters and fit of this model (numbers {newest.numbers[:12]})"
    return (
        f"{text} The ablation was not repeated for this assessment: it dates from {newest.date}, with"
        f" {newest.patients} patients per arm and {newest.seeds} seeds. {outdated_text() or f'It used {numbers}.'}"
    )


def _not_analysed(made: Credibility) -> Section:
    """What an assessment of this kind could contain, and this one does not."""
    missing = [
        "joint variation of all assumed values (immunescape ensemble)",
        "forecasts for single held-out patients (immunescape judge)",
        "claims of the literature (immunescape claims)",
        "interim analyses, and significance levels other than 5 %, of the protocol",
        "review by anyone independent of the authors of model and software",
    ]
    fixed = "sensitivity to parameters that do not differ between patients (immunescape sensitivity --method each)"
    missing.insert(0, "sensitivity" if made.sensitivity is None else fixed)
    return "Not analysed", f"Not part of this assessment: {'; '.join(missing)}.", []


def _skill(made: Credibility) -> Table:
    rows: list[dict[str, Any]] = []
    for role, record in made.summary.items():
        for end in ("pfs", "os"):
            figures = record.get(end, {})
            row = {
                "Role": role,
                "Hazard ratios of": end.upper(),
                "n": figures.get("hr_figures", 0),
                "Median absolute error of ln HR": number(figures.get("hr_median_abs_log_error"), 2),
                "Interval score": number(figures.get("hr_interval_score"), 2),
            }
            for name, baseline in figures.get("rivals", {}).items():
                row[f"Interval score, {RIVAL_TEXT[name]}"] = number(baseline.get("hr_interval_score"), 2)
            rows.append(row)
    return Table(rows, ("n",))


def credibility_markdown(made: Credibility, notice: str) -> str:
    """The document as Markdown."""
    lines = [f"# Credibility assessment: {made.trial.title}", "", notice, ""]
    for title, text, tables in credibility_sections(made):
        lines += [f"## {title}", ""] + ([text, ""] if text else [])
        for caption, table in tables:
            if caption:
                lines += [f"### {caption}", ""]
            if not table.rows:
                lines += ["None.", ""]
                continue
            rows = [[str(row[c]).replace("|", "\\|").replace("\n", " ") for c in table.columns] for row in table.rows]
            lines += markdown_table(table.columns, rows)
    return "\n".join(lines)


def write_credibility(made: Credibility, folder: Path, notice: str) -> list[Path]:
    """Write ``credibility.html``, ``credibility.md`` and ``credibility.json`` into a folder; return their paths."""
    from immunescape.report.files import write_whole

    content = {
        "title": f"Credibility assessment: {made.trial.title}",
        "notice": notice,
        "sections": [(title.lower(), title, text, tables) for title, text, tables in credibility_sections(made)],
    }
    page = write_page(folder / "credibility.html", "credibility.html", content)
    markdown, data = folder / "credibility.md", folder / "credibility.json"
    write_whole(markdown, credibility_markdown(made, notice).encode())
    write_whole(data, json.dumps(made.to_json(), indent=1, default=str).encode())
    return [page, markdown, data]
