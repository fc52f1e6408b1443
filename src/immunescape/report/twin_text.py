"""Twins and rankings on the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from immunescape.console import print_table
from immunescape.evaluation.mechanism_labels import explanation, step_mechanism, through_text, title_labelled
from immunescape.model.drugs._titles import sentence_case
from immunescape.profile.biomarkers.words import within_sentence
from immunescape.report.fact_text import fact_rows, least_likely_text, share_text
from immunescape.twins.combined import shipped_combination, shipped_words
from immunescape.twins.words import biomarker_title, measured_text, titles_text

if TYPE_CHECKING:
    from immunescape.twins.combined import Comparison
    from immunescape.twins.ranking import Ranked, RankedPatient, Ranking
    from immunescape.twins.recorded_patient import PatientRecord
    from immunescape.twins.twin import TwinResult

__all__ = [
    "BESIDE",
    "NEXT_NOTE",
    "beside_notes",
    "beside_option_rows",
    "beside_rows",
    "contradicting",
    "course_rows",
    "first_of",
    "first_with_rows",
    "forecast_note",
    "forecast_rows",
    "more_figure_rows",
    "next_rows",
    "option_rows",
    "print_ranking",
    "print_twins",
    "score_note",
    "through_rows",
    "without_data",
]

_FIGURES = {
    "response": "response",
    "pfs_6": "progression-free at 6 months",
    "pfs_12": "progression-free at 12 months",
    "os_6": "alive at 6 months",
    "os_12": "alive at 12 months",
    "os_24": "alive at 24 months",
    "grade3": "toxicity of grade 3 or more",
    "stopped": "discontinued for toxicity",
}


BESIDE = "The twins beside a statistical model of real patients"
"""Title of the tables of both, and of the two combined."""
_BESIDE = {
    "response": "response",
    "pfs_6": "progression-free at 6 months",
    "pfs_12": "progression-free at 12 months",
    "os_12": "alive at 12 months",
    "os_24": "alive at 24 months",
}
_MEASUREMENTS = 10
"""Measurements that a terminal shows; the report's table has all."""
_NAMES = 10


def beside_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """One row for each figure that the statistical models give: the twins, the statistical model, both combined."""
    return [
        {
            "figure": _BESIDE[r.figure],
            "twins, %": f"{100 * r.twins:.0f}",
            "statistical model, % (95 % interval)": _three(r.statistical),
            "combined, % (95 % interval)": _three(r.combined),
        }
        for r in comparison.rows
    ]


def _three(values: tuple[float, float, float]) -> str:
    return "{:.0f} ({:.0f} to {:.0f})".format(*(100 * v for v in values))


def beside_option_rows(result: RankedPatient) -> list[dict[str, Any]]:
    """The rows of `beside_rows` for every option with such figures, in order."""
    return [
        {"option": r.option.title, **row}
        for r in result.ranking.rows
        if r.option.name in result.comparisons
        for row in beside_rows(result.comparisons[r.option.name])
    ]


def without_data(result: RankedPatient) -> list[str]:
    """Why there is no statistical forecast, with the options for which there is none, in order."""
    options: dict[str, list[str]] = {}
    for r in result.ranking.rows:
        comparison = result.comparisons.get(r.option.name)
        if comparison is not None and comparison.why:
            options.setdefault(comparison.why, []).append(r.option.title)
    return [f"{sentence_case(why)}: {', '.join(titles)}." for why, titles in options.items()]


def beside_notes(comparison: Comparison | None) -> list[str]:
    """What the statistical models are and rest on, and what held-out patients say of the combination."""
    if comparison is None or not comparison.rows:
        return []
    learnt = shipped_combination()
    cohorts = ", ".join(f"{_COHORTS.get(name, name)} {n}" for name, n in learnt.learnt_from.items())
    inputs = ", ".join(within_sentence(name) for name in comparison.measured)
    missing = f"; {len(comparison.missing)} that were not measured are integrated over" if comparison.missing else ""
    return [
        "Statistical model: logistic regression (response) and Cox models (survival) of "
        f"{sum(learnt.learnt_from.values())} patients on a PD-(L)1 antibody alone ({cohorts}); baseline inputs used: "
        f"{inputs}{missing}.",
        "Combined: stacked regression of the statistical and the mechanistic forecast, learnt on the same patients, "
        "none of whom is held out. It also corrects the level, so that it may lie outside both. There, mechanistic "
        "forecasts came from virtual patients matched on covariates, which draws them towards the mean. Its interval "
        "takes the figure of the twins as given.",
        *shipped_words(),
    ]


_COHORTS = {"loris_chowell": "LORIS (Chowell)", "loris_shim": "LORIS (Shim)", "oak": "OAK", "toposcore": "TOPOSCORE"}


def first_of(names: Sequence[str]) -> str:
    """Names with commas between them; of many the first, and how many more there are."""
    more = len(names) - _NAMES
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:_NAMES])} and {more} more"


def forecast_rows(result: TwinResult) -> list[dict[str, Any]]:
    """Rows of a forecast: before the first dose of the line and, where that goes on, on the day of the decision."""
    before, now = result.before, result.now
    rows = []
    for name, title in _FIGURES.items():
        row: dict[str, Any] = {"figure": title, "before the first dose": f"{100 * before[name]:.0f} %"}
        if before is not now:
            row[f"on day {result.record.at:g}"] = f"{100 * now[name]:.0f} %"
            row["change, points"] = f"{100 * (now[name] - before[name]):+.0f}"
        rows.append(row)
    return rows


def forecast_note(record: PatientRecord) -> str:
    """What a forecast is conditional on, and from when its months count."""
    note = "Proportions of twins. A forecast is no better than the model and its calibration."
    line = record.ongoing
    if line is None:
        return f"Months count from the first dose. {note}"
    return (
        f"Months count from the first dose of {line.title}. On day {record.at:g}: of the twins that, as the patient, "
        f"are alive and without progression on the last scan, weighted by their agreement with the scans. {note}"
    )


def course_rows(record: PatientRecord) -> list[dict[str, Any]]:
    """Scans and ctDNA of a line that goes on, up to the day of the decision, in order of days."""
    line = record.ongoing
    if line is None:
        return []
    rows: list[tuple[float, dict[str, Any]]] = []
    has_baseline = math.isfinite(line.baseline_mm)
    if has_baseline:
        rows.append((line.start, _course_row(line.start, "sum of diameters", f"{line.baseline_mm:.4g} mm", "baseline")))
    for scan in line.scans:
        change = 100.0 * (scan.sld_mm / line.baseline_mm - 1.0) if has_baseline else math.nan
        said = ", ".join(x for x in (f"{change:+.0f} %" if math.isfinite(change) else "", scan.response) if x)
        size = f"{scan.sld_mm:.4g} mm" if math.isfinite(scan.sld_mm) else "–"
        rows.append((scan.day, _course_row(scan.day, "sum of diameters", size, said or "–")))
    first = next((c for c in record.ctdna if c.day >= line.start - 7.0 and not c.below), None)
    for sample in record.ctdna if not record.history and not record.unknown_lines else ():
        if sample.day < line.start - 7.0:
            continue
        level = f"{'below ' if sample.below else ''}{sample.level:.3g}"
        change = 100.0 * (sample.level / first.level - 1.0) if first is not None and first.level > 0.0 else math.nan
        said = f"{'below ' if sample.below else ''}{change:+.0f} %" if math.isfinite(change) else "–"
        said = "baseline" if sample is first else said
        rows.append((sample.day, _course_row(sample.day, "ctDNA", level, said)))
    return [row for _, row in sorted(rows, key=lambda item: item[0])]


def _course_row(day: float, what: str, value: str, change: str) -> dict[str, Any]:
    return {"time": f"day {day:g}", "measured": what, "value": value, "change from baseline": change}


def print_twins(result: TwinResult) -> None:
    """Print what the twins were conditioned on and their forecast."""
    record, twins = result.record, result.twins
    print(f"\n{record.patient}, day {record.at:g}, line {record.line}: {record.stratum_title or 'no guideline group'}")
    print(
        f"{len(twins)} twins, effective sample size {twins.effective:.0f}, from {twins.candidates} simulated "
        f"candidates (seed {twins.seed})"
    )
    least = twins.least_likely
    if least is not None:
        fact, share = least
        print(
            f"Least likely in the population: {measured_text(fact) or titles_text(fact)}; "
            f"{share_text(share)} of comparable patients are at least as extreme"
        )
    if course := course_rows(record):
        print()
        print_table("Course on this line so far", course)
    rows = fact_rows(twins, ("condition", "measured", "grade", "at least as extreme"))
    print()
    print_table("Conditioned on", rows)
    if record.open_questions:
        names = first_of([biomarker_title(n) for n in record.open_questions])
        print(f"\nNot assessable, therefore distributed as in the population: {names}")
    for note in (*record.notes, *twins.notes):
        print(f"  ! {note}")
    print()
    print_table(f"Forecast on {result.regimen}", forecast_rows(result))
    print(f"\n{forecast_note(record)}")
    beside = result.comparison
    if rows := beside_rows(beside):
        print()
        print_table(f"{BESIDE}, before the first dose", rows)
    for note in (*([f"Statistical model: {beside.why}."] if beside.why else []), *beside_notes(beside)):
        print(f"  {note}")


def _percent(figure: Any) -> str:
    return f"{100 * figure.value:.0f} ({100 * figure.low:.0f} to {100 * figure.high:.0f})"


def _compared_with(row: Ranked) -> str:
    return " (standard)" if row.option.may_be_standard else " (reference, no standard)"


def option_rows(result: RankedPatient) -> list[dict[str, Any]]:
    """One row per option, in order."""
    rows = []
    for r in result.ranking.rows:
        f = r.figures
        rows.append(
            {
                "option": r.option.title + (_compared_with(r) if r.option.name == result.ranking.standard else ""),
                "evidence": r.option.level + (", trial only" if r.option.role == "trial only" else ""),
                "response, %": _percent(f["response"]),
                "PFS 12 months, %": _percent(f["pfs_12"]),
                "OS 12 months, %": _percent(f["os_12"]),
                "OS 24 months, %": _percent(f["os_24"]),
                "grade ≥ 3, %": f"{100 * f['grade3'].value:.0f}",
                "score": f"{r.score.value:.2f} ({r.score.low:.2f} to {r.score.high:.2f})",
                "P(best), %": f"{100 * r.best:.0f}",
                "P(not worse), %": f"{100 * r.not_worse:.0f}",
            }
        )
    return rows


def through_rows(result: RankedPatient) -> list[dict[str, Any]]:
    """One row per option with a drug, in order: the mechanisms through which its drugs act, by what tested them."""
    from immunescape.model.registry import get_drug

    rows = []
    for r in result.ranking.rows:
        drugs = [get_drug(name) for name in r.option.drugs]
        through = [f"{drug.title}: {through_text(drug, titles=True)}" for drug in drugs]
        if through:
            rows.append({"option": r.option.title, "acts through": ". ".join(through)})
    return rows


def more_figure_rows(result: RankedPatient) -> list[dict[str, Any]]:
    """One row per option, in order: the figures that the first table has no room for, with their intervals."""
    rows = []
    for r in result.ranking.rows:
        f = r.figures
        alive = f["rmst_24"]
        rows.append(
            {
                "option": r.option.title,
                "PFS 6 months, %": _percent(f["pfs_6"]),
                "PFS 24 months, %": _percent(f["pfs_24"]),
                "OS 6 months, %": _percent(f["os_6"]),
                "months alive of 24": f"{alive.value:.1f} ({alive.low:.1f} to {alive.high:.1f})",
                "grade ≥ 3, %": _percent(f["grade3"]),
                "discontinued for toxicity, %": _percent(f["stopped"]),
            }
        )
    return rows


_WEIGHTED = {"progression_free": "progression-free survival"}


def contradicting(ranking: Ranking) -> list[str]:
    """Findings of trials that speak against an option."""
    return [
        f"{r.option.title}: {e.trial}{f' ({e.registry})' if e.registry else ''}: {e.finding}"
        for r in ranking.rows
        for e in r.option.evidence
        if e.result in ("negative", "mixed")
    ]


def score_note(result: RankedPatient, change: str = "with --weight") -> str:
    """Definitions of the score and the probabilities; `change` is how a reader changes the weights."""
    ranking = result.ranking
    weights = ", ".join(f"{_WEIGHTED.get(k, k)} {v:g}" for k, v in ranking.weights.items())
    return (
        f"Score: benefit minus harm with weights {weights} (change them {change}). Best: among options with the "
        "same level of evidence. Not worse: survival at 12 months at most "
        f"{100 * ranking.margin:.0f} points below that of the standard."
    )


def next_rows(result: RankedPatient) -> list[dict[str, Any]]:
    """One row for each measurement that was not made: what it would change."""
    from immunescape.twins.value import frequency_text

    rows = []
    for r in result.next.rows if result.next is not None else ():
        rows.append(
            {
                "measurement": biomarker_title(r.biomarker),
                "changes the first choice": f"{frequency_text(r.changed)} twins"
                if r.shown
                else "not distinguishable from chance",
                "expected gain": f"{_thousandths(r.gain)} ({_thousandths(r.low)} to {_thousandths(r.high)})",
                "narrows the benefit by": f"{100 * r.narrowing:.0f} %",
                "result: share, first choice": "; ".join(
                    f"{c.result}: {100 * c.share:.0f} %, {c.option}" for c in r.choices
                )
                if r.shown
                else "the same choice whatever the result",
            }
        )
    return rows


def _thousandths(value: float) -> str:
    """Three decimals; what rounds to zero has no sign."""
    return f"{round(value, 3) + 0.0:.3f}"


NEXT_NOTE = (
    "Value of information over twins, among options of the first choice's level of evidence. Gain: of the score (1 is "
    "24 months of life), options chosen on some twins and scored on others, so that a negative one means none. What no "
    "twin carries, and what the model misses, has no value here."
)


def _print_beside(result: RankedPatient) -> None:
    """Print figures of the options beside those of statistical models, and for which there are none."""
    if rows := beside_option_rows(result):
        print_table(f"{BESIDE}, and both combined", rows)
    for note in beside_notes(first_with_rows(result)):
        print(f"  {note}")
    for sentence in without_data(result):
        print(f"  Statistical model: {sentence}")
    print()


def first_with_rows(result: RankedPatient) -> Comparison | None:
    """One of the comparisons that have figures: they rest on the same inputs."""
    return next((c for c in result.comparisons.values() if c.rows), None)


def print_ranking(result: RankedPatient) -> None:
    """Print the options in order and the conclusions that can be drawn."""
    twins, ranking = result.followed.twins, result.ranking
    print(f"\n{result.record.patient}, day {result.record.at:g}: {result.setting}")
    print(
        f"{len(twins)} twins, effective sample size {twins.effective:.0f}, the same for every option "
        f"(seed {twins.seed})"
    )
    if least := least_likely_text(twins):
        print(least)
    print()
    print_table("Options, by level of evidence and then by score", option_rows(result))
    print(f"\n{score_note(result)}")
    print()
    print_table("Other figures of the same twins", more_figure_rows(result))
    print()
    print_table("What the options act through, by what tested it", through_rows(result))
    print()
    _print_beside(result)
    for sentence in ranking.words:
        print(f"  {sentence}")
    for sentence in contradicting(ranking):
        print(f"  ! {sentence}")
    for sentence in result.left_out:
        print(f"  Not offered: {sentence}")
    for note in (*result.record.notes, *twins.notes):
        print(f"  ! {note}")
    shares = ", ".join(
        f"{step} {100 * share:.0f} % ({title_labelled(step_mechanism(step)) or '–'})"
        for step, share in ranking.limiting.items()
        if share >= 0.05
    )
    print(f"\nLimiting step of the cancer-immunity cycle in the twins at diagnosis: {shares}")
    print(f"  {explanation()}")
    if result.next is not None:
        print("\nWhat to measure next:")
        for sentence in result.next.words:
            print(f"  {sentence}")
        rows = [{k: v for k, v in row.items() if not k.startswith("result:")} for row in next_rows(result)]
        if rows:
            print()
            print_table("Measurements not made, the most informative first", rows[:_MEASUREMENTS])
        if len(rows) > _MEASUREMENTS:
            print(f"{len(rows) - _MEASUREMENTS} more stand in ranking.html and ranking.json.")
    if result.record.open_questions:
        print(f"Not assessable: {first_of([biomarker_title(n) for n in result.record.open_questions])}")
