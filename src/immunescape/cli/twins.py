"""The commands `twin` and `rank`. Heavy imports happen inside the commands."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer

from immunescape.cli.folders import Force, check_results_folder, refuse_foreign_file
from immunescape.cli.options import JsonNotTables, Out, Seed, Workers
from immunescape.cli.profile import Unit, declared_units
from immunescape.cli.running import Progress, interruptible
from immunescape.errors import InputError

__all__ = ["register"]

Folder = Annotated[Path | None, typer.Argument(help="Study folder, as for `immunescape profile`.")]
Patient = Annotated[str | None, typer.Option("--patient", "-p", help="Identifier of the patient.")]
At = Annotated[
    float,
    typer.Option(
        "--at",
        min=0.0,
        help="Day of the decision, counted from the first dose of immunotherapy; later data are ignored.",
    ),
]
Number = Annotated[int, typer.Option("--twins", "-n", min=1, max=100_000, help="Number of twins.")]
Example = Annotated[bool, typer.Option("--example", help="Use a patient of the included synthetic example study.")]


def _asked(folder: Path | None, patient: str | None, example: bool, command: str, cohort: bool = False) -> None:
    if folder is None and not example:
        raise InputError(
            "name a study folder and a patient", hint=f"`immunescape {command} --example` runs an included example."
        )
    if folder is not None and example:
        raise InputError("--example uses its own study folder", hint="Give either a folder or --example.")
    if folder is not None and patient is None and not cohort:
        raise InputError("name a patient", hint=f"immunescape {command} {folder} --patient ID")


def twin_command(
    *,
    folder: Folder = None,
    patient: Patient = None,
    at: At = 0.0,
    twins: Number = 400,
    regimen: Annotated[
        str | None,
        typer.Option("--regimen", help="Forecast for this regimen [default: the line recorded in the files]."),
    ] = None,
    seed: Seed = 1,
    workers: Workers = None,
    out: Out = None,
    unit: Unit = None,
    as_json: JsonNotTables = False,
    example: Example = False,
    force: Force = False,
) -> None:
    """Draw the twins of a patient: the virtual population conditioned on the measurements, with a forecast."""
    _asked(folder, patient, example, "twin")
    from immunescape.api import twin
    from immunescape.api.twins import EXAMPLE

    target = out or Path("immunescape-results") / f"twins-{patient or 'example'}"
    whose = patient if patient is not None else EXAMPLE
    check_results_folder(target, "patient", whose, force=force, files=("twins.json", "twins.parquet", "twins.html"))
    with Progress(as_json, "twins") as progress:
        made = twin(
            folder,
            patient,
            at=at,
            regimen=regimen,
            twins=twins,
            seed=seed,
            workers=workers,
            units=declared_units(unit),
            progress=progress,
        )
    written = made.save(target)
    if as_json:
        typer.echo(json_module.dumps(made.to_json(), indent=1, ensure_ascii=False))
        return
    made.show()
    typer.echo("\nWritten: " + ", ".join(str(p) for p in written))


def rank_command(
    *,
    folder: Folder = None,
    patient: Patient = None,
    at: At = 0.0,
    options: Annotated[
        Path | None, typer.Option("--options", help="YAML list of your own regimens: name, regimen, reason.")
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option("--weight", help="Weight of benefit or harm: survival=, progression_free= or toxicity=NUMBER."),
    ] = None,
    margin: Annotated[
        float, typer.Option("--margin", min=0.0, max=1.0, help="Non-inferiority margin in survival at 12 months.")
    ] = 0.05,
    twins: Number = 400,
    seed: Seed = 1,
    workers: Workers = None,
    out: Out = None,
    unit: Unit = None,
    as_json: JsonNotTables = False,
    example: Example = False,
    design: Annotated[
        Path | None,
        typer.Option("--design", help="Write the biomarker-enriched trial suggested by the twins, for `design`."),
    ] = None,
    force: Force = False,
) -> None:
    """Rank the regimens available in a patient's setting on the same twins; without --patient, for all patients."""
    _asked(folder, patient, example, "rank", cohort=True)
    from immunescape.api import RankingSettings, rank
    from immunescape.api.twins import EXAMPLE
    from immunescape.files import check_file
    from immunescape.twins.ranking import read_weights

    check_file(design, "--design")
    refuse_foreign_file(design, "--design", force=force)
    weights = read_weights(weight or [])
    settings = RankingSettings(weights=weights, margin=margin, twins=twins, seed=seed, workers=workers)
    question: dict[str, Any] = {"at": at, "options": options, "units": declared_units(unit), "settings": settings}
    if folder is not None and patient is None:
        from immunescape.profile.loading import study_name

        target = out or Path("immunescape-results") / f"rankings-{folder.resolve().name}"
        check_results_folder(target, "rankings", study_name(folder), force=force, files=("cohort.json", "cohort.csv"))
        _rank_all(folder, target, as_json, design, question)
        return
    target = out or Path("immunescape-results") / f"ranking-{patient or 'example'}"
    whose = patient if patient is not None else EXAMPLE
    check_results_folder(target, "patient", whose, force=force, files=("ranking.json", "ranking.html"))
    with Progress(as_json, "twins") as progress:
        made = rank(folder, patient, progress=progress, **question)
    written = made.save(target)
    if as_json:
        typer.echo(json_module.dumps(made.to_json(), indent=1, ensure_ascii=False))
    else:
        made.show()
        typer.echo("\nWritten: " + ", ".join(str(p) for p in written))
    _write_design(made, design, as_json)


def _write_design(made: Any, design: Path | None, as_json: bool) -> None:
    """Write the enriched trial suggested by a ranking, if requested."""
    if design is None:
        return
    made.save_design(design)
    if not as_json:
        typer.echo(f"Written: {design}; simulate it with `immunescape design {design}`")


def _rank_all(folder: Path, target: Path, as_json: bool, design: Path | None, question: dict[str, Any]) -> None:
    """Rank all patients of a study; those that cannot be ranked are listed with the reason."""
    from immunescape.api import rank_cohort

    with interruptible(target, "patients"), Progress(as_json, "patients") as progress:
        made = rank_cohort(folder, out=target, progress=progress, **question)
    written = made.save(target)
    if as_json:
        typer.echo(json_module.dumps(made.to_json(), indent=1, ensure_ascii=False))
    else:
        made.show()
        if made.resumed:
            typer.echo(f"\n{made.resumed} patients had already been ranked with the same files and settings.")
        typer.echo("\nWritten: " + ", ".join(str(p) for p in (*written, target / "patients")))
    if not made.rankings:
        raise InputError("no patient of the study can be ranked", hint="The reasons are listed above, by patient.")
    _write_design(made, design, as_json)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("twin")(twin_command)
    app.command("rank")(rank_command)
