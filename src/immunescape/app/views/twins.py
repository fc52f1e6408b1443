"""View 3, second half: twins of the patient whose card is shown, and the regimens of the setting ranked on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from htmltools import Tag, tags
from shiny import Inputs, Outputs, Session, reactive, render, ui

from immunescape.app.jobs import Jobs
from immunescape.app.twin_cards import OPTIONS, WEIGHTS, twin_code
from immunescape.app.views.outcome import outcome_server, outcome_ui, tables_of
from immunescape.app.views.parts import joined, reproduce, slider, table_tag
from immunescape.app.views.running import Running, run_buttons

__all__ = ["twins_server", "twins_ui"]

TWIN_FILES = {
    "w_json": ("run/twins.json", "Twins, JSON"),
    "w_csv": ("run/twins.csv", "Twins, CSV"),
    "w_html": ("run/twins.html", "Report, HTML"),
}
RANK_FILES = {
    "k_json": ("run/ranking.json", "Ranking, JSON"),
    "k_csv": ("run/options.csv", "Options, CSV"),
    "k_html": ("run/ranking.html", "Report, HTML"),
}
_BEGAN = "Reading the patient and drawing twins: up to a minute before the first are counted …"
_LABELS = {"survival": "Overall survival", "progression_free": "Progression-free survival", "toxicity": "Toxicity"}
_SAMPLE = "- {name: my regimen, regimen: docetaxel 75 mg/m2 every 3 weeks, reason: none of the above is at hand}"


def twins_ui(most_twins: int) -> Tag:
    """Controls on the left, forecast and ranking on the right."""
    from immunescape.twins.ranking import MARGIN
    from immunescape.twins.ranking import WEIGHTS as usual

    weights = [slider(f"k_{name}", f"{_LABELS[name]}: weight", 0.0, 2.0, 0.05, float(usual[name])) for name in WEIGHTS]
    controls = tags.div(
        tags.h2("Twins and ranking"),
        tags.p("Of the patient whose card is shown above.", class_="isc-hint"),
        ui.input_numeric("w_at", "Day of the decision, from the first dose of immunotherapy", 0, min=0, step=1),
        slider("w_twins", "Twins", 200, most_twins, 50, 200),
        ui.input_numeric("w_seed", "Seed of the twins", 1, min=0, step=1),
        ui.input_text("w_regimen", "Forecast under a regimen other than the recorded line", "", spellcheck="false"),
        run_buttons("w", "Draw the twins"),
        tags.details(
            tags.summary("Weights, margin and own regimens of the ranking"),
            *weights,
            slider("k_margin", "Non-inferiority margin in survival at 12 months", 0.0, 0.2, 0.01, MARGIN),
            ui.input_text_area("k_options", "Own regimens as YAML", "", rows=4, spellcheck="false", width="100%"),
            tags.p("For example: ", tags.code(_SAMPLE), class_="isc-hint"),
        ),
        run_buttons("k", "Rank the options"),
        class_="isc-controls",
    )
    results = tags.div(
        tags.h2("Twins"),
        *outcome_ui("w"),
        tags.h2("Ranked options", style="margin-top: 1.4rem"),
        *outcome_ui("k", ("message", "head", "tables", "figures", "rest", "exports", "code")),
    )
    lead = tags.p(
        "Twins are virtual patients conditioned on the patient's measurements; what is not assessable varies among "
        "them as it does among patients. Regimens of the setting are simulated on the same twins. The model "
        "underneath has no validated skill (see Evidence): the order is the model's and is not treatment advice.",
        class_="isc-lead",
    )
    return tags.section(
        lead, tags.div(controls, results, class_="isc-layout"), aria_label="Twins and ranking", style="margin-top: 2rem"
    )


def twins_server(
    input: Inputs,
    output: Outputs,
    session: Session,
    jobs: Jobs,
    most_twins: int,
    chosen: Callable[[], tuple[str, str] | None],
) -> None:
    """Draw twins, and rank, in processes of their own.

    Parameters
    ----------
    input, output, session, jobs
        As of every view.
    most_twins
        Twins that may be asked for.
    chosen
        Reactive: (folder of the files, empty for the example; patient), or None where no card is shown. Results are
        those of this patient: another one, or other files, clear them.
    """
    twins, ranking = Running(session, jobs, "twins"), Running(session, jobs, "twins")

    @reactive.calc
    def source() -> tuple[str, str] | None:
        return chosen()

    @reactive.effect
    def _clear() -> None:
        source()
        with reactive.isolate():
            for run in (twins, ranking):
                run.cancel()
                run.forget()

    @reactive.effect
    @reactive.event(input.w_run)
    def _draw() -> None:
        if asked := _request(input, twins, source(), most_twins):
            twins.start("twins", {**asked, "regimen": str(input.w_regimen() or "").strip()[:500]})

    @reactive.effect
    @reactive.event(input.k_run)
    def _rank() -> None:
        if asked := _request(input, ranking, source(), most_twins):
            ranking.start("ranking", {**asked, **_settings(input)})

    @reactive.effect
    @reactive.event(input.w_cancel)
    def _stop_twins() -> None:
        twins.cancel()

    @reactive.effect
    @reactive.event(input.k_cancel)
    def _stop_ranking() -> None:
        ranking.cancel()

    _twins_outputs(output, twins)
    _ranking_outputs(output, ranking)


def _request(input: Inputs, run: Running, patient: tuple[str, str] | None, most_twins: int) -> dict[str, Any] | None:
    """What is asked of a patient; None where something is missing, which `run` then says."""
    if patient is None:
        run.forget()
        run.refused.set("Profile a patient first: the files above, or the example study.")
        return None
    at, seed = input.w_at(), input.w_seed()
    if seed is None or seed < 0 or seed != int(seed):
        run.refused.set("The seed is not a whole number from 0 on.")
        return None
    if at is None or not 0 <= at < 1e5:
        run.refused.set("The day of the decision is not a number from 0 on.")
        return None
    number = min(max(int(input.w_twins() or 200), 1), most_twins)  # whatever a page sends
    return {"study": patient[0], "patient": patient[1], "at": float(at), "twins": number, "seed": int(seed)}


def _settings(input: Inputs) -> dict[str, Any]:
    """Weights, margin and own regimens of the ranking."""
    return {
        "weights": {name: round(float(input[f"k_{name}"]() or 0.0), 2) for name in WEIGHTS},
        "margin": round(float(input.k_margin() or 0.0), 2),
        "options": str(input.k_options() or ""),
    }


def _twins_outputs(output: Outputs, twins: Running) -> None:
    """What is shown of the twins."""
    outcome_server(
        output,
        twins,
        "w",
        files=TWIN_FILES,
        began=_BEGAN,
        hint=tags.p("Show a patient's card, then draw the twins.", class_="isc-hint"),
        head=_head,
        code=lambda asked: reproduce(*twin_code("twin", asked)),
        tables=lambda result: [*tables_of(result), *_remarks(result), tags.p(result["limit"], class_="isc-hint")],
    )


def _ranking_outputs(output: Outputs, ranking: Running) -> None:
    """What is shown of the ranking, and below it what it rests on."""
    outcome_server(
        output,
        ranking,
        "k",
        files=RANK_FILES,
        began=_BEGAN,
        hint=tags.p("Show a patient's card, then rank.", class_="isc-hint"),
        head=lambda result, asked: joined(_head(result, asked), tags.ul(*[tags.li(t) for t in result["words"]])),
        code=_rank_code,
        tables=lambda result: [*tables_of(result), tags.p(result["score"], class_="isc-hint")],
    )

    @render.ui
    def k_rest() -> Any:
        result = ranking.result()
        return None if result is None else joined(*_rest(result))


def _rank_code(asked: Mapping[str, Any]) -> Tag:
    uploaded = str(asked.get("options") or "")
    more = [tags.h3(OPTIONS), tags.pre(uploaded, class_="isc-plain", tabindex=0)] if uploaded.strip() else []
    return reproduce(*twin_code("rank", asked), more)


def _head(result: Mapping[str, Any], asked: Mapping[str, Any]) -> Tag:
    return tags.p(
        tags.strong(f"{result['patient']}, day {asked['at']:g}"),
        f": {result['setting']}. {result['about']} Seed {asked['seed']}.",
    )


def _remarks(result: Mapping[str, Any]) -> Sequence[Tag]:
    """What was assumed, and what could not be assessed."""
    notes = [tags.li(text) for text in result["notes"]]
    tail = [tags.ul(*notes)] if notes else []
    if result["open"]:
        summary = tags.summary(f"Not assessable, and so as in the population: {len(result['open'])} measurements")
        tail.append(tags.details(summary, tags.p(f"{', '.join(result['open'])}."), class_="isc-block"))
    return tail


def _rest(result: Mapping[str, Any]) -> Sequence[Tag]:
    """Below the figures: trials that speak against, what is not offered, what to measure next, what it rests on."""

    def listed(title: str, texts: Sequence[str]) -> list[Tag]:
        return [tags.h3(title), tags.ul(*[tags.li(t) for t in texts])] if texts else []

    following, steps, through, facts = result["next"], result["steps"], result["through"], result["facts"]
    return [
        *listed("Trials that contradict an option", result["against"]),
        *listed("Not offered", result["left"]),
        *listed("What to measure next", following["words"]),
        tags.details(
            tags.summary("Value of each measurement not made"),
            table_tag(following["rows"], "What a result would change"),
            tags.p(following["note"], class_="isc-hint"),
            class_="isc-block",
        ),
        tags.details(
            tags.summary("What the ranking rests on"),
            table_tag(steps["rows"], steps["title"], steps["numeric"]),
            table_tag(through["rows"], through["title"]),
            tags.p(steps["labels"], class_="isc-hint"),
            table_tag(facts["rows"], facts["title"], facts["numeric"]),
            *_remarks(result),
            class_="isc-block",
        ),
    ]
