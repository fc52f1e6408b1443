"""The command that judges forecasts on real patients that nothing was fitted to."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from immunescape.cli.folders import Force, check_results_folder
from immunescape.cli.options import Engine, JsonNotMarkdown, Seed, Workers
from immunescape.cli.running import Progress, interruptible

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("judge")(judge_command)


def judge_command(
    *,
    data: Annotated[Path, typer.Option("--data", help="Folder with oak/, loris/, toposcore/ and tumour_kinetics/.")],
    patients: Annotated[
        int, typer.Option("--patients", "-n", min=20, max=100_000, help="Virtual patients per setting.")
    ] = 1500,
    seed: Seed = 1,
    workers: Workers = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for judged.json, judged.md and finished blocks.")
    ] = Path("immunescape-results/judged"),
    page: Annotated[
        Path | None, typer.Option("--page", help="Also write the Markdown page to this file, such as docs/judged.md.")
    ] = None,
    as_json: JsonNotMarkdown = False,
    force: Force = False,
    engine: Engine = "auto",
) -> None:
    """Judge forecasts for held-out patients in comparison with PD-L1, TMB, statistical models and LORIS."""
    from immunescape.files import check_file, whole_file
    from immunescape.report.judged_report import judged_markdown
    from immunescape.twins.combined import shipped_combination
    from immunescape.twins.judging.judge import judge, write_judged

    if page is not None:
        check_file(page, "--page")
    check_results_folder(out, "judged", force=force, files=("judged.json", "judged.md"))
    with interruptible(out, "virtual patients"), Progress(as_json, "virtual patients") as progress:
        result = judge(
            data,
            patients=patients,
            seed=seed,
            workers=workers,
            out=out,
            engine=engine,
            progress=lambda _, done, total: progress(done, total),
        )
    write_judged(result, out)
    markdown = judged_markdown(result, shipped_combination())
    for path in (out / "judged.md", *([page] if page is not None else [])):
        with whole_file(path, "cannot write the page", hint="Choose another file with --page.") as stream:
            stream.write(markdown.encode())
    typer.echo(json_module.dumps(result, indent=1, allow_nan=False) if as_json else markdown)
