"""The page: header, notice, the views, and what sessions share (nothing of a user)."""

from __future__ import annotations

import threading
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from htmltools import tags
from shiny import App, Inputs, Outputs, Session, ui

from immunescape.app.evidence import claim_rows
from immunescape.app.jobs import Jobs
from immunescape.app.patient_run import Simulator
from immunescape.app.views import design, evidence, patient, profile, trial
from immunescape.console import NOTICE
from immunescape.errors import ImmunescapeError

if TYPE_CHECKING:
    from immunescape.app.serve import UsageLimits

__all__ = ["shiny_app"]


def shiny_app(limits: UsageLimits) -> App:
    """Return the Shiny application; every browser window is a session of its own."""
    simulator, jobs = Simulator(), Jobs(limits.jobs, limits.job_seconds)
    page = ui.page_fluid(
        ui.head_content(
            tags.meta(name="viewport", content="width=device-width, initial-scale=1"),
            tags.link(rel="icon", href="data:,"),
            tags.link(rel="stylesheet", href="isc/app.css"),
            tags.script(src="plotly/plotly.min.js"),
            tags.script(src="report/night.js"),
        ),
        tags.header(
            tags.h1("immunescape"),
            tags.p("How a lung tumour escapes immunotherapy: mechanistic model, virtual patients, virtual trials"),
            tags.div(NOTICE, class_="isc-notice", role="note"),
            class_="isc-header",
        ),
        tags.main(
            ui.navset_underline(
                ui.nav_panel("One patient", patient.patient_ui(), value="patient"),
                ui.nav_panel("Trial", trial.trial_ui(limits.patients), value="trial"),
                ui.nav_panel("Profile", profile.profile_ui(limits), value="profile"),
                ui.nav_panel("Design", design.design_ui(limits), value="design"),
                ui.nav_panel("Evidence", evidence.evidence_ui(), value="evidence"),
                id="view",
            )
        ),
        tags.script(src="isc/app.js"),
        title="immunescape",
        lang="en",
    )

    def server(input: Inputs, output: Outputs, session: Session) -> None:
        patient.patient_server(input, output, session, simulator)
        trial.trial_server(input, output, session, jobs, limits.patients)
        profile.profile_server(input, output, session, jobs, limits)
        design.design_server(input, output, session, jobs, limits)
        evidence.evidence_server(input, output, session)

    assets = {
        "/isc": Path(__file__).parent.parent / "www",
        "/plotly": Path(str(files("plotly") / "package_data")),
        "/report": Path(str(files("immunescape.report") / "templates")),
    }
    threading.Thread(target=_warm_up, args=(simulator,), daemon=True, name="first patient").start()
    app = App(page, server, static_assets=assets)
    app.on_shutdown(jobs.close)
    return app


def _warm_up(simulator: Simulator) -> None:
    """Simulate the first patient before somebody asks, so that the first page is not slow."""
    try:
        simulator.run(patient.FIRST)
        claim_rows()
    except ImmunescapeError:
        pass  # said where a user asks
