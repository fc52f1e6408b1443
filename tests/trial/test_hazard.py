"""The hazard of death against closed forms, and its table."""

from __future__ import annotations

import math

import numpy as np
import pytest

from immunescape.trial.coefficients import coefficients
from immunescape.trial.hazard import HazardModel, event_time, nadir_before
from immunescape.units import DAYS_PER_MONTH

PATIENT = {
    "ecog": 0,
    "histology": "nonsquamous",
    "smoking": "former",
    "albumin_g_l": None,
    "nlr": None,
    "ldh_uln": 0.8,
    "liver_mets": False,
    "n_sites": 3,
}


@pytest.fixture(scope="module")
def model():
    return HazardModel.load()


@pytest.fixture
def patient(model):
    b = model.value
    return PATIENT | {"albumin_g_l": b["albumin_reference"], "nlr": math.exp(b["log_nlr_reference"])}


def test_reference_patient_has_the_intercept(model, patient):
    assert model.linear_predictor(patient) == pytest.approx(model.value["intercept"])
    rate = model.rate(model.linear_predictor(patient), [70.0], [False], [False])
    assert rate[0] * DAYS_PER_MONTH == pytest.approx(math.exp(model.value["intercept"]))


@pytest.mark.parametrize(
    ("change", "worse"),
    [
        ({"ecog": 1}, True),
        ({"n_sites": 5}, True),
        ({"histology": "squamous"}, True),
        ({"smoking": "never"}, False),
        ({"albumin_g_l": 30.0}, True),
        ({"nlr": 10.0}, True),
        ({"ldh_uln": 1.5}, True),
        ({"liver_mets": True}, True),
    ],
)
def test_direction_of_every_covariate(model, patient, change, worse):
    difference = model.linear_predictor(patient | change) - model.linear_predictor(patient)
    assert (difference > 0) == worse


def test_state_and_size(model):
    rate = model.rate(0.0, [70, 140, 70, 70, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0])
    assert rate[1] / rate[0] == pytest.approx(2 ** model.value["log_sld"])
    assert rate[2] / rate[0] == pytest.approx(math.e)  # what progression adds to ln of the hazard
    assert rate[3] < rate[0] < rate[2]
    assert 0 < rate[4] < rate[0]  # a tumour that is gone leaves a finite hazard


def test_a_tumour_that_grew_back_fast_kills_sooner(model):
    b = model.value
    fast, usual, slow = (model.after_progression(months) for months in (1.0, 3.0, 12.0))
    assert usual == pytest.approx(b["progressed"])
    assert fast > usual > slow
    # half the time of regrowth is twice the rate
    assert fast - model.after_progression(2.0) == pytest.approx(-b["log_regrowth"] * math.log(2))
    assert model.after_progression(0.0) == model.after_progression(0.5)  # a floor keeps it finite
    one, two = (model.rate(0.0, [70.0], [0.0], [False], earlier_lines=k)[0] for k in (1, 2))
    assert two / one == pytest.approx(math.exp(b["earlier_line"]))


def test_growth_counts_from_the_last_of_the_smallest_scans():
    assert nadir_before([70.0]) == 0
    assert nadir_before([70.0, 60.0, 50.0, 50.0, 55.0]) == 3
    assert nadir_before([40.0, 41.0]) == 0


def test_no_coefficient_knows_a_drug_a_class_an_arm_or_a_trial():
    from immunescape.model.drug_tables import drug_classes
    from immunescape.trial.loading import list_trials

    classes = set().union(*drug_classes().values())
    forbidden = {w.replace("-", "_") for w in (*drug_classes(), *classes, *list_trials())}
    forbidden |= {"arm", "drug", "regimen", "treatment", "control", "experimental", "chemotherapy", "inhibitor", "ici"}
    words = {part for name in coefficients("os_hazard") for part in (name, *name.split("_"))}
    assert not words & forbidden
    patient = {"ecog", "sites", "stage_iii", "squamous", "never", "albumin", "log_nlr", "ldh_high", "liver_mets"}
    tumour = {"intercept", "log_sld", "progressed", "responding", "log_regrowth", "earlier_line", "frailty"}
    scales = {"albumin_reference", "log_nlr_reference", "lethal_volume"}
    assert set(coefficients("os_hazard")) == patient | tumour | scales


def test_no_function_of_the_hazard_is_told_the_treatment():
    import inspect

    taken = {
        name: set(inspect.signature(getattr(HazardModel, name)).parameters) - {"self"}
        for name in vars(HazardModel)
        if not name.startswith("_") and inspect.isfunction(getattr(HazardModel, name))
    }
    assert taken == {
        "linear_predictor": {"patient"},
        "after_progression": {"regrowth_months"},
        "rate": {"linear_predictor", "sld_mm", "progressed", "responding", "earlier_lines"},
    }


def test_only_what_the_table_holds_is_used(model):
    """Every coefficient is read by the model or by the simulation: none lies in the table unused."""
    from pathlib import Path

    import immunescape.trial as package

    folder = Path(package.__file__).parent
    text = (folder / "hazard.py").read_text() + (folder / "simulate.py").read_text()
    assert not [name for name in coefficients("os_hazard") if f'"{name}"' not in text]


def test_event_time_of_a_constant_hazard():
    days = np.arange(0.0, 71.0, 7.0)
    day, left = event_time(days, np.full(11, 0.02), 0.5)
    assert day == pytest.approx(25.0)
    assert left == 0.0
    day, left = event_time(days, np.full(11, 0.02), 2.0)
    assert day is None
    assert left == pytest.approx(2.0 - 1.4)


def test_event_time_does_not_depend_on_pieces():
    days = np.arange(0.0, 141.0, 7.0)
    rate = 0.001 * np.exp(0.03 * days)
    whole, _ = event_time(days, rate, 0.6)
    first, left = event_time(days[:11], rate[:11], 0.6)
    assert first is None
    second, _ = event_time(days[10:], rate[10:], left)
    assert second == pytest.approx(whole)


def test_exponential_thresholds_give_the_survival_function():
    rng = np.random.default_rng(3)
    days = np.arange(0.0, 2001.0, 7.0)
    rate = np.full(len(days), 0.005)
    times = [event_time(days, rate, t)[0] or 2000.0 for t in rng.exponential(size=2000)]
    assert np.median(times) == pytest.approx(math.log(2) / 0.005, rel=0.08)


def test_every_coefficient_has_source_and_grade():
    from immunescape.knowledge.references import load_references

    known = set(load_references())
    for table in ("os_hazard", "lesions", "trial_conduct"):
        for row in coefficients(table).values():
            assert row.grade in ("measured", "fitted", "assumed")
            for key in row.source.split(";"):
                assert key == "assumed" or key in known, f"{table}: {row.name}: {key}"


def test_the_page_shows_the_coefficients_of_the_table():
    import re
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "survival.md").read_text(encoding="utf-8")
    shown = {n: float(v) for n, v in re.findall(r"^\| `(\w+)` \| (-?[\d.]+) \(", page, flags=re.MULTILINE)}
    assert set(shown) == {"log_sld", "progressed", "log_regrowth", "responding", "earlier_line"}
    for name, value in shown.items():
        assert coefficients("os_hazard")[name].value == pytest.approx(value, abs=0.006), name


def _script(name):
    """A script of the repository, with its folder importable as when it is run."""
    import importlib
    import sys
    from pathlib import Path

    folder = str(Path(__file__).parents[2] / "scripts")
    sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(folder)


@pytest.mark.slow
def test_coefficients_are_what_the_script_fits(shared_data):
    """The table in the package is the fit to the training patients, and held-out patients rank as it says."""
    from pathlib import Path

    from lifelines.utils import concordance_index

    fit = _script("fit_os_hazard")
    shared = Path(shared_data)
    oak, lesions, loris = fit.read_oak(shared), fit.read_lesions(shared), fit.read_loris(shared)
    train, test = oak[oak["training"]].reset_index(drop=True), oak[~oak["training"]]
    fitted = fit.fit_all(train, lesions, loris)
    stored = HazardModel.load().value
    for name, value in zip(("intercept", *fit.TERMS), fitted.conditional, strict=True):
        assert stored[name] == pytest.approx(value, rel=2e-3, abs=2e-3), name
    for name in ("albumin", "log_nlr"):
        assert stored[name] == pytest.approx(fitted.laboratory[name][0], rel=1e-3)
    base = stored["log_sld"] * np.log(test["sld"]) + sum(stored[n] * test[n] for n in fit.BASELINE)
    assert concordance_index(test["os"], -base, test["dead"]) > 0.6


def test_no_held_out_patient_enters_the_fit(shared_data):
    from pathlib import Path

    import pandas as pd

    from immunescape.knowledge.held_out import is_held_out

    fit = _script("fit_os_hazard")
    shared = Path(shared_data)
    oak = fit.read_oak(shared)
    assert not any(is_held_out("oak", p) for p in oak.loc[oak["training"], "patient"])
    left = 0
    for study, table in fit.LORIS:
        raw = pd.read_csv(shared / "loris" / table)
        raw = raw[[not is_held_out(study, p) for p in raw["SAMPLE_ID"]]]
        left += int(
            raw[["OS_Months", "PFS_Months", "Albumin", "NLR", "Systemic_therapy_history"]].notna().all(axis=1).sum()
        )
    assert len(fit.read_loris(shared)) == left


def _toy_patient(**changes):
    import pandas as pd

    row = {
        "os": 10.0,
        "dead": True,
        "pfs": 4.0,
        "progressed": True,
        "best": "SD",
        "sld": 70.0,
        "arm": "a",
        "earlier_line": 1.0,
    }
    return pd.DataFrame([row | changes])


def test_person_time_never_knows_a_state_before_it_begins():
    """A late responder counts as unresponsive until the scan of the response: no immortal time."""
    courses = _script("oak_courses")
    n = 3
    lesions = courses.LesionCourses(
        np.array(["a"] * n), np.array(["PR"] * n), np.full(n, 9.0), np.full(n, 6.0), np.full(n, -0.7), np.full(n, 4.5)
    )
    table = courses.person_time(_toy_patient(best="PR", pfs=9.0, os=12.0), lesions)
    middle = table["end"] - table["months"] / 2
    assert not table["responding"][middle < 4.5].any()
    assert table["responding"][(middle > 4.5) & (middle < 9.0)].all()
    assert not table["progressed"][middle < 9.0].any()
    assert table["progressed"][middle > 9.0].all()
    # regrowth: from the nadir at 6 months to progression at 9
    assert np.allclose(table["log_regrowth"][middle > 9.0], math.log(3.0 / 3.0))
    assert not table["log_regrowth"][middle < 9.0].any()
    assert table["months"].sum() == pytest.approx(12.0 * courses.COURSES)
    assert table["death"].sum() == courses.COURSES


def test_a_patient_whom_nobody_assessed_is_not_taken_for_free_of_progression():
    courses = _script("oak_courses")
    lesions = courses.LesionCourses(
        np.array(["a"]), np.array(["PD"]), np.array([2.0]), np.array([0.0]), np.array([0.0]), np.array([math.inf])
    )
    table = courses.person_time(_toy_patient(best="NE", pfs=8.0, os=8.0, progressed=False), lesions)
    middle = table["end"] - table["months"] / 2
    assert table["progressed"][middle > 2.0].all()
    seen = courses.person_time(_toy_patient(best="SD", pfs=8.0, os=8.0, progressed=False), _one_lesion(courses, "SD"))
    assert not seen["progressed"].any()


def _one_lesion(courses, kind):
    return courses.LesionCourses(
        np.array(["a"]), np.array([kind]), np.array([12.0]), np.array([3.0]), np.array([-0.1]), np.array([math.inf])
    )


def test_a_lesion_is_read_as_a_trial_reads_it():
    courses = _script("oak_courses")
    months, size = np.array([0.0, 1.4, 2.8, 4.2, 5.6]), np.array([50.0, 40.0, 30.0, 30.0, 37.0])
    kind, end, nadir, depth, response = courses._read_course(months, size)
    assert (kind, end, nadir, response) == ("PR", 5.6, 4.2, 2.8)
    assert depth == pytest.approx(math.log(0.6))
    # 5 mm above the nadir are asked for as well
    assert courses._read_course(months, np.array([20.0, 12.0, 12.0, 15.0, 16.0]))[1] == 5.6
    assert courses._read_course(months[:3], np.array([20.0, 21.0, 26.0]))[0] == "PD"
