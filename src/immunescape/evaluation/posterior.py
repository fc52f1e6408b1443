"""Uncertainty of the population fit in predictions: other fits that the calibration leaves possible, as weights.

Fits are drawn from the normal approximation of the posterior (mode and covariance of the calibration), and patients
simulated with the mode are weighted to stand for each of them. What no fit can mend, the error of the model's
structure, is estimated from the errors that the calibration left (`shipped_discrepancy`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.evaluation.fit_terms import RATIOS, Term, coordinates, limits, scored, terms, to_fit
from immunescape.evaluation.posterior_draws import covariance_root, read_draws
from immunescape.evaluation.weighting import Sample
from immunescape.population.fit import PopulationFit

if TYPE_CHECKING:
    from immunescape.trial.result import TrialResult

__all__ = ["Posterior", "error_source", "posterior_weights", "shipped_discrepancy"]

FloatArray = NDArray[np.float64]
_FILE, _DRAWS = "population_fit.json", "population_draws.csv"
ENOUGH = 4
"""Figures of a kind that tell the error of one sort of comparison apart from that of all."""


@dataclass(frozen=True)
class Posterior:
    """Mode and covariance of the coordinates of a fit, and draws of them where the calibration made any.

    Attributes
    ----------
    mode, covariance : (p,) and (p, p). moving : the terms.
    drawn : (draws, k) coordinates of the first k terms; None: they are normal like the others.
    """

    mode: FloatArray
    covariance: FloatArray
    moving: tuple[Term, ...]
    drawn: FloatArray | None = None

    @classmethod
    @lru_cache(maxsize=1)
    def shipped(cls) -> Posterior | None:
        """That of the fit that ships; None where no fit ships.

        Terms that its last calibration held have the standard errors of the calibration that moved them, uncorrelated.
        """
        record = shipped_record()
        return None if record is None else cls.of(PopulationFit.shipped(), record, _shipped_draws())

    @classmethod
    def of(cls, fit: PopulationFit, record: Mapping[str, Any], draws: str | None = None) -> Posterior:
        """That of a fit, from the record of its calibration and the table of draws.

        Parameters
        ----------
        fit : what ships. record : content of ``calibration.json``. draws : text of ``population_draws.csv``.
        """
        listed = terms()
        names = [(t["name"], t["term"]) for t in record["terms"]]
        moved = [t for t in listed if (t.name, t.term) in names]
        order = [names.index((t.name, t.term)) for t in moved]
        errors = {(t.parameter, t.term): t.se for t in fit.terms}
        held = [t for t in listed if t not in moved and errors.get((t.members[0], t.term), 0.0) > 0.0]
        moving = tuple(moved + held)
        covariance = np.zeros((len(moving), len(moving)))
        covariance[: len(moved), : len(moved)] = np.array(record["covariance"])[np.ix_(order, order)]
        for k, t in enumerate(held, start=len(moved)):
            # the error of a ratio is that of its value; the coordinate is its logarithm
            unit = fit.of(t.members[0])[t.term] if t.term in RATIOS else 1.0
            covariance[k, k] = (errors[t.members[0], t.term] / unit) ** 2
        drawn = None if draws is None or not moved else read_draws(draws, moved, _DRAWS)
        return cls(coordinates(fit, moving), covariance, moving, drawn)

    def draws(self, n: int, seed: int) -> list[PopulationFit]:
        """`n` fits from the posterior."""
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0xF17,)))
        root = covariance_root(self.covariance)
        points = self.mode + rng.standard_normal((n, len(self.mode))) @ root.T
        if self.drawn is not None:
            chosen = rng.permutation(np.arange(n) % len(self.drawn))
            points[:, : self.drawn.shape[1]] = self.drawn[chosen]
        limit = limits(self.moving)
        return [to_fit(np.clip(x, -limit, limit), self.moving) for x in points]


def _shipped_draws() -> str | None:
    path = files("immunescape.knowledge").joinpath("data", _DRAWS)
    return path.read_text(encoding="utf-8") if path.is_file() else None


def shipped_record() -> Mapping[str, Any] | None:
    """The calibration that ships, as ``knowledge/data/population_fit.json`` holds it."""
    path = files("immunescape.knowledge").joinpath("data", _FILE)
    if not path.is_file():
        return None
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def shipped_discrepancy(comparison: str = "") -> Mapping[str, float]:
    """SD of the error of the model's structure, by kind of figure; {} where no fit ships.

    Three sources, each before the next: the errors that predictions of trials left which nothing was fitted to
    (``knowledge/data/prediction_errors.csv``, from a run of the harness with the fit that ships); where the calibration
    fitted again without each trial, the errors of those fits on the trial that they had not seen; the errors on trials
    that were fitted, which are rather too small. A table from a run with another fit comes after the second. The first
    two are those of trials with the same `comparison` (see `comparison_kind`), if
    they hold `ENOUGH` figures of a kind, else of all.
    """
    record = shipped_record()
    if record is None:
        return {}
    out = dict(record.get("discrepancy", {}))
    for apart in sorted_errors(record):
        for group in ("all", comparison):
            for kind, of_kind in apart.get(group, {}).items():
                if group == "all" or of_kind["figures"] >= ENOUGH:
                    out[kind] = of_kind["sd"]
    return out


def sorted_errors(record: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Errors by comparison and kind of figure, those that count come last."""
    left_out, table = record.get("discrepancy_left_out", {}), _prediction_errors()
    return (left_out, table) if errors_of_this_fit() else (table, left_out)


def fit_digest() -> str:
    """Hash of the table of the fit that ships; empty where none ships."""
    path = files("immunescape.knowledge").joinpath("data", "population_fit.csv")
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else ""


@lru_cache(maxsize=1)
def table_digests() -> Mapping[str, str]:
    """Hashes of the tables that a forecast depends on.

    Returns
    -------
    ``numbers`` : those that simulated patients depend on. ``fit`` : the fit, which is one of them. ``learnt`` : those
    that are written from runs of the harness, which enter intervals and the share of an effect that is delivered.
    """
    from immunescape.trial.runner import LEARNT_FROM_RUNS, numbers_digest

    folder = files("immunescape.knowledge").joinpath("data")
    learnt = hashlib.sha256(b"\x1f".join(folder.joinpath(name).read_bytes() for name in LEARNT_FROM_RUNS))
    return {"numbers": numbers_digest(), "fit": fit_digest(), "learnt": learnt.hexdigest()}


@lru_cache(maxsize=1)
def errors_of_this_fit() -> bool:
    """Whether the table of prediction errors stems from a run with the fit that ships."""
    from immunescape.knowledge.tables import read_rows

    return {row["fit"] for row in read_rows("prediction_errors")} == {fit_digest()}


def error_source() -> str:
    """Words for what the errors of `shipped_discrepancy` are; empty where none ship."""
    record = shipped_record()
    if record is None or not shipped_discrepancy():
        return ""
    left_out = record.get("discrepancy_left_out")
    if _prediction_errors() and (errors_of_this_fit() or not left_out):
        return (
            "errors of the size that predictions left on trials that were not fitted (where fewer than"
            f" {ENOUGH} figures are of such trials, on fitted ones as well)"
        )
    if left_out:
        return "errors of the size that fits left on a trial which they had not seen"
    return "errors of the size that the fit left on the calibration trials"


@lru_cache(maxsize=1)
def _prediction_errors() -> dict[str, dict[str, dict[str, float]]]:
    """Comparison -> kind of figure -> SD and number of figures, of the table that ships."""
    from immunescape.knowledge.tables import read_rows

    out: dict[str, dict[str, dict[str, float]]] = {}
    for row in read_rows("prediction_errors"):
        error = {"sd": row.number("sd"), "figures": row.number("figures")}
        out.setdefault(row["comparison"], {})[row["kind"]] = error
    return out


def posterior_weights(result: TrialResult, arm: str, fits: Sequence[PopulationFit]) -> FloatArray | None:
    """Weights (draws, n) of the patients of an arm under fits drawn from the posterior; None where no fit ships.

    The trial must have been simulated with the fit that ships. The same draw of fits serves all arms and trials, so
    that what the arms share cancels in their comparison.
    """
    posterior = Posterior.shipped()
    if posterior is None:
        return None
    members, scores = scored(posterior.moving)
    trial_arm = next(a for a in result.trial.arms if a.name == arm)
    sample = Sample.of(result, trial_arm, members, scores, PopulationFit.shipped())
    return np.stack([sample.weights(fit) for fit in fits])
