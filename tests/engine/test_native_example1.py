"""The native engine on a published 50-state model: against its MATLAB trajectories, and against libroadrunner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.engine.example1 import OBSERVABLES, doses, example1_sbml

from immunescape.engine import Job, get_engine
from immunescape.engine.native.engine import NativeEngine


@pytest.fixture(scope="module")
def tables(shared_data: Path) -> Path:
    return shared_data / "qsp_io" / "example1"


@pytest.fixture(scope="module")
def text(tables: Path) -> str:
    return example1_sbml(tables)


@pytest.mark.parametrize("scenario", ["A1", "treated"])
def test_both_matlab_trajectories_are_reproduced(tables, text, scenario):
    expected = pd.read_csv(tables / f"reference_{scenario}_trajectory.csv")
    outputs = tuple(name for name, _ in OBSERVABLES.values())
    table = doses(tables / f"reference_{scenario}_scenario.json")
    model = NativeEngine().compile(text)
    assert model.backend == "native"
    result = model.run(Job(1, expected.time_days.to_numpy(), outputs, doses=table, rtol=1e-8, atol=1e-10))
    for column, (name, factor) in OBSERVABLES.items():
        error = np.abs(result[name][0] * factor - expected[column]).max() / np.abs(expected[column]).max()
        assert error < 1e-5, column


def test_a_treated_patient_agrees_with_the_reference_engine(tables, text):
    outputs = tuple(name for name, _ in OBSERVABLES.values())
    table = doses(tables / "reference_treated_scenario.json")
    job = Job(1, np.linspace(0, 100, 51), outputs, parameters={"k_C_T1": 9.0}, doses=table, rtol=1e-8, atol=1e-9)
    a, b = (get_engine(name).compile(text).run(job).values for name in ("native", "reference"))
    assert (np.abs(a - b) / np.abs(b).max(axis=(0, 1))).max() < 3e-6


def test_random_patients_agree_with_libroadrunner(tables, text):
    rng = np.random.default_rng(11)
    outputs = tuple(name.strip("[]") for name, _ in OBSERVABLES.values())
    native, oracle = NativeEngine().compile(text), get_engine("roadrunner").compile(text)
    n = 3
    parameters = {
        name: native.parameters[name] * np.exp(0.3 * rng.standard_normal(n))
        for name in ("k_C1_growth", "k_C_T1", "k_Treg")
    }
    table = doses(tables / "reference_A1_scenario.json")
    job = Job(n, np.linspace(0, 120, 121), outputs, parameters=parameters, doses=table, rtol=1e-8, atol=1e-9)
    a, b = native.run(job).values, oracle.run(job).values
    assert (np.abs(a - b) / np.abs(b).max(axis=(0, 1))).max() < 3e-6
