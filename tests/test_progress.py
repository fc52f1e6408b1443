"""Progress where standard error is a file or a pipe: a line every half minute, and none that says nothing new."""

from __future__ import annotations

from immunescape.cli import running


def test_a_line_is_printed_every_half_minute_where_there_is_no_terminal(monkeypatch, capsys) -> None:
    clock = [0.0]
    monkeypatch.setattr(running.time, "monotonic", lambda: clock[0])
    assert running.SILENCE == 30.0
    with running.Progress(quiet=False) as advance:
        for second in range(1, 101):
            clock[0] = float(second)
            advance(second, 100)
    assert capsys.readouterr().err.splitlines() == [
        "30 of 100 virtual patients",
        "60 of 100 virtual patients",
        "90 of 100 virtual patients",
    ]


def test_nothing_is_printed_where_json_is_asked_for() -> None:
    with running.Progress(quiet=True) as advance:
        assert advance is None
