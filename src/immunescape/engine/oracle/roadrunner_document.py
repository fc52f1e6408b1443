"""SBML as libroadrunner needs it: inputs of adjustable rate, doses as events, events that may fire at the start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from immunescape.errors import EngineError

__all__ = ["INFUSION", "NEVER", "START", "document_of", "dose_names", "prepared", "written_out"]

INFUSION = "infusion_into_"
"""Prefix of the parameter that holds the zero-order input into a state."""

START = "start_of_events"
"""Parameter: time from which events count whose trigger is taken to have been false before the start."""

NEVER = 1e300
"""A time that no job reaches."""


def document_of(sbml: str) -> Any:
    """Parse a document.

    Raises
    ------
    EngineError
        Where it is not valid; libsbml's first message is given.
    """
    import libsbml

    document = libsbml.readSBMLFromString(sbml)
    if document.getModel() is None or document.getNumErrors(libsbml.LIBSBML_SEV_ERROR) > 0:
        reason = document.getError(0).getMessage().strip() if document.getNumErrors() else "no model found"
        raise EngineError(f"not a readable SBML document: {' '.join(reason.split())[:300]}")
    return document


def written_out(model: Any) -> int:
    """Parts of all rate laws and rate rules, each assignment rule written out at each use."""
    import libsbml

    rules = {r.getVariable(): r.getMath() for r in model.getListOfRules() if r.isAssignment() and r.isSetMath()}
    sizes: dict[str, int] = {}

    def size(root: Any, inside: frozenset[str]) -> int:
        total, stack = 0, [root]
        while stack:
            node = stack.pop()
            name = str(node.getName()) if node.getType() == libsbml.AST_NAME else ""
            if name in rules and name not in inside:
                if name not in sizes:
                    sizes[name] = size(rules[name], inside | {name})
                total += sizes[name]
                continue
            total += 1
            stack += [node.getChild(i) for i in range(node.getNumChildren())]
        return total

    laws = [r.getKineticLaw() for r in model.getListOfReactions()]
    roots = [law.getMath() for law in laws if law is not None and law.isSetMath()]
    roots += [r.getMath() for r in model.getListOfRules() if r.isRate() and r.isSetMath()]
    return sum(size(root, frozenset()) for root in roots)


def dose_names(slot: int) -> tuple[str, str]:
    """Parameters that hold time and amount (or change of rate) of a dose that is written as an event."""
    return f"dose_time_{slot}", f"dose_amount_{slot}"


def prepared(sbml: str, infused: Sequence[str], slots: Sequence[tuple[str, str]], *, events: bool) -> str:
    """Rewrite a document for libroadrunner.

    Parameters
    ----------
    sbml
        The document.
    infused
        States that get a zero-order input of adjustable rate, parameter `INFUSION` + name.
    slots
        State and kind (``amount`` or ``rate``) of each dose that becomes an event; see `dose_names`.
    events
        Let events fire at the start by a condition on time in place of ``initialValue``, which libroadrunner fires at
        each reset as well.

    Returns
    -------
    The document as text; parameters that were local to a reaction are called ``reaction_parameter`` in it.
    """
    import libsbml

    document = document_of(sbml)
    if any(law is not None and _local(law) for law in (r.getKineticLaw() for r in document.getModel().reactions)):
        properties = libsbml.ConversionProperties()
        properties.addOption("promoteLocalParameters", True)
        document.convert(properties)
    model = document.getModel()
    for target in infused:
        _add_input(document, model, target)
    if events:
        _parameter(model, START, NEVER)
        for event in model.getListOfEvents():
            _delay_start(event)
        for slot, (target, kind) in enumerate(slots):
            _add_dose(document, model, slot, target, kind)
    return str(libsbml.writeSBMLToString(document))


def _local(law: Any) -> int:
    return int(law.getNumLocalParameters()) + int(law.getNumParameters())


def _parameter(model: Any, name: str, value: float) -> None:
    item = model.createParameter()
    item.setId(name)
    item.setConstant(False)
    item.setValue(value)


def _add_input(document: Any, model: Any, target: str) -> None:
    import libsbml

    rate = INFUSION + target
    _parameter(model, rate, 0.0)
    species = model.getSpecies(target)
    rule = model.getRateRule(target)
    if rule is not None:
        if species is not None and not species.getHasOnlySubstanceUnits():
            raise EngineError(
                f"libroadrunner cannot infuse into '{target}', the rate of whose concentration a rule gives",
                hint="Use the engine 'native' or 'reference'.",
            )
        rule.setMath(libsbml.parseL3Formula(f"({libsbml.formulaToL3String(rule.getMath())}) + {rate}"))
        return
    if species is None:
        rule = model.createRateRule()
        rule.setVariable(target)
        rule.setMath(libsbml.parseL3Formula(rate))
        return
    factor = species.getConversionFactor() or model.getConversionFactor()
    reaction = model.createReaction()
    reaction.setId("input_" + rate)
    reaction.setReversible(False)
    if document.getLevel() < 3 or document.getVersion() == 1:
        reaction.setFast(False)
    product = reaction.createProduct()
    product.setSpecies(target)
    product.setStoichiometry(1.0)
    product.setConstant(True)
    law = reaction.createKineticLaw()
    law.setMath(libsbml.parseL3Formula(f"{rate} / {factor}" if factor else rate))


def _delay_start(event: Any) -> None:
    """A trigger that was false before the start becomes one that is false until `START`."""
    import libsbml

    trigger = event.getTrigger()
    if trigger is None or not trigger.isSetMath() or not trigger.isSetInitialValue() or trigger.getInitialValue():
        return
    both = libsbml.ASTNode(libsbml.AST_LOGICAL_AND)
    both.addChild(libsbml.parseL3Formula(f"time >= {START}"))
    both.addChild(trigger.getMath().deepCopy())
    trigger.setMath(both)
    trigger.setInitialValue(True)


def _add_dose(document: Any, model: Any, slot: int, target: str, kind: str) -> None:
    import libsbml

    time, amount = dose_names(slot)
    _parameter(model, time, NEVER)
    _parameter(model, amount, 0.0)
    event = model.createEvent()
    event.setId(f"dose_{slot}")
    if document.getLevel() > 2 or document.getVersion() > 3:
        event.setUseValuesFromTriggerTime(False)
    trigger = event.createTrigger()
    trigger.setMath(libsbml.parseL3Formula(f"time >= {time}"))
    if document.getLevel() > 2:
        trigger.setPersistent(True)
        trigger.setInitialValue(True)
    name = INFUSION + target if kind == "rate" else target
    species = model.getSpecies(name)
    formula = f"{name} + {amount}"
    if species is not None and not species.getHasOnlySubstanceUnits():
        formula = f"{name} + {amount} / {species.getCompartment()}"
    change = event.createEventAssignment()
    change.setVariable(name)
    change.setMath(libsbml.parseL3Formula(formula))
