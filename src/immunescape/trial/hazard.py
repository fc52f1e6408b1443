"""The hazard of death, from tumour dynamics and covariates.

Per month, for a patient with covariates x,

    h(t) = exp(b0 + b_S ln(SLD(t) / 70 mm) + P(t) + b_R responding(t) + b_C cytotoxic(t) + b_L earlier + b'x)
    P(t) = b_P + b_I ici + b_T ln(time to progression / 3 months) after progression, else 0

where SLD is the true sum of the longest diameters of the target lesions at t, progression is RECIST progression on
the present line of therapy (`ici`: that line held a checkpoint inhibitor), `responding` is 1 from the first response
to progression, `cytotoxic` is 1 while cytotoxic drugs are given and the disease has not progressed, and `earlier`
counts the lines before the present one on which the disease progressed. OAK cannot tell whether patients without
progression die more often on docetaxel because of the drug or because atezolizumab protects; chemotherapy together
with a checkpoint inhibitor counts as `cytotoxic`, so that an inhibitor helps by what it does to the tumour. The
coefficients are fitted to patients of OAK and LORIS (``knowledge/data/os_hazard.csv``; the fitting script is
``scripts/fit_os_hazard.py``, which also says how covariates that OAK lacks were added); apart from the two classes of
drugs, none of them belongs to a drug, an arm or a trial. Form and covariates follow the published models that link
tumour growth and survival in lung cancer (``claret2018``, ``chan2021``, ``struemper2025``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from immunescape.trial.coefficients import coefficients
from immunescape.trial.recist import DAYS_PER_MONTH

__all__ = ["HazardModel", "event_time"]

FloatArray = NDArray[np.float64]

SLD_REFERENCE_MM = 70.0
TIME_REFERENCE_MONTHS = 3.0
TIME_FLOOR_MONTHS = 0.5
"""A shorter time to progression counts as this."""
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

    def after_progression(self, months: float, *, checkpoint_inhibitor: bool) -> float:
        """What progression adds to ln of the hazard.

        Parameters
        ----------
        months
            From the start of the line to progression.
        checkpoint_inhibitor
            Whether the line held one.
        """
        b = self.value
        slow = math.log(max(months, TIME_FLOOR_MONTHS) / TIME_REFERENCE_MONTHS)
        return b["progressed"] + b["progressed_ici"] * checkpoint_inhibitor + b["log_time_to_progression"] * slow

    def rate(
        self,
        linear_predictor: float,
        sld_mm: ArrayLike,
        progressed: ArrayLike,
        responding: ArrayLike,
        cytotoxic: ArrayLike = False,
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
        responding, cytotoxic
            (t,) the states.
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
        eta = eta + b["cytotoxic"] * np.asarray(cytotoxic, dtype=np.float64)
        return np.exp(eta) / DAYS_PER_MONTH


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
    part = (threshold - total[i - 1]) / (total[i] - total[i - 1])
    return float(t[i - 1] + part * (t[i] - t[i - 1])), 0.0
