"""Treatment switching: tests and intervals of IPCW and RPSFT, against lifelines and over simulated trials."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, CoxTimeVaryingFitter

from immunescape.design.switching import Switching, analyse_switching, ipcw, switching_study


def test_without_switching_the_weighted_model_is_coxs_with_a_robust_error() -> None:
    data = Switching(patients=300, benefit=1.4, switch=(0.0, 0.0)).draw(np.random.default_rng(4))
    found = ipcw(data)
    frame = pd.DataFrame({"time": data.time, "event": data.event.astype(int), "arm": data.treated.astype(float)})
    fitted = CoxPHFitter().fit(frame, "time", "event", robust=True)
    assert np.log(found.hazard_ratio) == pytest.approx(float(fitted.params_["arm"]), abs=1e-5)
    error = np.log(found.high / found.low) / (2 * 1.959964)
    assert error == pytest.approx(float(fitted.standard_errors_["arm"]), rel=1e-3)
    assert found.z == pytest.approx(-float(fitted.summary.loc["arm", "z"]), rel=1e-3)


def test_weights_that_change_at_progression_equal_a_time_varying_fit() -> None:
    data = Switching(patients=240, benefit=1.4).draw(np.random.default_rng(5))
    rows = []
    end = np.minimum(data.time, data.switched)
    event = data.event & (data.time <= data.switched)
    progressed = ~data.treated & np.isfinite(data.progressed)
    for i in range(len(end)):
        weight = 1.0
        if progressed[i] and not np.isfinite(data.switched[i]):
            here = progressed & (data.covariate == data.covariate[i])
            weight = 1.0 / (1.0 - np.isfinite(data.switched[here]).mean())
        cut = data.progressed[i] if progressed[i] and data.progressed[i] < end[i] else None
        first = end[i] if cut is None else cut
        rows.append((i, 0.0, first, cut is None and bool(event[i]), 1.0, float(data.treated[i])))
        if cut is not None:
            rows.append((i, cut, end[i], bool(event[i]), weight, 0.0))
    frame = pd.DataFrame(rows, columns=["id", "start", "stop", "event", "weight", "arm"])
    fitted = CoxTimeVaryingFitter().fit(
        frame, id_col="id", start_col="start", stop_col="stop", event_col="event", weights_col="weight"
    )
    assert np.log(ipcw(data).hazard_ratio) == pytest.approx(float(fitted.params_["arm"]), abs=1e-4)


def test_rpsft_keeps_the_test_of_the_arms_as_randomised() -> None:
    data = Switching(benefit=1.5).draw(np.random.default_rng(6))
    found = analyse_switching(data)
    assert found.rpsft.z == found.itt.z
    assert found.rpsft.p == found.itt.p
    assert found.psi_low < found.psi < found.psi_high
    # the interval of the hazard ratio excludes 1 exactly where the test rejects
    assert (found.rpsft.high < 1) == (found.itt.z > 1.959964)
    assert np.isnan(analyse_switching(dataclasses.replace(data, untreated=np.full(400, np.nan))).true)


@pytest.mark.slow
def test_without_a_benefit_the_tests_hold_their_level_and_intervals_cover() -> None:
    study = switching_study(Switching(patients=300, benefit=1.0), 200, seed=3)
    for method in ("itt", "ipcw", "rpsft"):
        rejected, coverage = study.rejected[method], study.coverage[method]
        assert rejected[0] <= 0.025 + 4 * np.sqrt(0.025 / 200)
        assert coverage[0] >= 0.95 - 4 * np.sqrt(0.05 * 0.95 / 200)
    # switching depends on prognosis: the naive interval misses
    assert study.coverage["censored"][0] < 0.6


@pytest.mark.slow
def test_with_a_benefit_intervals_hold_the_ratio_without_switching() -> None:
    study = switching_study(Switching(patients=300, benefit=1.5), 200, seed=4)
    for method in ("ipcw", "rpsft"):
        assert study.coverage[method][0] >= 0.95 - 4 * np.sqrt(0.05 * 0.95 / 200) - 0.01
    assert study.coverage["itt"][0] < study.coverage["ipcw"][0]
