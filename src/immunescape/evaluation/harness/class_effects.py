"""How much of the predicted effect of an added drug trials have shown, by class of drug, shrunk by evidence.

For a comparison in which drugs are added to the control arm, with published ln hazard ratio y and the model's m::

    y = phi m + normal(0, s),   s^2 = (error of y)^2 + (phi times Monte Carlo error of m)^2 + tau^2
    phi of a class ~ normal(mu, omega)

phi is the share of the predicted gain that arrives: 1 if the model is right, 0 if the class does nothing, negative if
it harms. Classes with many trials have their own phi, classes with few lean on mu. Priors are pessimistic on purpose:
mu ~ normal(0.5, 0.5), omega and tau half-normal (0.4 and 0.1), all assumed. mu and phi are integrated in closed form,
omega and tau over a grid.

A class that no trial has tested gets the wider and the more pessimistic of two: the prediction for a further class, and
the prior. So does a class whose trials tell nothing of its share, as the model predicted hardly any effect in them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.evaluation.harness.checks import UNVERIFIED

if TYPE_CHECKING:
    from immunescape.evaluation.harness.protocols import Protocol
    from immunescape.evaluation.harness.scoring import FigureComparison
    from immunescape.trial.spec import Trial

__all__ = [
    "UNTESTED",
    "ClassEffect",
    "ClassEvidence",
    "added_class",
    "class_effects",
    "delivered_shares",
    "effects_of",
    "evidence",
    "half_normal_nodes",
    "shipped_effect",
    "shipped_effects",
    "shipped_evidence",
    "shrunk",
]

FloatArray = NDArray[np.float64]
PRIOR_MEAN, PRIOR_SD = 0.5, 0.5
"""Of mu: half of what is predicted, give or take half."""
BETWEEN, EXTRA = 0.4, 0.1
"""Scales of omega (between classes) and tau (in ln hazard ratio)."""
GRID = 8
UNTESTED = "any class without a trial"
INFORMATIVE = 0.9
"""A class whose SD is at least this share of that of a further class has learnt nothing from its own trials."""
_80 = 1.2815515655446004


@dataclass(frozen=True)
class ClassEvidence:
    """One comparison: class of what is added, published and predicted ln hazard ratio with their standard errors."""

    trial: str
    drug_class: str
    published: float
    published_se: float
    predicted: float
    predicted_se: float


@dataclass(frozen=True, kw_only=True)
class ClassEffect:
    """Share of the predicted effect that a class delivers: mean, SD and 80 % interval of its posterior.

    `positive` is the probability that it is above 0.
    """

    figure: str
    drug_class: str
    trials: int
    mean: float
    sd: float
    low: float
    high: float
    positive: float

    def row(self) -> dict[str, Any]:
        """As plain JSON."""
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}


def class_effects(rows: Sequence[ClassEvidence], figure: str = "") -> list[ClassEffect]:
    """Posterior of each class, by name, and of a class that no trial has tested (last).

    Parameters
    ----------
    rows : comparisons; none at all gives the prior.
    figure : what the ratios are of, for tables.
    """
    classes = sorted({r.drug_class for r in rows})
    y, m = np.array([r.published for r in rows]), np.array([r.predicted for r in rows])
    error = np.array([r.published_se for r in rows])
    monte_carlo = np.array([r.predicted_se for r in rows])
    member = np.array([[r.drug_class == c for c in classes] for r in rows], dtype=float).reshape(
        len(rows), len(classes)
    )
    omegas = BETWEEN * half_normal_nodes()
    taus = EXTRA * half_normal_nodes()
    parts: list[tuple[float, FloatArray, FloatArray]] = []
    for omega in omegas:
        # of mu and of each class, and of a further class
        mean = np.full(len(classes) + 1, PRIOR_MEAN)
        prior = np.full((len(classes) + 1,) * 2, PRIOR_SD**2) + omega**2 * np.eye(len(classes) + 1)
        design = np.column_stack([member * m[:, None], np.zeros(len(rows))]) if len(rows) else np.zeros((0, 1))
        for tau in taus:
            # the share of Monte Carlo error is that at the prior mean of the share
            noise = error**2 + (PRIOR_MEAN * monte_carlo) ** 2 + tau**2
            total = design @ prior @ design.T + np.diag(noise)
            gain = prior @ design.T @ np.linalg.inv(total) if len(rows) else np.zeros((len(classes) + 1, 0))
            left = y - design @ mean
            evidence_ln = (
                -0.5 * float(left @ np.linalg.solve(total, left) + np.linalg.slogdet(total)[1]) if len(rows) else 0.0
            )
            parts.append((evidence_ln, mean + gain @ left, np.diag(prior - gain @ design @ prior)))
    ln = np.array([p[0] for p in parts])
    weight = np.exp(ln - ln.max())
    weight = weight / weight.sum()
    means, variances = np.array([p[1] for p in parts]), np.array([p[2] for p in parts])
    out = [
        _effect(figure, name, int(member[:, k].sum()), weight, means[:, k], variances[:, k])
        for k, name in enumerate(classes)
    ]
    further = _effect(figure, UNTESTED, 0, weight, means[:, -1], variances[:, -1])
    prior_sd = math.hypot(PRIOR_SD, BETWEEN)
    lowest, widest = min(further.mean, PRIOR_MEAN), max(further.sd, prior_sd)
    untested = _effect(figure, UNTESTED, 0, np.ones(1), np.array([lowest]), np.array([widest**2]))
    informative = [e.sd < INFORMATIVE * further.sd for e in out]
    return [
        *(
            e if t else replace(untested, drug_class=e.drug_class, trials=e.trials)
            for e, t in zip(out, informative, strict=True)
        ),
        untested,
    ]


def half_normal_nodes() -> FloatArray:
    """Quantiles of a half-normal of scale 1 that stand for equal shares of it."""
    from scipy.special import ndtri

    return np.asarray(ndtri(0.5 + 0.5 * (np.arange(GRID) + 0.5) / GRID))


def _effect(
    figure: str, name: str, trials: int, weight: FloatArray, means: FloatArray, variances: FloatArray
) -> ClassEffect:
    """Moments and quantiles of a mixture of normals."""
    from scipy.optimize import brentq
    from scipy.special import ndtr

    mean = float(weight @ means)
    sd = math.sqrt(float(weight @ (variances + (means - mean) ** 2)))
    spread = np.sqrt(variances)

    def below(x: float) -> float:
        return float(weight @ ndtr((x - means) / spread))

    low, high = (float(brentq(lambda x, p=p: below(x) - p, mean - 9 * sd, mean + 9 * sd)) for p in (0.1, 0.9))
    return ClassEffect(
        figure=figure, drug_class=name, trials=trials, mean=mean, sd=sd, low=low, high=high, positive=1.0 - below(0.0)
    )


def added_class(trial: Trial, arm: str = "") -> str:
    """Class of the drugs that an arm adds to the control arm; empty where it adds none or takes some away.

    Parameters
    ----------
    trial : the protocol. arm : name of an experimental arm; empty: the first.
    """
    from immunescape.model.registry import drugs

    mine = next((a for a in trial.experimental if not arm or a.name == arm), None)
    if trial.control is None or mine is None:
        return ""
    registered = drugs()
    experimental, two = ({d for choice in a.choices for d in choice.regimen.drugs} for a in (mine, trial.control))
    if not two or not two < experimental:
        return ""
    return " + ".join(sorted({registered[d].drug_class if d in registered else d for d in experimental - two}))


def evidence(chosen: Sequence[Protocol], compared: Sequence[FigureComparison], figure: str) -> list[ClassEvidence]:
    """Comparisons of calibration trials in which drugs are added, with a virtual ratio and a published one at hand.

    Published ratios that were entered from memory and not found again teach nothing.
    """
    classes = {p.trial.name: added_class(p.trial) for p in chosen if p.role == "calibration" and p.counted}
    out = []
    for c in compared:
        name = classes.get(c.trial, "")
        if name and c.figure == figure and c.virtual and c.published_se and c.checked != UNVERIFIED:
            out.append(
                ClassEvidence(c.trial, name, math.log(c.published), c.published_se, math.log(c.virtual), c.se or 0.0)
            )
    return out


def effects_of(chosen: Sequence[Protocol], compared: Sequence[FigureComparison]) -> list[ClassEffect]:
    """`class_effects` of PFS and of OS."""
    effects: list[ClassEffect] = []
    for figure in ("pfs_hr", "os_hr"):
        rows = evidence(chosen, compared, figure)
        if rows:
            effects += class_effects(rows, figure)
    return effects


def shrunk(effects: Sequence[ClassEffect], drug_class: str, figure: str, predicted: float) -> tuple[float, float]:
    """Ln hazard ratio and its SD once a prediction is multiplied by the share that its class delivers."""
    of_class = _of_class([e for e in effects if e.figure == figure], drug_class)
    return of_class.mean * predicted, of_class.sd * abs(predicted)


def _of_class(effects: Sequence[ClassEffect], drug_class: str) -> ClassEffect:
    """Effect of a class; that of an untested one where no trial had it."""
    by: Mapping[str, ClassEffect] = {e.drug_class: e for e in effects}
    return by.get(drug_class) or by[UNTESTED]


# --- the evidence that ships ------------------------------------------------------------------------------------------

TABLE = "class_evidence"
"""Table of the evidence that predictions are shrunk by; `immunescape harness --from RUN --tables FOLDER` writes it."""
COLUMNS = (
    "figure",
    "trial",
    "drug_class",
    "published",
    "published_se",
    "predicted",
    "predicted_se",
    "unit",
    "source",
    "grade",
    "note",
)


@cache
def shipped_evidence(figure: str, table: str = TABLE) -> tuple[ClassEvidence, ...]:
    """Comparisons of one figure, of ``knowledge/data/class_evidence.csv`` or another table of that form."""
    from immunescape.knowledge.tables import read_rows

    names = ("published", "published_se", "predicted", "predicted_se")
    return tuple(
        ClassEvidence(row["trial"], row["drug_class"], *(row.number(name) for name in names))
        for row in read_rows(table)
        if row["figure"] == figure
    )


@cache
def shipped_effects(figure: str, without: frozenset[str] = frozenset()) -> tuple[ClassEffect, ...]:
    """Posterior of every class by the evidence that ships, without that of some trials."""
    return tuple(class_effects([e for e in shipped_evidence(figure) if e.trial not in without], figure))


def shipped_effect(trial: Trial, arm: str, figure: str) -> ClassEffect | None:
    """Share of the predicted effect of an arm that its class delivers; None where it does not add drugs to the control.

    The evidence of the trial itself, by name or registry number, is left out, so that no result predicts itself.
    """
    from immunescape.evaluation.trial_identity import names_of_same_trial

    drug_class = added_class(trial, arm)
    return _of_class(shipped_effects(figure, names_of_same_trial(trial)), drug_class) if drug_class else None


def delivered_shares(trial: Trial, arm: str, figure: str, draws: int, seeds: Sequence[int]) -> tuple[float, FloatArray]:
    """Share of the predicted ln hazard ratio that an arm delivers, mean and draws (draws,); 1 where it adds no drug.

    Parameters
    ----------
    trial, arm, figure : the experimental arm and ``pfs_hr`` or ``os_hr``.
    draws, seeds : how many, and the seeds of the prediction that they belong to.
    """
    effect = shipped_effect(trial, arm, figure)
    if effect is None:
        return 1.0, np.ones(draws)
    rng = np.random.default_rng(np.random.SeedSequence(list(seeds), spawn_key=(0xC1A5, figure == "os_hr")))
    return effect.mean, effect.mean + effect.sd * rng.standard_normal(draws)
