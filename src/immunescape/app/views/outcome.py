"""What a finished run shows, alike in every view: message, head, figures, tables, exports, code that reproduces it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from htmltools import Tag
from shiny import Outputs, render, ui

from immunescape.app.views.parts import cards_of, downloads, figures_ui, joined, offer, render_cards, table_tag
from immunescape.app.views.running import Running

__all__ = ["ORDER", "outcome_server", "outcome_ui", "tables_of"]

ORDER = ("message", "head", "figures", "tables", "exports", "code")
"""Outputs of a run from top to bottom; the name of each is the prefix of its view, an underscore and this."""

Result = Mapping[str, Any]


def outcome_ui(prefix: str, order: tuple[str, ...] = ORDER) -> list[Tag]:
    """Places of the outputs of a run; names other than those of `ORDER` are outputs that the view adds itself."""
    return [
        figures_ui(f"{prefix}_{name}", wide=True) if name == "figures" else ui.output_ui(f"{prefix}_{name}")
        for name in order
    ]


def tables_of(result: Result) -> list[Tag]:
    """Tables of a result, each with its caption; one without rows says so."""
    return [table_tag(t["rows"], t["title"], t["numeric"]) for t in result["tables"]]


def outcome_server(
    output: Outputs,
    run: Running,
    prefix: str,
    *,
    files: Mapping[str, tuple[str, str]],
    began: str,
    hint: Tag,
    head: Callable[[Result, Mapping[str, Any]], Any],
    code: Callable[[Mapping[str, Any]], Any],
    tables: Callable[[Result], list[Any]] = tables_of,
) -> None:
    """Render the outputs of `ORDER` for a run, and serve its files.

    Parameters
    ----------
    output, run, prefix
        Outputs of the session, its run, and what the names of the outputs begin with.
    files
        Downloads: name of the output -> (path in the folder of the run, label).
    began
        What is said before the first progress.
    hint
        What stands there before anything has been run.
    head, code, tables
        What is shown of a result: its head and the code that reproduces it, of (result and) the request that it
        answers; its tables.
    """

    def shown(render_with: Any, name: str, content: Callable[[Result], Any], empty: Callable[[], Any]) -> None:
        def current() -> Any:
            result = run.result()
            return empty() if result is None else content(result)

        current.__name__ = f"{prefix}_{name}"  # under which shiny registers the output
        output(id=current.__name__)(render_with(current))

    def message(_: Result | None = None) -> Any:
        return run.message(began)

    def nothing() -> None:
        return None

    shown(render.ui, "message", message, message)
    shown(
        render.ui,
        "head",
        lambda result: head(result, run.request()),
        lambda: None if run.state() or run.refused() else hint,
    )
    shown(render_cards, "figures", lambda result: cards_of(result["cards"]), list)
    shown(render.ui, "tables", lambda result: joined(*tables(result)), nothing)
    shown(render.ui, "exports", lambda _: downloads(files), nothing)
    shown(render.ui, "code", lambda _: code(run.request()), nothing)
    for name, (path, _) in files.items():
        offer(output, run, name, path)
