"""The command that simulates the review's claims and the statements that must not hold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from immunescape.cli import completion
from immunescape.cli.folders import Force, refuse_foreign_file
from immunescape.cli.options import Cluster, Engine, JsonNotTables, Seed
from immunescape.cli.running import Progress, interruptible, show_result, show_rows

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("claims")(claims_command)


def claims_command(
    *,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            help="Id of a claim, or (part of) the name of a chapter; repeatable.",
            autocompletion=completion.claims,
        ),
    ] = None,
    patients: Annotated[
        int, typer.Option("--patients", "-n", min=2, max=100_000, help="Virtual patients per scenario.")
    ] = 100,
    seed: Seed = 1,
    seeds: Annotated[
        int,
        typer.Option(
            "--seeds", min=1, max=100, help="Number of seeds, starting at --seed; a claim must hold for each."
        ),
    ] = 1,
    must_not: Annotated[
        bool, typer.Option("--must-not", help="Simulate the statements that must not hold instead of the claims.")
    ] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write a self-contained HTML report.")] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="List the review paragraph by paragraph, without simulation.")
    ] = False,
    changes: Annotated[
        bool, typer.Option("--changes", help="List every change of a claim's set-up, without simulation.")
    ] = False,
    cluster: Cluster = None,
    as_json: JsonNotTables = False,
    force: Force = False,
    engine: Engine = "auto",
) -> None:
    """Simulate the claims of the literature: predicted effect, interval, verdict."""
    from immunescape.errors import InputError

    if sum((must_not, coverage, changes)) > 1:
        raise InputError("--must-not, --coverage and --changes exclude each other", hint="Give one of them.")
    if html is not None and (coverage or changes):
        raise InputError("--html needs a simulation", hint="Leave out --coverage or --changes, or use --json.")
    if seeds > 1 and (coverage or changes):
        raise InputError("--coverage and --changes simulate nothing", hint="Leave out --seeds.")
    if changes:
        _show_changes(only or [], as_json)
        return
    if must_not and seeds > 1:
        raise InputError("--seeds is for the claims", hint="Run --must-not once for each --seed.")
    refuse_foreign_file(html, "--html", force=force)
    options: dict[str, Any] = {"patients": patients, "engine": engine, "cluster": cluster}
    if must_not:
        _run_must_not(only or [], html, options, seed=seed, as_json=as_json)
    elif coverage:
        from immunescape.evaluation.claims import select_claims
        from immunescape.report.claims_report import coverage_table

        show_rows("The review, paragraph by paragraph", coverage_table(select_claims(only or ())).rows, as_json)
    else:
        _run_claims(only or [], html, options, seeds=range(seed, seed + seeds), as_json=as_json)


def _show_changes(only: list[str], as_json: bool) -> None:
    """Changes of the set-ups of some claims, by their ids or chapters, or of all."""
    from immunescape.evaluation.claims import select_claims
    from immunescape.knowledge.claim_lock import claim_changes
    from immunescape.report.claims_report import changes_table

    listed = claim_changes()
    if only:
        names = {c.claim for c in listed}
        others = [name for name in only if name not in names]
        chapters = {c.id for c in select_claims(others)} if others else set()
        listed = tuple(c for c in listed if c.claim in {*only, *chapters})
    show_rows("Changes of set-ups", changes_table(listed).rows, as_json)


def _run_must_not(only: list[str], html: Path | None, options: dict[str, Any], *, seed: int, as_json: bool) -> None:
    """Simulate the statements that must not hold."""
    from immunescape.console import NOTICE
    from immunescape.evaluation.must_not import run_must_not, select_must_not
    from immunescape.files import check_file
    from immunescape.report.must_not_report import print_must_not, write_must_not

    statements = select_must_not(only)
    check_file(html, "--html")
    with interruptible(), Progress(quiet=as_json) as advance:
        denied = run_must_not(statements, seed=seed, progress=advance, **options)
    if html is not None:
        write_must_not(denied, html, NOTICE)
    show_result(denied, print_must_not, as_json, html)


def _run_claims(only: list[str], html: Path | None, options: dict[str, Any], *, seeds: range, as_json: bool) -> None:
    """Simulate claims, and later forms of their set-ups, with each seed."""
    from immunescape.console import NOTICE
    from immunescape.evaluation.claim_results import of_all_seeds
    from immunescape.evaluation.claims import run_claims, select_claims
    from immunescape.evaluation.scenarios import Library
    from immunescape.files import check_file
    from immunescape.knowledge.claim_lock import later_forms, unlisted_changes
    from immunescape.knowledge.claim_records import shipped_claims
    from immunescape.report.claims_report import print_claims, write_claims

    chosen = select_claims(only)
    check_file(html, "--html")
    later = [c for c in later_forms() if c.id.removesuffix("--later") in {c.id for c in chosen}]
    library: Library = {}
    with interruptible(), Progress(quiet=as_json) as advance:
        runs = []
        for seed in seeds:
            run = run_claims(
                [*chosen, *later],
                seed=seed,
                progress=advance,
                library=library,
                controls=seed == seeds[0],  # controls are shown for the first seed only
                uncontrolled={c.id for c in later},  # and later forms are not shown
                **options,
            )
            run.claims, run.later = run.claims[: len(chosen)], run.claims[len(chosen) :]
            runs.append(run)
    result = of_all_seeds(runs)
    included = {c.id for c in shipped_claims()}  # claims of plug-ins are not locked here
    result.unlocked = tuple(unlisted_changes([c for c in chosen if c.kind != "context" and c.id in included]))
    if html is not None:
        write_claims(result, html, NOTICE)
    show_result(result, print_claims, as_json, html)
