"""The scoreboard for people: the terminal's tables and a one-file HTML page with survival curves overlaid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.evaluation.harness.corrections import CORRECTED
from immunescape.evaluation.scoreboard import RIVAL_TEXT
from immunescape.evaluation.trial_classes import LANDMARKS
from immunescape.report.aims_report import aims_table, errors_table
from immunescape.report.tables import NOT_REACHED, Row, Table, number, with_interval

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from immunescape.evaluation.cohort_response import ResponseRow
    from immunescape.evaluation.facts import ModelFact
    from immunescape.evaluation.lesion_comparison import KineticsRow, LesionArm
    from immunescape.evaluation.scoreboard import Score
    from immunescape.evaluation.validation import Validation
    from immunescape.trial.result import TrialResult

__all__ = [
    "ENDPOINT_TEXT",
    "MEASURE_TEXT",
    "facts_table",
    "interval_sentence",
    "kinetics_table",
    "print_scoreboard",
    "response_table",
    "scores_table",
    "summary_table",
    "value_with_interval",
    "write_scoreboard",
]

ENDPOINT_TEXT = {
    "orr_pct": ("objective response (%)", 1),
    "pfs_median_months": ("median PFS (months)", 1),
    "os_median_months": ("median OS (months)", 1),
    "pfs_hr": ("PFS hazard ratio", 2),
    "os_hr": ("OS hazard ratio", 2),
    **{f"{e}_{m}_pct": (f"{e.upper()} at {m} months (%)", 1) for e in ("pfs", "os") for m in LANDMARKS},
}
"""Endpoint -> its name with the unit, digits."""
MEASURE_TEXT = {
    "growth": ("growth rate (1/month)", 3),
    "shrinkage": ("shrinkage rate (1/month)", 3),
    "best_change": ("best change (%)", 0),
    "time_to_nadir": ("time to nadir (months)", 1),
    "time_to_regrowth": ("time to regrowth (months)", 1),
}
"""Measure of lesions -> words with the unit, digits."""


def value_with_interval(value: float | None, low: float | None, high: float | None, digits: int) -> str:
    """``value (low to high)``; a median or bound that is not reached is said to be so."""
    if low is None and high is None:
        return number(value, digits)
    return with_interval(value, (low, high), digits, missing=NOT_REACHED)


def scores_table(scores: list[Score]) -> Table:
    """One row for each trial, arm and endpoint."""
    rows: list[Row] = []
    for s in scores:
        endpoint, digits = ENDPOINT_TEXT[s.endpoint]
        inside = {True: "inside", False: "outside", None: "–"}[s.covered]
        rows.append(
            {
                "Trial": s.trial,
                "Arm": s.arm,
                "Endpoint": endpoint,
                "Predicted (95 % at the published size)": value_with_interval(s.predicted, s.low, s.high, digits),
                "Published (95 %)": value_with_interval(s.published, s.published_low, s.published_high, digits),
                "Published in the predicted interval": inside,
                "Same courses in both arms": number(s.same_course, 2),
                "Model alone": number(s.unshrunk, 2),
                "n simulated": s.n,
                "n published": s.n_published,
            }
        )
    return Table(rows, ("n simulated", "n published"))


def facts_table(facts: list[ModelFact]) -> Table:
    """Facts of the review beside their virtual populations."""
    rows: list[Row] = []
    for f in facts:
        digits = 2 if f.unit == "hazard ratio" else 1
        if f.published is not None:
            published = value_with_interval(f.published, f.published_low, f.published_high, digits)
        elif f.published_low is None:
            published = f"up to {number(f.published_high, digits)}"
        else:
            published = f"{number(f.published_low, digits)} to {number(f.published_high, digits)}"
        rows.append(
            {
                "Fact": f.text,
                "Virtual population": f.population,
                "Unit": f.unit,
                "Predicted (95 %)": value_with_interval(f.predicted, f.low, f.high, digits),
                "Published": published,
                "Fitted to": "yes" if f.calibrated else "no",
                "Source": f.source,
            }
        )
    return Table(rows)


def kinetics_table(kinetics: list[KineticsRow]) -> Table:
    """Single lesions: one row for each group and measure."""
    rows: list[Row] = []
    for k in kinetics:
        label, digits = MEASURE_TEXT[k.measure]
        rows.append(
            {
                "Patients": k.group,
                "Measure": label,
                "n measured": k.n_observed,
                "n simulated": k.n_simulated,
                "Median measured": number(k.observed, digits),
                "Median simulated": number(k.simulated, digits),
                "Distance": number(k.distance, 2),
                "p": "–" if k.p is None else f"{k.p:.2g}",
                "Aim": ("p >= 0.05" if k.small else "distance <= 0.1") + _MET[k.met],
            }
        )
    return Table(rows, ("n measured", "n simulated"))


_MET = {True: ": met", False: ": missed", None: ""}


def response_table(response: list[ResponseRow]) -> Table:
    """Response in strata of PD-L1 or of size: one row for each stratum, prior therapy and drug."""
    inside = {True: "inside", False: "outside", None: "–"}
    rows: list[Row] = [
        {
            "Stratum": r.stratum,
            "Prior therapy": r.prior,
            "Drug": r.drug,
            "n": r.n,
            "Responded (%, 95 %)": value_with_interval(r.published, r.published_low, r.published_high, 1),
            "Simulated (%, 95 %)": value_with_interval(r.simulated, r.low, r.high, 1),
            "n simulated": r.n_simulated,
            "Simulated in their interval": inside[r.inside],
            "Simulated arms": r.arms or "none",
        }
        for r in response
    ]
    return Table(rows, ("n", "n simulated"))


def summary_table(summary: dict[str, dict[str, Any]]) -> Table:
    """Errors by role and figure, hazard ratios of PFS and OS apart with those of the two rivals."""
    rows: list[Row] = []

    def add(
        role: str, figure: str, *, predictor: str, error: str, n: int, covered: Any = None, score: Any = None
    ) -> None:
        rows.append(
            {
                "Trials": role,
                "Figure": figure,
                "Predictor": predictor,
                "Median error": error,
                "Inside (%)": number(_percent(covered), 0),
                "Interval score": number(score, 2),
                "n": n,
            }
        )

    for role, record in summary.items():
        add(
            role,
            "ORR (points)",
            predictor="model",
            error=number(record["orr_median_abs_error"]),
            n=record["orr_figures"],
        )
        add(
            role,
            "medians (%)",
            predictor="model",
            error=number(_percent(record["median_rel_error"])),
            n=record["median_figures"],
        )
        for end in ("pfs", "os"):
            for name, figures in {"model": record[end], **record[end]["rivals"]}.items():
                add(
                    role,
                    f"log HR of {end.upper()}",
                    predictor=name if name == "model" else f"baseline: {RIVAL_TEXT[name]}",
                    error=number(figures["hr_median_abs_log_error"], 3),
                    n=figures["hr_figures"],
                    covered=figures["hr_covered"],
                    score=figures["hr_interval_score"],
                )
    return Table(rows, ("n",))


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def print_scoreboard(validation: Validation) -> None:
    """Print every figure and the summary, calibration and validation apart."""
    from immunescape.console import print_table

    for role in validation.summary():
        mine = [s for s in validation.scores if s.role == role]
        title = {"calibration": "Calibration trials", "validation": "Validation trials"}.get(role, "Your own trials")
        print_table(title, scores_table(mine).rows)
    if facts := validation.facts():
        print_table("Facts of the review", facts_table(facts).rows)
    print_table("Errors (medians over figures)", summary_table(validation.summary()).rows)
    judged = validation.judged()
    print_table("Errors beside naive baselines, by kind of figure", errors_table(judged).rows)
    print_table("Aims", aims_table(judged).rows)
    if validation.kinetics:
        print_table("Single lesions (Kolmogorov-Smirnov distance)", _kinetics(validation).rows)
    if validation.response_by_pdl1:
        print_table("Response by PD-L1 in cohorts", response_table(list(validation.response_by_pdl1)).rows)
    if validation.response_by_size:
        print_table("Response by size in OAK", response_table(list(validation.response_by_size)).rows)
    failed = sum(int(a["failed"]) for r in validation.results for a in r.arms)
    print(f"Patients whose integration failed: {failed}. {interval_sentence()}")
    print(
        "The naive baselines are estimated from published figures of calibration trials, each excluded from its own"
        " prediction: those marked 'included trials' from the trials included in the package, the others also from"
        " calibration trials of which there are curves."
        " Chance alone: the median error of a perfect model with these numbers of published and virtual patients."
    )
    if any(s.unshrunk is not None for s in validation.scores):
        print(f"Hazard ratios of trials that were not fitted are {CORRECTED}")
    for note in validation.notes:
        print(note)


def interval_sentence(size: str = "published") -> str:
    """What the intervals hold, as :func:`immunescape.evaluation.scoreboard.score_trial` and forecasts make them.

    Parameters
    ----------
    size : of the trial, ``published`` or ``planned``.
    """
    from immunescape.evaluation.posterior import Posterior, error_source

    sources = [f"the chance of a trial of the {size} size"]
    if Posterior.shipped() is not None:
        sources.append("the uncertainty of the fitted population")
    if source := error_source():
        sources.append(source)
    joined = sources[0] if len(sources) == 1 else ", ".join(sources[:-1]) + " and " + sources[-1]
    return f"Intervals include {joined}."


def _kinetics(validation: Validation) -> Table:
    return kinetics_table([row for arm in validation.kinetics for row in arm.rows])


def _lesion_figure(arm: LesionArm) -> go.Figure:
    import numpy as np

    from immunescape.evaluation.kinetics import RATES
    from immunescape.report.figures import ecdf_figure

    panels = {}
    for measure in RATES:
        a, b = arm.observed[measure], arm.simulated[measure]
        panels[MEASURE_TEXT[measure][0].capitalize()] = (a[np.isfinite(a)], b[np.isfinite(b)])
    return ecdf_figure(arm.comparison.name, panels)


def _with_curves(result: TrialResult, folder: Path | None) -> TrialResult:
    """Return the result with the published curves of its trial that a folder of data holds in ``km/``."""
    from dataclasses import replace

    from immunescape.evaluation.published_curves import curves_at_hand

    published = result.trial.published
    if folder is None or published is None or not (folder / "km").is_dir():
        return result
    curves = {**published.curves, **curves_at_hand(result.trial, folder / "km", required=False)}
    return replace(result, trial=replace(result.trial, published=replace(published, curves=curves)))


def write_scoreboard(validation: Validation, path: Path, notice: str, data: Path | None = None) -> Path:
    """Write the one-file page; published curves in ``km/`` of the folder `data` are drawn whole."""
    from immunescape.report.figures import figure_html
    from immunescape.report.pictures import plotly_script
    from immunescape.report.trial_report import TITLES, survival_figure
    from immunescape.report.writing import write_page

    sections = []
    for role in validation.summary():
        sections.append((role, scores_table([s for s in validation.scores if s.role == role])))
    figures = [
        (r.trial.title, [figure_html(survival_figure(_with_curves(r, data), endpoint)) for endpoint in TITLES])
        for r in validation.results
    ]
    judged = validation.judged()
    values: dict[str, Any] = {
        "title": "Scoreboard: virtual trials beside published ones",
        "lead": f"{len(validation.results)} trials, seed {validation.seed}, "
        + (
            f"{validation.patients} patients per arm." if validation.patients else "the protocols' numbers of patients."
        ),
        "notice": notice,
        "summary": summary_table(validation.summary()),
        "intervals": interval_sentence(),
        "errors": errors_table(judged),
        "aims": aims_table(judged),
        "sections": sections,
        "facts": facts_table(facts) if (facts := validation.facts()) else None,
        "kinetics": _kinetics(validation) if validation.kinetics else None,
        "lesions": [figure_html(_lesion_figure(arm)) for arm in validation.kinetics],
        "response": response_table(list(validation.response_by_pdl1)) if validation.response_by_pdl1 else None,
        "by_size": response_table(list(validation.response_by_size)) if validation.response_by_size else None,
        "notes": validation.notes,
        "figures": figures,
        "plotly_js": plotly_script(),
    }
    return write_page(path, "scoreboard.html", values)
