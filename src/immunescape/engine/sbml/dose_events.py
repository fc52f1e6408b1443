"""Doses as events of an SBML document, for simulators that take nothing else."""

from __future__ import annotations

import libsbml

__all__ = ["add_dose_event"]


def add_dose_event(model: libsbml.Model, number: int, day: float, target: str, amount: float) -> None:
    """Add the event ``dose_<number>`` that changes a species or parameter at a time.

    Parameters
    ----------
    model
        The model, which is changed. SBML Level 3.
    number
        Of the dose; names the event.
    day
        When it is given, in the model's unit of time. A dose at 0 is given at the start: its trigger was false before.
    target
        Species (of which `amount` is added to the substance) or parameter.
    amount
        What is added, in the unit of the substance or of the parameter; it may be negative.
    """
    event = model.createEvent()
    event.setId(f"dose_{number}")
    event.setUseValuesFromTriggerTime(True)
    trigger = event.createTrigger()
    trigger.setInitialValue(bool(day > 0))
    trigger.setPersistent(True)
    trigger.setMath(libsbml.parseL3Formula(f"time >= {float(day)!r}"))
    species = model.getSpecies(target)
    # the symbol of a species without hasOnlySubstanceUnits is its concentration
    divisor = "" if species is None or species.getHasOnlySubstanceUnits() else f" / {species.getCompartment()}"
    change = event.createEventAssignment()
    change.setVariable(target)
    sign = "-" if amount < 0 else "+"
    change.setMath(libsbml.parseL3Formula(f"{target} {sign} {abs(float(amount))!r}{divisor}"))
