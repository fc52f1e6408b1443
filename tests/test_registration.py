"""One convention of registration: names taken once, nearest names, tags, and a table of what there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from immunescape.errors import ImmunescapeError, InputError, ModelError
from immunescape.model.registry import DRUGS, MECHANISMS
from immunescape.profile.biomarkers.registry import BIOMARKERS
from immunescape.profile.readers._base import READERS
from immunescape.registry import Entry, Registry


@dataclass(frozen=True)
class Tool:
    """Something with a name."""

    name: str
    reads: tuple[str, ...] = ()
    fast: bool = False
    function: Callable[[], None] | None = None


def tools() -> Registry[Tool]:
    registry = Registry("tool", Tool, tags=lambda t: {"reads": t.reads, "fast": t.fast})
    registry.add(Tool("comb", ("hair",)), "one.comb")
    registry.add(Tool("brush", ("hair", "teeth"), fast=True), "one.brush")
    return registry


def test_a_name_is_taken_once_and_the_error_names_both_places() -> None:
    registry = tools()
    with pytest.raises(ModelError, match=r"two\.comb: tool 'comb' is already registered by one\.comb"):
        registry.add(Tool("comb", ("fur",)), "two.comb")
    assert registry.get("comb").reads == ("hair",)


def test_what_is_read_from_files_is_registered_with_its_line() -> None:
    rows = [Entry(Tool("comb"), "tools.csv, line 2"), Entry(Tool("brush"), "tools.csv, line 3")]
    registry = Registry("tool", Tool, read=lambda: rows, error=InputError)
    assert [(name, e.where) for name, e in registry.entries().items()] == [
        ("comb", "tools.csv, line 2"),
        ("brush", "tools.csv, line 3"),
    ]
    rows.append(Entry(Tool("comb", fast=True), "tools.csv, line 4"))
    twice = Registry("tool", Tool, read=lambda: rows, error=InputError)
    with pytest.raises(InputError, match=r"line 4: tool 'comb' is already registered by tools\.csv, line 2"):
        twice.all()


def test_the_same_object_may_be_announced_twice() -> None:
    registry = tools()
    registry.add(registry.get("comb"), "one.comb")
    assert list(registry.all()) == ["comb", "brush"]


def test_what_is_added_after_the_first_look_is_seen() -> None:
    registry = tools()
    assert len(registry.all()) == 2
    registry.add(Tool("razor"))
    assert registry.get("razor").name == "razor"


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown tool 'brash'(.|\n)*'brush'"):
        tools().get("brash")


def test_the_table_is_searched_by_tags() -> None:
    registry = tools()
    assert [r["name"] for r in registry.table()] == ["comb", "brush"]
    assert [r["name"] for r in registry.table(reads="teeth")] == ["brush"]
    assert [r["name"] for r in registry.table(reads="hair", fast=False)] == ["comb"]
    assert registry.table()[0]["origin"] == "one.comb"
    with pytest.raises(InputError, match="unknown tag of a tool 'read'"):
        registry.table(read="hair")


def test_an_object_of_another_class_is_refused() -> None:
    with pytest.raises(ModelError, match="this is str, not Tool"):
        tools().add("comb")  # type: ignore[arg-type]


def test_a_second_reader_of_a_format_is_refused_and_the_first_stays() -> None:
    from immunescape.profile.readers import get_reader, reader

    first = get_reader("maf")
    with pytest.raises(ImmunescapeError, match="format 'maf' is already registered by immunescape"):
        reader("maf", "a second one", ("mutations",))(lambda path, options: None)  # type: ignore[arg-type, return-value]
    assert get_reader("maf") is first


@pytest.mark.parametrize(
    ("registry", "tag", "value", "name"),
    [
        (MECHANISMS, "requires", "mdsc", "arginine"),
        (DRUGS, "targets", "PD-1", "pembrolizumab"),
        (BIOMARKERS, "needs", "mutations", "tmb"),
        (READERS, "gives", "mutations", "maf"),
    ],
)
def test_every_register_is_searched_the_same_way(registry: Registry[Tool], tag: str, value: str, name: str) -> None:
    assert name in {row["name"] for row in registry.table(**{tag: value})}
