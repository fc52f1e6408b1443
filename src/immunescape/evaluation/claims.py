"""The review's claims, simulated: predicted effect, interval, holds or not.

Each claim is run over the same virtual patients as stated; with a mechanism between cause and effect switched off,
where the effect must shrink; with a distant one off, where it must stay; and, where factors are changed, with their
inverses, where it must fail. A claim is `emergent` where three or more reactions or modulations lie between what is
changed and what is looked at, found by search in the model's dependency graph, else `wired`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import ImmunescapeError, InputError, unknown_word
from immunescape.evaluation.claim_controls import Controls, changed_nodes, controls_of
from immunescape.evaluation.claim_results import Checked, ClaimsResult
from immunescape.evaluation.dependency import Dependencies
from immunescape.evaluation.effects import Effect, correlation, holds, paired
from immunescape.evaluation.scenarios import Library, Scenario, Simulated, scenario, simulate
from immunescape.knowledge.claim_records import Claim, Setting, claim_chapters, load_claims
from immunescape.trial.pathology import COMPLETE, MAJOR, viable_share

if TYPE_CHECKING:
    from immunescape.model.assembly import Model
    from immunescape.population.population import Population
    from immunescape.population.rewiring import Rewiring

__all__ = [
    "ClaimScenarios",
    "check_names",
    "check_patients",
    "effect_of",
    "groups_by_size",
    "not_testable",
    "observed",
    "plan",
    "run_claims",
    "select_claims",
    "simulate_plans",
    "virtual_patients",
]

Key = TypeVar("Key", bound=Hashable)
FloatArray = NDArray[np.float64]
DIAMETER = "diameter_T"
EVENTS = ("response", "best_response", "progression", "ever_progressed", "relapse")
VIABLE = "C_total"
PATHOLOGY = {"major_pathological_response": MAJOR, "complete_pathological_response": COMPLETE}
"""Event of a resection -> largest viable share of the tumour bed."""
VANISHED = 0.1
"""An effect has vanished if it is smaller than this share of the effect with the mechanism on, or than `_TINY`."""
SHRUNK = 0.9
"""An effect has shrunk if it is smaller than this share of the effect with the mediators on."""
UNMOVED = 0.1
"""An effect has stayed if it has changed by at most this share of itself, or by `_TINY`."""
_TINY = 0.005
_STEP = 7.0
ASSOCIATION = 4
"""Patients of a claim about a correlation across patients, for each patient of the others, which are paired."""


@dataclass(frozen=True, kw_only=True)
class ClaimScenarios:
    """Scenarios of one claim.

    `sides` are changed and other; where the claim modifies an effect, each with and without its treatment. `off` and
    `beside` are the same with the mediators and the bystander switched off, `reversed` with inverse factors; each is
    empty where the control does not apply.
    """

    claim: Claim
    controls: Controls
    sides: tuple[Scenario, ...]
    off: tuple[Scenario, ...]
    beside: tuple[Scenario, ...]
    reversed: tuple[Scenario, ...]
    names: tuple[str, ...]
    days: tuple[float, ...]


def select_claims(only: str | Sequence[str] = ()) -> list[Claim]:
    """Return the claims of some ids or chapters (or parts of their names); all where none is named.

    Raises
    ------
    InputError
        For a word that is neither, with the nearest.
    """
    every = list(load_claims())
    words = [only] if isinstance(only, str) else list(only)
    if any(not w.strip() for w in words):
        raise InputError("an empty string selects no claim", hint="Give an id or part of the name of a chapter.")
    if not words:
        return every
    chosen: list[Claim] = []
    for key in words:
        hits = [c for c in every if c.id == key or key.casefold() in c.chapter.casefold()]
        if not hits:
            raise unknown_word("claim or chapter", key, [*(c.id for c in every), *claim_chapters()])
        chosen += [c for c in hits if c not in chosen]
    return chosen


def observed(text: str) -> tuple[str, str]:
    """Split what is observed into how and which: ``change:CD8_density_T`` -> (``change``, ``CD8_density_T``)."""
    how, _, name = text.rpartition(":")
    if text in EVENTS:
        return text, DIAMETER
    if text in PATHOLOGY:
        return text, VIABLE
    if how not in ("", "change", "best", "covariate"):
        raise unknown_word("way to observe", how, ["change", "best", "covariate", *EVENTS, *PATHOLOGY])
    return how, name


def plan(claim: Claim, controls: Controls | None = None) -> ClaimScenarios:
    """Write out the scenarios of a claim and of its controls."""
    controls = controls or Controls()
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
    off = tuple(s.without(controls.mediators) for s in stated) if controls.mediators else ()
    beside = tuple(s.without([controls.bystander]) for s in stated) if controls.bystander else ()
    turned = [n for n in claim.change.set if claim.change.factor(n)]
    only_factors = (
        len(turned) == len(claim.change.set)
        and turned
        and not (claim.change.clones or claim.change.give or claim.change.off)
    )
    if only_factors and claim.against.empty and claim.expect != "none" and len(stated) > 1:
        half = len(stated) // 2
        back = tuple(s.inverse_factors(turned) if k < half else s for k, s in enumerate(stated))
    else:
        back = ()
    names, days = [], [claim.day]
    for text, day in ((claim.observe, claim.day), (claim.with_value, claim.with_day)):
        if not text:
            continue
        how, name = observed(text)
        if how == "covariate":
            continue
        names.append(name)
        days.append(day)
        if how in ("change", "best", *EVENTS, *PATHOLOGY):
            days.append(treat)
        if how in ("best", "best_response", "ever_progressed", "relapse", *PATHOLOGY):
            days += list(np.arange(treat, day, max(_STEP, _STEP * round((day - treat) / 52 / _STEP))))
    if claim.among:
        names.append(DIAMETER)
        days += [claim.among_day, treat]
    return ClaimScenarios(
        claim=claim,
        controls=controls,
        sides=stated,
        off=off,
        beside=beside,
        reversed=back,
        names=tuple(dict.fromkeys(names)),
        days=tuple(dict.fromkeys(days)),
    )


def check_names(claim: Claim, model: Model) -> None:
    """Refuse a claim that names something that is not there: parameter, clone, mechanism, drug, quantity.

    Raises
    ------
    InputError
        With the nearest name.
    """
    from immunescape.model import registry
    from immunescape.trial.grammar import parse_regimen

    settings = [claim.background, claim.change, claim.against, *([claim.modifies] if claim.modifies else [])]
    drugs = registry.drugs()
    registered = {*registry.mechanisms(), *drugs}
    for setting in settings:
        for name in setting.set:
            if name not in model.parameters:
                raise unknown_word("parameter", name, model.parameters)
        for name in setting.off:
            if name not in registered:
                raise unknown_word("mechanism", name, registered)
        for name in setting.clones:
            if name not in {c.name for c in model.clones}:
                raise unknown_word("clone", name, [c.name for c in model.clones])
        for text in setting.give:
            parse_regimen(text)
    for name in claim.mechanism:
        if name not in registered:
            raise unknown_word("mechanism", name, registered)
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


def _value(
    text: str, day: float, treat: float, case: Scenario, simulated: Simulated, population: Population
) -> FloatArray:
    how, name = observed(text)
    if how == "covariate":
        return population.table[name].to_numpy(dtype=float)
    now = simulated.at(case, name, day)
    if how == "":
        return now
    start = simulated.at(case, name, treat)
    with np.errstate(all="ignore"):
        if how == "change":
            return now / start
        if how == "best":
            values: FloatArray = np.nanmin(simulated.between(case, name, treat, day), axis=1) / start
            return values
        course = simulated.between(case, name, treat, day)
        if how in PATHOLOGY:
            return pathological_response(now, course, PATHOLOGY[how])
        return _event(how, now, start, course)


def pathological_response(living: FloatArray, course: FloatArray, most: float) -> FloatArray:
    """Whether a resected tumour, with its living cells (n,) then and (n, t) before, has a viable share of `most`.

    1, 0, or NaN where it cannot be said (see :mod:`immunescape.trial.pathology`).
    """
    share = viable_share(living, course)
    return np.where(np.isfinite(living), (share <= most).astype(float), np.nan)


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
    finite = np.isfinite(now)
    if how == "relapse":
        finite &= best[:, -1] <= 0.7 * start
    return np.where(finite, met.astype(float), np.nan)


def effect_of(
    claim: Claim, sides: Sequence[Scenario], simulated: Simulated, population: Population, seed: int
) -> Effect:
    """Effect of a claim's comparison across patients, with its interval."""
    chosen = np.ones(len(population), dtype=bool)
    if claim.among:
        # the side without the change: its doses begin after `among_day`, so that both sides are the same until then
        happened = _value(claim.among, claim.among_day, claim.treat_from, sides[-1], simulated, population)
        chosen = np.nan_to_num(happened) > 0

    def value(case: Scenario) -> FloatArray:
        return np.where(chosen, _value(claim.observe, claim.day, claim.treat_from, case, simulated, population), np.nan)

    if claim.with_value:
        other = _value(claim.with_value, claim.with_day, claim.treat_from, sides[0], simulated, population)
        return correlation(value(sides[0]), other, seed)
    how, _ = observed(claim.observe)
    measure = "difference" if how in (*EVENTS, *PATHOLOGY) else claim.measure
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
    controls: bool = True,
    uncontrolled: Collection[str] = (),
    library: Library | None = None,
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
    controls
        Whether the controls are simulated too.
    uncontrolled
        Ids of claims that are simulated without controls whatever `controls` says.
    library
        Compiled models, for further calls.

    Returns
    -------
    ClaimsResult
        In the order of the claims. What cannot be simulated is there too, with the reason.
    """
    import time

    from immunescape.evaluation.summary import full_model, model_counts

    begin = time.perf_counter()
    check_patients(patients)
    whole = model or full_model()
    graph = Dependencies(whole)
    checked = [Checked(c) for c in (load_claims() if claims is None else claims)]
    plans: dict[str, ClaimScenarios] = {}
    for row in checked:
        controlled = controls and row.claim.id not in uncontrolled
        planned = None if row.claim.kind == "context" else _planned(row, whole, graph, controlled=controlled)
        if planned is not None:
            plans[row.claim.id] = planned
    library = {} if library is None else library
    for group, size in groups_by_size(plans, patients):
        people = population or virtual_patients(size, seed, engine, cluster)
        simulated = simulate_plans(
            group.values(), people, engine=engine, progress=progress, library=library, cluster=cluster
        )
        for number, row in enumerate(checked):
            if row.claim.id in group:
                _judge(row, group[row.claim.id], simulated, people, seed + number)
    return ClaimsResult(checked, patients, seed, seconds=time.perf_counter() - begin, model=model_counts(whole))


def check_patients(patients: int) -> None:
    """Refuse too few patients for an interval."""
    if patients < 2:
        raise InputError(
            f"{patients} patients are too few for an interval", hint="Take at least 2; 100 or more to report."
        )


def _planned(row: Checked, model: Model, graph: Dependencies, *, controlled: bool) -> ClaimScenarios | None:
    """Scenarios of a claim, and enter its controls and steps; None where it is not testable, with the reason."""
    try:
        check_names(row.claim, model)
        if controlled:
            row.controls = controls_of(row.claim, graph, observed(row.claim.observe)[1])
        planned = plan(row.claim, row.controls)
    except ImmunescapeError as error:
        row.untestable = not_testable(error)
        return None
    row.steps = _steps(row.claim, graph)
    return planned


def not_testable(error: ImmunescapeError) -> str:
    """Why a claim cannot be simulated, on one line."""
    return f"not testable: {str(error).replace(chr(10), ' ')}"


def groups_by_size(
    plans: Mapping[Key, ClaimScenarios], patients: int
) -> Iterator[tuple[dict[Key, ClaimScenarios], int]]:
    """Plans that are simulated in the same patients, and their number: paired comparisons, then associations."""
    for across, size in ((False, patients), (True, ASSOCIATION * patients)):
        group = {key: p for key, p in plans.items() if bool(p.claim.with_value) == across}
        if group:
            yield group, size


def virtual_patients(
    patients: int, seed: int, engine: str, cluster: Any, specificity: str | None = None, threads: int | None = None
) -> Population:
    """Draw the patients of the claims: the fitted population, with the parameters of every drug in which it differs."""
    from immunescape.evaluation.scenarios import quick_engine
    from immunescape.evaluation.summary import full_model
    from immunescape.population.population import Population

    size = min(256, max(16, patients))  # candidates that are grown and not needed cost time
    grows = quick_engine(engine, threads if cluster is None else 1)
    return Population.generate(
        full_model(specificity), patients, seed=seed, engine=grows, block_size=size, cluster=cluster
    )


def simulate_plans(
    plans: Iterable[ClaimScenarios],
    people: Population,
    *,
    engine: str,
    progress: Callable[[int, int], None] | None,
    library: Library,
    cluster: Any,
    rewirings: tuple[Rewiring, ...] = (),
) -> Simulated:
    """Simulate every scenario of some plans once."""
    last: dict[Scenario, float] = {}
    outputs: dict[Scenario, set[str]] = {}
    days: set[float] = set()
    for each in plans:
        days.update(each.days)
        for side in {*each.sides, *each.off, *each.beside, *each.reversed}:
            last[side] = max(last.get(side, 0.0), *each.days)
            outputs.setdefault(side, set()).update(each.names)
    return simulate(
        people,
        last,
        outputs,
        days,
        engine=engine,
        progress=progress,
        library=library,
        cluster=cluster,
        rewirings=rewirings,
    )


def _judge(row: Checked, planned: ClaimScenarios, simulated: Simulated, people: Population, seed: int) -> None:
    claim = row.claim
    assert claim.expect is not None
    row.effect = effect_of(claim, planned.sides, simulated, people, seed)
    row.holds = holds(row.effect, claim.expect, claim.low, claim.high, claim.least)
    size = row.effect.size
    if planned.off:
        row.off = effect_of(claim, planned.off, simulated, people, seed)
        # what is looked at may not exist without the mediator: no effect is left, and that is not a finding
        if row.off.n >= 2:
            row.shrinks = bool(row.off.size <= max(SHRUNK * size, _TINY))
            row.vanishes = bool(row.off.size <= max(VANISHED * size, _TINY))
    if planned.beside:
        row.beside = effect_of(claim, planned.beside, simulated, people, seed)
        row.unmoved = bool(_distance(row.beside, row.effect) <= max(UNMOVED * size, _TINY))
    if planned.reversed:
        row.reversed = effect_of(claim, planned.reversed, simulated, people, seed)
        row.reversed_fails = not holds(row.reversed, claim.expect, claim.low, claim.high, claim.least)


def _distance(effect: Effect, other: Effect) -> float:
    """How far two effects of a kind are apart: of the logarithms for ratios. Infinite where one is not known."""
    if effect.measure == "ratio":
        if not (effect.value > 0 and other.value > 0):
            return float("inf")
        return abs(float(np.log(effect.value / other.value)))
    gap = abs(effect.value - other.value)
    return gap if np.isfinite(gap) else float("inf")


def _steps(claim: Claim, graph: Dependencies) -> int | None:
    """Reactions and modulations between what is changed and what is looked at."""
    how, target = observed(claim.observe)
    if how == "covariate":
        return None
    sources = changed_nodes(claim, graph)
    if claim.with_value:
        other, name = observed(claim.with_value)
        if other == "covariate":
            return None
        sources = {name}
    return graph.steps(sources, target)
