"""Doses in milligrams and nanomoles, delays and reductions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immunescape.errors import InputError
from immunescape.model.drug_tables import usual_doses
from immunescape.trial.dosing import (
    BodySize,
    DoseChange,
    DoseRecord,
    administered,
    calvert_mg,
    dose_mg,
    dose_problem,
    to_doses,
)
from immunescape.trial.grammar import parse_regimen
from immunescape.units import body_surface_area

SIZE = BodySize(weight_kg=80, bsa_m2=1.9, crcl_ml_min=100)
DRUGS = [
    "pembrolizumab",
    "carboplatin",
    "pemetrexed",
    "gemcitabine",
    "durvalumab",
    "cetuximab",
    "aldesleukin",
    "nivolumab",
]


def given_doses(text: str, until: float = 100, *changes: DoseChange) -> list[DoseRecord]:
    return administered(parse_regimen(text, DRUGS), SIZE, until_days=until, changes=changes)


@pytest.mark.parametrize(
    ("amount", "unit", "mg"),
    [
        (200, "mg", 200),
        (2, "mg/kg", 160),
        (500, "mg/m2", 950),
        (5, "AUC", 625),
        (6, "ug/kg", 0.48),
        (1, "g/m2", 1900),
        (250, "ug", 0.25),
    ],
)
def test_units(amount: float, unit: str, mg: float) -> None:
    assert dose_mg(amount, unit, SIZE) == pytest.approx(mg)


def test_published_maximum_doses_of_carboplatin() -> None:
    """The largest doses that the FDA's advice of 2010 states: 900, 750 and 600 mg for AUC 6, 5 and 4."""
    assert [calvert_mg(auc, 180.0) for auc in (6, 5, 4)] == [900, 750, 600]
    assert calvert_mg(5, 90) == 575


def test_body_surface_of_a_man_of_170_cm_and_70_kg() -> None:
    """DuBois' own table gives 1.81 m2; Mosteller's formula differs by at most 2 % from 45 to 130 kg."""
    assert body_surface_area(70.0, 170.0) == pytest.approx(1.81, abs=0.005)
    weight, height = np.array([45.0, 70.0, 130.0]), np.array([150.0, 172.0, 195.0])
    np.testing.assert_allclose(body_surface_area(weight, height), np.sqrt(weight * height / 3600.0), rtol=0.021)


@pytest.mark.parametrize(("amount", "unit"), [(0, "mg"), (-200, "mg"), (math.nan, "mg/kg"), (math.inf, "mg")])
def test_impossible_amounts(amount: float, unit: str) -> None:
    with pytest.raises(InputError, match="cannot be given"):
        dose_mg(amount, unit, SIZE)
    assert dose_problem("pembrolizumab", amount, unit) == "a dose must be greater than zero"


def test_units_without_mass() -> None:
    with pytest.raises(InputError, match="a dose in IU/kg has no mass"):
        dose_mg(600_000, "IU/kg", SIZE)


@pytest.mark.parametrize(
    ("drug", "amount", "unit", "times"),
    [
        ("pembrolizumab", 20_000, "mg", 50),
        ("pembrolizumab", 200, "mg/kg", 35),
        ("carboplatin", 500, "AUC", 83),
        ("docetaxel", 75, "g/m2", 750),
        ("pembrolizumab", 9e99, "mg", "2e+97"),
    ],
)
def test_a_hundredfold_dose_is_refused(drug: str, amount: float, unit: str, times: int | str) -> None:
    problem = dose_problem(drug, amount, unit)
    assert problem is not None
    assert f"is {times} times the largest usual dose of {drug}" in problem


def test_every_registered_drug_has_a_usual_dose_that_it_accepts() -> None:
    from immunescape.model.registry import drugs

    usual = usual_doses()
    for name, drug in drugs().items():
        assert name in usual, f"{name} has no usual dose"
        assert usual[name].unit in drug.dose_units
        assert dose_problem(name, usual[name].value, usual[name].unit) is None
        assert dose_problem(name, 100 * usual[name].value, usual[name].unit) is not None


def test_loading_dose_and_cap() -> None:
    records = given_doses("cetuximab 400 mg/m2 loading dose, then 250 mg/m2 weekly", 15)
    assert [r.amount for r in records] == pytest.approx([760, 475, 475])
    records = given_doses("carboplatin AUC 6 max 700 mg q3w for 2 cycles")
    assert [r.amount for r in records] == [700, 700]


def test_delay_moves_all_later_doses_and_phases() -> None:
    text = "carboplatin AUC 5 + pemetrexed 500 mg/m2 q3w for 2 cycles, then pemetrexed 500 mg/m2 q3w"
    records = given_doses(text, 80, DoseChange(10, "delay", 7))
    assert [r.time_days for r in records if r.drug == "carboplatin"] == [0, 28]
    assert [r.time_days for r in records if r.drug == "pemetrexed"] == [0, 28, 49, 70]
    assert [r.planned_days for r in records if r.drug == "pemetrexed"] == [0, 21, 42, 63]


def test_a_delay_that_begins_on_the_day_of_a_dose_moves_that_dose() -> None:
    records = given_doses("pembrolizumab 200 mg q3w", 50, DoseChange(21, "delay", 14), DoseChange(35, "delay", 7))
    assert [r.time_days for r in records] == [0, 42]


def test_a_limit_in_months_holds_by_the_calendar_and_one_in_cycles_does_not() -> None:
    delay = DoseChange(10, "delay", 28)
    assert len(given_doses("durvalumab 10 mg/kg q2w for 8 weeks", 1000, delay)) == 2
    assert len(given_doses("durvalumab 10 mg/kg q2w for 8 weeks", 1000)) == 4
    records = given_doses("durvalumab 10 mg/kg q2w for 4 cycles", 1000, delay)
    assert [r.time_days for r in records] == [0, 42, 56, 70]


def test_reduce_skip_and_stop_of_one_drug() -> None:
    text = "carboplatin AUC 5 + gemcitabine 1000 mg/m2 on days 1 and 8 q3w for 4 cycles"
    changes = [
        DoseChange(5, "skip", 5, ("gemcitabine",)),
        DoseChange(20, "reduce", 0.8, ("gemcitabine",)),
        DoseChange(40, "reduce", 0.75, ("gemcitabine",)),
        DoseChange(43, "stop", drugs=("carboplatin",)),
    ]
    records = given_doses(text, 100, *changes)
    assert [r.time_days for r in records if r.drug == "carboplatin"] == [0, 21, 42]
    gemcitabine = [(r.time_days, r.amount / r.planned) for r in records if r.drug == "gemcitabine"]
    assert [t for t, _ in gemcitabine] == [0, 21, 28, 42, 49, 63, 70]
    assert [f for _, f in gemcitabine] == pytest.approx([1, 0.8, 0.8, 0.6, 0.6, 0.6, 0.6])


@pytest.mark.parametrize(
    ("kind", "value"), [("delay", 0), ("delay", -7), ("skip", 0), ("reduce", 0), ("reduce", 1.2), ("delay", math.nan)]
)
def test_senseless_changes(kind: str, value: float) -> None:
    with pytest.raises(InputError, match="a dose cannot be changed"):
        DoseChange(10, kind, value)  # type: ignore[arg-type]


def test_patient_without_weight() -> None:
    assert BodySize.of({"weight_kg": 80, "bsa_m2": 1.9, "crcl_ml_min": 100, "age": 60}) == SIZE
    with pytest.raises(InputError, match="'crcl_ml_min' of the patient is nan"):
        BodySize.of({"weight_kg": 80, "bsa_m2": 1.9})
    with pytest.raises(InputError, match="'weight_kg' of the patient is 0"):
        BodySize.of({"weight_kg": 0, "bsa_m2": 1.9, "crcl_ml_min": 100})


class Antibody:
    molar_mass = 143_597.0
    dose_state = "nivolumab_C"
    infusion_hours = 1.0


def test_nanomoles_as_in_the_published_model() -> None:
    """A dose of 200 mg adds 1.39276e-6 mol of nivolumab in the published QSP-IO model (143.6 kDa)."""
    records = administered(parse_regimen("nivolumab 200 mg q2w", DRUGS), SIZE, until_days=15)
    doses = to_doses(records, {"nivolumab": Antibody()}, start_days=100)
    assert doses.time.tolist() == [100, 114]
    assert doses.target == ("nivolumab_C", "nivolumab_C")
    np.testing.assert_allclose(doses.amount, 1.39276e-6 * 1e9, rtol=1e-4)
    np.testing.assert_allclose(doses.duration, 1 / 24)
    short = given_doses("nivolumab 200 mg over 30 minutes once")
    np.testing.assert_allclose(to_doses(short, {"nivolumab": Antibody()}).duration, 0.5 / 24)


def test_no_dose() -> None:
    assert to_doses(given_doses("placebo")).time.size == 0


def test_a_record_that_cannot_be_dosed() -> None:
    class Unmeasured(Antibody):
        molar_mass = 0.0

    records = given_doses("nivolumab 240 mg q2w", 10)
    with pytest.raises(InputError, match="'nivolumab' cannot be dosed"):
        to_doses(records, {"nivolumab": Unmeasured()})
    bad = DoseRecord(
        time_days=0,
        drug="nivolumab",
        amount=-1.0,
        planned=1.0,
        planned_days=0,
        duration_hours=None,
        phase=0,
        rule=0,
        cycle=1,
        day=1,
    )
    with pytest.raises(InputError, match="a dose of -1 mg"):
        to_doses([bad], {"nivolumab": Antibody()})


def test_registered_drugs_can_be_dosed() -> None:
    from immunescape.model.registry import drugs

    for name, row in usual_doses().items():
        if name in drugs():
            records = administered(parse_regimen(f"{name} {_text(row.value, row.unit)} once"), SIZE, until_days=1)
            doses = to_doses(records)
            assert doses.amount[0] > 0
            assert doses.target == (drugs()[name].dose_state,)


def _text(value: float, unit: str) -> str:
    return f"AUC {value:g}" if unit == "AUC" else f"{value:g} {unit}"


@given(
    st.lists(st.tuples(st.floats(0, 200), st.sampled_from(["delay", "skip", "reduce"]), st.floats(0.1, 30)), max_size=6)
)
@settings(max_examples=100, deadline=None)
def test_changes_never_add_doses(events: list[tuple[float, str, float]]) -> None:
    """Whatever toxicity does: no more doses than planned, none larger, none before its plan, order kept."""
    changes = [DoseChange(t, k, min(v, 1.0) if k == "reduce" else v) for t, k, v in events]  # type: ignore[arg-type]
    text = "gemcitabine 1250 mg/m2 on days 1 and 8 q3w for 6 cycles, then durvalumab 10 mg/kg q2w"
    plan = given_doses(text, 250)
    records = given_doses(text, 250, *changes)
    assert len(records) <= len(plan)
    planned = {(r.phase, r.cycle, r.day): r for r in plan}
    for r in records:
        assert r.amount <= planned[r.phase, r.cycle, r.day].amount
        assert planned[r.phase, r.cycle, r.day].time_days <= r.time_days < 250
    times = [r.time_days for r in records if r.drug == "gemcitabine"]
    assert times == sorted(times)


# --- activity, cells, routes, long runs of daily doses --------------------------------------------------------------


class Tablet:
    molar_mass = 500.0
    dose_state = "tablet_gut"
    infusion_hours = 0.0
    route = "oral"
    route_states: dict[str, str] = {}  # noqa: RUF012
    dose_amounts: dict[str, float] = {}  # noqa: RUF012


class Interleukin:
    molar_mass = 0.0
    dose_state = "il_C"
    infusion_hours = 0.25
    route = "iv"
    route_states = {"sc": "il_depot"}  # noqa: RUF012
    dose_amounts = {"IU": 4e-6}  # noqa: RUF012


def test_activity_and_route() -> None:
    records = given_doses("aldesleukin 600000 IU/kg every 8 hours for 3 doses", 10)
    assert [(r.amount, r.unit) for r in records] == [(600_000 * 80, "IU")] * 3
    doses = to_doses(records, {"aldesleukin": Interleukin()})
    np.testing.assert_allclose(doses.amount, 600_000 * 80 * 4e-6)
    assert set(doses.target) == {"il_C"}
    below = given_doses("aldesleukin 9 MIU sc once", 10)
    assert to_doses(below, {"aldesleukin": Interleukin()}).target == ("il_depot",)
    with pytest.raises(InputError, match="'aldesleukin' cannot be dosed in mg"):
        to_doses(given_doses("aldesleukin 10 mg once", 10), {"aldesleukin": Interleukin()})


def test_years_of_tablets_become_one_input_with_the_same_amount() -> None:
    records = given_doses("nivolumab 100 mg twice daily", 700)
    assert len(records) == 1400
    doses = to_doses(records, {"nivolumab": Tablet()})
    assert doses.time.tolist() == [0]
    assert doses.amount[0] == pytest.approx(1400 * 100 * 1e6 / 500)
    assert doses.duration[0] == pytest.approx(700, rel=1e-3)
    assert doses.duration[0] < 700, "it ends before the next dose would be due"


def test_runs_break_where_doses_pause_or_change() -> None:
    drug = {"nivolumab": Tablet()}
    doses = to_doses(given_doses("nivolumab 100 mg daily 2 weeks on 1 week off", 42), drug)
    np.testing.assert_allclose(doses.time, [0, 21])
    np.testing.assert_allclose(doses.duration, 13.95)
    changes = (DoseChange(10, "reduce", 0.5), DoseChange(20, "skip", 10))
    doses = to_doses(given_doses("nivolumab 100 mg daily", 40, *changes), drug)
    np.testing.assert_allclose(doses.time, [0, 10, 30])
    np.testing.assert_allclose(doses.amount / 2e5, [10, 5, 5])
    single = to_doses(given_doses("nivolumab 100 mg daily for 3 days", 40), drug)
    assert single.duration.tolist() == [0, 0, 0], "short runs stay single doses"
    antibody = to_doses(given_doses("nivolumab 100 mg daily", 40), {"nivolumab": Antibody()})
    assert len(antibody.time) == 40, "infusions are never joined"


def test_lumping_is_as_accurate_as_it_says() -> None:
    """Mean of C / (C + EC50) over a day at steady state against its value at the mean, one compartment."""
    from scipy.integrate import trapezoid

    bounds = {(2, 1): 0.35, (5, 1): 0.10, (12, 1): 0.02, (2, 2): 0.12, (5, 2): 0.021, (12, 2): 0.004}
    for (half_life, per_day), bound in bounds.items():
        k, ka, tau = math.log(2) / half_life, 1.0, 24 / per_day
        t = np.linspace(0, tau, 4001)
        c = np.exp(-k * t) / (1 - np.exp(-k * tau)) - np.exp(-ka * t) / (1 - np.exp(-ka * tau))
        mean = trapezoid(c, t) / tau
        worst = max(mean / (mean + e) - trapezoid(c / (c + e), t) / tau for e in mean * np.logspace(-2, 2, 41))
        assert 0.5 * bound < worst < bound
