"""View 4: a trial design, its main assumptions as sliders, its operating characteristics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from htmltools import Tag, tags
from shiny import Inputs, Outputs, Session, reactive, render, ui

from immunescape.app.design_text import assumptions, design_code, library_text, with_values
from immunescape.app.jobs import Jobs
from immunescape.app.views.outcome import outcome_server, outcome_ui
from immunescape.app.views.parts import choose, joined, reproduce, slider
from immunescape.app.views.running import Running, run_buttons

if TYPE_CHECKING:
    from immunescape.app.serve import Limits

__all__ = ["design_server", "design_ui"]

FIRST = "pdl1-enrichment"
FILES = {
    "d_json": ("run/design.json", "Result, JSON"),
    "d_html": ("run/report.html", "Report, HTML"),
    "d_yaml": ("run/design.yaml", "Design, YAML"),
    "d_script": ("run/reproduce.py", "Script, Python"),
}


def design_ui(limits: Limits) -> Tag:
    """Assumptions on the left, operating characteristics on the right."""
    from immunescape.api.designs import designs_table

    names = {row["name"]: f"{row['name']}: {row['kind']}" for row in designs_table()}
    controls = tags.div(
        tags.h2("Design"),
        choose("d_name", "Included design", {**names, "": "a commented template"}, FIRST),
        tags.details(tags.summary("Assumptions"), ui.output_ui("d_sliders"), open=""),
        tags.details(
            tags.summary("Design as YAML: edit, or paste your own"),
            ui.input_text_area(
                "d_text",
                "Design as YAML",
                library_text(FIRST),
                rows=18,
                spellcheck="false",
                width="100%",
                update_on="blur",
            ),
        ),
        slider("d_replicates", "Simulated trials per scenario", 50, limits.replicates, 50, 200),
        ui.input_numeric("d_seed", "Seed", 1, min=0, step=1),
        run_buttons("d", "Simulate the design"),
        class_="isc-controls",
    )
    results = tags.div(tags.h2("Operating characteristics"), *outcome_ui("d"))
    return tags.div(
        tags.p(
            "Power, type I error, expected size and duration of a design under its scenarios and under the null. A few "
            "hundred simulated trials show power to about ± 5 points and say little about a type I error of 2.5 %: for "
            "that run thousands from the command line.",
            class_="isc-lead",
        ),
        tags.div(controls, results, class_="isc-layout"),
    )


def design_server(input: Inputs, output: Outputs, session: Session, jobs: Jobs, limits: Limits) -> None:
    """Simulate what text and sliders say in a process of its own."""
    run = Running(session, jobs, "steps")

    @reactive.effect
    @reactive.event(input.d_name, ignore_init=True)
    def _choose() -> None:
        from immunescape.design.loading import design_template

        name = input.d_name()
        ui.update_text_area("d_text", value=library_text(name) if name else design_template())

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

    @reactive.effect
    @reactive.event(input.d_run)
    def _run() -> None:
        seed = input.d_seed()
        if seed is None or seed < 0 or seed != int(seed):
            run.refused.set("The seed is not a whole number from 0 on.")
            return
        replicates = min(max(int(input.d_replicates() or 50), 1), limits.replicates)  # whatever a page sends
        request: Mapping[str, Any] = {
            "text": whole_text(),
            "name": input.d_name() or "",
            "replicates": replicates,
            "seed": int(seed),
        }
        run.start("design", request)

    @reactive.effect
    @reactive.event(input.d_cancel)
    def _cancel() -> None:
        run.cancel()

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
    more = [] if "design.yaml" not in command else [tags.p("design.yaml is the export above.", class_="isc-hint")]
    return reproduce(python, command, more)
