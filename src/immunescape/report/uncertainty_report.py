"""Audit and ensemble for people: the terminal's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from immunescape.report.tables import Row, Table

if TYPE_CHECKING:
    from immunescape.evaluation.audit import Audit
    from immunescape.evaluation.ensemble import Ensemble

__all__ = ["audit_table", "ensemble_table", "print_audit", "print_ensemble"]


def audit_table(result: Audit, n: int = 20, grade: str = "") -> Table:
    """One row for each of the n parameters that matter most, of one grade where it is named."""
    rows: list[Row] = [
        {
            "Rank": rank,
            "Parameter": row["parameter"],
            "Mechanism": row["mechanism"],
            "Basis": row["basis"],
            "Response, points for one SD": f"{100 * row['orr']['effect']:+.1f}",
            "ln change of diameter, week 18": f"{row['change_week_18']['effect']:+.3f} "
            f"(rms {row['change_week_18']['rms']:.3f})",
        }
        for rank, row in enumerate(result.top(n, grade), 1)
    ]
    return Table(rows, ("Rank", "Response, points for one SD"))


def print_audit(result: Audit, n: int = 20) -> None:
    """Print the parameters that matter most, and those of them that are assumed."""
    from immunescape.console import print_table

    print_table(f"{result.trial}, {result.arm}: each parameter by one prior SD", audit_table(result, n).rows)
    print_table("Assumed ones, for which a source would help most", audit_table(result, min(n, 10), "assumed").rows)
    print(
        f"{len(result.rows)} parameters, {result.patients} virtual patients, {result.points} points "
        f"({result.undiagnosed} never diagnosed, {result.failed} failed); seed {result.seed}, {result.seconds:.0f} s"
    )


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.3g}"


def ensemble_table(result: Ensemble) -> Table:
    """One row for each figure."""

    def shown(row: dict[str, Any], name: str) -> str:
        late = row[name] is None and row["draws"] and str(row["figure"]).endswith("_median_months")
        return "not reached" if late else _number(row[name])

    rows: list[Row] = [
        {
            "Arm": row["arm"] or "comparison",
            "Figure": row["figure"],
            "As it ships": shown(row, "central"),
            "Draws: median (5th to 95th percentile)": f"{shown(row, 'median')} ({shown(row, 'low')} to "
            f"{shown(row, 'high')})",
            "Draws": row["draws"],
        }
        for row in result.rows
    ]
    return Table(rows, ("As it ships", "Draws"))


def print_ensemble(result: Ensemble) -> None:
    """Print every figure as the model ships and over draws."""
    from immunescape.console import print_table

    print_table(f"{result.trial}: what is assumed varies", ensemble_table(result).rows)
    for number, why in result.lost.items():
        print(f"draw {number} is lost: {why}")
    print(
        f"{result.draws} draws, {result.patients} virtual patients of each arm and draw, widths times "
        f"{result.width:g}; seed {result.seed}, {result.seconds:.0f} s"
    )
