"""Statements that must not hold: verdicts, and that a model without the guard violates what the model respects."""

from __future__ import annotations

import json

import pytest

from immunescape.errors import InputError
from immunescape.evaluation.effects import Effect
from immunescape.evaluation.must_not import run_must_not, select_must_not, verdict
from immunescape.knowledge.must_not_records import load_must_not


def effect(value: float, low: float, high: float, measure: str = "ratio") -> Effect:
    return Effect(value, low, high, 50, measure)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "must_not", "expected"),
    [
        ((1.0, 0.99, 1.01), "decrease", "respected"),
        ((0.8, 0.75, 0.85), "decrease", "violated"),
        ((0.8, 0.75, 0.85), "increase", "respected"),
        ((0.95, 0.85, 1.05), "decrease", "undecided"),
        ((0.85, 0.70, 1.05), "decrease", "undecided"),
        ((1.3, 1.2, 1.4), "change", "violated"),
        ((1.3, 1.2, 1.4), "decrease", "respected"),
        ((float("nan"), float("nan"), float("nan")), "change", "undecided"),
    ],
)
def test_verdicts(value, must_not, expected) -> None:
    assert verdict(effect(*value), must_not, 0.9, 1.1) == expected


def test_what_keeps_a_statement_from_holding_is_shown_by_taking_it_away() -> None:
    """MHC-I of B2M-null cells cannot be raised; without the mechanism there are no such cells, and it can."""
    chosen = select_must_not(["b2m-null-nlrc5-mhc1", "nlrc5-mhc2"])
    result = run_must_not(chosen, patients=6, seed=1)
    first = result.statements[0]
    assert first.verdict == "respected"
    assert first.ablated["antigen_presentation"][1] == "violated"
    assert first.can_fail
    counts = json.loads(json.dumps(result.to_json(), allow_nan=False))["counts"]
    assert counts["statements"] == 2
    assert counts["respected"] + counts["violated"] + counts["undecided"] == 2


def test_an_unknown_statement_is_refused_with_the_nearest() -> None:
    name = load_must_not()[0].id
    with pytest.raises(InputError, match=name):
        select_must_not([name[:-1]])


def test_reports_are_written(tmp_path) -> None:
    from immunescape.report.must_not_report import print_must_not, write_must_not

    result = run_must_not(select_must_not(["nlrc5-mhc2"]), patients=4, seed=1)
    text = write_must_not(result, tmp_path / "must_not.html", "notice").read_text(encoding="utf-8")
    assert "nlrc5-mhc2" in text
    print_must_not(result)
