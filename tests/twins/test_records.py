"""What files say of a patient on the day of a decision: lines, scans, sizes; nothing later; in any order of rows."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from immunescape.errors import InputError
from immunescape.knowledge.profile_records import PatientProfile
from immunescape.profile.strata import StratumCall
from immunescape.profile.study import Study, empty_table
from immunescape.trial.recorded_lines import LineOutcome
from immunescape.twins.early import early_course
from immunescape.twins.likelihood import line_log_likelihood
from immunescape.twins.options import setting_of
from immunescape.twins.recorded_drugs import recorded_drug
from immunescape.twins.recorded_patient import CtdnaSample
from immunescape.twins.records import patient_record


def table(kind: str, rows: list[dict]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(empty_table(kind).columns))


def study(prior_lines: float = math.nan, **tables: pd.DataFrame) -> Study:
    row = {"patient": "P", "age": 61.0, "sex": "female", "histology": "Lung Adenocarcinoma", "smoking": "Ever"}
    row |= {"prior_lines": prior_lines, "ecog": 1.0}
    return Study(patients=table("patients", [row]), **tables)


TREATED = table(
    "treatments",
    [
        {"patient": "P", "start_day": -300.0, "end_day": -120.0, "drug": "carboplatin", "line": 1.0},
        {"patient": "P", "start_day": -300.0, "end_day": -60.0, "drug": "pemetrexed", "line": 1.0},
        {"patient": "P", "start_day": -20.0, "end_day": -14.0, "drug": "amoxicillin"},
        {"patient": "P", "start_day": 0.0, "end_day": 400.0, "drug": "nivolumab", "line": 2.0},
    ],
)
SCANS = table(
    "responses",
    [
        {"patient": "P", "day": -310.0, "recist": None, "sld_mm": 90.0},
        {"patient": "P", "day": -240.0, "recist": "PR", "sld_mm": 50.0},
        {"patient": "P", "day": -60.0, "recist": "PD", "sld_mm": 80.0},
        {"patient": "P", "day": -3.0, "recist": None, "sld_mm": 82.0},
        {"patient": "P", "day": 42.0, "recist": "SD", "sld_mm": 70.0},
        {"patient": "P", "day": 200.0, "recist": "PD", "sld_mm": 110.0},
    ],
)


def samples(*pairs: tuple[float, float]) -> list[CtdnaSample]:
    return [CtdnaSample(day, level) for day, level in pairs]


def record(at: float, given: Study):
    return patient_record(given, PatientProfile("P"), at)


def test_a_patient_without_any_treatment_has_no_line():
    made = record(0.0, study())
    assert (made.lines, made.planned, made.line) == ((), None, 1)
    says = {f.target: f.allowed for f in made.facts}
    assert says["smoking"] == ("former", "current")
    assert (says["histology"], says["sex"], says["ecog"]) == (("nonsquamous",), ("F",), (1,))


def test_earlier_lines_are_history_and_the_one_of_day_0_is_planned():
    made = record(0.0, study(1.0, treatments=TREATED, responses=SCANS))
    (first,) = made.history
    assert first.drugs == ("carboplatin", "pemetrexed")
    assert (first.best_response, first.progression_day, first.baseline_mm) == ("PR", -60.0, 90.0)
    assert made.planned is not None
    assert made.planned.drugs == ("nivolumab",)
    assert made.planned.scans == ()  # nothing after the day of the decision
    assert (made.line, made.unknown_lines) == (2, 0)
    assert {f.target: f.value for f in made.facts}["sld_mm"] == 90.0  # at diagnosis, not after the first line


def test_later_days_are_read_up_to_the_day_of_the_decision():
    given = study(1.0, treatments=TREATED, responses=SCANS)
    on_it = record(100.0, given).ongoing
    assert on_it is not None
    assert [s.day for s in on_it.scans] == [42.0]
    assert on_it.end == math.inf
    after = record(200.0, given)
    assert after.ongoing is None
    assert after.line == 3
    assert after.history[-1].progression_day == 200.0
    assert after.history[-1].progression_after == 42.0


def test_lines_that_are_only_counted_are_said_to_be_assumed():
    made = record(0.0, study(3.0))
    assert (made.unknown_lines, made.line) == (3, 4)
    assert any("without drug names" in note for note in made.notes)


def test_the_order_of_rows_does_not_matter():
    forward = record(100.0, study(1.0, treatments=TREATED, responses=SCANS))
    back = record(100.0, study(1.0, treatments=TREATED.iloc[::-1], responses=SCANS.sample(frac=1.0, random_state=3)))
    assert repr(forward) == repr(back)


def test_a_day_before_the_first_dose_is_refused():
    with pytest.raises(InputError, match="0 or more"):
        record(-5.0, study())


def test_a_twin_whose_course_is_the_patients_is_more_likely_than_one_that_is_not():
    first = record(0.0, study(1.0, treatments=TREATED, responses=SCANS)).history[0]
    like = LineOutcome(230.0, math.inf, "PR", {60.0: 0.56, 240.0: 0.9})
    early = LineOutcome(42.0, math.inf, "PD", {42.0: 1.3})
    never = LineOutcome(math.inf, math.inf, "CR", {60.0: 0.1, 240.0: 0.1})
    values = [line_log_likelihood(first, outcome) for outcome in (like, early, never)]
    assert values[0] > values[1] + 2.0
    assert values[0] > values[2] + 2.0


def test_scans_and_ctdna_of_a_first_line_become_changes_since_the_baseline():
    course = early_course("nivolumab 240 mg every 2 weeks", 80.0, [(42.0, 40.0)], samples((0.0, 0.2), (21.0, 0.1)))
    assert course is not None
    assert [f.value for f in course.facts] == pytest.approx([math.log(0.5), math.log(0.5)])
    assert course.places == ((42.0, "V_scan_T"), (21.0, "ctDNA_conc"))
    assert early_course("nivolumab 240 mg every 2 weeks", math.nan, [(42.0, 40.0)], samples((0.0, 0.2))) is None


def test_ctdna_that_was_not_detected_says_that_it_lies_below_the_limit():
    rows = [
        {"patient": "P", "day": 0.0, "analyte": "VAF", "value": 4.0, "unit": "percent", "lod": 0.05, "detected": True},
        {
            "patient": "P",
            "day": 42.0,
            "analyte": "VAF",
            "value": 0.0,
            "unit": "percent",
            "lod": 0.05,
            "detected": False,
        },
        {"patient": "P", "day": 63.0, "analyte": "VAF", "value": 0.0, "unit": "percent", "detected": False},
        {"patient": "P", "day": 50.0, "analyte": "VAF", "value": 0.001, "unit": "fraction", "detected": True},
    ]
    made = record(70.0, study(treatments=TREATED.tail(1), ctdna=table("ctdna", rows)))
    assert made.ctdna == (CtdnaSample(0.0, 4.0), CtdnaSample(42.0, 0.05, below=True))
    notes = " ".join(made.notes)
    assert "1 ctDNA sample is of another analyte or in another unit" in notes
    assert "day 63 is not detected and has no limit" in notes
    course = early_course("nivolumab 240 mg every 2 weeks", math.nan, [], made.ctdna)
    assert course is not None
    (fact,) = course.facts
    assert fact.below
    assert fact.value == pytest.approx(math.log(0.05 / 4.0))
    high, low = fact.log_likelihood(np.array([0.0, -6.0]))
    assert low > high + 5.0


def test_blood_on_treatment_and_ctdna_of_a_later_line_are_said_to_be_unused():
    labs = [
        {"patient": "P", "day": d, "analyte": a, "value": 4.0, "unit": "1"} for d, a in ((0.0, "nlr"), (42.0, "nlr"))
    ]
    blood = [{"patient": "P", "day": d, "analyte": "VAF", "value": 2.0, "unit": "percent"} for d in (0.0, 42.0)]
    given = study(1.0, treatments=TREATED, responses=SCANS, labs=table("labs", labs), ctdna=table("ctdna", blood))
    assert not record(0.0, given).notes
    notes = " ".join(record(100.0, given).notes)
    assert "blood taken after day 0 is not used (neutrophil-to-lymphocyte ratio)" in notes
    assert "ctDNA on a line after an earlier one is not used" in notes


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([9.0, 5.0, 8.0, 8.2, 7.0, 11.0], "first sum of diameters"),
        ([9.0, 50.0, 80.0, 82.0, 70.0, 110.0], "first sum of diameters"),
        ([90.0, 50.0, 800.0, 820.0, 700.0, 1100.0], "50 mm on day -240 and 800 mm on day -60"),
        ([90.0, 50.0, 8.0, 82.0, 70.0, 110.0], "where the response is progression"),
    ],
)
def test_sums_of_diameters_in_another_unit_are_refused(sizes, message):
    with pytest.raises(InputError, match=message) as error:
        record(200.0, study(1.0, treatments=TREATED, responses=SCANS.assign(sld_mm=sizes)))
    assert "mm" in str(error.value)


def test_a_tumour_that_nearly_vanishes_and_comes_back_is_no_wrong_unit():
    sizes = [90.0, 6.0, 45.0, 50.0, 70.0, 110.0]
    assert record(200.0, study(1.0, treatments=TREATED, responses=SCANS.assign(sld_mm=sizes))).lines


@pytest.mark.parametrize(
    ("stratum", "title"),
    [
        (None, ""),
        (StratumCall("not_assessable", "Not assessable"), "guideline group not assessable"),
        (StratumCall("driver", "Targetable driver"), "Targetable driver"),
    ],
)
def test_a_group_that_cannot_be_assessed_is_named_as_such_beside_other_facts(stratum, title):
    made = patient_record(study(), PatientProfile("P", stratum=stratum), 0.0)
    assert made.stratum_title == title


def given(*rows: dict, prior_lines: float = math.nan) -> Study:
    return study(prior_lines, treatments=table("treatments", [{"patient": "P", **row} for row in rows]))


def test_a_treatment_that_is_no_drug_of_the_model_or_has_no_day_is_named():
    rows = [
        {"patient": "P", "start_day": -200.0, "end_day": -100.0, "drug": "XY-12", "line": math.nan},
        {"patient": "P", "start_day": -190.0, "end_day": -100.0, "drug": "XY-12", "line": math.nan},
        {"patient": "P", "drug": "carboplatin", "line": 1.0},
        {"patient": "P", "start_day": 50.0, "drug": "laterumab", "line": 2.0},
        {"patient": "P", "start_day": -50.0, "drug": "denosumab"},
    ]
    made = record(0.0, study(treatments=pd.concat([TREATED, table("treatments", rows)])))
    assert [n.split(" and is not used")[0] for n in made.notes] == [
        "'XY-12' (day -200) is no drug of the model",
        "'carboplatin' has no first day: it is taken to have been given before, and counts for the setting but not as "
        "a line; give its first day (column 'start_day')",
    ]
    assert (made.line, made.unknown_lines) == (2, 0)
    assert setting_of(made).had_platinum
    assert not record(0.0, study(treatments=TREATED, responses=SCANS)).notes


def test_a_drug_without_a_first_day_counts_for_the_setting_unless_its_line_has_not_begun():
    earlier = {"start_day": -200.0, "end_day": -100.0, "drug": "carboplatin", "line": 1.0}
    for number in (1.0, math.nan):
        made = record(0.0, given(earlier, {"drug": "Keytruda", "line": number}))
        assert setting_of(made).had_inhibitor
        assert made.line == 2
    ahead = record(0.0, given(earlier, {"drug": "Keytruda", "line": 2.0}))
    assert not setting_of(ahead).had_inhibitor
    assert any("counts neither as a line" in note for note in ahead.notes)


@pytest.mark.parametrize(
    ("drug", "line"), [("foozumab", math.nan), ("alectinib", math.nan), ("XY-12", 1.0), ("chemotherapy", math.nan)]
)
def test_a_line_of_a_drug_that_the_model_has_not_counts(drug, line):
    made = record(0.0, given({"start_day": -200.0, "drug": drug, "line": line}))
    assert (made.line, made.unknown_lines, [x.title for x in made.other_lines]) == (2, 1, [drug])
    assert any("its line counts" in note for note in made.notes)
    assert not setting_of(made).had_platinum  # the drug is known not to be one


def test_a_line_that_is_counted_and_one_that_is_named_are_not_counted_twice():
    row = {"start_day": -200.0, "drug": "alectinib"}
    assert record(0.0, given(row, prior_lines=1.0)).line == 2
    counted = record(0.0, given(row, prior_lines=2.0))
    assert counted.line == 3
    assert setting_of(counted).had_platinum  # assumed of the line of which nothing is known


@pytest.mark.parametrize(
    ("drug", "stand_in", "inhibitor", "platinum"),
    [
        ("sugemalimab", "atezolizumab", True, False),
        ("tislelizumab", "pembrolizumab", True, False),
        ("PD-(L)1 inhibitor", "pembrolizumab", True, False),
        ("nedaplatin", "carboplatin", False, True),
        ("Erlotinib", "osimertinib", False, False),
    ],
)
def test_a_drug_of_a_known_kind_counts_for_line_setting_and_progression(drug, stand_in, inhibitor, platinum):
    treated = table("treatments", [{"patient": "P", "start_day": -200.0, "end_day": -90.0, "drug": drug}])
    scans = table("responses", [{"patient": "P", "day": -90.0, "recist": "PD"}])
    made = record(0.0, study(treatments=treated, responses=scans))
    (line,) = made.history
    assert line.drugs == (stand_in,)
    assert line.title == f"{drug} (as {stand_in})"
    setting = setting_of(made)
    assert (setting.line, setting.had_inhibitor, setting.had_platinum) == (2, inhibitor, platinum)
    assert stand_in not in setting.progressed_on  # it was never given
    assert setting.failed([stand_in]) == {stand_in: f"{drug}, of the kind of {stand_in}"}
    assert any(f"{stand_in} stands in for it" in note for note in made.notes)


def test_a_cell_may_name_several_drugs():
    made = record(0.0, given({"start_day": -200.0, "end_day": -90.0, "drug": "carboplatin/pemetrexed + foozumab"}))
    (line,) = made.history
    assert line.drugs == ("carboplatin", "pemetrexed")
    assert (made.line, made.unknown_lines) == (2, 0)
    assert any("its line is simulated without it" in note for note in made.notes)


@pytest.mark.parametrize(
    ("cell", "drugs"),
    [
        ("pembrolizumab 200 mg q3w", ["pembrolizumab"]),
        ("Pembrolizumab (Keytruda)", ["pembrolizumab"]),
        ("pembrolizumab 200 mg + carboplatin AUC5", ["carboplatin", "pembrolizumab"]),
        ("cisplatin-pemetrexed", ["cisplatin", "pemetrexed"]),
        ("carboplatin plus nab-paclitaxel weekly", ["carboplatin", "nab_paclitaxel"]),
        ("osimertinib mesylate", ["osimertinib"]),
        ("Nivo/Ipi", ["ipilimumab", "nivolumab"]),
        ("consolidation durvalumab", ["durvalumab"]),
        ("anti-PD-1/PD-L1 antibody", ["pembrolizumab"]),
        ("concurrent chemoradiation", ["carboplatin", "paclitaxel"]),
        ("NIVO3+IPI1", ["ipilimumab", "nivolumab"]),
        ("carbo AUC5/pem500", ["carboplatin", "pemetrexed"]),
        ("MK 3475", ["pembrolizumab"]),
        ("docetaxel (ICI refused)", ["docetaxel"]),
        ("docetaxel after progression on nivolumab", ["docetaxel"]),
        ("docetaxel + placebo for pembrolizumab", ["docetaxel"]),
    ],
)
def test_drugs_are_read_beside_doses_brands_and_each_other(cell, drugs):
    """A PD-1 antibody written with its dose must not make a patient who has had one look untreated."""
    made = record(0.0, given({"start_day": -200.0, "end_day": -90.0, "drug": cell}))
    (line,) = made.history
    assert sorted(line.drugs) == drugs
    assert (made.line, made.unknown_lines) == (2, 0)


def test_a_drug_that_the_model_has_not_is_named_beside_one_that_it_has():
    made = record(0.0, given({"start_day": -200.0, "drug": "carboplatin plus foozumab 5 mg"}))
    assert made.lines[0].drugs == ("carboplatin",)
    assert any(n.startswith("'foozumab' (day -200) is no drug of the model") for n in made.notes)


@pytest.mark.parametrize("cell", ["non-platinum regimen", "XY-12 after pembrolizumab", "chemotherapy (PD-L1 < 1 %)"])
def test_what_a_cell_says_was_not_given_is_not_read_as_given(cell):
    made = record(0.0, given({"start_day": -200.0, "drug": cell, "line": 1.0}))
    assert (made.lines, made.unknown_lines) == ((), 1)


@pytest.mark.parametrize(
    "cell",
    [
        "placebo for pembrolizumab",
        "ICI-naive",
        "no prior checkpoint inhibitor",
        "no ICI",
        "no chemotherapy",
        "chemo-naive",
        "treatment-naive",
        "no systemic therapy",
        "untreated",
        "TKI withheld",
        "chemotherapy not given",
    ],
)
def test_what_only_says_what_was_not_given_is_no_line(cell):
    made = record(0.0, given({"start_day": -200.0, "drug": cell, "line": 1.0}))
    assert (made.lines, made.unknown_lines) == ((), 0)
    beside = record(0.0, given({"start_day": -200.0, "drug": f"docetaxel; {cell}", "line": 1.0}))
    assert [line.drugs for line in beside.lines] == [("docetaxel",)]
    assert not any("no drug of the model" in note for note in beside.notes)


@pytest.mark.parametrize("cell", ["untreated metastases", "not specified", "no trial name recorded"])
def test_a_denial_of_something_else_leaves_the_line_unknown(cell):
    made = record(0.0, given({"start_day": -200.0, "drug": cell, "line": 1.0}))
    assert (made.lines, made.unknown_lines) == ((), 1)


def test_chemotherapy_that_a_drug_was_given_without_is_not_named_beside_it():
    assert [d.name for d in recorded_drug("nivolumab without chemotherapy")] == ["nivolumab"]
    assert [d.name for d in recorded_drug("nivolumab with chemotherapy")] == ["nivolumab", "chemotherapy"]


def test_a_drug_for_a_driver_that_the_files_do_not_name_is_noted():
    made = record(0.0, given({"start_day": -200.0, "drug": "Tarceva", "line": 1.0}))
    assert [line.drugs for line in made.lines] == [("osimertinib",)]
    assert any("'Tarceva' is given for EGFR-driven tumours" in note for note in made.notes)
    docetaxel = record(0.0, given({"start_day": -200.0, "drug": "docetaxel", "line": 1.0}))
    assert not any("-driven tumours" in note for note in docetaxel.notes)


def test_an_earlier_treatment_that_only_another_cell_names_is_noted_unless_a_row_records_it():
    cell = {"start_day": -100.0, "drug": "docetaxel after progression on nivolumab", "line": 2.0}
    alone = record(0.0, given(cell))
    assert [line.drugs for line in alone.lines] == [("docetaxel",)]
    assert any(n.startswith("'nivolumab' is named as an earlier treatment in 'docetaxel after") for n in alone.notes)
    both = record(0.0, given({"start_day": -300.0, "drug": "Opdivo", "line": 1.0}, cell))
    assert not any("named as an earlier treatment" in n for n in both.notes)


def test_a_misspelt_drug_is_named_with_the_one_that_is_near():
    made = record(0.0, given({"start_day": -200.0, "drug": "pembrolizumb"}))
    assert any("if it is pembrolizumab, correct its name" in n for n in made.notes)


def test_an_abbreviation_is_of_a_drug_of_the_model_and_of_one_alone():
    from immunescape.knowledge.recorded_treatments import load_recorded_treatments
    from immunescape.model.registry import drugs

    short = load_recorded_treatments().abbreviations
    names = [n for texts in short.values() for n in texts]
    assert set(short) <= set(drugs())
    assert len(names) == len(set(names))
    assert {n for d in drugs().values() for n in getattr(d, "synonyms", ())}.isdisjoint(names)


def test_a_part_of_a_numbered_line_is_no_line_of_its_own():
    rows = [
        {"start_day": -300.0, "end_day": -200.0, "drug": "carboplatin", "line": 1.0},
        {"start_day": -200.0, "end_day": -90.0, "drug": "foozumab", "line": 1.0},
    ]
    assert record(0.0, given(*rows)).line == 2


NO_LINES = ("radiotherapy", "Prednisone", "denosumab", "amoxicillin", "thoracic RT", "dexamethasone 8 mg", "placebo")


def test_what_is_no_line_of_systemic_treatment_does_not_count():
    rows = [{"start_day": -200.0, "drug": d} for d in NO_LINES]
    made = record(0.0, given(*rows))
    assert (made.line, made.notes) == (1, ())


@pytest.mark.parametrize("line", [1.0, math.nan])
def test_a_drug_beside_radiotherapy_or_a_denied_one_is_a_line_with_or_without_its_number(line):
    for cell in ("Keytruda + SBRT", "pembrolizumab (surgery 2020)", "pembrolizumab; platinum: no", "ICI (Keytruda)/RT"):
        made = record(0.0, given({"start_day": -200.0, "end_day": -90.0, "drug": cell, "line": line}))
        assert [x.drugs for x in made.lines] == [("pembrolizumab",)]
        setting = setting_of(made)
        assert (setting.had_inhibitor, setting.had_platinum, made.notes) == (True, False, ())


@pytest.mark.parametrize(
    "cell", ["N/A", "NA", "-", "not applicable", "EGFR negative", "chemo: no", "Xgeva", "SRS to brain"]
)
def test_the_number_of_a_line_makes_no_treatment_of_what_is_none(cell):
    made = record(0.0, given({"start_day": -200.0, "drug": cell, "line": 1.0}))
    assert (made.line, made.notes) == (1, ())
    assert record(0.0, given({"start_day": -200.0, "drug": "unknown", "line": 1.0})).unknown_lines == 1


def test_a_line_that_goes_on_and_cannot_be_followed_is_taken_as_over():
    made = record(30.0, given({"start_day": 0.0, "end_day": 200.0, "drug": "foozumab"}))
    assert (made.ongoing, made.line) == (None, 2)
    assert any("the model cannot follow it" in note for note in made.notes)


def test_every_stand_in_has_a_usual_regimen_and_is_of_the_kind_of_what_it_stands_for():
    from immunescape.knowledge.recorded_treatments import load_recorded_treatments
    from immunescape.model.registry import drugs
    from immunescape.twins.courses import usual_regimen
    from immunescape.twins.options import kind_of

    for stand_in in load_recorded_treatments().stand_ins:
        assert usual_regimen(stand_in.drugs)
        for name in {n.replace(" ", "_") for n in stand_in.names} & set(drugs()):
            if name not in ("anlotinib", "endostar", "oxaliplatin", "bintrafusp_alfa"):
                assert set(kind_of((name,)).split(" and ")) == set(kind_of(stand_in.drugs).split(" and ")), name


def test_scans_that_are_shown_stand_apart_by_the_day_of_the_decision():
    made = record(100.0, study(1.0, treatments=TREATED, responses=SCANS)).shown
    assert made is not None
    assert (made.start, made.baseline_mm, made.drugs) == (0.0, 82.0, ("nivolumab",))
    assert [s.day for s in made.before] == [-60.0, -3.0, 42.0]
    assert [s.day for s in made.after] == [200.0]
    assert record(0.0, study(1.0, treatments=TREATED)).shown is None


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"day": -3.0, "sld_mm": 60.0}, r"day -3 has different sums of diameters: 60 and 82 mm"),
        ({"day": -60.0, "recist": "SD"}, r"day -60 has different responses: PD and SD"),
    ],
)
def test_two_scans_of_one_day_that_differ_are_refused_in_any_order(extra, message):
    added = table("responses", [{"patient": "P", **extra}])
    for scans in (pd.concat([SCANS, added]), pd.concat([added, SCANS])):
        with pytest.raises(InputError, match=message):
            record(0.0, study(treatments=TREATED, responses=scans))


def test_size_and_response_of_one_day_may_stand_in_two_rows():
    added = table(
        "responses", [{"patient": "P", "day": -3.0, "recist": "PD"}, {"patient": "P", "day": -3.0, "sld_mm": 82.0}]
    )
    assert record(0.0, study(treatments=TREATED, responses=pd.concat([SCANS, added]))).planned is not None


def test_words_of_sex_and_smoking_that_are_not_known_are_named():
    row = {"patient": "P", "sex": "diverse", "smoking": "heavy", "histology": "adenocarcinoma"}
    notes = record(0.0, Study(patients=table("patients", [row]))).notes
    assert [n.split(" is n")[0] for n in notes] == ["sex 'diverse'", "smoking 'heavy'"]
    row |= {"sex": "Unknown", "smoking": None}
    assert not record(0.0, Study(patients=table("patients", [row]))).notes


@pytest.mark.parametrize(
    ("word", "levels"),
    [
        ("Ex-smoker", ("former",)),
        ("former smoker", ("former",)),
        ("Non-smoker", ("never",)),
        ("current", ("current",)),
        ("smoker", ("former", "current")),
    ],
)
def test_words_of_smoking_are_read(word, levels):
    made = record(0.0, Study(patients=table("patients", [{"patient": "P", "smoking": word}])))
    assert {f.target: f.allowed for f in made.facts}["smoking"] == levels


@pytest.mark.parametrize("at", [-1.0, math.nan, "84", None])
def test_a_day_that_is_none_is_refused(at):
    with pytest.raises(InputError, match="the day is"):
        record(at, study(treatments=TREATED))


@pytest.mark.parametrize(
    ("sizes", "words", "day", "best"),
    [
        ((60.0, 30.0, 75.0), ("", "", ""), -100.0, "PR"),
        ((60.0, 50.0, 60.0), ("", "", ""), -100.0, "SD"),  # 20 % and 10 mm above the smallest
        ((60.0, 0.0, 8.0), ("", "", ""), -100.0, "CR"),
        ((60.0, 12.0, 16.0), ("", "", ""), math.inf, "PR"),  # a third, but 4 mm
        ((90.0, 63.0, 63.0), ("", "", ""), math.inf, "PR"),  # 30 % exactly, of which 0.7 * 90 falls short
        ((60.0, 30.0, 75.0), ("", "", "SD"), math.inf, "PR"),  # the file's word holds
        ((60.0, 30.0, 75.0), ("", "SD", ""), -100.0, "SD"),
        ((math.nan, math.nan, 75.0), ("", "", ""), math.inf, ""),  # nothing to compare with
    ],
)
def test_sums_without_a_response_have_the_one_of_recist(sizes, words, day, best):
    """A patient whose files hold sums of diameters alone must not look free of progression on the drug."""
    scans = [
        {"patient": "P", "day": when, "sld_mm": size, "recist": word or None}
        for when, size, word in zip((-305.0, -200.0, -100.0), sizes, words, strict=True)
    ]
    treated = table("treatments", [{"patient": "P", "start_day": -300.0, "end_day": -90.0, "drug": "pembrolizumab"}])
    made = record(0.0, study(treatments=treated, responses=table("responses", scans)))
    assert (made.lines[0].progression_day, made.lines[0].best_response) == (day, best)
    assert setting_of(made).progressed_on == (("pembrolizumab",) if math.isfinite(day) else ())
    assert any("by the sums of diameters" in n for n in made.notes) == math.isfinite(day)


def test_the_response_of_a_day_may_stand_in_a_row_of_its_own_where_the_sum_has_grown():
    rows = [{"patient": "P", "day": -305.0, "sld_mm": 60.0}, {"patient": "P", "day": -200.0, "sld_mm": 90.0}]
    scans = table("responses", [*rows, {"patient": "P", "day": -200.0, "recist": "SD"}])
    treated = table("treatments", [{"patient": "P", "start_day": -300.0, "end_day": -90.0, "drug": "pembrolizumab"}])
    assert not record(0.0, study(treatments=treated, responses=scans)).lines[0].progressed
