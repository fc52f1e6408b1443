"""Tables on a terminal and in a pipe: no word is broken, whatever the width."""

from __future__ import annotations

import re
from typing import Any

import pytest
from rich import console as rich_console

from immunescape.console import print_table

ROWS: list[dict[str, Any]] = [
    {
        "Hypothesis": "overall survival",
        "Look": 1,
        "At": "150 os events",
        "Test": "fleming-harrington(0, 1)",
        "Information": "0.500",
        "Efficacy Z": "2.9626",
        "Nominal p": "0.00153",
        "Futility Z": "0.500",
        "Population": "mechanism-matched, antigen-presentation",
        "Events": "150",
    },
    {
        "Hypothesis": "progression-free",
        "Look": 2,
        "At": "300 os events",
        "Test": "log-rank",
        "Information": "1.000",
        "Efficacy Z": "1.9686",
        "Nominal p": "0.02450",
        "Futility Z": "–",
        "Population": "all",
        "Events": "300",
    },
]
WORDS = {word for row in ROWS for text in (*row, *map(str, row.values())) for word in text.split()}


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
@pytest.mark.parametrize("terminal", [False, True])
def test_no_word_is_broken(
    columns: int, terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(rich_console.Console, "is_terminal", property(lambda self: terminal))
    print_table("Looks and boundaries", ROWS)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)  # colours of a terminal
    assert WORDS <= {w.strip(":") for w in shown.split()}
    assert "Looks and boundaries" in shown


def test_a_table_that_fits_stays_within_the_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows = [{"What": "one sentence of many words that has to be wrapped to fit into eighty columns " * 2, "n": 12}]
    print_table("Notes", rows)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) > 3


def test_square_brackets_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Sources [reck2016]", [{"Key [a]": "[bold]x[/bold]"}])
    shown = capsys.readouterr().out
    assert "[reck2016]" in shown
    assert "Key [a]" in shown
    assert "[bold]x[/bold]" in shown


def test_a_pipe_receives_each_row_as_one_line(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    note = "a long note " * 30
    print_table("Drugs", [{"name": "cyclophosphamide", "note": note.strip()}, {"name": "cisplatin", "note": "short"}])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4  # title, header, two rows
    assert lines[2].startswith("cyclophosphamide  a long note")
    assert lines[2].rstrip().endswith("long note")
