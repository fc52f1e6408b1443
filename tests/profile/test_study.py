"""The records and the study."""

from __future__ import annotations

import pandas as pd
import pytest

from immunescape.errors import InputError
from immunescape.knowledge.profile_records import Call, Evidence, Measurement
from immunescape.profile.study import COLUMNS, Panel, Study, empty_table


def test_value_and_status_agree() -> None:
    ok = Measurement("tmb", 9.5, "1/Mb", "measured", method="count", low=5.0, high=16.0, coverage=1.0)
    assert ok.value == 9.5
    for bad in (
        {"value": None, "status": "measured"},
        {"value": 1.0, "status": "not_assessable", "note": "x"},
        {"value": None, "status": "not_assessable"},
        {"value": float("nan"), "status": "measured"},
        {"value": 1.0, "status": "measured", "coverage": 1.2},
        {"value": 1.0, "status": "measured", "low": 2.0, "high": 1.0},
        {"value": 1.0, "status": "measured", "percentile": 50.0},
    ):
        fields = {"name": "tmb", "unit": "1/Mb", "method": "count", **bad}
        with pytest.raises(InputError):
            Measurement(**fields)  # type: ignore[arg-type]
    missing = Measurement.not_assessable("tmb", "1/Mb", "no panel")
    assert missing.value is None
    assert missing.note == "no panel"


def test_words_answer_with_the_nearest() -> None:
    with pytest.raises(InputError, match="'absent'"):
        Call("b2m", "absnt")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="neither"):
        Evidence("x", None, "", "neithr")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", sorted(COLUMNS))
def test_empty_tables_have_their_columns(kind: str) -> None:
    assert list(empty_table(kind).columns) == list(COLUMNS[kind])
    assert not Study().has(kind)
    assert Study(given={kind}).has(kind)


def test_unknown_kind_answers_with_the_nearest() -> None:
    with pytest.raises(InputError, match="mutations"):
        Study().has("mutation")


def test_coverage_of_a_gene_is_true_false_or_unknown() -> None:
    study = Study(
        patients=pd.DataFrame({"patient": ["a", "b", "c", "d"]}),
        samples=pd.DataFrame(
            {
                "sample": ["a1", "b1", "c1", "d1"],
                "patient": ["a", "b", "c", "d"],
                "panel": ["full", "part", None, "wes"],
                "panel_cna": None,
                "panel_sv": None,
            }
        ),
        panels={
            "full": Panel("full", genes=frozenset({"B2M"}), megabases=1.0),
            "part": Panel("part", genes=frozenset({"TP53"}), megabases=1.0, complete=False),
            "wes": Panel("wes", whole_exome=True),
        },
        given={"mutations", "samples", "patients"},
    )
    assert study.covered("B2M") == {"a": True, "b": None, "c": None, "d": True}
    assert study.covered("TP53") == {"a": False, "b": True, "c": None, "d": True}
    assert study.covered("TP53", "copy_number") == dict.fromkeys("abcd")
    study.assessed["mutations"] = frozenset({"b1"})
    assert study.covered("TP53") == {"a": False, "b": True, "c": False, "d": False}
