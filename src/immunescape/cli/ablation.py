"""The command that switches mechanisms off one at a time and measures how predictions change."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from immunescape.cli import completion
from immunescape.cli.running import Engine, interruptible

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("ablate")(ablate_command)


def ablate_command(
    *,
    mechanisms: Annotated[
        str,
        typer.Option(
            "--mechanisms",
            "-m",
            help="Comma-separated mechanisms [default: all that can be switched off]; a+b: both off together.",
            autocompletion=completion.ablatable_list,
        ),
    ] = "",
    trials: Annotated[
        str,
        typer.Option(
            "--trials",
            help="Comma-separated calibration trials [default: four with patients' data].",
            autocompletion=completion.trial_list,
        ),
    ] = "",
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder with patients' data (oak/, loris/, km/, tumour_kinetics/).")
    ] = None,
    patients: Annotated[
        int, typer.Option("--patients", "-n", min=8, max=100_000, help="Virtual patients per arm.")
    ] = 60,
    seed: Annotated[int, typer.Option("--seed", "-s", min=0, help="First seed.")] = 1,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, max=100, help="Number of seeds, starting at --seed; a label needs 3.")
    ] = 3,
    rounds: Annotated[
        int,
        typer.Option(
            "--rounds", min=1, max=5, help="1: reweight patients only; 2: also resimulate at the re-tuned value."
        ),
    ] = 2,
    workers: Annotated[
        int | None, typer.Option("--workers", "-w", min=1, max=1024, help="Processes [default: one per core].")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder with one file per mechanism; a second run resumes.")
    ] = Path("immunescape-results/ablation"),
    record: Annotated[
        bool, typer.Option("--record", help="Write the labels into the package (editable installation only).")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of Markdown.")] = False,
    engine: Engine = "auto",
) -> None:
    """Switch off mechanisms one at a time to find which are tested by trials, patient data, claims, or not at all."""
    import datetime

    from immunescape.evaluation.ablation import TRIALS, chosen_mechanisms, run_ablation, simulated_patients
    from immunescape.evaluation.mechanism_labels import record_labels
    from immunescape.files import whole_file
    from immunescape.report.ablation_report import ablation_markdown
    from immunescape.trial.loading import load_trial

    names = chosen_mechanisms([name.strip() for name in mechanisms.split(",") if name.strip()])
    chosen = [load_trial(name.strip()) for name in trials.split(",") if name.strip()] or [load_trial(n) for n in TRIALS]
    total = simulated_patients(len(names), chosen, patients, seeds, rounds)
    typer.echo(
        f"Mechanisms: {len(names)}, and the full model; seeds: {seeds}; rounds: {rounds}. {total} virtual patients, at "
        "300 to 600 per minute on one core, plus a minute to compile the model for each set of drugs. Completed seeds "
        "are stored.",
        err=True,
    )

    def tell(name: str, number: int, of: int, seconds: float) -> None:
        typer.echo(f"{number} of {of}: {name} ({seconds / 60:.1f} minutes so far)", err=True)

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
            progress=tell,
        )
    text, markdown = json_module.dumps(result.to_json(), indent=1, allow_nan=False), ablation_markdown(result)
    for name, content in (("ablation.json", text), ("ablation.md", markdown)):
        with whole_file(out / name, "cannot write the report", hint="Choose another folder with --out.") as stream:
            stream.write(content.encode())
    if record:
        written = record_labels(result, datetime.date.today().isoformat())
        typer.echo(f"Labels of {len(written)} mechanisms written.", err=True)
    typer.echo(text if as_json else markdown)
