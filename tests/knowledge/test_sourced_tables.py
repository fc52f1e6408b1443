"""Curated tables: one loader, whose errors name file, line, and what is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import immunescape
from immunescape.errors import InputError, ModelError
from immunescape.knowledge.tables import DATA, lines_of_cells, parse_rows, read_rows

TABLE = """# a comment
name,value,unit,source,grade,note
a,1.5,mg,smith2020; assumed,assumed,"one, two"

b,,mg,smith2020,measured,
"""


def test_a_row_gives_numbers_words_and_sources() -> None:
    first, second = parse_rows(TABLE, None, "t.csv")
    assert first.number("value") == 1.5
    assert first["note"] == "one, two"
    assert first.sources == ("smith2020",)
    assert second.number_or_none("value") is None
    assert second.where == "t.csv, line 5"
    assert dict(second)["unit"] == "mg"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("a,1.5,mg,", "a,1.5,,", r"t\.csv, line 3: the row has no unit"),
        ("smith2020; assumed,assumed", ",assumed", r"t\.csv, line 3: the row has no source"),
        ("measured", "measurd", r"line 5: unknown grade 'measurd'(.|\n)*'measured'"),
        ('"one, two"', "one, two", r"line 3: a row has 6 cells, this one 7(.|\n)*needs quotes"),
        ("name,value", "nam,value", r"line 2: the columns must be name,value,unit,source,grade,note"),
    ],
)
def test_a_row_that_lacks_something_is_refused(old: str, new: str, message: str) -> None:
    assert old in TABLE
    with pytest.raises(InputError, match=message):
        parse_rows(TABLE.replace(old, new, 1), ("name", "value", "unit", "source", "grade", "note"), "t.csv")


@pytest.mark.parametrize("text", ["many", "nan", "inf"])
def test_a_cell_that_is_no_finite_number_is_refused(text: str) -> None:
    row = parse_rows(TABLE.replace("1.5", text), None, "t.csv", error=ModelError)[0]
    with pytest.raises(ModelError, match=rf"t\.csv, line 3: '{text}' in column 'value' is not a number"):
        row.number("value")


def test_a_word_outside_its_list_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown kind 'mg'"):
        parse_rows(TABLE, None, "t.csv")[0].choice("unit", ("g", "kg"), "kind")


@pytest.mark.parametrize("path", sorted(DATA.glob("*.csv")), ids=lambda p: p.stem)
def test_every_table_that_ships_is_read_by_the_one_loader(path) -> None:
    assert read_rows(path, may_lack=("unit",))


def test_cells_may_be_separated_by_tabs_and_comments_keep_the_count_of_lines() -> None:
    text = "# of genes\nsymbol\tentrez\n\nA1BG\t 1 \n"
    (row,) = parse_rows(text, ("symbol", "entrez"), "g.tsv", separator="\t")
    assert dict(row) == {"symbol": "A1BG", "entrez": "1"}
    assert row.where == "g.tsv, line 4"
    assert list(lines_of_cells(text, "\t")) == [(2, ["symbol", "entrez"]), (4, ["A1BG", "1"])]


READERS_OF_OTHER_FILES = {
    "engine/oracle/sbml_suite.py": "expected results of the SBML Test Suite, in its own layout",
    "evaluation/cohort_response.py": "patients of a data folder",
    "evaluation/harness/real.py": "patients of a data folder",
    "evaluation/harness/tables.py": "published trials of a data folder",
    "evaluation/kinetics.py": "lesions of a data folder",
    "evaluation/outcome_targets.py": "tumours of a data folder",
    "evaluation/targets.py": "patients of a data folder",
    "predictions/ledger.py": "a ledger, of which every row is covered by a hash",
    "profile/biomarkers/expression/frozen_reference.py": "an expression reference as it was built, covered by a hash",
    "profile/readers/_text.py": "files of a study, with any separator",
    "profile/readers/expression.py": "files of a study, with any separator",
    "trial/curves.py": "survival curves of a user",
    "trial/runner.py": "every table at once, for the hash over the numbers",
}
"""Modules with a reader of CSV of their own, and what they read: no curated table of the package."""


def test_tables_of_the_package_have_no_other_reader_than_the_one_loader() -> None:
    package = Path(immunescape.__file__).parent
    readers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"\bcsv\.(reader|DictReader)\(|\bpd\.read_(csv|table|fwf)\(", path.read_text(encoding="utf-8"))
    }
    assert readers - {"knowledge/tables.py"} == set(READERS_OF_OTHER_FILES)
