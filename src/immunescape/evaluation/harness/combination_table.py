"""Combinations and novel agents: whether failures and successes are told apart, against rules that know no biology.

Predictors of ln hazard ratios, learnt on the other combinations where they are learnt at all: ``no effect``; ``best
constant``, the median of all published ones, which no constant can beat; and the rule ``VEGF or KRAS inhibitor``, which
predicts the mean of regimens that contain one, or of those that do not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.evaluation.aims import Aim
from immunescape.evaluation.harness.protocols import Protocol
from immunescape.evaluation.harness.scoring import FigureComparison

__all__ = [
    "LEAST",
    "AfterInhibitor",
    "CombinationScore",
    "Combined",
    "Floor",
    "after_inhibitor",
    "combination_aims",
    "combination_score",
    "combination_scores",
    "combined",
    "noise_floor",
    "scores_alone",
    "seed_correlation",
]

FloatArray = NDArray[np.float64]
WITHIN, SLOPE, POINTS = 0.07, (0.8, 1.2), 5.0
LEAST = 3
"""Combinations from which on a mean or an error is given."""


@dataclass(frozen=True, kw_only=True)
class Combined:
    """One combination: ln hazard ratios and their errors, whether its trial succeeded, what the rule says.

    `predicted_se` is the Monte Carlo error, `published_se` that of the report.
    """

    trial: str
    predicted: float
    published: float
    predicted_se: float
    published_se: float
    met: bool
    rule: bool


@dataclass(frozen=True, kw_only=True)
class CombinationScore:
    """Scores of one figure over combinations.

    Attributes
    ----------
    figure, n, successes : what, on how many combinations, how many of them met their primary endpoint.
    means : group (``failures``, ``successes``) -> (n, mean predicted, mean published ln hazard ratio).
    errors : group (``all``, ``with VEGF or KRAS inhibitor``, ``without``) -> predictor -> median absolute error.
    sizes : group of `errors` -> number of combinations.
    slope, slope_se : of published on predicted ln hazard ratios (least squares with intercept).
    roc : area under the curve by which predicted ratios tell successes from failures, by predictor.
    """

    figure: str
    n: int
    successes: int
    means: dict[str, tuple[int, float, float]]
    errors: dict[str, dict[str, float]]
    sizes: dict[str, int]
    slope: float | None
    slope_se: float | None
    roc: dict[str, float]

    def row(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def contains_rule_drug(protocol: Protocol) -> bool:
    """Whether the experimental arm contains a VEGF or KRAS inhibitor."""
    from immunescape.model.registry import drugs

    registered = drugs()
    given = {d for choice in protocol.trial.experimental[0].choices for d in choice.regimen.drugs}
    classes = " ".join(registered[d].drug_class for d in given if d in registered)
    return any(target in classes for target in ("VEGF", "KRAS", "angiogenic"))


def combined(chosen: Sequence[Protocol], compared: Sequence[FigureComparison], figure: str) -> list[Combined]:
    """Add-ons and switches of the calibration trials whose success is known, with both ratios of a figure."""
    by = {p.trial.name: p for p in chosen if p.met is not None and p.kind in ("addon", "switch") and p.counted}
    return [
        Combined(
            trial=c.trial,
            predicted=math.log(c.virtual),
            published=math.log(c.published),
            predicted_se=c.se or 0.0,
            published_se=c.published_se or 0.0,
            met=bool(by[c.trial].met),
            rule=contains_rule_drug(by[c.trial]),
        )
        for c in compared
        if c.figure == figure and c.trial in by and c.virtual
    ]


def combination_score(rows: Sequence[Combined], figure: str) -> CombinationScore:
    """Scores of combinations; groups of fewer than `LEAST` are left out."""
    m, y = (np.array([getattr(r, name) for r in rows]) for name in ("predicted", "published"))
    met, rule = (np.array([getattr(r, name) for r in rows], dtype=bool) for name in ("met", "rule"))
    predictors = {"model": m, **rivals(y, rule)}
    groups = {"failures": ~met, "successes": met}
    parts = {"all": np.ones(len(rows), dtype=bool), "with VEGF or KRAS inhibitor": rule, "without": ~rule}
    slope, slope_se = slope_of(m, y)
    return CombinationScore(
        figure=figure,
        n=len(rows),
        successes=int(met.sum()),
        means={
            g: (int(k.sum()), float(m[k].mean()), float(y[k].mean())) for g, k in groups.items() if k.sum() >= LEAST
        },
        errors={
            g: {name: float(np.median(np.abs(p[k] - y[k]))) for name, p in predictors.items()}
            for g, k in parts.items()
            if k.sum() >= LEAST
        },
        sizes={g: int(k.sum()) for g, k in parts.items() if k.sum() >= LEAST},
        slope=slope,
        slope_se=slope_se,
        roc={name: area for name, p in predictors.items() if (area := roc_area(p, met)) is not None},
    )


def rivals(published: FloatArray, rule: NDArray[np.bool_]) -> dict[str, FloatArray]:
    """Predictions (n,) of rules that know no biology; the rule's means leave each combination out of its own."""
    n = len(published)
    by_rule = np.zeros(n)
    for k in range(n):
        others = np.arange(n) != k
        alike = others & (rule == rule[k])
        by_rule[k] = published[alike if alike.any() else others].mean() if others.any() else 0.0
    constant = np.full(n, float(np.median(published)) if n else 0.0)
    return {"no effect": np.zeros(n), "best constant": constant, "VEGF or KRAS inhibitor": by_rule}


def slope_of(predicted: FloatArray, published: FloatArray) -> tuple[float | None, float | None]:
    """Slope of published on predicted and its standard error."""
    n = len(predicted)
    centred = predicted - predicted.mean() if n else predicted
    mass = float(centred @ centred)
    if n < LEAST or mass < 1e-12:
        return None, None
    slope = float(centred @ (published - published.mean())) / mass
    left = published - published.mean() - slope * centred
    return slope, math.sqrt(float(left @ left) / (n - 2) / mass)


def roc_area(predicted: FloatArray, met: NDArray[np.bool_]) -> float | None:
    """Share of pairs of a success and a failure in which the success has the lower ratio; ties count half."""
    if met.all() or not met.any():
        return None
    gap = predicted[~met][:, None] - predicted[met][None, :]
    return float(np.mean((gap > 0) + 0.5 * (gap == 0)))


@dataclass(frozen=True)
class AfterInhibitor:
    """Response of arms given after progression on an inhibitor: (trial, arm, predicted, published), percent."""

    rows: tuple[tuple[str, str, float, float], ...]

    @property
    def median_error(self) -> float | None:
        """Median absolute error in points."""
        return float(np.median([abs(p - y) for _, _, p, y in self.rows])) if self.rows else None


def after_inhibitor(chosen: Sequence[Protocol], compared: Sequence[FigureComparison]) -> AfterInhibitor:
    """Response in trials of patients who had an inhibitor before."""
    from immunescape.trial.toxicity import contains_class

    names = {
        p.trial.name
        for p in chosen
        if p.counted
        and any(contains_class(choice.regimen.drugs, "ici") for line in p.trial.prior for choice in line.choices)
    }
    return AfterInhibitor(
        tuple(
            (c.trial, c.arm, c.virtual, c.published)
            for c in compared
            if c.figure == "orr_pct" and c.trial in names and c.virtual is not None
        )
    )


def combination_aims(scores: Sequence[CombinationScore], after: AfterInhibitor | None = None) -> list[Aim]:
    """The aims for combinations with what was reached."""
    out = []
    for s in scores:
        title = {"pfs_hr": "PFS", "os_hr": "OS"}[s.figure]
        for group, (n, predicted, published) in s.means.items():
            text = f"{title}, {group}: mean predicted ln hazard ratio within ± {WITHIN:g} of the published"
            shown = f"{predicted:+.2f} (published {published:+.2f})"
            out.append(Aim(text, n, shown, abs(predicted - published) <= WITHIN))
        for group, errors in s.errors.items():
            against: tuple[str, ...] = ("VEGF or KRAS inhibitor",)
            if group == "all":
                against = ("best constant", "no effect")
            for rival in against:
                text = f"{title}, {group}: median absolute error of ln below '{rival}'"
                shown = f"{errors['model']:.3f} ({rival} {errors[rival]:.3f})"
                out.append(Aim(text, s.sizes[group], shown, errors["model"] < errors[rival]))
        if s.slope is not None:
            text = f"{title}: slope of published on predicted {SLOPE[0]:g} to {SLOPE[1]:g}"
            shown = f"{s.slope:.2f} (SE {s.slope_se:.2f})"
            out.append(Aim(text, s.n, shown, SLOPE[0] <= s.slope <= SLOPE[1]))
    if after is not None and after.median_error is not None:
        text = f"response after progression on an inhibitor: median absolute error at most {POINTS:g} points"
        out.append(Aim(text, len(after.rows), f"{after.median_error:.1f}", after.median_error <= POINTS))
    return out


ASSUMED_CORRELATION = 0.3
"""Of errors between trials of one seed where a run has a single seed, from which it cannot be estimated (assumed)."""


def scores_alone(chosen: Sequence[Protocol], compared: Sequence[FigureComparison]) -> list[CombinationScore]:
    """Scores of PFS and OS without their noise floors, which take a simulation each."""
    return [combination_score(mine, figure) for figure, mine in _enough(chosen, compared).items()]


def _enough(chosen: Sequence[Protocol], compared: Sequence[FigureComparison]) -> dict[str, list[Combined]]:
    """Figure -> combinations, where there are at least `LEAST`."""
    of_figure = {figure: combined(chosen, compared, figure) for figure in ("pfs_hr", "os_hr")}
    return {figure: mine for figure, mine in of_figure.items() if len(mine) >= LEAST}


def combination_scores(
    chosen: Sequence[Protocol], compared: Sequence[FigureComparison], rows: Mapping[str, Mapping[str, Any]]
) -> tuple[list[CombinationScore], list[Floor], str]:
    """Scores of PFS and OS with their noise floors, and words on the correlation that these were made with.

    Parameters
    ----------
    chosen, compared, rows : of a run of the harness.
    """
    floors, informative = [], []
    for figure, mine in _enough(chosen, compared).items():
        by_seed = [
            [math.log(v) for v in values]
            for r in mine
            if (values := rows[r.trial].get("by_seed", {}).get(figure)) and all(v and v > 0 for v in values)
        ]
        estimated = seed_correlation(by_seed)
        correlation = ASSUMED_CORRELATION if estimated is None else estimated
        floors += noise_floor(mine, figure, correlation=correlation)
        source = "assumed, as the run has one seed" if estimated is None else "estimated between the run's seeds"
        informative.append(f"{figure.removesuffix('_hr').upper()} {correlation:.2f} ({source})")
    scores = scores_alone(chosen, compared)
    return scores, floors, f"Correlation: {'; '.join(informative)}." if informative else ""


# --- noise floor -----------------------------------------------------------------------------------------------------

Statistic = Callable[[FloatArray, FloatArray], float | None]


@dataclass(frozen=True)
class Floor:
    """What chance alone leaves of a score: 5th, 50th and 95th percentile over repetitions of a perfect model."""

    figure: str
    score: str
    low: float
    median: float
    high: float

    def row(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def noise_floor(
    rows: Sequence[Combined], figure: str, *, correlation: float, draws: int = 2000, seed: int = 1
) -> list[Floor]:
    """Scores of a model that knows every true effect, by Monte Carlo.

    True effects are drawn as what the published ones leave possible: the published effect shrunk to the mean of all by
    its error, with the variance that is left. Both sides then get their errors: the published ones independent, the
    virtual ones of standard deviation `predicted_se` with `correlation` between trials, as trials that are run with one
    seed share what chance gives their patients.

    Parameters
    ----------
    rows : combinations.
    correlation : of Monte Carlo errors between trials of one seed, 0 to 1 (see `seed_correlation`).
    """
    y, error = (np.array([getattr(r, n) for r in rows]) for n in ("published", "published_se"))
    chance = np.array([r.predicted_se for r in rows])
    met = np.array([r.met for r in rows], dtype=bool)
    if len(rows) < LEAST:
        return []
    between = max(float(np.var(y, ddof=1)) - float(np.mean(error**2)), 1e-4)
    keep = between / (between + error**2)
    centre, spread = y.mean() + keep * (y - y.mean()), np.sqrt(keep * error**2)
    statistics: dict[str, Statistic] = {
        "median absolute error": lambda m, p: float(np.median(np.abs(m - p))),
        "mean error": lambda m, p: float(np.mean(m - p)),
        "slope": lambda m, p: slope_of(m, p)[0],
        "ROC area": lambda m, p: roc_area(m, met),
    }
    for name, group in (("failures", ~met), ("successes", met)):
        if group.sum() >= LEAST:
            statistics[f"mean error, {name}"] = lambda m, p, g=group: float(np.mean(m[g] - p[g]))  # type: ignore[misc]
    errors: dict[str, list[float]] = {}
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0xF100,)))
    root, rest = math.sqrt(correlation), math.sqrt(1 - correlation)
    for _ in range(draws):
        truth = centre + spread * rng.standard_normal(len(y))
        published = truth + error * rng.standard_normal(len(y))
        predicted = truth + chance * (root * rng.standard_normal() + rest * rng.standard_normal(len(y)))
        for name, statistic in statistics.items():
            value = statistic(predicted, published)
            if value is not None:
                errors.setdefault(name, []).append(value)
    return [Floor(figure, n, *(float(q) for q in np.quantile(v, (0.05, 0.5, 0.95)))) for n, v in errors.items()]


def seed_correlation(by_seed: Sequence[Sequence[float]]) -> float | None:
    """Correlation of errors between trials that were run with the same seed; None with fewer than two seeds.

    Parameters
    ----------
    by_seed
        For each trial its ln hazard ratio with each seed, in the same order of seeds.

    Returns
    -------
    float or None
        Mean product of deviations from each trial's mean over pairs of different trials, over their mean square; at
        least 0.
    """
    table = np.array([row for row in by_seed if len(row) > 1], dtype=float)
    if table.ndim != 2 or table.shape[0] < 2:
        return None
    left = table - table.mean(axis=1, keepdims=True)
    n = len(left)
    square = float((left**2).sum(axis=0).mean())
    product = float((left.sum(axis=0) ** 2).mean()) - square
    return min(max(product / (n - 1) / square, 0.0), 1.0) if square > 0 else None
