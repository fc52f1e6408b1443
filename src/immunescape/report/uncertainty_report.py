"""Tables of the parameter audit and of the ensemble for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from immunescape.evaluation.mechanism_labels import owner_label
from immunescape.report.tables import NOT_REACHED, Row, Table

if TYPE_CHECKING:
    from immunescape.evaluation.audit import Audit
    from immunescape.evaluation.ensemble import Ensemble

__all__ = ["audit_table", "ensemble_table", "print_audit", "print_ensemble"]


def audit_table(result: Audit, n: int = 20, grade: str = "") -> Table:
    """One row for each of the n most influential parameters, of a single grade where one is named."""
    rows: list[Row] = [
        {
            "Rank": rank,
            "Parameter": row["parameter"],
            "Mechanism": row["mechanism"],
            "Tested": owner_label(row["mechanism"]),
            "Basis": row["basis"],
            "Response, points per SD": f"{100 * row['orr']['effect']:+.1f}",
            "ln change in diameter, week 18": f"{row['change_week_18']['effect']:+.3f} "
            f"(rms {row['change_week_18']['rms']:.3f})",
        }
        for rank, row in enumerate(result.top(n, grade), 1)
    ]
    return Table(rows, ("Rank", "Response, points per SD"))


def print_audit(result: Audit, n: int = 20) -> None:
    """Print the most influential parameters, and the most influential assumed ones."""
    from immunescape.console import print_table

    print_table(
        f"{result.trial}, {result.arm}: effect of varying each parameter by one prior SD", audit_table(result, n).rows
    )
    print_table(
        "Assumed parameters for which a source would be most valuable", audit_table(result, min(n, 10), "assumed").rows
    )
    print(
        f"{len(result.rows)} parameters, {result.patients} virtual patients, {result.points} points "
        f"({result.undiagnosed} never diagnosed, {result.failed} failed); seed {result.seed}, {result.seconds:.0f} s"
    )


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.3g}"


def ensemble_table(result: Ensemble) -> Table:
    """One row for each figure."""

    def shown(row: dict[str, Any], name: str) -> str:
        if name in ("low", "high") and row["draws"] < 2:
            return "–"
        late = row[name] is None and row["draws"] and str(row["figure"]).endswith("_median_months")
        return NOT_REACHED if late else _number(row[name])

    rows: list[Row] = [
        {
            "Arm": row["arm"] or "comparison",
            "Figure": row["figure"],
            "Released model": shown(row, "central"),
            "Draws: median (5th to 95th percentile)": f"{shown(row, 'median')} ({shown(row, 'low')} to "
            f"{shown(row, 'high')})",
            "Draws": row["draws"],
        }
        for row in result.rows
    ]
    return Table(rows, ("Released model", "Draws"))


def print_ensemble(result: Ensemble) -> None:
    """Print every figure of the released model and over the draws."""
    from immunescape.console import print_table

    print_table(f"{result.trial}: uncertainty from the parameter values", ensemble_table(result).rows)
    for number, why in result.lost.items():
        print(f"Draw {number} failed: {why}")
    for number, (not_integrated, tried) in result.failed.items():
        if number not in result.lost:
            print(f"Draw {number}: {not_integrated} of {tried} virtual patients could not be integrated")
    print(
        f"{result.draws} draws ({len(result.lost)} of them without figures), {result.patients} virtual patients per "
        f"arm and draw, prior widths multiplied by {result.width:g}; seed {result.seed}, {result.seconds:.0f} s"
    )
