"""View 4: a trial design, its main assumptions as sliders, its operating characteristics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from htmltools import Tag, tags
from shiny import Inputs, Outputs, Session, reactive, render, ui

from immunescape.app.design_text import assumptions, design_code, library_text, with_values
from immunescape.app.jobs import Jobs
from immunescape.app.views.outcome import outcome_server
from immunescape.app.views.parts import choose, joined, slider
from immunescape.app.views.protocol import code_of_file, protocol_page, protocol_server, run_inputs, yaml_input
from immunescape.app.views.running import Running

if TYPE_CHECKING:
    from immunescape.app.serve import UsageLimits

__all__ = ["design_server", "design_ui"]

FIRST = "pdl1-enrichment"
FILES = {
    "d_json": ("run/design.json", "Result, JSON"),
    "d_html": ("run/report.html", "Report, HTML"),
    "d_yaml": ("run/design.yaml", "Design, YAML"),
    "d_script": ("run/reproduce.py", "Script, Python"),
}


def design_ui(limits: UsageLimits) -> Tag:
    """Assumptions on the left, operating characteristics on the right."""
    from immunescape.api.designs import designs_table

    names = {row["name"]: f"{row['name']}: {row['kind']}" for row in designs_table()}
    controls = [
        choose("d_name", "Included design", {**names, "": "a commented template"}, FIRST),
        tags.details(tags.summary("Assumptions"), ui.output_ui("d_sliders"), open=""),
        yaml_input("d_text", "Design", "Design", library_text(FIRST), update_on="blur"),
        slider("d_replicates", "Simulated trials per scenario", 50, limits.replicates, 50, 200),
        *run_inputs("d", "Simulate the design"),
    ]
    lead = (
        "Power, type I error, expected size and duration of a design under its scenarios and under the null. A few "
        "hundred simulated trials show power to about ± 5 points and say little about a type I error of 2.5 %: for "
        "that run thousands from the command line."
    )
    return protocol_page("d", lead, "Design", controls, "Operating characteristics")


def design_server(input: Inputs, output: Outputs, session: Session, jobs: Jobs, limits: UsageLimits) -> None:
    """Simulate what text and sliders say in a process of its own."""
    run = Running(session, jobs, "steps")

    def text_of(name: str) -> str:
        from immunescape.design.loading import design_template

        return library_text(name) if name else design_template()

    @reactive.calc
    def described() -> Any:
        return assumptions(input.d_text() or "")

    def whole_text() -> str:
        values = {}
        for index, item in enumerate(described()):
            name = f"d_a{index}"
            if name in input and input[name]() is not None:
                values[item.key] = float(input[name]())
        return with_values(input.d_text() or "", values)

    @render.ui
    def d_sliders() -> Any:
        items = described()
        if not items:
            return tags.p("The text names no assumption that a slider could change.", class_="isc-hint")
        return joined(
            *[slider(f"d_a{i}", a.label, a.low, a.high, a.step, a.value, unit=a.unit) for i, a in enumerate(items)],
            tags.p("As in the design until moved; the export has the YAML with the values.", class_="isc-hint"),
        )

    protocol_server(
        input,
        run,
        "d",
        text_of=text_of,
        count="replicates",
        limits=(50, limits.replicates),
        task="design",
        text=whole_text,
    )
    outcome_server(
        output,
        run,
        "d",
        files=FILES,
        began="Planning the design; a virtual population is simulated first where the design names one …",
        hint=tags.p("Change assumptions, then simulate.", class_="isc-hint"),
        head=_head,
        code=_code,
    )


def _head(result: Mapping[str, Any], asked: Mapping[str, Any]) -> Tag:
    return tags.p(
        tags.strong(result["title"]), f" {asked['replicates']} simulated trials per scenario, seed {asked['seed']}."
    )


def _code(asked: Mapping[str, Any]) -> Tag:
    python, command = design_code(asked["name"], asked["text"], asked["replicates"], asked["seed"])
    return code_of_file(python, command, "design.yaml")
