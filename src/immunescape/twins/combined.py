"""Forecasts of the twins beside those of statistical models, and the two combined, where patients' data allow it.

The response model that ships (``response_model.json``) and Cox models of progression-free and overall survival on the
same inputs say what patients on an inhibitor alone had; a stacked regression combines them with the twins. Coefficients
(``combined_forecasts.json``) are learnt by ``scripts/fit_combined.py`` on patients who are not held out; those who are
held out say whether the combination is better than the better of its parts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.profile.scores.response_inputs import INPUTS, SETTING
from immunescape.profile.scores.response_model import Observed, ResponseModel, condition, load_response_model
from immunescape.stats.estimate import NORMAL_975

if TYPE_CHECKING:
    from immunescape.twins.recorded_patient import PatientRecord

__all__ = [
    "ENDS",
    "MONTHS",
    "Combination",
    "CombinedFigure",
    "Comparison",
    "Hazard",
    "TwinOutcomes",
    "combination_of",
    "compared",
    "held_out_words",
    "log_odds",
    "shipped_combination",
    "shipped_words",
    "uncovered",
    "verdict_of",
]

FloatArray = NDArray[np.float64]
ENDS = ("pfs", "os")
MONTHS: Mapping[str, tuple[int, ...]] = {"pfs": (6, 12), "os": (12, 24)}
"""End of survival -> months for which a probability is given."""
HORIZON = 18.0
"""Months to which the twins' mean survival, which enters the combination, is restricted."""
FIGURES = ("response", *(f"{end}_{month}" for end in ENDS for month in MONTHS[end]))
_LEAST_MONTHS = 0.05
_WITHOUT = ("ALK", "ROS1", "BRAF", "MET", "RET", "HER2")
"""Drivers of which the learning patients do not say whether they had them."""


def log_odds(chance: float) -> float:
    """Log odds of a probability that is kept within 0.1 and 99.9 %."""
    kept = min(max(chance, 1e-3), 1.0 - 1e-3)
    return math.log(kept / (1.0 - kept))


@dataclass(frozen=True, eq=False, kw_only=True)
class Hazard:
    """What was learnt of one end of survival.

    Attributes
    ----------
    coefficients, covariance : (k,) log hazard per standard deviation of the inputs of the response model; (k, k).
    between : variance of the log hazard between cohorts.
    baseline : month -> cumulative hazard of a patient with average inputs.
    weights, weights_covariance : (2,) coefficients of the Cox model's linear predictor and of minus the logarithm of
        the twins' mean months up to 18; (2, 2).
    centre : (2,) means of these two predictors in the learning patients.
    combined_between, combined_baseline : as those of the Cox model, at the centre.
    """

    coefficients: FloatArray
    covariance: FloatArray
    between: float
    baseline: Mapping[int, float]
    weights: FloatArray
    weights_covariance: FloatArray
    centre: FloatArray
    combined_between: float
    combined_baseline: Mapping[int, float]


@dataclass(frozen=True, eq=False, kw_only=True)
class Combination:
    """Everything that was learnt.

    Attributes
    ----------
    inputs : names of the k inputs.
    response : (3,) intercept, coefficients of the log odds of the response model and of the twins.
    response_covariance : (3, 3), with the variance of the intercept between cohorts.
    hazards : end of survival -> what was learnt of it.
    learnt_from : cohort -> patients.
    held_out : scores on held-out patients.
    provenance : script, date, seed, virtual patients, ``numbers`` (digest of the released numbers).
    """

    inputs: tuple[str, ...]
    response: FloatArray
    response_covariance: FloatArray
    hazards: Mapping[str, Hazard]
    learnt_from: Mapping[str, int]
    held_out: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Content of the data file: numbers to six digits."""

        def rounded(values: FloatArray) -> list[Any]:
            return [rounded(v) if np.ndim(v) else float(f"{v:.6g}") for v in values]

        def by_month(values: Mapping[int, float]) -> dict[str, float]:
            return {str(month): float(f"{v:.6g}") for month, v in values.items()}

        return {
            "provenance": dict(self.provenance),
            "learnt_from": dict(self.learnt_from),
            "inputs": list(self.inputs),
            "response": {"weights": rounded(self.response), "covariance": rounded(self.response_covariance)},
            "hazards": {
                end: {
                    "coefficients": rounded(h.coefficients),
                    "covariance": [rounded(h.covariance[i, : i + 1]) for i in range(len(h.covariance))],
                    "between_cohorts_variance": float(f"{h.between:.6g}"),
                    "baseline": by_month(h.baseline),
                    "weights": rounded(h.weights),
                    "weights_covariance": rounded(h.weights_covariance),
                    "centre": rounded(h.centre),
                    "combined_between_cohorts_variance": float(f"{h.combined_between:.6g}"),
                    "combined_baseline": by_month(h.combined_baseline),
                }
                for end, h in self.hazards.items()
            },
            "held_out": dict(self.held_out),
        }


def combination_of(content: Mapping[str, Any]) -> Combination:
    """Return the combination of a data file's content."""

    def full(rows: list[list[float]]) -> FloatArray:
        m = np.zeros((len(rows), len(rows)))
        for i, row in enumerate(rows):
            m[i, : i + 1] = m[: i + 1, i] = row
        return m

    def by_month(values: Mapping[str, float]) -> dict[int, float]:
        return {int(month): float(v) for month, v in values.items()}

    return Combination(
        inputs=tuple(content["inputs"]),
        response=np.array(content["response"]["weights"]),
        response_covariance=np.array(content["response"]["covariance"]),
        hazards={
            end: Hazard(
                coefficients=np.array(h["coefficients"]),
                covariance=full(h["covariance"]),
                between=float(h["between_cohorts_variance"]),
                baseline=by_month(h["baseline"]),
                weights=np.array(h["weights"]),
                weights_covariance=np.array(h["weights_covariance"]),
                centre=np.array(h["centre"]),
                combined_between=float(h["combined_between_cohorts_variance"]),
                combined_baseline=by_month(h["combined_baseline"]),
            )
            for end, h in content["hazards"].items()
        },
        learnt_from=content["learnt_from"],
        held_out=content["held_out"],
        provenance=content["provenance"],
    )


@lru_cache(maxsize=1)
def shipped_combination() -> Combination:
    """Return the combination that ships, from ``knowledge/data/combined_forecasts.json``."""
    path = files("immunescape.knowledge") / "data" / "combined_forecasts.json"
    return combination_of(json.loads(path.read_text(encoding="utf-8")))


@lru_cache(maxsize=1)
def shipped_words() -> tuple[str, ...]:
    """What held-out patients say of the combination that ships, and whether the model has moved since."""
    from immunescape.trial.runner import numbers_digest

    learnt = shipped_combination()
    moved = learnt.provenance.get("numbers") != numbers_digest()
    stale = ("The combination was learnt with an earlier state of the model.",) if moved else ()
    return (*held_out_words(learnt.held_out), *stale)


@dataclass(frozen=True, eq=False)
class TwinOutcomes:
    """Outcomes of weighted twins on one regimen: (n,) weights, response (0 or 1), months to progression and death."""

    weights: FloatArray
    response: FloatArray
    pfs: FloatArray
    os: FloatArray

    def probability(self, figure: str) -> float:
        """Share of the twins that respond, or are alive (without progression) at the month of a figure."""
        w = self.weights / self.weights.sum()
        if figure == "response":
            return float(w @ self.response)
        end, _, month = figure.partition("_")
        return float(w @ (getattr(self, end) > float(month)))

    def log_rate(self, end: str) -> float:
        """Minus the logarithm of the mean months up to 18: what the combination reads of survival."""
        w = self.weights / self.weights.sum()
        return -math.log(max(float(w @ np.minimum(getattr(self, end), HORIZON)), _LEAST_MONTHS))


@dataclass(frozen=True, kw_only=True)
class CombinedFigure:
    """One figure three ways, as probabilities with 95 % intervals.

    Attributes
    ----------
    figure : of `FIGURES`.
    twins : of the twins.
    statistical, combined : value, low, high. The interval of the combined one takes the twins' figure as given.
    """

    figure: str
    twins: float
    statistical: tuple[float, float, float]
    combined: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The twins beside the statistical models, for one regimen.

    Attributes
    ----------
    rows : figures; none where `why` says why.
    why : why there is no statistical forecast; '' where there is one.
    measured, missing : titles of inputs that were measured, and of those that were not, over which it is integrated.
    """

    rows: tuple[CombinedFigure, ...] = ()
    why: str = ""
    measured: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain content."""

        def three(values: tuple[float, float, float]) -> dict[str, float]:
            return dict(zip(("value", "low", "high"), (round(v, 4) for v in values), strict=True))

        return {
            "figures": {
                r.figure: {
                    "twins": round(r.twins, 4),
                    "statistical": three(r.statistical),
                    "combined": three(r.combined),
                }
                for r in self.rows
            },
            "not_assessable": self.why or None,
            "inputs": list(self.measured),
            "integrated_over": list(self.missing),
        }


NO_DATA = "no patients' data for this regimen"


def uncovered(record: PatientRecord, drugs: Iterable[str]) -> str:
    """Why no patients' data say anything of drugs in a patient's setting; '' where they do.

    Learnt from: one PD-(L)1 antibody alone, in first or a later line, never after another one.
    """
    from immunescape.twins.options import kind_of, setting_of

    given, setting = tuple(drugs), setting_of(record)
    if len(given) != 1 or kind_of(given) != "ici":
        return NO_DATA
    if setting.had_inhibitor:
        return f"{NO_DATA} after an earlier PD-(L)1 antibody"
    if setting.driver in _WITHOUT or (setting.driver == "EGFR" and setting.line == 1):
        first = " in first line" if setting.driver == "EGFR" else ""
        return f"{NO_DATA} in {setting.driver}-driven tumours{first}"
    return ""


def compared(
    record: PatientRecord, drugs: Iterable[str], twins: TwinOutcomes, learnt: Combination | None = None
) -> Comparison:
    """Figures of one regimen by the twins, by the statistical models, and by both.

    Parameters
    ----------
    record
        The patient; its ``statistical`` inputs are those of the day of the first dose of immunotherapy.
    drugs
        Of the regimen.
    twins
        Outcomes of the twins on it.
    learnt
        None: what ships.
    """
    why = uncovered(record, drugs)
    if why:
        return Comparison(why=why)
    learnt, model = shipped_combination() if learnt is None else learnt, load_response_model()
    measured = tuple(n for n in model.inputs if n in record.statistical and n not in SETTING)
    missing = tuple(n for n in model.inputs if n not in record.statistical and n not in SETTING)
    if not measured:
        return Comparison(why="none of the inputs of the statistical models was measured", missing=_titles(missing))
    later = {"prior_therapy": float(record.line > 1), "chemotherapy": 0.0, "ctla4": 0.0}
    seen = {**record.statistical, **{name: Observed(value) for name, value in later.items()}}
    x, v = model.standardise(seen)
    rows = [_response(model, learnt, x, v, twins)]
    gain, rest = condition(v, ~np.isnan(x), model.correlation)
    means = gain @ np.nan_to_num(x)
    for end in ENDS:
        rows.extend(_survival(learnt.hazards[end], end, means, rest, twins))
    return Comparison(rows=tuple(rows), measured=_titles(measured), missing=_titles(missing))


def _titles(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(INPUTS[n].title for n in names)


def _response(
    model: ResponseModel, learnt: Combination, x: FloatArray, v: FloatArray, twins: TwinOutcomes
) -> CombinedFigure:
    mean, variance = model.log_odds("response", x, v)
    mine = twins.probability("response")
    z = np.array([1.0, mean, log_odds(mine)])
    spread = float(z @ learnt.response_covariance @ z) + float(learnt.response[1]) ** 2 * variance
    low, value, high = (
        1.0 / (1.0 + math.exp(-(float(learnt.response @ z) + k * math.sqrt(spread))))
        for k in (-NORMAL_975, 0.0, NORMAL_975)
    )
    return CombinedFigure(
        figure="response",
        twins=mine,
        statistical=model.interval(mean, variance),
        combined=(value, low, high),
    )


def _survival(
    learnt: Hazard, end: str, means: FloatArray, rest: FloatArray, twins: TwinOutcomes
) -> list[CombinedFigure]:
    b = learnt.coefficients
    risk = float(b @ means)
    variance = float(b @ rest @ b) + float(means @ learnt.covariance @ means) + learnt.between
    z = np.array([risk, twins.log_rate(end)]) - learnt.centre
    both = float(learnt.weights @ z)
    both_variance = (
        float(z @ learnt.weights_covariance @ z)
        + float(learnt.weights[0]) ** 2 * (variance - learnt.between)
        + learnt.combined_between
    )
    return [
        CombinedFigure(
            figure=f"{end}_{month}",
            twins=twins.probability(f"{end}_{month}"),
            statistical=_alive(learnt.baseline[month], risk, variance),
            combined=_alive(learnt.combined_baseline[month], both, both_variance),
        )
        for month in MONTHS[end]
    ]


def _alive(hazard: float, risk: float, variance: float) -> tuple[float, float, float]:
    """Probability without an event, with its 95 % interval, from a cumulative hazard and a log hazard ratio."""
    high, value, low = (
        math.exp(-hazard * math.exp(risk + k * math.sqrt(variance))) for k in (-NORMAL_975, 0.0, NORMAL_975)
    )
    return value, low, high


_END_WORDS = {"response": "response (AUC)", "pfs": "progression-free survival (C-index)", "os": "survival (C-index)"}
_COMPONENTS = {"twins": "the mechanistic forecast", "statistical": "the statistical model"}


def verdict_of(gain: Mapping[str, float]) -> str:
    """Whether a combination with such a gain over the better part, with its interval, is better than that part."""
    return "better than" if gain["low"] > 0.0 else "worse than" if gain["high"] < 0.0 else "not distinguishable from"


def held_out_words(held_out: Mapping[str, Any]) -> tuple[str, ...]:
    """Sentences on whether the combination is better than the better of its parts on held-out patients.

    Parameters
    ----------
    held_out
        ``patients`` and, for ``response``, ``pfs`` and ``os``, ``scores`` (twins, statistical, combined), ``better``
        (the better part) and ``gain`` of the combination over it, each with an interval.
    """
    sentences = []
    for end, title in _END_WORDS.items():
        row = held_out[end]
        gain, scores = row["gain"], row["scores"]
        said = ", ".join(
            f"{title} {_interval(scores[name], 2)}"
            for name, title in (("twins", "mechanistic"), ("statistical", "statistical"), ("combined", "combined"))
        )
        sentences.append(
            f"On {row['patients']} held-out patients, {title}: {said}; the combination is {verdict_of(gain)} "
            f"{_COMPONENTS[row['better']]}, the better of its parts (difference {_interval(gain, 3)})."
        )
    return tuple(sentences)


def _interval(row: Mapping[str, float], digits: int) -> str:
    value, low, high = (f"{round(row[k], digits) + 0.0:.{digits}f}" for k in ("value", "low", "high"))
    return f"{value} ({low} to {high})"
