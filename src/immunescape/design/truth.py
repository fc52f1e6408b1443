"""True outcomes of the patients of a trial: simple generators or a virtual population, behind one interface.

A truth turns uniform random numbers into outcomes, given the arm and the stratum of each patient. The same numbers give
the same patient in every design and scenario that is compared. The null of a truth draws every arm from the control.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special

from immunescape.design.pool_copies import check_unique
from immunescape.design.prognostic import PrognosticScore
from immunescape.design.progression import Progression, time_to_progression
from immunescape.design.survival_model import PiecewiseExponential
from immunescape.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SCORE", "Endpoint", "EndpointOutcome", "Generator", "Rate", "Truth", "VirtualPool", "preclude"]

Floats = NDArray[np.float64]
SCORE = "prognostic_score"
COMPOSITES = ("pfs", "dfs", "efs", "rfs", "ifs", "mfs")
"""Endpoints of which death is a part, beside an endpoint ``os``: progression-, disease-, event-free survival, …"""


@dataclass(frozen=True)
class Endpoint:
    """What is measured.

    Attributes
    ----------
    name : e.g. ``os``, ``pfs``, ``orr``. kind : ``survival`` or ``response``.
    visits_every : months between assessments; an event is seen at the next one (0: seen at once).
    lag : months that data take to reach the analysis. months : when a response is read, after entry.
    competing : survival endpoint whose event, where it is seen first, precludes this one (empty: none).
    precluded : how such a patient is analysed: ``censored`` at the competing event (cause-specific hazards, log-rank),
        or ``kept`` at risk up to the end of follow-up (subdistribution hazards, Gray's test).
    """

    name: str
    _: KW_ONLY
    kind: str = "survival"
    visits_every: float = 0.0
    lag: float = 0.0
    months: float = 0.0
    competing: str = ""
    precluded: str = "censored"

    def __post_init__(self) -> None:
        if self.precluded not in ("censored", "kept"):
            raise InputError(f"endpoint '{self.name}': precluded patients are censored or kept, not '{self.precluded}'")
        if self.competing and (self.kind != "survival" or self.competing == self.name):
            raise InputError(f"endpoint '{self.name}' has no competing event '{self.competing}'")
        if self.kind not in ("survival", "response"):
            raise InputError(f"endpoint '{self.name}' is of kind survival or response, not '{self.kind}'")
        if min(self.visits_every, self.lag, self.months) < 0:
            raise InputError(f"endpoint '{self.name}': months are at least 0")


@dataclass(frozen=True)
class Rate:
    """Probability of a response."""

    probability: float

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise InputError(f"a rate must lie between 0 and 1, not {self.probability}")


@dataclass
class EndpointOutcome:
    """Outcome of one endpoint: (R, N) months to the event (infinite: never) and months to loss from observation.

    A response is months to its reading, infinite for those who do not respond; everybody is read at that time.
    """

    time: Floats
    lost: Floats


class Truth(Protocol):
    """Anything that outcomes can be drawn from."""

    arms: tuple[str, ...]
    strata: tuple[str, ...]
    shares: tuple[float, ...]

    def draw(
        self,
        endpoints: Sequence[Endpoint],
        arm: NDArray[np.int64],
        stratum: NDArray[np.int64],
        latent: Mapping[str, Floats],
    ) -> dict[str, EndpointOutcome]:
        """Outcomes of patients in `arm` and `stratum`; `latent` holds one uniform per patient, by name."""
        ...

    def score(self, arm: NDArray[np.int64], stratum: NDArray[np.int64], latent: Mapping[str, Floats]) -> Floats | None:
        """(R, N) prognostic scores, or None where the truth has none."""
        ...

    def null(self, control: str, margins: Mapping[str, float] | None = None) -> Truth:
        """The same truth with every arm drawn from `control`.

        `margins` (endpoint -> hazard ratio) sets the other arms at the edge of a non-inferiority margin.
        """
        ...


def observe(endpoint: Endpoint, time: Floats) -> Floats:
    """Month at which an event is seen: at the next visit."""
    if endpoint.visits_every <= 0:
        return time
    finite = np.isfinite(time)
    step = endpoint.visits_every
    return np.where(finite, np.ceil(np.where(finite, time, 0.0) / step - 1e-9) * step, np.inf)


def preclude(endpoints: Sequence[Endpoint], drawn: Mapping[str, EndpointOutcome]) -> dict[str, EndpointOutcome]:
    """Outcomes with events taken away that a competing event comes before, all endpoints by their original times.

    A patient who is kept at risk after the competing event has the subdistribution's risk set [fine1999].
    """
    out = dict(drawn)
    for endpoint in endpoints:
        if not endpoint.competing:
            continue
        this, other = drawn[endpoint.name], drawn[endpoint.competing]
        first = other.time < this.time
        # known censoring: patients who stay at risk do so until the end of the follow-up that they would have had
        lost = np.where(first, other.time, np.inf) if endpoint.precluded == "censored" else np.full(first.shape, np.inf)
        out[endpoint.name] = EndpointOutcome(np.where(first, np.inf, this.time), np.minimum(this.lost, lost))
    return out


@dataclass(frozen=True)
class Generator:
    """Piecewise-exponential survival and binary responses for each arm, stratum and endpoint.

    Attributes
    ----------
    parts : (arm, stratum, endpoint) -> generator. correlation : of the endpoints of one patient (Gaussian copula; a
        long survival goes with a long progression-free survival and with a response). Where ``os`` and a composite with
        death (``pfs``, ``dfs``, ``efs``, …) are both there, progression-free survival is the smaller of the time to
        progression and survival, and the time to progression is such that both keep the distributions that were given
        (:func:`time_to_progression`).
    prognostic : a score that predicts an endpoint and is known before randomisation.
    """

    arms: tuple[str, ...]
    strata: tuple[str, ...]
    shares: tuple[float, ...]
    parts: Mapping[tuple[str, str, str], PiecewiseExponential | Rate]
    correlation: float = 0.0
    prognostic: PrognosticScore | None = None

    def __post_init__(self) -> None:
        if len(self.strata) != len(self.shares) or abs(sum(self.shares) - 1) > 1e-6 or min(self.shares) < 0:
            raise InputError(f"shares of the strata add up to 1, not {sum(self.shares):g}")
        if not 0 <= self.correlation < 1:
            raise InputError(f"the correlation of endpoints must lie between 0 and 1, not {self.correlation}")
        for arm, stratum, endpoint in self.parts:
            if endpoint.casefold() in COMPOSITES:
                self._progression(arm, stratum, endpoint)  # rejects an impossible pair

    def _progression(self, arm: str, stratum: str, composite: str) -> Progression | None:
        """Time to progression of an arm and stratum where a composite with death and survival are both given."""
        death = next((e for _, _, e in self.parts if e.casefold() == "os"), "os")
        pfs, survival = (self.parts.get((arm, stratum, e)) for e in (composite, death))
        if not isinstance(pfs, PiecewiseExponential) or not isinstance(survival, PiecewiseExponential):
            return None
        try:
            return time_to_progression(pfs, survival, self.correlation)
        except InputError as error:
            raise InputError(
                f"arm '{arm}', stratum '{stratum}', endpoint '{composite}': {error.message}", hint=error.hint
            ) from error

    def outcome_model(self, arm: str, stratum: str, endpoint: str) -> PiecewiseExponential | Rate:
        """Generator of one arm, stratum and endpoint."""
        try:
            return self.parts[arm, stratum, endpoint]
        except KeyError:
            raise InputError(
                f"the truth says nothing about '{endpoint}' in arm '{arm}', stratum '{stratum}'",
                hint="Add an entry for this arm, stratum and endpoint.",
            ) from None

    def draw(
        self,
        endpoints: Sequence[Endpoint],
        arm: NDArray[np.int64],
        stratum: NDArray[np.int64],
        latent: Mapping[str, Floats],
    ) -> dict[str, EndpointOutcome]:
        """See :class:`Truth`; uses the uniforms named ``shared`` and by endpoint."""
        drawn: dict[str, EndpointOutcome] = {}
        death = next((e.name for e in endpoints if e.name.casefold() == "os"), None)
        composites = [e.name for e in endpoints if death is not None and e.name.casefold() in COMPOSITES]
        never = np.full(arm.shape, np.inf)
        for endpoint in endpoints:
            u = self._uniform(endpoint.name, latent)
            time = np.full(arm.shape, np.inf)
            for a, name in enumerate(self.arms):
                for s, level in enumerate(self.strata):
                    here = (arm == a) & (stratum == s)
                    if not here.any():
                        continue
                    survival = self.outcome_model(name, level, endpoint.name)
                    if isinstance(survival, Rate):
                        time[here] = np.where(1.0 - u[here] < survival.probability, endpoint.months, np.inf)
                    else:
                        progression = (
                            self._progression(name, level, endpoint.name) if endpoint.name in composites else None
                        )
                        time[here] = (progression or survival).quantile(u[here])
            drawn[endpoint.name] = EndpointOutcome(time, never)
        for composite in composites:
            drawn[composite] = EndpointOutcome(np.minimum(drawn[composite].time, drawn[str(death)].time), never)
        for endpoint in endpoints:
            if endpoint.kind == "survival":
                drawn[endpoint.name].time = observe(endpoint, drawn[endpoint.name].time)
        return drawn

    def _uniform(self, endpoint: str, latent: Mapping[str, Floats]) -> Floats:
        """(R, N) uniforms that the outcomes of an endpoint are drawn with, correlated between endpoints."""
        u = latent[endpoint]
        if self.correlation > 0:
            r = np.sqrt(self.correlation)
            u = special.ndtr(r * special.ndtri(latent["shared"]) + np.sqrt(1 - r * r) * special.ndtri(u))
        return np.asarray(u)

    def score(self, arm: NDArray[np.int64], stratum: NDArray[np.int64], latent: Mapping[str, Floats]) -> Floats | None:
        """See :class:`Truth`; uses the uniform named ``score``."""
        if self.prognostic is None:
            return None
        return self.prognostic.draw(self._uniform(self.prognostic.endpoint, latent), latent["score"])

    def null(self, control: str, margins: Mapping[str, float] | None = None) -> Generator:
        """See :class:`Truth`."""
        parts = {(a, s, e): self.outcome_model(control, s, e) for (a, s, e) in self.parts}
        for (arm, stratum, endpoint), survival in list(parts.items()):
            ratio = (margins or {}).get(endpoint, 1.0)
            if arm != control and ratio != 1.0 and isinstance(survival, PiecewiseExponential):
                parts[arm, stratum, endpoint] = survival.with_effect(ratio)
        return Generator(self.arms, self.strata, self.shares, parts, self.correlation, self.prognostic)


@dataclass(frozen=True, eq=False)
class VirtualPool:
    """Virtual patients of a virtual trial, drawn with replacement.

    Attributes
    ----------
    rows : (arm, stratum) -> columns ``<endpoint>_months`` and ``<endpoint>_event``, or ``<endpoint>`` (1 or 0).
    source : where the patients come from, for reports. error : standard error of the pool's own log hazard ratios.
    """

    arms: tuple[str, ...]
    strata: tuple[str, ...]
    shares: tuple[float, ...]
    rows: Mapping[tuple[str, str], Mapping[str, Floats]]
    source: str = ""

    @classmethod
    def from_table(
        cls,
        table: pd.DataFrame,
        arms: Sequence[str],
        endpoints: Sequence[Endpoint],
        *,
        strata: Mapping[str, tuple[str, float, float]] | None = None,
        source: str = "",
    ) -> VirtualPool:
        """Pool from a table of patients (arm, pfs_months, pfs_event, os_months, os_event, orr, covariates).

        Parameters
        ----------
        strata : stratum -> (covariate, lowest, highest), both included; one stratum ``all`` without it.
        """
        names = tuple(strata) if strata else ("all",)
        rows: dict[tuple[str, str], dict[str, Floats]] = {}
        counts = dict.fromkeys(names, 0)
        if "arm" not in table:
            raise InputError("the virtual population has no column 'arm'", hint=f"Columns: {', '.join(table.columns)}.")
        if strata:
            _check_partition(table[table["arm"].isin(list(arms))], strata)
        for arm in arms:
            of_arm = table[table["arm"] == arm]
            if of_arm.empty:
                raise InputError(
                    f"the virtual population has no arm '{arm}'", hint=f"Arms: {sorted(set(table['arm']))}."
                )
            for name in names:
                chosen = of_arm
                if strata:
                    column, low, high = strata[name]
                    if column not in of_arm:
                        raise InputError(f"the virtual population has no covariate '{column}'")
                    chosen = of_arm[(of_arm[column] >= low) & (of_arm[column] <= high)]
                if len(chosen) < 20:
                    raise InputError(
                        f"only {len(chosen)} virtual patients in arm '{arm}', stratum '{name}'",
                        hint="Simulate a larger pool or widen the stratum.",
                    )
                counts[name] += len(chosen)
                columns = {} if SCORE not in chosen else {SCORE: chosen[SCORE].to_numpy(dtype=float)}
                for e in endpoints:
                    needed = [f"{e.name}_months", f"{e.name}_event"] if e.kind == "survival" else [e.name]
                    for column in needed:
                        if column not in chosen:
                            raise InputError(f"the virtual population has no column '{column}'")
                        columns[column] = _checked_column(chosen, column, arm)
                    if e.kind == "survival" and not columns[f"{e.name}_event"].any():
                        raise InputError(
                            f"the virtual population has no {e.name} event in arm '{arm}', stratum '{name}'",
                            hint=f"'{e.name}_event' is 1 where the event happened.",
                        )
                rows[arm, name] = columns
        check_unique(table, arms, [e.name for e in endpoints if e.kind == "survival"])
        total = sum(counts.values())
        return cls(tuple(arms), names, tuple(counts[n] / total for n in names), rows, source)

    def size(self, arm: str) -> int:
        """Virtual patients of an arm."""
        return sum(len(next(iter(c.values()))) for (a, _), c in self.rows.items() if a == arm)

    def draw(
        self,
        endpoints: Sequence[Endpoint],
        arm: NDArray[np.int64],
        stratum: NDArray[np.int64],
        latent: Mapping[str, Floats],
    ) -> dict[str, EndpointOutcome]:
        """See :class:`Truth`; uses the uniform named ``shared`` (all endpoints of a patient come from one row)."""
        drawn = {e.name: EndpointOutcome(np.full(arm.shape, np.inf), np.full(arm.shape, np.inf)) for e in endpoints}
        for a, name in enumerate(self.arms):
            for s, level in enumerate(self.strata):
                here = (arm == a) & (stratum == s)
                if not here.any():
                    continue
                columns = self.rows[name, level]
                count = len(next(iter(columns.values())))
                row = np.minimum((latent["shared"][here] * count).astype(np.int64), count - 1)
                for e in endpoints:
                    target = drawn[e.name]
                    if e.kind == "response":
                        target.time[here] = np.where(columns[e.name][row] > 0.5, e.months, np.inf)
                        continue
                    months, event = columns[f"{e.name}_months"][row], columns[f"{e.name}_event"][row] > 0.5
                    target.time[here] = np.where(event, months, np.inf)
                    target.lost[here] = np.where(event, np.inf, months)
        for e in endpoints:
            if e.kind == "survival":
                drawn[e.name].time = observe(e, drawn[e.name].time)
        return drawn

    def score(self, arm: NDArray[np.int64], stratum: NDArray[np.int64], latent: Mapping[str, Floats]) -> Floats | None:
        """See :class:`Truth`: that of the row which a patient is drawn from."""
        if any(SCORE not in columns for columns in self.rows.values()):
            return None
        out = np.zeros(arm.shape)
        for a, name in enumerate(self.arms):
            for s, level in enumerate(self.strata):
                here = (arm == a) & (stratum == s)
                values = self.rows[name, level][SCORE]
                out[here] = values[np.minimum((latent["shared"][here] * len(values)).astype(np.int64), len(values) - 1)]
        return out

    def resampled(self, rng: np.random.Generator) -> VirtualPool:
        """A bootstrap sample: as many virtual patients of each arm and stratum, drawn with replacement."""
        rows = {}
        for key, columns in self.rows.items():
            count = len(next(iter(columns.values())))
            chosen = rng.integers(0, count, count)
            rows[key] = {name: values[chosen] for name, values in columns.items()}
        return VirtualPool(self.arms, self.strata, self.shares, rows, self.source)

    def null(self, control: str, margins: Mapping[str, float] | None = None) -> VirtualPool:
        """See :class:`Truth`."""
        if margins:
            raise InputError(
                "a virtual population has no null of a non-inferiority test",
                hint="Give the scenario as medians or hazards; the null then has the margin as its hazard ratio.",
            )
        rows = {(a, s): self.rows[control, s] for (a, s) in self.rows}
        return VirtualPool(self.arms, self.strata, self.shares, rows, self.source)


LONGEST_MONTHS = 600
"""Months of follow-up of a virtual patient above which a time is assumed to be in another unit."""


def _checked_column(rows: pd.DataFrame, column: str, arm: str) -> Floats:
    """Numbers of one column of virtual patients, complete and possible.

    Raises
    ------
    InputError
        Naming the column, the arm, how many rows are wrong and the first of them.
    """
    try:
        values = rows[column].to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        raise InputError(f"the column '{column}' of the virtual population does not contain numbers") from None
    problems = {"is missing or not finite": ~np.isfinite(values)}
    if column.endswith("_months"):
        problems["is negative"] = values < 0
        problems[f"is beyond {LONGEST_MONTHS} months (days?)"] = values > LONGEST_MONTHS
    else:
        problems["is neither 0 nor 1"] = np.isfinite(values) & ~np.isin(values, (0.0, 1.0))
    for complaint, wrong in problems.items():
        if wrong.any():
            raise InputError(
                f"'{column}' {complaint} for {int(wrong.sum())} virtual patients of arm '{arm}' (first: row "
                f"{rows.index[int(np.argmax(wrong))]})",
                hint="Remove these patients, or simulate the pool again.",
            )
    return values


def _check_partition(table: pd.DataFrame, strata: Mapping[str, tuple[str, float, float]]) -> None:
    """Reject strata that share virtual patients or leave some out: shares and effects would refer to other patients."""
    member = np.zeros(len(table), dtype=np.int64)
    for column, low, high in strata.values():
        if column not in table:
            raise InputError(
                f"the virtual population has no covariate '{column}'", hint=f"Columns: {', '.join(table.columns)}."
            )
        values = table[column].to_numpy(dtype=float, na_value=np.nan)
        member += (values >= low) & (values <= high)
    for wrong, complaint, hint in (
        (member > 1, "lie in more than one stratum", "Ranges include both ends: let one end just below the next."),
        (member == 0, "lie in no stratum", "Add a stratum for them, or restrict the trial's eligibility instead."),
    ):
        if wrong.any():
            raise InputError(f"{int(wrong.sum())} of {len(table)} virtual patients {complaint}", hint=hint)
