"""What a group-sequential test tests: hypotheses, their populations and looks, spending, futility."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from immunescape.design.boundaries import SPENDING, Boundaries, boundaries, check_parameter, spend
from immunescape.design.cohort import Milestone
from immunescape.design.recursion import next_critical_value, running_density
from immunescape.design.statistics import LOG_RANK, RATES, Statistic
from immunescape.design.truth import Endpoint
from immunescape.errors import InputError, unknown_word

__all__ = ["OBRIEN_FLEMING_LIKE", "BetaSpending", "EarlyFutility", "Hypothesis", "Spending"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spending:
    """How a type I error is spent over the looks: a boundary family and its parameter."""

    family: str = "lan-demets-obrien-fleming"
    parameter: float = 0.0

    def __post_init__(self) -> None:
        check_parameter(self.family, self.parameter)

    def critical(self, alpha: float, spent_at: Floats, information: Floats) -> Floats:
        """(K,) boundaries; error is spent by `spent_at`, the looks correlate by `information` (both end at 1)."""
        return _critical(self.family, self.parameter, round(alpha, 12), tuple(spent_at), tuple(information))


OBRIEN_FLEMING_LIKE = Spending()


@lru_cache(maxsize=4096)
def _critical(
    family: str, parameter: float, alpha: float, spent_at: tuple[float, ...], information: tuple[float, ...]
) -> Floats:
    info = np.array(information)
    if len(info) == 1:
        return np.array([stats.norm.isf(alpha)])
    if family not in SPENDING:
        return boundaries(family, info, alpha=alpha, parameter=parameter).efficacy
    spent = np.diff(spend(family, np.array(spent_at), alpha, parameter), prepend=0.0)
    values, density = np.empty(len(info)), None
    for k, (i, p) in enumerate(zip(info, spent, strict=True)):
        values[k] = next_critical_value(density, i, p)
        density = running_density(density, i, 0.0, -np.inf, values[k])
    return values


@dataclass(frozen=True)
class Hypothesis:
    """One hypothesis (experimental better than control).

    Attributes
    ----------
    name, endpoint, test : what is tested. share : share of alpha at the start.
    strata : strata whose patients are compared (empty: all patients), for nested biomarker populations.
    looks : looks (1, 2, ...) at which it is tested and spends alpha (empty: every look).
    """

    name: str
    endpoint: str
    test: Statistic = LOG_RANK
    share: float = 1.0
    strata: tuple[str, ...] = ()
    looks: tuple[int, ...] = ()

    def tested_at(self, looks: int) -> list[int]:
        """Indices (from 0) of the looks at which it is tested, of `looks` in all."""
        return [k - 1 for k in self.looks] if self.looks else list(range(looks))

    def check(self, looks: int, strata: tuple[str, ...]) -> None:
        """Refuse looks and strata that the design does not have."""
        if self.looks and (min(self.looks) < 1 or max(self.looks) > looks or any(np.diff(self.looks) <= 0)):
            raise InputError(
                f"hypothesis '{self.name}' is tested at looks {list(self.looks)}, but the looks are 1 to {looks}",
                hint="Name them once each, in order.",
            )
        for name in self.strata:
            if name not in strata:
                raise unknown_word("stratum", name, strata)
        if len(set(self.strata)) != len(self.strata):
            raise InputError(f"hypothesis '{self.name}' names a stratum twice")

    def counts(self, look: Milestone) -> bool:
        """Whether a look is set by this hypothesis's own events (or by patients, for a response)."""
        if look.events is not None:
            return look.endpoint == self.endpoint and set(look.strata) == set(self.strata)
        return look.patients is not None and self.test.name == "rates" and set(look.strata) == set(self.strata)

    def reads_all(self, look: Milestone, endpoint: Endpoint, patients: int) -> bool:
        """Whether a look by patients reads the response of just those patients: not fewer, and not later ones as well.

        A response is read some months after entry; a look that comes sooner lacks the last patients, and one that comes
        later reads patients who entered after those that it counts (unless none do: `patients` is the size of the
        trial).
        """
        read_after = endpoint.months + endpoint.lag
        if look.patients is not None and look.patients >= patients:
            return look.follow_up >= read_after - 1e-9
        return abs(look.follow_up - read_after) <= 1e-9


@dataclass(frozen=True)
class BetaSpending:
    """Futility bounds that spend a type II error over the looks of the first hypothesis."""

    beta: float
    family: str = "lan-demets-obrien-fleming"
    parameter: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.beta < 0.5:
            raise InputError(
                f"beta must lie between 0 and 0.5, not {self.beta:g}", hint="0.1 corresponds to 90 % power."
            )
        if self.family not in SPENDING:
            raise unknown_word("spending function", self.family, SPENDING)
        check_parameter(self.family, self.parameter)

    def bounds(self, spending: Spending, alpha: float, information: Floats, *, binding: bool) -> Boundaries:
        """Efficacy and futility bounds of a hypothesis with the level `alpha`."""
        return boundaries(
            spending.family,
            information,
            alpha=alpha,
            beta=self.beta,
            parameter=spending.parameter,
            futility=self.family,
            futility_parameter=self.parameter,
            binding=binding,
        )


@dataclass(frozen=True)
class EarlyFutility:
    """Futility by an endpoint that is read earlier (response, ctDNA, progression-free survival) at a look.

    Stop where the early endpoint's Z is below `bound`. Never binding: it does not relax the efficacy boundary.
    """

    look: int
    endpoint: str
    bound: float
    test: Statistic = RATES
