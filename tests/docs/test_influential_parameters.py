"""The page on uncertainty: the most influential assumed parameters as the model has them, each with its source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from immunescape.knowledge.references import load_references
from immunescape.model.assembly import Model
from immunescape.model.parameters import Parameter

PAGE = Path(__file__).parents[2] / "docs" / "uncertainty.md"
RANKED = re.compile(r"^\| (\d+) \| `(\w+)` \((\w+)\) \| ([\d.e+-]+)[^|]* \| ([^|]+) \|", re.MULTILINE)


@pytest.fixture(scope="module")
def parameters() -> Mapping[str, Parameter]:
    """The parameters as the released model has them."""
    return Model.build(drugs=(), specificity="full").parameters


def test_the_ten_most_influential_assumed_parameters_are_those_of_the_model(
    parameters: Mapping[str, Parameter],
) -> None:
    rows = RANKED.findall(PAGE.read_text(encoding="utf-8"))
    assert [int(rank) for rank, *_ in rows] == list(range(1, 11))
    for _, name, _mechanism, value, basis in rows:
        parameter = parameters[name]
        assert parameter.grade == "assumed", name
        assert float(value) == parameter.value, name
        assert basis == parameter.basis, name


def test_each_range_has_a_source_that_its_parameter_names_a_place_and_whether_it_was_seen(
    parameters: Mapping[str, Parameter],
) -> None:
    text = PAGE.read_text(encoding="utf-8")
    ranked = {name for _, name, *_ in RANKED.findall(text)}
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| \{cite:p\}`([^`]+)` \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
    ranged = set()
    for names, keys, place, seen in rows:
        assert len(place.strip()) > 8
        assert re.match(r"yes|no|abstracts yes|second-hand", seen.strip())
        for name in re.findall(r"`(\w+)`", names):
            parameter = parameters[name]
            cited = {*parameter.sources, *re.findall(r"[a-z]+\d{4}\w*", parameter.note)}
            assert set(keys.split(",")) <= cited & set(load_references()), name
            ranged.add(name)
    relative = {"cd8_infiltration", "pdl1_tumour", "activity_glycolysis"}
    assert ranked - ranged == relative
    assert all(parameters[n].value == 1.0 for n in relative)  # by definition
