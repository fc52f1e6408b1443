"""Statements that must not hold, asked of the wrong models that would make them true."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from immunescape.errors import unknown_word
from immunescape.evaluation.scenarios import Scenario, scenario
from immunescape.knowledge.claim_records import Setting
from immunescape.knowledge.counter_models import CounterModel
from immunescape.population.rewiring import Rewiring, modulation_keys

if TYPE_CHECKING:
    from immunescape.evaluation.claims import ClaimScenarios
    from immunescape.model.assembly import Model

__all__ = ["check_counter_model", "counter_plan", "rewirings_of"]


def rewirings_of(counter: CounterModel, model: Model) -> tuple[Rewiring, ...]:
    """Return what a counter-model changes in the wiring of the full model; nothing for the other kinds.

    Raises
    ------
    InputError
        For a modulation that does not exist, with the nearest.
    """
    if counter.wire is not None:
        wire = counter.wire
        return (Rewiring("wire", wire.process, wire.source, wire.effect, wire.strength),)
    if counter.clone_like:
        return tuple(Rewiring("clone_like", clone, other) for clone, other in counter.clone_like.items())
    if counter.as_strong_as:
        for other in counter.as_strong_as.values():
            modulation_keys(other, model.modulations)
        return tuple(
            Rewiring("as_strong_as", "/".join(key), other)
            for text, other in counter.as_strong_as.items()
            for key in modulation_keys(text, model.modulations)
        )
    turned = [name for name in counter.reverse if name not in model.parameters]
    keys = [key for name in turned for key in modulation_keys(name, model.modulations)]
    return tuple(Rewiring("reverse", "/".join(key)) for key in keys)


def check_counter_model(counter: CounterModel, model: Model) -> None:
    """Refuse a counter-model that names something that the full model does not have.

    Raises
    ------
    InputError
        With the nearest name.
    """
    from immunescape.model import registry
    from immunescape.population.covariates import COLUMNS
    from immunescape.trial.grammar import parse_regimen

    where = f"counter-model of '{counter.statement}'"
    clones = {c.name for c in model.clones}
    values = {*model.parameters, *model.states, *model.quantities}

    def check(kind: str, names: Iterable[str], valid: Iterable[str]) -> None:
        every = list(valid)
        for name in names:
            if name not in every:
                raise unknown_word(kind, name, every, where=where)

    check("mechanism", counter.off, registry.mechanisms())
    check("parameter", counter.set, model.parameters)
    check("clone", (*counter.clone_like, *counter.clone_like.values()), clones)
    check("drug", counter.also_give, registry.drugs())
    for text in counter.also_give.values():
        parse_regimen(text)
    if counter.wire is not None:
        check("process", [f"f_{counter.wire.process}"], model.quantities)
        check("quantity", [counter.wire.source], values)
    if counter.link is not None:
        kind, _, name = counter.link.source.rpartition(":")
        check("covariate" if kind else "parameter", [name], COLUMNS if kind else model.parameters)
        check("parameter", [counter.link.parameter], model.parameters)
    rewirings_of(counter, model)


def counter_plan(counter: CounterModel, stated: ClaimScenarios, model: Model) -> ClaimScenarios:
    """Return the same comparison in the wrong model: each of its sides is changed alike."""
    return replace(stated, sides=tuple(_wrong(counter, side, model) for side in stated.sides))


def _wrong(counter: CounterModel, side: Scenario, model: Model) -> Scenario:
    from immunescape.model import registry
    from immunescape.trial.grammar import parse_regimen

    wrong = side.without(counter.off)
    given = {d for text in side.regimens for d in parse_regimen(text).drugs}
    # the parameters of a drug that is not given act on nothing, and its model need not be there
    absent = {n for n, p in model.parameters.items() if p.owner in registry.drugs() and p.owner not in given}
    if changes := {n: v for n, v in counter.set.items() if n not in absent}:
        change = scenario([Setting(set=changes)])
        fixed = {name for name, _ in change.values}
        values = tuple(sorted({**dict(wrong.values), **dict(change.values)}.items()))
        factors = {name: f for name, f in wrong.factors if name not in fixed}
        for name, factor in change.factors:
            factors[name] = factors.get(name, 1.0) * factor
        wrong = replace(wrong, values=values, factors=tuple(sorted(factors.items())))
    turned = [name for name in counter.reverse if name in model.parameters and name not in absent]
    if turned:
        signs = {**dict(wrong.factors), **{n: -dict(wrong.factors).get(n, 1.0) for n in turned}}
        wrong = replace(wrong, factors=tuple(sorted(signs.items())))
    if counter.also_give:
        more = tuple(text for drug, text in counter.also_give.items() if drug in given)
        wrong = replace(wrong, regimens=(*wrong.regimens, *more))
    if counter.link is not None:
        link = counter.link
        wrong = replace(wrong, links=(*wrong.links, (link.source, link.parameter, link.weight)))
    gates = tuple((change.gate, 1.0) for change in rewirings_of(counter, model))
    return replace(wrong, values=tuple(sorted((*wrong.values, *gates)))) if gates else wrong
