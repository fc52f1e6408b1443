"""The same twins under each regimen of a setting: figures with intervals, probabilities of being best, order.

Every draw weighs the twins anew and moves each option by one draw of everything else that is uncertain
(:mod:`immunescape.twins.ranking_uncertainty`). What options share, above all the twins and the fit, moves together, so
that it cancels where they are compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError, unknown_word
from immunescape.model.drugs._titles import sentence_case
from immunescape.twins.combined import Comparison, compared, shipped_words
from immunescape.twins.options import Option
from immunescape.twins.ranking_uncertainty import (
    SOURCES,
    ClassErrors,
    RankingUncertainty,
    added_classes,
    draw_moves,
)
from immunescape.twins.records import PatientRecord
from immunescape.twins.twin import MONTH, Followed, event_days, twin_outcomes, weighted

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.twins.value import NextMeasurements

__all__ = [
    "FIGURES",
    "WEIGHTS",
    "Figure",
    "PairedScores",
    "Ranked",
    "RankedPatient",
    "Ranking",
    "comparisons_of",
    "paired_scores",
    "ranked",
    "read_weights",
]

FloatArray = NDArray[np.float64]
DRAWS = 400
HORIZON = 24.0
MARGIN = 0.05
FIGURES = (
    "response",
    "pfs_6",
    "pfs_12",
    "pfs_24",
    "os_6",
    "os_12",
    "os_24",
    "rmst_24",
    "grade3",
    "stopped",
)
WEIGHTS: Mapping[str, float] = {"survival": 1.0, "progression_free": 0.5, "toxicity": 0.1}
"""Weights of benefit and harm, each a share of 24 months: of life, of life without progression, and of one severe
toxicity. A default to be looked at and changed; no study measured it."""
_LEVELS = ("tested", "extrapolated", "contradicted", "not ranked")


@dataclass(frozen=True)
class Figure:
    """A figure with its interval of 95 %: shares, or months of the restricted mean survival."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """One option, with what the twins say of it.

    Attributes
    ----------
    option : the regimen, its evidence and level.
    figures : name of `FIGURES` -> figure.
    score : benefit less harm, by the weights.
    best : probability of the best score among the options of its level; 0 for one that is not ranked.
    not_worse : probability of survival at 12 months at least that of the standard less the margin.
    against_standard : difference of the score to that of the standard, with its interval.
    told_apart : whether that interval leaves out zero, and the class of regimen is another than the standard's: the
        error of the model is known by class and cancels within one.
    spread : source of uncertainty -> SD that it alone gives to `against_standard` (for the standard: to its score).
    early : step of the cycle -> median change of its score by week 6 against no treatment.
    """

    option: Option
    figures: Mapping[str, Figure]
    score: Figure
    best: float
    not_worse: float
    against_standard: Figure
    told_apart: bool
    spread: Mapping[str, float] = field(default_factory=dict)
    early: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Ranking:
    """Options of one patient in order: tested ones, then extrapolated, then contradicted ones, then those not ranked.

    The last stand in the order in which they were given, whatever their score.

    Attributes
    ----------
    standard : name of the option that the others are compared with.
    rows : the options.
    weights, margin : what the score and *not worse* are made of.
    limiting : step of the cycle -> share of the twins that it limits.
    words : what the ranking says, in sentences.
    """

    standard: str
    rows: tuple[Ranked, ...]
    weights: Mapping[str, float]
    margin: float
    limiting: Mapping[str, float] = field(default_factory=dict)
    words: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain content."""
        return {
            "standard": self.standard,
            "weights": dict(self.weights),
            "margin": self.margin,
            "limiting_step": {k: round(v, 4) for k, v in self.limiting.items()},
            "says": list(self.words),
            "options": [
                {
                    "name": r.option.name,
                    "title": r.option.title,
                    "kind": r.option.kind,
                    "regimen": r.option.regimen,
                    "role": r.option.role,
                    "evidence_level": r.option.level,
                    "reason": r.option.reason,
                    "trials": [e.to_json() for e in r.option.evidence],
                    "figures": {k: _rounded(f) for k, f in r.figures.items()},
                    "score": _rounded(r.score),
                    "probability_best_of_its_level": round(r.best, 4),
                    "probability_not_worse_than_standard": round(r.not_worse, 4),
                    "score_less_standard": _rounded(r.against_standard),
                    "told_apart_from_standard": r.told_apart,
                    "spread_by_source": {k: round(v, 4) for k, v in r.spread.items()},
                    "steps_at_week_6": {k: round(v, 3) for k, v in r.early.items()},
                }
                for r in self.rows
            ],
        }


@dataclass(frozen=True, eq=False)
class RankedPatient:
    """Options of one patient, ranked on the same twins.

    Attributes
    ----------
    record : what the files say of the patient.
    followed : the twins and their courses under every option.
    ranking : the options in order.
    left_out : sentences on what is not offered.
    setting : the setting in words.
    next : what to measure next; None where it was not asked.
    comparisons : option -> its figures beside those of statistical models.
    """

    record: PatientRecord
    followed: Followed
    ranking: Ranking
    left_out: tuple[str, ...]
    setting: str
    next: NextMeasurements | None = None
    _: KW_ONLY
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain content."""
        twins = self.followed.twins
        least = twins.least_likely
        return {
            "patient": self.record.patient,
            "day": self.record.at,
            "setting": self.setting,
            "stratum": self.record.stratum_title,
            "twins": len(twins),
            "effective_twins": round(twins.effective, 1),
            "candidates": twins.candidates,
            "least_likely": None
            if least is None
            else {"biomarker": least[0].biomarker or least[0].target, "probability": round(least[1], 4)},
            "seed": twins.seed,
            **self.ranking.to_json(),
            "statistical_models": {
                "options": {name: c.to_json() for name, c in self.comparisons.items()},
                "held_out": list(shipped_words()),
            },
            "not_offered": list(self.left_out),
            "not_assessable": list(self.record.open_questions),
            "measure_next": None if self.next is None else self.next.to_json(),
            "notes": [*self.record.notes, *twins.notes],
        }


def _rounded(figure: Figure) -> dict[str, float]:
    return {k: round(v, 4) for k, v in asdict(figure).items()}


def read_weights(words: Sequence[str]) -> dict[str, float]:
    """Weights of benefit and harm from words such as ``toxicity=0.2``; those not named keep their default.

    Raises
    ------
    InputError
        For another name, a name given twice, or a number that is none or negative.
    """
    weights = dict(WEIGHTS)
    named: set[str] = set()
    for text_of in words:
        name, sign, text = (piece.strip() for piece in text_of.partition("="))
        if not sign:
            raise InputError(f"'{text_of}' is not of the form NAME=NUMBER", hint="For example: --weight toxicity=0.2")
        if name not in weights:
            raise unknown_word("weight", name, weights)
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or number < 0.0:
            raise InputError(f"the weight of {name} is '{text}'", hint="A number from 0 on.")
        if name in named:
            raise InputError(f"the weight of {name} is given twice", hint="Name each weight once.")
        named.add(name)
        weights[name] = number
    return weights


@dataclass(frozen=True)
class _Arm:
    """Outcomes of the twins on one option: arrays (n,) in the same order of twins for all options."""

    response: FloatArray
    pfs: FloatArray
    os: FloatArray
    grade3: FloatArray
    stopped: FloatArray


def _arm(rows: pd.DataFrame) -> _Arm:
    pfs, os_ = event_days(rows)
    return _Arm(
        np.asarray(rows["best_response"].isin(["CR", "PR"]), dtype=float),
        pfs / MONTH,
        os_ / MONTH,
        np.asarray(rows["grade3_day"].notna(), dtype=float),
        np.asarray(rows["toxicity_stop_day"].notna(), dtype=float),
    )


@dataclass(frozen=True, eq=False)
class PairedScores:
    """Scores of the twins that had every option.

    Attributes
    ----------
    ids : numbers of the twins, ascending. weights : (n,) adding up to 1. scores : option -> (n,).
    """

    ids: tuple[int, ...]
    weights: FloatArray
    scores: Mapping[str, FloatArray]


def paired_scores(followed: Followed, names: Sequence[str], weights: Mapping[str, float] | None = None) -> PairedScores:
    """Score of each twin under each option: its mean over twins is that of the ranking, without moves of classes."""
    used = dict(WEIGHTS if weights is None else weights)
    ids, w, arms = _paired(followed, names)
    scores = {
        n: used["survival"] * np.minimum(a.os, HORIZON) / HORIZON
        + used["progression_free"] * np.minimum(a.pfs, HORIZON) / HORIZON
        - used["toxicity"] * a.grade3
        for n, a in arms.items()
    }
    return PairedScores(ids, w, scores)


def comparisons_of(record: PatientRecord, followed: Followed, options: Sequence[Option]) -> dict[str, Comparison]:
    """Option -> its figures beside those of statistical models."""
    return {o.name: compared(record, o.drugs, twin_outcomes(*weighted(followed, o.name))) for o in options}


def _paired(followed: Followed, names: Sequence[str]) -> tuple[tuple[int, ...], FloatArray, dict[str, _Arm]]:
    """Twins that had every option, their weights, and their outcomes under each."""
    tables = {n: weighted(followed, n)[0].set_index("id") for n in names}
    common = sorted(set.intersection(*(set(t.index.tolist()) for t in tables.values())))
    if not common:
        raise InputError("no twin could be followed under all options", hint="Leave out the option that fails.")
    by = dict(zip(followed.twins.table.index.tolist(), followed.weights.tolist(), strict=True))
    w = np.array([by[i] for i in common])
    return tuple(common), w / w.sum(), {name: _arm(table.loc[common]) for name, table in tables.items()}


def _figures(arm: _Arm, w: FloatArray, move: FloatArray) -> dict[str, float]:
    """Figures of one option, moved in the log odds of response and in ln of the times to progression and death."""
    share = min(max(float(w @ arm.response), 1e-4), 1.0 - 1e-4)
    pfs, os_ = arm.pfs * math.exp(move[1]), arm.os * math.exp(move[2])
    figures = {"response": 1.0 / (1.0 + math.exp(-(math.log(share / (1.0 - share)) + move[0])))}
    figures |= {f"pfs_{m}": float(w @ (pfs > m)) for m in (6, 12, 24)}
    figures |= {f"os_{m}": float(w @ (os_ > m)) for m in (6, 12, 24)}
    figures["rmst_24"] = float(w @ np.minimum(os_, HORIZON))
    figures["rmpfs_24"] = float(w @ np.minimum(pfs, HORIZON))
    figures["grade3"], figures["stopped"] = float(w @ arm.grade3), float(w @ arm.stopped)
    return figures


def _stretch(times: FloatArray, w: FloatArray, mean: float) -> float:
    """Ln of the factor of times at which their restricted mean is `mean`; at most three either way."""
    low, high = -3.0, 3.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if float(w @ np.minimum(times * math.exp(middle), HORIZON)) < mean else (low, middle)
    return 0.5 * (low + high)


def _gains_lost(
    arms: Mapping[str, _Arm], options: Sequence[Option], w: FloatArray, errors: ClassErrors
) -> dict[str, list[tuple[int, float, float, float]]]:
    """Option that adds drugs -> (place of the move, ln stretch at which its gain is gone, mean and SD of the share)."""
    standard = options[0]
    out: dict[str, list[tuple[int, float, float, float]]] = {}
    for o in options[1:]:
        added = added_classes(o, standard)
        for place, figure, end in ((1, "pfs_hr", "pfs"), (2, "os_hr", "os")):
            share = errors.share(figure, added) if added else None
            if share is not None:
                aim = float(w @ np.minimum(getattr(arms[standard.name], end), HORIZON))
                gone = _stretch(getattr(arms[o.name], end), w, aim)
                out.setdefault(o.name, []).append((place, gone, *share))
    return out


def _drawn(
    arms: Mapping[str, _Arm],
    options: Sequence[Option],
    *,
    w: FloatArray,
    uncertainty: RankingUncertainty,
    seed: int,
    count: int,
    sources: Sequence[str] = SOURCES,
) -> dict[str, list[dict[str, float]]]:
    """Figures (count,) of each option with one or more sources of uncertainty."""
    rng = np.random.default_rng([seed, 31])
    ess = 1.0 / float((w**2).sum())
    gains = _gains_lost(arms, options, w, uncertainty.classes) if "class" in sources else {}
    drawn: dict[str, list[dict[str, float]]] = {o.name: [] for o in options}
    for k in range(count):
        # gamma weights: each twin counts as its share of the effective ones
        mine = rng.gamma(np.maximum(w * ess, 1e-6)) if "twins" in sources else w
        if "fit" in sources and len(uncertainty.factors):
            mine = mine * uncertainty.factors[k % len(uncertainty.factors)]
        mine = mine / mine.sum()
        moves = draw_moves(uncertainty, options, k, rng, sources)
        normal = rng.standard_normal()
        for o in options:
            for place, gone, mean, sd in gains.get(o.name, ()):
                # the same luck for both ends; a share of 1 leaves the gain as it is, 0 takes it away
                moves[o.name][place] += (1.0 - (mean + sd * normal)) * gone
            drawn[o.name].append(_figures(arms[o.name], mine, moves[o.name]))
    return drawn


def _score(figures: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Benefit less harm."""
    return (
        weights["survival"] * figures["rmst_24"] / HORIZON
        + weights["progression_free"] * figures["rmpfs_24"] / HORIZON
        - weights["toxicity"] * figures["grade3"]
    )


def _interval(value: float, draws: FloatArray) -> Figure:
    low, high = np.quantile(draws, (0.025, 0.975))
    return Figure(value, float(low), float(high))


def ranked(
    followed: Followed,
    options: Sequence[Option],
    *,
    weights: Mapping[str, float] | None = None,
    margin: float = MARGIN,
    discrepancy: Mapping[str, float] | None = None,
    uncertainty: RankingUncertainty | None = None,
    seed: int = 1,
    early: Mapping[str, Mapping[str, float]] | None = None,
    limiting: Mapping[str, float] | None = None,
) -> Ranking:
    """Rank options on the same twins.

    Parameters
    ----------
    followed
        Twins that were followed under an arm of each option, named as the option.
    options
        The first is the standard.
    weights, margin
        Weights of benefit and harm (`WEIGHTS`), and the loss of survival at 12 months that counts as not worse.
    uncertainty
        What moves the figures beyond the choice of twins; None takes `discrepancy` alone.
    discrepancy
        Standard deviations of the error that the calibration left, of all classes of regimens: ``orr`` (log odds) and
        ``median`` (log time); {} leaves it out.
    seed
        Of the draws.
    early, limiting
        See `Ranked` and `Ranking`.

    Raises
    ------
    InputError
        Where no twin reached all options.
    """
    import pandas as pd

    used = dict(WEIGHTS if weights is None else weights)
    if uncertainty is None:
        uncertainty = RankingUncertainty(classes=ClassErrors({"all": dict(discrepancy)} if discrepancy else {}))
    ids, w, arms = _paired(followed, [o.name for o in options])
    if len(uncertainty.factors):
        import pandas as pd

        places = followed.twins.table.index.get_indexer(pd.Index(ids))
        uncertainty = replace(uncertainty, factors=uncertainty.factors[:, places])
    point = {o.name: _figures(arms[o.name], w, np.zeros(3)) for o in options}
    drawn = _drawn(arms, options, w=w, uncertainty=uncertainty, seed=seed, count=DRAWS)
    scores = {n: np.array([_score(f, used) for f in rows]) for n, rows in drawn.items()}
    values = {n: _score(f, used) for n, f in point.items()}
    standard = options[0].name
    survival = {n: np.array([f["os_12"] for f in rows]) for n, rows in drawn.items()}
    spread = _spread(arms, options, w, uncertainty, seed, used)
    rows = []
    standard_kind = options[0].kind
    for o in options:
        peers = [p.name for p in options if p.level == o.level]
        top = np.stack([scores[p] for p in peers]).max(axis=0)
        difference = _interval(values[o.name] - values[standard], scores[o.name] - scores[standard])
        rows.append(
            Ranked(
                option=o,
                figures={n: _interval(point[o.name][n], np.array([f[n] for f in drawn[o.name]])) for n in FIGURES},
                score=_interval(values[o.name], scores[o.name]),
                best=0.0 if o.level == "not ranked" else float((scores[o.name] >= top - 1e-12).mean()),
                not_worse=float((survival[o.name] >= survival[standard] - margin).mean()),
                against_standard=difference,
                told_apart=o.kind != standard_kind and (difference.low > 0.0 or difference.high < 0.0),
                spread=spread[o.name],
                early=dict((early or {}).get(o.name, {})),
            )
        )
    rows.sort(key=lambda r: (_LEVELS.index(r.option.level), 0.0 if r.option.level == "not ranked" else -r.score.value))
    return Ranking(standard, tuple(rows), used, margin, dict(limiting or {}), _words(rows, standard, uncertainty))


def _spread(
    arms: Mapping[str, _Arm],
    options: Sequence[Option],
    w: FloatArray,
    uncertainty: RankingUncertainty,
    seed: int,
    weights: Mapping[str, float],
) -> dict[str, dict[str, float]]:
    """Option -> source -> SD of the difference of its score to the standard's (the standard: of its own score)."""
    out: dict[str, dict[str, float]] = {o.name: {} for o in options}
    standard = options[0].name
    for source in uncertainty.included:
        drawn = _drawn(arms, options, w=w, uncertainty=uncertainty, seed=seed, count=DRAWS // 2, sources=(source,))
        scores = {n: np.array([_score(f, weights) for f in rows]) for n, rows in drawn.items()}
        for name, values in scores.items():
            out[name][source] = float((values if name == standard else values - scores[standard]).std())
    return out


def _words(rows: Sequence[Ranked], standard: str, uncertainty: RankingUncertainty) -> tuple[str, ...]:
    """What the ranking says, in sentences."""
    title, standard_kind = next((r.option.title, r.option.kind) for r in rows if r.option.name == standard)
    said = []
    for r in rows:
        if r.option.name == standard:
            continue
        if r.option.level == "not ranked":
            said.append(f"{r.option.title}: not ranked, whatever its score ({r.option.reason}).")
            continue
        if r.option.kind == standard_kind:
            said.append(
                f"{r.option.title} cannot be told apart from {title}: both are of one class of regimen, and the error "
                "of the model between regimens of a class is not known."
            )
        elif not r.told_apart:
            said.append(f"{r.option.title} cannot be told apart from {title}.")
        else:
            better = r.against_standard.value > 0.0
            said.append(f"{r.option.title} scores {'above' if better else 'below'} {title} on these twins.")
        if r.option.level == "contradicted":
            trials = ", ".join(e.trial for e in r.option.evidence if e.result == "negative")
            said.append(
                f"{r.option.title}: contradicted in this setting by {trials}, whatever the result in the twins."
            )
        elif r.option.level == "extrapolated":
            said.append(
                f"{r.option.title}: no calibration or validation trial tested this class; listed separately, never "
                "above a tested option."
            )
    said.append(_contributions(rows, standard, uncertainty))
    said.extend(uncertainty.notes)
    return tuple(sentence_case(sentence) for sentence in said)


IN_WORDS = {
    "twins": "variability of the twins",
    "fit": "posterior of the fit",
    "strengths": "assumed strengths",
    "class": "error of the class of regimen",
}


def _contributions(rows: Sequence[Ranked], standard: str, uncertainty: RankingUncertainty) -> str:
    """What the intervals include, and how much of the variance of the differences in score each source gives."""
    compared = [r for r in rows if r.option.name != standard] or list(rows)
    parts = {s: sum(r.spread[s] ** 2 for r in compared) for s in uncertainty.included}
    total = sum(parts.values())
    if len(parts) < 2 or not total > 0.0:
        return f"Intervals include: {', '.join(IN_WORDS[s] for s in parts)}."
    shares = ", ".join(f"{IN_WORDS[s]} ({100 * v / total:.0f} %)" for s, v in parts.items())
    return f"Intervals include, with the share of each in the variance of the differences in score: {shares}."
