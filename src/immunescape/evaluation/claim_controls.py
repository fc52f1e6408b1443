"""Controls of a claim that can come out either way: a mediator switched off, and a bystander switched off.

Switching off the drug that is given, or the mechanism whose parameter is changed or that owns what is looked at, says
nothing: the effect is gone because the change or the observation is. A mediator lies between the two; without it the
effect must shrink. A bystander lies on no short way between them; without it the effect must stay.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from immunescape.evaluation.dependency import Dependencies
from immunescape.knowledge.claim_records import Claim, Setting

__all__ = ["Controls", "changed_nodes", "changed_owners", "controls_of"]

_NEAR = 2
"""Steps by which a way through a mediator may be longer than the shortest."""
_FAR = 4
"""Steps by which every way through a bystander is longer than the shortest."""
_NEVER_OFF = frozenset({"body", "tumour_growth"})
"""Without them there is no patient or no tumour to look at."""


@dataclass(frozen=True)
class Controls:
    """Mechanisms that are switched off to learn how an effect comes about.

    Attributes
    ----------
    mediators : switched off together; empty where none lies between.
    bystander : switched off alone; empty where every mechanism lies near.
    named : the claim itself names the mediators; else the search through the dependency graph does.
    """

    mediators: tuple[str, ...] = ()
    bystander: str = ""
    named: bool = False


def changed_nodes(claim: Claim, graph: Dependencies) -> set[str]:
    """Parameters, switches and states from which the effect of a claim starts."""
    from immunescape.model.draft import switch_id
    from immunescape.trial.grammar import parse_regimen

    nodes: set[str] = set()
    for setting in (claim.change, claim.against):
        nodes |= set(setting.set) | {switch_id(m) for m in setting.off}
        nodes |= {f"C_{c}" for c in setting.clones}
        for text in setting.give:
            for drug in parse_regimen(text).drugs:
                nodes |= set(graph.drug_states(drug))
    return nodes


def changed_owners(settings: tuple[Setting, ...], graph: Dependencies) -> set[str]:
    """Mechanisms and drugs to which what is changed belongs."""
    from immunescape.trial.grammar import parse_regimen

    owners: set[str] = set()
    for setting in settings:
        owners |= {graph.owner(name) for name in setting.set} | set(setting.off)
        owners |= {graph.owner(f"fraction_{clone}") for clone in setting.clones}
        for text in setting.give:
            owners |= set(parse_regimen(text).drugs)
    return owners - {""}


def controls_of(claim: Claim, graph: Dependencies, target: str) -> Controls:
    """Choose the controls of a claim.

    The mediators are those mechanisms of the claim's own that neither own the change nor what is looked at; where none
    is left, the first (by name) on a shortest way. The bystander is chosen among the distant ones by a digest of the
    claim's id, so that nobody picks it.

    Parameters
    ----------
    claim, graph
        The claim and the model's dependencies.
    target
        State or quantity that is looked at.
    """
    from immunescape.model import registry

    if claim.expect == "none" or claim.with_value or claim.measure == "share":
        return Controls()
    ends = changed_owners((claim.change, claim.against), graph) | {graph.owner(target)}
    detours = graph.owners_by_detour(changed_nodes(claim, graph), target)
    between = [m for m in registry.mechanisms() if m not in ends and m not in _NEVER_OFF]
    named = tuple(m for m in claim.mechanism if m in between and detours.get(m, _FAR) <= _NEAR)
    on_the_way = tuple(sorted(m for m in between if detours.get(m) == 0))
    treated = changed_owners((claim.background, *((claim.modifies,) if claim.modifies else ())), graph)
    distant = sorted(m for m in between if detours.get(m, _FAR) >= _FAR and m not in treated)
    number = int(hashlib.sha256(claim.id.encode()).hexdigest(), 16)
    bystander = distant[number % len(distant)] if distant and detours else ""
    return Controls(named or on_the_way[:1], bystander, bool(named))
