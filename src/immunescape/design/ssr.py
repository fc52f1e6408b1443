"""Sample-size re-estimation at an interim analysis: from conditional power, or blinded from both arms together.

From conditional power: the promising zone [mehta2011]. The final test combines the parts before and after the
interim with the weights that were planned [cui1999], so that the type I error holds whatever the
increase. Blinded: the size follows the response rate or the event rate of both arms together, which is uninformative
about the effect [gould1992], [friede2013]; the final test is the usual one at the available information.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from immunescape.design.samplesize import conditional_power
from immunescape.errors import InputError

__all__ = ["BlindedReestimation", "Reestimation"]


@dataclass(frozen=True)
class Reestimation:
    """Rule that raises the size of the last stage [mehta2011], [cui1999].

    Attributes
    ----------
    look : interim (1, 2, ...) at which the size may change. target : conditional power aimed at.
    promising : conditional power from which on the size is raised. maximum : largest total over the planned total.
    """

    look: int
    target: float = 0.9
    promising: float = 0.3
    maximum: float = 2.0

    def __post_init__(self) -> None:
        if self.look < 1:
            raise InputError("sample-size re-estimation happens at look 1 or later")
        if not 0 < self.promising < self.target < 1:
            raise InputError("promising and target conditional power must satisfy 0 < promising < target < 1")
        if self.maximum <= 1:
            raise InputError(f"the largest total must exceed the plan, not be {self.maximum:g} times it")

    def factor(self, z: ArrayLike, fraction: float, critical: float) -> NDArray[np.float64]:
        """Factor on the information after the interim (1 outside the promising zone), by the trend seen so far.

        Parameters
        ----------
        z : (R,) Z at the interim. fraction : planned information fraction there. critical : boundary of the last look.
        """
        seen = np.asarray(z, dtype=float)
        power = conditional_power(seen, fraction, critical)
        largest = (self.maximum - fraction) / (1.0 - fraction)
        trend = np.maximum(seen, 1e-9) / np.sqrt(fraction)
        rest = np.sqrt(1.0 - fraction)
        need = (critical - np.sqrt(fraction) * seen) / rest
        factor = ((need - stats.norm.isf(self.target)) / (trend * rest)) ** 2
        zone = (power >= self.promising) & (power < self.target)
        return np.where(zone, np.clip(factor, 1.0, largest), 1.0)


@dataclass(frozen=True)
class BlindedReestimation:
    """Rule that increases the number of patients based on both arms together [gould1992], [friede2013].

    Attributes
    ----------
    look : interim (1, 2, ...) at which the size may change. assumed : what the plan assumed of both arms together: the
        response rate, or events per patient and month of follow-up.
    maximum : largest number of patients over the planned one.
    """

    look: int
    assumed: float
    maximum: float = 2.0

    def __post_init__(self) -> None:
        if self.look < 1:
            raise InputError("sample-size re-estimation happens at look 1 or later")
        if not 0 < self.assumed < np.inf:
            raise InputError(f"the assumed rate must be above 0 and finite, not {self.assumed:g}")
        if self.maximum <= 1:
            raise InputError(f"the largest total must exceed the plan, not be {self.maximum:g} times it")

    def factor_of_rates(self, responses: ArrayLike, patients: ArrayLike) -> NDArray[np.float64]:
        """Factor on the patients of a test of rates: variance of the pooled rate over that of the assumed one."""
        rate = np.asarray(responses, dtype=float) / np.maximum(np.asarray(patients, dtype=float), 1.0)
        values: NDArray[np.float64] = np.clip(
            rate * (1 - rate) / (self.assumed * (1 - self.assumed)), 1.0, self.maximum
        )
        return values

    def factor_of_events(self, events: ArrayLike, months: ArrayLike) -> NDArray[np.float64]:
        """Factor on the patients of a survival trial: the assumed rate of events over the one that is seen."""
        rate = np.asarray(events, dtype=float) / np.maximum(np.asarray(months, dtype=float), 1e-9)
        values: NDArray[np.float64] = np.clip(self.assumed / np.maximum(rate, 1e-12), 1.0, self.maximum)
        return values
