"""Commands for profiling: profile, cohort, reference, biomarkers. Heavy imports happen inside the commands."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from immunescape.cli.folders import Force, check_results_folder
from immunescape.cli.options import JsonNotTables, Out
from immunescape.errors import InputError

__all__ = ["register"]

PROFILE_FILES = ("profile.json", "biomarkers.parquet", "report.html")
"""What `profile` writes."""
COHORT_FILES = (
    "associations.json",
    "associations.csv",
    "outcomes.csv",
    "interactions_pfs.csv",
    "interactions_os.csv",
    "report.html",
)
"""What `cohort` writes."""
REFERENCE_FILES = ("reference.json", "quantiles.csv", "statistics.csv.gz")
"""What `reference build` writes."""

Folder = Annotated[
    Path | None, typer.Argument(help="Study folder: cBioPortal as downloaded, or one with a manifest.yaml.")
]
Reference = Annotated[
    str | None,
    typer.Option("--reference", help="Name or folder of a frozen reference for percentiles of expression."),
]
Unit = Annotated[
    list[str] | None,
    typer.Option(
        "--unit",
        help="Unit of a column, analyte or expression file of a cBioPortal study that states none: COLUMN=UNIT; may be "
        "given several times.",
    ),
]

reference_app = typer.Typer(
    help="Frozen reference cohorts for percentiles of expression.", no_args_is_help=True, rich_markup_mode=None
)


def declared_units(declarations: list[str] | None) -> dict[str, str]:
    """Return column -> unit from declarations such as ``OS_TIME=days``.

    Raises
    ------
    InputError
        For a declaration without ``=``, or two units of one column.
    """
    units: dict[str, str] = {}
    for declaration in declarations or ():
        column, sign, unit = (text.strip() for text in declaration.rpartition("="))
        if not sign or not column or not unit:
            raise InputError(
                f"--unit {declaration}: not of the form COLUMN=UNIT", hint="For example: --unit OS_TIME=days"
            )
        if units.get(column, unit) != unit:
            raise InputError(f"--unit gives {column} two units: {units[column]} and {unit}", hint="Give one.")
        units[column] = unit
    return units


def _study_folder(folder: Path | None, example: bool, command: str) -> Path:
    """Return the folder to read: the given one, or that of the example."""
    if folder is not None and example:
        raise InputError("--example uses its own study folder", hint="Give either a folder or --example.")
    if folder is not None:
        return folder
    if not example:
        raise InputError(
            "name a study folder",
            hint=f"`immunescape {command} --example` runs the included one; `immunescape profile --template` writes a "
            "manifest.",
        )
    from immunescape.profile.loading import example_folder

    return example_folder()


def profile_command(
    *,
    folder: Folder = None,
    patient: Annotated[
        list[str] | None, typer.Option("--patient", "-p", help="Only this patient; may be given several times.")
    ] = None,
    out: Out = None,
    rules: Annotated[Path | None, typer.Option("--rules", help="Your own rule file.")] = None,
    reference: Reference = None,
    unit: Unit = None,
    as_json: JsonNotTables = False,
    example: Annotated[bool, typer.Option("--example", help="Profile the included synthetic example study.")] = False,
    template: Annotated[bool, typer.Option("--template", help="Print a commented manifest.yaml.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of profile.json.")] = False,
    force: Force = False,
) -> None:
    """Profile patients: biomarkers and a call for each resistance mechanism from their files."""
    if template:
        from immunescape.profile.manifest import template as manifest_template

        typer.echo(manifest_template())
        return
    if schema:
        from immunescape.profile.profile_json import json_schema

        typer.echo(json_module.dumps(json_schema(), indent=2, ensure_ascii=False))
        return
    folder = _study_folder(folder, example, "profile")
    from immunescape.api.profiles import profile_study
    from immunescape.files import check_folder

    results = Path("immunescape-results")
    check_folder(results if out is None else out)
    if out is not None:
        check_results_folder(out, "study", force=force, files=PROFILE_FILES)
    study = profile_study(folder, patients=patient, rules=rules, reference=reference, units=declared_units(unit))
    target = out or results / (study.name or "profile")
    check_results_folder(target, "study", study.name, force=force, files=PROFILE_FILES)
    written = study.save(target)
    if as_json:
        with (target / "profile.json").open(encoding="utf-8") as lines:
            for line in lines:
                typer.echo(line, nl=False)
        return
    study.show()
    typer.echo("\nWritten: " + ", ".join(str(p) for p in written))


def cohort_command(
    *,
    folder: Folder = None,
    outcome: Annotated[
        list[str] | None,
        typer.Option("--outcome", help="response, benefit, pfs or os; several allowed [default: all]."),
    ] = None,
    treated: Annotated[
        str | None, typer.Option("--treated", help="Name of an arm: test biomarker x treatment interaction as well.")
    ] = None,
    rules: Annotated[Path | None, typer.Option("--rules", help="Your own rule file.")] = None,
    reference: Reference = None,
    unit: Unit = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Folder for associations (csv, json), outcomes.csv, interactions and report.html."
        ),
    ] = None,
    as_json: JsonNotTables = False,
    example: Annotated[bool, typer.Option("--example", help="Test the included synthetic example study.")] = False,
    force: Force = False,
) -> None:
    """Test mechanisms and biomarkers for association with response, PFS and OS, with false discovery rates."""
    from immunescape.api.profiles import profile_study
    from immunescape.console import NOTICE

    if out is not None:
        check_results_folder(out, "associations", force=force, files=COHORT_FILES)
    folder = _study_folder(folder, example, "cohort")
    study = profile_study(folder, rules=rules, reference=reference, units=declared_units(unit))
    endpoints = [e for e in (outcome or ["os"]) if e in ("pfs", "os")] or ["os"] if treated is not None else []
    if out is not None:
        check_results_folder(out, "associations", study.name, force=force, files=COHORT_FILES)
    written = [] if out is None else study.save_statistics(out, outcome, treated)
    if as_json:
        table, _ = study.associations(outcome)
        tables = {"associations": table} | {
            f"interactions_{e}": study.interactions(treated or "", e) for e in endpoints
        }
        rows = {k: json_module.loads(t.to_json(orient="records", double_precision=10)) for k, t in tables.items()}
        typer.echo(json_module.dumps(rows, indent=2, ensure_ascii=False))
        return
    study.show_associations(outcome)
    for endpoint in endpoints:
        study.show_interactions(treated or "", endpoint)
    typer.echo(f"\n{NOTICE}")
    if written:
        typer.echo("\nWritten: " + ", ".join(str(p) for p in written))


@reference_app.command("build")
def reference_build_command(
    folder: Annotated[Path, typer.Argument(help="Study folder with expression of at least 20 samples.")],
    name: Annotated[str, typer.Option("--name", help="Name by which `profile --reference` selects it.")] = "own",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder [default: the search path of references].")
    ] = None,
    unit: Unit = None,
    force: Force = False,
) -> None:
    """Build a frozen, versioned reference from the expression of a study."""
    from immunescape.api.profiles import build_reference
    from immunescape.profile.biomarkers.expression import reference_target

    place = reference_target(name, out)
    check_results_folder(place, "reference", name, force=force, files=REFERENCE_FILES)
    target = build_reference(folder, name, out, declared_units(unit))
    typer.echo(f"Written: {target}\nUse it: immunescape profile FOLDER --reference {name if out is None else target}")


@reference_app.command("list")
def reference_list_command() -> None:
    """List the references that were built under a name."""
    from immunescape.profile.biomarkers.expression import available_references

    for name, place in available_references().items():
        typer.echo(f"{name}  {place}")


def biomarkers_command(as_json: JsonNotTables = False) -> None:
    """List the biomarkers: unit, definition, label, required data."""
    from immunescape.api.profiles import biomarkers_table, print_biomarkers

    if as_json:
        typer.echo(json_module.dumps(biomarkers_table(), indent=2, ensure_ascii=False))
    else:
        print_biomarkers()


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("profile")(profile_command)
    app.add_typer(reference_app, name="reference")
    app.command("cohort")(cohort_command)
    app.command("biomarkers")(biomarkers_command)
