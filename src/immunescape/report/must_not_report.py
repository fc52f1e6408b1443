"""Statements that must not hold, for people: the terminal's table and a one-file HTML report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from immunescape.evaluation.mechanism_labels import explanation, labelled
from immunescape.report.claims_report import effect_text
from immunescape.report.tables import Table
from immunescape.report.writing import write_page

if TYPE_CHECKING:
    from immunescape.evaluation.must_not import Denied, MustNotResult

__all__ = ["must_not_table", "print_must_not", "summary_lines", "write_must_not"]


def must_not_table(rows: Sequence[Denied]) -> Table:
    """One row for each statement."""
    return Table(
        [
            {
                "Statement": r.statement.id,
                "What must not hold": r.statement.text,
                "Denied by": ", ".join((*(f"review {p}" for p in r.statement.at), *r.statement.sources))
                or "what the drug or parameter acts on",
                "No effect": f"{r.statement.low:g} to {r.statement.high:g}",
                "Effect (95 %)": effect_text(r.effect),
                "Verdict": r.verdict or "not testable",
                "Without": "; ".join(f"{labelled(m)}: {effect_text(e)}, {v}" for m, (e, v) in r.ablated.items()) or "–",
                "Wrong model": "–" if r.counter is None else r.counter.change,
                "In the wrong model": "–" if r.wrong is None else f"{effect_text(r.wrong[0])}, {r.wrong[1]}",
                "Can fail": "yes" if r.can_fail else "no",
            }
            for r in rows
        ]
    )


def summary_lines(result: MustNotResult) -> list[str]:
    """The counts in words."""
    n = result.counts()
    can = n["that_can_fail"]
    return [
        f"{n['statements']} statements that must not hold: {n['respected']} respected, {n['violated']} violated, "
        f"{n['undecided']} undecided, {n['not_testable']} not testable",
        f"{can} of them are violated by the model, by the model without a mechanism or by the wrong model that was "
        f"named for them ({n['violated_by_counter_model']} of {n['with_counter_model']}), so that they test something; "
        f"of these {n['respected_of_those_that_can_fail']} respected, {n['violated_of_those_that_can_fail']} violated, "
        f"{n['undecided_of_those_that_can_fail']} undecided",
        f"{result.patients} virtual patients, seed {result.seed}, {result.seconds:.0f} s",
    ]


def print_must_not(result: MustNotResult) -> None:
    """Print every statement and the counts."""
    from immunescape.console import print_table

    short = ("Statement", "No effect", "Effect (95 %)", "Verdict", "Can fail")
    print_table("Must not hold", [{k: row[k] for k in short} for row in must_not_table(result.statements).rows])
    for r in result.statements:
        if r.untestable:
            print(f"{r.statement.id}: {r.untestable}")
    print("\n".join(summary_lines(result)))


def write_must_not(result: MustNotResult, path: Path, notice: str) -> Path:
    """Write the HTML report of a run."""
    order = ("violated", "undecided", "respected", "")
    groups = [
        (verdict or "not testable", must_not_table([r for r in result.statements if r.verdict == verdict]))
        for verdict in order
    ]
    values = {
        "title": "Statements that must not hold",
        "lead": "; ".join(summary_lines(result)) + ".",
        "notice": notice,
        "groups": groups,
        "labels": explanation(),
    }
    return write_page(path, "must_not.html", values)
