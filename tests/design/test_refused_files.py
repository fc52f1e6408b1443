"""Design files whose fields are valid one by one, and wrong together: each is refused with its line and the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from immunescape.api.designs import run_designs
from immunescape.design.loading import design_template, read_design
from immunescape.errors import InputError


def survival_file() -> dict[str, Any]:
    """A plain two-arm survival design."""
    return {
        "name": "plain",
        "title": "Plain",
        "kind": "group-sequential",
        "patients": 450,
        "arms": [{"name": "new", "role": "experimental"}, {"name": "old", "role": "control"}],
        "endpoints": {"os": {"kind": "survival"}},
        "accrual": {"rates": [20]},
        "looks": [{"events": 150, "endpoint": "os"}, {"events": 300, "endpoint": "os"}],
        "hypotheses": [{"name": "OS", "endpoint": "os"}],
        "scenarios": [
            {
                "name": "effect",
                "truth": [{"endpoint": "os", "median": 12}, {"endpoint": "os", "arm": "new", "hazard_ratio": 0.7}],
            }
        ],
    }


def changed(**changes: Any) -> dict[str, Any]:
    """The plain file with top-level fields replaced."""
    return {**survival_file(), **changes}


def with_truth(*entries: dict[str, Any]) -> dict[str, Any]:
    return changed(scenarios=[{"name": "effect", "truth": list(entries)}])


CONTROL = {"endpoint": "os", "median": 12}
EFFECT = {"endpoint": "os", "arm": "new", "hazard_ratio": 0.7}
TWO_OF_A_NAME = [{"name": "effect", "truth": [CONTROL, EFFECT]}, {"name": "effect", "truth": [CONTROL]}]
NULL_WITH_EFFECT = [
    {"name": "effect", "truth": [CONTROL, EFFECT]},
    {"name": "null", "truth": [CONTROL, {**EFFECT, "hazard_ratio": 0.5}]},
]
STRATA = [{"name": "high", "share": 0.4}, {"name": "low", "share": 0.6}]

REFUSED = {
    "more events than patients": (
        changed(looks=[{"events": 150, "endpoint": "os"}, {"events": 1000, "endpoint": "os"}]),
        ("look 2 waits for 1000 events", "450 patients", "looks"),
    ),
    "a look at more patients than there are": (
        changed(looks=[{"patients": 460}, {"events": 300, "endpoint": "os"}]),
        ("460 patients", "looks"),
    ),
    "more events than patients of the stratum": (
        changed(strata=STRATA, looks=[{"events": 200, "endpoint": "os", "strata": ["high"]}]),
        ("about 180 patients",),
    ),
    "looks that do not increase, at the line of the looks": (
        changed(looks=[{"events": 150, "endpoint": "os"}, {"events": 150, "endpoint": "os"}]),
        ("do not increase in information", ", looks"),
    ),
    "a delay beside a median": (
        with_truth(CONTROL, {"endpoint": "os", "arm": "new", "median": 18, "delay": 3}),
        ("'delay' applies only with hazard_ratio", "truth[2]"),
    ),
    "changes without hazards": (
        with_truth(CONTROL, {"endpoint": "os", "arm": "new", "median": 18, "changes": [3]}),
        ("'changes' applies only with hazards",),
    ),
    "two scenarios of one name": (
        changed(scenarios=TWO_OF_A_NAME),
        ("scenario 'effect' is given twice", "scenarios[2]"),
    ),
    "a null with an effect": (changed(scenarios=NULL_WITH_EFFECT), ("'null' has an effect",)),
    "a truth entry that is given twice": (
        with_truth(CONTROL, EFFECT, {**EFFECT, "hazard_ratio": 0.9}),
        ("is given twice", "truth[3]"),
    ),
    "two strata of one name": (
        changed(strata=[{"name": "high", "share": 0.4}, {"name": "high", "share": 0.6}]),
        ("stratum 'high' is given twice",),
    ),
    "two patients": (changed(patients=2, looks=[{"patients": 2}]), ("too few for a trial",)),
    "a hazard that is not a number": (
        with_truth(CONTROL, {"endpoint": "os", "arm": "new", "hazards": [float("nan")]}),
        ("finite number",),
    ),
    "an infinite hazard ratio": (with_truth(CONTROL, {**EFFECT, "hazard_ratio": float("inf")}), ("finite number",)),
    "futility that is not a number": (changed(boundaries={"futility": [float("nan")]}), ("finite number",)),
    "Wang-Tsiatis with delta 5": (
        changed(boundaries={"family": "wang-tsiatis", "parameter": 5}),
        ("outside -0.5 to 1", "boundaries"),
    ),
    "Hwang-Shih-DeCani with gamma -900": (
        changed(boundaries={"family": "hwang-shih-decani", "parameter": -900}),
        ("outside -40 to 40",),
    ),
    "a parameter that the family does not have": (
        changed(boundaries={"family": "pocock", "parameter": 0.25}),
        ("has no parameter",),
    ),
    "a block of another kind: selection": (changed(selection={"rule": "best"}), ("'selection' is not read",)),
    "a block of another kind: platform": (changed(platform={"drift": 0.1}), ("'platform' is not read",)),
    "a block of another kind: the endpoint of multi-arm designs": (changed(endpoint="os"), ("'endpoint' is not read",)),
    "a block of another kind: the test of multi-arm designs": (
        changed(test={"name": "rmst", "months": 12}),
        ("'test' is not read",),
    ),
    "looks of an arm outside a platform": (
        changed(arms=[{"name": "new", "role": "experimental", "looks": [50]}, {"name": "old", "role": "control"}]),
        ("'looks' of an arm is read in a platform only", "arms[1].looks"),
    ),
    "a stratified test without strata": (
        changed(hypotheses=[{"name": "OS", "endpoint": "os", "test": {"name": "log-rank", "stratified": True}}]),
        ("needs strata",),
    ),
    "weights of another test": (
        changed(hypotheses=[{"name": "OS", "endpoint": "os", "test": {"name": "log-rank", "gamma": 1}}]),
        ("'gamma' applies only to the test fleming-harrington",),
    ),
    "a restricted mean beyond the follow-up": (
        changed(
            looks=[{"months": 12}, {"months": 24}],
            hypotheses=[{"name": "OS", "endpoint": "os", "test": {"name": "rmst", "months": 60}}],
        ),
        ("cannot be compared at look 1 (month 12.0)",),
    ),
    "a milestone beyond the follow-up": (
        changed(
            looks=[{"months": 18}, {"months": 30}],
            hypotheses=[{"name": "OS", "endpoint": "os", "test": {"name": "milestone", "months": 24}}],
        ),
        ("cannot be compared at look 1",),
    ),
    "progression-free survival beyond survival": (
        {
            **changed(endpoints={"os": {"kind": "survival"}, "pfs": {"kind": "survival"}}),
            "scenarios": [{"name": "effect", "truth": [CONTROL, {"endpoint": "pfs", "median": 15}]}],
        },
        ("progression-free survival exceeds survival",),
    ),
    "a hypothesis at a look that does not exist": (
        changed(hypotheses=[{"name": "OS", "endpoint": "os", "looks": [1, 3]}]),
        ("looks are 1 to 2",),
    ),
    "a hypothesis in a stratum that does not exist": (
        changed(strata=STRATA, hypotheses=[{"name": "OS", "endpoint": "os", "strata": ["hihg"]}]),
        ("Did you mean 'high'",),
    ),
    "futility in two ways": (
        changed(boundaries={"futility": [0.5], "futility_hazard_ratio": [0.9]}),
        ("choose one of them",),
    ),
    "a hazard ratio of futility below that of efficacy": (
        changed(boundaries={"futility_hazard_ratio": [0.5]}),
        ("lies above the efficacy bound",),
    ),
    "follow-up at a look by events": (
        changed(looks=[{"events": 150, "endpoint": "os", "follow_up": 3}]),
        ("'follow_up' applies only to a look set by patients",),
    ),
    "a correlation beside a virtual population": (
        changed(scenarios=[{"name": "v", "correlation": 0.5, "pool": {"trial": "keynote-024", "patients": 40}}]),
        ("determines the correlation",),
    ),
    "a hypothesis that never receives any alpha": (
        changed(hypotheses=[{"name": "OS", "endpoint": "os"}, {"name": "OS again", "endpoint": "os", "share": 0}]),
        ("never receives any alpha",),
    ),
    "a look that ends before it begins": (
        changed(looks=[{"events": 150, "endpoint": "os", "earliest": 30, "latest": 20}]),
        ("not before month 30",),
    ),
    "disease-free survival beyond survival": (
        {
            **changed(endpoints={"os": {"kind": "survival"}, "dfs": {"kind": "survival"}}),
            "scenarios": [{"name": "effect", "truth": [CONTROL, {"endpoint": "dfs", "median": 15}]}],
        },
        ("exceeds survival", "endpoint 'dfs'"),
    ),
    "visits of a response": (
        changed(endpoints={"os": {"kind": "survival"}, "orr": {"kind": "response", "visits_every": 2}}),
        ("'visits_every' has no meaning",),
    ),
}


def _read_and_plan(text: str) -> None:
    design = read_design("my.yaml", text)
    design.rule.plan(design)


@pytest.mark.parametrize("case", REFUSED)
def test_files_that_would_mislead_are_refused(case: str) -> None:
    content, expected = REFUSED[case]
    text = yaml.safe_dump(content, sort_keys=False)
    with pytest.raises(InputError) as caught:
        _read_and_plan(text)
    for words in expected:
        assert words in str(caught.value)
    if "cannot be compared" not in str(caught.value) and "lies above the efficacy" not in str(caught.value):
        assert "my.yaml, line " in str(caught.value)


def test_the_plain_file_is_read() -> None:
    found = read_design("my.yaml", yaml.safe_dump(survival_file()))
    assert [look.events for look in found.looks] == [150, 300]


def test_an_empty_file_names_the_command_for_designs() -> None:
    with pytest.raises(InputError, match="immunescape design --template"):
        read_design("empty.yaml", "")


def test_a_null_above_the_uninteresting_rate_is_refused() -> None:
    one = {
        "name": "one",
        "title": "One",
        "kind": "two-stage",
        "alpha": 0.05,
        "patients": 60,
        "arms": [{"name": "new", "role": "experimental"}],
        "endpoints": {"orr": {"kind": "response"}},
        "accrual": {"rates": [5]},
        "two_stage": {"endpoint": "orr", "p0": 0.2, "p1": 0.4},
        "scenarios": [{"name": "null", "truth": [{"endpoint": "orr", "rate": 0.3}]}],
    }
    with pytest.raises(InputError, match=r"response rate of 0\.3, above the uninteresting 0\.2"):
        read_design("one.yaml", yaml.safe_dump(one))
    one["scenarios"][0]["truth"][0]["rate"] = 0.2  # type: ignore[index]
    assert read_design("one.yaml", yaml.safe_dump(one)).patients > 2


def test_a_scenario_called_null_without_effect_stays() -> None:
    both = [{"name": "effect", "truth": [CONTROL, EFFECT]}, {"name": "null", "truth": [CONTROL]}]
    assert read_design("my.yaml", yaml.safe_dump(changed(scenarios=both))).scenarios == ("effect", "null")


def test_the_template_still_reads() -> None:
    assert read_design("template", design_template()).alpha == 0.025


@pytest.mark.parametrize("second", ["Effect", "effect ", "EFFECT"])
def test_names_that_differ_in_case_or_spaces_only_are_one_name(second: str) -> None:
    truth = [CONTROL, EFFECT]
    content = changed(scenarios=[{"name": "effect", "truth": truth}, {"name": second, "truth": truth}])
    with pytest.raises(InputError, match="given twice"):
        read_design("plain.yaml", yaml.safe_dump(content))


@pytest.mark.parametrize("name", ["Null", "NULL", "null "])
def test_the_null_is_written_in_one_way(name: str) -> None:
    content = changed(scenarios=[{"name": name, "truth": [CONTROL, EFFECT]}])
    with pytest.raises(InputError, match="the null is written 'null'"):
        read_design("plain.yaml", yaml.safe_dump(content))


@pytest.mark.parametrize("family", ["wang-tsiatis", "hwang-shih-decani", "power"])
def test_a_family_with_a_parameter_needs_it(family: str) -> None:
    with pytest.raises(InputError, match="needs its parameter"):
        read_design("plain.yaml", yaml.safe_dump(changed(boundaries={"family": family})))


def test_cohorts_of_more_patients_than_there_are_are_refused() -> None:
    """The size of the file was ignored: 10 patients, and 10 cohorts of 3."""
    content = {
        "name": "doses",
        "title": "Doses",
        "kind": "dose-finding",
        "alpha": None,
        "patients": 10,
        "arms": [{"name": "low", "role": "experimental"}, {"name": "high", "role": "experimental"}],
        "endpoints": {"dlt": {"kind": "response", "months": 1}},
        "accrual": {"rates": [3]},
        "dose_finding": {"endpoint": "dlt", "target": 0.3},
        "scenarios": [{"name": "mild", "truth": [{"endpoint": "dlt", "rate": 0.2}]}],
    }
    with pytest.raises(InputError, match="10 cohorts of 3 are up to 30 patients, the file has 10"):
        read_design("doses.yaml", yaml.safe_dump(content))


def test_text_that_is_no_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    """Not with a traceback of the YAML reader, by the command as well."""
    file = tmp_path / "broken.yaml"
    file.write_text("name: [a\nb: 3\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"broken\.yaml, line"):
        run_designs([file], 250, seed=1)


@pytest.mark.parametrize(
    ("kind", "entry"), [("survival", {"rate": 0.2}), ("response", {"median": 12}), ("response", {"hazards": [0.1]})]
)
def test_a_truth_of_the_wrong_kind_is_refused(kind: str, entry: dict[str, Any]) -> None:
    content = with_truth({"endpoint": "os", "median": 12}, {"endpoint": "x", **entry})
    content["endpoints"]["x"] = {"kind": kind}
    with pytest.raises(InputError, match=f"'x' is a {kind} endpoint") as raised:
        read_design("plain.yaml", yaml.safe_dump(content))
    assert "truth" in str(raised.value.where)


def test_a_monitored_look_before_the_response_is_read_is_refused() -> None:
    """Nobody would have responded by then, and every trial would stop."""
    content = {
        "name": "one",
        "title": "One",
        "kind": "bop2",
        "alpha": 0.1,
        "patients": 40,
        "arms": [{"name": "new", "role": "experimental"}],
        "endpoints": {"orr": {"kind": "response", "months": 3}},
        "accrual": {"rates": [5]},
        "bop2": {"endpoint": "orr", "p0": 0.2, "p1": 0.4},
        "looks": [{"patients": n} for n in (20, 40)],
        "scenarios": [
            {"name": n, "truth": [{"endpoint": "orr", "rate": p}]} for n, p in (("target", 0.4), ("null", 0.2))
        ],
    }
    with pytest.raises(InputError, match="a look comes before its patients have been assessed"):
        read_design("one.yaml", yaml.safe_dump(content))
    content["looks"] = [{"patients": n, "follow_up": 3} for n in (20, 40)]
    assert read_design("one.yaml", yaml.safe_dump(content)).patients == 40


def test_fewer_patients_than_simons_design_takes_are_refused() -> None:
    content = {
        "name": "one",
        "title": "One",
        "kind": "two-stage",
        "alpha": 0.05,
        "patients": 20,
        "arms": [{"name": "new", "role": "experimental"}],
        "endpoints": {"orr": {"kind": "response"}},
        "accrual": {"rates": [5]},
        "two_stage": {"endpoint": "orr", "p0": 0.2, "p1": 0.4},
        "scenarios": [
            {"name": n, "truth": [{"endpoint": "orr", "rate": p}]} for n, p in (("target", 0.4), ("null", 0.2))
        ],
    }
    with pytest.raises(InputError, match="Simon's design takes 43 patients, the file has 20"):
        read_design("one.yaml", yaml.safe_dump(content))
