"""Commands for virtual trials: ``trial`` runs one, ``trials`` lists the included ones."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from immunescape.cli import completion
from immunescape.cli.folders import Force, check_results_folder
from immunescape.cli.options import Cluster, Engine, Json, Seed, Template, Workers
from immunescape.cli.running import Progress, first_with, interruptible, show_rows, stop

__all__ = ["register"]

FILES = ("result.json", "patients.parquet", "scans.parquet", "survival.png", "report.html")
"""What `trial` writes."""


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("trial")(trial_command)
    app.command("trials")(trials_command)


def trial_command(
    *,
    name: Annotated[
        str | None,
        typer.Argument(help="An included trial (see `trials`) or a YAML file.", autocompletion=completion.trials),
    ] = None,
    patients: Annotated[
        int | None,
        typer.Option(
            "--patients",
            "-n",
            min=1,
            max=1_000_000,
            help="Virtual patients per arm [default: the protocol's, at most 150].",
        ),
    ] = None,
    seed: Seed = 1,
    workers: Workers = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder for result.json, patients.parquet, report.html [default: immunescape-results/NAME].",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print result.json instead of tables.")] = False,
    engine: Engine = "auto",
    cluster: Cluster = None,
    paired: Annotated[
        bool, typer.Option("--paired", help="Use the same patients in all arms; differences by paired bootstrap.")
    ] = False,
    attribute: Annotated[
        int | None,
        typer.Option(
            "--attribute", min=1, max=10_000, help="Number of patients in whom to attribute escape to a mechanism."
        ),
    ] = None,
    curves: Annotated[
        Path | None,
        typer.Option("--curves", help="Folder with published curves (keynote024_os.csv), drawn beside the prediction."),
    ] = None,
    template: Template = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of a trial file.")] = False,
    result_schema: Annotated[
        bool, typer.Option("--result-schema", help="Print the JSON schema of result.json.")
    ] = False,
    force: Force = False,
) -> None:
    """Run a virtual trial and compare it with the published one."""
    if result_schema or template or schema:
        typer.echo(_result_schema() if result_schema else _trial_template() if template else _trial_schema())
        return
    if name is None:
        stop(
            "name a trial or a YAML file",
            "`immunescape trials` lists the included ones; `--template` writes one to start from.",
        )
    from immunescape.api.trials import load_trial

    if cluster is None and workers != 1:
        _start_server()
    virtual = load_trial(name)
    if curves is not None:
        virtual = virtual.with_curves(curves)
    folder = out or Path("immunescape-results") / virtual.name
    check_results_folder(folder, "trial", virtual.name, force=force, files=FILES)
    with interruptible(folder), Progress(quiet=as_json) as advance:
        result = virtual.run(
            patients=patients,
            seed=seed,
            workers=workers,
            out=folder,
            engine=engine,
            paired=paired,
            progress=first_with(_read_ahead, advance),
            attribute=attribute,
            cluster=cluster,
        )
    written = result.save(folder)
    if as_json:
        typer.echo((folder / "result.json").read_text(encoding="utf-8"), nl=False)
        return
    result.show()
    typer.echo("\nWritten: " + ", ".join(str(p) for p in written))


def _result_schema() -> str:
    from immunescape.report.result_files import result_schema

    return json_module.dumps(result_schema(), indent=2)


def _trial_template() -> str:
    from immunescape.trial.loading import trial_template

    return trial_template()


def _trial_schema() -> str:
    from immunescape.trial.loading import trial_schema

    return json_module.dumps(trial_schema(), indent=2)


def _start_server() -> None:
    """Start the process that workers are forked from, which imports while the trial is read."""
    from immunescape.parallel import start_server
    from immunescape.trial import WORKER_IMPORTS

    start_server(WORKER_IMPORTS)


def _read_ahead() -> None:
    from immunescape.report.trial_report import read_ahead

    read_ahead()


def trials_command(as_json: Json = False) -> None:
    """List the included trials."""
    from immunescape.api.trials import trials_table

    show_rows("Trials", trials_table(), as_json)
