"""Inputs that the views of a trial and of a design share: YAML, how many are simulated, the seed, run and cancel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from htmltools import Tag, tags
from shiny import Inputs, reactive, ui

from immunescape.app.views.outcome import outcome_ui
from immunescape.app.views.parts import reproduce
from immunescape.app.views.running import Running, run_buttons

__all__ = ["code_of_file", "count_and_seed", "protocol_page", "protocol_server", "run_inputs", "yaml_input"]

NO_SEED = "The seed is not a whole number from 0 on."


def yaml_input(
    name: str, noun: str, summary: str, text: str, *, update_on: Literal["change", "blur"] = "change"
) -> Tag:
    """A folded box with the YAML of a trial or design; `update_on` is when the server hears of an edit."""
    area = ui.input_text_area(
        name, f"{noun} as YAML", text, rows=18, spellcheck="false", width="100%", update_on=update_on
    )
    return tags.details(tags.summary(f"{summary} as YAML: edit, or paste your own"), area)


def run_inputs(prefix: str, label: str) -> list[Tag]:
    """The seed, and the buttons that start and cancel."""
    return [ui.input_numeric(f"{prefix}_seed", "Seed", 1, min=0, step=1), run_buttons(prefix, label)]


def protocol_page(prefix: str, lead: str, title: str, controls: list[Tag], results: str) -> Tag:
    """A lead, the controls on the left under `title`, the outputs of the run on the right under `results`."""
    left = tags.div(tags.h2(title), *controls, class_="isc-controls")
    right = tags.div(tags.h2(results), *outcome_ui(prefix))
    return tags.div(tags.p(lead, class_="isc-lead"), tags.div(left, right, class_="isc-layout"))


def count_and_seed(count: Any, seed: Any, least: int, most: int) -> tuple[int, int] | str:
    """Number of patients or replicates, between its limits whatever a page sends, and the seed; or what is wrong."""
    if seed is None or seed < 0 or seed != int(seed):
        return NO_SEED
    return min(max(int(count or least), 1), most), int(seed)


def protocol_server(
    input: Inputs,
    run: Running,
    prefix: str,
    *,
    text_of: Callable[[str], str],
    count: str,
    limits: tuple[int, int],
    task: str,
    text: Callable[[], str] | None = None,
) -> None:
    """Fill the YAML from the example that is chosen, start the run that inputs ask for, and cancel it.

    Parameters
    ----------
    input, run, prefix
        Inputs of the session, its run, and what the names of the inputs begin with.
    text_of
        YAML of an example by its name; of the empty name, the commented template.
    count, limits
        What is counted, patients or replicates: the input and the request have this name. Its value where the page
        sends none, and the largest.
    task
        Name of the task that runs.
    text
        YAML that is run; None takes it as it stands in the box.
    """

    @reactive.effect
    @reactive.event(input[f"{prefix}_name"], ignore_init=True)
    def _choose() -> None:
        ui.update_text_area(f"{prefix}_text", value=text_of(input[f"{prefix}_name"]()))

    @reactive.effect
    @reactive.event(input[f"{prefix}_run"])
    def _run() -> None:
        asked = count_and_seed(input[f"{prefix}_{count}"](), input[f"{prefix}_seed"](), *limits)
        if isinstance(asked, str):
            run.refused.set(asked)
            return
        request: Mapping[str, Any] = {
            "text": (input[f"{prefix}_text"]() or "") if text is None else text(),
            "name": input[f"{prefix}_name"]() or "",
            count: asked[0],
            "seed": asked[1],
        }
        run.start(task, request)

    @reactive.effect
    @reactive.event(input[f"{prefix}_cancel"])
    def _cancel() -> None:
        run.cancel()


def code_of_file(python: str, command: str, file: str) -> Tag:
    """Code that reproduces a run; where the command reads the exported file, it is said that it does."""
    return reproduce(python, command, [tags.p(f"{file} is the export above.", class_="isc-hint")] * (file in command))
