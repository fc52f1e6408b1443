"""The harness for people: a Markdown report of one run, and a row of the history table in the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.console import markdown_table
from immunescape.errors import InputError
from immunescape.files import whole_file
from immunescape.report.aims_report import aims_table, errors_table, table_of_aims
from immunescape.report.combination_report import combination_lines, odds_lines
from immunescape.report.tables import Table, no_value

if TYPE_CHECKING:
    from immunescape.evaluation.harness.run import Harness
    from immunescape.evaluation.harness.scoring import FigureComparison

__all__ = ["HISTORY_COLUMNS", "append_history", "harness_markdown", "history_row"]

LABELS = {
    "pfs_hr": ("PFS hazard ratio", 2),
    "os_hr": ("OS hazard ratio", 2),
    "orr_difference": ("response, difference", 0),
    "orr_pct": ("response, %", 0),
    "cr_pct": ("complete response, %", 0),
    "pr_pct": ("partial response, %", 0),
    "sd_pct": ("stable disease, %", 0),
    "pd_pct": ("progressive disease, %", 0),
    "ne_pct": ("not evaluable, %", 0),
    "dor_median_months": ("duration of response, months", 1),
    "pfs_median_months": ("median PFS, months", 1),
    "os_median_months": ("median OS, months", 1),
    "baseline_sld_median_mm": ("sum of diameters at baseline, mm", 0),
    **{f"{e}_{m}_pct": (f"{e.upper()} at {m} months, %", 0) for e in ("pfs", "os") for m in (6, 12, 24, 60)},
}


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    return markdown_table(header, ([str(cell).replace("|", "\\|") for cell in row] for row in rows))


def _rows(table: Table) -> list[str]:
    return _table(table.columns, [list(row.values()) for row in table.rows]) if table.rows else ["None.", ""]


def harness_markdown(run: Harness) -> str:
    """Report of a run as Markdown: errors, trials, arms, biomarkers, patients helped, deviations of protocols."""
    from immunescape.evaluation.aims import ratio_aims
    from immunescape.evaluation.harness.combination_table import (
        after_inhibitor,
        combination_aims,
        combination_scores,
        scores_alone,
    )
    from immunescape.evaluation.harness.run import judged_groups

    names = {p.trial.name: p for p in run.protocols}
    seeds = f"seed {run.seeds[0]}" if len(run.seeds) == 1 else f"seeds {run.seeds[0]} to {run.seeds[-1]}"
    failed = sum(arm["failed"] for row in run.rows.values() for arm in row["arms"])
    lines = [
        "# Harness",
        "",
        f"Model {run.digest[:12]}, version {run.version}; {run.patients} virtual patients per arm, {seeds}; the arms of"
        f" a trial share their patients. {len(run.rows)} trials; patients whose simulation failed: {failed}.",
        "Errors are natural logarithms for hazard ratios and medians, else points. `SE` is Monte Carlo error.",
        "",
        "## Errors beside chance and naive baselines",
        "",
        "Chance: the median error of a perfect model, from Monte Carlo and published error. Calibration trials may be"
        " fitted to; nothing is fitted here.",
        "",
    ]
    rivals = ("constant", "class mean", "no effect", "0.65", "0.75")
    rows = [
        (
            s.role,
            LABELS[s.figure][0],
            s.n,
            _number(s.median_abs),
            _number(s.chance),
            _number(s.mean_error),
            _number(None if s.beyond_2_se is None else 100 * s.beyond_2_se, 0),
            _number(s.rank),
            *(_number(s.rivals.get(r)) for r in rivals),
        )
        for s in run.summaries
    ]
    lines += _table(
        (
            "trials",
            "figure",
            "n",
            "median abs. error",
            "chance",
            "mean error",
            "beyond 2 SE, %",
            "rank corr.",
            *(f"baseline: {r}" for r in rivals),
        ),
        rows,
    )
    judged = judged_groups(run)
    lines += ["## Bias and median error beside naive baselines", "", _NAIVE, "", *_rows(errors_table(judged))]
    lines += ["## Aims", "", _AIMS, "", *_rows(aims_table(judged))]
    lines += ["## Hazard ratios as forecast", "", _FORECASTS, ""]
    lines += _rows(aims_table(judged_groups(run, forecasts=True), ratio_aims))
    forecast_scores = scores_alone(run.protocols, run.forecasts)
    lines += _rows(table_of_aims({"combinations": combination_aims(forecast_scores)}))
    lines += _lines_of_exchanges(run)
    scores, floors, correlation = combination_scores(run.protocols, run.comparisons, run.rows)
    after = after_inhibitor(run.protocols, run.comparisons)
    lines += ["## Combinations: failures and successes", "", *combination_lines(scores, after, floors, correlation)]
    lines += ["## Fifteen odds ratios of response", "", *odds_lines(run.fifteen)]
    ratios = ("pfs_hr", "os_hr", "orr_difference")
    lines += ["## Hazard ratios", "", _SAME_COURSE, "", *_compared(run.comparisons, ratios, names, run.rows)]
    first = ("orr_pct", "cr_pct", "pr_pct", "sd_pct", "pd_pct", "ne_pct", "dor_median_months", "baseline_sld_median_mm")
    lines += ["## Response, duration and size", "", *_compared(run.comparisons, first, names)]
    times = [f for f in LABELS if f.startswith(("pfs_", "os_")) and not f.endswith("_hr")]
    lines += ["## Survival", "", *_compared(run.comparisons, times, names)]
    lines += ["## What an added drug delivers, by class", "", _EFFECTS, "", *_effects(run)]
    lines += ["## Every arm", "", *_arms(run)]
    lines += ["## Patients whom the experimental arm helps", "", _HELPED, "", *_helped(run)]
    lines += ["## Odds ratios of response", "", _ODDS, "", *_odds(run)]
    lines += ["## Protocol files that differ from their table rows", ""]
    lines += _table(
        ("trial", "field", "protocol", "table"), [(d.trial, d.field, d.file, d.table) for d in run.deviations]
    )
    return "\n".join(lines)


_NAIVE = (
    "Learnt on the published figures of the calibration trials, each trial left out of its own prediction. Of arms: the"
    " mean of all (constant), of the same line and class of treatment, and the most recent of these (the last trial's"
    " control for a control arm). Of hazard ratios: the mean of all, of the regimen class, 0.65 or 0.75 (round), and 1."
    " Units: ln for hazard ratios, percent for medians, points for shares."
)
_AIMS = "Judged on the figures of this run; aims of independent trials are those of the rows `validation`."
_FORECASTS = (
    "Corrected as in `predictions` and, for trials that were not fitted, `validate`, by the other trials of this run:"
    " where drugs are added to the control, times the share that trials of their class have delivered; where"
    " chemotherapy is replaced, on the line of such trials (below). No ratio or interval uses the trial's own result,"
    " but the population and sizes of effects were fitted to some of them."
)
_SAME_COURSE = (
    "Same courses: the OS hazard ratio where both arms follow the control's courses (the hazard of death alone)."
)
_HELPED = (
    "Patient by patient (the arms share patients and random numbers), in percent of all: the best change of the sum of"
    " diameters lower by more than 1 point, by 10 points or more, higher by 10 points or more; response with the"
    " experimental arm only, with the control only; PFS longer or shorter by more than a month."
)
_EFFECTS = (
    "Share of the predicted ln hazard ratio that calibration trials have shown where a drug of the class was added to"
    " the control arm: 1 where the model is right, 0 where the class does nothing. Classes lean on each other by how"
    " little evidence they have; the prior is pessimistic (0.5, SD 0.5, and 0.4 between classes; assumed)."
)
_ODDS = (
    "Mantel-Haenszel over arms (virtual: inhibitors alone, no inhibitor before) or cohorts (real). `held out` are the"
    " 30 % of patients that nothing is fitted to. In OAK, PD-L1 is TC3/IC3 against the rest, and TMB is blood TMB of at"
    " least 16."
)


def _lines_of_exchanges(run: Harness) -> list[str]:
    """The line of published on predicted ln hazard ratios of trials that exchange drugs."""
    from immunescape.evaluation.harness.exchange_line import lines_of

    rows = [
        (LABELS[e.figure][0], e.trials, f"{e.level:+.2f} ({e.level_sd:.2f})", f"{e.slope:.2f} ({e.slope_sd:.2f})")
        for e in lines_of(run.protocols, run.comparisons)
    ]
    return _table(("figure", "trials that replace chemotherapy", "level (SD)", "slope (SD)"), rows)


def _effects(run: Harness) -> list[str]:
    from immunescape.evaluation.harness.class_effects import effects_of

    rows = [
        (
            LABELS[e.figure][0],
            e.drug_class,
            e.trials,
            _number(e.mean),
            _number(e.sd),
            f"{e.low:.2f} to {e.high:.2f}",
            _number(e.positive),
        )
        for e in effects_of(run.protocols, run.comparisons)
    ]
    header = ("figure", "class of the added drug", "trials", "share delivered", "SD", "80 % interval", "P(above 0)")
    return _table(header, rows)


def _compared(
    compared: Sequence[FigureComparison],
    figures: Sequence[str],
    names: Mapping[str, Any],
    rows_of: Mapping[str, Any] | None = None,
) -> list[str]:
    rows: list[tuple[Any, ...]] = []
    for c in sorted(compared, key=lambda c: (c.trial, c.figure not in ("pfs_hr", "os_hr"), c.arm)):
        if c.figure not in figures:
            continue
        label, digits = LABELS[c.figure]
        met = {True: "met", False: "not met", None: ""}[names[c.trial].met]
        rows.append(
            (
                c.trial,
                c.role,
                c.kind,
                met,
                c.arm,
                label,
                _number(c.virtual, digits),
                _number(c.se, 2 if c.logarithmic else digits),
                _published(c, digits),
                ("guessed " if c.guessed else "") + _number(c.published_se, 2 if c.logarithmic else digits),
                _number(c.error, 2 if c.logarithmic else digits),
                _number(c.z, 1),
                c.checked,
            )
        )
        if rows_of is not None:
            same = rows_of[c.trial]["comparison"].get("os_hr_same_course") if c.figure == "os_hr" else None
            rows[-1] = (*rows[-1], _number((same or [None])[0]))
    header = (
        "trial",
        "role",
        "kind",
        "primary endpoint",
        "arm",
        "figure",
        "virtual",
        "SE",
        "published",
        "its SE",
        "error",
        "z",
        "checked",
    )
    return _table((*header, "same courses") if rows_of is not None else header, rows)


def _published(c: FigureComparison, digits: int) -> str:
    text = _number(c.published, digits)
    if c.published_low is None:
        return text
    return f"{text} ({_number(c.published_low, digits)}–{_number(c.published_high, digits)})"


_ARM = (
    ("orr_pct", "ORR", 0),
    ("cr_pct", "CR", 0),
    ("sd_pct", "SD", 0),
    ("pd_pct", "PD", 0),
    ("ne_pct", "NE", 0),
    ("dor_median_months", "DoR", 1),
    ("depth_median_pct", "best change", 0),
    ("shrunk_30_pct", "≤ −30 %", 0),
    ("shrunk_50_pct", "≤ −50 %", 0),
    ("shrunk_80_pct", "≤ −80 %", 0),
    ("pfs_median_months", "PFS", 1),
    ("pfs_12_pct", "PFS 12", 0),
    ("pfs_24_pct", "PFS 24", 0),
    ("os_median_months", "OS", 1),
    ("os_12_pct", "OS 12", 0),
    ("os_24_pct", "OS 24", 0),
    ("new_lesion_share_pct", "PD by new lesion", 0),
    ("died_unprogressed_pct", "died unprogressed", 0),
    ("toxic_death_pct", "toxic death", 1),
    ("next_line_pct", "next line", 0),
    ("crossover_pct", "crossover", 0),
    ("baseline_sld_median_mm", "SLD, mm", 0),
    ("unmeasurable_pct", "< 10 mm", 0),
)


def _arms(run: Harness) -> list[str]:
    rows = []
    for name, row in sorted(run.rows.items()):
        for arm in row["arms"]:
            cells = [_of_arm(arm, f, digits) for f, _, digits in _ARM]
            rows.append((name, arm["name"], arm["n"], *cells))
    return _table(("trial", "arm", "n", *(heading for _, heading, _ in _ARM)), rows)


def _of_arm(arm: Mapping[str, Any], figure: str, digits: int) -> str:
    """A figure of a virtual arm; a median that nobody reached, although somebody could, is not reached."""
    value = (arm["figures"].get(figure) or [None])[0]
    counts = {"n": arm["n"], "orr_pct": (arm["figures"].get("orr_pct") or [None])[0]}
    return no_value(counts, figure) if value is None else _number(value, digits)


def _helped(run: Harness) -> list[str]:
    keys = (
        "shrinks_more_pct",
        "helped_pct",
        "harmed_pct",
        "responds_only_with_pct",
        "responds_only_without_pct",
        "pfs_longer_pct",
        "pfs_shorter_pct",
    )
    kinds = {p.trial.name: p.kind for p in run.protocols}
    rows = [
        (name, kinds[name], *(f"{_number(row['helped'][k][0], 0)} ({_number(row['helped'][k][1], 0)})" for k in keys))
        for name, row in sorted(run.rows.items())
        if row["helped"]
    ]
    return _table(
        (
            "trial",
            "kind",
            "shrinks more",
            "helped",
            "harmed",
            "responds only with",
            "only without",
            "PFS longer",
            "PFS shorter",
        ),
        rows,
    )


def _odds(run: Harness) -> list[str]:
    rows = [
        (
            o["factor"],
            o["population"],
            o["patients"],
            o["with"],
            o["without"],
            _number(o["odds_ratio"]),
            "–" if o["low"] is None else f"{_number(o['low'])}–{_number(o['high'])}",
        )
        for o in run.odds
    ]
    return _table(("factor", "population", "patients", "with", "without", "odds ratio", "95 %"), rows)


# --- history ---------------------------------------------------------------------------------------------------------

HISTORY_COLUMNS = (
    "state",
    "date",
    "model",
    "n, seeds",
    "abs. error ln PFS HR (chance)",
    "ln OS HR (chance)",
    "add-ons, ln PFS HR",
    "rank corr. PFS HR",
    "response, points",
    "PD, points",
    "ln DoR",
    "OAK CR/PR/SD/PD/NE atezolizumab",
    "docetaxel",
    "same inhibitor again, response %",
    "helped by add-on, % (median)",
    "OR PD-L1 1L",
    "OR TMB 1L",
)


def history_row(run: Harness, label: str, date: str) -> list[str]:
    """Main scores of a run, in the order of `HISTORY_COLUMNS`."""

    def error(role: str, figure: str) -> str:
        summary = next((s for s in run.summaries if s.role == role and s.figure == figure), None)
        return "–" if summary is None else f"{summary.median_abs:.2f} ({_number(summary.chance)})"

    def plain(role: str, figure: str, digits: int = 2) -> str:
        summary = next((s for s in run.summaries if s.role == role and s.figure == figure), None)
        return "–" if summary is None else f"{summary.median_abs:.{digits}f}"

    rank = next((s.rank for s in run.summaries if s.role == "all" and s.figure == "pfs_hr"), None)
    oak = {arm["name"]: arm["figures"] for arm in run.rows.get("oak", {}).get("arms", [])}

    def best(arm: str) -> str:
        row = oak.get(arm)
        return "–" if not row else " / ".join(_number(row[f"{w}_pct"][0], 0) for w in ("cr", "pr", "sd", "pd", "ne"))

    again = run.rows.get("ici-rechallenge", {}).get("arms", [{}])[0].get("figures", {}).get("orr_pct", [None, None])
    added = [p.trial.name for p in run.protocols if p.kind == "addon"]
    helped = sorted(run.rows[n]["helped"]["helped_pct"][0] for n in added if run.rows[n]["helped"])

    def odds(factor: str) -> str:
        return next(
            (
                _number(o["odds_ratio"])
                for o in run.odds
                if o["factor"] == factor and o["population"] == "virtual: inhibitor, first line"
            ),
            "–",
        )

    return [
        label,
        date,
        run.digest[:12],
        f"{run.patients}, {len(run.seeds)}",
        error("all", "pfs_hr"),
        error("all", "os_hr"),
        plain("add-ons", "pfs_hr"),
        _number(rank),
        plain("all", "orr_pct", 1),
        plain("all", "pd_pct", 1),
        plain("all", "dor_median_months"),
        best("atezolizumab"),
        best("docetaxel"),
        f"{_number(again[0], 0)} (SE {_number(again[1], 0)})",
        _number(helped[len(helped) // 2], 0) if helped else "–",
        odds("PD-L1 >= 50 v < 1 %"),
        odds("TMB >= 10/Mb"),
    ]


def append_history(page: Path, run: Harness, label: str, date: str) -> None:
    """Add a row to the history table of a page, which must hold its header.

    Raises
    ------
    InputError
        If the page, or the table's header in it, is not there.
    """
    header = "| " + " | ".join(HISTORY_COLUMNS) + " |"
    if not page.is_file():
        raise InputError("no such page", where=str(page), hint="It is docs/harness.md of the source.")
    lines = page.read_text(encoding="utf-8").splitlines()
    if header not in lines:
        raise InputError("the history table's header is not in this page", where=str(page), hint=header)
    last = lines.index(header)
    while last + 1 < len(lines) and lines[last + 1].startswith("|"):
        last += 1
    cells = (cell.replace("|", "/").replace("\n", " ") for cell in history_row(run, label, date))
    lines.insert(last + 1, "| " + " | ".join(cells) + " |")
    with whole_file(page, "cannot record the run", hint="Name another page with --page.") as stream:
        stream.write(("\n".join(lines) + "\n").encode())
