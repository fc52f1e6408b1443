"""The command that scores the model over all trials at hand."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from immunescape.cli.running import Engine, interruptible

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("harness")(harness_command)


def harness_command(
    trials: Annotated[str, typer.Option("--trials", help="Comma-separated trials [default: all at hand].")] = "",
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="Folder with trials.csv, combinations.csv, trial_files/, oak/, loris/, toposcore/, km/."
        ),
    ] = None,
    patients: Annotated[
        int, typer.Option("--patients", "-n", min=2, max=100_000, help="Virtual patients per arm.")
    ] = 100,
    seed: Annotated[int, typer.Option("--seed", "-s", min=0, help="The first seed.")] = 1,
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=100, help="Seeds, from --seed on.")] = 1,
    workers: Annotated[
        int | None, typer.Option("--workers", "-w", min=1, max=1024, help="Processes [default: the cores at hand].")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for harness.json, harness.md and finished trials.")
    ] = Path("immunescape-results/harness"),
    record: Annotated[
        str, typer.Option("--record", help="Add a row with this label to the history in docs/harness.md.")
    ] = "",
    page: Annotated[Path, typer.Option("--page", help="The page that holds the history.")] = Path("docs/harness.md"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of Markdown.")] = False,
    engine: Engine = "auto",
) -> None:
    """Score the model over all trials at hand, figure by figure, beside chance and naive baselines."""
    import datetime

    from immunescape.evaluation.harness import run_harness
    from immunescape.files import check_file, whole_file
    from immunescape.report.harness_report import append_history, harness_markdown

    names = [name.strip() for name in trials.split(",") if name.strip()]
    if record:
        check_file(page, "--page")

    def tell(trial: str, done: int, total: int) -> None:
        typer.echo(f"{done} of {total}: {trial}", err=True)

    with interruptible(out, "trials"):
        run = run_harness(
            names, data=data, patients=patients, seed=seed, seeds=seeds, workers=workers, out=out, engine=engine,
            progress=tell,
        )  # fmt: skip
    text, markdown = json_module.dumps(run.to_json(), indent=1, allow_nan=False), harness_markdown(run)
    for name, content in (("harness.json", text), ("harness.md", markdown)):
        with whole_file(out / name, "cannot write the report", hint="Choose another folder with --out.") as stream:
            stream.write(content.encode())
    if record:
        append_history(page, run, record, datetime.date.today().isoformat())
    typer.echo(text if as_json else markdown)
