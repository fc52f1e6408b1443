"""The review's claims, simulated: predicted effect, interval, holds or not.

Each claim is run three times over the same virtual patients: as stated; with the mechanism that carries it switched
off, where the effect must vanish; and reversed, where it must fail. A claim is `wired` where one reaction or
modulation lies between what is changed and what is looked at, found by search in the model's dependency graph, else
`emergent`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import ImmunescapeError, InputError, unknown_word
from immunescape.evaluation.dependency import Dependencies
from immunescape.evaluation.effects import Effect, correlation, holds, paired
from immunescape.evaluation.scenarios import Library, Scenario, Simulated, scenario, simulate
from immunescape.knowledge.claim_records import Claim, Setting, claim_chapters, load_claims

if TYPE_CHECKING:
    from immunescape.model.assembly import Model
    from immunescape.population.population import Population

__all__ = ["Checked", "ClaimsResult", "Plan", "check_names", "plan", "run_claims", "select_claims"]

FloatArray = NDArray[np.float64]
DIAMETER = "diameter_T"
EVENTS = ("response", "best_response", "progression", "ever_progressed", "relapse")
VANISHED = 0.1
"""An effect has vanished if it is smaller than this share of the effect with the mechanism on, or than `_TINY`."""
_TINY = 0.005
_STEP = 7.0
ASSOCIATION = 4
"""Patients of a claim about a correlation across patients, for each patient of the others, which are paired."""


@dataclass(frozen=True)
class Plan:
    """Scenarios of one claim.

    `sides` are changed and other; where the claim modifies an effect, each with and without its treatment.
    """

    claim: Claim
    sides: tuple[Scenario, ...]
    off: tuple[Scenario, ...]
    reversed: tuple[Scenario, ...]
    reverses: str
    names: tuple[str, ...]
    days: tuple[float, ...]


@dataclass
class Checked:
    """A claim and what became of it.

    Attributes
    ----------
    effect : as stated. off : with its mechanism switched off. reversed : with the change reversed (None: sides
    swapped). holds, vanishes, reversed_fails : the three verdicts; None where they do not apply.
    absent : what is looked at belongs to the mechanism itself and is not there without it, so that its effect vanishes.
    steps : reactions and modulations between what is changed and what is looked at; None where there is no way.
    untestable : why it could not be simulated.
    """

    claim: Claim
    effect: Effect | None = None
    off: Effect | None = None
    reversed: Effect | None = None
    holds: bool | None = None
    vanishes: bool | None = None
    reversed_fails: bool | None = None
    reverses: str = ""
    steps: int | None = None
    absent: bool = False
    untestable: str = ""

    @property
    def path(self) -> str:
        """``wired`` (at most one reaction or modulation), ``emergent``, or nothing where it was not simulated."""
        if self.claim.kind == "context" or self.untestable:
            return ""
        return "wired" if self.steps is not None and self.steps <= 1 else "emergent"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        c, e = self.claim, self.effect
        row: dict[str, Any] = {
            "id": c.id,
            "reference": list(c.refs),
            "kind": c.kind,
            "holds": self.holds,
            "effect": None if e is None else _number(e.value),
            "ci": None if e is None else [_number(e.low), _number(e.high)],
            "measure": None if e is None else e.measure,
            "patients": None if e is None else e.n,
            "expect": c.expect,
            "size": [c.low, c.high],
            "chapter": c.chapter,
            "at": list(c.at),
            "text": c.text,
            "observe": c.observe,
            "day": c.day,
            "path": self.path or None,
            "steps": self.steps,
            "off": None if self.off is None else _number(self.off.value),
            "vanishes_when_off": self.vanishes,
            "absent_when_off": self.absent,
            "reversed": None if self.reversed is None else _number(self.reversed.value),
            "reversed_by": self.reverses or None,
            "reversed_fails": self.reversed_fails,
        }
        if self.untestable:
            row["not_testable"] = self.untestable
        if c.kind == "context":
            row["not_testable"] = c.reason
        for name in ("correction", "note"):
            if getattr(c, name):
                row[name] = getattr(c, name)
        if c.sources:
            row["sources"] = list(c.sources)
        return row


def _number(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None


@dataclass
class ClaimsResult:
    """All claims that were asked for, in order, with counts.

    Attributes
    ----------
    claims : one each. patients, seed : what they were simulated over. seconds : time that it took.
    """

    claims: list[Checked]
    patients: int
    seed: int
    seconds: float = 0.0
    model: dict[str, int] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """Claims by fate."""
        tested = [c for c in self.claims if c.holds is not None]
        return {
            "statements": len(self.claims),
            "context": sum(c.claim.kind == "context" for c in self.claims),
            "not_testable": sum(bool(c.untestable) for c in self.claims),
            "tested": len(tested),
            "hold": sum(bool(c.holds) for c in tested),
            "wired": sum(c.path == "wired" for c in tested),
            "wired_hold": sum(c.path == "wired" and bool(c.holds) for c in tested),
            "emergent": sum(c.path == "emergent" for c in tested),
            "emergent_hold": sum(c.path == "emergent" and bool(c.holds) for c in tested),
            "vanish_checked": sum(c.vanishes is not None for c in tested),
            "vanish": sum(bool(c.vanishes) for c in tested),
            "reversed_checked": sum(c.reversed_fails is not None for c in tested),
            "reversed_fail": sum(bool(c.reversed_fails) for c in tested),
        }

    def to_json(self) -> dict[str, Any]:
        """Content of the JSON that the command line prints."""
        return {
            "claims": [c.to_json() for c in self.claims],
            "counts": self.counts(),
            "patients": self.patients,
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "model": self.model,
        }


def select_claims(only: str | Sequence[str] = ()) -> list[Claim]:
    """Return the claims of some ids or chapters (or parts of their names); all where none is named.

    Raises
    ------
    InputError
        For a word that is neither, with the nearest.
    """
    every = list(load_claims())
    words = [only] if isinstance(only, str) else list(only)
    words = [w for w in words if w]
    if not words:
        return every
    chosen: list[Claim] = []
    for word in words:
        hits = [c for c in every if c.id == word or word.casefold() in c.chapter.casefold()]
        if not hits:
            raise unknown_word("claim or chapter", word, [*(c.id for c in every), *claim_chapters()])
        chosen += [c for c in hits if c not in chosen]
    return chosen


def observed(text: str) -> tuple[str, str]:
    """Split what is observed into how and which: ``change:CD8_density_T`` -> (``change``, ``CD8_density_T``)."""
    how, _, name = text.rpartition(":")
    if text in EVENTS:
        return text, DIAMETER
    if how not in ("", "change", "best", "covariate"):
        raise unknown_word("way to observe", how, ["change", "best", "covariate", *EVENTS])
    return how, name


def plan(claim: Claim) -> Plan:
    """Write out the scenarios of a claim."""
    background, treat = claim.background, claim.treat_from

    def sides(change: Setting, against: Setting) -> tuple[Scenario, ...]:
        if claim.modifies is None:
            pair = [[background, change], [background, against]]
        else:
            pair = [
                [background, change, claim.modifies],
                [background, change],
                [background, against, claim.modifies],
                [background, against],
            ]
        if claim.with_value or claim.measure == "share":
            pair = pair[:1]
        return tuple(scenario(p, treat) for p in pair)

    stated = sides(claim.change, claim.against)
    off: tuple[Scenario, ...] = ()
    if claim.expect != "none" and len(stated) > 1:
        off = tuple(s.without(claim.mechanism) for s in stated)
    turned = [n for n in claim.change.set if claim.change.factor(n)]
    only_factors = (
        len(turned) == len(claim.change.set)
        and turned
        and not (claim.change.clones or claim.change.give or claim.change.off)
    )
    if only_factors and claim.against.empty and claim.expect != "none" and len(stated) > 1:
        half = len(stated) // 2
        back = tuple(s.inverse_factors(turned) if k < half else s for k, s in enumerate(stated))
        reverses = "inverse factors"
    else:
        back, reverses = (), "sides swapped" if claim.expect != "none" else ""
    names, days = [], [claim.day]
    for text, day in ((claim.observe, claim.day), (claim.with_value, claim.with_day)):
        if not text:
            continue
        how, name = observed(text)
        if how == "covariate":
            continue
        names.append(name)
        days.append(day)
        if how in ("change", "best", *EVENTS):
            days.append(treat)
        if how in ("best", "best_response", "ever_progressed", "relapse"):
            days += list(np.arange(treat, day, max(_STEP, _STEP * round((day - treat) / 52 / _STEP))))
    return Plan(claim, stated, off, back, reverses, tuple(dict.fromkeys(names)), tuple(dict.fromkeys(days)))


def check_names(claim: Claim, model: Model) -> None:
    """Refuse a claim that names something that is not there: parameter, clone, mechanism, drug, quantity.

    Raises
    ------
    InputError
        With the nearest name.
    """
    from immunescape.model import registry
    from immunescape.trial.regimen import parse_regimen

    settings = [claim.background, claim.change, claim.against, *([claim.modifies] if claim.modifies else [])]
    drugs = registry.drugs()
    known = {*registry.mechanisms(), *drugs}
    for setting in settings:
        for name in setting.set:
            if name not in model.parameters:
                raise unknown_word("parameter", name, model.parameters)
        for name in setting.off:
            if name not in known:
                raise unknown_word("mechanism", name, known)
        for name in setting.clones:
            if name not in {c.name for c in model.clones}:
                raise unknown_word("clone", name, [c.name for c in model.clones])
        for text in setting.give:
            parse_regimen(text)
    for name in claim.mechanism:
        if name not in known:
            raise unknown_word("mechanism", name, known)
    for text in (claim.observe, claim.with_value):
        if not text:
            continue
        how, name = observed(text)
        if how == "covariate":
            from immunescape.population.covariates import COLUMNS

            if name not in COLUMNS:
                raise unknown_word("covariate", name, COLUMNS)
        else:
            try:
                model.unit(name)
            except ImmunescapeError:
                raise unknown_word("quantity", name, [*model.quantities, *model.states]) from None


def _value(text: str, day: float, treat: float, one: Scenario, found: Simulated, population: Population) -> FloatArray:
    how, name = observed(text)
    if how == "covariate":
        return population.table[name].to_numpy(dtype=float)
    now = found.at(one, name, day)
    if how == "":
        return now
    start = found.at(one, name, treat)
    with np.errstate(all="ignore"):
        if how == "change":
            return now / start
        if how == "best":
            return np.nanmin(found.between(one, name, treat, day), axis=1) / start
        return _event(how, now, start, found.between(one, name, treat, day))


def _event(how: str, now: FloatArray, start: FloatArray, course: FloatArray) -> FloatArray:
    """Whether each patient has an event of the diameter: 1, 0, or NaN where it cannot be said."""
    best = np.minimum.accumulate(course, axis=1)
    grown = (course >= 1.2 * best).any(axis=1)
    met = {
        "response": now <= 0.7 * start,
        "best_response": best[:, -1] <= 0.7 * start,
        "progression": now >= 1.2 * start,
        "ever_progressed": grown,
        "relapse": grown,
    }[how]
    known = np.isfinite(now)
    if how == "relapse":
        known &= best[:, -1] <= 0.7 * start
    return np.where(known, met.astype(float), np.nan)


def _effect(claim: Claim, sides: Sequence[Scenario], found: Simulated, population: Population, seed: int) -> Effect:
    def value(one: Scenario) -> FloatArray:
        return _value(claim.observe, claim.day, claim.treat_from, one, found, population)

    if claim.with_value:
        other = _value(claim.with_value, claim.with_day, claim.treat_from, sides[0], found, population)
        return correlation(value(sides[0]), other, seed)
    how, _ = observed(claim.observe)
    measure = "difference" if how in EVENTS else claim.measure
    if claim.measure == "share":
        return paired(value(sides[0]), np.zeros(len(population)), "difference", seed)
    if claim.modifies is None:
        return paired(value(sides[0]), value(sides[1]), measure, seed)
    a, b, c, d = (value(s) for s in sides)
    if measure == "difference":
        return paired(a - b, c - d, measure, seed)
    with np.errstate(all="ignore"):
        return paired(a / b, c / d, measure, seed)


def run_claims(
    claims: Sequence[Claim] | None = None,
    *,
    patients: int = 100,
    seed: int = 1,
    engine: str = "auto",
    model: Model | None = None,
    population: Population | None = None,
    progress: Callable[[int, int], None] | None = None,
    cluster: Any = None,
) -> ClaimsResult:
    """Simulate claims.

    Parameters
    ----------
    claims
        Those that are wanted; None takes all that ship.
    patients
        Virtual patients of each scenario; the same in all of them. Associations across patients, which are not
        paired, take `ASSOCIATION` times as many.
    seed
        Of the patients and the bootstrap.
    engine
        Name of the engine.
    model
        Only for the names and the dependency graph: all mechanisms and drugs where None.
    population
        Patients at diagnosis in place of those that `patients` and `seed` give.
    progress
        Called with (simulated patients done, in all).
    cluster
        A ``distributed.Client`` or the address of a dask scheduler, whose workers simulate; same results.

    Returns
    -------
    ClaimsResult
        In the order of the claims. What cannot be simulated is there too, with the reason.
    """
    import time

    from immunescape.evaluation.summary import full_model, model_counts

    begin = time.perf_counter()
    chosen = list(load_claims() if claims is None else claims)
    if patients < 2:
        raise InputError(f"{patients} patients give no interval", hint="Take at least 2; 100 or more to report.")
    whole = model or full_model()
    graph = Dependencies(whole)
    checked = [Checked(c) for c in chosen]
    plans: dict[str, Plan] = {}
    for row in checked:
        if row.claim.kind == "context":
            continue
        try:
            check_names(row.claim, whole)
            plans[row.claim.id] = plan(row.claim)
        except ImmunescapeError as error:
            row.untestable = f"not testable: {str(error).replace(chr(10), ' ')}"
            continue
        row.steps = _steps(row.claim, graph)
        row.absent = _owner(row.claim, whole) in row.claim.mechanism
    if plans:
        across = {k: p for k, p in plans.items() if p.claim.with_value}
        within = {k: p for k, p in plans.items() if k not in across}
        library: Library = {}
        for group, size in ((within, patients), (across, ASSOCIATION * patients)):
            if not group:
                continue
            people = population or _patients(size, seed, engine, cluster)
            found = _simulate(group, people, engine, progress, library, cluster)
            for number, row in enumerate(checked):
                if row.claim.id in group:
                    _judge(row, group[row.claim.id], found, people, seed + number)
    return ClaimsResult(checked, patients, seed, time.perf_counter() - begin, model_counts(whole))


def _patients(patients: int, seed: int, engine: str, cluster: Any) -> Population:
    from immunescape.evaluation.scenarios import quick_engine
    from immunescape.model.assembly import Model
    from immunescape.population.population import Population

    model = Model.build(check_units=False)
    size = min(256, max(16, patients))  # candidates that are grown and not needed cost time
    grows = quick_engine(engine, None if cluster is None else 1)
    return Population.generate(model, patients, seed=seed, engine=grows, block_size=size, cluster=cluster)


def _simulate(
    plans: Mapping[str, Plan],
    people: Population,
    engine: str,
    progress: Callable[[int, int], None] | None,
    library: Library,
    cluster: Any,
) -> Simulated:
    last: dict[Scenario, float] = {}
    outputs: dict[Scenario, set[str]] = {}
    days: set[float] = set()
    for one in plans.values():
        days.update(one.days)
        for side in {*one.sides, *one.off, *one.reversed}:
            last[side] = max(last.get(side, 0.0), *one.days)
            outputs.setdefault(side, set()).update(one.names)
    return simulate(people, last, outputs, days, engine=engine, progress=progress, library=library, cluster=cluster)


def _judge(row: Checked, one: Plan, found: Simulated, people: Population, seed: int) -> None:
    claim = row.claim
    assert claim.expect is not None
    row.reverses = one.reverses
    row.effect = _effect(claim, one.sides, found, people, seed)
    row.holds = holds(row.effect, claim.expect, claim.low, claim.high, claim.least)
    if one.off and row.absent:
        row.vanishes = True
    elif one.off:
        row.off = _effect(claim, one.off, found, people, seed)
        row.vanishes = bool(row.off.size <= max(VANISHED * row.effect.size, _TINY))
    if claim.expect == "none" or claim.measure == "share":
        return
    opposite = "decrease" if claim.expect == "increase" else "increase"
    row.reversed_fails = not holds(row.effect, opposite, None, None, 0.0) or not row.holds
    if one.reversed:
        row.reversed = _effect(claim, one.reversed, found, people, seed)
        row.reversed_fails = row.reversed_fails and not holds(
            row.reversed, claim.expect, claim.low, claim.high, claim.least
        )


def _owner(claim: Claim, model: Model) -> str:
    """Mechanism or drug that brings what is looked at."""
    _, name = observed(claim.observe)
    for table in (model.quantities, model.states):
        if name in table:
            return str(table[name].owner)
    return ""


def _steps(claim: Claim, graph: Dependencies) -> int | None:
    """Reactions and modulations between what is changed and what is looked at."""
    from immunescape.model.draft import switch_id
    from immunescape.trial.regimen import parse_regimen

    sources: set[str] = set()
    for setting in (claim.change, claim.against):
        sources |= set(setting.set) | {switch_id(m) for m in setting.off}
        sources |= {f"C_{c}" for c in setting.clones}
        for text in setting.give:
            for drug in parse_regimen(text).drugs:
                sources |= set(graph.drug_states(drug))
    how, target = observed(claim.observe)
    if how == "covariate":
        return None
    if claim.with_value:
        other, name = observed(claim.with_value)
        if other == "covariate":
            return None
        sources = {name}
    return graph.steps(sources, target)
