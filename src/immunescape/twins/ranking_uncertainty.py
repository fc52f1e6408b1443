"""What moves the figures of a ranking beyond the choice of twins, each source on its own or all together.

============== =========================================================================================================
``twins``      a Bayesian bootstrap of the weighted twins
``fit``        other fits that the calibration leaves possible, as factors of the twins' weights
               (:mod:`immunescape.twins.fit_weights`)
``strengths``  what is assumed of the model's numbers, as moves of each class of regimen in draws that were simulated
               once (``assumed_strengths.json``, :mod:`immunescape.twins.assumed`)
``class``      the error that trials show by sort of comparison (``prediction_errors.csv``), and the share of
               a predicted gain that trials of added drugs have delivered (``class_evidence.csv``)
============== =========================================================================================================

A move is of the log odds of response and of the logarithm of times to progression and to death.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from immunescape.twins.options import Option

__all__ = ["SOURCES", "AssumedMoves", "ClassErrors", "RankingUncertainty", "added_classes", "shipped_uncertainty"]

FloatArray = NDArray[np.float64]
SOURCES = ("twins", "fit", "strengths", "class")
FIT_DRAWS = 200
_UNTESTED = "any class without a trial"
_STAMP = re.compile(r"run of numbers ([0-9a-f]{12})")


@dataclass(frozen=True)
class AssumedMoves:
    """Moves of each class of regimen in draws of what is assumed.

    Attributes
    ----------
    kinds : class of regimen -> (draws, 3) moves: log odds of response, ln of times to progression, ln of those to
        death. Rows are the same draws in all classes.
    model : digest of the released numbers that they were simulated with (`numbers_digest`).
    """

    kinds: Mapping[str, FloatArray]
    model: str = ""

    def move(self, kind: str, draw: int, normal: FloatArray) -> FloatArray:
        """Moves (3,) of a class in a draw; a class that was not simulated gets the widest one's spread, on its own."""
        if not self.kinds:
            return np.zeros(3)
        if kind in self.kinds:
            rows = self.kinds[kind]
            return np.asarray(rows[draw % len(rows)])
        return np.asarray(normal * np.max([rows.std(axis=0) for rows in self.kinds.values()], axis=0))


@dataclass(frozen=True)
class ClassErrors:
    """Error of the model by class of regimen, as trials of the calibration show it.

    Attributes
    ----------
    kinds : class of regimen, sort of comparison (see :func:`comparison_of`) or ``all`` -> ``orr`` (log odds) and
        ``median`` (ln time) -> SD. What is most special counts.
    delivered : (figure, class of what is added) -> mean and SD of the share of the predicted effect that trials showed;
        figures are ``pfs_hr`` and ``os_hr``. Empty: shares are not used.
    model : first digits of the digest of the released numbers that were compared with the trials; '' where that is not
        stated.
    """

    kinds: Mapping[str, Mapping[str, float]]
    delivered: Mapping[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    model: str = ""

    def sd(self, kind: str, figure: str) -> float:
        """SD of the error of a class: its own, that of its sort of comparison, or that of all."""
        for name in (kind, comparison_of(kind), "all"):
            if figure in self.kinds.get(name, {}):
                return float(self.kinds[name][figure])
        return 0.0

    def share(self, figure: str, added: str) -> tuple[float, float] | None:
        """Mean and SD of the share that is delivered; of an untested class where `added` was not; None without any."""
        return self.delivered.get((figure, added)) or self.delivered.get((figure, _UNTESTED))


@dataclass(frozen=True)
class RankingUncertainty:
    """Everything that moves the figures of a ranking.

    Attributes
    ----------
    factors : (draws, n) factors of the weights of twins, in the order of their table; (0, n) for none.
    strengths, classes : see the classes.
    notes : what is missing or was made for another model, in sentences.
    """

    factors: FloatArray = field(default_factory=lambda: np.ones((0, 0)))
    strengths: AssumedMoves = field(default_factory=lambda: AssumedMoves({}))
    classes: ClassErrors = field(default_factory=lambda: ClassErrors({}))
    notes: tuple[str, ...] = ()

    @property
    def included(self) -> tuple[str, ...]:
        """Sources that are in the intervals."""
        have = {"twins": True, "fit": bool(len(self.factors)), "strengths": bool(self.strengths.kinds)}
        return tuple(s for s in SOURCES if have.get(s, bool(self.classes.kinds or self.classes.delivered)))


def added_classes(option: Option, standard: Option) -> str:
    """Classes of the drugs that an option adds to the standard, as trials are classed; '' where it is no add-on."""
    from immunescape.model.registry import drugs

    new, old = set(option.drugs), set(standard.drugs)
    if not old or not old < new:
        return ""
    registered = drugs()
    return " + ".join(sorted({registered[d].drug_class if d in registered else d for d in new - old}))


def _data(name: str) -> dict[str, Any] | None:
    path = files("immunescape.knowledge").joinpath("data", f"{name}.json")
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@lru_cache(maxsize=1)
def shipped_strengths() -> AssumedMoves | None:
    """Moves of ``assumed_strengths.json``; None where the file does not ship."""
    strengths = _data("assumed_strengths")
    return None if strengths is None else moves_of(strengths)


def moves_of(content: Mapping[str, Any]) -> AssumedMoves:
    """Moves about their mean, the chance of the simulated patients taken off their spread.

    Parameters
    ----------
    content
        ``kinds``: class -> ``response``, ``pfs``, ``os`` -> ``moves`` (draws) and ``se`` (of the central figure, from
        the number of patients); ``model``.
    """
    kinds = {}
    for kind, figures in content["kinds"].items():
        columns = []
        for name in ("response", "pfs", "os"):
            moves = np.asarray(figures[name]["moves"], dtype=float)
            spread = float(moves.var())
            # draws share the random numbers of their patients, so chance counts at most once
            kept = math.sqrt(max(1.0 - float(figures[name]["se"]) ** 2 / spread, 0.0)) if spread > 0.0 else 0.0
            columns.append(kept * (moves - moves.mean()))
        kinds[kind] = np.stack(columns, axis=1)
    return AssumedMoves(kinds, str(content.get("model", "")))


def comparison_of(kind: str) -> str:
    """How trials of a class of regimen compare it, in the words of ``prediction_errors.csv``."""
    parts = kind.split(" and ")
    if "ici" not in parts:
        return "other"
    return "inhibitor added" if len(parts) > 1 else "inhibitor against chemotherapy"


@lru_cache(maxsize=1)
def shipped_class_errors() -> ClassErrors:
    """Errors and delivered shares that ship, from the last run of the harness that was written into the package."""
    from immunescape.evaluation.harness.class_effects import shipped_effects
    from immunescape.evaluation.posterior import shipped_discrepancy
    from immunescape.knowledge.tables import read_rows

    groups = ("inhibitor added", "inhibitor against chemotherapy", "other")
    kinds = {"all": dict(shipped_discrepancy()), **{g: dict(shipped_discrepancy(g)) for g in groups}}
    if not kinds["all"]:
        return ClassErrors({})
    delivered = {
        (figure, e.drug_class): (e.mean, e.sd) for figure in ("pfs_hr", "os_hr") for e in shipped_effects(figure)
    }
    stamps = {m.group(1) for row in read_rows("prediction_errors") if (m := _STAMP.search(row["note"]))}
    return ClassErrors(kinds, delivered, stamps.pop() if len(stamps) == 1 else "")


def shipped_uncertainty(factors: FloatArray) -> RankingUncertainty:
    """Everything that ships, with the factors of the twins under other fits."""
    from immunescape.trial.runner import numbers_digest

    strengths, classes, now = shipped_strengths(), shipped_class_errors(), numbers_digest()
    notes = []
    if strengths is None:
        notes.append("Intervals do not include the uncertainty of assumed strengths: no draws of them are included.")
    elif strengths.model != now:
        notes.append("The draws of assumed strengths were simulated with an earlier state of the model.")
    if not classes.kinds:
        notes.append("The released calibration states no residual error, so intervals include none.")
    elif classes.model and not now.startswith(classes.model):
        notes.append("The errors by class of regimen are those of an earlier state of the model.")
    if not len(factors):
        notes.append("No posterior of the fit is included, so intervals do not include it.")
    return RankingUncertainty(factors, strengths or AssumedMoves({}), classes, tuple(notes))


def draw_moves(
    uncertainty: RankingUncertainty,
    options: Sequence[Option],
    draw: int,
    rng: np.random.Generator,
    sources: Sequence[str] = SOURCES,
) -> dict[str, FloatArray]:
    """Moves (3,) of each option by name in one draw, without shares of gains that trials delivered."""
    standard = options[0]
    kinds = sorted({o.kind for o in options})
    # drawn whether they are used or not, so that a source alone sees the same numbers as all together
    errors = {k: rng.standard_normal(2) for k in kinds}
    of_kind = {k: rng.standard_normal(3) for k in kinds}
    out = {}
    for o in options:
        move = np.zeros(3)
        if "strengths" in sources:
            move = move + uncertainty.strengths.move(o.kind, draw, of_kind[o.kind])
        if "class" in sources:
            # what an add-on may be off by beyond its backbone is the share that is delivered
            classed = uncertainty.classes
            base = standard.kind if classed.delivered and added_classes(o, standard) else o.kind
            response, time = errors[base] * (classed.sd(base, "orr"), classed.sd(base, "median"))
            move = move + np.array([response, time, time])
        out[o.name] = move
    return out
