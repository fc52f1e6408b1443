"""Commands about the engine: ``check-sbml`` and ``bench engine``."""

from __future__ import annotations

import json as json_module
import os
from pathlib import Path
from typing import Annotated

import typer

from immunescape.cli.options import Json
from immunescape.cli.running import stop

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("check-sbml")(check_sbml_command)
    bench = typer.Typer(help="Measure speed and accuracy side by side.", no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(bench, name="bench")
    bench.command("engine")(bench_engine_command)


def check_sbml_command(
    folder: Annotated[Path, typer.Argument(help="Folder of cases: one folder each, as in the SBML Test Suite.")],
    engine: Annotated[str, typer.Option("--engine", help="native, roadrunner or reference.")] = "auto",
    as_json: Json = False,
) -> None:
    """Run a folder of SBML test cases and compare the results of the engine with the expected ones."""
    from immunescape.engine import get_engine
    from immunescape.engine.oracle.sbml_suite import check_folder, checking_engine

    report = check_folder(
        folder, checking_engine(engine), fallback=get_engine("reference"), workers=os.cpu_count() or 1
    )
    if as_json:
        typer.echo(json_module.dumps(report, indent=2))
    else:
        typer.echo(f"passed {len(report['passed'])}, refused {len(report['refused'])}, wrong {len(report['wrong'])}")
        for case, reason in report["refused"].items():
            typer.echo(f"  refused {case}: {reason}")
        for case in report["wrong"]:
            typer.echo(f"  wrong   {case}")
    if report["wrong"]:
        raise typer.Exit(1)


def bench_engine_command(
    model: Annotated[
        Path | None, typer.Option("--model", help="SBML file [default: immunescape's own model, reduced].")
    ] = None,
    patients: Annotated[int, typer.Option("--patients", "-n", min=1, help="Patients for the native engine.")] = 64,
    limit: Annotated[float, typer.Option("--limit", min=1, help="Time limit per simulator, in seconds.")] = 50,
    as_json: Json = False,
) -> None:
    """Compare the engine with libroadrunner, scikit-sundae, COPASI and AMICI: time and error of each."""
    from immunescape.engine.oracle.bench import bench_engine, format_bench

    if model is None:
        from immunescape.api.model import bench_example

        text, name, workload = bench_example()
        report = bench_engine(text, name, patients=patients, workload=workload, limit=limit)
    else:
        report = bench_engine(_read(model), model.stem, patients=patients, limit=limit)
    typer.echo(json_module.dumps(report, indent=2) if as_json else format_bench(report))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        stop(f"cannot read {path}: {error}", "Name a readable text file.")
