"""What became of the claims: effects, verdicts, controls and counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np

from immunescape.evaluation.claim_controls import Controls
from immunescape.evaluation.effects import Effect
from immunescape.evaluation.mechanism_labels import brief_label
from immunescape.knowledge.claim_records import Claim

__all__ = ["EMERGENT_STEPS", "SMALL", "Checked", "ClaimsResult", "counted", "of_all_seeds", "rounded"]

EMERGENT_STEPS = 3
"""Reactions or modulations from which on an effect is more than what was put in."""
SMALL = 0.05
"""Effects (of the logarithm of a ratio) below this are shown apart where no drug is given: changes there are large."""


@dataclass
class Checked:
    """A claim and what became of it.

    Attributes
    ----------
    effect : as stated. holds : the verdict; None where it was not simulated.
    controls : what is switched off to learn whether the effect comes about as it should.
    off : effect with the mediators off. shrinks, vanishes : whether it is then smaller, or gone.
    beside : effect with the bystander off. unmoved : whether it then stays.
    reversed : effect with the factors of the change inverted. reversed_fails : whether the claim then does not hold.
    steps : reactions and modulations between what is changed and what is looked at; None where there is no way.
    untestable : why it could not be simulated.
    seeds : seed -> whether the claim held with the patients of that seed; empty where one seed was run.
    """

    claim: Claim
    _: KW_ONLY
    effect: Effect | None = None
    holds: bool | None = None
    controls: Controls = field(default_factory=Controls)
    off: Effect | None = None
    shrinks: bool | None = None
    vanishes: bool | None = None
    beside: Effect | None = None
    unmoved: bool | None = None
    reversed: Effect | None = None
    reversed_fails: bool | None = None
    steps: int | None = None
    untestable: str = ""
    seeds: dict[int, bool] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """``emergent`` where three or more steps lie in between, else ``wired``; nothing where it was not simulated."""
        if self.claim.kind == "context" or self.untestable:
            return ""
        return "emergent" if self.steps is not None and self.steps >= EMERGENT_STEPS else "wired"

    @property
    def small(self) -> bool:
        """Whether it holds by an effect below 5 % of a change that is not a drug."""
        c, e = self.claim, self.effect
        given = any(s.give for s in (c.background, c.change, c.against, *([c.modifies] if c.modifies else [])))
        return bool(
            self.holds
            and e is not None
            and e.measure == "ratio"
            and c.expect != "none"
            and not given
            and e.size < SMALL
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        c, e = self.claim, self.effect
        row: dict[str, Any] = {
            "id": c.id,
            "reference": list(c.refs),
            "kind": c.kind,
            "holds": self.holds,
            "effect": None if e is None else rounded(e.value),
            "ci": None if e is None else [rounded(e.low), rounded(e.high)],
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
            "small": self.small,
            "mediators": list(self.controls.mediators),
            "with_mediators_off": None if self.off is None else rounded(self.off.value),
            "shrinks": self.shrinks,
            "vanishes": self.vanishes,
            "bystander": self.controls.bystander or None,
            "with_bystander_off": None if self.beside is None else rounded(self.beside.value),
            "unmoved": self.unmoved,
            "tested": {m: brief_label(m) for m in (*self.controls.mediators, self.controls.bystander) if m},
            "reversed": None if self.reversed is None else rounded(self.reversed.value),
            "reversed_fails": self.reversed_fails,
        }
        if self.seeds:
            row["holds_by_seed"] = {str(seed): held for seed, held in self.seeds.items()}
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


def rounded(value: float) -> float | None:
    """Six significant digits; None for what is not finite, which JSON does not have."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


@dataclass
class ClaimsResult:
    """All claims that were asked for, in order, with counts.

    Attributes
    ----------
    claims : one each. later : forms that replaced a first form, which count nowhere.
    patients, seed : what they were simulated over; `seeds` where several were. seconds : time that it took.
    unlocked : ids of claims whose set-up is neither the locked one nor that of a listed change, such as claims of
        one's own.
    """

    claims: list[Checked]
    patients: int
    seed: int
    _: KW_ONLY
    seconds: float = 0.0
    model: dict[str, int] = field(default_factory=dict)
    later: list[Checked] = field(default_factory=list)
    seeds: tuple[int, ...] = ()
    unlocked: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """Claims by fate. With several seeds a claim holds where it holds with the patients of each."""
        return counted([c.to_json() for c in self.claims])

    def to_json(self) -> dict[str, Any]:
        """Content of the JSON that the command line prints."""
        return {
            "claims": [c.to_json() for c in self.claims],
            "later_forms": [c.to_json() for c in self.later],
            "counts": self.counts(),
            "patients": self.patients,
            "seed": self.seed,
            "seeds": list(self.seeds or (self.seed,)),
            "set_up_not_locked": list(self.unlocked),
            "seconds": round(self.seconds, 1),
            "model": self.model,
        }


def counted(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Count claims by fate, from their rows of JSON."""
    tested = [r for r in rows if r["holds"] is not None]
    numbers = {
        "statements": len(rows),
        "context": sum(r["kind"] == "context" for r in rows),
        "not_testable": sum(r["kind"] != "context" and bool(r.get("not_testable")) for r in rows),
        "tested": len(tested),
        "hold": sum(bool(r["holds"]) for r in tested),
        "hold_by_less_than_5_percent": sum(r["small"] for r in tested),
        "seed_dependent": sum(len(set(r.get("holds_by_seed", {}).values())) > 1 for r in tested),
    }
    for path in ("wired", "emergent"):
        numbers[path] = sum(r["path"] == path for r in tested)
        numbers[f"{path}_hold"] = sum(r["path"] == path and bool(r["holds"]) for r in tested)
    for control, verdict in (("mediator", "shrinks"), ("bystander", "unmoved"), ("reversed", "reversed_fails")):
        verdicts = [r[verdict] for r in tested if r[verdict] is not None]
        numbers[f"{control}_checked"] = len(verdicts)
        numbers[f"{control}_as_expected"] = sum(verdicts)
    return numbers


def of_all_seeds(results: Sequence[ClaimsResult]) -> ClaimsResult:
    """Join runs of the same claims with different seeds: effects of the first, and in which each claim held."""
    first = results[0]
    if len(results) == 1:
        return first
    runs = [(*r.claims, *r.later) for r in results]
    for row, *others in zip(*runs, strict=True):
        if row.holds is not None:
            held = [bool(each.holds) for each in (row, *others)]
            row.seeds = dict(zip((r.seed for r in results), held, strict=True))
            row.holds = all(held)
    first.seeds = tuple(r.seed for r in results)
    first.seconds = sum(r.seconds for r in results)
    return first
