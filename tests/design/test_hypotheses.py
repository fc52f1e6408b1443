"""Hypotheses with looks and populations of their own, looks by the events of a stratum, margins, added patients."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import yaml
from design_examples import survival_design, two_arms
from scipy import stats

from immunescape.design.boundaries import boundaries
from immunescape.design.cohort import Milestone, Streams
from immunescape.design.group_sequential import GroupSequential, Hypothesis
from immunescape.design.loading import read_design
from immunescape.design.sequential_block import enrol_more
from immunescape.design.simulation import simulate
from immunescape.design.ssr import Reestimation
from immunescape.design.statistics import Statistic
from immunescape.design.survival_model import PiecewiseExponential
from immunescape.design.truth import Endpoint, Generator
from immunescape.errors import InputError


def both_endpoints(pfs_ratio: float, os_ratio: float) -> Generator:
    parts: dict[Any, Any] = {}
    for arm, pfs, survival in (("new", pfs_ratio, os_ratio), ("control", 1.0, 1.0)):
        parts[arm, "all", "pfs"] = PiecewiseExponential.from_median(6).with_effect(pfs)
        parts[arm, "all", "os"] = PiecewiseExponential.from_median(18).with_effect(survival)
    return Generator(("new", "control"), ("all",), (1.0,), parts, 0.3)


def pfs_once_os_twice(**changes: Any) -> Any:
    """PFS at the first look alone; OS at both, with the alpha that PFS hands on."""
    rule = GroupSequential(
        (Hypothesis("PFS", "pfs", share=1.0, looks=(1,)), Hypothesis("OS", "os", share=0.0, looks=(1, 2))),
        transitions={"PFS": {"OS": 1.0}},
    )
    looks = (Milestone(events=175, endpoint="pfs"), Milestone(events=170, endpoint="os"))
    values = {
        "patients": 305,
        "looks": looks,
        "endpoints": (Endpoint("pfs"), Endpoint("os")),
        "rule": rule,
        **changes,
    }
    return survival_design(both_endpoints(0.55, 0.65), **values)


def test_a_hypothesis_spends_only_where_it_is_tested() -> None:
    design = pfs_once_os_twice()
    plan = design.rule.plan(design)
    assert plan["bounds"]["PFS"][0] == pytest.approx(stats.norm.isf(0.025))  # all of alpha at its only look
    assert plan["bounds"]["PFS"][1] == np.inf
    rows = [(r["hypothesis"], r["look"], r["information"]) for r in design.rule.expected_table(design, plan)]
    assert [r[:2] for r in rows] == [("PFS", 1), ("OS", 1), ("OS", 2)]
    assert rows[0][2] == 1.0
    assert 0.4 < rows[1][2] < 0.8
    assert rows[2][2] == 1.0


def test_a_hypothesis_is_not_rejected_where_it_is_not_tested() -> None:
    """A PFS that fails at its look stays lost, however strong it is later."""
    design = pfs_once_os_twice()
    found = simulate(design, 500, seed=2)
    assert found.type_one_error is not None
    assert found.type_one_error.value <= 0.025 + 4 * found.type_one_error.error
    once = found.reject("alternative", "PFS").value
    every = dataclasses.replace(
        design,
        rule=dataclasses.replace(design.rule, tested=(Hypothesis("PFS", "pfs"), Hypothesis("OS", "os", share=0.0))),
    )
    weak = {"alternative": both_endpoints(0.8, 0.9)}
    a, b = (
        simulate(dataclasses.replace(d, truths=weak), 250, seed=2, scenarios=["alternative"]) for d in (design, every)
    )
    assert once > 0.9
    ends = a.outcomes["alternative"]
    pfs_only_later = ends.rejected[:, 0] & (ends.by_look["z"][:, 0] < stats.norm.isf(0.025))
    assert not pfs_only_later.any()
    assert b.outcomes["alternative"].rejected[:, 0].sum() > 0


def nested(high: float, low: float) -> Generator:
    control = PiecewiseExponential.from_median(12)
    parts: dict[Any, Any] = {}
    for stratum, ratio in (("high", high), ("low", low)):
        parts["control", stratum, "os"] = control
        parts["new", stratum, "os"] = control.with_effect(ratio)
    return Generator(("new", "control"), ("high", "low"), (0.4, 0.6), parts)


def nested_design(truth: Generator) -> Any:
    """Biomarker-high patients first, all patients with what they hand on; looks by events among the high."""
    rule = GroupSequential(
        (Hypothesis("high", "os", share=1.0, strata=("high",)), Hypothesis("all", "os", share=0.0)),
        transitions={"high": {"all": 1.0}},
    )
    looks = tuple(Milestone(events=n, endpoint="os", strata=("high",)) for n in (100, 150))
    return survival_design(truth, patients=600, looks=looks, rule=rule)


def test_nested_populations_test_their_own_patients() -> None:
    """The subgroup alone has an effect: its power is that of its own events, and looks come at exactly these."""
    design = nested_design(nested(0.6, 1.0))
    found = simulate(design, 750, seed=3)
    expected = boundaries("lan-demets-obrien-fleming", [2 / 3, 1.0]).power(-np.log(0.6) * np.sqrt(150) / 2)[-1]
    assert found.reject("alternative", "high").value == pytest.approx(float(expected), abs=0.04)
    assert found.reject("alternative", "all").value < found.reject("alternative", "high").value - 0.2
    error = found.type_one_error
    assert error is not None
    assert error.value <= 0.025 + 4 * error.error
    counted = found.outcomes["alternative"].by_look["events of high"]
    assert np.all(counted[np.isfinite(counted)] == np.broadcast_to([100, 150], counted.shape)[np.isfinite(counted)])
    rows = design.rule.expected_table(design, found.plan)
    assert [r["population"] for r in rows] == ["high", "high", "all", "all"]
    assert rows[0]["at"] == "100 os events in high"


def test_true_null_in_one_population_is_held_beside_an_effect_in_the_other() -> None:
    """Families of two with split alpha: all-comers null is false where the subgroup drives it, so test the subgroup."""
    rule = GroupSequential(
        (Hypothesis("high", "os", share=0.5, strata=("high",)), Hypothesis("low", "os", share=0.5, strata=("low",))),
        transitions={"high": {"low": 1.0}, "low": {"high": 1.0}},
    )
    looks = (Milestone(events=150, endpoint="os"), Milestone(events=300, endpoint="os"))
    design = survival_design(nested(0.5, 1.0), patients=500, looks=looks, rule=rule)
    wrong = simulate(design, 1000, seed=5, scenarios=["alternative"]).reject("alternative", "low")
    assert wrong.value <= 0.025 + 4 * wrong.error


def test_hazard_ratio_at_the_bound_cumulative_alpha_and_conditional_power_are_planned() -> None:
    rule = GroupSequential((Hypothesis("OS", "os"),), futility=(0.5, None))
    design = survival_design(two_arms(0.75), (150, 225, 300), rule=rule)
    rows = rule.expected_table(design, rule.plan(design))
    assert rows[-1]["cumulative_alpha"] == pytest.approx(0.025, abs=1e-6)
    assert [r["cumulative_alpha"] for r in rows] == sorted(r["cumulative_alpha"] for r in rows)
    for row in rows:
        expected = np.exp(-row["efficacy_z"] / np.sqrt(row["events"] / 4))
        assert row["efficacy_hazard_ratio"] == pytest.approx(expected)
    # by simulation of the remaining increments under the trend at the bound
    rng = np.random.default_rng(1)
    end = np.sqrt(0.5) * 0.5 + np.sqrt(0.5) * (rng.normal(size=400_000) + 0.5 / np.sqrt(0.5) * np.sqrt(0.5))
    assert rows[0]["conditional_power_at_futility"] == pytest.approx(
        float((end > rows[-1]["efficacy_z"]).mean()), abs=0.002
    )
    assert rows[1]["conditional_power_at_futility"] is None


def test_hazard_ratio_by_look_is_over_all_trials() -> None:
    """Those still running at the last look are the unlucky ones: over them the mean would be near 0.85, not 0.75."""
    found = simulate(survival_design(two_arms(0.75), (150, 225, 300)), 750, seed=2, scenarios=["alternative"])
    for figure in found.summary("alternative")["looks"]["hazard_ratio"]:
        assert figure.value == pytest.approx(0.75, abs=0.015)


def test_non_inferiority_holds_its_level_at_the_margin_and_has_the_power_of_theory() -> None:
    rule = GroupSequential((Hypothesis("OS", "os", Statistic(margin=1.25)),))
    design = survival_design(two_arms(1.0), (300, 420), patients=600, rule=rule)
    found = simulate(design, 1000, seed=6)
    error = found.type_one_error
    assert error is not None
    assert abs(error.value - 0.025) < 4 * error.error + 0.002
    expected = boundaries("lan-demets-obrien-fleming", [300 / 420, 1.0]).power(np.log(1.25) * np.sqrt(420) / 2)[-1]
    assert found.power().value == pytest.approx(float(expected), abs=0.04)
    formula = found.notes["planning"]["alternative"]["cumulative_power"][-1]
    assert formula == pytest.approx(float(expected), abs=1e-6)
    with pytest.raises(InputError, match="margin"):
        Statistic("rmst", months=12, margin=1.2)


def test_added_patients_enter_after_the_look_that_adds_them() -> None:
    looks = (Milestone(events=225, endpoint="os"), Milestone(events=300, endpoint="os"))
    rule = GroupSequential((Hypothesis("OS", "os"),), reestimation=Reestimation(1, promising=0.2, maximum=3.0))
    design = survival_design(two_arms(0.8), patients=450, looks=looks, rule=rule)
    design = dataclasses.replace(design, accrual=type(design.accrual)((40.0,), (450 / 40,)))
    streams = Streams(1, 0, 100)
    cohort = design.cohort(design.truths["alternative"], streams, patients=1350)
    cohort.enrolled[:, 450:] = False
    month = cohort.month_of(looks[0])
    planned = cohort.entry[:, :450].copy()
    enrol_more(rule.reestimation, design, cohort, np.full(100, 2.0), month)
    np.testing.assert_array_equal(cohort.entry[:, :450], planned)
    assert np.all(cohort.entry[:, 450:].min(axis=1) > month)
    assert np.all(np.diff(cohort.entry, axis=1) > 0)
    gap = np.diff(cohort.entry[:, 450:], axis=1).mean()
    assert gap == pytest.approx(1 / 40, rel=0.02)  # they come at the rate of the accrual


def file_with_everything() -> dict[str, Any]:
    return {
        "name": "nested",
        "title": "Nested",
        "kind": "group-sequential",
        "patients": 600,
        "arms": [{"name": "new", "role": "experimental"}, {"name": "old", "role": "control"}],
        "strata": [{"name": "high", "share": 0.4}, {"name": "low", "share": 0.6}],
        "endpoints": {"pfs": {"kind": "survival"}, "os": {"kind": "survival"}},
        "accrual": {"rates": [25]},
        "looks": [
            {"events": 140, "endpoint": "pfs", "strata": ["high"]},
            {"events": 130, "endpoint": "os", "strata": ["high"]},
        ],
        "hypotheses": [
            {
                "name": "PFS high",
                "endpoint": "pfs",
                "share": 0.2,
                "looks": [1],
                "strata": ["high"],
                "hands_on": {"OS high": 1},
            },
            {"name": "OS high", "endpoint": "os", "share": 0.8, "strata": ["high"], "hands_on": {"OS all": 1}},
            {"name": "OS all", "endpoint": "os", "share": 0, "test": {"name": "log-rank", "stratified": True}},
        ],
        "scenarios": [
            {
                "name": "effect",
                "correlation": 0.4,
                "truth": [
                    {"endpoint": "pfs", "median": 6},
                    {"endpoint": "os", "median": 15},
                    {"endpoint": "pfs", "arm": "new", "hazard_ratio": 0.6},
                    {"endpoint": "os", "arm": "new", "hazard_ratio": 0.7},
                ],
            }
        ],
    }


def test_looks_populations_and_triggers_are_read_from_a_file() -> None:
    found = simulate(read_design("nested.yaml", yaml.safe_dump(file_with_everything())), 250, seed=1)
    rows = found.to_json()["plan"]
    assert [(r["hypothesis"], r["look"], r["population"]) for r in rows] == [
        ("PFS high", 1, "high"),
        ("OS high", 1, "high"),
        ("OS high", 2, "high"),
        ("OS all", 1, "all"),
        ("OS all", 2, "all"),
    ]
    error = found.type_one_error
    assert error is not None
    assert error.value <= 0.025 + 4 * error.error
    assert found.reject("effect", "PFS high").value > 0.5
