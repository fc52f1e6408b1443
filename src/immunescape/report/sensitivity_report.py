"""Sensitivity for people: the terminal's table and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.evaluation.mechanism_labels import owner_label
from immunescape.report.tables import Row, Table

if TYPE_CHECKING:
    from immunescape.evaluation.sensitivity import Sensitivity

__all__ = ["print_sensitivity", "sensitivity_table", "write_sensitivity_figure"]

_TITLES = {
    "orr": "Response",
    "change_week_9": "ln change of diameter, week 9",
    "change_week_18": "ln change of diameter, week 18",
}


def _index(cell: dict[str, Any], method: str) -> tuple[float, float, float]:
    name, interval = ("mu_star", "ci") if method == "morris" else ("total", "total_ci")
    return cell[name], cell[interval][0], cell[interval][1]


def sensitivity_table(result: Sensitivity, n: int = 20) -> Table:
    """One row for each of the n parameters that matter most."""
    rows: list[Row] = []
    for rank, row in enumerate(result.top(n), 1):
        shown: Row = {
            "Rank": rank,
            "Parameter": row["parameter"],
            "Mechanism": row["mechanism"],
            "Tested": owner_label(row["mechanism"]),
            "Basis": row["basis"],
        }
        for output, title in _TITLES.items():
            value, low, high = _index(row[output], result.method)
            mean = 0.0 if result.method == "sobol" else row[output]["mu"]
            sign = "" if mean == 0.0 else "+" if mean > 0.0 else "−"
            shown[title] = f"{value:.3g} ({low:.3g} to {high:.3g}) {sign}".strip()
        rows.append(shown)
    return Table(rows, ("Rank",))


def print_sensitivity(result: Sensitivity, n: int = 20) -> None:
    """Print the parameters that matter most."""
    from immunescape.console import print_table

    what = (
        "mean absolute elementary effect (95 %), sign of the mean"
        if result.method == "morris"
        else "total index (95 %)"
    )
    print_table(f"{result.trial}, {result.arm}: {what}", sensitivity_table(result, n).rows)
    never = f"{result.undiagnosed} never diagnosed, {result.failed} failed"
    print(
        f"{len(result.parameters)} parameters, {result.points} points ({never}), response in {100 * result.orr:.1f} % "
        f"of the others; seed {result.seed}, {result.seconds:.0f} s"
    )


def write_sensitivity_figure(result: Sensitivity, path: Path, n: int = 20) -> Path:
    """Write bars with intervals for response and both changes to a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from immunescape.report.figures import ARM_COLOURS

    top = result.top(n)[::-1]
    figure = Figure(figsize=(11, 0.28 * len(top) + 1.6), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3, sharey=True)
    for ax, (output, title), colour in zip(axes, _TITLES.items(), ARM_COLOURS, strict=False):
        values = [_index(row[output], result.method) for row in top]
        centre = [v for v, _, _ in values]
        errors = [[max(v - low, 0.0) for v, low, _ in values], [max(high - v, 0.0) for v, _, high in values]]
        ax.barh([row["parameter"] for row in top], centre, xerr=errors, color=colour, ecolor="#555555", height=0.7)
        ax.set_xlabel(
            ("Mean absolute elementary effect" if result.method == "morris" else "Total index") + f"\n{title}"
        )
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25, axis="x")
    figure.suptitle(f"{result.trial}, {result.arm}: {result.points} points, seed {result.seed}", fontsize=11)
    figure.savefig(path)
    return path
