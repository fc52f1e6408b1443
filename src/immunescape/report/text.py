"""What a terminal and a notebook show of a trial and its result."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from immunescape.report.reference_pages import claims_about, uses_of_biomarker
from immunescape.report.tables import Table, comparison_table, flow_table, protocol_table, results_table

if TYPE_CHECKING:
    from immunescape.profile.biomarkers import Biomarker
    from immunescape.trial.result import TrialResult
    from immunescape.trial.spec import Trial

__all__ = [
    "biomarker_facts",
    "crossover_shortfalls",
    "print_biomarker",
    "print_claims",
    "print_result",
    "print_trial",
    "result_html",
]

SHORTFALL_POINTS = 2.0
"""A crossover that is so many points below the protocol's is told."""


def _print(title: str, table: Table) -> None:
    from immunescape.console import print_table

    print_table(title, table.rows)
    print()


def print_result(result: TrialResult, notice: str) -> None:
    """Print predicted beside published results of a virtual trial."""
    print(f"\n{result.trial.title}\nseed {result.seed}, engine {result.engine}, {result.wall_s:.0f} s\n")
    _print("Predicted beside published", results_table(result))
    if result.comparison:
        c = result.comparison
        _print(f"{c['experimental']} versus {c['control']} ({c['method']})", comparison_table(result))
    _print("From candidates to enrolled patients", flow_table(result))
    for line in crossover_shortfalls(result):
        print(line)
    failed = sum(arm["failed"] for arm in result.arms)
    print(f"Patients whose simulation failed: {failed} (counted, not enrolled)")
    print(notice)


def crossover_shortfalls(result: TrialResult) -> list[str]:
    """A line for each arm with fewer crossovers than in the protocol, as too few patients had progressed alive."""
    lines = []
    for arm in result.arms:
        asked, given = arm.get("crossover_asked_pct"), arm["crossover_pct"]
        if asked is not None and given is not None and given < asked - SHORTFALL_POINTS:
            lines.append(
                f"{arm['name']}: {given:.0f} % crossed over instead of {asked:.0f} % as in the protocol, because no "
                "further patients had progressed and were alive at the start of the next line."
            )
    return lines


def print_trial(trial: Trial) -> None:
    """Print the protocol of a trial and its published results."""
    _print(trial.title, protocol_table(trial))
    if trial.description:
        print(trial.description)
    if trial.published:
        from immunescape.console import print_table

        block = trial.published.as_result()
        print_table("Published", [{k: "" if v is None else v for k, v in arm.items()} for arm in block["arms"]])
    from immunescape.knowledge.references import format_reference, get_reference, load_references

    references, where = load_references(), trial.file or trial.name
    print("\n".join(f"[{k}] {format_reference(get_reference(k, references, where))}" for k in trial.references))


def result_html(result: TrialResult, notice: str) -> str:
    """HTML of a result for a notebook."""
    blocks = [f"<h4>{escape(result.trial.title)}</h4>"]
    for table in (results_table(result), comparison_table(result)):
        head = "".join(f"<th>{escape(c)}</th>" for c in table.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(str(v))}</td>" for v in row.values()) + "</tr>" for row in table.rows
        )
        blocks.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    return "".join(blocks) + f"<p><i>{escape(notice)}</i></p>"


def biomarker_facts(biomarker: Biomarker) -> dict[str, Any]:
    """What a biomarker is and what reads it, as plain data."""
    uses = uses_of_biomarker(biomarker.name)
    return {
        "name": biomarker.name,
        "title": biomarker.title,
        "family": biomarker.family,
        "unit": biomarker.unit,
        "definition": biomarker.definition,
        "words": list(biomarker.words),
        "thresholds": biomarker.thresholds,
        "needs": list(biomarker.needs),
        "limits": biomarker.limits,
        "resistance_mechanisms": uses["calls"],
        "virtual_patient": uses["virtual_patient"],
        "references": list(biomarker.references),
    }


def print_biomarker(biomarker: Biomarker) -> None:
    """Print one biomarker: definition, unit, thresholds, what it needs, what reads it, references."""
    from immunescape.knowledge.references import format_reference, get_reference

    facts = biomarker_facts(biomarker)
    print(f"{biomarker.title}\n{'=' * len(biomarker.title)}\n{biomarker.definition}\n")
    for label in ("name", "family", "unit", "words", "thresholds", "needs", "limits"):
        value = facts[label]
        if value:
            print(f"{label}: {', '.join(value) if isinstance(value, list) else value}")
    for title, key in (
        ("Resistance mechanisms that it is used to call", "resistance_mechanisms"),
        ("What it implies for a virtual patient", "virtual_patient"),
    ):
        if facts[key]:
            print(f"\n{title}\n" + "\n".join(f"  {line}" for line in facts[key]))
    if biomarker.references:
        where = f"biomarker '{biomarker.name}'"
        cited = [(k, get_reference(k, where=where)) for k in biomarker.references]
        print("\nReferences\n" + "\n".join(f"  [{k}] {format_reference(entry)}" for k, entry in cited))


def print_claims(name: str) -> None:
    """Print the claims that concern a mechanism or drug."""
    claims = claims_about(name)
    if claims:
        print("Claims (`immunescape claims --only ID` simulates one)")
        print("\n".join(f"  {c.id}: {c.text}" for c in claims) + "\n")
