"""The rules and their evaluator: truth tables with conflict, monotonicity, messages of the loader."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immunescape.errors import InputError
from immunescape.knowledge.mechanism_rules import Condition, RuleSet, conditions, load_rules, measurements
from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.calls import call_mechanisms
from immunescape.profile.calls.logic import MeasurementColumns, evaluate

A, B = ({"measurement": m, "is": True, "grade": "assumed"} for m in "ab")


def truth(name: str, value: bool | None) -> Measurement:
    if value is None:
        return Measurement.not_assessable(name, "", "not done")
    return Measurement(name, value, "", "measured", method="test")


def number(name: str, value: float, **more) -> Measurement:
    return Measurement(name, value, more.pop("unit", ""), more.pop("status", "measured"), method="test", **more)


def rules(**rule) -> RuleSet:
    words = {"title": "t", "origin": "host", "summary": "s", "citation": ["rizvi2015"], "absent_needs": "both"}
    return RuleSet.model_validate({"version": "test", "mechanisms": {"m": words | rule}})


def state(rule_set: RuleSet, **values) -> str:
    given_values = {name: {"p": m} for name, m in values.items()}
    return call_mechanisms(given_values, ["p"], rule_set).call("p", "m").state


THREE = (True, False, None)


def kleene(kind: str, values: list[bool | None]) -> int:
    """Truth by enumerating every way of filling in what is not known."""
    unknown = [i for i, v in enumerate(values) if v is None]
    seen = set()
    for filled in itertools.product((True, False), repeat=len(unknown)):
        full = list(values)
        for i, v in zip(unknown, filled, strict=True):
            full[i] = v
        seen.add({"all": all, "any": any, "two": lambda x: sum(x) >= 2}[kind](full))
    return 0 if len(seen) == 2 else (1 if seen.pop() else -1)


@pytest.mark.parametrize("kind", ["all", "any", "two"])
@pytest.mark.parametrize("values", list(itertools.product(THREE, repeat=3)))
def test_three_valued_logic_agrees_with_enumeration(kind, values):
    leaves = [{"measurement": m, "is": True, "grade": "assumed"} for m in "abc"]
    tree = {"at_least_of": {"n": 2, "of": leaves}} if kind == "two" else {kind: leaves}
    node = rules(present=tree).mechanisms["m"].present
    columns = MeasurementColumns({m: {"p": truth(m, v)} for m, v in zip("abc", values, strict=True)}, ["p"])
    assert evaluate(node, columns)[0] == kleene(kind, list(values))
    negated = rules(present={"not": tree}).mechanisms["m"].present
    assert evaluate(negated, columns)[0] == -kleene(kind, list(values))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (True, True, "conflicting"),
        (True, False, "present"),
        (True, None, "present"),
        (False, True, "absent"),
        (None, True, "absent"),
        (False, False, "not_assessable"),
        (None, None, "not_assessable"),
        (None, False, "not_assessable"),
        (False, None, "not_assessable"),
    ],
)
def test_states_from_present_and_absent(a, b, expected):
    assert state(rules(present=A, absent=B), a=truth("a", a), b=truth("b", b)) == expected


@pytest.mark.parametrize(("b", "expected"), [(True, "conflicting"), (False, "present"), (None, "present")])
def test_a_present_call_can_be_contradicted(b, expected):
    rule = rules(present=A, absent={"not": A}, present_contradicted_by=B)
    assert state(rule, a=truth("a", True), b=truth("b", b)) == expected
    assert state(rule, a=truth("a", False), b=truth("b", True)) == "absent"
    assert state(rule, a=truth("a", None), b=truth("b", True)) == "not_assessable"


def test_missing_biomarker_is_never_absent():
    table = call_mechanisms({}, ["p", "q"])
    assert set(table.states.to_numpy().ravel()) == {"not_assessable"}
    for call in table.of("q").values():
        assert call.coverage in (0.0, None)
        assert call.evidence


def test_numbers_limits_coverage_units_and_intervals():
    low = {"measurement": "x", "below": 10, "grade": "assumed"}
    high = {"measurement": "x", "at_least": 10, "grade": "assumed"}
    rule = rules(present=low, absent=high, minimum_coverage=0.5)
    assert state(rule, x=number("x", 9.99)) == "present"
    assert state(rule, x=number("x", 10.0)) == "absent"
    assert state(rule, x=number("x", 5.0, status="below_limit")) == "present"
    assert state(rule, x=number("x", 20.0, status="below_limit")) == "not_assessable"
    assert state(rule, x=number("x", 9.0, coverage=0.4)) == "not_assessable"
    assert state(rule, x=number("x", 9.0, coverage=0.6)) == "present"
    strict = rules(present=low | {"whole_interval": True}, absent=high | {"whole_interval": True})
    assert state(strict, x=number("x", 9.0, low=6.0, high=12.0)) == "not_assessable"
    assert state(strict, x=number("x", 7.0, low=6.0, high=8.0)) == "present"
    in_unit = rules(present=low | {"unit": "1/Mb"}, absent=high | {"unit": "1/Mb"})
    assert state(in_unit, x=number("x", 9.0, unit="1/Gb")) == "not_assessable"
    assert (
        "1/Gb"
        in call_mechanisms({"x": {"p": number("x", 9.0, unit="1/Gb")}}, ["p"], in_unit)
        .call("p", "m")
        .evidence[0]
        .statement
    )
    ratio = rules(present={"measurement": "x", "relative_to": "y", "below": 0.5, "grade": "assumed"})
    assert state(ratio, x=number("x", 4.0), y=number("y", 10.0)) == "present"
    assert state(ratio, x=number("x", 4.0), y=number("y", 0.0)) == "not_assessable"
    percentile = rules(present={"measurement": "x", "percentile_at_most": 10, "grade": "assumed"})
    assert state(percentile, x=number("x", 1.0)) == "not_assessable"
    assert state(percentile, x=number("x", 1.0, percentile=10.0, reference="r")) == "present"


def _some_values(condition: Condition) -> st.SearchStrategy[Measurement | None]:
    name = condition.measurement
    if condition.tests[0] == "is":
        words = st.sampled_from(
            [*condition.allowed, "wild_type"] if isinstance(condition.allowed[0], str) else [True, False]
        )
        made = words.map(lambda w: Measurement(name, w, "", "measured", method="test"))
    else:
        made = st.tuples(st.floats(0, 60), st.floats(0, 100), st.sampled_from(["measured", "below_limit"])).map(
            lambda v: number(name, v[0], status=v[2], percentile=v[1], reference="r", low=v[0] / 2, high=v[0] * 2)
        )
    return st.one_of(st.none(), made)


_LEAVES = {c.measurement: c for r in load_rules().mechanisms.values() for t in r.trees.values() for c in conditions(t)}


@settings(max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries({n: _some_values(c) for n, c in _LEAVES.items()}), st.sets(st.sampled_from(sorted(_LEAVES)))
)
def test_removing_data_never_makes_a_mechanism_absent(values, removed):
    full = {n: {"p": m} for n, m in values.items() if m is not None}
    less = {n: m for n, m in full.items() if n not in removed}
    before, after = (call_mechanisms(v, ["p"]).states.loc["p"] for v in (full, less))
    for mechanism in before.index:
        if before[mechanism] in ("present", "not_assessable"):
            assert after[mechanism] in ("present", "not_assessable")
            assert not (before[mechanism] == "not_assessable" and after[mechanism] == "present")


def test_every_rule_names_registered_biomarkers_and_known_references():
    from immunescape.profile.biomarkers.registry import biomarkers

    known = biomarkers()
    rule_set = load_rules()
    for name, rule in rule_set.mechanisms.items():
        for tree in rule.trees.values():
            for condition in conditions(tree):
                if condition.tests[0] == "is" and condition.measurement in known and known[condition.measurement].words:
                    unknown = set(map(str, condition.allowed)) - set(known[condition.measurement].words)
                    assert not unknown, f"{name}: {condition.measurement} is never {unknown}"
        assert rule.never_assessable or measurements(rule)


def test_evidence_carries_value_threshold_and_citation():
    table = call_mechanisms({"tmb": {"p": number("tmb", 4.0, unit="1/Mb", low=2.0, high=8.0)}}, ["p"])
    call = table.call("p", "low_neoantigen_burden")
    assert call.state == "present"
    first = call.evidence[0]
    assert first.supports == "present"
    assert "4 (2 to 8) /Mb" in first.statement
    assert "marabelle2020" in first.citation
    assert 0 < call.coverage < 1


def test_ten_thousand_patients_are_called_alike_one_by_one():
    rng = np.random.default_rng(1)
    patients = [f"p{i}" for i in range(10_000)]
    values = {
        "tmb": {p: number("tmb", float(v)) for p, v in zip(patients, rng.gamma(2, 5, len(patients)), strict=True)}
    }
    together = call_mechanisms(values, patients).states["low_neoantigen_burden"]
    for p in patients[:20]:
        assert (
            call_mechanisms({"tmb": {p: values["tmb"][p]}}, [p]).states.loc[p, "low_neoantigen_burden"] == together[p]
        )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version: '1'\nmechanisms:\n  m: {titel: x}\n", ["mechanisms.m", "titel", "did you mean 'title'"]),
        ("version: '1'\nmechanisms:\n  m: [1]\n", ["mechanisms.m", "a block"]),
        ("version: '1'\nmechanisms: {m: {a: 1}, m: {a: 2}}\n", ["given twice"]),
        ("version: &a '1'\nmechanisms: *a\n", ["anchors"]),
        ("version: [\n", ["not valid YAML", "line"]),
    ],
)
def test_loader_names_file_entry_and_nearest_word(tmp_path, text, words):
    file = tmp_path / "rules.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_rules(file)
    assert "rules.yaml" in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_loader_refuses_unknown_biomarkers_tests_and_sources(tmp_path):
    body = """version: '1'
mechanisms:
  m:
    title: t
    origin: host
    summary: s
    citation: [{key}]
    present: {{measurement: tmbb, {test}, grade: {grade}}}
"""
    file = tmp_path / "rules.yaml"

    def attempt(**change) -> str:
        file.write_text(body.format(**({"key": "rizvi2015", "test": "below: 1", "grade": "assumed"} | change)))
        with pytest.raises(InputError) as error:
            load_rules(file, allowed=["tmb", "nlr"])
        return str(error.value)

    assert "'tmb'" in attempt()
    assert "mechanisms.m" in attempt()
    assert "rizvi2015" in attempt(key="rizvy2015")
    assert "exactly one" in attempt(test="below: 1, above: 2")
    assert "no source" in attempt(grade="measured")


def test_the_page_of_rules_is_what_the_file_says():
    import importlib.util
    from pathlib import Path

    root = Path(__file__).parents[2]
    spec = importlib.util.spec_from_file_location("rules_page", root / "scripts" / "mechanism_rules_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (root / "docs" / "mechanism-rules.md").read_text(encoding="utf-8")
    assert written == module.page(), "run scripts/mechanism_rules_page.py"
