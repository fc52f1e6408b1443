"""Statements that must not hold, simulated: respected, violated or undecided, and whether a model could have failed.

Each statement is run as a comparison of no effect over the same virtual patients as the claims; then again with each
of the mechanisms that guard it switched off, and in its counter-model, the one wrong model that was named for it before
any was run. A statement that the present model, every ablated one and the counter-model respect tests nothing, and is
counted apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from immunescape.errors import ImmunescapeError
from immunescape.evaluation.claim_results import rounded
from immunescape.evaluation.claims import (
    ClaimScenarios,
    check_names,
    check_patients,
    effect_of,
    groups_by_size,
    not_testable,
    plan,
    simulate_plans,
    virtual_patients,
)
from immunescape.evaluation.counter_runs import check_counter_model, counter_plan, rewirings_of
from immunescape.evaluation.effects import Effect
from immunescape.evaluation.scenarios import Library
from immunescape.knowledge.counter_models import CounterModel, load_counter_models
from immunescape.knowledge.must_not_records import MUST_NOT, MustNot, load_must_not

if TYPE_CHECKING:
    from immunescape.model.assembly import Model
    from immunescape.population.population import Population
    from immunescape.population.rewiring import Rewiring

_WRONG = "counter-model"
PlanKey = tuple[str, str]
"""Statement, and the mechanism that is switched off; empty: none."""

__all__ = ["Denied", "MustNotResult", "run_must_not", "select_must_not", "verdict"]


@dataclass
class Denied:
    """A statement that must not hold, and what became of it.

    Attributes
    ----------
    effect : in the present model. verdict : ``respected``, ``violated`` or ``undecided``.
    ablated : mechanism that was switched off -> effect and verdict then.
    counter : the wrong model that was named for it, or None. wrong : effect and verdict in that.
    untestable : why it could not be simulated.
    """

    statement: MustNot
    _: KW_ONLY
    effect: Effect | None = None
    verdict: str = ""
    ablated: dict[str, tuple[Effect, str]] = field(default_factory=dict)
    counter: CounterModel | None = None
    wrong: tuple[Effect, str] | None = None
    untestable: str = ""

    @property
    def can_fail(self) -> bool:
        """Whether the present model, an ablated one or its counter-model violates it: else it tests nothing."""
        verdicts = [self.verdict, *(v for _, v in self.ablated.values())]
        return "violated" in verdicts or (self.wrong is not None and self.wrong[1] == "violated")

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        s, e = self.statement, self.effect
        return {
            "id": s.id,
            "text": s.text,
            "at": list(s.at),
            "sources": list(s.sources),
            "must_not": s.must_not,
            "batch": s.batch,
            "bounds": [s.low, s.high],
            "measure": s.measure,
            "effect": None if e is None else rounded(e.value),
            "ci": None if e is None else [rounded(e.low), rounded(e.high)],
            "patients": None if e is None else e.n,
            "verdict": self.verdict or None,
            "can_fail": self.can_fail,
            "ablated": {m: {"effect": rounded(x.value), "verdict": v} for m, (x, v) in self.ablated.items()},
            "counter_model": self._counter_json(),
            "not_testable": self.untestable or None,
        }

    def _counter_json(self) -> dict[str, Any] | None:
        if self.counter is None:
            return None
        effect = None if self.wrong is None else self.wrong[0]
        return {
            "kind": self.counter.kind,
            "what": self.counter.change,
            "because": self.counter.because,
            "effect": None if effect is None else rounded(effect.value),
            "ci": None if effect is None else [rounded(effect.low), rounded(effect.high)],
            "verdict": None if self.wrong is None else self.wrong[1],
        }


@dataclass
class MustNotResult:
    """Every statement that was asked for, with counts."""

    statements: list[Denied]
    patients: int
    seed: int
    seconds: float = 0.0

    def counts(self) -> dict[str, int]:
        """Statements by verdict: all, and those that a model can fail."""
        informative = [s for s in self.statements if s.can_fail]
        numbers = {
            "statements": len(self.statements),
            "not_testable": sum(bool(s.untestable) for s in self.statements),
            "that_can_fail": len(informative),
            "violated_without_a_mechanism": sum(
                any(v == "violated" for _, v in s.ablated.values()) for s in self.statements
            ),
            "with_counter_model": sum(s.counter is not None for s in self.statements),
            "violated_by_counter_model": sum(s.wrong is not None and s.wrong[1] == "violated" for s in self.statements),
        }
        for verdict in ("respected", "violated", "undecided"):
            numbers[verdict] = sum(s.verdict == verdict for s in self.statements)
            numbers[f"{verdict}_of_those_that_can_fail"] = sum(s.verdict == verdict for s in informative)
        return numbers

    def to_json(self) -> dict[str, Any]:
        """Content of the JSON that the command line prints."""
        return {
            "must_not": [s.to_json() for s in self.statements],
            "counts": self.counts(),
            "patients": self.patients,
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
        }


def select_must_not(only: Sequence[str] = ()) -> list[MustNot]:
    """Return the statements of some ids; all where none is named.

    Raises
    ------
    InputError
        For an unknown id, with the nearest.
    """
    chosen = {MUST_NOT.get(name).id for name in only}
    return [s for s in load_must_not() if not only or s.id in chosen]


def verdict(effect: Effect, must_not: str, low: float, high: float) -> str:
    """Judge an effect against the bounds of no effect.

    ``violated`` where it lies beyond a bound in the direction in which the statement would be true, and its interval on
    that side of no effect; ``respected`` where the interval keeps within that bound; else ``undecided``.
    """
    if not np.isfinite([effect.value, effect.low, effect.high]).all():
        return "undecided"
    below = must_not in ("decrease", "change")
    above = must_not in ("increase", "change")
    if (below and effect.value < low and effect.high < effect.neutral) or (
        above and effect.value > high and effect.low > effect.neutral
    ):
        return "violated"
    if (not below or effect.low >= low) and (not above or effect.high <= high):
        return "respected"
    return "undecided"


def run_must_not(
    statements: Sequence[MustNot] | None = None,
    *,
    patients: int = 100,
    seed: int = 1,
    engine: str = "auto",
    population: Population | None = None,
    progress: Callable[[int, int], None] | None = None,
    cluster: Any = None,
) -> MustNotResult:
    """Simulate statements that must not hold.

    Parameters
    ----------
    statements
        None takes all that ship.
    patients, seed, engine, population, progress, cluster
        As in `run_claims`.
    """
    from immunescape.evaluation.summary import full_model

    begin = time.perf_counter()
    check_patients(patients)
    rows = [Denied(s) for s in (load_must_not() if statements is None else statements)]
    whole = full_model()
    counters = load_counter_models()
    plans: dict[PlanKey, ClaimScenarios] = {}
    rewirings: dict[Rewiring, None] = {}  # each once, in order
    for row in rows:
        plans |= _planned(row, counters.get(row.statement.id), whole)
        if row.counter is not None and not row.untestable:
            rewirings |= dict.fromkeys(rewirings_of(row.counter, whole))
    libraries: tuple[Library, Library] = ({}, {})
    numbered = {row.statement.id: (number, row) for number, row in enumerate(rows)}
    for group, size in groups_by_size(plans, patients):
        people = population or virtual_patients(size, seed, engine, cluster)
        simulated = [
            simulate_plans(
                [p for key, p in group.items() if (key[1] == _WRONG) == wrong],
                people,
                engine=engine,
                progress=progress,
                library=libraries[wrong],
                cluster=cluster,
                rewirings=tuple(rewirings) if wrong else (),
            )
            for wrong in (False, True)
        ]
        for (name, mechanism), planned in group.items():
            number, row = numbered[name]
            result = simulated[mechanism == _WRONG]
            effect = effect_of(planned.claim, planned.sides, result, people, seed + number)
            _enter(row, mechanism, effect)
    return MustNotResult(rows, patients, seed, time.perf_counter() - begin)


def _planned(row: Denied, counter: CounterModel | None, model: Model) -> dict[PlanKey, ClaimScenarios]:
    """Scenarios of a statement: as it is, without each mechanism that guards it, and in its counter-model.

    Enters the counter-model, and why nothing can be planned where that is so.
    """
    claim, name = row.statement.as_claim(), row.statement.id
    try:
        check_names(claim, model)
        stated = plan(claim)
        row.counter = counter
        if counter is not None:
            check_counter_model(counter, model)
    except ImmunescapeError as error:
        row.untestable = not_testable(error)
        return {}
    plans = {(name, ""): stated}
    for mechanism in row.statement.guarded_by:
        plans[name, mechanism] = replace(stated, sides=tuple(s.without([mechanism]) for s in stated.sides))
    if counter is not None:
        plans[name, _WRONG] = counter_plan(counter, stated, model)
    return plans


def _enter(row: Denied, mechanism: str, effect: Effect) -> None:
    """Enter an effect and its verdict where it belongs: present model, one without a mechanism, or counter-model."""
    s = row.statement
    judged = verdict(effect, s.must_not, s.low, s.high)
    if mechanism == _WRONG:
        row.wrong = (effect, judged)
    elif mechanism:
        row.ablated[mechanism] = (effect, judged)
    else:
        row.effect, row.verdict = effect, judged
