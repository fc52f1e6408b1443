"""Test statistics available in designs, evaluated on the data of an analysis, for many replicates at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from immunescape.design.cohort import View
from immunescape.design.prognostic import adjusted_log_rank
from immunescape.errors import InputError, unknown_word
from immunescape.stats import nonproportional as nph

__all__ = ["ADJUSTED", "LOG_RANK", "RATES", "TESTS", "Statistic"]

Floats = NDArray[np.float64]
ADJUSTED = "adjusted-log-rank"
TESTS = ("log-rank", ADJUSTED, "fleming-harrington", "modestly-weighted", "max-combo", "rmst", "milestone", "rates")


@dataclass(frozen=True)
class Statistic:
    """A test.

    Attributes
    ----------
    name : one of `TESTS`. rho, gamma : of Fleming-Harrington. months : t* of modest weights, horizon of the restricted
        mean, month of the milestone. stratified : log-rank within strata. margin : hazard ratio under the null of a
        log-rank test, above 1 for non-inferiority.
    """

    name: str = "log-rank"
    rho: float = 0.0
    gamma: float = 0.0
    months: float = 0.0
    stratified: bool = False
    margin: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in TESTS:
            raise unknown_word("test", self.name, TESTS)
        if self.name in ("modestly-weighted", "rmst", "milestone") and self.months <= 0:
            raise InputError(f"the test '{self.name}' needs a time in months")
        if self.stratified and self.name != "log-rank":
            raise InputError(f"the test '{self.name}' has no stratified version here", hint="Use log-rank.")

        if self.margin != 1.0 and (self.name != "log-rank" or not 1.0 < self.margin < 10):
            raise InputError(
                f"a non-inferiority margin of {self.margin:g} for the test '{self.name}'",
                hint="Margins are hazard ratios above 1, such as 1.25, of the log-rank test.",
            )

    @property
    def proportional(self) -> bool:
        """Whether the test is made for proportional hazards."""
        return self.name == "log-rank"

    def evaluate(
        self,
        view: View,
        treated: NDArray[np.bool_],
        stratum: NDArray[np.int64],
        score: Floats | None = None,
    ) -> tuple[Floats, Floats]:
        """Z (positive: experimental better) and information, (R,) each.

        Parameters
        ----------
        view : the data. treated, stratum : (R, N). score : (R, N) prognostic score, for the adjusted test.
        """
        if self.name == ADJUSTED:
            if score is None:
                raise InputError(
                    "the adjusted log-rank test needs a prognostic score, and the truth has none",
                    hint="Give each scenario 'prognostic_score'; the test is offered in group-sequential designs.",
                )
            z, information, _ = adjusted_log_rank(view.time, view.event, treated, view.use, score)
            return z, information
        if self.name == "rates":
            return rates(view, treated)
        if self.stratified:
            return nph.stratified_log_rank(view.time, view.event, treated, stratum, view.use, self.margin)
        data = view.ordered(treated)
        if self.name == "log-rank":
            return nph.log_rank(data, self.margin)
        if self.name == "fleming-harrington":
            return nph.fleming_harrington(data, self.rho, self.gamma)
        if self.name == "modestly-weighted":
            return nph.weighted_log_rank(data, nph.modest_weights(data, self.months))
        if self.name == "max-combo":
            _, p, _ = nph.max_combo(data)
            return -special.ndtri(np.clip(p, 1e-300, 1 - 1e-12)), data.event.sum(axis=1)
        if self.name == "rmst":
            z, information, _ = nph.restricted_mean(data, self.months)
            return z, information
        z, information, _ = nph.milestone(data, self.months)
        return z, information

    def __str__(self) -> str:
        text = {
            "fleming-harrington": f"Fleming-Harrington ({self.rho:g}, {self.gamma:g}) log-rank",
            "modestly-weighted": f"modestly weighted log-rank (t* = {self.months:g} months)",
            "rmst": f"restricted mean survival to {self.months:g} months",
            "milestone": f"survival at {self.months:g} months",
            "rates": "difference of response rates",
            ADJUSTED: "log-rank adjusted for the prognostic score",
        }.get(self.name, self.name)
        text = text if self.margin == 1 else f"{text}, non-inferiority (hazard ratio {self.margin:g})"
        return f"stratified {text}" if self.stratified else text


LOG_RANK, RATES = Statistic(), Statistic("rates")


def rates(view: View, treated: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Difference of response rates with the pooled variance: Z and information."""
    n1 = (view.use & treated).sum(axis=1).astype(float)
    n0 = (view.use & ~treated).sum(axis=1).astype(float)
    x1 = (view.event & treated).sum(axis=1)
    x0 = (view.event & view.use & ~treated).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (x1 + x0) / (n1 + n0)
        information = 1.0 / (mean * (1 - mean) * (1 / n1 + 1 / n0))
        z = (x1 / n1 - x0 / n0) * np.sqrt(information)
    good = np.isfinite(z) & np.isfinite(information)
    return np.where(good, z, 0.0), np.where(good, information, 0.0)
