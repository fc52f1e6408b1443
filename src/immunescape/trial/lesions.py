"""The lesions of a patient: their sizes, what scans see of them, and which of them are new.

Every lesion follows one *lane*: a simulated tumour of the patient. In a trial of several lesions each lesion has a lane
of its own (:mod:`immunescape.trial.lanes`), and lesions too small to be seen at diagnosis are among them: they are new
lesions at the first scan that can show them. In a trial with a single lane (``lesions: single``) the target lesions
share it, each with the relative change of the simulated volume V to a power of its own::

    ln(v_i(t) / v_i(0)) = s_i ln(V(t) / V(0)),   s_i ~ normal(1, lesion_heterogeneity), at least 0

and new lesions are drawn from a hazard with a part that grows with the growth rate of the tumour.

The volume at diagnosis is that of all n target lesions together, and their sum of diameters is that of n equal spheres,
n^(2/3) d(V) (the relation by which the population links the sum of diameters to the size at diagnosis). It is split by
a Dirichlet distribution of volumes.

Where a lesion has shrunk, a share q of the volume that it has lost stays as scar, which scans do not tell from tumour
(``forde2018``: pathological response without response on scans)::

    seen_i(t) = v_i(t) + q max(m_i(t) - v_i(t), 0),   q = scar_share u^scar_power, u uniform, one of each patient

with m_i the largest volume so far: the scar stays through later lines. A lesion is a sphere, measured by its longest
diameter with a relative error that has two parts: one that the reader makes of the lesion at every scan alike, and one
of each scan. Only the second can pass for growth. Values and sources: ``knowledge/data/lesions.csv``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from immunescape.errors import InputError
from immunescape.trial.coefficients import coefficients
from immunescape.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from immunescape.population.fit import PopulationFit

__all__ = ["MOST_SEEDS", "MOST_TARGETS", "SEED_LANES", "LesionModel", "Lesions"]

FloatArray = NDArray[np.float64]
MOST_TARGETS = 5
"""Target lesions that RECIST 1.1 has at most."""


@dataclass(frozen=True)
class Lesions:
    """Lesions of one patient, the largest first among those seen at diagnosis.

    Attributes
    ----------
    diameter_mm : (k,) true diameters at diagnosis.
    lane : (k,) lane that each lesion follows.
    exponent : (k,) powers of the lane's relative volume that the lesions follow.
    seen_from_mm : (k,) diameters from which scans show the lesions.
    scar : share of lost volume that stays as scar.
    """

    diameter_mm: FloatArray
    lane: NDArray[np.int64]
    exponent: FloatArray
    seen_from_mm: FloatArray
    scar: float = 0.0

    def __len__(self) -> int:
        return len(self.diameter_mm)

    @property
    def lanes(self) -> int:
        """Number of lanes."""
        return int(self.lane.max()) + 1

    @property
    def at_diagnosis(self) -> NDArray[np.bool_]:
        """(k,) whether scans show the lesion at diagnosis."""
        return np.asarray(self.diameter_mm >= self.seen_from_mm)

    @property
    def volume_ml(self) -> FloatArray:
        """(k,) volumes at diagnosis."""
        return np.asarray(math.pi / 6.0 * (self.diameter_mm / 10.0) ** 3)

    def growth(self, lane_ratio: ArrayLike) -> FloatArray:
        """Volumes (k, t) relative to diagnosis, without scar, from those of the lanes (lanes, t) or, of one, (t,)."""
        ratio = np.maximum(np.atleast_2d(np.asarray(lane_ratio, dtype=np.float64)), 1e-30)
        return np.asarray(np.exp(self.exponent[:, None] * np.log(ratio)[self.lane]))

    def diameters(self, lane_ratio: ArrayLike, peak: FloatArray | None = None) -> FloatArray:
        """True diameters (k, t) in mm, scar included.

        Parameters
        ----------
        lane_ratio
            (lanes, t) volumes of the lanes relative to diagnosis.
        peak
            (k,) largest volumes before, relative to diagnosis; None: those at diagnosis.
        """
        living = self.growth(lane_ratio)
        before = np.ones(len(self)) if peak is None else peak
        largest = np.maximum(np.maximum.accumulate(living, axis=1), before[:, None])
        return self.diameter_mm[:, None] * np.cbrt(living + self.scar * (largest - living))

    def living_mm(self, lane_ratio: ArrayLike) -> FloatArray:
        """True sum of diameters (t,) in mm without scar."""
        return np.asarray(self.diameter_mm @ np.cbrt(self.growth(lane_ratio)))


@dataclass(frozen=True, kw_only=True)
class LesionModel:
    """Numbers of the lesions; see ``knowledge/data/lesions.csv``."""

    concentration: float
    heterogeneity: float
    reader_cv: float
    scan_cv: float
    too_small_mm: float
    gone_mm: float
    minimum_target_mm: float
    new_lesion_base: float
    new_lesion_growth: float
    frailty: float
    scar_share: float
    scar_power: float
    micrometastases: float
    micrometastasis_min_mm: float
    seen_from_low_mm: float
    seen_from_high_mm: float
    correlation_growth: float
    correlation_immunity: float
    correlation_clones: float
    correlation_drugs: float

    @classmethod
    def load(cls, fit: PopulationFit | None = None) -> LesionModel:
        """The values that ship; the terms ``lesions.NAME`` of a fit move them."""
        table = coefficients("lesions")
        values = {field: table[field].value for field in cls.__dataclass_fields__}
        if fit is not None:
            fit.check_coefficients(f"lesions.{name}" for name in values)
            values = {name: fit.coefficient(f"lesions.{name}", value) for name, value in values.items()}
        return cls(**values)

    def split(self, volume_ml: float, count: int, rng: np.random.Generator) -> Lesions:
        """Split a tumour volume (mL) into at most `count` (1 to 5) target lesions that share one lane.

        A lesion that would be smaller than 10 mm is not a target lesion (RECIST 1.1); the others take its part. Five
        random numbers of each kind are drawn whatever the count, so that other draws of the patient do not shift.
        """
        if not volume_ml > 0:
            raise InputError(f"a tumour volume of {volume_ml} mL has no lesion")
        weights = rng.standard_gamma(self.concentration, MOST_TARGETS)
        spread = rng.standard_normal(MOST_TARGETS)
        k = int(min(max(count, 1), MOST_TARGETS))
        total = k ** (2.0 / 3.0) * float(_diameter_mm(volume_ml))
        size = np.sort(np.cbrt(weights[:k]))[::-1]
        size = size / size.sum()
        while len(size) > 1 and total * size[-1] < self.minimum_target_mm:
            size = size[:-1] / size[:-1].sum()
        n = len(size)
        exponent = np.maximum(1.0 + self.heterogeneity * spread[:n], 0.0)
        scar = self.scar_share * float(rng.uniform()) ** self.scar_power
        return Lesions(total * size, np.zeros(n, dtype=np.int64), exponent, np.zeros(n), scar)

    def spread_out(
        self, volume_ml: float, count: int, factor: float, rng: np.random.Generator, seeds: np.random.Generator
    ) -> Lesions:
        """The lesions of a patient: targets as `split` makes them, each with a lane of its own, and micrometastases.

        Micrometastases have lanes of their own, `SEED_LANES` at most, which several share.

        Parameters
        ----------
        volume_ml, count, rng
            As for `split`.
        factor
            The patient's own factor of the mean number of micrometastases.
        seeds
            Draws number (Poisson, `MOST_SEEDS` at most), sizes, lanes and the diameters from which scans show them.
            Sizes are spread evenly in ln(diameter): growth at one rate from seeds that were laid at a steady rate.
            Numbers are drawn for all that there can be, so that other draws do not shift.
        """
        targets = self.split(volume_ml, count, rng)
        number = int(min(seeds.poisson(self.micrometastases * factor), MOST_SEEDS))
        place, show, lane = seeds.uniform(size=(3, MOST_SEEDS))
        shown = self.seen_from_low_mm + (self.seen_from_high_mm - self.seen_from_low_mm) * show
        size = self.micrometastasis_min_mm * (shown / self.micrometastasis_min_mm) ** place
        k = len(targets)
        # the first micrometastases open the lanes, so that none is empty
        lane_of_seed = np.where(
            np.arange(MOST_SEEDS) < SEED_LANES, np.arange(MOST_SEEDS), (SEED_LANES * lane).astype(np.int64)
        )
        return Lesions(
            np.concatenate([targets.diameter_mm, size[:number]]),
            np.concatenate([np.arange(k), k + lane_of_seed[:number]]),
            np.ones(k + number),
            np.concatenate([targets.seen_from_mm, shown[:number]]),
            targets.scar,
        )

    def measure(
        self, diameters_mm: FloatArray, errors: FloatArray, reader: FloatArray | None = None
    ) -> tuple[FloatArray, NDArray[np.bool_]]:
        """What a reader reports of each lesion.

        Parameters
        ----------
        diameters_mm : (k, v) true diameters at the visits.
        errors : (k, v) standard normal draws, of each lesion and scan.
        reader : (k,) standard normal draws of each lesion, the same at every scan; None: 0.

        Returns
        -------
        tuple
            (k, v) measured diameters, and (k, v) whether the lesion is gone. A lesion that is seen but too small counts
            as 5 mm, one that is gone as 0 (RECIST 1.1).
        """
        lasting = 0.0 if reader is None else reader[:, None]
        seen = diameters_mm * np.maximum(1.0 + self.scan_cv * errors + self.reader_cv * lasting, 0.1)
        gone = diameters_mm < self.gone_mm
        return np.where(gone, 0.0, np.maximum(seen, self.too_small_mm)), np.asarray(gone)

    def new_lesion_rate(self, days: ArrayLike, sld_mm: ArrayLike, factor: float = 1.0) -> FloatArray:
        """Hazard (per day) of a new lesion along the true SLD (t,), without scar, at `days` (t,); of a single lane.

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


MOST_SEEDS, SEED_LANES = 40, 2
"""Micrometastases of a patient that are followed at most (of more the first count), and the lanes that they share."""


def _diameter_mm(volume_ml: ArrayLike) -> FloatArray:
    """Diameter (mm) of a sphere of a volume (mL)."""
    return 10.0 * np.cbrt(6.0 * np.asarray(volume_ml, dtype=np.float64) / math.pi)
