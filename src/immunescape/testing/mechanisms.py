"""Checks of a mechanism and of a drug."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from immunescape import plugins
from immunescape.errors import ModelError
from immunescape.model import Drug, Mechanism, Model, registry
from immunescape.record_types import wrong_field
from immunescape.testing import contract
from immunescape.testing.contract import State, require

__all__ = ["check_drug", "check_mechanism"]


@dataclass(frozen=True)
class _Grown:
    """A model with a mechanism or drug, compiled, and its untreated reference patient after a year."""

    model: Model
    compiled: Any
    state: State


def check_mechanism(mechanism: Mechanism | str, *, folder: Path | None = None, engine: str = "auto") -> None:
    """Check that a mechanism keeps the contract.

    Its numbers have units, sources and grades; units of its expressions agree; it uses nothing that it does not
    require; its absence is exact; rates and quantities are finite where its states are zero; states stay
    non-negative; the model with it runs; and the untreated reference patient stays where he was (every factor 1 at
    diagnosis).

    Parameters
    ----------
    mechanism
        The record, or the name of one that is installed.
    folder
        Folder of its parameter table; None: that of the calling module, and the places beside it.
    engine
        Engine that integrates.

    Raises
    ------
    AssertionError
        Where the contract is not kept.
    ImmunescapeError
        Where no model can be made of it.
    """
    caller = inspect.stack()[1].filename if folder is None else ""
    record = registry.get_mechanism(mechanism) if isinstance(mechanism, str) else mechanism
    require(isinstance(record, Mechanism), f"this is {type(record).__name__}, not Mechanism")
    _check(_with_table(record, folder, caller), engine)


def check_drug(drug: Drug | str, *, folder: Path | None = None, engine: str = "auto") -> None:
    """Check that a drug keeps the contract: as `check_mechanism`, and that it can be dosed.

    It has a class, a usual dose and a record of harm. Parameters and errors as in `check_mechanism`.
    """
    from immunescape.model.drug_tables import drug_classes, usual_doses
    from immunescape.model.toxicity import toxicity

    caller = inspect.stack()[1].filename if folder is None else ""
    record = registry.get_drug(drug) if isinstance(drug, str) else drug
    require(isinstance(record, Drug), f"this is {type(record).__name__}, not Drug")
    drug = cast("Drug", _with_table(record, folder, caller))
    require(not (wrong := wrong_field(drug)), f"'{drug.name}': {wrong}")
    contract.require_dosable(drug)
    hint = "provide {} in the folder of the entry point in the group 'immunescape.data'"
    require(drug.name in drug_classes(), f"'{drug.name}' has no class: " + hint.format("drug_classes.csv"))
    require(drug.name in usual_doses(), f"'{drug.name}' has no usual dose: " + hint.format("usual_doses.csv"))
    try:
        harm = toxicity((drug.name,))
    except Exception as error:
        raise AssertionError(
            f"'{drug.name}' has no toxicity data: {error}\n  " + hint.format("toxicity.csv")
        ) from error
    require(harm.grade3 > 0, f"'{drug.name}' has no toxicity: it would always rank first")
    _check(drug, engine)


def _with_table(mechanism: Mechanism, folder: Path | None, caller: str) -> Mechanism:
    """Return the registered record, where it is this one; else one with its table as an absolute path."""
    for extra in (*plugins.contributions("immunescape.mechanisms"), *plugins.contributions("immunescape.drugs")):
        if extra.value is mechanism:
            registered = {**registry.mechanisms(), **registry.drugs()}
            return registered[mechanism.name]
    registered = {**registry.mechanisms(), **registry.drugs()}
    if registered.get(mechanism.name) is mechanism:
        return mechanism
    return registry.with_table_in(mechanism, folder or Path(caller).parent, mechanism.name)


def _check(mechanism: Mechanism, engine: str) -> None:
    require(not (wrong := wrong_field(mechanism)), f"'{mechanism.name}': {wrong}")
    contract.require_sourced(mechanism)
    contract.require_cited(mechanism)
    _check_requirements(mechanism)
    grown = _grow(mechanism, engine)
    model, name = grown.model, mechanism.name
    contract.require_finite_at_zero(model, mechanism, grown.state)
    contract.require_non_negative(model, name, grown.state)
    everything = (*model.mechanisms, *model.drugs)
    gone = contract.off_set(name, everything)
    without = Model.build(
        [m for m in model.mechanisms if m.name not in gone],
        [d for d in model.drugs if d.name not in gone],
        check_units=False,
        strengths=model.strengths,
    )
    contract.require_absence_exact(model, without, gone, grown.state)
    _check_run(grown, mechanism)
    _check_reference(grown, mechanism, gone)


def _others(mechanism: Mechanism) -> list[Mechanism]:
    return [m for m in registry.mechanisms().values() if m.name != mechanism.name]


def _check_requirements(mechanism: Mechanism) -> None:
    """A model of nothing but what it requires can be made, units checked, and starts with finite values."""
    from immunescape.model.selection import closures

    every = [*_others(mechanism), *(d for d in registry.drugs().values() if d.name != mechanism.name), mechanism]
    needed = closures(every)[mechanism.name]
    components = [m for m in every if m.name in needed]
    model = Model.build(
        [m for m in components if not isinstance(m, Drug)], [d for d in components if isinstance(d, Drug)]
    )
    y = model.initial()
    with np.errstate(all="ignore"):
        values = {**y, **model.evaluate(y), **model.derivatives(y)}
    wrong = [k for k, v in values.items() if not np.isfinite(float(v))]
    require(
        not wrong, f"'{wrong[0] if wrong else ''}' is not finite at the start, where '{mechanism.name}' is in the model"
    )


def _grow(mechanism: Mechanism, engine: str) -> _Grown:
    """The model of all mechanisms (and the drug), grown untreated for a year."""
    from immunescape.engine import get_engine
    from immunescape.engine.api import Job
    from immunescape.population.reference_baseline import with_reference_strengths

    mechanisms = _others(mechanism)
    drugs = [mechanism] if isinstance(mechanism, Drug) else []
    needed = [d for d in registry.drugs().values() if d.name in mechanism.requires]
    if not drugs:
        mechanisms = [*mechanisms, mechanism]
    try:
        model = with_reference_strengths(
            Model.build(mechanisms, [*needed, *drugs], check_units=False),
            engine=engine,
        )
    except ModelError as error:
        raise AssertionError(f"'{mechanism.name}': {error}") from error
    compiled = get_engine(engine).compile(model.to_sbml())
    job = Job(n=1, times=np.array([0.0, 180.0, 360.0]), outputs=("V_T",), atol=model.atol())
    result = compiled.run(job)
    require(result.failed == 0, f"the model with '{mechanism.name}' cannot be integrated: {dict(result.messages)}")
    return _Grown(model, compiled, dict(zip(result.states, map(float, result.final[0]), strict=True)))


def _check_run(grown: _Grown, mechanism: Mechanism) -> None:
    """Six weeks from the grown tumour, a drug dosed twice: finite, not negative, and the dose arrives."""
    from immunescape.engine.api import Doses, Job

    model, states = grown.model, list(grown.model.states)
    doses = Doses.none()
    if isinstance(mechanism, Drug):
        amount = (
            200e6 / mechanism.molar_mass  # 200 mg in nanomole
            if mechanism.molar_mass
            else 100 * max(mechanism.dose_amounts.values())
        )
        doses = Doses(np.array([0.0, 21.0]), (mechanism.dose_state,) * 2, np.full(2, amount), np.zeros(2))
    job = Job(
        n=1, times=np.linspace(0, 42, 85), outputs=tuple(states), initial=grown.state, doses=doses, atol=model.atol()
    )
    result = grown.compiled.run(job)
    require(result.failed == 0, f"six weeks with '{mechanism.name}' cannot be integrated: {dict(result.messages)}")
    values = dict(zip(states, result.values[0].T, strict=True))
    atol = model.atol()
    for state, course in values.items():
        require(np.all(np.isfinite(course)), f"'{state}' is not finite with '{mechanism.name}'")
        low = float(course.min())
        bound = -(10 * atol[state] + 1e-6 * float(np.abs(course).max()))
        require(low >= bound, f"'{state}' reaches {low:g} with '{mechanism.name}'")
    if isinstance(mechanism, Drug):
        require(values[mechanism.dose_state].max() > 0, f"a dose of '{mechanism.name}' does not arrive")


def _check_reference(grown: _Grown, mechanism: Mechanism, gone: set[str]) -> None:
    """At diagnosis of the untreated reference patient every factor is 1, with the mechanism and without it."""
    from immunescape.population.reference_baseline import reference_baseline

    mine = {k[0] for k in grown.model.modulations if k[2] == mechanism.name}
    if not mine:
        return
    states = dict(reference_baseline(grown.model).states)
    states = {s: states.get(s, 0.0) for s in grown.model.states}
    with_it = grown.model.evaluate(states)
    without = grown.model.evaluate(states, {f"switch_{g}": 0.0 for g in gone})
    for process in sorted(mine):
        for values, what in ((with_it, "with"), (without, "without")):
            factor = float(values[f"f_{process}"])
            require(
                abs(factor - 1.0) <= 2e-3,
                f"'{mechanism.name}' moves the reference patient: f_{process} is {factor:.4g} {what} it, not 1",
            )
