"""Published blood scores by their definitions: worked values, both sides of each threshold, and missing inputs."""

from __future__ import annotations

import pytest

from immunescape.knowledge.references import load_references
from immunescape.profile.scores import blood_scores
from immunescape.profile.scores.blood_scores import BLOOD_SCORES

WELL = {
    "albumin": 42.0,
    "ldh": 180.0,
    "ldh_upper_limit": 250.0,
    "neutrophils": 4.0,
    "lymphocytes": 2.0,
    "leukocytes": 7.0,
    "platelets": 250.0,
    "crp": 3.0,
    "nlr": 2.0,
    "bmi": 25.0,
    "metastatic_sites": 1.0,
}
ILL = {
    "albumin": 30.0,
    "ldh": 600.0,
    "ldh_upper_limit": 250.0,
    "neutrophils": 12.0,
    "lymphocytes": 0.8,
    "leukocytes": 14.0,
    "platelets": 500.0,
    "crp": 90.0,
    "nlr": 15.0,
    "bmi": 19.0,
    "metastatic_sites": 4.0,
}


def of(values):
    return {s.name: s for s in blood_scores(values)}


def test_a_well_and_an_ill_patient_get_the_values_of_the_definitions():
    well, ill = of(WELL), of(ILL)
    # ALI 25 x 4.2 / 2; PNI 42 + 5 x 2; SII 250 x 4 / 2
    assert {n: s.value for n, s in well.items()} == pytest.approx(
        {"lipi": 0, "grim": 0, "rmh": 0, "mgps": 0, "ali": 52.5, "pni": 52.0, "sii": 500.0}
    )
    assert {n: s.value for n, s in ill.items()} == pytest.approx(
        {"lipi": 2, "grim": 3, "rmh": 3, "mgps": 2, "ali": 3.8, "pni": 34.0, "sii": 7500.0}
    )
    for name in set(well) - {"sii"}:
        assert well[name].reading == "favourable"
        assert ill[name].reading == "unfavourable"
    assert well["sii"].reading == ""  # no accepted cut-off


@pytest.mark.parametrize(
    ("name", "change", "value", "reading"),
    [
        ("lipi", {"leukocytes": 5.3}, 1, "between"),  # 4 / 1.3 = 3.08
        ("lipi", {"leukocytes": 16 / 3}, 0, "favourable"),  # exactly 3
        ("lipi", {"ldh": 250.0}, 0, "favourable"),  # at the limit is normal
        ("grim", {"nlr": 6.0}, 0, "favourable"),
        ("grim", {"nlr": 6.01}, 1, "favourable"),
        ("grim", {"nlr": 7.0, "albumin": 34.9}, 2, "unfavourable"),
        ("grim", {"albumin": 35.0}, 0, "favourable"),
        ("rmh", {"metastatic_sites": 2.0}, 0, "favourable"),
        ("rmh", {"metastatic_sites": 3.0, "ldh": 251.0}, 2, "unfavourable"),
        ("mgps", {"crp": 10.0, "albumin": 20.0}, 0, "favourable"),  # low albumin alone scores nothing
        ("mgps", {"crp": 10.1}, 1, "between"),
        ("mgps", {"crp": 10.1, "albumin": 34.0}, 2, "unfavourable"),
        ("ali", {"bmi": 18.0, "albumin": 40.0, "nlr": 4.0}, 18.0, "favourable"),
        ("ali", {"bmi": 17.9, "albumin": 40.0, "nlr": 4.0}, 17.9, "unfavourable"),
        ("pni", {"albumin": 35.0, "lymphocytes": 1.2}, 41.0, "between"),
    ],
)
def test_thresholds_lie_where_the_authors_put_them(name, change, value, reading):
    score = of(WELL | change)[name]
    assert score.value == pytest.approx(value)
    assert score.reading == reading


@pytest.mark.parametrize("rule", BLOOD_SCORES, ids=lambda r: r.name)
def test_a_missing_input_leaves_the_score_not_assessable_and_is_named(rule):
    for needed in rule.needs:
        for gone in ({k: v for k, v in WELL.items() if k != needed}, WELL | {needed: float("nan")}):
            score = of(gone)[rule.name]
            assert score.value is None
            assert score.reading == ""
            assert "missing" in score.note
    assert all(key in load_references() for key in rule.citation)


def test_counts_that_contradict_each_other_give_no_score():
    assert of(WELL | {"leukocytes": 3.0})["lipi"].value is None
    assert "contradict" in of(WELL | {"lymphocytes": 0.0})["sii"].note


def test_files_in_their_usual_units_give_the_scores(tmp_path):
    import immunescape

    (tmp_path / "patients.csv").write_text("patient,BMI,metastatic_sites\na,25,1\nb,,\n", encoding="utf-8")
    (tmp_path / "labs.csv").write_text(
        "patient,day,analyte,value,unit\n"
        "a,-3,albumin,4.2,g/dL\na,-3,ldh,180,U/L\na,-3,LDH_ULN,250,U/L\na,-3,neutrophils,4000,cells/uL\n"
        "a,-3,lymphocytes,2.0,10^9/L\na,-3,WBC,7.0,10^9/L\na,-3,PLT,250,10^9/L\na,-3,CRP,0.3,mg/dL\n"
        "b,-1,albumin,30,g/L\nb,-1,ldh,600,U/L\n",
        encoding="utf-8",
    )
    (tmp_path / "manifest.yaml").write_text(
        "study: labs\nfiles:\n"
        "  - {file: patients.csv, format: patients, columns: {patient: patient}, keep: [BMI, metastatic_sites]}\n"
        "  - {file: labs.csv, format: labs}\n",
        encoding="utf-8",
    )
    people = immunescape.profile_study(tmp_path).patients
    a, b = ({s.name: s for s in people[p].scores} for p in "ab")
    assert {n: a[n].value for n in ("lipi", "grim", "rmh", "mgps")} == {"lipi": 0, "grim": 0, "rmh": 0, "mgps": 0}
    assert a["ali"].value == pytest.approx(52.5)
    assert a["sii"].value == pytest.approx(500.0)
    assert b["grim"].value is None
    assert "upper limit of normal" in b["grim"].note  # no limit, no statement on LDH
    assert people["a"].response.values["lipi"] == "0"
    assert "lipi" in people["b"].response.missing
