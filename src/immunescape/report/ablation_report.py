"""The table of an ablation, in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from immunescape.console import markdown_table
from immunescape.evaluation.ablation import SEEDS_NEEDED
from immunescape.evaluation.mechanism_labels import GROUPS, LABELS

if TYPE_CHECKING:
    from immunescape.evaluation.ablation import AblationResult

__all__ = ["ablation_markdown"]


def ablation_markdown(result: AblationResult) -> str:
    """One row for each mechanism: change of errors without it, by kind, label, and what it cost to tune."""
    seeds = ", ".join(map(str, result.seeds))
    groups = [g for g in GROUPS if result.targets.get(g)]
    lines = [
        "# Ablation",
        "",
        f"Trials {', '.join(result.trials)}; {result.patients} virtual patients per arm and round, {result.rounds} "
        f"round{'' if result.rounds == 1 else 's'}, seeds {seeds}; model {result.model[:16]}, numbers "
        f"{result.numbers[:16]}. Values are changes in the mean absolute error, in standard deviations of the "
        "published figures, when the mechanism is switched off and the median of `k_kill` re-tuned, with the standard "
        "error over seeds. Positive values mean a worse fit without it.",
        "",
    ]
    if len(result.seeds) < SEEDS_NEEDED:
        lines += [f"Too few seeds to assign a label: {len(result.seeds)} were run, {SEEDS_NEEDED} are needed.", ""]
    head = [
        "Mechanism",
        *(f"{g} ({result.targets[g]})" for g in groups),
        "claims",
        "`k_kill` without (with)",
        "Tested by",
    ]
    rows = []
    for row in result.rows:
        cells = []
        for g in groups:
            d = row.differences.get(g)
            cells.append("–" if d is None else f"{d.mean:+.3f}" + ("" if d.se is None else f" ± {d.se:.3f}"))
        moved = f"{row.moved[0]:+.2f} ({row.moved[1]:+.2f})"
        said = f"cannot be switched off: {row.why}" if row.why else row.label or "not decided"
        rows.append([f"`{row.mechanism}`", *cells, str(row.claims), moved, said])
    counts = [f"{label}: {sum(r.label == label for r in result.rows)}" for label in LABELS]
    undecided = f"not decided: {sum(not r.label for r in result.rows)}."
    return "\n".join([*lines, *markdown_table(head, rows), f"{'; '.join(counts)}; {undecided}", ""])
