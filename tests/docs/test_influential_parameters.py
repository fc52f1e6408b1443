"""The page on uncertainty: the most influential assumed parameters as the tables have them, each with its source."""

from __future__ import annotations

import re
from pathlib import Path

import immunescape
from immunescape.knowledge.references import load_references
from immunescape.model.parameters import load_parameters

PAGE = Path(__file__).parents[2] / "docs" / "uncertainty.md"
TABLES = Path(immunescape.__file__).parent / "model" / "parameters"
RANKED = re.compile(r"^\| (\d+) \| `(\w+)` \((\w+)\) \| ([\d.e+-]+)[^|]* \| ([^|]+) \|", re.MULTILINE)


def test_the_ten_most_influential_assumed_parameters_are_those_of_the_tables() -> None:
    rows = RANKED.findall(PAGE.read_text(encoding="utf-8"))
    assert [int(rank) for rank, *_ in rows] == list(range(1, 11))
    for _, name, mechanism, value, basis in rows:
        parameter = load_parameters(TABLES / f"{mechanism}.csv", "")[name]
        assert parameter.grade == "assumed", name
        assert float(value) == parameter.value, name
        assert basis == parameter.basis, name


def test_each_range_has_a_source_that_its_parameter_names_a_place_and_whether_it_was_seen() -> None:
    text = PAGE.read_text(encoding="utf-8")
    mechanism = {name: table for _, name, table, *_ in RANKED.findall(text)}
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| \{cite:p\}`([^`]+)` \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
    ranged = set()
    for names, keys, place, seen in rows:
        assert len(place.strip()) > 8
        assert re.match(r"yes|no|abstracts yes|second-hand", seen.strip())
        for name in re.findall(r"`(\w+)`", names):
            parameter = load_parameters(TABLES / f"{mechanism[name]}.csv", "")[name]
            cited = {*parameter.sources, *re.findall(r"[a-z]+\d{4}\w*", parameter.note)}
            assert set(keys.split(",")) <= cited & set(load_references()), name
            ranged.add(name)
    relative = {"cd8_infiltration", "pdl1_tumour", "hla_allele_1", "nlrc5_activity"}
    assert set(mechanism) - ranged == relative
    assert all(load_parameters(TABLES / f"{mechanism[n]}.csv", "")[n].value == 1.0 for n in relative)  # by definition
