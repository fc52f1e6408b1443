"""The limiting step of one patient: relieved by experiment, never the growth of the tumour, none where none helps."""

from __future__ import annotations

import pytest

import immunescape
from immunescape.patients import VirtualPatient
from immunescape.patients.relief import LEAST, LimitingStep, limiting_step, reliefs

REGIMEN = "pembrolizumab 200 mg every 3 weeks"


@pytest.fixture(scope="module")
def patient() -> VirtualPatient:
    return immunescape.patient(seed=3)


def result(**smaller: float) -> LimitingStep:
    values = {r.step: 0.0 for r in reliefs()} | smaller
    return LimitingStep(REGIMEN, 6.0, 20.0, values)


def test_the_step_whose_relief_shrinks_the_tumour_most_limits() -> None:
    limiting = result(killing=40.0, priming=60.0, recognition=-5.0)
    assert limiting.step == "priming"
    assert limiting.table["step"].iloc[0] == "priming"
    assert limiting.table["limiting"].sum() == 1
    assert "60 % smaller" in limiting.sentence


def test_where_no_relief_helps_enough_no_step_is_named() -> None:
    limiting = result(killing=LEAST - 0.1)
    assert limiting.step is None
    assert not limiting.table["limiting"].any()
    assert limiting.sentence.startswith("No step limits alone")


def test_growth_and_the_drug_are_no_steps_of_the_cycle() -> None:
    parameters = {r.parameter for r in reliefs()}
    assert not parameters & {"k_growth", "T8_PD1", "PD1_50_killing"}
    assert len(parameters) == len(reliefs())


def test_a_relief_is_the_doubling_itself_whatever_was_changed_before(patient: VirtualPatient) -> None:
    by_hand = [
        patient.changed(k_kill=f"x{f}").simulate(REGIMEN, months=6, conduct="planned").table["V_T"].iloc[-1]
        for f in (0.5, 1.0)
    ]
    relieved = limiting_step(patient.changed(k_kill="x0.5"), REGIMEN)
    assert relieved.volume_ml == pytest.approx(by_hand[0], rel=1e-3)
    assert relieved.smaller_pct["killing"] == pytest.approx(100 * (1 - by_hand[1] / by_hand[0]), abs=0.5)


def test_steps_differ_between_patients_and_some_patients_have_none() -> None:
    steps = {limiting_step(immunescape.patient(seed=seed), REGIMEN).step for seed in (1, 2, 5, 10)}
    assert None in steps
    assert len(steps) >= 3, steps
