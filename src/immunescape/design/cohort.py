"""Simulated patients of many replicates at once: entry, stratum, arm, outcomes, and the data seen by an analysis."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from immunescape.design.survival_model import Accrual
from immunescape.design.truth import Endpoint, EndpointOutcome, Truth, preclude
from immunescape.errors import InputError
from immunescape.stats.nonproportional import OrderedData, ordered

__all__ = ["Cohort", "Milestone", "Streams", "View", "allocate", "arrivals"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Streams:
    """Random numbers of one block of replicates, one stream per purpose.

    A stream depends on (seed, block, purpose) alone and is drawn patient by patient, so that two designs of different
    size share the numbers of the patients that they have in common.
    """

    seed: int
    block: int
    replicates: int

    def uniform(self, purpose: str, patients: int) -> Floats:
        """(R, N) uniforms in the open unit interval."""
        key = (self.block, zlib.crc32(purpose.encode()))
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key)))
        u = rng.random((patients, self.replicates))
        return np.ascontiguousarray(np.clip(u, 1e-16, 1 - 1e-16).T)

    def rng(self, purpose: str) -> np.random.Generator:
        """A generator for draws of another shape."""
        key = (self.block, zlib.crc32(purpose.encode()))
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key)))


def arrivals(accrual: Accrual, u: Floats) -> Floats:
    """(R, N) entry months: a Poisson process with the accrual rates, the last of which continues."""
    need = np.cumsum(-np.log(u), axis=1)
    edges = np.concatenate([[0.0], np.cumsum(accrual.durations)])
    entered = np.concatenate([[0.0], np.cumsum(np.multiply(accrual.rates, accrual.durations))])
    if accrual.rates[-1] <= 0:
        raise InputError("the last accrual rate must be above 0")
    beyond = need > entered[-1]
    month = np.interp(need, entered, edges)
    values: Floats = np.where(beyond, edges[-1] + (need - entered[-1]) / accrual.rates[-1], month)
    return values


def allocate(u: Floats, weights: Sequence[float], stratum: Ints | None = None) -> Ints:
    """(R, N) arms by permuted blocks, within strata where given.

    Parameters
    ----------
    u : (R, N) uniforms. weights : patients of each arm in a block (integers; 0 leaves the arm out).
    """
    counts = np.asarray(np.round(weights), dtype=np.int64)
    if np.any(np.abs(counts - np.asarray(weights)) > 1e-9) or counts.sum() < 1:
        raise InputError(f"allocation is given in whole numbers, such as 1:1 or 2:1, not {list(weights)}")
    counts = counts // np.gcd.reduce(counts)
    if counts.max() == 1:
        counts = counts * 2  # blocks of four rather than two, so that the second patient is not predictable
    order = np.repeat(np.arange(len(counts)), counts)
    size = len(order)
    replicates, patients = u.shape
    blocks = -(-patients // size)
    filler = np.mod(u[:, : blocks * size - patients] + 0.5, 1.0)
    padded = np.concatenate(
        [u, filler, np.zeros((replicates, max(blocks * size - patients - filler.shape[1], 0)))], axis=1
    )
    rank = np.argsort(padded.reshape(replicates, blocks, size), axis=2)
    sequence = order[rank].reshape(replicates, -1)
    if stratum is None:
        return sequence[:, :patients]
    arm = np.empty(u.shape, dtype=np.int64)
    for level in np.unique(stratum):
        here = stratum == level
        place = np.cumsum(here, axis=1) - 1
        shifted = np.roll(sequence, int(level) * (blocks // 3) * size, axis=1)  # another part of the list
        arm[here] = np.take_along_axis(shifted, np.maximum(place, 0), axis=1)[here]
    return arm


@dataclass(frozen=True, kw_only=True)
class Milestone:
    """When an analysis happens: exactly one of events, months or patients.

    Attributes
    ----------
    events : events of `endpoint` (in the arms still compared). months : calendar month after the first entry.
    patients : once this many have entered and been followed for `follow_up` months.
    earliest, latest : calendar months that bound it; an analysis takes place at the latest when data are complete.
    strata : strata whose events or patients count (empty: all).
    """

    events: int | None = None
    months: float | None = None
    patients: int | None = None
    endpoint: str | None = None
    follow_up: float = 0.0
    earliest: float = 0.0
    latest: float = np.inf
    strata: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        given = [v for v in (self.events, self.months, self.patients) if v is not None]
        if len(given) != 1:
            raise InputError("a look is set by exactly one of events, months and patients")
        if given[0] <= 0:
            raise InputError(f"a look needs a number above 0, not {given[0]}")
        if self.events is not None and self.endpoint is None:
            raise InputError("a look by events needs the endpoint whose events count")
        if not 0 <= self.earliest <= self.latest:
            raise InputError(f"a look not before month {self.earliest:g} and not after month {self.latest:g}")
        if self.strata and self.months is not None:
            raise InputError("a look at a calendar month has no strata")

    @property
    def size(self) -> float:
        """The number that sets it."""
        return float(next(v for v in (self.events, self.months, self.patients) if v is not None))

    def __str__(self) -> str:
        among = f" in {', '.join(self.strata)}" if self.strata else ""
        if self.events is not None:
            return f"{self.events} {self.endpoint} events{among}"
        if self.months is not None:
            return f"month {self.months:g}"
        return f"{self.patients} patients{among}" + (f" followed {self.follow_up:g} months" if self.follow_up else "")


@dataclass
class View:
    """Data of one endpoint at an analysis: (R, N) months, whether the event was seen, whether the patient counts."""

    time: Floats
    event: Flags
    use: Flags
    _ordered: OrderedData | None = None

    def ordered(self, treated: Flags) -> OrderedData:
        """The patients by time, for one division into two arms (ordered once)."""
        if self._ordered is None:
            self._ordered = ordered(self.time, self.event, treated)  # patients that do not count have -1 and no event
        return self._ordered


@dataclass(kw_only=True)
class Cohort:
    """Patients of R replicates in order of entry.

    Attributes
    ----------
    entry : (R, N) calendar months. stratum, arm : (R, N) indices. dropout : (R, N) months after entry.
    enrolled : (R, N) whether the patient belongs to the trial at all (a design may stop enrolling).
    """

    streams: Streams
    truth: Truth
    endpoints: tuple[Endpoint, ...]
    entry: Floats
    stratum: Ints
    arm: Ints
    dropout: Floats
    enrolled: Flags
    latent: dict[str, Floats]
    outcomes: dict[str, EndpointOutcome] = field(default_factory=dict)

    @classmethod
    def create(
        cls,
        streams: Streams,
        truth: Truth,
        endpoints: Sequence[Endpoint],
        *,
        patients: int,
        accrual: Accrual,
        dropout: float,
        weights: Sequence[float] | None,
        by_stratum: bool = True,
        shares: Sequence[float] | None = None,
    ) -> Cohort:
        """Draw everything that does not depend on decisions; without `weights` no arm is assigned yet (all -1)."""
        entry = arrivals(accrual, streams.uniform("entry", patients))
        stratum = np.zeros(entry.shape, dtype=np.int64)
        if len(truth.strata) > 1:
            edges = np.cumsum(truth.shares if shares is None else shares)[:-1]
            stratum = np.searchsorted(edges, streams.uniform("stratum", patients), side="right")
        arm = np.full(entry.shape, -1, dtype=np.int64)
        if weights is not None:
            split = stratum if by_stratum and len(truth.strata) > 1 else None
            arm = allocate(streams.uniform("arm", patients), weights, split)
        lost = np.full(entry.shape, np.inf)
        if dropout > 0:
            lost = -np.log(streams.uniform("dropout", patients)) / dropout
        latent = {
            name: streams.uniform(f"latent {name}", patients) for name in ("shared", *(e.name for e in endpoints))
        }
        if getattr(truth, "prognostic", None) is not None:
            latent["score"] = streams.uniform("latent score", patients)
        cohort = cls(
            streams=streams,
            truth=truth,
            endpoints=tuple(endpoints),
            entry=entry,
            stratum=stratum,
            arm=arm,
            dropout=lost,
            enrolled=np.ones(entry.shape, dtype=bool),
            latent=latent,
        )
        if weights is not None:
            cohort.draw()
        return cohort

    def draw(self) -> None:
        """(Re)draw the outcomes, for the arms as they are; a patient whose arm stays keeps the outcome."""
        drawn = self.truth.draw(self.endpoints, self.arm, self.stratum, self.latent)
        self.outcomes = preclude(self.endpoints, drawn)

    def score(self) -> Floats | None:
        """(R, N) prognostic scores, None where the truth has none."""
        return self.truth.score(self.arm, self.stratum, self.latent)

    def endpoint(self, name: str) -> Endpoint:
        """An endpoint by name."""
        return next(e for e in self.endpoints if e.name == name)

    def event_months(self, endpoint: str, among: Flags | None = None) -> Floats:
        """(R, N) calendar months at which events reach the analysis, increasing; infinite where there is none."""
        outcome = self.outcomes[endpoint]
        seen = (outcome.time <= np.minimum(self.dropout, outcome.lost)) & self.enrolled
        if among is not None:
            seen &= among
        return np.sort(np.where(seen, self.entry + outcome.time, np.inf), axis=1) + self.endpoint(endpoint).lag

    def members(self, strata: Sequence[str]) -> Flags | None:
        """(R, N) patients of some strata; None for all of them."""
        if not strata or set(strata) == set(self.truth.strata):
            return None
        return np.isin(self.stratum, [self.truth.strata.index(s) for s in strata])

    def events_by(self, look: Milestone, month: ArrayLike) -> Ints:
        """(R,) events that a look counts, by a month."""
        value: Ints = self.view(str(look.endpoint), month, self.members(look.strata)).event.sum(axis=1)
        return value

    def month_of(self, look: Milestone, among: Flags | None = None, events: ArrayLike | None = None) -> Floats:
        """(R,) calendar month of a look; `events` (R,) replaces the look's number of events, or of patients."""
        inside = self.members(look.strata)
        if inside is not None:
            among = inside if among is None else among & inside
        last = np.where(self.enrolled, self.entry, 0.0).max(axis=1)
        if look.months is not None:
            return np.full(len(self.entry), float(look.months))
        if look.patients is not None:
            rank = np.cumsum(self.enrolled if among is None else self.enrolled & among, axis=1)
            reached = (
                rank >= np.broadcast_to(np.asarray(look.patients if events is None else events), (len(rank),))[:, None]
            )
            # if that many are never enrolled, the last enrolled patient
            place = np.where(reached.any(axis=1), reached.argmax(axis=1), rank.argmax(axis=1))
            month = self.entry[np.arange(len(place)), place] + look.follow_up
        else:
            months = self.event_months(str(look.endpoint), among)
            target = np.broadcast_to(np.asarray(look.events if events is None else events), (len(months),))
            place = np.clip(np.ceil(target).astype(np.int64) - 1, 0, months.shape[1] - 1)
            month = months[np.arange(len(months)), place]
            resolved = np.where(np.isfinite(months), months, -np.inf).max(axis=1)
            month = np.where(np.isfinite(month), month, np.maximum(np.maximum(resolved, last), 0.0) + 1e-6)
        values: Floats = np.clip(month, look.earliest, look.latest) + 1e-9
        return values

    def view(self, endpoint: str, month: ArrayLike, among: Flags | None = None) -> View:
        """Data seen by an analysis at calendar `month` (R,)."""
        spec, outcome = self.endpoint(endpoint), self.outcomes[endpoint]
        cut = np.broadcast_to(np.asarray(month, dtype=float), (len(self.entry),))[:, None] - spec.lag
        followed = cut - self.entry
        use = (followed > 0) & self.enrolled
        if among is not None:
            use &= among
        if spec.kind == "response":
            use &= followed >= spec.months
            return View(np.where(use, 1.0, -1.0), np.isfinite(outcome.time) & (self.dropout >= spec.months) & use, use)
        end = np.minimum(np.minimum(followed, self.dropout), outcome.lost)
        event = (outcome.time <= end) & use
        return View(np.where(use, np.minimum(outcome.time, end), -1.0), event, use)

    def enrolled_by(self, month: ArrayLike) -> NDArray[np.int64]:
        """(R,) patients that have entered by a month."""
        cut = np.broadcast_to(np.asarray(month, dtype=float), (len(self.entry),))[:, None]
        values: NDArray[np.int64] = (self.enrolled & (self.entry <= cut)).sum(axis=1)
        return values
