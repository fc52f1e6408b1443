"""View 5: how the model scored, which claims it was tested against, and the history of its score."""

from __future__ import annotations

import asyncio
from typing import Any

from htmltools import Tag, tags
from shiny import Inputs, Outputs, Session, render, ui

from immunescape.app.evidence import COMMANDS, PAGES, PYTHON, claim_rows, page_text, prediction_rows
from immunescape.app.views.parts import choose, downloaded, joined, reproduce, table_tag
from immunescape.evaluation.mechanism_labels import explanation

__all__ = ["evidence_server", "evidence_ui"]

_SHOWN = 60
MORE = {
    "claims": "All simulated claims, searchable",
    "predictions": "Predictions of trials whose results were not known",
}
"""Pages that are tables, beside those that are texts."""


def evidence_ui() -> Tag:
    """One page at a time; claims can be searched."""
    return tags.div(
        tags.p(
            "Results included in the package, as stored; missed aims are reported as missed. Nothing is "
            "simulated here.",
            class_="isc-lead",
        ),
        choose("e_page", "Page", {**PAGES, **MORE}, "scoreboard"),
        ui.output_ui("e_code"),
        ui.output_ui("e_content"),
    )


def evidence_server(input: Inputs, output: Outputs, session: Session) -> None:
    """Show the page that was chosen."""

    @render.ui
    def e_content() -> Any:
        name = input.e_page()
        if name == "claims":
            return joined(
                ui.input_text("e_search", "Words in a claim", "", update_on="change"),
                ui.output_ui("e_claims"),
                ui.download_button("e_csv", "All claims, CSV", class_="btn-sm btn-outline-secondary"),
            )
        if name == "predictions":
            rows = prediction_rows()
            return table_tag(rows, f"{len(rows)} predictions; hazard ratios with 95 % intervals at the planned size")
        text = page_text(name) if name in PAGES else ""
        if not text:
            return tags.p("This page is not part of this installation.", class_="isc-missing")
        return joined(
            tags.article(ui.markdown(text), class_="isc-page"),
            ui.download_button("e_page_file", "This page, Markdown", class_="btn-sm btn-outline-secondary"),
        )

    @render.ui
    async def e_claims() -> Any:
        words = (input.e_search() or "").casefold().split()
        every = await asyncio.to_thread(claim_rows)  # seconds, the first time
        rows = [r for r in every if all(w in " ".join(r.values()).casefold() for w in words)]
        shown = f"{len(rows)} of {len(every)} claims" + (f", the first {_SHOWN}" if len(rows) > _SHOWN else "")
        return joined(table_tag(rows[:_SHOWN], shown), tags.p(explanation(), class_="isc-hint"))

    @render.ui
    def e_code() -> Any:
        name = "claims-results" if input.e_page() == "claims" else input.e_page()
        return reproduce(PYTHON[name], COMMANDS[name], opened=False) if name in PYTHON else None

    @downloaded("claims.csv")
    async def e_csv() -> Any:
        import pandas as pd

        yield pd.DataFrame(list(await asyncio.to_thread(claim_rows))).to_csv(index=False)

    @downloaded(lambda: f"{input.e_page()}.md")
    def e_page_file() -> Any:
        yield page_text(input.e_page()) if input.e_page() in PAGES else ""
