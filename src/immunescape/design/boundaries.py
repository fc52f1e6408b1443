"""Efficacy and futility boundaries of group-sequential tests, one-sided.

Families with a fixed shape (O'Brien-Fleming, Pocock, Wang-Tsiatis) and alpha-spending functions (Lan-DeMets versions of
O'Brien-Fleming and Pocock, Hwang-Shih-DeCani, power family); futility by beta spending, binding or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from immunescape.design.recursion import (
    exit_probabilities,
    next_critical_value,
    running_density,
    tail_probability,
)
from immunescape.errors import InputError, unknown_word

__all__ = [
    "EFFICACY_FAMILIES",
    "PARAMETER_FAMILIES",
    "SPENDING",
    "Boundaries",
    "boundaries",
    "check_parameter",
    "drift_for_power",
    "spend",
    "spent_lower_bounds",
]


def _ld_of(t: NDArray[np.float64], alpha: float, _: float) -> NDArray[np.float64]:
    values: NDArray[np.float64] = 2 * stats.norm.sf(stats.norm.isf(alpha / 2) / np.sqrt(t))
    return values


def _ld_pocock(t: NDArray[np.float64], alpha: float, _: float) -> NDArray[np.float64]:
    return alpha * np.log(1 + (np.e - 1) * t)


def _hsd(t: NDArray[np.float64], alpha: float, gamma: float) -> NDArray[np.float64]:
    return alpha * t if abs(gamma) < 1e-12 else alpha * -np.expm1(-gamma * t) / -np.expm1(-gamma)


def _power(t: NDArray[np.float64], alpha: float, rho: float) -> NDArray[np.float64]:
    if rho <= 0:
        raise InputError(f"the power family needs an exponent above 0, not {rho}")
    return alpha * t**rho


SPENDING: dict[str, Callable[[NDArray[np.float64], float, float], NDArray[np.float64]]] = {
    "lan-demets-obrien-fleming": _ld_of,
    "lan-demets-pocock": _ld_pocock,
    "hwang-shih-decani": _hsd,
    "power": _power,
}
"""Cumulative error spent at information fraction t [lan1983], [hwang1990], [kim1987]."""

EFFICACY_FAMILIES = ("fixed", "obrien-fleming", "pocock", "wang-tsiatis", *SPENDING)


PARAMETER_FAMILIES = ("wang-tsiatis", "hwang-shih-decani", "power")
"""Families that have a parameter."""
RANGES = {"wang-tsiatis": (-0.5, 1.0), "hwang-shih-decani": (-40.0, 40.0), "power": (0.0, 50.0)}
"""Parameters beyond which the boundaries of a family are numerically unusable."""


def check_parameter(family: str, parameter: float) -> None:
    """Reject a parameter for which the family has no boundaries.

    Raises
    ------
    InputError
        Naming the range.
    """
    low, high = RANGES.get(family, (-np.inf, np.inf))
    if not np.isfinite(parameter) or not low <= parameter <= high or (family == "power" and parameter <= 0):
        raise InputError(
            f"the parameter {parameter:g} of '{family}' lies outside "
            + ("the range above 0 up to" if family == "power" else f"{low:g} to")
            + f" {high:g}",
            hint="Usual values: 0.25 for wang-tsiatis, -4 for hwang-shih-decani, 3 for power.",
        )


def spend(name: str, fraction: ArrayLike, error: float, parameter: float = 0.0) -> NDArray[np.float64]:
    """Cumulative error that a spending function has spent at each information fraction.

    Source: [lan1983], [hwang1990], [kim1987].
    """
    if name not in SPENDING:
        raise unknown_word("spending function", name, SPENDING)
    check_parameter(name, parameter)
    t = np.asarray(fraction, dtype=float)
    return SPENDING[name](t, error, parameter)


@dataclass(frozen=True, kw_only=True)
class Boundaries:
    """Boundaries on the scale of Z, with the error that they spend.

    Attributes
    ----------
    family : name of the efficacy family. fraction : (K,) information fractions.
    efficacy, futility : (K,) critical values (futility -inf where there is none).
    alpha_spent : (K,) cumulative one-sided type I error (futility ignored where it is not binding).
    binding : whether the efficacy bounds assume stopping for futility.
    inflation : maximum information relative to a fixed design of the same power; NaN if no power was requested.
    drift : drift at the final look (theta * sqrt(I_K)) that gives the requested power; NaN likewise.
    """

    family: str
    fraction: NDArray[np.float64]
    efficacy: NDArray[np.float64]
    futility: NDArray[np.float64]
    alpha_spent: NDArray[np.float64]
    binding: bool
    inflation: float
    drift: float

    def power(self, drift: float) -> NDArray[np.float64]:
        """Cumulative probability of an efficacy stop at each look for a drift at the final look."""
        gone = exit_probabilities(self.efficacy, self.fraction, lower=self.futility, theta=drift)
        return np.cumsum(gone.upper)

    @property
    def p_values(self) -> NDArray[np.float64]:
        """One-sided nominal significance levels."""
        values: NDArray[np.float64] = stats.norm.sf(self.efficacy)
        return values


def boundaries(
    family: str,
    fraction: ArrayLike,
    *,
    alpha: float = 0.025,
    parameter: float = 0.0,
    beta: float | None = None,
    futility: str | None = None,
    futility_parameter: float = 0.0,
    binding: bool = False,
) -> Boundaries:
    """Boundaries of a one-sided group-sequential test [obrien1979], [pocock1977], [wang1987], [lan1983].

    Parameters
    ----------
    family : one of `EFFICACY_FAMILIES`. `parameter` is Delta of Wang-Tsiatis, gamma of Hwang-Shih-DeCani or rho.
    fraction : (K,) information fractions, increasing, the last one 1.
    alpha : one-sided type I error.
    beta : type II error; with it the drift that reaches power 1 - beta (and the inflation factor) is found.
    futility : spending function for beta; needs `beta`. Not binding by default: the efficacy bounds ignore it.
    """
    t = np.asarray(fraction, dtype=float)
    if t.ndim != 1 or len(t) == 0 or t[0] <= 0 or np.any(np.diff(t) <= 0) or abs(t[-1] - 1) > 1e-9:
        raise InputError(
            f"information fractions must increase and end at 1, not {t.tolist()}", hint="For example 0.5, 0.75, 1."
        )
    if not 0 < alpha < 0.5:
        raise InputError(f"a one-sided alpha must lie between 0 and 0.5, not {alpha}")
    if beta is not None and not 0 < beta < 1 - alpha:
        raise InputError(f"beta must lie between 0 and 1 - alpha, not {beta}")
    if family not in EFFICACY_FAMILIES:
        raise unknown_word("boundary family", family, EFFICACY_FAMILIES)
    check_parameter(family, parameter)
    if futility is not None and beta is None:
        raise InputError("a futility boundary spends beta", hint="Give beta, e.g. 0.1 for 90 % power.")
    if family == "fixed" and len(t) > 1:
        raise InputError("a fixed design has one look", hint="Choose a group-sequential family for several looks.")
    none = np.full(len(t), -np.inf)
    efficacy = _efficacy(family, t, alpha, parameter, none)
    lower, drift = none, np.nan
    if beta is not None and futility is None:
        drift = drift_for_power(efficacy, t, none, 1 - beta)
    elif beta is not None and futility is not None:
        spent_beta = np.diff(spend(futility, t, beta, futility_parameter), prepend=0.0)
        if binding and family in SPENDING:
            spent_alpha = np.diff(spend(family, t, alpha, parameter), prepend=0.0)
            efficacy, lower, drift = _binding(t, spent_alpha, spent_beta)
        else:
            lower, drift = _futility(efficacy, t, spent_beta)
        for _ in range(60 if binding and family not in SPENDING else 0):
            before = efficacy
            efficacy = _efficacy(family, t, alpha, parameter, lower)
            lower, drift = _futility(efficacy, t, spent_beta)
            if np.max(np.abs(efficacy - before)) < 1e-9:
                break
    fixed = stats.norm.isf(alpha) + (stats.norm.isf(beta) if beta is not None else np.nan)
    spent = np.cumsum(exit_probabilities(efficacy, t, lower=_open_end(lower, efficacy) if binding else none).upper)
    return Boundaries(
        family=family,
        fraction=t,
        efficacy=efficacy,
        futility=lower,
        alpha_spent=spent,
        binding=binding,
        inflation=float((drift / fixed) ** 2),
        drift=float(drift),
    )


def _open_end(lower: NDArray[np.float64], efficacy: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.minimum(lower, efficacy)


def _efficacy(
    family: str, t: NDArray[np.float64], alpha: float, parameter: float, lower: NDArray[np.float64]
) -> NDArray[np.float64]:
    shapes = {"obrien-fleming": t**-0.5, "pocock": np.ones_like(t), "wang-tsiatis": t ** (parameter - 0.5)}
    if family == "fixed":
        return np.array([stats.norm.isf(alpha)])
    if family in shapes:
        shape = shapes[family]

        def gap(c: float) -> float:
            value: float = exit_probabilities(c * shape, t, lower=np.minimum(lower, c * shape)).upper.sum() - alpha
            return value

        return float(optimize.brentq(gap, 0.1, 12.0, xtol=1e-10)) * shape
    spent = np.diff(spend(family, t, alpha, parameter), prepend=0.0)
    values = np.empty_like(t)
    density = None
    for k, (i, p) in enumerate(zip(t, spent, strict=True)):
        values[k] = next_critical_value(density, i, p)
        density = running_density(density, i, 0.0, min(lower[k], values[k]), values[k])
    return values


def drift_for_power(
    efficacy: NDArray[np.float64], t: NDArray[np.float64], lower: NDArray[np.float64], power: float
) -> float:
    """Drift at the final look (information 1) at which the test rejects with probability `power`.

    Parameters
    ----------
    efficacy, lower : (K,) bounds on Z; trials below `lower` have stopped. t : (K,) information fractions.

    Raises
    ------
    InputError
        If futility stops too many trials for this power at any drift up to 15.
    """

    def gap(drift: float) -> float:
        value: float = exit_probabilities(efficacy, t, lower=lower, theta=drift).upper.sum() - power
        return value

    if gap(15.0) < 0:
        raise InputError(
            f"a power of {power:.1%} is out of reach: the futility bounds stop too many trials",
            hint="Lower the futility bounds.",
        )
    return float(optimize.brentq(gap, 0.0, 15.0, xtol=1e-10))


def spent_lower_bounds(
    efficacy: NDArray[np.float64], t: NDArray[np.float64], increments: NDArray[np.float64], drift: float
) -> NDArray[np.float64]:
    """(K,) lower bounds on Z that are crossed with the probabilities `increments` under `drift`.

    A look at which less than its increment is still running stops all trials: its bound is the efficacy bound.
    """
    values = np.empty_like(t)
    density = None
    for k, (i, p) in enumerate(zip(t, increments, strict=True)):
        values[k] = next_critical_value(density, i, p, theta=drift, upper=False)
        if k + 1 < len(t):
            density = running_density(density, i, drift, min(values[k], efficacy[k]), efficacy[k])
    return values


def _drift_where(gap: Callable[[float], float]) -> float:
    """Root in the drift of a gap that falls with it."""
    low, high = 1e-6, 15.0
    if gap(low) <= 0 or gap(high) >= 0:
        raise InputError(
            "no drift spends this alpha and beta at these looks", hint="Spend less at the first looks, or move them."
        )
    return float(optimize.brentq(gap, low, high, xtol=1e-10))


def _futility(
    efficacy: NDArray[np.float64], t: NDArray[np.float64], increments: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Lower bounds that spend beta, and the drift at which they meet the efficacy bound at the last look."""

    def gap(drift: float) -> float:
        # written as a probability: with bounds on Z the root may lie between minus and plus infinity, where the last
        # increments are smaller than what is left running
        density = None
        for k, (i, p) in enumerate(zip(t[:-1], increments[:-1], strict=True)):
            low = min(next_critical_value(density, i, p, theta=drift, upper=False), efficacy[k])
            density = running_density(density, i, drift, low, efficacy[k])
        value: float = tail_probability(density, float(t[-1]), drift, float(efficacy[-1]), upper=False) - increments[-1]
        return value

    drift = _drift_where(gap)
    lower = np.minimum(spent_lower_bounds(efficacy, t, increments, drift), efficacy)
    lower[-1] = efficacy[-1]
    return lower, drift


def _binding(
    t: NDArray[np.float64], spent_alpha: NDArray[np.float64], spent_beta: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Both bounds and the drift, if the efficacy bounds assume the futility stops.

    For a given drift both bounds follow look by look, the upper from the density under the null and the lower from that
    under the drift, each of the trials that neither bound has stopped; the drift is the one at which they meet at the
    last look. No iteration between the two sets of bounds is needed, which need not converge at uneven looks.
    """
    last = len(t) - 1

    def both(drift: float) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        upper, lower = np.empty_like(t), np.empty_like(t)
        null = real = None
        missed = 0.0
        for k, i in enumerate(t):
            upper[k] = next_critical_value(null, i, spent_alpha[k])
            if k == last:
                missed = tail_probability(real, float(i), drift, float(upper[k]), upper=False)
                lower[k] = upper[k]
                break
            lower[k] = min(next_critical_value(real, i, spent_beta[k], theta=drift, upper=False), upper[k])
            null = running_density(null, i, 0.0, lower[k], upper[k])
            real = running_density(real, i, drift, lower[k], upper[k])
        return upper, lower, missed - float(spent_beta[-1])

    drift = _drift_where(lambda d: both(d)[2])
    upper, lower, _ = both(drift)
    return upper, lower, drift
