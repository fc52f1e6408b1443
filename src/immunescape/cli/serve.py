"""The command that serves the app in the browser."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("app")(app_command)


def app_command(
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; the default is reachable from this machine only.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", "-p", min=0, max=65535, help="Port; 0 selects a free one.")] = 8787,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
) -> None:
    """Open the app in the browser: patient, trial, profile, design and evidence. Needs the extra 'app'."""
    from immunescape.app.serve import serve

    serve(host, port, browser=not no_browser)
