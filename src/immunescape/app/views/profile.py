"""View 3, first half: a patient's files, or the example study, to a card of calls with their evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from htmltools import Tag, tags
from shiny import Inputs, Outputs, Session, reactive, render, ui

from immunescape.app.jobs import Jobs
from immunescape.app.profile_card import profile_code
from immunescape.app.uploads import Bounds
from immunescape.app.views.parts import choose, downloads, joined, offer, reproduce, table_tag
from immunescape.app.views.running import Running, run_buttons
from immunescape.app.views.twins import twins_server, twins_ui

if TYPE_CHECKING:
    from immunescape.app.serve import UsageLimits

__all__ = ["profile_server", "profile_ui"]

FILES = {
    "r_json": ("run/profile.json", "Profile, JSON"),
    "r_calls": ("run/calls.csv", "Calls, CSV"),
    "r_values": ("run/biomarkers.csv", "Biomarkers, CSV"),
    "r_html": ("run/report.html", "Report, HTML"),
}


def profile_ui(limits: UsageLimits) -> Tag:
    """Files on the left, the card on the right."""
    from immunescape.profile.manifest import template

    upload = tags.div(
        tags.label("Files with a manifest.yaml, or a zip; or a cBioPortal study as a zip", for_="r_files"),
        tags.input(id="r_files", name="r_files", type="file", multiple="", class_="shiny-input-file form-control"),
        tags.div(
            tags.div(class_="progress-bar"),
            class_="progress active shiny-file-input-progress",
            id="r_files_progress",
            aria_hidden="true",
        ),
        tags.div(class_="isc-upload-error isc-error-text", role="alert"),
        tags.div(
            f"At most {limits.files} files, {limits.file_mb} MB each, {limits.total_mb} MB together, unpacked. "
            "They stay on the machine that runs the app, and are deleted when others are read or the window closes.",
            class_="isc-hint",
        ),
        class_="isc-upload shiny-input-container",
        data_file_mb=limits.file_mb,
        data_files=limits.files,
        data_total_mb=limits.total_mb,
    )
    controls = tags.div(
        tags.h2("A patient's files"),
        upload,
        run_buttons("r", "Profile the files"),
        ui.input_action_button("r_example", "Use the example study", class_="btn-outline-primary btn-sm"),
        tags.details(
            tags.summary("What a manifest.yaml looks like"),
            tags.pre(template(), class_="isc-plain", tabindex=0, aria_label="Template of a manifest"),
        ),
        class_="isc-controls",
    )
    results = tags.div(
        tags.h2("Profile"),
        ui.output_ui("r_message"),
        ui.output_ui("r_choose"),
        ui.output_ui("r_card"),
        ui.output_ui("r_read"),
        ui.output_ui("r_exports"),
        ui.output_ui("r_code"),
    )
    return tags.div(
        tags.p(
            "Mutations, copy number, expression, blood, ctDNA and other files of a patient become biomarkers, and a "
            "call with its evidence for each mechanism of resistance. What was not measured is not assessable, never "
            "absent.",
            class_="isc-lead",
        ),
        tags.div(controls, results, class_="isc-layout"),
        twins_ui(limits.twins),
    )


class ProfileRun:
    """Profiles files, and holds the card of the patient that is chosen among those profiled.

    Parameters
    ----------
    input, session, jobs
        As of every view.
    bounds
        Bounds of the files.
    """

    def __init__(self, input: Inputs, session: Session, jobs: Jobs, bounds: Bounds) -> None:
        self.run = Running(session, jobs, "steps")
        self._bounds = bounds
        self._card: reactive.Value[Mapping[str, Any] | None] = reactive.value(None)

        @reactive.effect
        def _first() -> None:
            result = self.run.result()
            if result is None or not result["patients"]:
                return
            with reactive.isolate():
                index = 0 if "r_patient" not in input else int(input.r_patient() or 0)
            self._show(index if index < len(result["patients"]) else 0)

        @reactive.effect
        @reactive.event(input.r_patient, ignore_init=True)
        def _another() -> None:
            if self.run.result() is not None and input.r_patient():
                self._show(int(input.r_patient()))

    def read(self, uploads: Sequence[Mapping[str, Any]]) -> None:
        """Profile the files that a browser has sent."""
        sent = [(str(f["name"]), Path(f["datapath"])) for f in uploads]
        sent = [(name, path) for name, path in sent if path.exists()]
        self._card.set(None)
        if sent:
            files = [(name, str(path)) for name, path in sent]
            self.run.start("profile", {"sent": files, "bounds": asdict(self._bounds)})
            return
        self.run.forget()
        self.run.refused.set(
            "These files were read already: choose them again."
            if uploads
            else "Choose files first: those of a patient with their manifest.yaml, or a zip of them."
        )

    def read_example(self) -> None:
        """Profile the example study."""
        self._card.set(None)
        self.run.start("profile", {"sent": []})

    def card(self) -> Mapping[str, Any] | None:
        """Card of the patient that is chosen; None before a profile is done."""
        return None if self.run.result() is None else self._card()

    def chosen(self) -> tuple[str, str] | None:
        """Folder of the files (empty for the example) and the patient whose card is shown."""
        result, card = self.run.result(), self.card()
        if result is None or card is None:
            return None
        place = str(self.run.path(result["folder"])) if result["folder"] else ""
        return place, str(card["patient"])

    def _show(self, index: int) -> None:
        with reactive.isolate():
            self._card.set(json.loads(self.run.path(f"cards/{index}.json").read_text(encoding="utf-8")))


def profile_server(input: Inputs, output: Outputs, session: Session, jobs: Jobs, limits: UsageLimits) -> None:
    """Read the files in a process of its own; what was read serves the twins until others are chosen."""
    bounds = Bounds(limits.files, limits.file_mb << 20, limits.total_mb << 20)
    profile = ProfileRun(input, session, jobs, bounds)

    @reactive.effect
    @reactive.event(input.r_run)
    def _files() -> None:
        profile.read(input.r_files() or ())

    @reactive.effect
    @reactive.event(input.r_example)
    def _example() -> None:
        profile.read_example()

    @reactive.effect
    @reactive.event(input.r_cancel)
    def _cancel() -> None:
        profile.run.cancel()

    _outputs(profile)
    twins_server(input, output, session, jobs, limits.twins, profile.chosen)
    for name, (path, _) in FILES.items():
        offer(output, profile.run, name, path)


def _outputs(profile: ProfileRun) -> None:
    """Message, choice of the patient, card, what was read, downloads and code."""
    run = profile.run

    @render.ui
    def r_message() -> Any:
        return run.message("Reading the files and calling mechanisms …")

    @render.ui
    def r_choose() -> Any:
        result = run.result()
        if result is None:
            return (
                None
                if run.state() or run.refused()
                else tags.p("Choose files, or use the example study.", class_="isc-hint")
            )
        names = result["patients"]
        more = f" (the first {len(names)})" if len(names) < result["number"] else ""
        choices = {str(i): name for i, name in enumerate(names)}
        return choose("r_patient", f"{result['study']}: patient{more}", choices, "0")

    @render.ui
    def r_card() -> Any:
        card = profile.card()
        return None if card is None else joined(*card_tags(card))

    @render.ui
    def r_read() -> Any:
        result = run.result()
        if result is None:
            return None
        problems = [tags.li(text) for text in result["problems"]]
        return tags.details(
            tags.summary(f"What was read: {len(result['reads'])} files, {len(problems)} remarks"),
            table_tag(result["reads"], "Files", ("Rows", "Kept")),
            tags.ul(*problems) if problems else None,
            class_="isc-block",
        )

    @render.ui
    def r_exports() -> Any:
        return downloads(FILES) if run.result() is not None else None

    @render.ui
    def r_code() -> Any:
        card = profile.card()
        if card is None:
            return None
        return reproduce(*profile_code(not run.request()["sent"], str(card["patient"])))


def card_tags(card: Mapping[str, Any]) -> list[Tag]:
    """The card of one patient: what matters first, the rest to open."""

    def block(title: str, *content: Any) -> Tag:
        return tags.details(tags.summary(title), *content, class_="isc-block")

    facts = [tags.li(tags.strong(row[""]), tags.span(row[" "])) for row in card["facts"]]
    marks = {"present": "●\u00a0present", "conflicting": "◐\u00a0conflicting", "absent": "○\u00a0absent"}
    rows = [{**row, "Call": marks[row["Call"]]} for row in card["calls"]]
    first = [row for row in rows if row["Call"] != marks["absent"]]
    absent = [row for row in rows if row["Call"] == marks["absent"]]
    present = sum(row["Call"] == marks["present"] for row in rows)

    def mechanisms(number: int) -> str:
        return f"{number} mechanism{'s' * (number != 1)}"

    title = f"Mechanisms of resistance: {present} present, of {len(rows)} that could be assessed"
    return [
        tags.ul(*facts, class_="isc-facts"),
        table_tag(first, title) if first else tags.p(tags.strong(title)),
        block(f"Absent: {mechanisms(len(absent))}, with the evidence", table_tag(absent, "Absent mechanisms")),
        block(
            f"Not assessable: {mechanisms(len(card['silent']))}",
            table_tag(card["silent"], "Not assessable with these files"),
        ),
        table_tag(card["probabilities"], f"Probability: {card['setting']}"),
        tags.p(card["limits"], class_="isc-hint"),
        block(
            "What moved the probability",
            table_tag(card["contributions"], "Contributions relative to the average patient"),
            tags.p(f"Not measured, averaged over: {card['missing']}.", class_="isc-hint"),
        ),
        block("Published scores", table_tag(card["scores"], "Published scores, side by side")),
        block(
            "Strategies in the literature (no advice)",
            table_tag(card["strategies"], "Strategies that the literature matches to these mechanisms (no advice)"),
        ),
        block("Biomarkers", table_tag(card["biomarkers"], "Biomarkers that were measured")),
    ]
