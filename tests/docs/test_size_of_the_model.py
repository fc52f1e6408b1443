"""The page on the model states the size of the released model."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from immunescape.model.assembly import Model
from immunescape.model.registry import drugs, mechanisms
from immunescape.trial.loading import load_trial

PAGE = Path(__file__).parents[2] / "docs" / "model.md"


@pytest.mark.parametrize("title", ["no drugs", "virtual KEYNOTE-024", "all drugs"])
def test_the_page_states_states_reactions_and_parameters_by_grade(title: str) -> None:
    given = {"no drugs": (), "virtual KEYNOTE-024": load_trial("keynote-024").drugs, "all drugs": tuple(drugs())}[title]
    model = Model.build(drugs=given, specificity="full", check_units=False)
    grades = Counter(p.grade for p in model.parameters.values())
    numbers = [len(mechanisms()), len(given), len(model.states), len(model.reactions), len(model.parameters)]
    numbers += [grades[grade] for grade in ("measured", "fitted", "assumed", "defined")]
    row = re.search(rf"^\| {title} \|(.+)\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert row is not None
    assert [int(cell) for cell in row[1].split("|")] == numbers
