"""Commands that fit and judge the model: ``calibrate``, ``validate``, ``sensitivity``."""

from __future__ import annotations

import json as json_module
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from immunescape.cli import completion
from immunescape.cli.folders import Force, check_results_folder, refuse_foreign_file
from immunescape.cli.options import Cluster, Engine, JsonNotTable, JsonNotTables, Seed, TrialName, Workers
from immunescape.cli.running import Progress, interruptible, refuse_unread, show_result, stop
from immunescape.errors import unknown_word

if TYPE_CHECKING:
    from immunescape.evaluation.calibration_result import Calibration
    from immunescape.evaluation.calibration_settings import CalibrationSettings
    from immunescape.population.fit import PopulationFit
    from immunescape.trial.spec import Trial

__all__ = ["register"]

LEAST_WEIGHTED = 20
"""Smallest number of patients per arm for a calibration by weights."""

CALIBRATION_FILES = ("population_fit.csv", "calibration.json", "population_draws.csv")
"""What `calibrate` writes."""
LeaveOut = Annotated[
    bool, typer.Option("--leave-out", help="Refit without each trial in turn: errors for trials left out.")
]
RefitWithout = Annotated[
    list[str] | None,
    typer.Option(
        "--refit-without",
        help="Repeat the fit without this trial, with fresh patients, and predict it (method surface). Repeatable.",
    ),
]

_METHODS = ("morris", "sobol", "each")
"""Of `sensitivity`."""


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("calibrate")(calibrate_command)
    app.command("validate")(validate_command)
    app.command("sensitivity")(sensitivity_command)


def _protocol(name: str, data: Path | None) -> str:
    """Name or file of a trial; the protocol in the data folder if there is one of that name."""
    file_of_trial = None if data is None else data / "trial_files" / f"{name}.yaml"
    return str(file_of_trial) if file_of_trial is not None and file_of_trial.is_file() else name


def calibrate_command(
    ctx: typer.Context,
    *,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Trials or YAML files to fit to [default: the included calibration trials].",
            autocompletion=completion.trials,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Folder with km/ (curves: time,event,arm), loris/ (response by PD-L1), oak/, tumour_kinetics/.",
        ),
    ] = None,
    patients: Annotated[
        int, typer.Option("--patients", "-n", min=2, max=100_000, help="Virtual patients per arm and round.")
    ] = 300,
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, max=50, help="Number of rounds of simulation and fitting.")
    ] = 4,
    points: Annotated[
        int, typer.Option("--points", min=1, max=2000, help="Populations per round, which divide its patients.")
    ] = 1,
    spread: Annotated[
        float,
        typer.Option(
            "--spread", min=0.01, max=2.0, help="Spread of the draws around the fit, in prior standard deviations."
        ),
    ] = 0.5,
    method: Annotated[
        str,
        typer.Option("--method", help="weights (patients are reweighted) or surface (a designed experiment)."),
    ] = "weights",
    fresh: Annotated[
        int, typer.Option("--fresh", min=20, max=100_000, help="Patients per arm of each step (method surface).")
    ] = 300,
    parameters: Annotated[
        Path | None,
        typer.Option("--parameters", help="Parameters to fit: a table like knowledge/data/calibration_terms.csv."),
    ] = None,
    draws: Annotated[
        int, typer.Option("--draws", min=0, max=1000, help="Number of posterior draws to write (population_draws.csv).")
    ] = 0,
    left_out: LeaveOut = False,
    refitted: RefitWithout = None,
    seed: Seed = 1,
    workers: Workers = None,
    start: Annotated[
        Path | None, typer.Option("--start", help="A population_fit.csv to start from [default: no change].")
    ] = None,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Folder for the fit; completed patients are stored, so that a rerun resumes."),
    ] = Path("immunescape-results/calibrate"),
    cluster: Cluster = None,
    as_json: JsonNotTables = False,
    force: Force = False,
    engine: Engine = "auto",
) -> None:
    """Fit the population's distributions to published results of trials."""
    from immunescape.evaluation.calibration import calibrate
    from immunescape.evaluation.calibration_settings import CalibrationSettings
    from immunescape.evaluation.fit_terms import read_terms
    from immunescape.evaluation.surface_rounds import calibrate_surface

    _check_method(ctx, method, patients, points)
    check_results_folder(out, "calibration", force=force, files=CALIBRATION_FILES)
    trials = _calibration_trials(names, data, quiet=as_json)
    settings = CalibrationSettings(
        data=data,
        patients=patients,
        seed=seed,
        workers=workers,
        out=out,
        start=_start(start),
        engine=engine,
        progress=_report_rounds(rounds + (method == "surface"), quiet=as_json),
        cluster=cluster,
        moving=None if parameters is None else read_terms(parameters),
        spread=spread,
        draws=draws,
        left_out=left_out,
    )
    if not force:
        _refuse_other_fit(out, trials, settings)
    with interruptible(out):
        if method == "surface":
            made = calibrate_surface(trials, settings, steps=rounds, fresh=fresh, refitted=refitted or ())
        else:
            _tell_cost(trials, patients, rounds, workers, cluster=cluster is not None, quiet=as_json)
            made = calibrate(trials, settings, rounds=rounds, points=points)
    _show_calibration(made, out, as_json=as_json)


def _refuse_other_fit(out: Path, trials: Sequence[Trial], settings: CalibrationSettings) -> None:
    """Refuse a folder that holds the finished fit to other trials, of other terms or patients, or with another seed."""
    from immunescape.evaluation.fit_terms import terms
    from immunescape.evaluation.set_ups import refuse_other_set_up

    asked = {
        "seed": settings.seed,
        "patients per arm": settings.patients,
        "trials": sorted({t.name for t in trials}),
        "terms": sorted([t.name, t.term] for t in settings.moving or terms()),
    }

    def stored(content: Any) -> dict[str, Any]:
        return {
            "seed": content["seed"],
            "patients per arm": content["patients_per_arm_and_round"],
            "trials": sorted({arm["trial"] for arm in content["arms"]}),
            "terms": sorted([t["name"], t["term"]] for t in content["terms"]),
        }

    refuse_other_set_up([out / "calibration.json"], asked, {name: name for name in asked}, stored)


def _start(path: Path | None) -> PopulationFit | None:
    from immunescape.population.fit import PopulationFit

    return None if path is None else PopulationFit.read(path)


def _show_calibration(made: Calibration, out: Path, *, as_json: bool) -> None:
    from immunescape.console import NOTICE
    from immunescape.report.calibration_report import print_calibration

    if as_json:
        typer.echo(json_module.dumps(made.to_json(), indent=2, allow_nan=False))
        return
    print_calibration(made)
    typer.echo(f"Written: {out / 'population_fit.csv'}, {out / 'calibration.json'}\n{NOTICE}")


def _tell_cost(
    trials: list[Trial], patients: int, rounds: int, workers: int | None, *, cluster: bool, quiet: bool
) -> None:
    """Say how many courses a calibration by weights simulates, and about how long that takes."""
    from immunescape.evaluation.wide_rounds import cost
    from immunescape.report.calibration_report import cost_text

    if not quiet:
        typer.echo(cost_text(cost(trials, patients, rounds, workers), cluster=cluster), err=True)


def _check_method(ctx: typer.Context, method: str, patients: int, points: int) -> None:
    """Reject an unknown method, options that it does not use, and too few patients for weights."""
    if method not in ("weights", "surface"):
        raise unknown_word("method", method, ("weights", "surface"))
    if method == "surface":
        refuse_unread(ctx, "with --method surface", ("points",))
        return
    refuse_unread(ctx, "with --method weights", ("fresh", "refitted"))
    if points == 1:
        refuse_unread(ctx, "with one population per round (--points)", ("spread",))
    if patients < LEAST_WEIGHTED:
        stop(f"{patients} patients per arm are too few to be reweighted", f"Use at least {LEAST_WEIGHTED}.")


def _report_rounds(last: int, *, quiet: bool) -> Callable[[int, str, int, int], None]:
    """Progress of a calibration of `last` rounds, with the minutes since now."""
    began = time.monotonic()

    def report(number: int, simulated: str, done: int, total: int) -> None:
        if not quiet:
            stage = f"round {number + 1} of {last}" if number < last else "fresh patients of the fit"
            if number > last:
                stage = "refits"
            minutes = (time.monotonic() - began) / 60
            typer.echo(f"{stage}: {done} of {total} {simulated}, {minutes:.1f} minutes", err=True)

    return report


def _calibration_trials(names: list[str] | None, data: Path | None, *, quiet: bool) -> list[Trial]:
    """Trials to fit to, without figures that were entered from memory and not verified."""
    from immunescape.evaluation.harness.checks import only_checked
    from immunescape.evaluation.trial_classes import roles
    from immunescape.trial.loading import load_trial

    chosen = names or sorted(name for name, (role, _) in roles().items() if role == "calibration")
    for name in chosen:
        if roles().get(name, ("", ""))[0] == "validation":
            stop(f"trial '{name}' is kept for validation", "Fit to calibration trials or to trials of your own.")
    trials = []
    for name in chosen:
        trial, missing = only_checked(load_trial(_protocol(name, data)))
        if missing and not quiet:
            why = "not fitted, because entered from memory and not verified"
            typer.echo(f"{trial.name}: {why}: {', '.join(missing)}", err=True)
        trials.append(trial)
    return trials


def validate_command(
    *,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Trials or YAML files with published results [default: all included].",
            autocompletion=completion.trials,
        ),
    ] = None,
    patients: Annotated[
        int | None,
        typer.Option(
            "--patients", "-n", min=10, max=1_000_000, help="Virtual patients per arm [default: the protocol's]."
        ),
    ] = None,
    seed: Seed = 1,
    workers: Workers = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for completed patients, so that a rerun resumes.")
    ] = Path("immunescape-results/validate"),
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of patients' data to compare with: tumour_kinetics/, loris/, oak/, km/."),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a self-contained HTML page.")] = None,
    cluster: Cluster = None,
    as_json: JsonNotTables = False,
    force: Force = False,
    engine: Engine = "auto",
) -> None:
    """Simulate trials and compare them with their published results."""
    from immunescape.console import NOTICE
    from immunescape.evaluation.validation import validate
    from immunescape.files import check_file
    from immunescape.report.scoreboard_report import print_scoreboard, write_scoreboard

    def tell(trial: str, done: int, total: int) -> None:
        if not as_json and done == total:
            typer.echo(f"{trial}: {total} patients", err=True)

    check_file(html, "--html")
    refuse_foreign_file(html, "--html", force=force)
    check_results_folder(out, "validation", force=force)
    with interruptible(out):
        validation = validate(
            names or (),
            patients=patients,
            seed=seed,
            workers=workers,
            out=out,
            data=data,
            engine=engine,
            progress=tell,
            cluster=cluster,
        )
    if html is not None:
        write_scoreboard(validation, html, NOTICE, data)
    show_result(validation, print_scoreboard, as_json, html)


def sensitivity_command(
    *,
    trial: TrialName,
    method: Annotated[
        str,
        typer.Option("--method", help="morris, sobol, or each: every parameter of the model by its prior width."),
    ] = "morris",
    arm: Annotated[str, typer.Option("--arm", help="Name of the arm [default: the first].")] = "",
    patients: Annotated[
        int,
        typer.Option(
            "--patients", "-n", min=4, max=100_000, help="Number of trajectories, each from a different patient."
        ),
    ] = 30,
    top: Annotated[int, typer.Option("--top", min=1, help="Parameters to show (and to analyse with sobol).")] = 20,
    seed: Seed = 1,
    png: Annotated[Path | None, typer.Option("--png", help="Write a figure.")] = None,
    as_json: JsonNotTable = False,
    engine: Engine = "auto",
) -> None:
    """Rank the parameters to which response in a trial is most sensitive."""
    from immunescape.evaluation.sensitivity import run_sensitivity
    from immunescape.files import check_file
    from immunescape.report.sensitivity_report import print_sensitivity, write_sensitivity_figure

    check_file(png, "--png")
    if method not in _METHODS:
        raise unknown_word("method", method, _METHODS)
    if method == "each":
        if png is not None:
            stop("--png is for morris and sobol", "Leave it out, or use --json.")
        _each(trial=trial, arm=arm, patients=patients, top=top, seed=seed, as_json=as_json, engine=engine)
        return
    with interruptible(), Progress(quiet=as_json) as advance:
        result = run_sensitivity(
            trial,
            method=method,  # type: ignore[arg-type]
            arm=arm,
            patients=patients,
            top=top,
            seed=seed,
            engine=engine,
            progress=advance,
        )
    if png is not None:
        write_sensitivity_figure(result, png, top)
    show_result(result, partial(print_sensitivity, n=top), as_json, png)


def _each(*, trial: str, arm: str, patients: int, top: int, seed: int, as_json: bool, engine: str) -> None:
    from immunescape.evaluation.audit import run_audit
    from immunescape.report.uncertainty_report import print_audit

    with interruptible(), Progress(quiet=as_json, what="points") as advance:
        result = run_audit(trial, arm=arm, patients=patients, seed=seed, engine=engine, progress=advance)
    show_result(result, partial(print_audit, n=top), as_json)
