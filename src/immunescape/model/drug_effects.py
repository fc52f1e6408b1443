"""Which parameters in the tables of mechanisms size the effect of a drug.

A drug often acts on a pool or concentration that a mechanism reads, and the mechanism holds what it does: of a PARP
inhibitor, the cytosolic DNA and the killing that inhibition of repair causes. Such parameters multiply a signal that is
zero without the drug.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from immunescape.model.expressions import Apply, Expression, Name, Number, evaluate, names

if TYPE_CHECKING:
    from immunescape.model.assembly import Model
    from immunescape.model.declarations import Mechanism

__all__ = ["citation_keys_of", "effect_parameters"]


def effect_parameters(model: Model, drug: str) -> tuple[str, ...]:
    """Return the parameters of other tables than a drug's own that multiply what it alone, or its class, causes.

    Parameters
    ----------
    model
        A model that contains the drug.
    drug
        Its name.

    Returns
    -------
    tuple of str
        Names, in the order of the model.
    """
    declared, drugs = {*_of_drug(model, drug)}, {d.name for d in model.drugs}
    without = _zero_without_drugs(model)
    signals = {name for name in without if name in declared or declared & {*_reach(model, name, without)}}
    multipliers: set[str] = set()
    for tree in (*(q.expression for q in model.quantities.values()), *(r.rate for r in model.reactions.values())):
        if signals & {*names(tree)}:
            multipliers.update(_multiplying(tree, signals, model))
    return tuple(
        name
        for name, p in model.parameters.items()
        if name in multipliers and p.grade != "defined" and p.owner not in drugs
    )


def citation_keys_of(model: Model, module: Mechanism) -> list[str]:
    """Keys that a mechanism or drug of a model cites, its parameters and those of a drug's effect included, sorted."""
    parameters = [p for p in model.parameters.values() if p.owner == module.name]
    if any(module.name == drug.name for drug in model.drugs):
        parameters += [model.parameters[name] for name in effect_parameters(model, module.name)]
    return sorted({*module.references, *(key for p in parameters for key in p.sources)})


def _of_drug(model: Model, drug: str) -> Iterator[str]:
    """States and quantities that a drug declares."""
    yield from (name for name, state in model.states.items() if state.owner == drug)
    yield from (name for name, quantity in model.quantities.items() if quantity.owner == drug)


def _zero_without_drugs(model: Model) -> set[str]:
    """States and quantities of the drugs, and those that are zero wherever these are, in the order of evaluation."""
    zero = {name for d in model.drugs for name in _of_drug(model, d.name)}

    def value(name: str) -> float:
        # a trait that the reference patient lacks, such as a driver, is no drug
        return 0.0 if name in zero else model.parameters[name].base or 1.0

    growing = True
    while growing:
        growing = False
        for name, quantity in model.quantities.items():
            resolved = all(used in zero or used in model.parameters for used in names(quantity.expression))
            if name not in zero and resolved and not evaluate(quantity.expression, value):
                zero.add(name)
                growing = True
    return zero


def _reach(model: Model, name: str, within: set[str]) -> Iterator[str]:
    """What a quantity is made of, and what that is made of, among some names."""
    waiting, seen = [name], {name}
    while waiting:
        quantity = model.quantities.get(waiting.pop())
        for used in () if quantity is None else names(quantity.expression):
            if used in within and used not in seen:
                seen.add(used)
                waiting.append(used)
                yield used


def _multiplying(tree: Expression, signals: set[str], model: Model) -> Iterator[str]:
    """Parameters in products, or quotients, of which a signal is itself a factor."""
    if not isinstance(tree, Apply):
        return
    factors = list(_factors(tree))
    if len(factors) > 1 and any(isinstance(f, Name) and f.id in signals for f in factors):
        for factor in factors:
            used = names(factor)
            if all(name in model.parameters for name in used):
                yield from used
    for argument in factors if len(factors) > 1 else tree.args:
        yield from _multiplying(argument, signals, model)


def _factors(tree: Expression) -> Iterator[Expression]:
    """Factors and divisors of a product, those of products within it as well."""
    if isinstance(tree, Apply) and tree.op in ("*", "/"):
        for argument in tree.args:
            yield from _factors(argument)
    elif not isinstance(tree, Number):
        yield tree
