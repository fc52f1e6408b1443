"""The hazard of death, from tumour dynamics and covariates.

Per month, for a patient with covariates x,

    h(t) = exp(b0 + b_S ln(SLD(t) / 70 mm) + P(t) + b_R responding(t) + b_L earlier + b'x)
    P(t) = b_P + b_G ln(regrowth / 3 months) after progression, else 0

where SLD is the true sum of the longest diameters of the target lesions at t, progression is RECIST progression on
the present line of therapy, `regrowth` the months from the scan with the smallest sum of diameters (the baseline
counts) to the scan of progression, `responding` is 1 from the first response to progression, and `earlier` counts the
lines before the present one on which the disease progressed. Progression asks for a fifth more than the smallest sum,
so ln(1.2) / regrowth is the patient's rate of regrowth as scans give it; fit and simulation read it off scans alike,
so its error of measurement is the same in both and the coefficient is the one that belongs to a measured rate.

No term knows a drug, its class, an arm or a trial: a treatment helps a virtual patient to live by what it does to the
tumour, and harms by its toxicity (:mod:`immunescape.trial.toxicity`). The coefficients are fitted to patients of OAK
and LORIS who are not held out (``knowledge/data/os_hazard.csv``; ``scripts/fit_os_hazard.py`` says how covariates that
OAK lacks were added). On the real courses of OAK, as far as public data show them, this hazard does not give back the
ratio between the arms; ``docs/survival.md`` has the figures. Published models that link growth and survival in lung
cancer, with each patient's own scans, do (``claret2018``, ``chan2021``; ``struemper2025`` for the form).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from immunescape.trial.coefficients import coefficients
from immunescape.units import DAYS_PER_MONTH

__all__ = ["HazardModel", "event_time", "nadir_before"]

FloatArray = NDArray[np.float64]

SLD_REFERENCE_MM = 70.0
TIME_REFERENCE_MONTHS = 3.0
TIME_FLOOR_MONTHS = 0.5
"""A shorter time of regrowth counts as this."""
SLD_FLOOR_MM = 5.0
"""A tumour that is gone counts as one of 5 mm (too small to measure, eisenhauer2009): the logarithm needs a floor."""


@dataclass(frozen=True)
class HazardModel:
    """Coefficients of the hazard of death (per month), by name."""

    value: Mapping[str, float]

    @classmethod
    def load(cls) -> HazardModel:
        """The model that ships, from ``knowledge/data/os_hazard.csv``."""
        return cls({name: row.value for name, row in coefficients("os_hazard").items()})

    @property
    def lethal_volume_ml(self) -> float:
        """Tumour volume (mL) at which every patient has died."""
        return self.value["lethal_volume"]

    def linear_predictor(self, patient: Mapping[str, Any]) -> float:
        """Ln of the hazard (per month) before tumour size and state: intercept, covariates, frailty of one patient.

        `patient` holds ``ecog``, ``histology``, ``smoking``, ``albumin_g_l``, ``nlr``, ``ldh_uln``, ``liver_mets``,
        ``stage`` (IV where it is absent) and ``n_sites`` (the reference number of 3 where it is absent);
        ``frailty_death`` is a factor of the hazard.
        """
        b = self.value
        eta = b["intercept"]
        eta += b["ecog"] * float(patient["ecog"])
        eta += b["sites"] * (float(patient.get("n_sites", 3.0)) - 3.0)
        eta += b["stage_iii"] * (str(patient.get("stage", "IV")) == "III")
        eta += b["squamous"] * (str(patient["histology"]) == "squamous")
        eta += b["never"] * (str(patient["smoking"]) == "never")
        eta += b["albumin"] * (float(patient["albumin_g_l"]) - b["albumin_reference"])
        eta += b["log_nlr"] * (math.log(max(float(patient["nlr"]), 0.1)) - b["log_nlr_reference"])
        eta += b["ldh_high"] * (float(patient["ldh_uln"]) > 1.0)
        eta += b["liver_mets"] * bool(patient["liver_mets"])
        return eta + math.log(float(patient.get("frailty_death", 1.0)))

    def after_progression(self, regrowth_months: float) -> float:
        """What progression adds to ln of the hazard; `regrowth_months`: from the scan of the smallest sum to it."""
        b = self.value
        slow = math.log(max(regrowth_months, TIME_FLOOR_MONTHS) / TIME_REFERENCE_MONTHS)
        return b["progressed"] + b["log_regrowth"] * slow

    def rate(
        self,
        linear_predictor: float,
        sld_mm: ArrayLike,
        progressed: ArrayLike,
        responding: ArrayLike,
        *,
        earlier_lines: ArrayLike = 0,
    ) -> FloatArray:
        """Hazard per day along a trajectory.

        Parameters
        ----------
        linear_predictor
            From :meth:`linear_predictor`.
        sld_mm
            (t,) true SLD.
        progressed
            (t,) what progression adds (:meth:`after_progression`), 0 before it.
        responding
            (t,) the state.
        earlier_lines
            () or (t,) lines before the present one on which the disease progressed.

        Returns
        -------
        (t,) hazard per day.
        """
        b = self.value
        size = np.maximum(np.asarray(sld_mm, dtype=np.float64), SLD_FLOOR_MM)
        eta = linear_predictor + b["log_sld"] * np.log(size / SLD_REFERENCE_MM)
        eta = (
            eta
            + b["earlier_line"] * np.asarray(earlier_lines, dtype=np.float64)
            + np.asarray(progressed, dtype=np.float64)
        )
        eta = eta + b["responding"] * np.asarray(responding, dtype=np.float64)
        return np.exp(eta) / DAYS_PER_MONTH


def nadir_before(sld_mm: ArrayLike) -> int:
    """Index of the scan from which the tumour grew again: the last of the smallest sums of diameters (t,).

    The first is the baseline; the scan of progression is not among them.
    """
    size = np.asarray(sld_mm, dtype=np.float64)
    return int(np.flatnonzero(size <= size.min())[-1])


def event_time(days: ArrayLike, rate_per_day: ArrayLike, threshold: float) -> tuple[float | None, float]:
    """First time at which the cumulated hazard reaches `threshold` (a standard exponential draw).

    Parameters
    ----------
    days : (t,) increasing times.
    rate_per_day : (t,) hazard at these times; between them the mean of both ends holds. NaN counts as 0.
    threshold : what is left of the draw.

    Returns
    -------
    tuple
        Day of the event, or None, and what is left of the threshold at the last time (for a following segment).
    """
    t = np.asarray(days, dtype=np.float64)
    rate = np.nan_to_num(np.asarray(rate_per_day, dtype=np.float64))
    steps = np.diff(t) * 0.5 * (rate[1:] + rate[:-1])
    total = np.concatenate([[0.0], np.cumsum(steps)])
    if total[-1] < threshold:
        return None, float(threshold - total[-1])
    i = int(np.searchsorted(total, threshold, side="left"))
    if i == 0:
        return float(t[0]), 0.0
    share = (threshold - total[i - 1]) / (total[i] - total[i - 1])
    return float(t[i - 1] + share * (t[i] - t[i - 1])), 0.0
