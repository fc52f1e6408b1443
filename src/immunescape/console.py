"""What every command prints with: tables for the terminal and for Markdown, and the notice on research software."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["NOTICE", "markdown_table", "print_table"]

NOTICE = (
    "immunescape is research software. It is not a medical device, it has not been validated for clinical use, and "
    "nothing that it prints is treatment advice."
)


def markdown_table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """Return the lines of a Markdown table, an empty one at the end; cells must already be escaped."""
    names = list(head)
    body = ["| " + " | ".join(str(c) for c in row) + " |" for row in rows]
    return ["| " + " | ".join(names) + " |", "|" + "---|" * len(names), *body, ""]


def print_table(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print rows as a table that fits the terminal and breaks no word.

    Where the longest words of the columns do not fit side by side, a terminal shows each row as a list of its own. A
    file or pipe receives each row as one line, however long, for `grep` and the like, unless ``COLUMNS`` is set.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not rows:
        console.print(f"{title}: none")
        return
    shown = [[f"{v:g}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows]
    columns = [[name, *(cells[k] for cells in shown)] for k, name in enumerate(rows[0])]
    longest = [max((len(token) for text in texts for token in text.split()), default=1) for texts in columns]
    widest = [max(len(line) for text in texts for line in (text.splitlines() or [""])) for texts in columns]
    # two spaces between columns, one where that is what makes the longest words fit
    gap = 2 if sum(longest) + 2 * (len(columns) - 1) <= console.width else 1
    least = sum(longest) + gap * (len(columns) - 1)
    if least > console.width and console.is_terminal:
        console.print(title, style="bold", markup=False)
        for cells in shown:
            for name, text in zip(rows[0], cells, strict=True):
                console.print(f"  {name}: {text}", markup=False, highlight=False)
            console.print()
        return
    if not (console.is_terminal or console.is_jupyter or os.environ.get("COLUMNS")):
        gap, widths = 2, widest
    else:
        widths = _column_widths(longest, widest, console.width - gap * (len(columns) - 1))
    console = Console(width=max(sum(widths) + gap * (len(columns) - 1), len(title)))
    table = Table(
        title=Text(title), title_justify="left", header_style="bold", box=None, pad_edge=False, padding=(0, gap, 0, 0)
    )
    for column, width in zip(rows[0], widths, strict=True):
        numeric = all(isinstance(r[column], int | float) for r in rows)
        table.add_column(Text(column), justify="right" if numeric else "left", width=width)
    for cells in shown:
        table.add_row(*[Text(text) for text in cells])
    console.print(table)


def _column_widths(longest: list[int], widest: list[int], available: int) -> list[int]:
    """Widths of columns: at least their longest word, at most their widest text, together `available` if enough.

    What is left after the longest words goes, character by character, to the column that would otherwise need the most
    lines.
    """
    widths = list(longest)
    while sum(widths) < available:
        lines = [wide / width if width < wide else 0.0 for wide, width in zip(widest, widths, strict=True)]
        if max(lines) <= 0:
            break
        widths[lines.index(max(lines))] += 1
    return widths
