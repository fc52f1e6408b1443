"""Further design files that would mislead: repeated names, impossible numbers, arms and looks that cannot come."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from test_refused_files import CONTROL, EFFECT, STRATA, changed, with_truth

from immunescape.design.loading import read_design
from immunescape.design.simulation import simulate
from immunescape.errors import InputError

OS = {"name": "OS", "endpoint": "os"}
RESPONSES = [{"endpoint": "orr", "rate": 0.3}, {"endpoint": "orr", "arm": "new", "rate": 0.5}]
BOTH = {"os": {"kind": "survival"}, "orr": {"kind": "response", "months": 2}}


def of_kind(kind: str, **changes: Any) -> dict[str, Any]:
    """The plain file as another kind of design of the endpoint `os`."""
    content = {**changed(kind=kind, endpoint="os"), **changes}
    return {name: value for name, value in content.items() if name != "hypotheses" and value is not None}


def enriching(*populations: dict[str, Any], **rule: Any) -> dict[str, Any]:
    return of_kind("enrichment", strata=STRATA, enrichment={"populations": list(populations), **rule})


def one_arm(kind: str, null: float = 0.2, **changes: Any) -> dict[str, Any]:
    """One arm against a rate of 0.2."""
    return {
        "name": "one",
        "title": "One",
        "kind": kind,
        "alpha": 0.1,
        "patients": 60,
        "accrual": {"rates": [5]},
        "arms": [{"name": "new", "role": "experimental"}],
        "endpoints": {"orr": BOTH["orr"]},
        "looks" if kind == "bop2" else "description": [{"patients": 40, "follow_up": 2}] if kind == "bop2" else "",
        kind.replace("-", "_"): {"endpoint": "orr", "p0": 0.2, "p1": 0.4},
        "scenarios": [
            {"name": n, "truth": [{"endpoint": "orr", "rate": p}]} for n, p in (("target", 0.4), ("null", null))
        ],
        **changes,
    }


def three_arms(**changes: Any) -> dict[str, Any]:
    arms = [*({"name": n, "role": "experimental"} for n in ("new", "newer")), {"name": "old", "role": "control"}]
    return of_kind("multi-arm", arms=arms, **changes)


def platform(arm: dict[str, Any], **changes: Any) -> dict[str, Any]:
    arms = [{"name": "new", "role": "experimental", "looks": [60, 120], **arm}, {"name": "old", "role": "control"}]
    return of_kind("platform", arms=arms, looks=None, **changes)


def comparing_responses(looks: list[dict[str, Any]], **bayesian: Any) -> dict[str, Any]:
    """A Bayesian comparison of response rates with 200 patients."""
    return of_kind(
        "bayesian",
        endpoint=None,
        patients=200,
        endpoints={"orr": BOTH["orr"]},
        looks=looks,
        bayesian={"endpoint": "orr", "calibration": 500, **bayesian},
        scenarios=[{"name": "effect", "truth": RESPONSES}],
    )


ALL, HIGH = {"name": "all", "strata": ["high", "low"]}, {"name": "high", "strata": ["high"]}
REFUSED = {
    "two hypotheses of one name but for case": (
        changed(hypotheses=[{**OS, "share": 0.5}, {**OS, "name": "os ", "share": 0.5}]),
        ("hypothesis 'os' is given twice", "hypotheses[2]"),
    ),
    "two endpoints of one name but for case": (
        {**with_truth(CONTROL, EFFECT, {"endpoint": "OS", "median": 5}), "endpoints": {"os": {}, "OS": {}}},
        ("endpoint 'OS' is given twice", "endpoints.OS"),
    ),
    "two populations of one name": (
        enriching(ALL, {**HIGH, "name": "all"}),
        ("population 'all' is given twice", "enrichment.populations[2]"),
    ),
    "two populations of the same strata": (
        enriching(ALL, HIGH, {**HIGH, "name": "PD-L1 high"}),
        ("has the same strata as another population", "populations[3]"),
    ),
    "a population with a stratum twice": (
        enriching(ALL, {"name": "high", "strata": ["high", "high"]}),
        ("'high' is named twice", "populations[2].strata"),
    ),
    "a look with a stratum twice": (
        changed(strata=STRATA, looks=[{"events": 50, "endpoint": "os", "strata": ["high", "high"]}]),
        ("'high' is named twice", "looks[1].strata"),
    ),
    "a stratum of nobody": (
        changed(strata=[{"name": "high", "share": 0}, {"name": "low", "share": 1}]),
        ("greater than 0", "strata[1]"),
    ),
    "no control arm": (
        changed(arms=[{"name": n, "role": "experimental"} for n in ("new", "old")]),
        ("has 0", "arms"),
    ),
    "two control arms": (changed(arms=[{"name": n, "role": "control"} for n in ("new", "old")]), ("has 2", "arms")),
    "an arm of five patients": (
        changed(
            patients=100,
            looks=[{"events": 70, "endpoint": "os"}],
            arms=[{"name": "new", "role": "experimental", "allocation": 20}, {"name": "old", "role": "control"}],
        ),
        ("arm 'old' has 4.8 of 100 patients", "arms[2]"),
    ),
    "a hazard that overflows": (
        with_truth(CONTROL, {"endpoint": "os", "arm": "new", "hazards": [0.1, 1e308], "changes": [3]}),
        ("'hazards' of 1e+308", "truth[2]"),
    ),
    "a hazard that underflows": (
        with_truth(CONTROL, {"endpoint": "os", "arm": "new", "hazards": [1e-320]}),
        ("is implausible",),
    ),
    "a hazard ratio of 1e300": (with_truth(CONTROL, {**EFFECT, "hazard_ratio": 1e300}), ("'hazard_ratio' of 1e+300",)),
    "a median of seconds": (with_truth({**CONTROL, "median": 1e-6}, EFFECT), ("'median' of 1e-06",)),
    "an alpha beyond all bounds": (changed(alpha=1e-12), ("not 1e-12", ", alpha")),
    "a share of alpha beyond all bounds": (
        changed(hypotheses=[{**OS, "share": 1.0}, {**OS, "name": "OS too", "share": 0.0}], alpha=0.025)
        | {"hypotheses": [{**OS, "share": 1e-9}]},
        ("share of 1e-09", "hypotheses[1].share"),
    ),
    "accrual for centuries": (changed(accrual={"rates": [1e-6]}), ("450,000,000 months to enrol", "accrual")),
    "beta spending with a parameter that it does not have": (
        changed(boundaries={"beta_spending": {"beta": 0.1, "parameter": 3}}),
        ("has no parameter", "beta_spending"),
    ),
    "beta spending without its parameter": (
        changed(boundaries={"beta_spending": {"beta": 0.1, "family": "power"}}),
        ("needs its parameter", "beta_spending"),
    ),
    "binding futility without a spending function, at the line of the boundaries": (
        changed(boundaries={"binding": True, "family": "pocock", "futility": [0.5]}),
        ("spending function", "boundaries"),
    ),
    "re-estimation between a look by months and one by events": (
        changed(looks=[{"months": 12}, {"events": 300, "endpoint": "os"}], reestimation={"look": 1}),
        ("Set every look by events of 'os'", "reestimation"),
    ),
    "an early endpoint that nobody has been read for": (
        {
            **changed(
                endpoints={"os": {}, "orr": {"kind": "response", "months": 200}},
                early_futility={"look": 1, "endpoint": "orr", "bound": 0},
            ),
            "scenarios": [{"name": "effect", "truth": [CONTROL, EFFECT, *RESPONSES]}],
        },
        ("of 0.0 patients on average", "early_futility"),
    ),
    "an arm of a platform that opens after the last patient": (
        platform({"opens": 500}),
        ("opens at month 500", "screened at about month 22", "arms[1].opens"),
    ),
    "a platform without controls to speak of": (
        platform({}, platform={"control_ratio": 1e-9}),
        ("greater than or equal to 0.1", "control_ratio"),
    ),
    "an unknown stratum of a platform's arm": (platform({"strata": ["high"]}), ("unknown stratum", "arms[1].strata")),
    "looks without information, with their line": (
        changed(looks=[{"months": 0.01}, {"months": 30}]),
        ("do not increase in information", "line", "looks"),
    ),
    "a restricted mean beyond the follow-up, with its line": (
        changed(
            looks=[{"months": 12}, {"months": 24}],
            hypotheses=[{**OS, "test": {"name": "rmst", "months": 60}}],
        ),
        ("cannot be compared at look 1", "line", "looks"),
    ),
    "futility on the hazard ratio above efficacy, with its line": (
        changed(boundaries={"futility_hazard_ratio": [0.5]}),
        ("lies above the efficacy bound", "line", "boundaries"),
    ),
    "looks by the events of another endpoint in a comparison of rates": (
        {
            **comparing_responses([{"events": 20, "endpoint": "os"}]),
            "endpoints": BOTH,
            "scenarios": [{"name": "effect", "truth": [CONTROL, EFFECT, *RESPONSES]}],
        },
        ("a look by events of 'os' in a comparison of 'orr'", "looks[1]"),
    ),
    "a name of two lines": (
        changed(hypotheses=[{**OS, "name": "OS\nand more"}]),
        ("one line of text", "hypotheses[1].name"),
    ),
    "a name without end": (
        changed(scenarios=[{"name": "x" * 300, "truth": [CONTROL, EFFECT]}]),
        ("at most 120", "scenarios[1].name"),
    ),
    "a name of blanks": (changed(hypotheses=[{**OS, "name": "  "}]), ("one line of text",)),
    "a one-arm design without alpha": (one_arm("two-stage", alpha=None), ("needs alpha", ", alpha")),
    "looks of BOP2 by months": (one_arm("bop2", looks=[{"months": 5}]), ("are set by patients", "looks[1]")),
    "a null below the uninteresting rate": (
        one_arm("bop2", null=0.05),
        ("response rate of 0.05, below the uninteresting 0.2", "scenarios[2]"),
    ),
    "max-combo with a binding futility bound": (
        changed(boundaries={"futility": [0.0], "binding": True}, hypotheses=[{**OS, "test": {"name": "max-combo"}}]),
        ("no joint distribution over looks", "boundaries"),
    ),
    "weights beyond use": (
        changed(hypotheses=[{**OS, "test": {"name": "fleming-harrington", "gamma": 50}}]),
        ("less than or equal to 5",),
    ),
    "a score that no test reads": (
        changed(
            scenarios=[
                {
                    "name": "e",
                    "truth": [CONTROL, EFFECT],
                    "prognostic_score": {"endpoint": "os", "correlation": 0.5},
                }
            ]
        ),
        ("which no hypothesis uses", "prognostic_score"),
    ),
    "promising arms without a bound": (three_arms(selection={"rule": "promising"}), ("needs its 'bound'", "selection")),
    "a bound where all arms stay": (
        three_arms(selection={"rule": "all", "bound": 1.0}),
        ("would be ignored", "selection.bound"),
    ),
    "how many to keep where none is chosen": (
        three_arms(selection={"rule": "all", "keep": 1}),
        ("would be ignored", "selection.keep"),
    ),
    "a conditional power of 5": (
        enriching(ALL, HIGH, choose="conditional-power", bound=5),
        ("between 0 and 1, not 5", "enrichment.bound"),
    ),
    "a bound on the best population": (enriching(ALL, HIGH, bound=0.5), ("would be ignored", "enrichment.bound")),
    "a choice by the endpoint that is tested": (
        enriching(ALL, HIGH, decide_on="os", first_follow_up=9, decide_test={"name": "log-rank"}),
        ("the endpoint that is tested", "decide_on"),
    ),
    "follow-up of a choice that needs none": (
        enriching(ALL, HIGH, first_follow_up=9),
        ("would be ignored", "first_follow_up"),
    ),
    "a prior of a million patients": (
        comparing_responses([{"patients": 200, "follow_up": 2}], prior=[1e6, 1e6]),
        ("less than or equal to 10000",),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_files_that_would_mislead_are_refused_with_their_line(case: str) -> None:
    content, expected = REFUSED[case]
    with pytest.raises(InputError) as caught:
        simulate(read_design("my.yaml", yaml.safe_dump(content, sort_keys=False)), 250)
    for words in (*expected, "my.yaml, line "):
        assert words in str(caught.value)


def warnings_of(content: dict[str, Any], replicates: int = 250) -> str:
    design = read_design("my.yaml", yaml.safe_dump(content, sort_keys=False))
    return " ".join(simulate(design, replicates, seed=1).warnings)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (changed(looks=[{"months": 2}, {"months": 30}]), "look 1 (month 2) with about 2 events"),
        (three_arms(looks=[{"months": 2}, {"months": 30}]), "look 1 (month 2) comes with about 2 events"),
        (changed(hypotheses=[{**OS, "share": 0.3}]), "the shares of alpha add up to 0.3"),
        (platform({"closes": 0.5}), "run out of events"),
        (platform({"looks": [8, 120]}), "an arm is analysed after 8 events"),
        (
            three_arms(dropout={"share": 0.5}, looks=[{"events": n, "endpoint": "os"} for n in (150, 400)]),
            "run out of events",
        ),
        (
            {**enriching(ALL, HIGH), "looks": [{"events": n, "endpoint": "os"} for n in (150, 400)]},
            "run out of events",
        ),
        (
            changed(
                hypotheses=[
                    {**OS, "share": 0.5, "test": {"name": "log-rank", "margin": 1.25}},
                    {**OS, "name": "superior", "share": 0.5},
                ]
            ),
            "'os' is tested against hazard ratios of 1, 1.25",
        ),
        (
            changed(
                patients=200,
                endpoints={"orr": BOTH["orr"]},
                looks=[{"patients": 100}, {"patients": 200}],
                hypotheses=[{"name": "ORR", "endpoint": "orr", "test": {"name": "rates"}}],
                scenarios=[{"name": "effect", "truth": RESPONSES}],
            ),
            "give the look a follow_up",
        ),
        (comparing_responses([{"patients": 200, "follow_up": 2}, {"months": 1}]), "look 2 comes together with look 1"),
    ],
)
def test_looks_that_tell_little_are_warned_of(content: dict[str, Any], words: str) -> None:
    assert words in warnings_of(content)


def test_an_ordinary_design_has_no_warnings() -> None:
    assert warnings_of(changed(), 500) == ""


def test_a_rate_of_zero_is_simulated_without_a_formula() -> None:
    content = changed(
        patients=200,
        endpoints={"orr": BOTH["orr"]},
        looks=[{"patients": 200, "follow_up": 2}],
        hypotheses=[{"name": "ORR", "endpoint": "orr", "test": {"name": "rates"}}],
        scenarios=[{"name": "e", "truth": [{**RESPONSES[0], "rate": 0.0}, RESPONSES[1]]}],
    )
    found = simulate(read_design("my.yaml", yaml.safe_dump(content)), 250, seed=1)
    assert found.power().value == 1.0
    assert "planning" not in found.notes


def test_a_stop_for_futility_at_a_look_without_a_test_is_shown() -> None:
    content = changed(hypotheses=[{**OS, "looks": [2]}], boundaries={"futility": [0.5]})
    design = read_design("my.yaml", yaml.safe_dump(content))
    rows = design.rule.expected_table(design, design.rule.plan(design))
    assert [(row["look"], row["futility_z"]) for row in rows] == [(1, 0.5), (2, None)]
    content["boundaries"] = {"futility_hazard_ratio": [1.1]}
    design = read_design("my.yaml", yaml.safe_dump(content))
    rows = design.rule.expected_table(design, design.rule.plan(design))
    assert [(row["look"], row["futility_hazard_ratio"]) for row in rows] == [(1, 1.1), (2, None)]


@pytest.mark.parametrize(
    ("looks", "adaptive"),
    [
        ([{"months": 6}, {"months": 13}], True),
        ([{"events": 30, "endpoint": "orr"}, {"events": 60, "endpoint": "orr"}], False),
        ([{"events": 30, "endpoint": "orr"}, {"patients": 200, "follow_up": 2}], True),
    ],
)
def test_bayesian_looks_come_by_months_and_by_responses(looks: list[dict[str, Any]], adaptive: bool) -> None:
    """The calibrated level holds, and a look by responses reads just so many."""
    content = comparing_responses(looks, adaptive=adaptive, calibration=1000)
    found = simulate(read_design("my.yaml", yaml.safe_dump(content)), 500, seed=1)
    assert found.type_one_error is not None
    assert 0.005 < found.type_one_error.value < 0.045
    assert found.power().value > 0.5
    events = found.outcomes["effect"].by_look["events"][:, 0]
    if "events" in looks[0]:
        assert (events == 30).all()
    months = found.outcomes["effect"].by_look["months"][:, 0]
    assert "months" not in looks[0] or abs(months - 6).max() < 1e-6
