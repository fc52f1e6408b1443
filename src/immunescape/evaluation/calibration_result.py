"""What a calibration gives: the fit that ships, its record, and what each round came to."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.evaluation.fit_terms import Term
from immunescape.evaluation.posterior_draws import Draws
from immunescape.files import whole_file
from immunescape.population.fit import PopulationFit

if TYPE_CHECKING:
    from immunescape.evaluation.left_out_refits import Refit

__all__ = ["Calibration", "WeightedFit", "largest_weight", "write_text"]

FloatArray = NDArray[np.float64]
SURPRISE = 2.0
"""Prior standard deviations from which on a move is a finding: the prior, or the model, is wrong."""


@dataclass(frozen=True)
class WeightedFit:
    """A weighted fit: coordinates, posterior covariance, residuals, sizes.

    Attributes
    ----------
    x, covariance : coordinates of the terms and their posterior covariance (Laplace).
    loss : half the sum of squares, targets alone. targets : (name, published, predicted, residual in SD).
    sizes : (trial, arm) -> (patients, effective patients, largest weight).
    """

    x: FloatArray
    covariance: FloatArray
    loss: float
    targets: tuple[tuple[str, float, float, float], ...]
    sizes: Mapping[tuple[str, str], tuple[int, float, float]]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Result: the fit that ships, what each round gave, what was fitted to.

    Attributes
    ----------
    fit : moved distributions. moving : what could move. rounds : one `WeightedFit` per round.
    seed, patients : of each arm and round.
    discrepancy : kind of figure -> SD of what the model leaves on fresh patients; see :func:`discrepancy`.
    fresh : name of a target -> its figure from fresh patients.
    left_out : comparison -> kind of figure -> SD of what a fit without the trial leaves, with the number of figures.
    draws : from the posterior; None where none were asked for.
    points, spread : populations of a round, and their spread in prior standard deviations.
    refits : fits without one trial, by steps with fresh patients.
    """

    fit: PopulationFit
    moving: tuple[Term, ...]
    rounds: tuple[WeightedFit, ...]
    seed: int
    patients: int
    discrepancy: Mapping[str, float] = field(default_factory=dict)
    fresh: Mapping[str, float] = field(default_factory=dict)
    left_out: Mapping[str, Mapping[str, tuple[float, int]]] = field(default_factory=dict)
    draws: Draws | None = None
    points: int = 1
    spread: float = 0.0
    refits: tuple[Refit, ...] = ()

    @property
    def surprises(self) -> list[str]:
        """Terms that moved by two prior standard deviations or more: the data contradict what was assumed."""
        moves = [(t, t.moved(float(x))) for t, x in zip(self.moving, self.last.x, strict=True)]
        return [
            f"{t.name}, {t.term}: {move:+.1f} prior standard deviations" for t, move in moves if abs(move) >= SURPRISE
        ]

    @property
    def last(self) -> WeightedFit:
        """The final fit."""
        return self.rounds[-1]

    def table(self) -> list[dict[str, Any]]:
        """One record per term: value, standard error, shift in prior SD, and how much the data say about it.

        The standard error is on the scale of the value, as in the table of the fit (to first order for ratios).
        ``identified`` is 1 - posterior variance / prior variance: 0 where the data say nothing.
        """
        error = np.sqrt(np.diag(self.last.covariance))
        return [
            {
                "name": t.name,
                "members": list(t.members),
                "term": t.term,
                "value": round(t.value(float(x)), 4),
                "se": round(t.error(float(x), float(e)), 4),
                "moved_prior_sd": round(t.moved(float(x)), 3),
                "identified": round(max(0.0, 1.0 - float(e) ** 2 / t.prior_sd**2), 3),
            }
            for t, x, e in zip(self.moving, self.last.x, error, strict=True)
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain content of ``calibration.json``."""
        last = self.last
        total = sum(effective for _, effective, _ in last.sizes.values())
        return {
            "seed": self.seed,
            "patients_per_arm_and_round": self.patients,
            "effective_sample_size": round(total, 1),
            "smallest_effective_sample_size_of_an_arm": round(min(e for _, e, _ in last.sizes.values()), 1),
            "largest_weight_of_the_pooled_sample": largest_weight(last.sizes),
            "loss": [round(r.loss, 3) for r in self.rounds],
            "populations_per_round": self.points,
            "spread_prior_sd": self.spread,
            "discrepancy": {kind: round(sd, 4) for kind, sd in self.discrepancy.items()},
            "discrepancy_left_out": {
                what: {kind: {"sd": round(sd, 4), "figures": n} for kind, (sd, n) in by_kind.items()}
                for what, by_kind in self.left_out.items()
            },
            "left_out_refits": [refit.to_json() for refit in self.refits],
            "posterior_draws": None
            if self.draws is None
            else {
                "draws": len(self.draws.x),
                "proposals": self.draws.proposals,
                "effective_proposals": round(self.draws.effective, 1),
            },
            "moved_two_prior_sd_or_more": self.surprises,
            "terms": self.table(),
            "targets": [
                {"name": n, "published": round(p, 4), "predicted": round(q, 4), "residual_sd": round(r, 3)}
                | ({"fresh": round(self.fresh[n], 4)} if math.isfinite(self.fresh.get(n, math.nan)) else {})
                for n, p, q, r in last.targets
            ],
            "arms": [
                {"trial": t, "arm": a, "patients": n, "effective": round(e, 1), "largest_weight": round(w, 5)}
                for (t, a), (n, e, w) in last.sizes.items()
            ],
            "covariance": [[float(f"{v:.4g}") for v in row] for row in last.covariance],
        }

    def write(self, folder: Path) -> None:
        """Write the fit, the record and the draws (where there are any) to a folder."""
        write_text(folder / "population_fit.csv", self.fit.to_csv())
        write_text(folder / "calibration.json", json.dumps(self.to_json(), indent=1) + "\n")
        if self.draws is not None:
            write_text(folder / "population_draws.csv", self.draws.to_csv())


def largest_weight(sizes: Mapping[tuple[str, str], tuple[int, float, float]]) -> float:
    """Largest share that one patient has in all arms together, each arm counting by its effective patients."""
    total = sum(effective for _, effective, _ in sizes.values())
    return round(max(w * effective / total for _, effective, w in sizes.values()), 6)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, with a hint on how to resume."""
    hint = "Make room or choose another folder (--out); the same command resumes."
    with whole_file(path, "cannot write the fit", hint=hint) as file:
        file.write(text.encode("utf-8"))
