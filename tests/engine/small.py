"""Small SBML models for tests, from rate rules, assignment rules and events given as formulas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import libsbml


def _math(text: str) -> Any:
    node = libsbml.parseL3Formula(text)
    assert node is not None, libsbml.getLastParseL3Error()
    return node


def sbml(
    rates: Mapping[str, tuple[float, str]],
    parameters: Mapping[str, float] | None = None,
    *,
    rules: Mapping[str, str] | None = None,
    initial: Mapping[str, str] | None = None,
    variables: Mapping[str, float] | None = None,
    events: Sequence[Mapping[str, Any]] = (),
) -> str:
    """SBML L3V2 text: state -> (initial value, rate); events have trigger, assignments, maybe delay, initial_value."""
    document = libsbml.SBMLDocument(3, 2)
    model = document.createModel()
    model.setId("small")

    def parameter(name: str, value: float | None, constant: bool) -> None:
        item = model.createParameter()
        item.setId(name)
        item.setConstant(constant)
        if value is not None:
            item.setValue(value)

    for name, value in (parameters or {}).items():
        parameter(name, value, True)
    for name, value in (variables or {}).items():
        parameter(name, value, False)
    for name, (value, rate) in rates.items():
        parameter(name, value, False)
        rule = model.createRateRule()
        rule.setVariable(name)
        rule.setMath(_math(rate))
    for name, formula in (rules or {}).items():
        parameter(name, None, False)
        assignment = model.createAssignmentRule()
        assignment.setVariable(name)
        assignment.setMath(_math(formula))
    for name, formula in (initial or {}).items():
        start = model.createInitialAssignment()
        start.setSymbol(name)
        start.setMath(_math(formula))
    for k, content in enumerate(events):
        event = model.createEvent()
        event.setId(f"event{k}")
        event.setUseValuesFromTriggerTime(content.get("use_trigger_values", True))
        trigger = event.createTrigger()
        trigger.setMath(_math(content["trigger"]))
        trigger.setPersistent(True)
        trigger.setInitialValue(content.get("initial_value", True))
        if "delay" in content:
            event.createDelay().setMath(_math(content["delay"]))
        for name, formula in content["assignments"].items():
            change = event.createEventAssignment()
            change.setVariable(name)
            change.setMath(_math(formula))
    return str(libsbml.writeSBMLToString(document))
