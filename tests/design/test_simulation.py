"""The simulation core: power and error against theory, reproducibility, common random numbers, lost workers."""

from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from design_examples import survival_design, two_arms

from immunescape.design.cohort import Milestone, Streams, allocate, arrivals
from immunescape.design.delayed import average_hazard_ratio, delayed_effect
from immunescape.design.execution import run_blocks
from immunescape.design.group_sequential import EarlyFutility, GroupSequential, Hypothesis, Spending
from immunescape.design.records import Arm, Dropout
from immunescape.design.samplesize import power_survival
from immunescape.design.simulation import compare, simulate
from immunescape.design.ssr import Reestimation
from immunescape.design.statistics import Statistic
from immunescape.design.survival_model import Accrual, PiecewiseExponential
from immunescape.design.truth import Endpoint, Generator, Rate, VirtualPool
from immunescape.errors import InputError


def near(figure: Any, expected: float, slack: float = 0.0) -> bool:
    """Whether a simulated share is within four standard errors (and a margin) of what theory says."""
    return abs(figure.value - expected) <= 4 * max(figure.error, 1e-4) + slack


def test_power_error_and_looks_equal_theory() -> None:
    design = survival_design()
    plan = power_survival(0.75, PiecewiseExponential.from_median(12), 300, design.accrual, _bounds(design))
    found = simulate(design, 3000, seed=4)
    assert near(found.power(), plan.power, 0.005)
    assert near(found.type_one_error, 0.025, 0.002)
    summary = found.summary("alternative")
    months = [f.value for f in summary["looks"]["months"]]
    np.testing.assert_allclose(months[0], plan.months[0], rtol=0.01)
    assert summary["expected_events"].value == pytest.approx(plan.expected_events, rel=0.01)
    stops = [s["efficacy"].value for s in summary["stopping"]][:2]
    np.testing.assert_allclose(np.cumsum(stops), plan.cumulative_power[:2], atol=0.03)


def test_a_result_names_itself_in_one_line() -> None:
    found = simulate(survival_design(), 20, seed=1)
    assert len(repr(found)) < 400
    assert "20 replicates, seed 1" in repr(found)


def _bounds(design: Any) -> Any:
    from immunescape.design.boundaries import boundaries

    size = np.array([look.size for look in design.looks])
    return boundaries("lan-demets-obrien-fleming", size / size[-1])


@pytest.mark.slow
def test_first_line_example_by_simulation() -> None:
    """Ramped accrual, dropout, 232 and 332 events: power 0.8974, looks near 30.95 and 52.33 months."""
    design = survival_design(
        two_arms(0.7, 14.0),
        (232, 332),
        patients=435,
        accrual=Accrual.ramp([5, 15, 30], [0, 3, 6], 435),
        dropout=Dropout(0.05, 12),
    )
    found = simulate(design, 10_000, seed=2, scenarios=["alternative"])
    assert near(found.power(), 0.8974, 0.005)
    all_looks = found.outcomes["alternative"].by_look["months"][:, 0]
    assert float(all_looks.mean()) == pytest.approx(30.95, abs=0.3)


@pytest.mark.slow
def test_results_do_not_depend_on_workers_and_grow(tmp_path: Path) -> None:
    design = survival_design(events=(60, 120), patients=200)
    one = simulate(design, 600, seed=3, scenarios=["alternative"])
    two = simulate(design, 600, seed=3, scenarios=["alternative"], workers=2, out=tmp_path)
    for name, values in one.outcomes["alternative"].arrays().items():
        np.testing.assert_array_equal(values, two.outcomes["alternative"].arrays()[name])
    stored = sorted(tmp_path.rglob("*.npz"))
    assert len(stored) == 3
    stored[1].write_bytes(b"damaged")
    grown = simulate(design, 900, seed=3, scenarios=["alternative"], out=tmp_path)
    np.testing.assert_array_equal(grown.outcomes["alternative"].rejected[:600], one.outcomes["alternative"].rejected)
    assert len(list(tmp_path.rglob("*.npz"))) == 4


def _dies_once(flag: str, k: int) -> dict[str, np.ndarray]:
    if k == 2 and not Path(flag).exists():
        Path(flag).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"value": np.array([float(k)])}


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    jobs = [(str(k), (str(tmp_path / "flag"), k)) for k in range(6)]
    found = run_blocks(_dies_once, jobs, workers=2, patience=0)
    assert (tmp_path / "flag").exists()
    assert [float(f["value"][0]) for f in found] == [0, 1, 2, 3, 4, 5]


def test_common_random_numbers_make_differences_sharp() -> None:
    design = survival_design()
    pocock = dataclasses.replace(
        design, rule=GroupSequential((Hypothesis("OS", "os"),), spending=Spending("pocock")), name="pocock"
    )
    found = compare([design, pocock], 1000, seed=5)
    gap = found.difference("alternative")
    apart = np.hypot(found.results[0].power().error, found.results[1].power().error)
    assert gap.error < 0.6 * apart
    assert gap.value < 0
    rows = found.rows()
    assert rows[1]["expected_events"].value < rows[0]["expected_events"].value


@pytest.mark.parametrize("name", ["fleming-harrington", "modestly-weighted", "max-combo", "rmst", "milestone"])
def test_tests_for_delayed_effects_hold_their_level(name: str) -> None:
    test = Statistic(name, gamma=1.0 if name == "fleming-harrington" else 0.0, months=12.0)
    design = survival_design(events=(100, 160), patients=250, rule=GroupSequential((Hypothesis("OS", "os", test),)))
    error = simulate(design, 2000, seed=6, scenarios=["null"]).type_one_error
    assert error is not None
    assert error.value <= 0.025 + 0.005 + 2 * error.error


@pytest.mark.slow
def test_weighted_test_gains_under_a_delay() -> None:
    truth = two_arms(0.6, delay=4.0)
    plain = survival_design(truth)
    late = dataclasses.replace(
        plain, rule=GroupSequential((Hypothesis("OS", "os", Statistic("fleming-harrington", gamma=1.0)),)), name="fh"
    )
    found = compare([plain, late], 1000, seed=1)
    assert found.difference("alternative").low > 0.03
    assert any("delayed" in w for w in found.results[0].warnings)


def test_average_hazard_ratio_and_warning() -> None:
    control = PiecewiseExponential.from_median(12)
    accrual = Accrual((500 / 24,), (24.0,))
    assert average_hazard_ratio(control, control.with_effect(0.7), accrual, 30) == pytest.approx(0.7, rel=1e-6)
    late = [average_hazard_ratio(control, control.with_effect(0.6, 4), accrual, m) for m in (12, 24, 48)]
    assert 0.6 < late[2] < late[1] < late[0] < 1.0
    # against the events of one very large simulated trial
    design = survival_design(two_arms(0.6, delay=4.0))
    cohort = design.cohort(design.scenario("alternative"), Streams(1, 0, 400))
    view = cohort.view("os", np.full(400, 24.0))
    time, event = view.time, view.event
    d = [(event & (time <= 4)).sum(), (event & (time > 4)).sum()]
    assert late[1] == pytest.approx(float(np.exp(d[1] * np.log(0.6) / sum(d))), rel=0.01)
    assert delayed_effect(two_arms(0.6, delay=4.0), "os", "new", "control", 36) is not None
    assert delayed_effect(two_arms(0.6), "os", "new", "control", 36) is None


def test_hierarchical_endpoints_and_alpha_split_hold_the_family() -> None:
    control = PiecewiseExponential.from_median(8)
    parts: dict[Any, Any] = {}
    for arm in ("new", "control"):
        parts[arm, "all", "pfs"] = control
        parts[arm, "all", "os"] = PiecewiseExponential.from_median(18)
    truth = Generator(("new", "control"), ("all",), (1.0,), parts, 0.5)
    rule = GroupSequential(
        (Hypothesis("PFS", "pfs", share=0.4), Hypothesis("OS", "os", share=0.6)),
        transitions={"PFS": {"OS": 1.0}, "OS": {"PFS": 1.0}},
    )
    looks = (Milestone(events=120, endpoint="pfs"), Milestone(events=160, endpoint="os"))
    design = survival_design(
        truth, patients=300, looks=looks, endpoints=(Endpoint("pfs", visits_every=1.5), Endpoint("os")), rule=rule
    )
    error = simulate(design, 2000, seed=9, scenarios=["null"]).type_one_error
    assert error is not None
    assert error.value <= 0.025 + 0.005 + 2 * error.error
    cohort = design.cohort(truth, Streams(1, 0, 5))
    assert np.all(cohort.outcomes["pfs"].time <= np.ceil(cohort.outcomes["os"].time / 1.5) * 1.5 + 1e-9)


def test_reestimation_raises_power_and_holds_the_level() -> None:
    looks = (Milestone(events=100, endpoint="os"), Milestone(events=160, endpoint="os"))
    plain = survival_design(two_arms(0.72), patients=260, looks=looks)
    larger = dataclasses.replace(
        plain, rule=GroupSequential((Hypothesis("OS", "os"),), reestimation=Reestimation(1, maximum=2.0)), name="ssr"
    )
    found = compare([plain, larger], 2000, seed=3)
    assert found.difference("alternative").low > 0.02
    error = found.results[1].type_one_error
    assert error is not None
    assert error.value <= 0.025 + 0.005 + 2 * error.error
    factor = found.results[1].outcomes["alternative"].extra["factor"]
    assert factor.min() == 1.0
    assert factor.max() <= (2.0 - 100 / 160) / (1 - 100 / 160) + 1e-9


def test_futility_by_a_response_stops_useless_trials() -> None:
    control = PiecewiseExponential.from_median(12)
    parts: dict[Any, Any] = {("new", "all", "os"): control.with_effect(0.7), ("control", "all", "os"): control}
    parts |= {("new", "all", "orr"): Rate(0.45), ("control", "all", "orr"): Rate(0.25)}
    truth = Generator(("new", "control"), ("all",), (1.0,), parts, 0.3)
    rule = GroupSequential((Hypothesis("OS", "os"),), early_futility=EarlyFutility(1, "orr", 0.5))
    design = survival_design(
        truth,
        (80, 240),
        patients=400,
        endpoints=(Endpoint("os"), Endpoint("orr", kind="response", lag=1, months=3)),
        rule=rule,
    )
    found = simulate(design, 1000, seed=2)
    null, real = found.summary("null"), found.summary("alternative")
    assert null["stopping"][0]["futility"].value == pytest.approx(0.69, abs=0.06)  # P(Z < 0.5)
    assert real["stopping"][0]["futility"].value < 0.06


def test_binding_futility_lowers_the_bounds() -> None:
    rule = GroupSequential((Hypothesis("OS", "os"),), futility=(0.5, 1.0), binding=True)
    design = survival_design(rule=rule)
    free = survival_design()
    bound = design.rule.plan(design)["bounds"]["OS"]
    assert bound[-1] < free.rule.plan(free)["bounds"]["OS"][-1] - 0.01
    error = simulate(design, 2000, seed=8, scenarios=["null"]).type_one_error
    assert error is not None
    assert near(error, 0.025, 0.003)


def test_pool_draws_its_own_patients() -> None:
    import pandas as pd

    rng = np.random.default_rng(1)
    rows = []
    for arm, scale in (("new", 20.0), ("control", 12.0)):
        time = rng.exponential(scale, 4000)
        rows.append(
            pd.DataFrame(
                {
                    "arm": arm,
                    "os_months": np.minimum(time, 60),
                    "os_event": time <= 60,
                    "pdl1_tps": rng.uniform(0, 100, 4000),
                }
            )
        )
    table = pd.concat(rows)
    pool = VirtualPool.from_table(
        table,
        ["new", "control"],
        [Endpoint("os")],
        strata={"low": ("pdl1_tps", 0, np.nextafter(50, 0)), "high": ("pdl1_tps", 50, 100)},
    )
    assert sum(pool.shares) == pytest.approx(1)
    design = survival_design(pool, (100, 200), patients=300)
    found = simulate(design, 800, seed=2)
    assert found.power().value > 0.9
    assert near(found.type_one_error, 0.025, 0.004)
    assert found.notes["pool"]["alternative"]["smallest_factor"] == pytest.approx(8000 / 300, rel=1e-3)
    with pytest.raises(InputError, match="no arm"):
        VirtualPool.from_table(table, ["other"], [Endpoint("os")])


def test_streams_are_shared_by_patients() -> None:
    a, b = Streams(1, 3, 50).uniform("x", 30), Streams(1, 3, 50).uniform("x", 80)
    np.testing.assert_array_equal(a, b[:, :30])
    assert not np.array_equal(a, Streams(1, 4, 50).uniform("x", 30))
    assert not np.array_equal(a, Streams(1, 3, 50).uniform("y", 30))


def test_allocation_and_arrivals() -> None:
    u = Streams(2, 0, 40).uniform("arm", 300)
    arm = allocate(u, [2, 1])
    assert np.all((arm == 0).sum(axis=1) == 200)
    stratum = (Streams(2, 0, 40).uniform("s", 300) < 0.3).astype(int)
    split = allocate(u, [1, 1], stratum)
    for level in (0, 1):
        count = ((split == 0) & (stratum == level)).sum(axis=1) - ((split == 1) & (stratum == level)).sum(axis=1)
        assert np.abs(count).max() <= 2
    entry = arrivals(Accrual.ramp([5, 15, 30], [0, 3, 6], 435), Streams(2, 0, 400).uniform("entry", 435))
    assert np.all(np.diff(entry, axis=1) > 0)
    assert (entry < 6).sum(axis=1).mean() == pytest.approx(60, abs=2)


def test_data_lag_delays_looks() -> None:
    plain = survival_design(events=(60, 120), patients=200)
    late = dataclasses.replace(plain, endpoints=(Endpoint("os", lag=2.0),))
    a, b = (d.cohort(d.scenario("null"), Streams(1, 0, 20)) for d in (plain, late))
    look = plain.looks[0]
    np.testing.assert_allclose(b.month_of(look), a.month_of(look) + 2.0, atol=1e-6)
    np.testing.assert_array_equal(b.view("os", b.month_of(look)).event, a.view("os", a.month_of(look)).event)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"looks": (Milestone(events=200, endpoint="os"), Milestone(events=150, endpoint="os"))}, "do not increase"),
        ({"rule": GroupSequential((Hypothesis("OS", "os"),), futility=(3.5,))}, "lies above the efficacy bound"),
        (
            {"rule": GroupSequential((Hypothesis("A", "os", share=0.7), Hypothesis("B", "os", share=0.5)))},
            "spent twice",
        ),
        ({"rule": GroupSequential((Hypothesis("A", "os"), Hypothesis("A", "os", share=0.0)))}, "same name"),
        ({"arms": (Arm("new"), Arm("other"), Arm("control", "control"))}, "arms"),
        ({"rule": GroupSequential((Hypothesis("OS", "os", Statistic("rates")),))}, "does not fit"),
        ({"rule": GroupSequential((Hypothesis("OS", "os"),), spending=Spending("fixed"))}, "one look"),
        ({"patients": 1}, "too few for a trial"),
    ],
)
def test_wrong_combinations_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        survival_design(**change)


def test_stored_blocks_of_scenarios_with_similar_names_are_kept_apart(tmp_path: Path) -> None:
    """A rerun from the folder reads for each scenario its own trials, whatever signs its name has."""
    names = ("low effect", "low_effect", "low/effect", "null without futility", "fit of low effect", "é" * 100)
    truths = {name: two_arms(0.5 + 0.1 * k) for k, name in enumerate(names)}
    design = survival_design(truths=truths)
    first = simulate(design, 250, seed=1, out=tmp_path)
    again = simulate(design, 250, seed=1, out=tmp_path)
    powers = [first.power(name).value for name in names]
    assert powers == [again.power(name).value for name in names]
    assert powers == [simulate(design, 250, seed=1, scenarios=[n]).power(n).value for n in names]
    assert powers[0] > powers[3] > powers[5]
