"""Options that several commands take, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from immunescape.cli import completion

__all__ = [
    "Cluster",
    "Engine",
    "FirstSeed",
    "Json",
    "JsonNotMarkdown",
    "JsonNotTable",
    "JsonNotTables",
    "Mechanisms",
    "Out",
    "Seed",
    "Seeds",
    "Template",
    "TrialName",
    "Workers",
]

TrialName = Annotated[
    str, typer.Argument(help="An included trial (see `trials`) or a YAML file.", autocompletion=completion.trials)
]
Seed = Annotated[int, typer.Option("--seed", "-s", min=0, help="Seed of all random numbers.")]
FirstSeed = Annotated[int, typer.Option("--seed", "-s", min=0, help="First seed.")]
Seeds = Annotated[int, typer.Option("--seeds", min=1, max=100, help="Number of seeds, starting at --seed.")]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        "-w",
        min=1,
        max=1024,
        help="Processes [default: one per core]. Results do not depend on it.",
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster", help="Address of a dask scheduler (tcp://… or tls://…), used instead of local processes."
    ),
]
Engine = Annotated[
    str,
    typer.Option("--engine", help="auto, native, cuda, roadrunner or reference.", autocompletion=completion.engines),
]
Mechanisms = Annotated[
    list[Path] | None,
    typer.Option(
        "--mechanism",
        help="SBML file of a mechanism to add; MY.coupling.yaml beside MY.xml specifies its coupling. Repeatable.",
    ),
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder for the files [default: immunescape-results/NAME].")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JsonNotMarkdown = Annotated[bool, typer.Option("--json", help="Print JSON instead of Markdown.")]
JsonNotTable = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
JsonNotTables = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Template = Annotated[bool, typer.Option("--template", help="Print a commented YAML file to start from.")]
