"""Facts of the review, each beside what its own named virtual population gives.

They stand in ``knowledge/data/review_facts.csv``. They are no targets of the calibration, but for the landmarks of
KEYNOTE-024 and the response by PD-L1 behind it, which `calibrated` marks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from immunescape.knowledge.tables import read_rows
from immunescape.stats.cox import cox_hazard_ratio
from immunescape.stats.estimate import Estimate
from immunescape.stats.exact import clopper_pearson
from immunescape.stats.survival import median_survival

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.trial.result import TrialResult

__all__ = ["DETECTED_SHARE", "ListedFact", "ModelFact", "facts", "listed_facts"]

DETECTED_SHARE = 0.2
"""Share of the cancer cells with loss of an HLA haplotype from which a sequenced sample shows it (assumed)."""
_COVARIATES = 20_000
_FACT_COLUMNS = (
    "id",
    "trial",
    "figure",
    "group",
    "months",
    "text",
    "population",
    "unit",
    "published",
    "published_low",
    "published_high",
    "calibrated",
    "source",
    "grade",
    "note",
)
Results = Mapping[str, "TrialResult"]


@dataclass(frozen=True, kw_only=True)
class ModelFact:
    """One fact.

    Attributes
    ----------
    id, text : what it says. population : the virtual population that it is looked up in. source : keys.
    unit : of the figures. predicted, low, high : with the 95 % interval of the virtual patients' number.
    published, published_low, published_high : a figure, a range or both.
    calibrated : whether the calibration used it.
    """

    id: str
    text: str
    population: str
    source: str
    unit: str
    predicted: float | None
    low: float | None
    high: float | None
    published: float | None
    published_low: float | None = None
    published_high: float | None = None
    calibrated: bool = False

    def row(self) -> dict[str, Any]:
        """As one row of ``immunescape validate --json``."""
        return asdict(self)


def _share(estimate: Estimate) -> tuple[float | None, float | None, float | None]:
    return tuple(None if v is None else 100.0 * v for v in (estimate.value, estimate.low, estimate.high))  # type: ignore[return-value]


def _arm(result: TrialResult, arm: str) -> pd.DataFrame:
    return result.patients[result.patients["arm"] == arm]


def _response(result: TrialResult, arm: str) -> tuple[float | None, float | None, float | None]:
    from immunescape.trial.analysis import best_at_cut

    rows = _arm(result, arm)
    best = best_at_cut(result.trial, rows, result.visits[result.visits["arm"] == arm])
    return _share(clopper_pearson(sum(b in ("CR", "PR") for b in best), len(best)))


def _survival(result: TrialResult, arm: str, months: float) -> tuple[float | None, float | None, float | None]:
    curve = result.curves["os", arm]
    row = curve[curve["time"] <= months].iloc[-1]
    return 100.0 * float(row["survival"]), 100.0 * float(row["low"]), 100.0 * float(row["high"])


def _lost_response(result: TrialResult, arm: str, months: float) -> tuple[float | None, float | None, float | None]:
    """Responders whose disease progressed or who died within `months` of their response (1 - Kaplan-Meier)."""
    from immunescape.stats.survival import kaplan_meier
    from immunescape.trial.analysis import endpoints_at_cut

    rows = _arm(result, arm)
    endpoints = endpoints_at_cut(rows, result.visits[result.visits["arm"] == arm], result.trial, "dor", math.inf)
    kept = [(t, e) for t, e in zip(endpoints["dor_months"], endpoints["dor_event"], strict=True) if t is not None]
    if not kept:
        return None, None, None
    curve = kaplan_meier([t for t, _ in kept], [e for _, e in kept])
    row = curve[curve["time"] <= months].iloc[-1]
    return tuple(100.0 * (1.0 - float(row[k])) for k in ("survival", "high", "low"))  # type: ignore[return-value]


def _ratio(result: TrialResult, endpoint: str, keep: Callable[[Any], Any]) -> _Figure:
    a, b = result.trial.experimental[0].name, result.trial.control.name  # type: ignore[union-attr]
    parts: list[Any] = []
    for arm in (a, b):
        rows = _arm(result, arm)
        rows = rows[keep(rows)]
        parts += [rows[f"{endpoint}_months"].to_numpy(), rows[f"{endpoint}_event"].to_numpy(dtype=bool)]
    estimate = cox_hazard_ratio(*parts)
    return estimate.value, estimate.low, estimate.high


_Figure = tuple[float | None, float | None, float | None]
_FIGURES: Mapping[str, Callable[[TrialResult, str, float], _Figure]] = {
    "response": lambda result, arm, _: _response(result, arm or result.trial.arms[0].name),
    "lost_response": lambda result, arm, months: _lost_response(result, arm, months),
    "survival": lambda result, arm, months: _survival(result, arm, months),
    "median_os": lambda result, _arm_name, _months: _median_os(result),
    "hla_loh": lambda result, _arm_name, _months: _hla_loh(result),
    "os_ratio": lambda result, _arm_name, _months: _ratio(result, "os", lambda p: p["id"] >= 0),
    "pfs_ratio": lambda result, _arm_name, _months: _ratio(result, "pfs", lambda p: p["id"] >= 0),
    "os_ratio_high_pdl1": lambda result, _arm_name, _months: _ratio(result, "os", lambda p: p["pdl1_tps"] >= 50),
}
"""Word of the column ``figure`` -> the figure of a simulated trial for an arm and a time in months."""
_OF_COVARIATES = "pdl1_high"


@dataclass(frozen=True, kw_only=True)
class ListedFact:
    """A row of ``review_facts.csv``.

    Attributes
    ----------
    id, text, population, source, unit, calibrated : as of `ModelFact`. published : figure, low and high.
    trial, figure, group, months : where it is looked up: trial, word of the figure, arm, time. Without a trial it is
        one of the covariate population, and `group` names region and histology.
    """

    id: str
    trial: str
    figure: str
    group: str
    months: float
    text: str
    population: str
    unit: str
    published: _Figure
    calibrated: bool
    source: str


@lru_cache(maxsize=1)
def listed_facts() -> tuple[ListedFact, ...]:
    """Every fact of ``knowledge/data/review_facts.csv``, in its order."""
    listed = []
    for row in read_rows("review_facts", _FACT_COLUMNS):
        row.choice("figure", (*_FIGURES, _OF_COVARIATES))
        low, high = row.number_or_none("published_low"), row.number_or_none("published_high")
        listed.append(
            ListedFact(
                id=row["id"],
                trial=row["trial"],
                figure=row["figure"],
                group=row["group"],
                months=row.number_or_none("months") or math.nan,
                text=row["text"],
                population=row["population"],
                unit=row["unit"],
                published=(row.number_or_none("published"), low, high),
                calibrated=row.choice("calibrated", ("yes", "no")) == "yes",
                source=row["source"],
            )
        )
    return tuple(listed)


def facts(results: Results) -> list[ModelFact]:
    """Facts that can be looked up in the given trials (by name), and those of the covariate population.

    Parameters
    ----------
    results
        Trial name -> simulated trial; a fact whose trial is missing is left out.
    """
    looked_up = []
    for listed in listed_facts():
        if not listed.trial:
            figure = _high_pdl1(*listed.group.split())
        elif listed.trial in results:
            figure = _FIGURES[listed.figure](results[listed.trial], listed.group, listed.months)
        else:
            continue
        looked_up.append(
            ModelFact(
                id=listed.id,
                text=listed.text,
                population=listed.population,
                source=listed.source,
                unit=listed.unit,
                **dict(zip(("predicted", "low", "high"), figure, strict=True)),
                **dict(zip(("published", "published_low", "published_high"), listed.published, strict=True)),
                calibrated=listed.calibrated,
            )
        )
    return looked_up


def _hla_loh(result: TrialResult) -> _Figure:
    lost = int((result.patients["p:f_hla_loh"] >= DETECTED_SHARE).sum())
    return _share(clopper_pearson(lost, len(result.patients)))


def _median_os(result: TrialResult) -> _Figure:
    rows = _arm(result, result.trial.arms[0].name)
    median = median_survival(rows["os_months"], rows["os_event"])
    return median.value, median.low, median.high


def _high_pdl1(region: str, histology: str) -> _Figure:
    """Share with PD-L1 >= 50 % of a histology in a region; exact up to the sampling of 20,000 covariate rows."""
    from immunescape.population.covariates import sample_covariates

    table = sample_covariates(0, _COVARIATES, seed=0, stream=0, region=region)  # type: ignore[arg-type]
    of_histology = table[table["histology"].astype(str) == histology]
    high = np.asarray(of_histology["pdl1_tps"]) >= 50.0
    return _share(clopper_pearson(int(high.sum()), len(high)))
