"""Assembled models that are read from disk, and the way into the engine that leaves SBML text out."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from immunescape.engine.codegen.c.generate import generate
from immunescape.engine.ir.analysis import analyse
from immunescape.engine.ir.system import System
from immunescape.engine.sbml.reader import read_sbml
from immunescape.model import stored
from immunescape.model.assembly import Model
from immunescape.model.parameters import table_path
from immunescape.model.registry import drugs
from immunescape.model.selection import select
from immunescape.model.stored import registered_model, untreated_model
from immunescape.model.system import model_system

DRUGS = ("pembrolizumab", "docetaxel")


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IMMUNESCAPE_CACHE", str(tmp_path / "cache"))
    registered_model.cache_clear()
    yield tmp_path / "cache"
    registered_model.cache_clear()


def generated(system: System) -> list[tuple[str, str]]:
    files: list[tuple[str, str]] = []
    plan = analyse(system)
    assert not isinstance(plan, str)
    generate(plan, method="rodas5p", derivatives=None, emit=lambda name, content: files.append((name, content)))
    return files


@pytest.mark.parametrize("names", [(), tuple(drugs())], ids=["no drugs", "all drugs"])
def test_a_model_is_the_same_system_with_and_without_the_way_through_sbml(names):
    model = Model.build(drugs=names, check_units=not names)
    read, direct = read_sbml(model.to_sbml()), model_system(model)
    assert direct.digest == read.digest
    for field in fields(System):
        assert getattr(direct, field.name) == getattr(read, field.name), field.name
    assert list(direct.parameters) == list(read.parameters)


def test_both_ways_generate_the_same_c():
    model = registered_model(())
    assert generated(model_system(model)) == generated(read_sbml(model.to_sbml()))


def test_a_model_from_disk_is_the_one_that_was_assembled(empty_cache, monkeypatch):
    first = registered_model(DRUGS)
    registered_model.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(Model, "build", lambda *_, **__: pytest.fail("it was assembled again"))
        again = registered_model(DRUGS)
    fresh = Model.build(drugs=DRUGS, check_units=False)
    assert again is not first
    for field in fields(Model):
        if field.name != "registered":
            assert getattr(again, field.name) == getattr(fresh, field.name), field.name
    for table in ("states", "parameters", "quantities", "reactions", "events"):  # some are written in this order
        assert list(getattr(again, table)) == list(getattr(fresh, table))
    assert again.to_sbml() == fresh.to_sbml()
    states, other = again.initial(), fresh.initial()
    np.testing.assert_array_equal(list(states.values()), list(other.values()))
    assert again.derivatives(states) == fresh.derivatives(other)
    assert untreated_model(again).to_sbml() == untreated_model(fresh).to_sbml()


def test_a_damaged_model_on_disk_is_assembled_again(empty_cache):
    text = registered_model(()).to_sbml()
    (content,) = empty_cache.glob("*/model.json")
    content.write_text(content.read_text(encoding="utf-8").replace("day", "dya", 1), encoding="utf-8")
    registered_model.cache_clear()
    assert registered_model(()).to_sbml() == text
    assert "dya" not in content.read_text(encoding="utf-8")


def test_what_a_model_is_made_of_decides_which_one_is_read(tmp_path, monkeypatch):
    parts = select(None, DRUGS, ())
    key = stored._key(parts)
    assert stored._key(select(None, DRUGS, ())) == key
    assert stored._key(select(None, DRUGS[:1], ())) != key
    first = parts[0]
    renamed = replace(first, summary=f"{first.summary} And more.")  # as another version of a plug-in would
    assert stored._key([renamed, *parts[1:]]) != key
    table = tmp_path / "own.csv"
    table.write_bytes(table_path(first.parameters).read_bytes())
    moved = replace(first, parameters=table)
    before = stored._key([moved, *parts[1:]])
    table.write_text(table.read_text(encoding="utf-8").replace("0", "1", 1), encoding="utf-8")
    assert stored._key([moved, *parts[1:]]) != before
    strengths = tmp_path / "strengths.csv"
    strengths.write_text(stored.strengths_file("none").read_text(encoding="utf-8") + "\n", encoding="utf-8")
    monkeypatch.setattr(stored, "strengths_file", lambda _: Path(strengths))
    assert stored._key(parts) != key
