"""How mechanisms act on each other without knowing each other: pools, modulated processes, traits and clones."""

from __future__ import annotations

from collections.abc import Mapping

from immunescape.errors import ModelError, unknown_word
from immunescape.model import registry
from immunescape.model.composition import Pathway, add_series, together
from immunescape.model.declarations import Drug, Modulation
from immunescape.model.draft import Draft, switch_id
from immunescape.model.expansion import copies
from immunescape.model.expressions import Apply, Expression, Name, Number, product, total
from immunescape.model.parameters import Parameter
from immunescape.model.records import ModelQuantity, QuantityKind
from immunescape.model.reference_strengths import Key, reference_id, strength_id
from immunescape.model.selection import label
from immunescape.model.specificity import DEFAULT, Specificity, in_series, is_sparse
from immunescape.model.suppression import add_activities
from immunescape.model.units import parse_unit

__all__ = ["add_clones", "add_pools", "add_processes"]


def _add(draft: Draft, name: str, expression: Expression, meaning: str, owner: str, kind: QuantityKind) -> None:
    access = draft.access.get(name)
    draft.claim(name, kind, owner)
    if access:
        draft.access[name] |= access
    draft.quantities[name] = ModelQuantity(
        name=name, expression=expression, unit="dimensionless", meaning=meaning, owner=owner, kind=kind
    )


def add_clones(draft: Draft) -> None:
    """Add ``fraction_<clone>`` (share of the cancer cells at the start) and ``<trait>_<clone>`` for every clone.

    A clone whose mechanism is switched off has fraction 0; exactly one clone takes the rest.
    """
    rest = [c for c, (clone, _) in draft.clones.items() if not clone.fraction]
    if draft.clones and len(rest) != 1:
        raise ModelError(
            f"exactly one clone must take the remaining cancer cells (fraction ''), not {len(rest)}: "
            f"{', '.join(rest) or 'none'}"
        )
    for name, (clone, owner) in draft.clones.items():
        share: Expression
        if clone.fraction:
            share = draft.expression(clone.fraction, owner, f"fraction of clone '{name}'")
            share = product([Name(switch_id(owner)), share])
        else:
            others = [Name(f"fraction_{other}") for other in draft.clones if other != name]
            share = Number(1.0)
            for other in others:
                share = Apply("-", (share, other))
        _add(draft, f"fraction_{name}", share, f"share of {name} cells at the start", owner, "fraction")
        draft.access[f"fraction_{name}"] = set()
        for named_trait in clone.traits:
            if named_trait not in draft.traits and named_trait not in _registered_traits():
                valid_traits = {*draft.traits, *_registered_traits()}
                raise unknown_word(
                    "trait", named_trait, valid_traits, where=f"clone '{name}' of '{owner}'", error=ModelError
                )
        for trait_name, (trait, trait_owner) in draft.traits.items():
            text, writer = clone.traits.get(trait_name, trait.default), trait_owner
            if trait_name in clone.traits:
                writer = owner
            value = draft.expression(text, writer, f"trait '{trait_name}' of clone '{name}'", name)
            _add(draft, f"{trait_name}_{name}", value, f"{trait.meaning} ({name})", writer, "trait")
            draft.access[f"{trait_name}_{name}"] = {trait_owner}


def add_pools(draft: Draft) -> None:
    """Add every pool as the sum of its contributions, each times the switch of whoever contributes."""
    terms: dict[str, list[Expression]] = {p: [] for p in draft.pools}
    for mechanism in draft.chosen:
        mine: dict[str, list[Expression]] = {}
        for contribution in mechanism.contributions:
            targets = copies(contribution.pool, list(draft.clones))
            for pool, clone in targets:
                if pool not in draft.pools:
                    _refuse_unknown("pool", contribution.pool, _registered_pools(), draft.pools, label(mechanism))
                    continue
                where = f"contribution to pool '{pool}'"
                mine.setdefault(pool, []).append(
                    draft.expression(contribution.expression, mechanism.name, where, clone)
                )
        for pool, expressions in mine.items():
            terms[pool].append(product([Name(switch_id(mechanism.name)), total(expressions)]))
    for name, (pool_, owner) in draft.pools.items():
        unit = parse_unit(pool_.unit, f"pool '{name}' of '{owner}'")
        draft.quantities[name] = ModelQuantity(
            name=name,
            expression=total(terms[name]),
            unit=pool_.unit,
            meaning=pool_.meaning,
            owner=owner,
            kind="pool",
            factor=unit.factor,
            dimension=unit.dimension,
        )


def add_processes(
    draft: Draft, strengths: Mapping[Key, float], specificity: Specificity = DEFAULT
) -> tuple[list[Key], list[Key]]:
    """Add the factor ``f_<process>`` of every shared process, its raw strengths and their reference parameters.

    Parameters
    ----------
    draft
        The model being assembled.
    strengths
        Stored reference strengths.
    specificity
        Whether strengths differ sparsely between patients, and how pathways are combined.

    Returns
    -------
    keys : (process, pathway, mechanism) of every modulation in the model.
    missing : those, drugs aside, without a stored reference strength; they are taken as 0.
    """
    keys: list[Key] = []
    missing: list[Key] = []
    acting: dict[str, dict[str, tuple[str, list[Key]]]] = {p: {} for p in draft.processes}
    activities: dict[Key, list[Expression]] = {}
    relative: dict[Key, list[Expression]] = {}
    if is_sparse(specificity):
        every = [(m.process, m.pathway, module.name) for module in draft.chosen for m in module.modulations]
        activities, relative = add_activities(draft, dict.fromkeys(k for k in every if k[0] in draft.processes))
    if in_series(specificity) and draft.processes:
        add_series(draft, next(iter(draft.processes.values()))[1])
    for mechanism in draft.chosen:
        mine: dict[Key, list[Modulation]] = {}
        for modulation in mechanism.modulations:
            if modulation.process not in draft.processes:
                _refuse_unknown(
                    "process", modulation.process, _registered_processes(), draft.processes, label(mechanism)
                )
                continue
            mine.setdefault((modulation.process, modulation.pathway, mechanism.name), []).append(modulation)
        for key, modulations in mine.items():
            effect, members = acting[key[0]].setdefault(key[1], (modulations[0].effect, []))
            for modulation in modulations:
                if effect != modulation.effect:
                    raise ModelError(
                        f"pathway '{key[1]}' both inhibits and promotes '{key[0]}'",
                        where=label(mechanism),
                        hint="Assign the two effects to different pathways.",
                    )
            members.append(key)
            keys.append(key)
            if key not in strengths and not isinstance(mechanism, Drug):
                missing.append(key)
            _strength(draft, key, modulations, strengths.get(key, 0.0), activities.get(key, []))
    for process, pathways in acting.items():
        meaning, owner = draft.processes[process]
        tree = together([_pathway(effect, members, relative) for effect, members in pathways.values()], specificity)
        _add(draft, f"f_{process}", tree, f"factor of: {meaning}", owner, "factor")
    return keys, missing


def _strength(
    draft: Draft, key: Key, modulations: list[Modulation], reference: float, activities: list[Expression]
) -> None:
    process, pathway, owner = key
    where = f"strength of '{pathway}' on '{process}'"
    tree = total([draft.expression(m.strength, owner, where) for m in modulations])
    tree = product([*activities, tree])
    _add(draft, strength_id(key), tree, f"strength of {pathway} on {process}, by {owner}", owner, "strength")
    draft.claim(reference_id(key), "reference strength", owner)
    draft.parameters[reference_id(key)] = Parameter(
        reference_id(key),
        reference,
        "dimensionless",
        owner=owner,
        note=f"strength of {pathway} on {process} in the untreated reference patient at diagnosis",
    )


def _pathway(effect: str, members: list[Key], relative: Mapping[Key, list[Expression]]) -> Pathway:
    """Return 1 + X in the reference patient and now, summed over the mechanisms of a pathway."""
    now = [product([Name(switch_id(k[2])), Name(strength_id(k))]) for k in members]
    reference = [product([Name(switch_id(k[2])), *relative.get(k, []), Name(reference_id(k))]) for k in members]
    return effect, total([Number(1.0), *reference]), total([Number(1.0), *now])


def _refuse_unknown(kind: str, name: str, registered: set[str], here: Mapping[str, object], where: str) -> None:
    """Refuse a pool or process that nobody declares; one of a mechanism that is left out is simply not acted on."""
    if name not in registered:
        raise unknown_word(kind, name, {*registered, *here}, where=where, error=ModelError)


def _registered_pools() -> set[str]:
    return {p.name for m in (*registry.mechanisms().values(), *registry.drugs().values()) for p in m.pools}


def _registered_processes() -> set[str]:
    return {p for m in registry.mechanisms().values() for p in m.processes}


def _registered_traits() -> set[str]:
    return {t.name for m in registry.mechanisms().values() for t in m.traits}
