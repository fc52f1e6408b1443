"""Errors of predictions beside those of naive ones, and the aims set for them: what was reached, met or missed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.evaluation.naive import ARM_FIGURES, ROUND_RATIOS, Judged, logarithmic
from immunescape.evaluation.trial_classes import LANDMARKS, interval_score
from immunescape.stats.estimate import NORMAL_975

__all__ = ["CHANCE", "Aim", "ErrorRow", "aims", "error_rows", "ratio_aims"]

FIGURE_WORDS = {
    "orr_pct": "response (points)",
    "pfs_median_months": "median PFS (%)",
    "os_median_months": "median OS (%)",
    **{
        f"{e}_{m}_pct": f"{e.upper()} at {m // 12} year{'s' * (m > 12)} (points)"
        for e in ("pfs", "os")
        for m in LANDMARKS
    },
    "pfs_hr": "ln PFS hazard ratio",
    "os_hr": "ln OS hazard ratio",
}
"""Figure -> its name with the unit of the errors."""


@dataclass(frozen=True, kw_only=True)
class ErrorRow:
    """Errors of one predictor over figures of one kind.

    Attributes
    ----------
    figure, predictor : of what, and of whom; ``model`` or the name of a naive predictor.
    n : figures. bias : mean error. median_abs : median absolute error; infinite where most medians are not reached.
    Units: ln for hazard ratios, percent for medians, points for shares. Medians that are not reached have no bias.
    inside : share of figures in the 95 % interval. score : mean interval score (``gneiting2007``), hazard ratios only.
    bias_interval, median_interval : 95 %, by drawing trials with replacement; None with fewer than `LEAST_TRIALS`.
    """

    figure: str
    predictor: str
    n: int
    bias: float | None
    median_abs: float
    inside: float | None = None
    score: float | None = None
    bias_interval: tuple[float, float] | None = None
    median_interval: tuple[float, float] | None = None

    def row(self) -> dict[str, Any]:
        """As plain JSON; an error or bound that is infinite becomes None."""
        record = asdict(self)
        record["median_abs"] = self.median_abs if math.isfinite(self.median_abs) else None
        for name in ("bias_interval", "median_interval"):
            bounds = record[name]
            record[name] = None if bounds is None else [x if math.isfinite(x) else None for x in bounds]
        return record


@dataclass(frozen=True)
class Aim:
    """An aim: what was asked, on how many figures it was judged, what was reached, whether that meets it."""

    text: str
    n: int
    reached: str
    met: bool | None

    def row(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


FloatArray = NDArray[np.float64]
LEAST_TRIALS = 3
"""Trials from which on the errors of a kind of figure have an interval."""
_RESAMPLES = 400
CHANCE = "chance alone"
_MEDIAN_OF_NORMAL = 0.6745
"""Median of the absolute value of a standard normal variable."""


def error_rows(judged: Sequence[Judged]) -> list[ErrorRow]:
    """Errors of the model and of every naive predictor, figure by figure, on the same figures.

    The row `CHANCE` is the median error that a perfect model would have with these numbers of patients.
    """
    out = []
    for figure in (*ROUND_RATIOS, *ARM_FIGURES):
        mine = [j for j in judged if j.figure == figure]
        if not mine:
            continue
        out.append(_error_row(figure, "model", mine, [j.predicted for j in mine], [_interval(j) for j in mine]))
        for name in dict.fromkeys(name for j in mine for name in j.baselines):
            both = [j for j in mine if name in j.baselines]
            values = [j.baselines[name][0] for j in both]
            bounds = [_baseline_interval(j, name) for j in both]
            out.append(_error_row(figure, name, both, values, bounds))
        spreads = [j.chance for j in mine if j.chance is not None]
        if spreads:
            middle = _MEDIAN_OF_NORMAL * float(np.median(spreads))
            middle = 100 * math.expm1(middle) if figure.endswith("_median_months") else middle
            out.append(ErrorRow(figure=figure, predictor=CHANCE, n=len(spreads), bias=None, median_abs=middle))
    return out


Bounds = tuple[float, float] | None


def _interval(j: Judged) -> Bounds:
    """Predictive interval on the scale of errors."""
    if j.low is None or j.high is None or (logarithmic(j.figure) and j.low <= 0):
        return None
    return (math.log(j.low), math.log(j.high)) if logarithmic(j.figure) else (j.low, j.high)


def _baseline_interval(j: Judged, name: str) -> Bounds:
    value, sd = j.baselines[name]
    if sd is None:
        return None
    centre = math.log(value) if logarithmic(j.figure) else value
    return centre - NORMAL_975 * sd, centre + NORMAL_975 * sd


def _error_row(
    figure: str, predictor: str, judged: Sequence[Judged], values: Sequence[float | None], bounds: Sequence[Bounds]
) -> ErrorRow:
    errors = np.array([j.error(value) for j, value in zip(judged, values, strict=True)])
    relative = figure.endswith("_median_months")
    bias, median = _bias(errors, relative), _median_abs(errors, relative)
    drawn = [errors[rows] for rows in _drawn_rows([j.trial for j in judged])]
    inside, score = None, None
    if figure in ROUND_RATIOS:
        rated = [(j, b) for j, b in zip(judged, bounds, strict=True) if b is not None]
        if rated:
            truths = [math.log(j.published) for j, _ in rated]
            inside = float(np.mean([b[0] <= y <= b[1] for (_, b), y in zip(rated, truths, strict=True)]))
            score = float(np.mean([interval_score(*b, y) for (_, b), y in zip(rated, truths, strict=True)]))
    return ErrorRow(
        figure=figure,
        predictor=predictor,
        n=len(judged),
        bias=bias,
        median_abs=median,
        inside=inside,
        score=score,
        bias_interval=_middle_95([b for e in drawn if (b := _bias(e, relative)) is not None]),
        median_interval=_middle_95([_median_abs(e, relative) for e in drawn]),
    )


def _bias(errors: FloatArray, relative: bool) -> float | None:
    """Mean of the errors that are finite; in percent, of the geometric mean of ratios, where they are `relative`."""
    finite = errors[np.isfinite(errors)]
    if not len(finite):
        return None
    return 100 * math.expm1(finite.mean()) if relative else float(finite.mean())


def _median_abs(errors: FloatArray, relative: bool) -> float:
    """Median absolute error; in percent of the published figure where they are `relative`."""
    return float(np.median(100 * np.abs(np.expm1(errors)) if relative else np.abs(errors)))


def _drawn_rows(trials: Sequence[str]) -> list[NDArray[np.int64]]:
    """Rows of resamples of trials with all their figures, which err together; none for fewer than `LEAST_TRIALS`."""
    of_trial = [np.flatnonzero(np.array(trials) == name) for name in dict.fromkeys(trials)]
    if len(of_trial) < LEAST_TRIALS:
        return []
    rng = np.random.default_rng(np.random.SeedSequence(len(trials), spawn_key=(0xE220,)))
    return [
        np.concatenate([of_trial[k] for k in drawn])
        for drawn in rng.integers(0, len(of_trial), (_RESAMPLES, len(of_trial)))
    ]


def _middle_95(values: Sequence[float]) -> tuple[float, float] | None:
    """The values that leave 2.5 % below and above; None of none."""
    if not values:
        return None
    ordered, tail = sorted(values), 0.025 * (len(values) - 1)
    return ordered[math.floor(tail)], ordered[math.ceil(len(values) - 1 - tail)]


# --- aims ------------------------------------------------------------------------------------------------------------

MEDIAN_LOG_RATIO, BIAS_LOG_RATIO, RANK, INSIDE = 0.12, 0.05, 0.6, (0.90, 0.98)
POINTS, PERCENT = 5.0, 15.0
LEAST_RANKED = 4
"""Trials of a regimen class from which on a rank correlation is judged."""


def aims(judged: Sequence[Judged]) -> list[Aim]:
    """The aims for arms and hazard ratios with what these predictions reach; None where nothing was compared."""
    rows = {(r.figure, r.predictor): r for r in error_rows(judged)}
    out = [*_ratio_aims(judged, rows), *_arm_aims(judged, rows)]
    return [a for a in out if a.n]


def ratio_aims(judged: Sequence[Judged]) -> list[Aim]:
    """Those of the aims that hazard ratios have."""
    ratios = [j for j in judged if j.figure in ROUND_RATIOS]
    rows = {(r.figure, r.predictor): r for r in error_rows(ratios)}
    return [a for a in _ratio_aims(ratios, rows) if a.n]


def _ratio_aims(judged: Sequence[Judged], rows: Mapping[tuple[str, str], ErrorRow]) -> list[Aim]:
    out = []
    for figure, title in (("pfs_hr", "PFS"), ("os_hr", "OS")):
        mine = rows.get((figure, "model"))
        if mine is None:
            continue
        n, error = mine.n, mine.median_abs
        constant = rows.get((figure, "constant"))
        if figure == "pfs_hr":
            text = f"{title} hazard ratio: median absolute error of ln at most {MEDIAN_LOG_RATIO:g}"
            out.append(Aim(text, n, f"{error:.3f}", error <= MEDIAN_LOG_RATIO))
        elif constant is not None:
            text = f"{title} hazard ratio: median absolute error of ln below the constant's"
            out.append(Aim(text, n, f"{error:.3f} (constant {constant.median_abs:.3f})", error < constant.median_abs))
        if mine.bias is not None:
            text = f"{title} hazard ratio: mean error of ln within ± {BIAS_LOG_RATIO:g}"
            out.append(Aim(text, n, f"{mine.bias:+.3f}", abs(mine.bias) <= BIAS_LOG_RATIO))
        if mine.inside is not None:
            text = f"{title} hazard ratio: {INSIDE[0]:.0%} to {INSIDE[1]:.0%} inside the 95 % interval"
            possible = any(INSIDE[0] <= k / n <= INSIDE[1] for k in range(n + 1))  # of 3, none, 1, 2 or all are inside
            met = INSIDE[0] <= mine.inside <= INSIDE[1] if possible else None
            out.append(Aim(text, n, f"{mine.inside:.0%}", met))
        rivals = {p: r.score for (f, p), r in rows.items() if f == figure and p != "model" and r.score is not None}
        if mine.score is not None and rivals:
            best = min(rivals, key=lambda p: rivals[p])
            text = f"{title} hazard ratio: interval score below the best baseline's"
            out.append(Aim(text, n, f"{mine.score:.2f} ({best} {rivals[best]:.2f})", mine.score < rivals[best]))
        out += _order_aims([j for j in judged if j.figure == figure and j.predicted], title)
    return out


def _order_aims(ratios: Sequence[Judged], title: str) -> list[Aim]:
    """Regimen classes in the order of their published means, and trials in the right order within each."""
    from scipy.stats import spearmanr

    classes = sorted({j.kind for j in ratios})
    by = {name: [j for j in ratios if j.kind == name] for name in classes}
    several = [name for name in classes if len(by[name]) > 1]
    out = []
    if len(several) > 1:
        means = {
            name: tuple(
                float(np.mean([math.log(v) for v in column]))
                for column in ([j.predicted or 1.0 for j in by[name]], [j.published for j in by[name]])
            )
            for name in several
        }
        right = sorted(several, key=lambda name: means[name][0]) == sorted(several, key=lambda name: means[name][1])
        shown = ", ".join(f"{name} {math.exp(m):.2f} (published {math.exp(p):.2f})" for name, (m, p) in means.items())
        out.append(Aim(f"{title} hazard ratio: regimen classes in the right order", len(ratios), shown, right))
    for name in classes:
        varied = all(len({getattr(j, side) for j in by[name]}) > 1 for side in ("predicted", "published"))
        if len(by[name]) >= LEAST_RANKED and varied:
            rank = float(spearmanr([j.predicted for j in by[name]], [j.published for j in by[name]]).statistic)
            text = f"{title} hazard ratio: rank correlation at least {RANK:g} within '{name}'"
            out.append(Aim(text, len(by[name]), f"{rank:.2f}", rank >= RANK))
    return out


def _arm_aims(judged: Sequence[Judged], rows: Mapping[tuple[str, str], ErrorRow]) -> list[Aim]:
    out = []
    response = rows.get(("orr_pct", "model"))
    if response is not None:
        text = f"response: median absolute error at most {POINTS:g} points"
        out.append(Aim(text, response.n, f"{response.median_abs:.1f}", response.median_abs <= POINTS))
        errors = [j.error(j.predicted) for j in judged if j.figure == "orr_pct" and j.kind.startswith("chemotherapy")]
        if len(errors) > 1:
            mean, se = float(np.mean(errors)), float(np.std(errors, ddof=1)) / math.sqrt(len(errors))
            text = "response on chemotherapy: not too low (mean error above −2 standard errors)"
            out.append(Aim(text, len(errors), f"{mean:+.1f} points (SE {se:.1f})", mean >= -2 * se))
    for figure, title in (("pfs_median_months", "PFS"), ("os_median_months", "OS")):
        row = rows.get((figure, "model"))
        if row is not None:
            reached = f"{row.median_abs:.0f} %" if math.isfinite(row.median_abs) else "not reached in most"
            text = f"median {title}: median absolute error at most {PERCENT:g} %"
            out.append(Aim(text, row.n, reached, row.median_abs <= PERCENT))
    for months in LANDMARKS:
        errors = [
            abs(j.error(j.predicted))
            for j in judged
            if j.figure in (f"pfs_{months}_pct", f"os_{months}_pct") and j.predicted is not None
        ]
        if errors:
            middle = float(np.median(errors))
            years = f"{months // 12} year{'s' * (months > 12)}"
            text = f"PFS and OS at {years}: median absolute error at most {POINTS:g} points"
            out.append(Aim(text, len(errors), f"{middle:.1f}", middle <= POINTS))
    return out
