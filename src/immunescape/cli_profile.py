"""Commands of the profile room: profile, cohort, reference, biomarkers. Heavy imports happen inside the commands."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from immunescape.errors import InputError

__all__ = ["register"]

Folder = Annotated[
    Path | None, typer.Argument(help="Study folder: cBioPortal as downloaded, or one with a manifest.yaml.")
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder for the files [default: immunescape-results/NAME].")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]

reference_app = typer.Typer(
    help="Frozen references that percentiles are taken from.", no_args_is_help=True, rich_markup_mode=None
)


def profile_command(
    folder: Folder = None,
    patient: Annotated[
        list[str] | None, typer.Option("--patient", "-p", help="Only this patient; may be given several times.")
    ] = None,
    out: Out = None,
    rules: Annotated[Path | None, typer.Option("--rules", help="A rule file of your own.")] = None,
    as_json: AsJson = False,
    example: Annotated[bool, typer.Option("--example", help="Profile the made-up example study that ships.")] = False,
    template: Annotated[bool, typer.Option("--template", help="Print a commented manifest.yaml.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of profile.json.")] = False,
) -> None:
    """Profile patients: biomarkers and a call for each resistance mechanism, from their own files."""
    if template:
        from immunescape.profile.manifest import template as manifest_template

        typer.echo(manifest_template())
        return
    if schema:
        from immunescape.profile.export import json_schema

        typer.echo(json_module.dumps(json_schema(), indent=2, ensure_ascii=False))
        return
    if folder is None and not example:
        raise InputError(
            "name a study folder",
            hint="`immunescape profile --example` runs one that ships; `--template` writes a manifest.",
        )
    from immunescape.profiles import profile

    if example:
        from immunescape.profile.loading import example_folder

        folder = example_folder()
    assert folder is not None
    study = profile(folder, patients=patient, rules=rules)
    target = out or Path("immunescape-results") / (study.name or "profile")
    written = study.save(target)
    if as_json:
        typer.echo((target / "profile.json").read_text(encoding="utf-8"))
        return
    study.show()
    typer.echo("\nWritten: " + ", ".join(str(p) for p in written))


def biomarkers_command(as_json: AsJson = False) -> None:
    """List the biomarkers: unit, definition, label, what they need."""
    from immunescape.profiles import biomarkers_table, print_biomarkers

    if as_json:
        typer.echo(json_module.dumps(biomarkers_table(), indent=2, ensure_ascii=False))
    else:
        print_biomarkers()


def register(app: typer.Typer) -> None:
    """Add the commands of this room to the application."""
    app.command("profile")(profile_command)
    app.command("biomarkers")(biomarkers_command)
