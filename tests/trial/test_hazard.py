"""The hazard of death against closed forms, and its table."""

from __future__ import annotations

import math

import numpy as np
import pytest

from immunescape.trial.coefficients import coefficients
from immunescape.trial.hazard import HazardModel, event_time
from immunescape.trial.recist import DAYS_PER_MONTH

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
    rate = model.rate(0.0, [70, 140, 70, 70, 0, 70], [0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 1])
    assert rate[1] / rate[0] == pytest.approx(2 ** model.value["log_sld"])
    assert rate[2] / rate[0] == pytest.approx(math.e)  # what progression adds to ln of the hazard
    assert rate[3] < rate[0] < rate[5] < rate[2]
    assert 0 < rate[4] < rate[0]  # a tumour that is gone leaves a finite hazard


def test_progression_and_earlier_lines(model):
    b = model.value
    quick = model.after_progression(1.0, checkpoint_inhibitor=False)
    usual = model.after_progression(3.0, checkpoint_inhibitor=False)
    assert usual == pytest.approx(b["progressed"])
    assert quick > usual > model.after_progression(12.0, checkpoint_inhibitor=False)
    assert model.after_progression(3.0, checkpoint_inhibitor=True) == pytest.approx(usual + b["progressed_ici"])
    assert model.after_progression(0.0, checkpoint_inhibitor=True) < 3.0  # a floor keeps it finite
    one, two = (model.rate(0.0, [70.0], [0.0], [False], earlier_lines=k)[0] for k in (1, 2))
    assert two / one == pytest.approx(math.exp(b["earlier_line"]))


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


@pytest.mark.slow
def test_coefficients_are_what_the_script_fits(shared_data):
    """The table in the package is the fit to the training patients, and it predicts patients that it has not seen."""
    import importlib.util
    from pathlib import Path

    from lifelines.utils import concordance_index

    path = Path(__file__).parents[2] / "scripts" / "fit_os_hazard.py"
    spec = importlib.util.spec_from_file_location("fit_os_hazard", path)
    assert spec is not None
    assert spec.loader is not None
    fit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fit)
    oak = fit.read_oak(Path(shared_data))
    train, test = oak[oak["training"]], oak[~oak["training"]]
    time = fit.person_time(train)
    months = time["months"].to_numpy()
    lines = train.loc[time["row"], "earlier_line"].to_numpy()
    stored = HazardModel.load().value
    months = months * np.exp(stored["earlier_line"] * lines)
    beta, errors, _ = fit.poisson(fit.design_of(train, time), time["death"].to_numpy(), months)
    for name, value, error in zip(("intercept", *fit.TERMS), beta, errors, strict=True):
        assert abs(stored[name] - value) < 2.5 * error, name
    base = stored["log_sld"] * np.log(test["sld"]) + sum(stored[n] * test[n] for n in fit.BASELINE)
    assert concordance_index(test["os"], -base, test["dead"]) > 0.6
