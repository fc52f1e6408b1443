"""Writes ``docs/scoreboard.md`` from the output of ``immunescape validate --json``.

How to run it::

    immunescape validate --patients 500 --seed 2 --data FOLDER --json > scoreboard.json
    python scripts/scoreboard_page.py scoreboard.json

Without ``--data`` the tables of measured lesions and of response by PD-L1 and by size are left out. What stands in
``docs/scoreboard-notes.md`` (what the model gets wrong and why) is put at the end.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from immunescape.console import markdown_table
from immunescape.evaluation.aims import FIGURE_WORDS
from immunescape.evaluation.scoreboard import RIVAL_TEXT
from immunescape.evaluation.trial_classes import LANDMARKS

_WORDS = {
    "orr_pct": ("ORR, %", 1),
    "pfs_median_months": ("median PFS, months", 1),
    "os_median_months": ("median OS, months", 1),
    "pfs_hr": ("PFS hazard ratio", 2),
    "os_hr": ("OS hazard ratio", 2),
    **{f"{e}_{m}_pct": (f"{e.upper()} at {m} months, %", 1) for e in ("pfs", "os") for m in LANDMARKS},
}


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _interval(row: dict[str, Any], kind: str, digits: int) -> str:
    low, high = (row["low"], row["high"]) if kind == "predicted" else (row["published_low"], row["published_high"])
    text = _number(row[kind], digits)
    if low is None and high is None:
        return text
    return f"{text} ({_number(low, digits)} to {'not reached' if high is None else _number(high, digits)})"


def _trials(rows: list[dict[str, Any]], role: str) -> list[str]:
    cells = []
    for row in rows:
        if row["role"] == role and row["published"] is not None:
            words, digits = _WORDS[row["endpoint"]]
            both = [_interval(row, kind, digits) for kind in ("predicted", "published")]
            cells.append((row["trial"], row["arm"], words, *both))
    head = ("trial", "arm", "figure", "predicted (95 %)", "published (95 %)")
    return [f"## {role.capitalize()} trials", "", *markdown_table(head, cells)]


def _summary(summary: dict[str, Any]) -> list[str]:
    head = (
        "trials",
        "predictor",
        "ORR, median error (points)",
        "medians, median error (%)",
        "median \\|Δ ln HR\\|",
        "published HR inside (%)",
        "interval score of ln HR",
    )
    cells = []
    for role, record in summary.items():
        for name, r in {"model": record, **record["rivals"]}.items():
            is_model = name == "model"
            error = r.get("median_rel_error")  # of the model alone
            relative = None if error is None else 100 * error
            cells.append(
                (
                    role,
                    name if is_model else f"baseline: {RIVAL_TEXT[name]}",
                    _number(r["orr_median_abs_error"], 1) if is_model else "",
                    _number(relative, 0) if is_model else "",
                    _number(r["hr_median_abs_log_error"], 3),
                    _number(None if r["hr_covered"] is None else 100 * r["hr_covered"], 0),
                    _number(r["hr_interval_score"], 2),
                )
            )
    return markdown_table(head, cells)


def _naive(errors: dict[str, list[dict[str, Any]]], aims: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Bias and median error beside naive baselines, and the aims."""
    out = [
        "## Errors beside naive baselines, by kind of figure",
        "",
        "Units: ln for hazard ratios, percent for medians, points for response and survival. These baselines are also",
        "estimated from calibration trials of which there are curves. For arms, they are the mean of all calibration",
        "arms (constant), of those of the same line and class of treatment, and the figure of the most recent such arm",
        "(for a control arm, of the last trial's control); a trial is excluded from its own baselines.",
        "",
        "| trials | figure | predictor | bias | median abs. error | n |",
        "|---|---|---|---|---|---|",
    ]
    for role, rows in errors.items():
        for r in rows:
            digits = 3 if r["figure"].endswith("_hr") else 1
            name = r["predictor"] if r["predictor"] == "model" else f"baseline: {r['predictor']}"
            bias = "–" if r["bias"] is None else f"{r['bias']:+.{digits}f}"
            cells = (role, FIGURE_WORDS[r["figure"]], name, bias, _number(r["median_abs"], digits), str(r["n"]))
            out.append("| " + " | ".join(cells) + " |")
    out += ["", "## Aims", "", "| trials | aim | reached | n | met |", "|---|---|---|---|---|"]
    words = {True: "met", False: "missed", None: "not judged"}
    for role, rows in aims.items():
        out += [f"| {role} | {a['text']} | {a['reached']} | {a['n']} | {words[a['met']]} |" for a in rows]
    return [*out, ""]


def _facts(facts: list[dict[str, Any]]) -> list[str]:
    text = [
        "## Facts of the review",
        "",
        "Each fact is evaluated in its own virtual population; intervals reflect only the number of virtual patients.",
        "",
    ]
    cells = []
    for f in facts:
        digits = 2 if f["unit"] == "hazard ratio" else 1
        if f["published"] is not None:
            published = _interval(f, "published", digits)
        elif f["published_low"] is None:
            published = f"up to {_number(f['published_high'], digits)}"
        else:
            published = f"{_number(f['published_low'], digits)} to {_number(f['published_high'], digits)}"
        predicted = _interval(f, "predicted", digits)
        fitted = "yes" if f["calibrated"] else "no"
        cells.append((f["text"], f["population"], predicted, published, f["unit"], fitted))
    head = ("fact", "virtual population", "predicted (95 %)", "published", "unit", "fitted to")
    return [*text, *markdown_table(head, cells)]


_MEASURES = {
    "growth": ("growth, 1/month", 3),
    "shrinkage": ("shrinkage, 1/month", 3),
    "best_change": ("best change, %", 0),
    "time_to_nadir": ("time to nadir, months", 1),
    "time_to_regrowth": ("time to regrowth, months", 1),
}


def _kinetics(rows: list[dict[str, Any]]) -> list[str]:
    out = [
        "## Single lesions",
        "",
        "One target lesion per patient, as released with {cite:p}`laleh2022`, beside the largest target lesion of",
        "virtual patients (`immunescape.evaluation.lesion_comparison`). Rates are those of {cite:t}`stein2011`: the",
        "diameter relative to baseline is exp(-d t) + exp(g t) - 1, fitted by least squares. Patients have at least",
        "three measurements in both groups, and simulated scans end with the study's follow-up. Regrowth: a fifth and",
        "5 mm above the smallest diameter, among lesions that regrow. Distance and p are those of the two-sample",
        "Kolmogorov-Smirnov test; the aim is a distance of at most 0.1, in small arms (*) a p of at least 0.05. Trial",
        "files of BIRCH and FIR translate SP142 into a tumour proportion score by an assumption that they state; the",
        "lines of BIRCH's six arms are inferred from their sizes. The targets of the calibration include quartiles of",
        "growth and of best change in OAK, but no data of BIRCH or FIR. Small samples are seldom rejected.",
        "",
    ]
    head = (
        "patients",
        "measure",
        "n measured, simulated",
        "median measured",
        "median simulated",
        "distance",
        "p",
        "aim",
    )
    lines = []
    for r in rows:
        words, digits = _MEASURES[r["measure"]]
        cells = (
            r["group"] + (" *" if r["small"] else ""),
            words,
            f"{r['n_observed']}, {r['n_simulated']}",
            _number(r["observed"], digits),
            _number(r["simulated"], digits),
            _number(r["distance"], 2),
            "–" if r["p"] is None else f"{r['p']:.2g}",
            {True: "met", False: "missed", None: "–"}[r["met"]],
        )
        lines.append(cells)
    large = [r for r in rows if not r["small"] and r["met"] is not None]
    small = [r for r in rows if r["small"] and r["met"] is not None]
    met = [sum(r["met"] for r in group) for group in (large, small)]
    return [
        *out,
        *markdown_table(head, lines),
        f"Aims met: {met[0]} of {len(large)} in the large groups, {met[1]} of {len(small)} in small arms.",
        "",
    ]


def _response(rows: list[dict[str, Any]]) -> list[str]:
    out = [
        "## Response by PD-L1 in cohorts",
        "",
        "Two cohorts of patients with NSCLC on checkpoint inhibitors ({cite:p}`chowell2022,chang2024`), pooled,",
        "beside virtual patients with the same PD-L1, prior systemic therapy and number of inhibitors. Patients",
        "without prior therapy are represented by KEYNOTE-024 (PD-L1 of at least 50 % only), those with prior therapy",
        "by OAK, CheckMate 017 and 057 and KEYNOTE-010, each arm weighted by the number of patients in the published",
        "arm; response is defined as in the protocol (confirmed in all but OAK). Combinations are not represented.",
        "'Matched' pools the rows represented by an arm, in the cohorts' proportions of prior therapy. Intervals:",
        "Clopper-Pearson, for virtual patients with their effective sample size. The odds ratios between strata are",
        "among the targets of the calibration.",
        "",
        *_strata(rows),
    ]
    return out


def _size(rows: list[dict[str, Any]]) -> list[str]:
    out = [
        "## Response by size in OAK",
        "",
        "By the sum of diameters at baseline, below and above its median in the trial ({cite:p}`gandara2018`). The",
        "odds ratio of large against small tumours is among the targets of the calibration.",
        "",
        *_strata(rows),
    ]
    return out


def _strata(rows: list[dict[str, Any]]) -> list[str]:
    head = (
        "stratum",
        "prior therapy",
        "drug",
        "n",
        "responded, % (95 %)",
        "simulated, % (95 %)",
        "n simulated",
        "inside",
    )
    lines = []
    for r in rows:
        shown = {"predicted": r["simulated"], **r}
        cells = (r["stratum"], r["prior"], r["drug"], str(r["n"]), _interval(r, "published", 1))
        inside = {True: "yes", False: "no", None: "–"}[r["inside"]]
        lines.append((*cells, _interval(shown, "predicted", 1), str(r["n_simulated"]), inside))
    return markdown_table(head, lines)


def page(record: dict[str, Any], notes: str) -> str:
    """The page's text."""
    size = f"{record['patients']} patients per arm" if record["patients"] else "the protocols' numbers of patients"
    head = [
        "# Scoreboard: virtual trials beside published ones",
        "",
        "`immunescape validate` simulates the released trials that have a role and compares them with published",
        "results; `immunescape validate FILE…` does so with trial files of your own that have a `published:` block.",
        "`--data FOLDER` adds measured lesions and cohorts of patients, whose data do not ship.",
        f"This page was written from such a run ({size}, seed {record['seed']}).",
        "Intervals include the sampling error of a trial of the published size, the uncertainty of the fitted",
        "population, and errors as large as the residuals of the fit on the calibration trials. The population was",
        "fitted to the calibration trials ([Calibration](calibration.md)), but not to the validation trials.",
        "",
        f"Patients whose integration failed: {sum(record['failed'].values())}.",
        "",
        "## Errors",
        "",
        "Medians over figures. The baselines predict hazard ratios from the published ratios of the calibration trials",
        "included in the package: one constant, and the mean of the regimen class. The interval score penalises both",
        "width and misses; smaller is better.",
        "",
    ]
    parts = [*head, *_summary(record["summary"])]
    if record.get("errors"):
        parts += _naive(record["errors"], record.get("aims", {}))
    for role in ("calibration", "validation"):
        parts += _trials(record["rows"], role)
    parts += _facts(record["facts"])
    tables = (("kinetics", _kinetics), ("response_by_pdl1", _response), ("response_by_size", _size))
    for key, table in tables:
        if record.get(key):
            parts += table(record[key])
    return "\n".join([*parts, *[f"{note}\n" for note in record.get("notes", ())], notes])


def main() -> None:
    """Read the JSON file named on the command line, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scoreboard", type=Path, help="output of `immunescape validate --json`")
    docs = Path(__file__).parents[1] / "docs"
    record = json.loads(parser.parse_args().scoreboard.read_text(encoding="utf-8"))
    notes = (docs / "scoreboard-notes.md").read_text(encoding="utf-8")
    (docs / "scoreboard.md").write_text(page(record, notes), encoding="utf-8")
    print(f"Written: {docs / 'scoreboard.md'}")


if __name__ == "__main__":
    main()
