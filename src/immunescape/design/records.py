"""A trial design as frozen records: arms, strata, endpoints, accrual, looks, and the rule that decides.

The rule (:class:`Rule`) is what makes a design group-sequential, multi-arm, enriching, Bayesian or a platform;
everything else is shared. :mod:`immunescape.design.kinds` makes rules from design files.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from immunescape.design.cohort import Cohort, Milestone, Streams
from immunescape.design.complaints import FieldError, in_field
from immunescape.design.survival_model import Accrual
from immunescape.design.truth import Endpoint, Generator, Truth
from immunescape.errors import InputError, unknown_word

__all__ = ["Arm", "Decided", "Design", "Dropout", "Rule", "check_looks", "closed_test_table"]

SHORT = "share of trials that run out of events"
"""Name of the further number for how often a look set by events takes place with fewer of them."""


def by_events(looks: Sequence[Milestone]) -> bool:
    """Whether a look is set by events."""
    return any(look.events is not None for look in looks)


@dataclass(frozen=True)
class Arm:
    """One arm: its name, role, and patients per block of the allocation."""

    name: str
    role: str = "experimental"
    allocation: int = 1

    def __post_init__(self) -> None:
        if self.role not in ("experimental", "control"):
            raise InputError(f"arm '{self.name}' is experimental or control, not '{self.role}'")
        if self.allocation < 1:
            raise InputError(f"arm '{self.name}' needs at least 1 patient per block")


@dataclass(frozen=True)
class Dropout:
    """Share of patients lost within some months (constant hazard)."""

    share: float = 0.0
    months: float = 12.0

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1 or self.months <= 0:
            raise InputError("a dropout share must lie between 0 and 1, and its period must be longer than 0 months")

    @property
    def hazard(self) -> float:
        """Per month."""
        value: float = -np.log1p(-self.share) / self.months
        return value


@dataclass(kw_only=True)
class Decided:
    """Results of a block of replicates; arrays with one row per replicate.

    Attributes
    ----------
    rejected : (R, H) hypotheses rejected. stage : (R,) look at which the trial ended, from 1.
    reason : (R,) 0 ran to the end, 1 stopped for efficacy, 2 for futility.
    patients, events, months : (R,) enrolled, events of the first endpoint, calendar months to the end.
    selected : (R, S) arms or populations that were chosen or were still in at the end.
    by_look : name -> (R, K) numbers at each look that was reached (NaN after the end).
    extra : name -> (R,) further numbers.
    """

    rejected: NDArray[np.bool_]
    stage: NDArray[np.int64]
    reason: NDArray[np.int64]
    patients: NDArray[np.float64]
    events: NDArray[np.float64]
    months: NDArray[np.float64]
    selected: NDArray[np.bool_] | None = None
    by_look: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    extra: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    @classmethod
    def at_last_look(
        cls,
        rejected: NDArray[np.bool_],
        stage: NDArray[np.int64],
        reason: NDArray[np.int64],
        *,
        selected: NDArray[np.bool_],
        by_look: dict[str, NDArray[np.float64]],
        extra: dict[str, NDArray[np.float64]],
    ) -> Decided:
        """Take patients, events and months of the look at which each replicate ended (`stage`) from `by_look`."""
        last = (np.arange(len(stage)), stage - 1)
        return cls(
            rejected=rejected,
            stage=stage,
            reason=reason,
            patients=by_look["patients"][last],
            events=by_look["events"][last],
            months=by_look["months"][last],
            selected=selected,
            by_look=by_look,
            extra=extra,
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As plain named arrays, for storage."""
        out: dict[str, NDArray[Any]] = {
            k: getattr(self, k) for k in ("rejected", "stage", "reason", "patients", "events", "months")
        }
        if self.selected is not None:
            out["selected"] = self.selected
        out |= {f"by_look/{k}": v for k, v in self.by_look.items()}
        return out | {f"extra/{k}": v for k, v in self.extra.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Decided:
        """Inverse of :meth:`arrays`."""
        columns = ("rejected", "stage", "reason", "patients", "events", "months", "selected")
        parts: dict[str, dict[str, NDArray[Any]]] = {"by_look": {}, "extra": {}}
        for name, value in arrays.items():
            group, _, key = name.partition("/")
            if key:
                parts[group][key] = value
        fields: dict[str, Any] = {k: arrays[k] for k in columns if k in arrays}
        return cls(**fields, **parts)  # type: ignore[arg-type]

    @classmethod
    def joined(cls, blocks: Sequence[Decided]) -> Decided:
        """Blocks one below the other."""
        all_arrays = [b.arrays() for b in blocks]
        return cls.from_arrays({k: np.concatenate([a[k] for a in all_arrays]) for k in all_arrays[0]})


class Rule(ABC):
    """How a design decides."""

    kind: ClassVar[str] = ""
    fixed_allocation: ClassVar[bool] = True
    """Whether every arm gets its share of the patients; not where arms open and close, or adapt."""

    @abstractmethod
    def check(self, design: Design) -> None:
        """Reject inconsistent settings, with the reason."""

    @abstractmethod
    def plan(self, design: Design) -> dict[str, Any]:
        """Everything fixed before the first patient: boundaries and the like (plain values and arrays)."""

    @abstractmethod
    def run(self, design: Design, truth: Truth, streams: Streams, plan: Mapping[str, Any]) -> Decided:
        """Simulate one block of replicates."""

    @abstractmethod
    def hypotheses(self, design: Design) -> tuple[str, ...]:
        """Names of what may be rejected."""

    def selections(self, design: Design) -> tuple[str, ...]:
        """Names of the columns of `selected`."""
        return ()

    def strata_of(self, design: Design, arm: str) -> tuple[str, ...]:
        """Strata that an arm is studied in (empty: all)."""
        return ()

    def margins(self) -> dict[str, float]:
        """Endpoint -> hazard ratio under the null, of tests of non-inferiority."""
        return {}

    def ignoring_futility(self) -> Rule | None:
        """The same rule without stops for futility that do not bind; None where there are none.

        The type I error is reported of it: a trial may go on in spite of such a stop.
        """
        return None

    def cautions(self, design: Design) -> list[str]:
        """Properties of the rule that prevent control of alpha, for the reader."""
        return []

    def planned_cautions(self, design: Design, plan: Mapping[str, Any]) -> list[str]:
        """Warnings about the planned looks: few events, few patients."""
        return []

    def expected_table(self, design: Design, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Rows of the plan for people: one per look."""
        return []


LEAST_ALPHA = 1e-9
"""One-sided alpha below which bounds lie beyond six standard deviations, where no normal approximation holds."""
FEW_EVENTS = 20
"""Events at a look below which the reader is warned about the normal approximation."""
LEAST_PER_ARM = 10
"""Patients of each arm below which a comparison is refused: its tests are normal approximations."""


def check_looks(looks: Sequence[Milestone], endpoints: Sequence[Endpoint], patients: int) -> None:
    """Reject looks that cannot take place, or add nothing to the previous look.

    Raises
    ------
    InputError
        Naming the look.
    """
    if not looks:
        raise InputError("a design needs at least one look")
    names = [e.name for e in endpoints]
    for k, look in enumerate(looks):
        if look.endpoint is not None and look.endpoint not in names:
            raise unknown_word("endpoint", look.endpoint, names)
        for size, what in ((look.patients, "patients"), (look.events, "events")):
            if size is not None and size > patients:
                raise InputError(
                    f"look {k + 1} waits for {size} {what}, but the trial has {patients} patients",
                    hint="Each patient has one event at most: lower the look or enrol more patients.",
                )
    for k, (a, b) in enumerate(itertools.pairwise(looks)):
        same = (a.events is None) == (b.events is None) and (a.months is None) == (b.months is None)
        if same and a.endpoint == b.endpoint and set(a.strata) == set(b.strata) and b.size <= a.size:
            raise InputError(
                f"looks do not increase in information: look {k + 1} at {a}, then look {k + 2} at {b}",
                hint="Each look must add events, patients or time.",
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class Design:
    """A trial design.

    Attributes
    ----------
    name, title, description, references : for reports. arms : the control is one of them (except in one-arm designs).
    endpoints : what is measured; patients : how many may be enrolled. looks : analyses in order.
    truths : scenario -> truth; the null (all arms from the control) is added by the simulation.
    rule : how it decides. alpha : one-sided type I error that it controls (None: none).
    text : the design file from which it was read.
    """

    name: str
    arms: tuple[Arm, ...]
    endpoints: tuple[Endpoint, ...]
    patients: int
    accrual: Accrual
    looks: tuple[Milestone, ...]
    truths: Mapping[str, Truth]
    rule: Rule
    alpha: float | None = 0.025
    dropout: Dropout = Dropout()
    stratified_randomisation: bool = True
    title: str = ""
    description: str = ""
    references: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    text: str = ""
    file: str = ""

    def __post_init__(self) -> None:
        if self.alpha is not None and not LEAST_ALPHA <= self.alpha < 0.5:
            raise FieldError(
                f"a one-sided alpha must lie between {LEAST_ALPHA:g} and 0.5, not {self.alpha:g}",
                hint="Beyond about six standard deviations no test statistic is normal.",
                field=("alpha",),
            )
        names = [a.name for a in self.arms]
        if len(set(names)) != len(names):
            raise InputError("two arms have the same name")
        compared = any(a.role == "control" for a in self.arms)
        least = LEAST_PER_ARM * len(self.arms) if compared else 2
        if self.patients < least:
            raise FieldError(
                f"{self.patients} patients in {len(self.arms)} arm(s) are too few for a trial",
                hint=f"The tests assume large samples: at least {least} in all.",
                field=("patients",),
            )
        if compared and self.rule.fixed_allocation:
            total = sum(a.allocation for a in self.arms)
            for k, arm in enumerate(self.arms):
                size = self.patients * arm.allocation / total
                if size < LEAST_PER_ARM:
                    raise FieldError(
                        f"arm '{arm.name}' has {size:.1f} of {self.patients} patients",
                        hint=f"The tests assume large samples: at least {LEAST_PER_ARM} in each arm.",
                        field=("arms", k, "allocation"),
                    )
        check_looks(self.looks, self.endpoints, self.patients)
        for endpoint in self.endpoints:
            if endpoint.competing and self.endpoint(endpoint.competing).kind != "survival":
                raise InputError(f"the event that competes with '{endpoint.name}' is not a survival endpoint")
        for scenario, truth in self.truths.items():
            if tuple(truth.arms) != tuple(names):
                raise InputError(f"scenario '{scenario}' describes the arms {list(truth.arms)}, not {names}")
            if len(set(truth.strata)) != len(truth.strata):
                raise InputError(f"scenario '{scenario}' has two strata of the same name")
        for k, look in enumerate(self.looks):
            self._check_look_strata(k, look)
        if "null" in self.truths and any(a.role == "control" for a in self.arms):
            self._check_null()
        self.rule.check(self)

    def _check_look_strata(self, k: int, look: Milestone) -> None:
        truth = next(iter(self.truths.values()))
        for name in look.strata:
            if name not in truth.strata:
                raise in_field(unknown_word("stratum", name, truth.strata), "looks", k)
        if look.strata and look.events is not None:
            share = sum(w for s, w in zip(truth.strata, truth.shares, strict=True) if s in look.strata)
            if look.events > share * self.patients:
                raise FieldError(
                    f"look {k + 1} waits for {look.events} events among about {share * self.patients:.0f} patients of "
                    f"{', '.join(look.strata)}",
                    hint="Each patient has one event at most: lower the events or enrol more patients.",
                    field=("looks", k),
                )

    def _check_null(self) -> None:
        """Refuse a scenario called null in which the arms differ: its rejections would be reported as errors."""
        truth = self.truths["null"]
        control = self.arms[self.control].name
        same = isinstance(truth, Generator) and any(
            dict(truth.parts) == dict(truth.null(control, margins).parts) for margins in (None, self.rule.margins())
        )
        if not same:
            raise FieldError(
                "the scenario 'null' has an effect: its rejections would be reported as type I error",
                hint="Give it another name; the null, with every arm like the control, is added automatically.",
                field=("scenarios", list(self.truths).index("null")),
            )

    @property
    def control(self) -> int:
        """Index of the control arm."""
        controls = [k for k, a in enumerate(self.arms) if a.role == "control"]
        if len(controls) != 1:
            raise InputError(f"one control arm is needed, not {len(controls)}")
        return controls[0]

    @property
    def experimental(self) -> list[int]:
        """Indices of the experimental arms."""
        return [k for k, a in enumerate(self.arms) if a.role == "experimental"]

    @property
    def allocation_ratio(self) -> float:
        """Patients of the experimental arms per patient of the control."""
        return sum(self.arms[k].allocation for k in self.experimental) / self.arms[self.control].allocation

    @property
    def strata(self) -> tuple[str, ...]:
        """Names of the strata."""
        return tuple(next(iter(self.truths.values())).strata)

    def endpoint(self, name: str) -> Endpoint:
        """An endpoint by name."""
        for endpoint in self.endpoints:
            if endpoint.name == name:
                return endpoint
        raise unknown_word("endpoint", name, [e.name for e in self.endpoints])

    def scenario(self, name: str) -> Truth:
        """A truth by the name of its scenario; ``null`` draws every arm from the control."""
        if name in self.truths:
            return self.truths[name]
        if name == "null":
            return next(iter(self.truths.values())).null(self.arms[self.control].name, self.rule.margins() or None)
        raise unknown_word("scenario", name, [*self.truths, "null"])

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Every scenario, the null last (designs without a control have only those that are given)."""
        if "null" in self.truths or not any(a.role == "control" for a in self.arms):
            return tuple(self.truths)
        return (*self.truths, "null")

    def cohort(self, truth: Truth, streams: Streams, *, patients: int | None = None, assign: bool = True) -> Cohort:
        """Patients of one block, assigned to the arms by the planned allocation."""
        weights = [a.allocation for a in self.arms] if assign else None
        return Cohort.create(
            streams,
            truth,
            self.endpoints,
            patients=patients or self.patients,
            accrual=self.accrual,
            dropout=self.dropout.hazard,
            weights=weights,
            by_stratum=self.stratified_randomisation,
        )


def closed_test_table(hypothesis: str, design: Design, plan: Mapping[str, Any], test: str) -> list[dict[str, Any]]:
    """One row for each look of a closed test: information, and the bound as z and as p."""
    return [
        {
            "hypothesis": hypothesis,
            "look": k + 1,
            "at": str(look),
            "test": test,
            "information": float(plan["information"][k]),
            "efficacy_z": float(plan["bounds"][k]),
            "efficacy_p": float(special.ndtr(-plan["bounds"][k])),
            "futility_z": None,
        }
        for k, look in enumerate(design.looks)
    ]
