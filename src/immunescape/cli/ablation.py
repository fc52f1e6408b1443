"""The command that switches mechanisms off one at a time and measures how predictions change."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from immunescape.cli import completion
from immunescape.cli.folders import Force, check_results_folder
from immunescape.cli.options import Engine, FirstSeed, JsonNotMarkdown, Workers
from immunescape.cli.running import interruptible, named, write_reports

if TYPE_CHECKING:
    from immunescape.evaluation.ablation import AblationResult

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("ablate")(ablate_command)


def ablate_command(
    *,
    mechanisms: Annotated[
        str | None,
        typer.Option(
            "--mechanisms",
            "-m",
            help="Comma-separated mechanisms [default: all that can be switched off]; a+b: both off together.",
            autocompletion=completion.ablatable_list,
        ),
    ] = None,
    trials: Annotated[
        str | None,
        typer.Option(
            "--trials",
            help="Comma-separated calibration trials [default: four with patients' data].",
            autocompletion=completion.trial_list,
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder with patients' data (oak/, loris/, km/, tumour_kinetics/).")
    ] = None,
    patients: Annotated[
        int, typer.Option("--patients", "-n", min=8, max=100_000, help="Virtual patients per arm.")
    ] = 60,
    seed: FirstSeed = 1,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, max=100, help="Number of seeds, starting at --seed; a label needs 3.")
    ] = 3,
    rounds: Annotated[
        int,
        typer.Option(
            "--rounds", min=1, max=5, help="1: reweight patients only; 2: also resimulate at the re-tuned value."
        ),
    ] = 2,
    workers: Workers = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder with one file per mechanism; a second run resumes.")
    ] = Path("immunescape-results/ablation"),
    record: Annotated[
        bool, typer.Option("--record", help="Write the labels into the package (editable installation only).")
    ] = False,
    as_json: JsonNotMarkdown = False,
    force: Force = False,
    engine: Engine = "auto",
) -> None:
    """Switch off mechanisms one at a time to find which are tested by trials, patient data, claims, or not at all."""
    from immunescape.evaluation.ablation import TRIALS, chosen_mechanisms, run_ablation, simulated_patients
    from immunescape.report.ablation_report import ablation_markdown
    from immunescape.trial.loading import load_trial

    check_results_folder(out, "ablation", force=force, files=("ablation.json", "ablation.md"))
    names = chosen_mechanisms(named(mechanisms, "--mechanisms"))
    chosen = [load_trial(name) for name in named(trials, "--trials") or TRIALS]
    total = simulated_patients(len(names), chosen, patients, seeds, rounds)
    typer.echo(_cost(len(names), seeds, rounds, total), err=True)
    with interruptible(out, "mechanisms"):
        result = run_ablation(
            names,
            trials=chosen,
            data=data,
            patients=patients,
            seed=seed,
            seeds=seeds,
            rounds=rounds,
            workers=workers,
            out=out,
            engine=engine,
            progress=_tell,
            force=force,
        )
    text, markdown = json_module.dumps(result.to_json(), indent=1, allow_nan=False), ablation_markdown(result)
    write_reports(out, {"ablation.json": text, "ablation.md": markdown})
    if record:
        _record(result)
    typer.echo(text if as_json else markdown)


def _cost(mechanisms: int, seeds: int, rounds: int, total: int) -> str:
    """What is about to be simulated, and how long it takes."""
    return (
        f"Mechanisms: {mechanisms}, and the full model; seeds: {seeds}; rounds: {rounds}. {total} virtual patients, at "
        "300 to 600 per minute on one core, plus a minute to compile the model for each set of drugs. Completed seeds "
        "are stored."
    )


def _tell(name: str, number: int, of: int, seconds: float) -> None:
    typer.echo(f"{number} of {of}: {name} ({seconds / 60:.1f} minutes so far)", err=True)


def _record(result: AblationResult) -> None:
    """Write the labels into the package."""
    import datetime

    from immunescape.evaluation.mechanism_labels import record_labels

    written = record_labels(result, datetime.date.today().isoformat())
    typer.echo(f"Labels of {len(written)} mechanisms written.", err=True)
