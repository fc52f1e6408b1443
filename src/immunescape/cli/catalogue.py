"""What the model is made of: ``drugs``, ``mechanisms``, ``show`` and ``model``."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from immunescape.cli import completion
from immunescape.cli.folders import Force, refuse_foreign_file
from immunescape.cli.options import Json, Mechanisms
from immunescape.cli.running import mechanisms_of, show_rows, stop

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("drugs")(drugs_command)
    app.command("mechanisms")(mechanisms_command)
    app.command("show")(show_command)
    app.command("model")(model_command)


def drugs_command(as_json: Json = False) -> None:
    """List the drugs available in regimens."""
    from immunescape.api.model import drugs_table

    show_rows("Drugs", drugs_table(), as_json)


def mechanisms_command(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Also show summaries and requirements.")] = False,
    as_json: Json = False,
) -> None:
    """List the mechanisms of the model, one line each."""
    from immunescape.api.model import mechanisms_table

    rows = mechanisms_table()
    if not (verbose or as_json):
        from immunescape.evaluation.mechanism_labels import brief_label, outdated_text

        rows = [{"name": r["name"], "title": r["title"], "tested": brief_label(r["name"])} for r in rows]
        if outdated := outdated_text():
            typer.echo(outdated, err=True)
    show_rows("Mechanisms", rows, as_json)


def show_command(
    name: Annotated[
        str,
        typer.Argument(
            help="A drug, mechanism, biomarker or trial; a parameter, state or quantity of the model.",
            autocompletion=completion.things,
        ),
    ],
    as_json: Json = False,
) -> None:
    """Show one drug, mechanism, biomarker, trial or name of the model: parameters, sources, equations, claims."""
    from immunescape.api.model import show, shown

    if as_json:
        typer.echo(json_module.dumps(shown(name), indent=2, allow_nan=False))
        return
    show(name)


def model_command(
    *,
    drugs: Annotated[
        str,
        typer.Option(
            "--drugs",
            help="Comma-separated drugs to include; 'all' for every drug, '' for none.",
            autocompletion=completion.drug_list,
        ),
    ] = "all",
    without: Annotated[
        str,
        typer.Option(
            "--without", help="Comma-separated mechanisms to leave out.", autocompletion=completion.mechanism_list
        ),
    ] = "",
    mechanism: Mechanisms = None,
    equations: Annotated[bool, typer.Option("--equations", help="Print the assembled equations.")] = False,
    cite: Annotated[
        bool, typer.Option("--cite", help="Print the references of the selected mechanisms and drugs.")
    ] = False,
    sbml: Annotated[Path | None, typer.Option("--sbml", help="Write SBML Level 3 Version 2 to this file.")] = None,
    bounds: Annotated[
        bool, typer.Option("--bounds", help="Print the bounds of observables, at diagnosis and along trajectories.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print states and parameters as JSON.")] = False,
    force: Force = False,
) -> None:
    """Print the model: mechanisms, states, parameters with their grade."""
    from immunescape.api.model import build_model, model_summary, print_bounds, print_model
    from immunescape.files import check_file

    check_file(sbml, "--sbml")
    refuse_foreign_file(sbml, "--sbml", force=force)
    model = build_model(drugs=drugs, without=without, mechanisms=mechanisms_of(mechanism))
    if sbml is not None:
        try:
            sbml.write_text(model.to_sbml(), encoding="utf-8")
        except OSError as error:
            stop(f"cannot write {sbml}: {error.strerror}", "Name a file in a folder that exists and has room.")
        typer.echo(f"Written: {sbml}")
    if equations:
        typer.echo(model.equations())
    if cite:
        typer.echo(model.cite())
    if bounds:
        print_bounds(model)
    if as_json:
        typer.echo(json_module.dumps(model_summary(model), indent=2))
    if sbml is None and not (equations or cite or bounds or as_json):
        print_model(model)
