"""The command that scores the model on all available trials."""

from __future__ import annotations

import json as json_module
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from immunescape.cli import completion
from immunescape.cli.folders import Force, check_results_folder
from immunescape.cli.options import Engine, FirstSeed, JsonNotMarkdown, Seeds, Workers
from immunescape.cli.running import interruptible, named, refuse_unread, write_reports
from immunescape.errors import InputError

if TYPE_CHECKING:
    from immunescape.evaluation.harness import Harness

__all__ = ["register"]

HARNESS_FILES = ("harness.json", "harness.md")
ADD_ON_FILES = ("add_ons.json", "add_ons.md", "add_ons_patients.csv")
"""What `harness` and `harness --add-ons` write."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("harness")(harness_command)


def harness_command(
    ctx: typer.Context,
    *,
    trials: Annotated[
        str | None,
        typer.Option(
            "--trials",
            help="Comma-separated trials [default: all available].",
            autocompletion=completion.trial_list,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="Folder with trials.csv, combinations.csv, trial_files/, oak/, loris/, toposcore/, km/."
        ),
    ] = None,
    patients: Annotated[
        int, typer.Option("--patients", "-n", min=2, max=100_000, help="Virtual patients per arm.")
    ] = 100,
    seed: FirstSeed = 1,
    seeds: Seeds = 1,
    workers: Workers = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for harness.json, harness.md and finished trials.")
    ] = Path("immunescape-results/harness"),
    record: Annotated[
        str, typer.Option("--record", help="Add a row with this label to the history in docs/harness.md.")
    ] = "",
    page: Annotated[Path, typer.Option("--page", help="Page with the history.")] = Path("docs/harness.md"),
    stored: Annotated[
        Path | None,
        typer.Option("--from", help="Evaluate a finished run instead, given its harness.json; nothing is simulated."),
    ] = None,
    tables: Annotated[
        Path | None,
        typer.Option(
            "--tables",
            help="Write the tables used by forecasts (class_evidence.csv, exchange_evidence.csv, "
            "prediction_errors.csv) here; with --from.",
        ),
    ] = None,
    add_ons: Annotated[
        bool,
        typer.Option(
            "--add-ons", help="Instead of trials: benefit of adding each drug to pembrolizumab, patient by patient."
        ),
    ] = False,
    as_json: JsonNotMarkdown = False,
    force: Force = False,
    engine: Engine = "auto",
) -> None:
    """Score the model on all available trials, endpoint by endpoint, against chance and naive baselines."""
    from immunescape.files import check_file, check_folder

    check_results_folder(out, "harness", force=force, files=ADD_ON_FILES if add_ons else HARNESS_FILES)
    if add_ons:
        refuse_unread(ctx, "with --add-ons", ("trials", "data", "record", "page", "stored", "tables"))
        measure_add_ons(patients, range(seed, seed + seeds), out, as_json, workers=workers, engine=engine)
        return
    from immunescape.evaluation.harness import run_harness
    from immunescape.evaluation.harness.stored import read_run
    from immunescape.report.harness_report import harness_markdown

    names = named(trials, "--trials")
    if tables is not None and stored is None:
        raise InputError("--tables needs a finished run", hint="Name its harness.json with --from.")
    if tables is not None:
        check_folder(tables, "--tables")
    if stored is not None:
        refuse_unread(ctx, "with --from", ("trials", "patients", "seed", "seeds", "workers", "engine"))
    if record:
        check_file(page, "--page")
    else:
        refuse_unread(ctx, "without --record", ("page",))
    if stored is not None:
        run = read_run(stored, data)
    else:
        with interruptible(out, "trials"):
            simulate = partial(run_harness, names, data=data, out=out, progress=_show_progress)
            run = simulate(patients=patients, seed=seed, seeds=seeds, workers=workers, engine=engine)
    if tables is not None:
        write_tables(run, tables)
    text, markdown = json_module.dumps(run.to_json(), indent=1, allow_nan=False), harness_markdown(run)
    write_reports(out, {"harness.json": text, "harness.md": markdown})
    if record:
        _record(run, page, record)
    typer.echo(text if as_json else markdown)


def _show_progress(trial: str, done: int, total: int) -> None:
    typer.echo(f"{done} of {total}: {trial}", err=True)


def _record(run: Harness, page: Path, label: str) -> None:
    """Add a row of today to the history."""
    import datetime

    from immunescape.report.harness_report import append_history

    append_history(page, run, label, datetime.date.today().isoformat())


def write_tables(run: Harness, folder: Path) -> None:
    """Write the tables that predictions read."""
    from immunescape.evaluation.harness.prediction_errors import fitted_trials
    from immunescape.evaluation.harness.prediction_errors import tables as made
    from immunescape.files import whole_file

    for name, content in made(run, fitted_trials()).items():
        with whole_file(folder / name, "cannot write the table", hint="Choose another folder.") as stream:
            stream.write(content.encode())
        typer.echo(f"Written: {folder / name}", err=True)


def measure_add_ons(patients: int, seeds: range, out: Path, as_json: bool, *, workers: int | None, engine: str) -> None:
    """Write add_ons.json, add_ons.md and add_ons_patients.csv to `out`, and print one of the first two."""
    from immunescape.evaluation.harness.add_ons import add_ons

    def tell(done: int, total: int) -> None:
        typer.echo(f"{done} of {total} courses", err=True)

    with interruptible():  # nothing is stored before the end
        effects = add_ons(patients=patients, seeds=tuple(seeds), workers=workers, engine=engine, progress=tell)
    text, markdown = json_module.dumps(effects.to_json(), indent=1, allow_nan=False), effects.to_markdown()
    contents = {"add_ons.json": text, "add_ons.md": markdown}
    if effects.by_patient is not None:
        contents["add_ons_patients.csv"] = effects.by_patient.to_csv(index=False, float_format="%.6g")
    write_reports(out, contents)
    typer.echo(text if as_json else markdown)
