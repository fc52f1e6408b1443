"""The command that shows and checks the trials behind the evidence levels of options."""

from __future__ import annotations

import json as json_module
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from immunescape.cli.options import Json
from immunescape.cli.running import show_rows
from immunescape.errors import InputError

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("evidence")(evidence_command)


def evidence_command(
    *,
    kind: Annotated[
        str | None, typer.Option("--kind", help="Class of regimen, or a part of its name, such as ici.")
    ] = None,
    result: Annotated[str | None, typer.Option("--result", help="positive, negative, mixed or single_arm.")] = None,
    line: Annotated[
        str | None, typer.Option("--line", help="Line of therapy as written in the table: 1, 2+, any.")
    ] = None,
    after_inhibitor: Annotated[
        bool, typer.Option("--after-inhibitor", help="Only trials after a PD-(L)1 antibody.")
    ] = False,
    file: Annotated[Path | None, typer.Option("--file", help="A table of your own [default: those included].")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only check the table and the ledger hash after which it was entered.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the trials for and against classes of regimens, by setting and including failures, or check such a table."""
    from immunescape.knowledge.evidence_table import FEWEST, MEMORY, matching, read_evidence, shipped_evidence

    table = shipped_evidence() if file is None else read_evidence(file)
    filters = {"kind": kind, "result": result, "lines": line, "had_inhibitor": "yes" if after_inhibitor else None}
    rows = matching(table.rows, **{k: v for k, v in filters.items() if v is not None})
    if check:
        counts = Counter(r.result for r in rows)
        typer.echo(
            f"{len(rows)} rows, {len({r.registry or r.trial for r in rows})} trials: "
            + ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in sorted(counts.items()))
        )
        recalled = sum(r.checked == MEMORY for r in rows)
        if table.entered_after:
            typer.echo(f"{recalled} rows recalled from memory and not checked against their source")
            _check_chain(table.entered_after)
            if len(table.rows) < FEWEST:
                typer.echo(f"fewer than the {FEWEST} rows that the table should have")
        return
    if as_json:
        content = {"entered_after": table.entered_after, "rows": [r.to_json() for r in rows]}
        typer.echo(json_module.dumps(content, indent=1, ensure_ascii=False))
        return
    if not rows:
        typer.echo("no trial of the table matches")
        return
    show_rows(
        "Trials by class of regimen and setting",
        [
            {
                "trial": r.trial,
                "registry": r.registry,
                "phase": r.phase,
                "class": r.kind,
                "stage": r.stage,
                "line": r.lines,
                "inhibitor before": r.had_inhibitor,
                "histology": r.histology,
                "PD-L1": r.pdl1,
                "driver": r.driver,
                "result": r.result.replace("_", " "),
                "HR": "" if r.ratio is None else f"{r.ratio:g} ({r.low:g} to {r.high:g})",
                "finding": r.finding,
                "source": r.source,
            }
            for r in rows
        ],
        as_json=False,
    )


def _check_chain(chain: str) -> None:
    """Report the hash of the included predictions after which a table was entered; reject a table without such a hash.

    Raises
    ------
    InputError
        Where the chain has no such hash.
    """
    from immunescape.predictions.ledger import check_ledger

    if problems := check_ledger(kept=chain):
        raise InputError(
            f"the included predictions do not contain the hash {chain[:12]}…: {'; '.join(problems)}",
            hint="`immunescape predictions check` prints the last hash; enter the table after it.",
        )
    typer.echo(f"entered after the predictions up to {chain[:12]}…")
