"""Shares of assumed values that the README states are those of the parameter tables."""

from __future__ import annotations

import re
from pathlib import Path

import immunescape
from immunescape.model.parameters import load_parameters

README = Path(__file__).parents[2] / "README.md"
MODEL = Path(immunescape.__file__).parent / "model"


def test_the_readme_states_the_share_of_assumed_parameters_and_of_those_with_a_direction() -> None:
    text = " ".join(README.read_text(encoding="utf-8").split())
    stated = re.search(r"(\d+) % of the parameters are assumed, half of these with their direction from a source", text)
    assert stated is not None
    tables = [p for p in (MODEL / "parameters").glob("*.csv") if not p.name.startswith("reference_strengths")]
    tables += (MODEL / "drugs").glob("*/parameters.csv")
    assert len(tables) > 100
    every = [p for table in tables for p in load_parameters(table, "").values()]
    assumed = [p for p in every if p.grade == "assumed"]
    assert abs(100 * len(assumed) / len(every) - int(stated[1])) < 1.0
    directed = sum(p.basis.startswith("assumed, direction from") for p in assumed)
    assert abs(directed / len(assumed) - 0.5) < 0.05
