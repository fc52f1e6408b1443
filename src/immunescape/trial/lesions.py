"""Target lesions, their measurement, and new lesions, from one simulated tumour volume.

The model follows one tumour; a patient has several lesions. The approximation: the simulated volume V is the volume of
all n target lesions together, and their sum of diameters at baseline is that of n equal spheres, n^(2/3) d(V) (the
relation by which the population links the sum of diameters to the size at diagnosis). It is split over the lesions by a
Dirichlet distribution of volumes; then every lesion follows the relative change of the simulated volume, to a power of
its own (lesion-to-lesion heterogeneity of response)::

    ln(v_i(t) / v_i(0)) = s_i ln(V(t) / V(0)),   s_i ~ normal(1, lesion_heterogeneity), at least 0

Where a lesion has shrunk, a share q of the lost volume stays as scar, which scans do not tell from tumour
(``forde2018``: pathological response without response on scans)::

    seen_i(t) = v_i(t) + q max(v_i(0) - v_i(t), 0),   q = scar_share u^scar_power, u uniform, one of each patient

A lesion is a sphere, measured by its longest diameter with a relative error. New lesions (and progression of lesions
that are not measured) come from a hazard with a part that grows with the growth rate of the tumour, seen at the next
visit. Values and sources: ``knowledge/data/lesions.csv``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from immunescape.errors import InputError
from immunescape.trial.coefficients import coefficients
from immunescape.trial.recist import DAYS_PER_MONTH

__all__ = ["LesionModel", "Lesions"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Lesions:
    """Target lesions of one patient.

    Attributes
    ----------
    diameter_mm, exponent : (k,) true baseline diameters, and exponents of response.
    scar : share of lost volume that stays as scar.
    """

    diameter_mm: FloatArray
    exponent: FloatArray
    scar: float = 0.0

    @property
    def sld_mm(self) -> float:
        """True sum of the longest diameters at baseline."""
        return float(self.diameter_mm.sum())

    def diameters(self, volume_ratio: ArrayLike) -> FloatArray:
        """True diameters (k, t) in mm, scar included, for the volume relative to baseline (t,)."""
        living = self._volumes(volume_ratio)
        return self.diameter_mm[:, None] * np.cbrt(living + self.scar * np.maximum(1.0 - living, 0.0))

    def living_mm(self, volume_ratio: ArrayLike) -> FloatArray:
        """True sum of diameters (t,) in mm without scar."""
        return np.asarray(self.diameter_mm @ np.cbrt(self._volumes(volume_ratio)))

    def _volumes(self, volume_ratio: ArrayLike) -> FloatArray:
        """Volumes (k, t) of the lesions relative to baseline, without scar."""
        ratio = np.maximum(np.asarray(volume_ratio, dtype=np.float64), 1e-30)
        return np.asarray(np.exp(self.exponent[:, None] * np.log(ratio)[None, :]))


@dataclass(frozen=True)
class LesionModel:
    """Numbers of the approximation; see ``knowledge/data/lesions.csv``."""

    concentration: float
    heterogeneity: float
    measurement_cv: float
    too_small_mm: float
    gone_mm: float
    minimum_target_mm: float
    new_lesion_base: float
    new_lesion_growth: float
    frailty: float
    scar_share: float
    scar_power: float

    @classmethod
    def load(cls) -> LesionModel:
        """The values that ship."""
        table = coefficients("lesions")
        return cls(**{field: table[field].value for field in cls.__dataclass_fields__})

    def draw(self, volume_ml: float, count: int, rng: np.random.Generator) -> Lesions:
        """Split a tumour volume (mL) into at most `count` (1 to 5) target lesions.

        A lesion that would be smaller than 10 mm is no target lesion (RECIST 1.1); the others take its part. Five
        random numbers of each kind are drawn whatever the count, so that other draws of the patient do not shift.
        """
        if not volume_ml > 0:
            raise InputError(f"a tumour volume of {volume_ml} mL has no lesion")
        weights = rng.standard_gamma(self.concentration, 5)
        spread = rng.standard_normal(5)
        k = int(min(max(count, 1), 5))
        total = k ** (2.0 / 3.0) * float(_diameter_mm(volume_ml))
        size = np.sort(np.cbrt(weights[:k]))[::-1]
        size = size / size.sum()
        while len(size) > 1 and total * size[-1] < self.minimum_target_mm:
            size = size[:-1] / size[:-1].sum()
        exponent = np.maximum(1.0 + self.heterogeneity * spread[: len(size)], 0.0)
        return Lesions(total * size, exponent, self.scar_share * float(rng.uniform()) ** self.scar_power)

    def measure(self, diameters_mm: FloatArray, errors: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        """What a reader reports.

        Parameters
        ----------
        diameters_mm : (k, v) true diameters at the visits.
        errors : (k, v) standard normal draws.

        Returns
        -------
        tuple
            (v,) measured sum of diameters, and (v,) whether every target lesion is gone. A lesion that is seen but too
            small counts as 5 mm, one that is gone as 0 (RECIST 1.1).
        """
        seen = diameters_mm * np.maximum(1.0 + self.measurement_cv * errors, 0.1)
        seen = np.maximum(seen, self.too_small_mm)
        gone = diameters_mm < self.gone_mm
        seen = np.where(gone, 0.0, seen)
        return seen.sum(axis=0), np.asarray(gone.all(axis=0))

    def new_lesion_rate(self, days: ArrayLike, sld_mm: ArrayLike, factor: float = 1.0) -> FloatArray:
        """Hazard (per day) of a new lesion along the true SLD (t,), without scar, at `days` (t,).

        Base rate plus a part proportional to the relative growth rate of the SLD. The base was measured in tumours
        that had shrunk and lasts while there is tumour: it falls with the SLD below the least size that can be
        measured, to none where no tumour is left. `factor` is the patient's own (frailty).
        """
        t = np.asarray(days, dtype=np.float64)
        true = np.asarray(sld_mm, dtype=np.float64)
        size = np.maximum(true, self.too_small_mm)
        growth = np.gradient(np.log(size), t) * DAYS_PER_MONTH if len(t) > 1 else np.zeros(len(t))
        share = np.minimum(true / self.too_small_mm, 1.0)
        return (
            factor * (self.new_lesion_base * share + self.new_lesion_growth * np.maximum(growth, 0.0)) / DAYS_PER_MONTH
        )


def _diameter_mm(volume_ml: ArrayLike) -> FloatArray:
    """Diameter (mm) of a sphere of a volume (mL)."""
    return 10.0 * np.cbrt(6.0 * np.asarray(volume_ml, dtype=np.float64) / math.pi)
