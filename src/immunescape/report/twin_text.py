"""Twins and rankings on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from immunescape.face import print_table

if TYPE_CHECKING:
    from immunescape.twins.twin import TwinResult

__all__ = ["forecast_rows", "print_twins"]

_FIGURES = {
    "response": "response",
    "pfs_6": "free of progression at 6 months",
    "pfs_12": "free of progression at 12 months",
    "os_6": "alive at 6 months",
    "os_12": "alive at 12 months",
    "os_24": "alive at 24 months",
    "grade3": "toxicity of grade 3 or more",
    "stopped": "stopped for toxicity",
}


def forecast_rows(before: dict[str, Any], now: dict[str, Any], moved: bool) -> list[dict[str, Any]]:
    """Rows of a forecast: what was said before the first dose, and on the day of the decision."""
    rows = []
    for name, title in _FIGURES.items():
        row: dict[str, Any] = {"figure": title, "before the first dose": f"{100 * before[name]:.0f} %"}
        if moved:
            row["now"] = f"{100 * now[name]:.0f} %"
            row["moved by"] = f"{100 * (now[name] - before[name]):+.0f}"
        rows.append(row)
    return rows


def print_twins(result: TwinResult) -> None:
    """Print what twins were conditioned on and what they say."""
    record, twins = result.record, result.twins
    print(f"\n{record.patient}, day {record.at:g}, line {record.line}: {record.stratum_title or 'no guideline group'}")
    print(
        f"{len(twins)} twins, {twins.effective:.0f} effective, from {twins.candidates} candidates that were grown "
        f"(seed {twins.seed})"
    )
    least = twins.least_likely
    if least is not None:
        fact, share = least
        print(
            f"Least likely in the population: {fact.biomarker or fact.target} ({fact.measured}); "
            f"{100 * share:.2g} % of comparable patients are as far out"
        )
    rows = [
        {
            "says": f.text,
            "measured": f"{f.biomarker} {f.measured}"[:60],
            "error": f.grade,
            "as far out": f"{100 * twins.surprise[f.target]:.2g} %" if f.target in twins.surprise else "",
        }
        for f in twins.facts
    ]
    print()
    print_table("Conditioned on", rows)
    if record.open_questions:
        print(f"\nNot assessable, so left as in the population: {', '.join(record.open_questions)}")
    for note in (*record.notes, *twins.notes):
        print(f"  ! {note}")
    moved = result.before is not result.now
    print()
    print_table(f"Forecast under {result.regimen}", forecast_rows(result.before, result.now, moved))
    print("\nShares of twins. A forecast is no better than the model and the calibration behind it.")
