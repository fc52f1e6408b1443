"""What holds for every registered biomarker of this package that needs no expression."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.profile.biomarkers.synthetic import only, shuffled, synthetic_study

from immunescape.knowledge.references import load_references
from immunescape.profile.biomarkers import biomarkers, biomarkers_table, measure
from immunescape.profile.study import Study, empty_table

NAMES = [name for name, b in biomarkers().items() if "expression" not in b.needs]


@pytest.fixture(scope="module")
def study() -> Study:
    return synthetic_study(60)


@pytest.fixture(scope="module")
def measured(study):
    return measure(study, NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_record_is_complete(name):
    b = biomarkers()[name]
    assert b.name == name
    assert b.title
    assert b.definition.endswith(".")
    assert b.references
    known = load_references()
    assert not [k for k in b.references if k not in known]


@pytest.mark.parametrize("name", NAMES)
def test_every_patient_has_a_sound_record(name, measured, study):
    b, known = biomarkers()[name], load_references()
    assert list(measured[name]) == study.patient_ids
    for m in measured[name].values():
        assert m.name == name
        assert m.unit == b.unit
        assert not [k for k in m.citation if k not in known]
        if b.words and m.value is not None:
            assert m.value in b.words
        if b.unit and m.value is not None:
            assert isinstance(m.value, float)
        if m.low is not None and m.high is not None and isinstance(m.value, float):
            assert m.low <= m.value <= m.high


@pytest.mark.parametrize("name", NAMES)
def test_absent_files_are_not_assessable(name, study):
    b = biomarkers()[name]
    bare = Study(patients=study.patients, given={"patients"} - set(b.needs))
    assert {m.status for m in b(bare).values()} == {"not_assessable"}
    empty = replace(study, **{k: empty_table(k) for k in b.needs if k not in ("patients", "panels")}, panels={})
    if "patients" not in b.needs:
        found = b(empty).values()
        assert not any(m.value in (False, "wild_type", 0.0, "none") for m in found if m.status == "measured")


def test_nothing_depends_on_who_else_is_there(study, measured):
    for patient in study.patient_ids[:6]:
        alone = measure(only(study, [patient]), NAMES)
        for name in NAMES:
            assert alone[name][patient] == measured[name][patient], name


def test_order_of_rows_does_not_matter(study, measured):
    again = measure(shuffled(study), NAMES)
    for name in NAMES:
        for patient in study.patient_ids:
            assert again[name][patient] == measured[name][patient], name


def test_every_biomarker_is_assessable_in_somebody(measured):
    never = [n for n, found in measured.items() if all(m.value is None for m in found.values())]
    assert set(never) <= {
        "neoantigen_quality",
        "ddr_defect",
        "erap1_status",
        "psmb8_status",
        "ntrk1_status",
        "ntrk2_status",
        "ntrk3_status",
        "erbb2_status",
        "pdl1_cps",
        "hla_evolutionary_divergence",
    }


def test_table_prints_itself():
    table = biomarkers_table()
    assert set(NAMES) <= set(table["name"])
    assert (table["definition"] != "").all()


@pytest.mark.slow
@pytest.mark.parametrize("patients", [1_000, pytest.param(10_000, marks=pytest.mark.nightly)])
def test_many_patients_work(patients: int) -> None:
    measured = measure(synthetic_study(patients), NAMES)
    assert all(len(values) == patients for values in measured.values())
