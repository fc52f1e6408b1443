"""Response by PD-L1 or by the size of the tumour, in real patients and in virtual patients that stand for them.

Cohorts are tables in the columns of ``chang2024``: ``PDL1_TPS(%)``, ``Systemic_therapy_history`` (1: chemotherapy or
targeted therapy before), ``Drug`` (1: a combination of checkpoint inhibitors, 0: one of them, as ``chowell2022`` codes
it) and ``Response`` (1: complete or partial). Patients are matched for prior therapy and class of drug; nobody stands
for patients like whom no arm of the scoreboard enrolled any. Response by size is that of OAK's arms.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError, unknown_word
from immunescape.evaluation.weighting import SLD_MM, effective_size
from immunescape.stats.exact import clopper_pearson

if TYPE_CHECKING:
    from immunescape.trial.result import TrialResult

__all__ = ["ARMS", "STRATA", "MeasuredCohort", "ResponseRow", "read_cohorts", "response_rows", "size_rows"]

STRATA = (("TPS < 1 %", 0.0, 1.0), ("TPS 1-49 %", 1.0, 50.0), ("TPS >= 50 %", 50.0, 101.0))
ARMS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "none": (("keynote-024", "pembrolizumab"),),
    "yes": (
        ("oak", "atezolizumab"),
        ("checkmate-017", "nivolumab"),
        ("checkmate-057", "nivolumab"),
        ("keynote-010", "pembrolizumab"),
    ),
}
"""Prior systemic therapy -> (trial, arm) of the virtual patients on one checkpoint inhibitor, each arm weighted by the
number of patients in the published one. The first-line trial of one inhibitor took PD-L1 of at least 50 % alone."""
_COLUMNS = ("PDL1_TPS(%)", "Systemic_therapy_history", "Drug", "Response")
_MISSING = ("", "NA", "NaN", ".")


@dataclass(frozen=True)
class MeasuredCohort:
    """Patients with known PD-L1 and response, of all tables together.

    Attributes
    ----------
    tps : (n,) percent. prior, combination, response : (n,) truth values.
    left_out : patients whose PD-L1, prior therapy, drug or response is missing.
    """

    tps: NDArray[np.float64]
    prior: NDArray[np.bool_]
    combination: NDArray[np.bool_]
    response: NDArray[np.bool_]
    left_out: int


@dataclass(frozen=True, kw_only=True)
class ResponseRow:
    """Response in one stratum.

    Attributes
    ----------
    stratum, prior, drug : who; prior ``matched`` pools the rows with a simulated rate. drug ``one`` or ``combination``
        of checkpoint inhibitors, or its name.
    n, responders : of the cohorts. published, published_low, published_high : percent, with Clopper-Pearson interval.
    simulated, low, high : percent, with the same interval at the effective number of virtual patients; None where
        nobody stands for them. n_simulated : virtual patients. arms : whose they are.
    inside : whether the simulated rate lies in the cohorts' interval.
    """

    stratum: str
    prior: str
    drug: str
    n: int
    responders: int
    published: float | None
    published_low: float | None
    published_high: float | None
    simulated: float | None = None
    low: float | None = None
    high: float | None = None
    n_simulated: int = 0
    arms: str = ""
    inside: bool | None = None

    def row(self) -> dict[str, Any]:
        """As one row of ``immunescape validate --json``."""
        return asdict(self)


def read_cohorts(paths: Sequence[Path]) -> MeasuredCohort:
    """Read the tables of cohorts, pooled.

    Raises
    ------
    InputError
        For a missing column, or a value that is not a score from 0 to 100, or neither 0 nor 1, with file and row.
    """
    rows: list[tuple[float, float, float, float]] = []
    left_out = 0
    for path in paths:
        with path.open(encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            for column in _COLUMNS:
                if column not in (reader.fieldnames or ()):
                    raise unknown_word("column", column, reader.fieldnames or (), where=str(path))
            for number, row in enumerate(reader, start=2):
                cells = [(row[c] or "").strip() for c in _COLUMNS]
                if any(c in _MISSING for c in cells):
                    left_out += 1
                    continue
                tps, *flags = (
                    _number(c, name, f"{path}, row {number}") for c, name in zip(cells, _COLUMNS, strict=True)
                )
                if not 0.0 <= tps <= 100.0:
                    raise InputError(
                        f"PDL1_TPS(%) is {tps:g}", where=f"{path}, row {number}", hint="A score is 0 to 100."
                    )
                for name, flag in zip(_COLUMNS[1:], flags, strict=True):
                    if flag not in (0.0, 1.0):
                        raise InputError(f"{name} is {flag:g}", where=f"{path}, row {number}", hint="Write 0 or 1.")
                rows.append((tps, flags[0], flags[1], flags[2]))
    values = np.array(rows, dtype=float).reshape(-1, 4)
    return MeasuredCohort(values[:, 0], values[:, 1] == 1, values[:, 2] == 1, values[:, 3] == 1, left_out)


def _number(text: str, name: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"'{text}' is not a number for {name}", where=where) from None


def response_rows(cohort: MeasuredCohort, results: Mapping[str, TrialResult]) -> tuple[ResponseRow, ...]:
    """Each stratum of PD-L1 by prior therapy and drug, then pooled over those that somebody stands for.

    Parameters
    ----------
    cohort
        Real patients.
    results
        Trial name -> virtual trial; arms of trials that were not simulated stand for nobody.
    """
    rows: list[ResponseRow] = []
    pools = {prior: _virtual(arms, results, "pdl1_tps") for prior, arms in ARMS.items()}
    for name, low, high in STRATA:
        here = (cohort.tps >= low) & (cohort.tps < high)
        cells: list[tuple[ResponseRow, _Share]] = []
        for prior, pool in pools.items():
            answers = cohort.response[here & ~cohort.combination & (cohort.prior == (prior == "yes"))]
            share = pool.share(low, high)
            row = _row(name, prior, "one", answers, share)
            rows.append(row)
            if share is not None and row.n:
                cells.append((row, share))
        rows.append(_row(name, "any", "combination", cohort.response[here & cohort.combination], None))
        if cells:
            rows.append(_matched(name, cells))
    return tuple(rows)


def size_rows(
    counts: Mapping[tuple[str, str], Mapping[str, tuple[int, int]]], results: Mapping[str, TrialResult]
) -> tuple[ResponseRow, ...]:
    """Response of small and of large tumours, arm by arm.

    Parameters
    ----------
    counts
        (trial, arm) -> stratum -> (responders, patients), as :func:`immunescape.evaluation.targets.response_by_size`
        gives them: first those below `immunescape.evaluation.weighting.SLD_MM`, then the others.
    results
        Trial name -> virtual trial.
    """
    rows: list[ResponseRow] = []
    for (trial, arm), strata in counts.items():
        pool = _virtual(((trial, arm),), results, "sld_mm_baseline")
        for (name, (responders, n)), bounds in zip(strata.items(), ((0.0, SLD_MM), (SLD_MM, math.inf)), strict=True):
            answers = np.repeat([True, False], [responders, n - responders])
            rows.append(_row(name, "yes", arm, answers, pool.share(*bounds)))
    return tuple(rows)


@dataclass(frozen=True)
class _Share:
    """Weighted share of responders, its variance, how many it stands on, whose they are."""

    value: float
    effective: float
    n: int
    arms: str


@dataclass(frozen=True)
class _Pool:
    score: NDArray[np.float64]
    response: NDArray[np.float64]
    weight: NDArray[np.float64]
    arm: NDArray[np.int64]
    names: tuple[str, ...]

    def share(self, low: float, high: float) -> _Share | None:
        """Responders with a score in [low, high); None where there is nobody."""
        here = (self.score >= low) & (self.score < high)
        if not here.any():
            return None
        w = self.weight[here]
        names = ", ".join(self.names[k] for k in np.unique(self.arm[here]))
        return _Share(float(w @ self.response[here] / w.sum()), effective_size(w), int(here.sum()), names)


def _virtual(arms: Sequence[tuple[str, str]], results: Mapping[str, TrialResult], column: str) -> _Pool:
    from immunescape.trial.analysis import best_at_cut

    parts: list[list[NDArray[Any]]] = [[], [], [], []]
    names = []
    for k, (trial, arm) in enumerate(arms):
        names.append(f"{trial}: {arm}")
        if trial not in results:
            continue
        result = results[trial]
        rows = result.patients[result.patients["arm"] == arm]
        best = best_at_cut(result.trial, rows, result.visits[result.visits["arm"] == arm])
        size = next(a.n for a in result.trial.arms if a.name == arm)
        values = (
            rows[column].to_numpy(dtype=float),
            np.isin(best, ("CR", "PR")).astype(float),
            np.full(len(rows), size / max(len(rows), 1)),
            np.full(len(rows), k),
        )
        for arm_share, value in zip(parts, values, strict=True):
            arm_share.append(value)
    score, response, weight, which = (np.concatenate(p) if p else np.empty(0) for p in parts)
    return _Pool(score, response, weight, which.astype(np.int64), tuple(names))


def _row(stratum: str, prior: str, drug: str, answers: NDArray[np.bool_], share: _Share | None) -> ResponseRow:
    bounds = clopper_pearson(int(answers.sum()), len(answers))
    value, low, high = (None if v is None else 100.0 * v for v in (bounds.value, bounds.low, bounds.high))
    return _with(
        ResponseRow(
            stratum=stratum,
            prior=prior,
            drug=drug,
            n=len(answers),
            responders=int(answers.sum()),
            published=value,
            published_low=low,
            published_high=high,
        ),
        share,
    )


def _with(row: ResponseRow, share: _Share | None) -> ResponseRow:
    if share is None:
        return row
    rate = 100.0 * share.value
    bounds = clopper_pearson(share.value * share.effective, share.effective)
    low, high = (None if v is None else 100.0 * v for v in (bounds.low, bounds.high))
    inside = None
    if row.published_low is not None and row.published_high is not None:
        inside = row.published_low <= rate <= row.published_high
    return replace(row, simulated=rate, low=low, high=high, n_simulated=share.n, arms=share.arms, inside=inside)


def _matched(stratum: str, cells: Sequence[tuple[ResponseRow, _Share]]) -> ResponseRow:
    """All patients of a stratum that somebody stands for; virtual ones in the cohorts' proportions of prior therapy."""
    total = sum(row.n for row, _ in cells)
    rate = sum(row.n * share.value for row, share in cells) / total
    spread = sum((row.n / total) ** 2 * share.value * (1 - share.value) / share.effective for row, share in cells)
    effective = rate * (1 - rate) / spread if spread > 0 else math.fsum(share.effective for _, share in cells)
    share = _Share(rate, effective, sum(s.n for _, s in cells), ", ".join(s.arms for _, s in cells))
    answers = np.repeat([True, False], [sum(r.responders for r, _ in cells), sum(r.n - r.responders for r, _ in cells)])
    return _row(stratum, "matched", "one", answers, share)
