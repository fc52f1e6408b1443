"""Uncertainty of the population fit in predictions: other fits that the calibration leaves possible, as weights.

Fits are drawn from the normal approximation of the posterior (mode and covariance of the calibration), and patients
simulated with the mode are weighted to stand for each of them. What no fit can mend, the error of the model's
structure, is estimated from the errors that the calibration left (`shipped_discrepancy`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.evaluation.calibration import Term, coordinates, limits, scored, terms, to_fit
from immunescape.evaluation.weighting import Sample
from immunescape.population.fit import PopulationFit

if TYPE_CHECKING:
    from immunescape.trial.result import TrialResult

__all__ = ["Posterior", "posterior_weights", "shipped_discrepancy"]

FloatArray = NDArray[np.float64]
_FILE = "population_fit.json"


@dataclass(frozen=True)
class Posterior:
    """Mode and covariance of the coordinates of a fit."""

    mode: FloatArray
    covariance: FloatArray
    moving: tuple[Term, ...]

    @classmethod
    @lru_cache(maxsize=1)
    def shipped(cls) -> Posterior | None:
        """That of the fit that ships; None where no fit ships."""
        record = shipped_record()
        if record is None:
            return None
        moving = terms()
        names = [(t["name"], t["term"]) for t in record["terms"]]
        kept = [k for k, t in enumerate(moving) if (t.name, t.term) in names]
        order = [names.index((moving[k].name, moving[k].term)) for k in kept]
        chosen = tuple(moving[k] for k in kept)
        covariance = np.array(record["covariance"])[np.ix_(order, order)]
        return cls(coordinates(PopulationFit.shipped(), chosen), covariance, chosen)

    def draws(self, n: int, seed: int) -> list[PopulationFit]:
        """`n` fits from the posterior."""
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0xF17,)))
        values, vectors = np.linalg.eigh((self.covariance + self.covariance.T) / 2.0)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        points = self.mode + rng.standard_normal((n, len(self.mode))) @ root.T
        limit = limits(self.moving)
        return [to_fit(np.clip(x, -limit, limit), self.moving) for x in points]


def shipped_record() -> Mapping[str, Any] | None:
    """The calibration that ships, as ``knowledge/data/population_fit.json`` holds it."""
    path = files("immunescape.knowledge").joinpath("data", _FILE)
    if not path.is_file():
        return None
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def shipped_discrepancy() -> Mapping[str, float]:
    """SD of the error that the fit that ships left on the calibration trials, by kind of figure; {} where none ships.

    See :func:`immunescape.evaluation.calibration.discrepancy`.
    """
    record = shipped_record()
    return {} if record is None else record.get("discrepancy", {})


def posterior_weights(result: TrialResult, arm: str, fits: Sequence[PopulationFit]) -> FloatArray | None:
    """Weights (draws, n) of the patients of an arm under fits drawn from the posterior; None where no fit ships.

    The trial must have been simulated with the fit that ships. The same draw of fits serves all arms and trials, so
    that what the arms share cancels in their comparison.
    """
    posterior = Posterior.shipped()
    if posterior is None:
        return None
    members, scores = scored(posterior.moving)
    own = next(a for a in result.trial.arms if a.name == arm)
    sample = Sample.of(result, own, members, scores, PopulationFit.shipped())
    return np.stack([sample.weights(fit) for fit in fits])
