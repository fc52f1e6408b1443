"""The command that predicts a trial with random draws of the parameter values."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from immunescape.cli.folders import Force, check_results_folder
from immunescape.cli.options import Engine, JsonNotTable, Seed, TrialName, Workers
from immunescape.cli.running import Progress, interruptible, show_result, write_reports

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("ensemble")(ensemble_command)


def ensemble_command(
    *,
    trial: TrialName,
    draws: Annotated[
        int, typer.Option("--draws", min=2, max=10_000, help="Number of draws of the parameter values.")
    ] = 12,
    patients: Annotated[
        int, typer.Option("--patients", "-n", min=2, max=100_000, help="Virtual patients per arm and draw.")
    ] = 40,
    seed: Seed = 1,
    width: Annotated[float, typer.Option("--width", help="Factor applied to all prior widths.")] = 1.0,
    workers: Workers = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for ensemble.json and completed draws; a rerun resumes."),
    ] = None,
    as_json: JsonNotTable = False,
    force: Force = False,
    engine: Engine = "auto",
) -> None:
    """Predict a trial with intervals: parameters vary according to their grade, the fit according to its posterior."""
    from immunescape.evaluation.ensemble import run_ensemble
    from immunescape.report.uncertainty_report import print_ensemble
    from immunescape.trial.loading import load_trial

    spec = load_trial(trial)
    if out is not None:
        check_results_folder(out, "ensemble", spec.name, force=force, files=("ensemble.json",))
    with interruptible(out, "draws"), Progress(quiet=as_json, what="draws") as advance:
        result = run_ensemble(
            spec,
            draws=draws,
            patients=patients,
            seed=seed,
            width=width,
            workers=workers,
            out=out,
            engine=engine,
            progress=advance,
            force=force,
        )
    if out is not None:
        text = json_module.dumps(result.to_json(), indent=1, allow_nan=False)
        write_reports(out, {"ensemble.json": text})
    show_result(result, print_ensemble, as_json)
