"""Writes ``docs/scoreboard.md`` from the output of ``immunescape validate --json``.

How to run it::

    immunescape validate --patients 500 --seed 2 --json > scoreboard.json
    python scripts/scoreboard_page.py scoreboard.json

What stands in ``docs/scoreboard-notes.md`` (what the model gets wrong and why) is put at the end.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_WORDS = {
    "orr_pct": ("ORR, %", 1),
    "pfs_median_months": ("median PFS, months", 1),
    "os_median_months": ("median OS, months", 1),
    "pfs_hr": ("PFS hazard ratio", 2),
    "os_hr": ("OS hazard ratio", 2),
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
    out = [
        f"## {role.capitalize()} trials",
        "",
        "| trial | arm | figure | predicted (95 %) | published (95 %) |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        if row["role"] == role and row["published"] is not None:
            words, digits = _WORDS[row["endpoint"]]
            cells = (row["trial"], row["arm"], words, _interval(row, "predicted", digits))
            out.append("| " + " | ".join((*cells, _interval(row, "published", digits))) + " |")
    return [*out, ""]


def _summary(summary: dict[str, Any]) -> list[str]:
    out = [
        "| trials | predictor | ORR, median error (points) | medians, median error (%) | median \\|Δ ln HR\\| |"
        " published HR inside (%) | interval score of ln HR |",
        "|---|---|---|---|---|---|---|",
    ]
    for role, record in summary.items():
        for name, r in {"model": record, **record["rivals"]}.items():
            own = name == "model"
            cells = (
                role,
                name if own else f"rival: {name}",
                _number(r["orr_median_abs_error"], 1) if own else "",
                _number(None if r["median_rel_error"] is None else 100 * r["median_rel_error"], 0) if own else "",
                _number(r["hr_median_abs_log_error"], 3),
                _number(None if r["hr_covered"] is None else 100 * r["hr_covered"], 0),
                _number(r["hr_interval_score"], 2),
            )
            out.append("| " + " | ".join(cells) + " |")
    return [*out, ""]


def _facts(facts: list[dict[str, Any]]) -> list[str]:
    out = [
        "## Facts of the review",
        "",
        "Each in a virtual population of its own; intervals hold the number of virtual patients alone.",
        "",
        "| fact | virtual population | predicted (95 %) | published | unit | fitted to |",
        "|---|---|---|---|---|---|",
    ]
    for f in facts:
        digits = 2 if f["unit"] == "hazard ratio" else 1
        if f["published"] is not None:
            published = _interval(f, "published", digits)
        elif f["published_low"] is None:
            published = f"up to {_number(f['published_high'], digits)}"
        else:
            published = f"{_number(f['published_low'], digits)} to {_number(f['published_high'], digits)}"
        cells = (f["text"], f["population"], _interval(f, "predicted", digits), published, f["unit"])
        out.append("| " + " | ".join((*cells, "yes" if f["calibrated"] else "no")) + " |")
    return [*out, ""]


def page(record: dict[str, Any], notes: str) -> str:
    """The page's text."""
    size = f"{record['patients']} patients per arm" if record["patients"] else "the protocols' numbers of patients"
    head = [
        "# Scoreboard: virtual trials beside published ones",
        "",
        "`immunescape validate` simulates every trial that ships and holds it against what was published;",
        "`immunescape validate FILE…` does so with trial files of your own that have a `published:` block.",
        f"This page was written from such a run ({size}, seed {record['seed']}).",
        "Intervals hold the chance of a trial of the published size and the uncertainty of the fitted population,",
        "not that of the model's structure. Calibration trials were fitted to ([Calibration](calibration.md)),",
        "validation trials were not.",
        "",
        f"Patients whose integration failed: {sum(record['failed'].values())}.",
        "",
        "## Errors",
        "",
        "Medians over figures. The rivals predict hazard ratios and are learnt on the published ratios of the",
        "calibration trials alone: one constant, and the mean of the regimen class. The interval score punishes width",
        "and misses alike; smaller is better.",
        "",
    ]
    parts = [*head, *_summary(record["summary"])]
    for role in ("calibration", "validation"):
        parts += _trials(record["rows"], role)
    return "\n".join([*parts, *_facts(record["facts"]), notes])


def main() -> None:
    """Read the JSON file named on the command line, write the page."""
    docs = Path(__file__).parents[1] / "docs"
    record = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    notes = (docs / "scoreboard-notes.md").read_text(encoding="utf-8")
    (docs / "scoreboard.md").write_text(page(record, notes), encoding="utf-8")
    print(f"Written: {docs / 'scoreboard.md'}")


if __name__ == "__main__":
    main()
