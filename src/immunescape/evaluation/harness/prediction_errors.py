"""What a finished run teaches about predictions: what added drugs deliver, and how far figures are off beyond chance.

Both are learnt by leaving out: the share that a class delivers is that of the other trials, and the errors are those of
trials that no fit has seen, as far as there are enough. Nothing is simulated.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from immunescape.evaluation.calibration import comparison_kind
from immunescape.evaluation.harness.checks import UNVERIFIED
from immunescape.evaluation.harness.class_effects import COLUMNS, ClassEvidence, class_effects, evidence, shrunk
from immunescape.evaluation.harness.corrections import FORECAST_KINDS, corrected_ratio
from immunescape.evaluation.harness.exchange_line import exchange_evidence
from immunescape.evaluation.harness.scoring import FigureComparison
from immunescape.evaluation.posterior import ENOUGH, fit_digest, shipped_record
from immunescape.evaluation.trial_identity import names_of_same_trial

if TYPE_CHECKING:
    from immunescape.evaluation.harness.run import Harness
    from immunescape.trial.spec import Trial

__all__ = ["PredictionError", "fitted_trials", "left_out_errors", "prediction_errors", "tables"]

KINDS = {
    "orr_pct": "orr",
    "pfs_median_months": "median",
    "os_median_months": "median",
    "pfs_hr": "hr",
    "os_hr": "hr",
}
UNITS = {"orr": "log odds", "median": "ln", "hr": "ln", **dict.fromkeys(FORECAST_KINDS.values(), "ln")}


@dataclass(frozen=True)
class PredictionError:
    """SD of the error of predictions beyond chance.

    Attributes
    ----------
    comparison : how the arms differ (`comparison_kind`), or ``all``.
    kind : ``orr`` (log odds), ``median`` or ``hr`` (ln); of ln hazard ratios as forecasts give them (`corrections`),
        ``forecast_pfs_hr`` and ``forecast_os_hr``. sd, bias : of the errors beyond chance, and their mean.
    figures : how many it rests on. unseen : how many of them are of trials that no fit has seen.
    """

    comparison: str
    kind: str
    sd: float
    bias: float
    figures: int
    unseen: int

    def row(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


SIZE_TRIALS = frozenset(
    {"campass", "codebreak-100", "codebreak-200", "contact-01", "hudson-olaparib", "leap-007", "leap-008"}
)
"""Trials that effect sizes of drugs were fitted to (``scripts/fit_drug_sizes.py``)."""


def fitted_trials() -> set[str]:
    """Trials that the population that ships, or the effect size of a drug, was fitted to."""
    record = shipped_record() or {}
    return {str(arm["trial"]) for arm in record.get("arms", ())} | SIZE_TRIALS


def prediction_errors(run: Harness, fitted: Collection[str]) -> list[PredictionError]:
    """Errors by comparison and kind of figure, of calibration trials.

    Published figures that were entered from memory and not found again are left out.
    Hazard ratios of trials that add drugs are predicted with the share that the other trials of such drugs have shown;
    the uncertainty of that share is a part of chance here, as predictions carry it themselves. Trials that were fitted
    to count only where fewer than `ENOUGH` figures of others are there. The SD of a comparison with few figures leans
    on that of all (each counts by its figures, all by `ENOUGH`), and that of forecasts of one endpoint likewise on that
    of both.

    Parameters
    ----------
    run : a finished run. fitted : names of the trials that the population was fitted to.
    """
    kinds = {p.trial.name: comparison_kind(p.trial) for p in run.protocols}
    return _summaries(_errors_of_figures(run, fitted), kinds)


def left_out_errors(run: Harness, fitted: Collection[str]) -> dict[str, dict[str, float]]:
    """SD of errors by kind of figure, for each trial those of the others, as a forecast of it would have read them.

    Parameters
    ----------
    run : a finished run. fitted : names of the trials that the population was fitted to.
    """
    kinds = {p.trial.name: comparison_kind(p.trial) for p in run.protocols}
    rows = _errors_of_figures(run, fitted)
    out = {}
    for protocol in run.protocols:
        itself, group = names_of_same_trial(protocol.trial), kinds[protocol.trial.name]
        others = _summaries({kind: [r for r in mine if r[0] not in itself] for kind, mine in rows.items()}, kinds)
        sizes = {e.kind: e.sd for e in others if e.comparison == "all"}
        sizes |= {e.kind: e.sd for e in others if e.comparison == group and e.figures >= ENOUGH}
        out[protocol.trial.name] = sizes
    return out


FigureError = tuple[str, bool, float, float]
"""Trial, whether nothing was fitted to it, error, variance of chance."""


def _errors_of_figures(run: Harness, fitted: Collection[str]) -> dict[str, list[FigureError]]:
    """Kind of figure -> errors."""
    trials = {p.trial.name: p.trial for p in run.protocols}
    rows: dict[str, list[FigureError]] = {}
    for figure in ("pfs_hr", "os_hr"):
        evidence_of = evidence(run.protocols, run.comparisons, figure)
        exchanged = exchange_evidence(run.protocols, run.comparisons, figure)
        for c in run.comparisons:
            if c.figure == figure and _used(c):
                error, variance = _ratio_error(c, evidence_of, figure)
                rows.setdefault("hr", []).append((c.trial, c.trial not in fitted, error, variance))
                moved = _forecast_error(c, trials[c.trial], evidence_of, exchanged)
                rows.setdefault(FORECAST_KINDS[figure], []).append((c.trial, c.trial not in fitted, *moved))
    for c in run.comparisons:
        if c.figure in KINDS and c.figure not in ("pfs_hr", "os_hr") and _used(c):
            error, variance = _arm_error(c)
            rows.setdefault(KINDS[c.figure], []).append((c.trial, c.trial not in fitted, error, variance))
    return rows


def _summaries(rows: Mapping[str, Sequence[FigureError]], kinds: Mapping[str, str]) -> list[PredictionError]:
    """Moments of the errors of each kind of figure, of all and by comparison (`kinds`: trial -> comparison)."""
    both = _moments([row for kind in FORECAST_KINDS.values() for row in rows.get(kind, ())])
    out = []
    for kind, mine in rows.items():
        every = _moments(mine)
        if every is None:
            continue
        whole = max(every[0], 0.0)
        if kind in FORECAST_KINDS.values() and both is not None:
            whole = _leaning(whole, every[2], max(both[0], 0.0))  # few ratios of one endpoint lean on both
        out.append(PredictionError("all", kind, math.sqrt(whole), *every[1:]))
        for group in sorted(set(kinds.values())):
            moments = _moments([r for r in mine if kinds[r[0]] == group])
            if moments is not None:
                variance = _leaning(max(moments[0], 0.0), moments[2], whole)
                out.append(PredictionError(group, kind, math.sqrt(variance), *moments[1:]))
    return out


def _leaning(variance: float, figures: int, of_all: float) -> float:
    """Variance of a group that leans on that of all: the group counts by its figures, all by `ENOUGH`."""
    return (figures * variance + ENOUGH * of_all) / (figures + ENOUGH)


def _used(c: FigureComparison) -> bool:
    fitted = c.counted and c.role == "calibration" and c.checked != UNVERIFIED
    return bool(fitted and c.virtual and c.published > 0 and c.published_se)


def _ratio_error(c: FigureComparison, all_evidence: Sequence[ClassEvidence], figure: str) -> tuple[float, float]:
    """Error of the ln hazard ratio, with the share of its class learnt on other trials, and the variance of chance."""
    predicted, extra = math.log(c.virtual or 1.0), 0.0
    of_trial = next((e for e in all_evidence if e.trial == c.trial), None)
    if of_trial is not None:
        effects = class_effects([e for e in all_evidence if e.trial != c.trial], figure)
        predicted, extra = shrunk(effects, of_trial.drug_class, figure, predicted)
    return predicted - math.log(c.published), (c.published_se or 0.0) ** 2 + (c.se or 0.0) ** 2 + extra**2


def _forecast_error(
    c: FigureComparison, trial: Trial, added: Sequence[ClassEvidence], exchanged: Sequence[ClassEvidence]
) -> tuple[float, float]:
    """Error of the ln hazard ratio as forecasts give it, without the trial's own evidence, and the variance of chance.

    The uncertainty of the correction is a part of chance here, as forecasts carry it themselves.
    """
    predicted, sd, slope = corrected_ratio(trial, c.figure, math.log(c.virtual or 1.0), added, exchanged)
    chance = (c.published_se or 0.0) ** 2 + (slope * (c.se or 0.0)) ** 2
    return predicted - math.log(c.published), chance + sd**2


def _arm_error(c: FigureComparison) -> tuple[float, float]:
    """Error of log odds or ln, and the variance of chance on that scale."""
    if c.logarithmic:
        return math.log((c.virtual or 1.0) / c.published), (c.published_se or 0.0) ** 2 + (c.se or 0.0) ** 2
    odds = [math.log(q / (1 - q)) for q in (min(max((v or 0.0) / 100, 0.005), 0.995) for v in (c.virtual, c.published))]
    variance = 0.0
    for value, se in ((c.virtual, c.se), (c.published, c.published_se)):
        p = min(max((value or 0.0) / 100, 0.01), 0.99)
        variance += ((se or 0.0) / 100 / (p * (1 - p))) ** 2
    return odds[0] - odds[1], variance


def _moments(rows: Sequence[FigureError]) -> tuple[float, float, int, int] | None:
    """Mean square beyond chance, bias, figures, and how many of them are of trials that were not fitted."""
    unseen = [r for r in rows if r[1]]
    used = unseen if len(unseen) >= ENOUGH else list(rows)
    if not used:
        return None
    errors = np.array([r[2] for r in used])
    variance = float(np.mean(errors**2) - np.mean([r[3] for r in used]))
    return variance, float(errors.mean()), len(used), len(unseen)


# --- tables that predictions read -------------------------------------------------------------------------------------

ERROR_COLUMNS = ("comparison", "kind", "sd", "figures", "unit", "source", "grade", "fit", "note")


def tables(run: Harness, fitted: Collection[str]) -> dict[str, str]:
    """Text of ``class_evidence.csv``, ``exchange_evidence.csv`` and ``prediction_errors.csv``, by name of the file."""
    numbers = f" of numbers {run.numbers[:12]}" if run.numbers else ""
    stamp = f"harness run{numbers}, {run.patients} patients per arm, {len(run.seeds)} seed(s)"
    errors = [
        {
            "comparison": e.comparison,
            "kind": e.kind,
            "sd": f"{e.sd:.4f}",
            "figures": e.figures,
            "unit": "dimensionless",
            "source": "fitted",
            "grade": "fitted",
            "fit": fit_digest(),
            "note": f"{UNITS[e.kind]}; bias {e.bias:+.3f}; {e.unseen} of trials not fitted to; {stamp}",
        }
        for e in prediction_errors(run, fitted)
    ]
    head = "# written by `immunescape harness --from RUN --tables FOLDER`; not to be edited by hand\n"
    return {
        "class_evidence.csv": head + _csv(COLUMNS, _evidence_cells(run, evidence, stamp)),
        "exchange_evidence.csv": head + _csv(COLUMNS, _evidence_cells(run, exchange_evidence, stamp)),
        "prediction_errors.csv": head + _csv(ERROR_COLUMNS, errors),
    }


def _evidence_cells(run: Harness, gather: Callable[..., list[ClassEvidence]], stamp: str) -> list[dict[str, Any]]:
    """Rows of a table of evidence, of PFS and of OS."""
    return [
        {
            "figure": figure,
            "trial": e.trial,
            "drug_class": e.drug_class,
            "published": f"{e.published:.4f}",
            "published_se": f"{e.published_se:.4f}",
            "predicted": f"{e.predicted:.4f}",
            "predicted_se": f"{e.predicted_se:.4f}",
            "unit": "dimensionless",
            "source": "fitted",
            "grade": "fitted",
            "note": stamp,
        }
        for figure in ("pfs_hr", "os_hr")
        for e in gather(run.protocols, run.comparisons, figure)
    ]


def _csv(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
