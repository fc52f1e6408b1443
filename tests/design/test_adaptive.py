"""Multi-arm, enrichment, Bayesian, platform, two-stage, dose finding, switching: level, other software's figures."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from design_examples import survival_design

from immunescape.design.bayes import Bayesian, posterior_superiority, predictive_probability, probability_best
from immunescape.design.cohort import Milestone
from immunescape.design.combination import closed_test
from immunescape.design.dose_finding import Boin, bop2, isotonic
from immunescape.design.enrichment import Enrichment, TestedPopulation
from immunescape.design.graphical import AlphaGraph
from immunescape.design.group_sequential import Spending
from immunescape.design.multiarm import MultiArm
from immunescape.design.platform import Platform, PlatformArm
from immunescape.design.records import Arm, Design
from immunescape.design.simulation import simulate
from immunescape.design.single_arm import TwoStage
from immunescape.design.statistics import Statistic
from immunescape.design.survival_model import Accrual, PiecewiseExponential
from immunescape.design.switching import Switching, analyse_switching, switching_study
from immunescape.design.truth import Endpoint, Generator, Rate
from immunescape.design.two_stage import simon
from immunescape.errors import InputError

CONTROL = PiecewiseExponential.from_median(12)
TWO = (Arm("new"), Arm("control", "control"))
OBF = Spending("obrien-fleming")


def spread(oracle: dict[str, Any]) -> float:
    """Monte Carlo standard error of a simulated oracle."""
    p = oracle["rejectAtLeastOne"]
    return float(np.sqrt(p * (1 - p) / oracle["iterations"]))


def enrichment_design(**rule: Any) -> Design:
    """Prevalence 0.45, hazard ratio 0.6 in S and 1 in the rest, looks at 120 and 240 events."""
    parts: dict[Any, Any] = {(a, s, "os"): CONTROL for a in ("new", "control") for s in ("S", "R")}
    parts["new", "S", "os"] = CONTROL.with_effect(0.6)
    return survival_design(
        Generator(("new", "control"), ("S", "R"), (0.45, 0.55), parts),
        (120, 240),
        accrual=Accrual((20.0,), (25.0,)),
        rule=Enrichment(
            "os", (TestedPopulation("all", ("S", "R")), TestedPopulation("S", ("S",))), spending=OBF, **rule
        ),
    )


@pytest.mark.slow
def test_enrichment_agrees_with_rpact(rpact_simulation: dict[str, Any]) -> None:
    real, null = rpact_simulation["enrichment"]
    assert null["rejectAtLeastOne"] == 0.0228
    found = simulate(enrichment_design(), 4000, seed=1)
    power, error = found.power("alternative"), found.type_one_error
    assert error is not None
    assert abs(power.value - real["rejectAtLeastOne"]) < 4 * np.hypot(power.error, spread(real))
    assert abs(error.value - null["rejectAtLeastOne"]) < 4 * np.hypot(error.error, spread(null))
    assert found.summary("alternative")["selected"]["S"].value > 0.85


@pytest.mark.parametrize(("choose", "bound"), [("threshold", 0.0), ("conditional-power", 0.5)])
def test_enrichment_rules_hold_the_level(choose: str, bound: float) -> None:
    error = simulate(enrichment_design(choose=choose, bound=bound), 1500, seed=2, scenarios=["null"]).type_one_error
    assert error is not None
    assert error.value <= 0.025 + 0.005 + 2 * error.error


@pytest.mark.slow
def test_enrichment_by_an_early_endpoint() -> None:
    base = enrichment_design()
    parts = dict(base.truths["alternative"].parts)  # type: ignore[attr-defined]
    for s, rate in (("S", 0.5), ("R", 0.2)):
        parts["new", s, "orr"], parts["control", s, "orr"] = Rate(rate), Rate(0.2)
    truth = Generator(("new", "control"), ("S", "R"), (0.45, 0.55), parts, 0.4)
    rule = dataclasses.replace(base.rule, decide_on="orr", first_follow_up=18.0)
    design = dataclasses.replace(
        base,
        truths={"alternative": truth},
        rule=rule,
        endpoints=(Endpoint("os"), Endpoint("orr", kind="response", months=3)),
    )
    found = simulate(design, 1200, seed=3)
    error = found.type_one_error
    assert error is not None
    assert error.value <= 0.025 + 0.005 + 2 * error.error
    assert found.summary("alternative")["selected"]["S"].value > 0.9
    assert found.power().value > 0.6
    with pytest.raises(InputError, match="split by patients"):
        dataclasses.replace(design, rule=dataclasses.replace(rule, first_follow_up=0.0))


def test_enrichment_refuses_a_plain_group_sequential_test() -> None:
    with pytest.raises(InputError, match="would not control the type I error"):
        enrichment_design(combination="none")


def multi_arm_design(**rule: Any) -> Design:
    """Three active arms with hazard ratios falling linearly to 0.6; 100 and 200 events."""
    arms = ("a", "b", "c", "control")
    ratios = (1 - 0.4 / 3, 1 - 0.8 / 3, 0.6, 1.0)
    parts = {(n, "all", "os"): CONTROL.with_effect(r) if r < 1 else CONTROL for n, r in zip(arms, ratios, strict=True)}
    return survival_design(
        Generator(arms, ("all",), (1.0,), parts),
        (100, 200),
        accrual=Accrual((20.0,), (25.0,)),
        arms=(*(Arm(a) for a in arms[:3]), Arm("control", "control")),
        rule=MultiArm("os", spending=OBF, **rule),
    )


@pytest.mark.slow
def test_multi_arm_agrees_with_rpact(rpact_simulation: dict[str, Any]) -> None:
    oracle = rpact_simulation["multiarm"]
    found = simulate(multi_arm_design(), 4000, seed=1)
    power, error = found.power("alternative"), found.type_one_error
    assert error is not None
    assert abs(power.value - oracle["rejectAtLeastOne"]) < 4 * np.hypot(power.error, spread(oracle))
    assert error.value <= 0.025 + 0.005 + 2 * error.error
    kept = found.summary("alternative")["selected"]
    assert kept["c"].value > kept["b"].value > kept["a"].value


def test_multi_arm_promising_arms_stay() -> None:
    found = simulate(multi_arm_design(select="promising", bound=0.0, stop_when="all"), 800, seed=4)
    arms = found.outcomes["alternative"].by_look["arms"]
    assert 1 <= np.nanmean(arms[:, 1]) <= 3
    assert found.type_one_error is not None
    assert found.type_one_error.value <= 0.025 + 0.005 + 2 * found.type_one_error.error


def test_closed_test_is_exact_for_one_hypothesis() -> None:
    z = np.random.default_rng(1).normal(size=(200_000, 2, 1))
    found = closed_test(z, np.ones(z.shape, dtype=bool), [0.5, 1.0], [2.79651, 1.97743], method="dunnett", shares=[0.7])
    assert abs(float(found[:, -1].mean()) - 0.025) < 4 * np.sqrt(0.025 * 0.975 / 200_000)


def test_dropped_arm_is_not_rejected_later() -> None:
    z = np.full((1, 2, 2), 5.0)
    active = np.array([[[True, True], [True, False]]])
    found = closed_test(z, active, [0.5, 1.0], [9.0, 2.0])
    assert found[0, -1].tolist() == [True, False]


def test_alpha_graph() -> None:
    graph = AlphaGraph({"a": 0.5, "b": 0.5, "c": 0.0}, {"a": {"c": 1.0}, "b": {"a": 0.5, "c": 0.5}, "c": {"a": 1.0}})
    left = graph.after(frozenset({"b"}))
    assert left == pytest.approx({"a": 0.75, "c": 0.25})
    # Holm's procedure as a graph
    holm = AlphaGraph({"a": 0.5, "b": 0.5}, {"a": {"b": 1.0}, "b": {"a": 1.0}})
    z = np.array([[2.3, 1.97], [2.2, 2.2], [2.3, 1.9]])
    from scipy import stats

    found = holm.run(z, lambda h, level: float(stats.norm.isf(level)), 0.025)
    assert found.tolist() == [[True, True], [False, False], [True, False]]
    with pytest.raises(InputError, match="spent twice"):
        AlphaGraph({"a": 0.6, "b": 0.6})
    with pytest.raises(InputError, match="spent twice"):
        AlphaGraph({"a": 0.5, "b": 0.5}, {"a": {"b": 1.2}})


def test_beta_posteriors() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.beta(10, 12, 400_000), rng.beta(5, 17, 400_000)
    assert float(posterior_superiority(10, 12, 5, 17)) == pytest.approx(float((x > y).mean()), abs=0.003)
    best = probability_best(np.array([[10.0, 5.0]]), np.array([[12.0, 17.0]]), np.array([[True, True]]))
    assert best[0, 0] == pytest.approx(float((x > y).mean()), abs=0.003)
    # Lee & Liu 2008: 16 of 23, 40 in all, target 0.6, threshold 0.9, prior Beta(0.6, 0.4): 0.5656
    assert predictive_probability(16, 23, 40, 0.6, 0.9, (0.6, 0.4)) == pytest.approx(0.5656, abs=2e-4)


def rates(*p: float) -> Generator:
    """Response rates of arms a, b and the control."""
    names = ("a", "b", "control")
    return Generator(names, ("all",), (1.0,), {(n, "all", "orr"): Rate(q) for n, q in zip(names, p, strict=True)})


def bayesian_design(**rule: Any) -> Design:
    """Two arms against a control, response read after 3 months, three looks."""
    looks = (Milestone(patients=80), Milestone(patients=140), Milestone(patients=200, follow_up=3))
    return Design(
        name="rar",
        arms=(Arm("a"), Arm("b"), Arm("control", "control")),
        endpoints=(Endpoint("orr", kind="response", months=3),),
        patients=200,
        accrual=Accrual((10.0,), (20.0,)),
        looks=looks,
        truths={"alternative": rates(0.45, 0.2, 0.2)},
        rule=Bayesian("orr", calibration=1500, **rule),
    )


@pytest.mark.slow
def test_calibrated_threshold_holds_the_error_and_allocation_adapts() -> None:
    found = simulate(bayesian_design(adaptive=True, futility=0.02, floor=0.1), 1000, seed=1)
    assert 0.9 < found.plan["threshold"] < 1
    error = found.type_one_error
    assert error is not None
    assert abs(error.value - 0.025) < 4 * np.hypot(error.error, np.sqrt(0.025 * 0.975 / 1500))
    summary = found.summary("alternative")
    assert summary["reject"]["a"].value > 0.7
    further = summary["further"]
    assert further["patients: a"].value > 1.2 * further["patients: b"].value


def test_platform_shares_its_control() -> None:
    arms = ("a", "b", "control")
    parts: dict[Any, Any] = {(n, s, "pfs"): PiecewiseExponential.from_median(5) for n in arms for s in ("x", "y")}
    parts["a", "x", "pfs"] = PiecewiseExponential.from_median(5).with_effect(0.5)
    truth = Generator(arms, ("x", "y"), (0.5, 0.5), parts)
    entries = (
        PlatformArm("a", (60, 110), opens=0, strata=("x",), patients=80),
        PlatformArm("b", (60, 110), opens=6, strata=("y",), patients=80),
    )
    design = Design(
        name="platform",
        arms=(Arm("a"), Arm("b"), Arm("control", "control")),
        endpoints=(Endpoint("pfs"),),
        patients=420,
        accrual=Accrual((16.0,), (26.0,)),
        looks=(Milestone(months=1.0),),
        truths={"alternative": truth},
        rule=Platform(entries, "pfs"),
    )
    found = simulate(design, 750, seed=1)
    summary = found.summary("alternative")
    assert summary["reject"]["a"].value > 0.7
    assert summary["reject"]["b"].value < 0.04
    assert found.type_one_error is not None
    assert found.type_one_error.value <= 0.025 + 0.005 + 2 * found.type_one_error.error
    assert summary["further"]["patients: b"].value <= 80


@pytest.mark.slow
def test_non_concurrent_controls_are_biased_by_drift() -> None:
    arms = ("a", "b", "control")
    parts = {(n, "all", "pfs"): PiecewiseExponential.from_median(6) for n in arms}
    truth = Generator(arms, ("all",), (1.0,), parts)
    entries = (PlatformArm("a", (90,), opens=0, patients=90), PlatformArm("b", (90,), opens=14, patients=90))
    error = {}
    for controls in ("concurrent", "all"):
        rule = Platform(entries, "pfs", controls=controls, multiplicity="per-arm", drift=0.25)
        design = Design(
            name="drift",
            arms=(Arm("a"), Arm("b"), Arm("control", "control")),
            endpoints=(Endpoint("pfs"),),
            patients=600,
            accrual=Accrual((15.0,), (40.0,)),
            looks=(Milestone(months=1.0),),
            truths={"alternative": truth},
            rule=rule,
        )
        error[controls] = simulate(design, 1500, seed=1, scenarios=["null"]).reject("null", "b")
    assert error["concurrent"].value <= 0.025 + 0.005 + 2 * error["concurrent"].error
    assert error["all"].value > error["concurrent"].value + 2 * error["all"].error


def test_two_stage_simulation_equals_enumeration() -> None:
    found = simon(0.1, 0.3)

    def one(p: float) -> Generator:
        return Generator(("drug",), ("all",), (1.0,), {("drug", "all", "orr"): Rate(p)})

    design = Design(
        name="simon",
        arms=(Arm("drug"),),
        endpoints=(Endpoint("orr", kind="response", months=2),),
        patients=found.n,
        accrual=Accrual((3.0,), (10.0,)),
        looks=TwoStage.looks(found, 2.0),
        truths={"target": one(0.3), "null": one(0.1)},
        rule=TwoStage("orr", found, 0.1, 0.3),
        alpha=0.05,
    )
    result = simulate(design, 4000, seed=1)
    assert abs(result.power("target").value - result.plan["power"]) < 4 * result.power("target").error
    assert result.type_one_error is not None
    assert abs(result.type_one_error.value - result.plan["alpha"]) < 4 * result.type_one_error.error
    assert result.summary("null")["expected_patients"].value == pytest.approx(
        result.plan["expected_patients_null"], abs=0.6
    )


def test_boin_equals_published_boundaries() -> None:
    boin = Boin(target=0.3)
    assert boin.escalate_below == pytest.approx(0.236, abs=1e-3)  # Liu & Yuan 2015, table 1
    assert boin.de_escalate_above == pytest.approx(0.358, abs=1e-3)
    assert Boin(target=0.2).escalate_below == pytest.approx(0.157, abs=1e-3)
    assert Boin(target=0.2).de_escalate_above == pytest.approx(0.238, abs=1e-3)
    table = boin.table(6)
    assert [r["eliminate_at_least"] for r in table] == [None, None, 3, 3, 4, 4]
    found = boin.simulate([0.05, 0.15, 0.3, 0.45, 0.6], 2000)
    assert found.selected.argmax() == 2
    assert found.selected.sum() + found.none == pytest.approx(1)
    assert boin.simulate([0.7, 0.8], 1000).none > 0.9


def test_isotonic_regression() -> None:
    from scipy.optimize import isotonic_regression

    rng = np.random.default_rng(3)
    values, weights = rng.random((20, 6)), rng.uniform(0.5, 5, (20, 6))
    found = isotonic(values, weights)
    for v, w, f in zip(values, weights, found, strict=True):
        np.testing.assert_allclose(f, isotonic_regression(v, weights=w).x, atol=1e-12)


def test_bop2_is_exact_and_optimal_in_its_family() -> None:
    design = bop2(0.2, 0.4, [10, 20, 30, 40], alpha=0.1)
    error, stops, size = design.exact(0.2)
    power, _, _ = design.exact(0.4)
    assert error <= 0.1
    assert power > 0.85
    assert error + stops.sum() == pytest.approx(1)
    assert size < 40
    np.testing.assert_allclose(design.simulate([0.2, 0.4], 20_000), [error, power], atol=0.012)
    with pytest.raises(InputError, match="do not increase"):
        bop2(0.2, 0.4, [20, 10])


@pytest.mark.slow
def test_switching_methods_undo_the_dilution() -> None:
    study = switching_study(Switching(benefit=1.5), 120)
    bias = {name: values[2] for name, values in study.methods.items()}
    assert bias["itt"] > 0.05
    assert bias["censored"] > bias["itt"]  # informative: those with a good prognosis switch
    assert abs(bias["ipcw"]) < 4 * study.methods["ipcw"][3] + 0.01
    assert abs(bias["rpsft"]) < 4 * study.methods["rpsft"][3] + 0.01
    assert study.power[0] > 0.5
    rng = np.random.default_rng(1)
    psi = [analyse_switching(Switching(benefit=1.5).draw(rng)).psi for _ in range(60)]
    assert float(np.mean(psi)) == pytest.approx(-np.log(1.5), abs=0.08)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: bayesian_design(threshold=0.9, futility=0.95), "futility threshold lies above"),
        (lambda: multi_arm_design(test=Statistic("rmst", months=12)), "independent increments"),
        (lambda: PlatformArm("a", (60, 60)), "do not increase"),
        (lambda: bayesian_design(threshold=0.2), "between 0.5 and 1"),
        (lambda: Boin(target=0.9), "BOIN"),
        (lambda: Switching(patients=4), "20 patients"),
    ],
)
def test_refusals(make: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()
