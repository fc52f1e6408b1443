"""One virtual patient: who is drawn, what is simulated, how it agrees with the trial that the patient was in."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import immunescape
from immunescape.api.trials import VirtualResult
from immunescape.errors import InputError
from immunescape.patients import VirtualPatient, patient_of_run
from immunescape.units import DAYS_PER_MONTH

PEMBROLIZUMAB = "pembrolizumab 200 mg every 3 weeks"


@pytest.fixture(scope="module")
def patient() -> VirtualPatient:
    return immunescape.patient(seed=8, pdl1_tps=60)


@pytest.fixture(scope="module")
def trial_result() -> object:
    return immunescape.load_trial("oak").run(patients=6, seed=3, workers=1)


def test_a_patient_has_exactly_the_covariates_that_are_given() -> None:
    made = immunescape.patient(
        seed=2, pdl1_tps=33.0, histology="squamous", stk11=False, ecog=1, weight_kg=91.5, n_lesions=4
    )
    assert {k: made.covariates[k] for k in ("pdl1_tps", "histology", "stk11", "ecog", "weight_kg", "n_lesions")} == {
        "pdl1_tps": 33.0,
        "histology": "squamous",
        "stk11": False,
        "ecog": 1,
        "weight_kg": 91.5,
        "n_lesions": 4,
    }
    height = made.covariates["height_cm"]
    assert made.covariates["bsa_m2"] == pytest.approx(0.007184 * 91.5**0.425 * height**0.725)


def test_the_same_seed_gives_the_same_patient(patient: VirtualPatient) -> None:
    again = immunescape.patient(seed=8, pdl1_tps=60)
    assert again.states == patient.states
    assert again.covariates == patient.covariates
    assert immunescape.patient(seed=7, pdl1_tps=60).states != patient.states


@pytest.mark.parametrize(
    ("covariates", "word"),
    [
        ({"pdl1": 60}, "pdl1_tps"),
        ({"histology": "squamos"}, "squamous"),
        ({"pdl1_tps": 130}, "0 to 100 %"),
        ({"pdl1_tps": float("nan")}, "not a number"),
        ({"pdl1_tps": "60"}, "not a number"),
        ({"ecog": 3}, "value of ecog"),
        ({"stk11": "perhaps"}, "value of stk11"),
        ({"stk11": 1}, "value of stk11"),
        ({"egfr": True}, "driver=EGFR"),
        ({"squamous": True}, "histology=squamous"),
        ({"tmb": 5}, "tmb_mut_mb"),
        ({"driver": "EGFR", "kras": True}, "together"),
        ({"n_lesions": 2.5}, "whole number"),
    ],
)
def test_impossible_covariates_are_refused(covariates: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        immunescape.patient(seed=1, **covariates)


@pytest.mark.parametrize("regimen", ["", "  "])
def test_an_empty_regimen_is_refused_and_not_taken_for_no_treatment(patient: VirtualPatient, regimen: str) -> None:
    with pytest.raises(InputError, match="an empty regimen"):
        patient.simulate(regimen, months=1)


def test_other_covariates_follow_those_that_are_given() -> None:
    from immunescape.patients.draw import _nearest
    from immunescape.population.covariates import sample_covariates

    candidates = sample_covariates(0, 4096, 5)
    high = _nearest(candidates, {"tmb_mut_mb": 30.0}).head(100)
    low = _nearest(candidates, {"tmb_mut_mb": 2.0}).head(100)
    assert (high["smoking"] == "never").mean() < (low["smoking"] == "never").mean()


def test_a_course_gives_its_doses_scans_and_table_with_units(patient: VirtualPatient) -> None:
    course = patient.simulate(PEMBROLIZUMAB, months=12)
    assert course.table.index[0] == 0.0
    assert course.units["conc_pembrolizumab"] == "microgram/milliliter"
    assert course.table.attrs["units"]["CD8_density_T"] == "cell/milliliter"
    assert set(course.doses["drug"]) == {"pembrolizumab"}
    assert (course.doses["amount"] == 200.0).all()
    assert course.scans["response"].iloc[0] == ""
    assert course.scans["day"].tolist()[:4] == [0.0, 42.0, 84.0, 147.0]
    assert course.table["ctDNA_conc"].gt(0).any()
    # 200 mg into about 3.5 L of central volume at steady state of the first dose: 40 to 90 microgram per millilitre
    assert 30.0 < course.table["conc_pembrolizumab"].loc[1.0] < 110.0


def test_scans_are_read_off_the_same_course_as_the_table(patient: VirtualPatient) -> None:
    """Two integrations, in pieces for the trial and whole for the table, show one tumour."""
    course = patient.simulate(PEMBROLIZUMAB, months=12, observe=["V_scan_T"])
    from immunescape.patients.simulate import _followed, _prepared, _Setup
    from immunescape.trial.grammar import parse_regimen

    regimen = parse_regimen(PEMBROLIZUMAB)
    model, compiled = _prepared(patient, regimen, None, "auto")
    setup = _Setup(patient=patient, model=model, compiled=compiled, regimen=regimen, rtol=1e-6, engine="auto")
    again = _followed(setup, 12.0, "every 6 weeks", "trial")
    assert again.start["states"] == course.start["states"]
    ratio = course.table["V_scan_T"] / course.table["V_scan_T"].iloc[0]
    assert ratio.loc[84.0] ** (1 / 3) - 1 == pytest.approx(again.scans["change_pct"].iloc[2] / 100, abs=0.25)


def test_a_planned_course_gives_every_dose(patient: VirtualPatient) -> None:
    course = patient.simulate("docetaxel 75 mg/m2 every 3 weeks", months=6, conduct="planned", observe=["V_T"])
    assert course.doses["day"].tolist() == [21.0 * k for k in range(9)]
    assert course.table.index[-1] == pytest.approx(6 * DAYS_PER_MONTH)
    assert course.outcome == {}


def test_untreated_means_no_dose(patient: VirtualPatient) -> None:
    course = patient.simulate("none", months=3, conduct="planned", observe=["V_T"])
    assert course.doses.empty
    assert course.table["V_T"].iloc[-1] > course.table["V_T"].iloc[0]


def test_regimens_are_compared_in_one_patient(patient: VirtualPatient) -> None:
    courses = patient.compare(["none", PEMBROLIZUMAB], months=6, conduct="planned", observe=["V_T", "diameter_T"])
    assert courses[0].table["V_T"].iloc[0] == courses[1].table["V_T"].iloc[0]
    assert courses[1].table["V_T"].iloc[-1] < courses[0].table["V_T"].iloc[-1]
    assert courses.table["course"].unique().tolist() == ["no treatment", PEMBROLIZUMAB]


def test_what_did_not_happen_has_no_month(patient: VirtualPatient) -> None:
    outcomes = patient.compare(["none", PEMBROLIZUMAB], months=0.5, observe=["diameter_T"]).outcomes
    for name in ("progression_months", "death_months"):
        assert outcomes[name].dtype == float
        assert outcomes[name].isna().all()


def test_a_sweep_moves_what_the_parameter_does(patient: VirtualPatient) -> None:
    sweep = patient.sweep("k_growth", ["x0.5", "x1", "x2"], months=3, conduct="planned", observe=["V_T"])
    last = [c.table["V_T"].iloc[-1] for c in sweep]
    assert last[0] < last[1] < last[2]
    plain = patient.simulate("none", months=3, conduct="planned", observe=["V_T"])
    assert np.array_equal(sweep[1].table.to_numpy(), plain.table.to_numpy())


def test_categories_are_taken_in_any_case_and_with_yes_and_no() -> None:
    made = immunescape.patient(seed=2, driver="egfr", stk11="no", histology="NonSquamous")
    assert (made.covariates["driver"], made.covariates["stk11"], made.covariates["histology"]) == (
        "EGFR",
        False,
        "nonsquamous",
    )


def test_one_name_or_value_may_stand_for_a_list_of_one(patient: VirtualPatient) -> None:
    course = patient.simulate("none", months=1, conduct="planned", observe="CD8_T")
    assert list(course.table) == ["CD8_T"]
    assert len(course.plot("CD8_T").axes) >= 2
    assert len(patient.sweep("k_kill", "x2", months=1, conduct="planned", observe="V_T")) == 1
    assert len(patient.sweep("k_kill", 0.5, months=1, conduct="planned", observe="V_T")) == 1


def test_numbers_of_numpy_are_values_of_a_parameter(patient: VirtualPatient) -> None:
    for value in (np.int64(2), np.float32(2), np.float64(2)):
        assert repr(patient.changed(k_kill=value)) == repr(patient.changed(k_kill=2.0))
    assert len(patient.sweep("k_kill", np.int64(2), months=1, conduct="planned", observe="V_T")) == 1
    labels = [c.label for c in patient.sweep("k_kill", np.arange(1, 3), months=1, conduct="planned", observe="V_T")]
    assert labels == ["k_kill = 1", "k_kill = 2"]
    with pytest.raises(InputError, match="cannot be changed to"):
        patient.changed(k_kill=np.float64("nan"))
    with pytest.raises(InputError, match="cannot be changed to"):
        patient.changed(k_kill=True)


@pytest.mark.parametrize("number", ["3", 2.5, True, -1])
def test_a_number_that_no_patient_has_is_refused(number: Any) -> None:
    with pytest.raises(InputError, match="the number of the patient is"):
        immunescape.patient(seed=1, number=number)


def test_what_is_neither_a_name_nor_a_list_is_refused(patient: VirtualPatient) -> None:
    with pytest.raises(InputError, match="3 is neither a name nor a list of names"):
        patient.compare(3)
    with pytest.raises(InputError, match="the schedule of scans is 5"):
        patient.simulate("none", months=1, scans=5)


def test_one_mechanism_may_stand_for_a_list_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from immunescape.model.registry import get_mechanism

    given = []

    def stop(mechanisms: Any, *arguments: Any, **options: Any) -> None:
        given.append(mechanisms)
        raise InputError("enough")

    monkeypatch.setattr("immunescape.population.reference_baseline.extended_model", stop)
    hypoxia = get_mechanism("hypoxia")
    with pytest.raises(InputError, match="enough"):
        immunescape.patient(mechanisms=hypoxia)
    with pytest.raises(InputError, match="enough"):
        immunescape.build_model(drugs="", mechanisms=hypoxia)
    assert given == [(hypoxia,), (hypoxia,)]


def test_one_parameter_to_estimate_may_be_a_plain_name(patient: VirtualPatient, tmp_path) -> None:
    course = patient.simulate("none", months=3, observe=["V_T"])
    files = course.to_petab(tmp_path, "k_growth")
    assert any(line.startswith("k_growth\t") for line in files[1].read_text().splitlines())


def test_several_regimens_in_the_place_of_one_are_answered_by_compare(patient: VirtualPatient) -> None:
    with pytest.raises(InputError, match=r"patient\.compare"):
        patient.simulate(["none", PEMBROLIZUMAB])


def test_an_output_that_was_not_asked_for_is_answered_by_how_to_ask(patient: VirtualPatient) -> None:
    course = patient.simulate("none", months=1, conduct="planned", observe=["V_T", "CD8_density_T"])
    with pytest.raises(InputError, match=r"observe=\['CD8_T'"):
        course.plot(["CD8_T"])
    with pytest.raises(InputError, match="CD8_density_T"):
        course.column("CD8")


def test_the_doses_that_are_counted_are_those_in_the_table(patient: VirtualPatient) -> None:
    course = patient.simulate("carboplatin AUC 5 + pemetrexed 500 mg/m2 every 3 weeks for 4 cycles", months=6)
    assert course.outcome["doses_given"] == len(course.doses)
    assert f"after {len(course.doses)} doses" in " ".join(course.sentences())


@pytest.mark.parametrize(
    ("changes", "word"), [({"k_kil": "x2"}, "k_kill"), ({"k_kill": "2x"}, "factor"), ({"k_kill": float("inf")}, "x2")]
)
def test_impossible_changes_are_refused(patient: VirtualPatient, changes: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        patient.changed(**changes).simulate("none", months=1)


@pytest.mark.parametrize(
    "options",
    [
        {"months": 0},
        {"months": float("nan")},
        {"months": 1e6},
        {"every_days": 0},
        {"observe": ["CD8_densty_T"]},
        {"conduct": "trail"},
        {"scans": "every 6 weks"},
    ],
)
def test_impossible_options_are_refused(patient: VirtualPatient, options: dict[str, object]) -> None:
    with pytest.raises(InputError):
        patient.simulate("none", **{"months": 2, **options})


def test_a_patient_of_a_trial_goes_through_the_same_course(trial_result: VirtualResult) -> None:
    """A second-line trial: the patient is made again with the earlier line, and has the trial's scans and ending."""
    for row in trial_result.patients.groupby("arm").head(3).to_dict("records"):
        made = trial_result.patient(row["id"], row["arm"])
        course = made.simulate(row["regimen"], months=row["follow_up_day"] / DAYS_PER_MONTH, observe=["V_T"])
        assert course.scans["sld_mm"].iloc[0] == pytest.approx(row["sld_mm_baseline"], rel=1e-4)
        own = trial_result.result.visits
        own = own[(own["id"] == row["id"]) & (own["arm"] == row["arm"])]
        seen = course.scans.iloc[1 : 1 + len(own)]
        assert seen["day"].tolist() == own["day"].tolist()
        assert seen["response"].tolist() == own["response"].tolist()
        assert seen["sld_mm"].to_numpy() == pytest.approx(own["sld_mm"].to_numpy(), rel=1e-6)


def test_a_patient_of_a_run_is_found_by_its_folder(tmp_path, trial_result: VirtualResult) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "result.json").write_text(json.dumps(trial_result.to_json()))
    trial_result.patients.to_parquet(folder / "patients.parquet")
    row = trial_result.patients.iloc[1]
    made = patient_of_run(folder, int(row["id"]), str(row["arm"]))
    assert made.covariates["pdl1_tps"] == row["pdl1_tps"]
    with pytest.raises(InputError, match="no patient 999999"):
        patient_of_run(folder, 999999, str(row["arm"]))
    changed = trial_result.patients.assign(**{"p:k_growth": trial_result.patients["p:k_growth"] * 1.01})
    changed.to_parquet(folder / "patients.parquet")
    with pytest.raises(InputError, match="a different 'k_growth'"):
        patient_of_run(folder, int(row["id"]), str(row["arm"]))


def test_a_run_of_another_protocol_of_an_included_name_is_refused(tmp_path, trial_result: VirtualResult) -> None:
    trial_result.patients.to_parquet(tmp_path / "patients.parquet")
    for sha256, refusal in ((trial_result.result.trial.sha256, "no patient 999999"), ("0" * 64, "another protocol")):
        content = trial_result.to_json() | {"provenance": {"protocol_sha256": sha256}}
        (tmp_path / "result.json").write_text(json.dumps(content))
        with pytest.raises(InputError, match=refusal):
            patient_of_run(tmp_path, 999999)


def test_a_missing_run_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="no such file"):
        patient_of_run(tmp_path, 1)


def test_courses_are_written_whole(patient: VirtualPatient, tmp_path) -> None:
    courses = patient.compare(["none", PEMBROLIZUMAB], months=4, observe=["V_T", "diameter_T"])
    written = courses.save(tmp_path / "out")
    assert {p.name for p in written} == {"course.csv", "doses.csv", "scans.csv", "course.json", "course.png"}
    table = pd.read_csv(tmp_path / "out" / "course.csv", skiprows=[1])
    assert table["V_T"].iloc[0] == pytest.approx(courses[0].table["V_T"].iloc[0])
    units = (tmp_path / "out" / "course.csv").read_text().splitlines()[1]
    assert units == ",day,milliliter,centimeter"
    content = json.loads((tmp_path / "out" / "course.json").read_text())
    assert content[1]["regimen"] == PEMBROLIZUMAB
    assert (tmp_path / "out" / "course.png").stat().st_size > 10_000


def test_what_is_shown_stays_short_and_is_escaped(patient: VirtualPatient) -> None:
    course = patient.simulate("none", months=2, label="<script>alert(1)</script>")
    assert len(repr(course)) < 2000
    assert len(repr(patient)) < 2000
    assert "<script>" not in course._repr_html_()
    assert "&lt;script&gt;" in course._repr_html_()


@pytest.mark.slow
def test_a_patient_who_progresses_on_the_last_days_is_followed_to_the_end() -> None:
    patient = immunescape.patient(seed=7)
    later = patient.simulate("none", months=12).outcome["progression_day"]
    assert later is not None
    months = (later + 0.5) / DAYS_PER_MONTH
    course = patient.simulate("none", months=months)
    assert course.outcome["progression_day"] == later
    assert course.table.index[-1] == pytest.approx(later + 0.5)


def test_a_twin_becomes_a_patient_with_the_parameters_that_measurements_have_moved():
    from types import SimpleNamespace

    from immunescape.api.twins import Twins
    from immunescape.population.covariates import sample_covariates
    from immunescape.population.reference_baseline import prepared_model
    from immunescape.twins.growth import GrowTask, Proposal, grow

    moved = Proposal(("k_growth",), np.array([0.4]), np.array([[0.5]]))
    table = grow(GrowTask(3, proposal=moved), sample_covariates(0, 6, 3, 0)).table
    twins = Twins(SimpleNamespace(twins=SimpleNamespace(table=table, seed=3, patient="P-7")))
    number = int(table.index[-1])
    patient = twins.patient(number)
    assert "twin of P-7" in repr(patient)
    model = prepared_model(())
    parameters = patient.parameters(model)
    row = table.loc[number]
    assert parameters["k_growth"] == pytest.approx(float(row["p:k_growth"]), rel=1e-12)
    assert parameters["k_growth"] != pytest.approx(
        replace(patient, conditioned={}).parameters(model)["k_growth"], rel=1e-3
    )
    course = patient.simulate("none", months=1, conduct="planned", observe=["diameter_T"])
    assert course.table["diameter_T"].iloc[0] == pytest.approx(float(row["b:diameter_T"]), rel=1e-6)
    with pytest.raises(InputError, match="no twin has the number 12345"):
        twins.patient(12345)


def test_a_saved_course_says_with_what_it_was_computed(tmp_path):
    course = immunescape.patient(seed=2).simulate("none", months=1, conduct="planned", observe=["V_T"])
    course.save(tmp_path / "out", figure=False)
    provenance = json.loads((tmp_path / "out" / "course.json").read_text())["provenance"]
    assert provenance["packages"]["numpy"] == np.__version__
    assert len(provenance["model_sha256"]) == 64


def test_a_drug_that_is_gone_between_outputs_is_named_and_not_drawn_as_what_is_left_of_it():
    patient = immunescape.patient(seed=3)
    regimen = "cisplatin 75 mg/m2 every 3 weeks for 4 cycles"
    names = ["V_T", "diameter_T", "conc_cisplatin"]
    for every, drawn in ((1.0, False), (0.05, True)):
        course = patient.simulate(regimen, months=1, conduct="planned", every_days=every, observe=names)
        (axis,) = [a for a in course.plot().axes if a.get_title(loc="left").startswith("Serum")]
        words = " ".join(text.get_text() for text in axis.texts)
        assert ("not drawn, as eliminated within a day of a dose: cisplatin" in words) is not drawn
        assert bool(len(axis.lines)) is drawn
        if drawn:
            assert np.nanmax(axis.lines[0].get_ydata()) > 0.1  # microgram per millilitre
