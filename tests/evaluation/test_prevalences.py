"""Published prevalences of suppressive axes beside the assumed ones."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest

import immunescape
from immunescape.errors import InputError
from immunescape.evaluation import prevalences
from immunescape.evaluation.prevalences import (
    compare_prevalences,
    prevalence_table,
    published_prevalences,
    renew_page,
)
from immunescape.knowledge.references import load_references
from immunescape.model.suppression import axes

SOURCE = Path(immunescape.__file__).parent
TABLE = SOURCE / "evaluation" / "published_prevalences.csv"
PAGE = Path(__file__).parents[2] / "docs" / "specificity.md"
HEAD = "axis,measured,method,n,low,high,histology,source,checked,note\n"
STUDY = "ido1,IDO-1 expressed,immunofluorescence,100,0.4,0.4,NSCLC,schalper2017,source,\n"


def test_each_axis_has_a_published_share_or_a_reason_for_having_none() -> None:
    rows = published_prevalences()
    references = load_references()
    assert {row.axis for row in rows} == {axis.name for axis in axes()}
    for row in rows:
        if row.low is None:
            assert re.fullmatch(r"no published scale: .{20,}", row.note), row.axis
        else:
            assert row.high is not None
            assert 0.0 <= row.low <= row.high <= 1.0, row.axis
            assert references[row.source].fields["year"], row.axis


def test_counts_in_a_note_give_the_share_beside_them() -> None:
    counted = 0
    for row in published_prevalences():
        if match := re.match(r"(\d+) of (\d+)\b", row.note):
            assert row.low == row.high == pytest.approx(int(match[1]) / int(match[2]), abs=6e-4), row
            assert row.n in (None, int(match[2])), row
            counted += 1
    assert counted > 20


def test_limits_of_a_share_are_the_exact_ones_of_its_tumours() -> None:
    stats = pytest.importorskip("scipy.stats")
    study = next(row for row in published_prevalences() if row.source == "oyama2022")
    exact = stats.binomtest(37, 96).proportion_ci(0.95, method="exact")
    assert study.limits == pytest.approx((exact.low, exact.high), abs=1e-9)
    assert replace(study, n=None).limits == (study.low, study.high)


@pytest.mark.parametrize(("assumed", "position"), [(0.05, "below"), (0.31, "inside"), (0.45, "inside"), (0.9, "above")])
def test_a_share_is_put_beside_the_range_of_all_studies_of_its_axis(assumed: float, position: str) -> None:
    axis = replace(next(a for a in axes() if a.name == "ido1"), prevalence=assumed)
    study = next(row for row in published_prevalences() if row.axis == "ido1")
    studies = [replace(study, n=None, low=0.3, high=0.35), replace(study, n=None, low=0.5, high=0.5)]
    (row,) = compare_prevalences([axis], studies)
    assert (row.low, row.high, row.position) == (0.3, 0.5, position)


def test_the_page_shows_the_table_as_it_is_now() -> None:
    """Renew it with ``python -m immunescape.evaluation.prevalences docs/specificity.md``."""
    assert prevalence_table() in PAGE.read_text(encoding="utf-8")


def test_the_counts_on_the_page_are_those_of_its_rows_and_its_shares_those_of_the_model() -> None:
    text = PAGE.read_text(encoding="utf-8")
    stated = re.search(
        r"Of (\d+) axes, .* published range for (\d+), below it\s+for (\d+) and above it for (\d+); for (\d+) no",
        text,
    )
    assert stated is not None
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \((\w+)\) \| [^|]* \| (inside|below|above|none) \|", text, re.MULTILINE)
    positions = [row[3] for row in rows]
    assert [int(n) for n in stated.groups()] == [
        len(rows),
        *(positions.count(word) for word in ("inside", "below", "above", "none")),
    ]
    with (SOURCE / "model" / "suppression.csv").open(encoding="utf-8", newline="") as file:
        model = [(r["axis"], f"{100 * float(r['prevalence']):.0f}", r["grade"]) for r in csv.DictReader(file)]
    assert [row[:3] for row in rows] == model


def test_only_the_comparison_reads_the_published_shares() -> None:
    readers = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if re.search(r"published_prevalences|evaluation\.prevalences", path.read_text(encoding="utf-8"))
    ]
    assert readers == ["evaluation/prevalences.py"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ido1,", "ido2,", r"line 2: unknown axis 'ido2'(.|\n)*ido1"),
        ("0.4,0.4", "0.4,1.2", r"line 2: the shares 0\.4 to 1\.2 are not within 0 to 1"),
        ("0.4,0.4", "0.4,0.3", r"line 2: the shares 0\.4 to 0\.3 are not within 0 to 1 in ascending order"),
        ("0.4,0.4", "0.4,nan", r"line 2: 'nan' in column 'high' is not a number"),
        ("0.4,0.4", "0.4,", r"line 2: the row has no high"),
        ("schalper2017", "schalper2018", r"line 2: (.|\n)*schalper2018(.|\n)*schalper2017"),
        ("schalper2017", "", r"line 2: the row has no source"),
        (",source,", ",sourc,", r"line 2: unknown checked 'sourc'(.|\n)*source"),
        (",source,", ",,", r"line 2: the row has no checked"),
        (",100,", ",0,", r"line 2: '0' is not a number of tumours"),
        (",100,", ",9.5,", r"line 2: '9.5' is not a number of tumours"),
        ("IDO-1 expressed", "", r"line 2: the row has no measured"),
        (STUDY, "ido1,,,,,,,,,not looked up\n", r"line 2: a row without a share needs a note that begins with"),
        (STUDY, STUDY + "ido1,,,,,,,,,no published scale: x\n", r"line 3: 'ido1' has a row that says why"),
        (STUDY, "", r"no row for ido1(.|\n)*Enter a study, or a note"),
    ],
)
def test_a_row_that_is_wrong_is_refused_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in HEAD + STUDY
    path = tmp_path / "published.csv"
    path.write_text(HEAD + STUDY.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        published_prevalences(path, ("ido1",))


def test_a_page_is_renewed_between_its_marks_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{prevalences._BEGIN}\nold\n{prevalences._END}\nafter\n", encoding="utf-8")
    renew_page(page)
    first = page.read_text(encoding="utf-8")
    renew_page(page)
    assert page.read_text(encoding="utf-8") == first
    assert first.startswith("before\n")
    assert first.endswith("\nafter\n")
    assert "old" not in first
    assert prevalence_table() in first
    page.write_text("no marks", encoding="utf-8")
    with pytest.raises(InputError, match="the page has no '<!-- published prevalences"):
        renew_page(page)
