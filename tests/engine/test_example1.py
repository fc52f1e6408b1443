"""The published 50-state model against its trajectories from another simulator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from example1 import AVOGADRO, DRUG, OBSERVABLES, doses, example1_sbml

from immunescape.engine import get_engine
from immunescape.engine.api import OK, Compiled, Doses, Job
from immunescape.errors import EngineError


@pytest.fixture(scope="module")
def tables(shared_data) -> Path:
    return shared_data / "qsp_io" / "example1"


@pytest.fixture(scope="module")
def sbml(tables) -> str:
    return example1_sbml(tables)


@pytest.fixture(scope="module", params=["reference", "native"])
def model(request, sbml) -> Compiled:
    try:
        return get_engine(request.param).compile(sbml)
    except EngineError as error:
        pytest.skip(str(error))


def test_size(model):
    assert len(model.states) == 50


@pytest.mark.parametrize("scenario", ["A1", "treated"])
@pytest.mark.slow
def test_every_observable_is_within_1e5_of_its_maximum(model, tables, scenario):
    expected = pd.read_csv(tables / f"reference_{scenario}_trajectory.csv")
    job = Job(
        n=1,
        times=expected.time_days.to_numpy(),
        outputs=tuple(name for name, _ in OBSERVABLES.values()),
        doses=doses(tables / f"reference_{scenario}_scenario.json"),
        rtol=1e-7,
        atol=1e-8,
    )
    result = model.run(job)
    assert result.status[0] == OK, result.messages
    got = {column: result[name][0] * factor for column, (name, factor) in OBSERVABLES.items()}
    got["tumour_diameter_cm"] = 2 * (3 * got["tumour_volume_l"] * 1000 / (4 * np.pi)) ** (1 / 3)
    got["tcell_density_per_ul"] = got["cd8_tumor_cells"] / (got["tumour_volume_l"] * 1e6)
    assert set(got) == set(expected.columns) - {"time_days"}
    errors = {c: np.abs(got[c] - expected[c]).max() / np.abs(expected[c]).max() for c in got}
    assert max(errors.values()) < 1e-5, errors


@pytest.mark.slow
def test_the_tumour_is_eradicated_by_the_event(model, tables):
    result = model.run(
        Job(
            n=1,
            times=np.array([0.0, 170.0, 200.0]),
            outputs=("V_T_C1",),
            doses=doses(tables / "reference_treated_scenario.json"),
            atol=1e-8,
        )
    )
    assert result["V_T_C1"][0, 1] > 0.9
    assert result["V_T_C1"][0, 2] == pytest.approx(0.0, abs=1e-12)


def test_a_dose_gives_the_published_concentration(model):
    dose = Doses(np.zeros(1), (DRUG,), np.array([1.39276e-6 * AVOGADRO]), np.zeros(1))
    result = model.run(Job(n=1, times=np.array([0.0, 0.01]), outputs=("[V_C_nivolumab]",), doses=dose))
    molar = result["[V_C_nivolumab]"][0, 0] * 1e15 / AVOGADRO
    assert molar == pytest.approx(2.78551532033426e-07, rel=2e-6)
