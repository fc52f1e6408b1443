"""View 2: a virtual trial of the library, or of pasted YAML, beside what was published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from htmltools import Tag, tags
from shiny import Inputs, Outputs, Session

from immunescape.app.jobs import Jobs
from immunescape.app.trial_text import library_text, trial_code
from immunescape.app.views.outcome import outcome_server, tables_of
from immunescape.app.views.parts import choose, slider
from immunescape.app.views.protocol import code_of_file, protocol_page, protocol_server, run_inputs, yaml_input
from immunescape.app.views.running import Running

__all__ = ["trial_server", "trial_ui"]

FIRST = "keynote-024"
FILES = {
    "t_json": ("run/result.json", "Result, JSON"),
    "t_csv": ("run/patients.csv", "Patients, CSV"),
    "t_png": ("run/survival.png", "Survival, PNG"),
    "t_html": ("run/report.html", "Report, HTML"),
    "t_yaml": ("run/trial.yaml", "Trial, YAML"),
}


def trial_ui(most_patients: int) -> Tag:
    """Controls on the left, results on the right."""
    from immunescape.api.trials import trials_table

    names = {row["name"]: f"{row['name']}: {row['arms']}" for row in trials_table()}
    controls = [
        choose("t_name", "Included trial", {**names, "": "a commented template"}, FIRST),
        yaml_input("t_text", "Trial", "Protocol", library_text(FIRST)),
        slider("t_patients", "Virtual patients per arm", 10, most_patients, 5, 20),
        *run_inputs("t", "Run the trial"),
    ]
    lead = (
        "Virtual patients are drawn by the protocol's criteria, treated, scanned and followed as it says. "
        f"With {most_patients} or fewer per arm intervals are wide; the command line runs more."
    )
    return protocol_page("t", lead, "Trial", controls, "Predicted beside published")


def trial_server(input: Inputs, output: Outputs, session: Session, jobs: Jobs, most_patients: int) -> None:
    """Run what the text says in a process of its own."""
    run = Running(session, jobs, "virtual patients")

    def text_of(name: str) -> str:
        from immunescape.trial.loading import trial_template

        return library_text(name) if name else trial_template()

    protocol_server(input, run, "t", text_of=text_of, count="patients", limits=(10, most_patients), task="trial")
    outcome_server(
        output,
        run,
        "t",
        files=FILES,
        began="Reading the trial and preparing the model: up to half a minute for drugs that are new …",
        hint=tags.p("Choose a trial and run it.", class_="isc-hint"),
        head=_head,
        code=_code,
        tables=lambda result: [
            *tables_of({"tables": [t for t in result["tables"] if t["rows"]]}),
            tags.p("A dash: not published, or not applicable.", class_="isc-hint"),
        ],
    )


def _head(result: Mapping[str, Any], asked: Mapping[str, Any]) -> Tag:
    return tags.p(
        tags.strong(result["title"]),
        f" {asked['patients']} per arm, seed {asked['seed']}, {result['seconds']:.0f} s. {result['note']}",
    )


def _code(asked: Mapping[str, Any]) -> Tag:
    python, command = trial_code(asked["name"], asked["text"], asked["patients"], asked["seed"])
    return code_of_file(python, command, "trial.yaml")
