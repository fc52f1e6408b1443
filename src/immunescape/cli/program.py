"""The application: its commands in the order of the help page, and how it ends."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from immunescape.cli import (
    ablation,
    catalogue,
    claims,
    credibility,
    design,
    engine,
    ensemble,
    evaluation,
    evidence,
    harness,
    judge,
    predictions,
    profile,
    serve,
    simulate,
    trials,
    twins,
)
from immunescape.cli.running import plain_warnings
from immunescape.errors import ImmunescapeError

__all__ = ["app", "main"]

app = typer.Typer(
    name="immunescape",
    help="Escape of lung tumours from immunotherapy: mechanistic model, virtual patients, virtual trials. "
    "Research software; not a medical device, no treatment advice.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich would take half of the start-up time
    context_settings={"help_option_names": ["-h", "--help"]},
)
for commands in (
    profile,
    twins,
    claims,
    simulate,
    harness,
    judge,
    ablation,
    predictions,
    credibility,
    serve,
    trials,
    design,
    catalogue,
    evaluation,
    evidence,
    ensemble,
    engine,
):
    commands.register(app)


def _print_version(value: bool) -> None:
    if value:
        import immunescape

        typer.echo(f"immunescape {immunescape.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point: errors in readable form; exits with 2 for bad input, 130 for Ctrl-C, 143 for SIGTERM."""
    from immunescape.parallel.interrupts import exit_code, terminate_like_interrupt

    plain_warnings()
    terminate_like_interrupt()
    try:
        app()
    except ImmunescapeError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("Interrupted. Finished results are kept; the same command resumes.", err=True)
        sys.exit(exit_code())
    except BrokenPipeError:
        sys.exit(0)
    except SystemExit as end:
        sys.exit(exit_code() if end.code == 130 else end.code)  # typer takes any interruption for Ctrl-C
