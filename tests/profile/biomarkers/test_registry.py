from __future__ import annotations

import pandas as pd
import pytest

from immunescape.errors import InputError
from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers import Biomarker, measure, shared, values_frame
from immunescape.profile.study import Study


def _study() -> Study:
    patients = pd.DataFrame({"patient": ["a", "b"]}, dtype=object)
    return Study(patients=patients, given={"patients", "labs"})


def _biomarker(needs: tuple[str, ...] = ("labs",)) -> Biomarker:
    def function(study: Study) -> dict[str, Measurement]:
        return {"a": Measurement("toy", 2.0, "1", "measured", method="made up")}

    return Biomarker(
        name="toy", title="Toy", family="toy", unit="1", definition="A number.", function=function, needs=needs
    )


def test_nobody_is_left_out_and_absent_kinds_are_not_assessable():
    found = _biomarker()(_study())
    assert found["a"].value == 2.0
    assert found["b"].status == "not_assessable"
    absent = _biomarker(("tcr", "ctdna"))(_study())
    assert {m.note for m in absent.values()} == {"no tcr or ctdna file was given"}


def test_unnames_of_same_trial_answer_with_the_nearest():
    with pytest.raises(InputError, match="Did you mean"):
        measure(_study(), ["pdl1_tp"])


def test_shared_work_is_done_once_inside_measure_only():
    calls: list[int] = []
    study = _study()

    def make(s: Study) -> int:
        calls.append(1)
        return len(calls)

    shared(study, "x", make)
    shared(study, "x", make)
    assert len(calls) == 2


def test_values_frame_keeps_numbers_words_and_gaps_apart():
    number = Measurement("n", 1.5, "1", "measured", method="m")
    word = Measurement("w", "wild_type", "", "measured", method="m")
    gap = Measurement.not_assessable("n", "1", "nothing given")
    frame = values_frame({"n": {"a": number, "b": gap}, "w": {"a": word}})
    assert frame["n"].dtype == float
    assert frame.loc["a", "w"] == "wild_type"
    assert pd.isna(frame.loc["b", "n"])


def test_words_and_truth_values_may_be_reported_in_the_patients_table():
    patients = pd.DataFrame(
        {
            "patient": ["a", "b", "c"],
            "egfr_status": ["activating", "mutated?", None],
            "hla_loh": [1, "no", None],
            "nlr": ["4.5", "high", None],
            "albumin": [39.0, 40.0, 41.0],
        },
        dtype=object,
    )
    found = measure(Study(patients=patients, given={"patients"}), ["egfr_status", "hla_loh", "nlr", "albumin"])
    assert [found["egfr_status"][p].value for p in "abc"] == ["activating", None, None]
    assert [found["hla_loh"][p].value for p in "abc"] == [True, False, None]
    assert [found["nlr"][p].value for p in "abc"] == [4.5, None, None]
    assert [found["albumin"][p].value for p in "abc"] == [None, None, None]
    assert "as reported" in found["hla_loh"]["a"].note
