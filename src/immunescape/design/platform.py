"""Platform trials and master protocols: arms enter and leave, share a control, and may be matched to biomarker strata.

The trial is reviewed at fixed intervals. At a review every arm whose next look is due is analysed against its control;
arms that succeed or fail close and their patients go to the arms that are open. An arm is compared with the control
patients of its own strata: those randomised while it was open (concurrent), or all of them (non-concurrent included,
which is biased where outcomes drift in calendar time).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from immunescape.design.cohort import Cohort, Streams
from immunescape.design.complaints import FieldError, in_field
from immunescape.design.group_sequential import OBRIEN_FLEMING_LIKE, Spending
from immunescape.design.records import FEW_EVENTS, SHORT, Decided, Design, Rule
from immunescape.design.statistics import LOG_RANK, Statistic
from immunescape.design.truth import Truth
from immunescape.errors import InputError, unknown_word

__all__ = ["Platform", "PlatformArm"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class PlatformArm:
    """An arm of the platform.

    Attributes
    ----------
    arm : its name. opens : calendar month at which it may enrol; closes : month from which on it does not.
    strata : biomarker strata that it is matched to (empty: all). patients : most patients that it enrols.
    looks : events (survival; arm and its controls together) or patients of the arm (response) at each analysis.
    futility : bounds on Z at its interim looks.
    """

    arm: str
    looks: tuple[int, ...]
    _: KW_ONLY
    opens: float = 0.0
    closes: float = np.inf
    strata: tuple[str, ...] = ()
    patients: int = 10**9
    futility: tuple[float | None, ...] = ()

    def __post_init__(self) -> None:
        if not self.looks or np.any(np.diff(self.looks) <= 0) or self.looks[0] <= 0:
            raise InputError(f"looks of arm '{self.arm}' do not increase in information: {list(self.looks)}")
        if self.closes <= self.opens:
            raise InputError(f"arm '{self.arm}' closes before it opens")
        if len(self.futility) > len(self.looks) - 1:
            raise InputError(
                f"arm '{self.arm}' has {len(self.futility)} futility bounds for {len(self.looks) - 1} interim looks"
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Look:
    """One analysis of one arm, in the replicates in which it is due.

    Attributes
    ----------
    rows : (n,) replicates. number, final : (n,) number of the look, and whether it is the last.
    won, futile : (n,) whether Z reaches the efficacy bound, or lies below the futility bound.
    size : (n,) events or patients. over : (n,) whether the arm can gain no more.
    """

    rows: NDArray[np.int64]
    number: NDArray[np.int64]
    final: Flags
    won: Flags
    futile: Flags
    size: NDArray[np.int64]
    over: Flags


@dataclass(eq=False, kw_only=True)
class _State:
    """What has become of each arm, (replicates, arms).

    Attributes
    ----------
    alive : still under study. closed_at : month from which on the arm enrols nobody. next_look : number of its next.
    rejected, failed, early : null hypothesis rejected, ended for futility, ended at an interim look.
    decided_at : month of its end; NaN before.
    events, short : (replicates,) events or patients at the ends, and whether an arm ended with fewer than planned.
    """

    alive: Flags
    closed_at: Floats
    next_look: NDArray[np.int64]
    rejected: Flags
    failed: Flags
    early: Flags
    decided_at: Floats
    events: Floats
    short: Flags

    @classmethod
    def at_start(cls, replicates: int, arms: int) -> _State:
        """Every arm is under study."""
        shape = (replicates, arms)
        return cls(
            alive=np.ones(shape, dtype=bool),
            closed_at=np.full(shape, np.inf),
            next_look=np.zeros(shape, dtype=np.int64),
            rejected=np.zeros(shape, dtype=bool),
            failed=np.zeros(shape, dtype=bool),
            early=np.zeros(shape, dtype=bool),
            decided_at=np.full(shape, np.nan),
            events=np.zeros(replicates),
            short=np.zeros(replicates, dtype=bool),
        )

    def enter(self, j: int, look: _Look, entry: PlatformArm, month: float) -> None:
        """Enter a look of arm `j`: what has won or lost closes."""
        rows = look.rows
        lost = ~look.won & (look.futile | look.final)
        ended = look.won | lost
        closing = rows[ended]
        self.rejected[rows, j] |= look.won
        self.failed[rows, j] |= lost & ~look.final
        self.alive[closing, j] = False
        self.early[closing, j] = ~look.final[ended]
        self.decided_at[closing, j] = month
        self.closed_at[closing, j] = np.minimum(self.closed_at[closing, j], month)
        self.events[closing] += look.size[ended]
        self.short[rows] |= look.over & (look.size < entry.looks[-1])
        self.next_look[rows, j] = np.minimum(look.number + 1, len(entry.looks) - 1)


@dataclass(frozen=True)
class Platform(Rule):
    """Platform trial.

    Attributes
    ----------
    entries : one per experimental arm. endpoint, test : what is compared. spending : boundaries of each arm.
    controls : ``concurrent`` or ``all``. multiplicity : ``family`` (alpha shared equally by all arms, so that the error
        of any false claim is at most alpha) or ``per-arm`` (alpha for each arm).
    control_ratio : control patients per patient of an open arm. review_every : months between reviews.
    drift : yearly decline of the hazard in calendar time, for every arm (0.1: times lengthen by 1/0.9 per year).
    """

    kind: ClassVar[str] = "platform"
    fixed_allocation: ClassVar[bool] = False

    entries: tuple[PlatformArm, ...]
    endpoint: str
    _: KW_ONLY
    test: Statistic = LOG_RANK
    spending: Spending = OBRIEN_FLEMING_LIKE
    controls: str = "concurrent"
    multiplicity: str = "family"
    control_ratio: float = 1.0
    review_every: float = 3.0
    drift: float = 0.0

    def check(self, design: Design) -> None:
        """See :class:`Rule`."""
        _ = design.control
        names = [design.arms[k].name for k in design.experimental]
        if [e.arm for e in self.entries] != names:
            raise InputError(
                f"each experimental arm has one entry, in order: {names}, not {[e.arm for e in self.entries]}"
            )
        if self.controls not in ("concurrent", "all"):
            raise unknown_word("word", self.controls, ("concurrent", "all"))
        if self.multiplicity not in ("family", "per-arm"):
            raise unknown_word("word", self.multiplicity, ("family", "per-arm"))
        kind = design.endpoint(self.endpoint).kind
        if (kind == "response") != (self.test.name == "rates"):
            raise InputError(f"test '{self.test.name}' does not fit endpoint '{self.endpoint}' ({kind})")
        if self.test.name in ("max-combo", "rmst", "milestone"):
            raise InputError(f"'{self.test.name}' is not offered in platforms", hint="Use log-rank.")
        if self.review_every <= 0 or self.control_ratio <= 0 or not -0.5 < self.drift < 0.5:
            raise InputError("review_every and control_ratio are above 0, drift within half a hazard per year")
        enrolled = float(np.sum(design.accrual.durations))
        for e in self.entries:
            place = ("arms", [a.name for a in design.arms].index(e.arm))
            if e.opens >= enrolled:
                raise FieldError(
                    f"arm '{e.arm}' opens at month {e.opens:g}, but the last of {design.patients} patients is screened "
                    f"at about month {enrolled:.0f}",
                    hint="Open it earlier, or screen more patients.",
                    field=(*place, "opens"),
                )
            for s in e.strata:
                if s not in design.strata:
                    raise in_field(unknown_word("stratum", s, design.strata), *place, "strata")
            most = min(e.patients, design.patients) if self.test.name == "rates" else design.patients
            if e.looks[-1] > most:
                raise FieldError(
                    f"a look of arm '{e.arm}' waits for {e.looks[-1]} "
                    f"{'patients' if self.test.name == 'rates' else 'events'}, of {most} patients",
                    hint="Each patient has one event at most: lower the look or enrol more patients.",
                    field=(*place, "looks"),
                )
            critical = self._critical(design, e)
            for k, bound in enumerate(e.futility):
                if bound is not None and bound > critical[k]:
                    raise FieldError(
                        f"the futility bound {bound:g} of arm '{e.arm}' lies above the efficacy bound "
                        f"{critical[k]:.3f}",
                        hint="Lower the futility bound.",
                        field=(*place, "futility", k),
                    )

    def hypotheses(self, design: Design) -> tuple[str, ...]:
        """See :class:`Rule`."""
        return tuple(e.arm for e in self.entries)

    def selections(self, design: Design) -> tuple[str, ...]:
        """See :class:`Rule`."""
        return self.hypotheses(design)

    def strata_of(self, design: Design, arm: str) -> tuple[str, ...]:
        """See :class:`Rule`."""
        return next((e.strata for e in self.entries if e.arm == arm), ())

    def ignoring_futility(self) -> Platform | None:
        """See :class:`Rule`."""
        if not any(b is not None for e in self.entries for b in e.futility):
            return None
        return replace(self, entries=tuple(replace(e, futility=()) for e in self.entries))

    def cautions(self, design: Design) -> list[str]:
        """See :class:`Rule`."""
        cautions = []
        if self.controls == "all":
            cautions.append(
                "controls that entered before an arm opened are compared with it: its type I error is controlled only "
                "if outcomes do not drift in calendar time"
            )
        if self.multiplicity == "per-arm" and len(self.entries) > 1:
            cautions.append(
                f"alpha bounds the error of each of {len(self.entries)} arms, not that of the family: the chance of "
                "any false claim is higher"
            )
        few = min(e.looks[0] for e in self.entries)
        if few < FEW_EVENTS:
            cautions.append(
                f"an arm is analysed after {few} {'patients' if self.test.name == 'rates' else 'events'}: tests and "
                "boundaries are normal approximations, which so few do not justify"
            )
        return cautions

    def _level(self, design: Design) -> float:
        if design.alpha is None:
            raise InputError("a platform needs alpha")
        return design.alpha / len(self.entries) if self.multiplicity == "family" else design.alpha

    def _critical(self, design: Design, entry: PlatformArm) -> Floats:
        fraction = np.array(entry.looks, dtype=float) / entry.looks[-1]
        return self.spending.critical(self._level(design), fraction, fraction)

    def plan(self, design: Design) -> dict[str, Any]:
        """See :class:`Rule`."""
        return {"bounds": {e.arm: self._critical(design, e) for e in self.entries}, "level": self._level(design)}

    def run(self, design: Design, truth: Truth, streams: Streams, plan: Mapping[str, Any]) -> Decided:
        """See :class:`Rule`."""
        cohort = design.cohort(truth, streams, assign=False)
        u = streams.uniform("arm", cohort.entry.shape[1])
        fits = self._fits(design)
        state = _State.at_start(len(cohort.entry), len(self.entries))
        last_month = self._last_month(cohort)
        month = 0.0
        while month < last_month and state.alive.any():
            following = month + self.review_every
            self._assign(cohort, design, fits=fits, state=state, start=month, end=following, u=u)
            state.closed_at = np.minimum(state.closed_at, self._full(cohort, design.experimental))
            month = following
            for j, e in enumerate(self.entries):
                last = month >= last_month - self.review_every
                look = self._look(cohort, design, j, fits, state, month=month, last=last, bounds=plan["bounds"])
                if look is not None:
                    state.enter(j, look, e, month)
        return self._decided(design, cohort, state, month)

    def _fits(self, design: Design) -> Flags:
        """(J, S) whether each arm is open to each stratum."""
        index = {s: k for k, s in enumerate(design.strata)}
        fits = np.ones((len(self.entries), len(design.strata)), dtype=bool)
        for j, e in enumerate(self.entries):
            if e.strata:
                fits[j] = False
                fits[j, [index[s] for s in e.strata]] = True
        return fits

    def _last_month(self, cohort: Cohort) -> float:
        """Month after which no review is held: four years after the last arm and nearly all patients have entered."""
        last = float(max(e.closes if np.isfinite(e.closes) else e.opens for e in self.entries))
        return max(last, float(np.quantile(cohort.entry[:, -1], 0.9))) + 48.0

    def _look(
        self,
        cohort: Cohort,
        design: Design,
        j: int,
        fits: Flags,
        state: _State,
        *,
        month: float,
        last: bool,
        bounds: Mapping[str, Floats],
    ) -> _Look | None:
        """Analyse an arm in the replicates in which it is due; None where it is due in none.

        Parameters
        ----------
        cohort, design, j
            The patients, and the arm by its number.
        fits
            Whether each arm is open to each stratum.
        state
            What has become of the arms so far.
        month, last
            Month of the review, and whether it is the last one.
        bounds
            Efficacy bounds of each arm.
        """
        e = self.entries[j]
        if month <= e.opens or not state.alive[:, j].any():
            return None
        among = self._compared(cohort, design, j, e, fits, state.closed_at)
        view = cohort.view(self.endpoint, np.full(len(cohort.entry), month), among)
        treated = cohort.arm == design.experimental[j]
        size = (view.use & treated).sum(axis=1) if self.test.name == "rates" else view.event.sum(axis=1)
        target = np.array([*e.looks, e.looks[-1]])[state.next_look[:, j]]
        # an arm that can gain no more data (closed, all patients followed) is analysed for the last time
        exhausted = self._exhausted(cohort, view, treated, among, state.closed_at[:, j], month)
        over = state.alive[:, j] & (exhausted | last)
        rows = np.flatnonzero((state.alive[:, j] & (size >= target)) | over)
        if not len(rows):
            return None
        sub = type(view)(view.time[rows], view.event[rows], view.use[rows])
        z, _ = self.test.evaluate(sub, treated[rows], cohort.stratum[rows])
        number = np.where(over[rows], len(e.looks) - 1, state.next_look[rows, j])
        floor = np.array(
            [(-np.inf if b is None else b) for b in e.futility] + [-np.inf] * (len(e.looks) - len(e.futility))
        )
        return _Look(
            rows=rows,
            number=number,
            final=number == len(e.looks) - 1,
            won=z >= bounds[e.arm][number],
            futile=z < floor[number],
            size=size[rows],
            over=over[rows],
        )

    def _decided(self, design: Design, cohort: Cohort, state: _State, month: float) -> Decided:
        """What the replicates have come to, `month` being that of the last review."""
        decided_at = np.where(np.isnan(state.decided_at), month, state.decided_at)
        early, failed = state.early, state.failed
        extra = {f"months: {e.arm}": decided_at[:, j] - e.opens for j, e in enumerate(self.entries)}
        extra |= {f"ended at an interim look: {e.arm}": early[:, j].astype(float) for j, e in enumerate(self.entries)}
        extra |= {
            f"patients: {design.arms[a].name}": (cohort.arm == a).sum(axis=1).astype(float)
            for a in [*design.experimental, design.control]
        }
        extra[SHORT] = state.short.astype(float)
        return Decided(
            rejected=state.rejected,
            stage=np.ones(len(cohort.entry), dtype=np.int64),
            reason=np.where(failed.all(axis=1), 2, np.where(early.all(axis=1), 1, 0)),
            patients=(cohort.arm >= 0).sum(axis=1).astype(float),
            events=state.events,
            months=decided_at.max(axis=1),
            selected=~failed,
            extra=extra,
        )

    def _assign(
        self,
        cohort: Cohort,
        design: Design,
        *,
        fits: Flags,
        state: _State,
        start: float,
        end: float,
        u: Floats,
    ) -> None:
        """Randomise the patients who enter in an interval among the open arms of their stratum and the control."""
        now = (cohort.entry >= start) & (cohort.entry < end) & (cohort.arm < 0)
        opens = np.array([e.opens for e in self.entries])
        closes = np.array([e.closes for e in self.entries])
        enrolling = state.alive & (state.closed_at > start) & (opens < end) & (closes > start)  # (R, J)
        weight = enrolling[:, None, :] * fits.T[None]  # (R, S, J)
        ratio = np.array([design.arms[k].allocation for k in design.experimental], dtype=float)
        weight = weight * ratio
        arm_events = np.where(
            weight.sum(axis=2) > 0,
            self.control_ratio * (weight.sum(axis=2) / np.maximum((weight > 0).sum(axis=2), 1)),
            0.0,
        )
        full = np.concatenate([weight, arm_events[:, :, None]], axis=2)
        total = full.sum(axis=2, keepdims=True)
        share = np.divide(full, total, out=np.zeros_like(full), where=total > 0)
        edges = np.cumsum(share, axis=2)
        rows, columns = np.nonzero(now)
        if not len(rows):
            return
        stratum = cohort.stratum[rows, columns]
        limits = edges[rows, stratum]
        pick = (u[rows, columns][:, None] > limits[:, :-1]).sum(axis=1)
        arm = np.array([*design.experimental, design.control])[pick]
        nobody = limits[:, -1] <= 0
        # an arm that opens within the interval enrols no patient before its month
        early = np.append(opens, 0.0)[pick] > cohort.entry[rows, columns]
        late = np.append(closes, np.inf)[pick] <= cohort.entry[rows, columns]
        good = ~(nobody | early | late)
        cohort.arm[rows[good], columns[good]] = arm[good]
        cohort.arm[rows[~good], columns[~good]] = -2  # screened, not enrolled
        cohort.enrolled = cohort.arm >= 0
        for e, k in zip(self.entries, design.experimental, strict=True):
            mine = cohort.arm == k
            over = mine & (np.cumsum(mine, axis=1) > e.patients)
            if over.any():
                cohort.arm[over] = -2
                cohort.enrolled &= ~over
        cohort.draw()
        if self.drift != 0.0:
            stretch = (1.0 - self.drift) ** (-cohort.entry / 12.0)
            for outcome in cohort.outcomes.values():
                outcome.time = outcome.time * stretch

    def _full(self, cohort: Cohort, arms: list[int]) -> Floats:
        """(R, J) month at which each arm has its patients; infinite if it never has."""
        out = np.full((len(cohort.entry), len(arms)), np.inf)
        for j, (e, k) in enumerate(zip(self.entries, arms, strict=True)):
            mine = cohort.arm == k
            rank = np.cumsum(mine, axis=1)
            full = rank[:, -1] >= e.patients
            if full.any():
                place = (rank >= e.patients).argmax(axis=1)
                out[full, j] = cohort.entry[np.flatnonzero(full), place[full]]
        return out

    def _compared(
        self, cohort: Cohort, design: Design, j: int, entry: PlatformArm, fits: Flags, closed_at: Floats
    ) -> Flags:
        """Patients of the arm and the control patients that it is compared with."""
        mine = cohort.arm == design.experimental[j]
        control = (cohort.arm == design.control) & fits[j][cohort.stratum]
        if self.controls == "concurrent":
            until = np.minimum(closed_at[:, j], entry.closes)[:, None]
            control &= (cohort.entry >= entry.opens) & (cohort.entry <= until)
        value: Flags = mine | control
        return value

    def _exhausted(
        self, cohort: Cohort, view: Any, treated: Flags, among: Flags, closed: Floats, month: float
    ) -> Flags:
        outcome = cohort.outcomes[self.endpoint]
        coming = among & (cohort.entry + np.minimum(np.minimum(outcome.time, outcome.lost), cohort.dropout) > month)
        if cohort.endpoint(self.endpoint).kind == "response":
            coming = among & (cohort.entry + cohort.endpoint(self.endpoint).months > month)
        entering = (cohort.arm == -1).any(axis=1) & (closed > month)
        value: Flags = ~coming.any(axis=1) & ~entering & (view.use & treated).any(axis=1)
        return value

    def expected_table(self, design: Design, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
        """See :class:`Rule`."""
        rows = []
        for e in self.entries:
            for k, look in enumerate(e.looks):
                unit = (
                    "patients in the arm" if self.test.name == "rates" else f"{self.endpoint} events (arm and controls)"
                )
                bound = float(plan["bounds"][e.arm][k])
                rows.append(
                    {
                        "hypothesis": e.arm,
                        "look": k + 1,
                        "at": f"{look} {unit}",
                        "test": str(self.test),
                        "information": look / e.looks[-1],
                        "efficacy_z": bound,
                        "efficacy_p": float(special.ndtr(-bound)),
                        "futility_z": e.futility[k] if k < len(e.futility) else None,
                    }
                )
        return rows
