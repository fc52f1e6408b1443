"""View 1: one virtual patient under two regimens side by side."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from htmltools import HTML, Tag, tags
from shiny import Inputs, Outputs, Session, reactive, render, ui

from immunescape.app.choices import FACTOR_STEPS, FACTORS, MONTHS, NUMBERS, WORDS, PatientChoice
from immunescape.app.patient_figures import (
    COLOURS,
    course_cards,
    further_outputs,
    outcome_rows,
    patient_rows,
    step_rows,
)
from immunescape.app.patient_run import Simulator
from immunescape.app.regimens import suggestions
from immunescape.app.views.parts import (
    choice_select,
    choose,
    downloads,
    error_box,
    figures_ui,
    joined,
    offer,
    render_cards,
    reproduce,
    slider,
    status_text,
    table_tag,
)
from immunescape.app.views.simulation import CourseFiles, Relief, Simulation
from immunescape.evaluation.mechanism_labels import explanation
from immunescape.knowledge.printed_units import printed_unit
from immunescape.trial.covariates import COVARIATES

__all__ = ["patient_server", "patient_ui"]

_DASHES = ("none", "7 4", "2 3", "8 3 2 3")
FIRST = PatientChoice()
FILES = {
    "p_csv": ("course.csv", "Courses, CSV"),
    "p_scans": ("scans.csv", "Scans, CSV"),
    "p_json": ("course.json", "JSON"),
    "p_png": ("course.png", "Picture, PNG"),
}


def patient_ui() -> Tag:
    """Controls on the left, courses on the right; below each other on a phone."""
    proposals = json.dumps(suggestions()).replace("<", "\\u003c")
    return tags.div(
        tags.p(
            "One virtual patient at diagnosis, drawn with the covariates that you set (the others correlated "
            "with them), simulated with the same random numbers under two regimens. One patient says nothing about a "
            "population.",
            class_="isc-lead",
        ),
        tags.div(_controls(), _results(), class_="isc-layout"),
        tags.script(HTML(proposals), type="application/json", id="isc-regimens"),
    )


def _controls() -> Tag:
    """Regimens, covariates and factors from day 0."""
    numbers = [
        slider(f"p_{n.name}", n.label, n.low, n.high, n.step, n.start, unit=printed_unit(n.unit), drawn=True)
        for n in NUMBERS
    ]
    words = [choice_select(f"p_{name}", label, COVARIATES[name].values) for name, label in WORDS.items()]
    factors = [slider(f"f_{f.name}", f.label, *FACTOR_STEPS, 0.5, 0, log2=True) for f in FACTORS]
    return tags.div(
        tags.h2("Patient and treatment"),
        _regimen("regimen_a", "Regimen A", FIRST.regimens[0]),
        _regimen("regimen_b", "Regimen B", FIRST.regimens[1]),
        tags.div(
            ui.input_numeric("p_months", "Months", int(FIRST.months), min=MONTHS[0], max=MONTHS[1], update_on="blur"),
            ui.input_numeric("p_seed", "Seed", FIRST.seed, min=0, step=1, update_on="blur"),
            class_="isc-pair",
        ),
        choose(
            "p_conduct",
            "Conduct",
            {"trial": "as in a trial: toxicity, progression, death", "planned": "every planned dose, model alone"},
        ),
        tags.div(
            ui.input_action_button("p_another", "Another patient", class_="btn-primary btn-sm"),
            tags.button(
                "Reset", type="button", class_="btn btn-outline-secondary btn-sm isc-reset", data_scope="p_box"
            ),
            class_="isc-buttons",
        ),
        tags.details(tags.summary("Covariates"), *numbers, open=""),
        tags.details(tags.summary("Drivers and history"), *words),
        tags.details(
            tags.summary("Immune state and tumour, from day 0"),
            tags.p(
                "Factors that multiply model parameters from the start of treatment on; the tumour is not regrown.",
                class_="isc-hint",
            ),
            *factors,
            open="",
        ),
        class_="isc-controls",
        id="p_box",
    )


def _results() -> Tag:
    """Places of what is shown of a simulation."""
    return tags.div(
        tags.h2("Course"),
        ui.output_ui("p_status"),
        ui.output_ui("p_error"),
        ui.output_ui("p_outcome"),
        figures_ui("p_figures"),
        tags.div(
            choose("p_more", "Show one more output", {"": "none"}),
            style="margin-top: 0.8rem",
        ),
        tags.h3("Limiting step of the cancer-immunity cycle", style="margin-top: 1rem"),
        tags.p(
            "Relieves one step after the other from day 0, with every planned dose; compares the tumour at month 6.",
            class_="isc-hint",
        ),
        ui.input_action_button("p_limit", "Which step is limiting?", class_="btn-outline-primary btn-sm"),
        ui.output_ui("p_steps"),
        ui.output_ui("p_patient"),
        downloads(FILES),
        ui.output_ui("p_code"),
    )


def _regimen(name: str, label: str, value: str) -> Tag:
    """A text field that proposes drugs and regimens while it is being typed."""
    return tags.div(
        tags.label(label, for_=name),
        tags.input(
            id=name,
            type="text",
            value=value,
            class_="shiny-input-text form-control isc-regimen",
            autocomplete="off",
            spellcheck="false",
            list=f"{name}-list",
            data_update_on="blur",
            aria_describedby=f"{name}-hint",
        ),
        tags.datalist(id=f"{name}-list"),
        tags.div(
            "Drugs, doses, intervals; + joins drugs; none: no treatment. Enter applies.",
            id=f"{name}-hint",
            class_="isc-hint",
        )
        if name.endswith("a")
        else tags.span("As above.", id=f"{name}-hint", class_="visually-hidden"),
        class_="form-group",
    )


def patient_server(input: Inputs, output: Outputs, session: Session, simulator: Simulator) -> None:
    """Simulate when something changes; the last change wins, and what was shown stays until then."""
    simulation = Simulation(simulator, lambda: _choice(input))
    relief = Relief(simulator, simulation.shown, input.p_limit)
    _fields(input, simulation)
    _course_outputs(input, simulation)
    _limiting_outputs(simulation, relief)
    files = CourseFiles(session, simulation.shown)
    for name, (path, _) in FILES.items():
        offer(output, files, name, path)


def _choice(input: Inputs) -> PatientChoice:
    """What the fields hold."""
    return PatientChoice.of(
        input.p_seed(),
        {name: input[f"p_{name}"]() for name in [*(n.name for n in NUMBERS), *WORDS]},
        {f.name: input[f"f_{f.name}"]() for f in FACTORS},
        (input.regimen_a(), input.regimen_b()),
        input.p_months(),
        input.p_conduct(),
    )


def _fields(input: Inputs, simulation: Simulation) -> None:
    """Fields that follow: the further outputs of what is shown, and the seed of another patient."""

    @reactive.effect
    def _outputs() -> None:
        shown = simulation.shown()
        if shown is None:
            return
        names = further_outputs(shown.courses)
        with reactive.isolate():
            selected = input.p_more() if input.p_more() in names else ""
        ui.update_select("p_more", choices={"": "none", **names}, selected=selected)

    @reactive.effect
    @reactive.event(input.p_another)
    def _another() -> None:
        ui.update_numeric("p_seed", value=int(input.p_seed() or 0) + 1)


def _course_outputs(input: Inputs, simulation: Simulation) -> None:
    """How far the simulation is, the courses, and the patient that was drawn."""

    @render.ui
    def p_status() -> Any:
        if simulation.status() == "running":
            return status_text(simulation.compiling() or "Simulating …")
        if simulation.status() == "error":
            return status_text("The simulation failed unexpectedly; the terminal says why.")
        return status_text("")

    @render.ui
    def p_error() -> Any:
        return error_box(simulation.problem())

    @render.ui
    def p_outcome() -> Any:
        shown = simulation.shown()
        if shown is None:
            return None
        items = [
            tags.li(_swatch(k), tags.strong(row["Regimen"]), tags.br(), row["What happens"])
            for k, row in enumerate(outcome_rows(shown.courses))
        ]
        return tags.ul(*items, class_="isc-legend")

    @render_cards
    def p_figures() -> Any:
        shown = simulation.shown()
        if shown is None:
            return []
        more = input.p_more()
        return course_cards(shown.courses, [more] if more else [])

    @render.ui
    def p_patient() -> Any:
        shown = simulation.shown()
        if shown is None:
            return None
        patient = shown.courses[0].patient
        return tags.details(
            tags.summary("The patient that was drawn"),
            table_tag(patient_rows(shown.courses), f"Patient {patient.number} of seed {patient.seed}"),
            class_="isc-block",
        )


def _limiting_outputs(simulation: Simulation, relief: Relief) -> None:
    """Limiting steps, and the code that reproduces what is shown, with them where they were asked for."""

    @render.ui
    def p_steps() -> Any:
        limiting, text = relief.steps()
        if relief.running():
            return status_text("Relieving each step …")
        if limiting is None:
            return error_box(text)
        names = [f"{'ABCDEFGH'[k]}: {step.sentence}" for k, step in enumerate(limiting)]
        rows = step_rows(limiting)
        caption = "How much smaller the tumour is at month 6 with the step relieved"
        hint = tags.p(explanation(), class_="isc-hint")
        return joined(tags.ul(*[tags.li(t) for t in names]), table_tag(rows, caption, list(rows[0])[3:]), hint)

    @render.ui
    def p_code() -> Any:
        shown = simulation.shown()
        if shown is None:
            return None
        asked = replace(shown.choice, limiting=relief.steps()[0] is not None)
        return joined(reproduce(asked.python(), asked.command()))


def _swatch(k: int) -> Tag:
    """A piece of the line of course `k`: its colour and its dashes."""
    place: dict[str, str | float | bool | HTML | None] = {"x1": "0", "y1": "5", "x2": "34", "y2": "5"}
    line = Tag("line", place, stroke=COLOURS[k], stroke_width=3, stroke_dasharray=_DASHES[k])
    return tags.svg(line, width=34, height=10, aria_hidden="true")
