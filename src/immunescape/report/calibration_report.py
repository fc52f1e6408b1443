"""A calibration for people: what was fitted to, what moved, effective sample size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from immunescape.report.tables import Row, Table, number

if TYPE_CHECKING:
    from immunescape.evaluation.calibration import Calibration

__all__ = ["arms_table", "moves_table", "print_calibration", "targets_table"]


def targets_table(calibration: Calibration) -> Table:
    """Published figures, those of weighted patients, and those of fresh patients of the final fit."""
    rows: list[Row] = [
        {
            "Fitted to": name,
            "Published": number(published, 2),
            "Fit": number(predicted, 2),
            "Fresh": number(calibration.fresh.get(name), 2),
            "Error (SD)": number(residual, 1),
        }
        for name, published, predicted, residual in calibration.last.targets
    ]
    return Table(rows, ("Published", "Fit", "Fresh", "Error (SD)"))


def moves_table(calibration: Calibration) -> Table:
    """What moved, most first; terms that moved by less than a twentieth of their prior are left out."""
    rows: list[Row] = [
        {
            "Parameters": t["name"] if len(t["members"]) == 1 else ", ".join(t["members"]),
            "Term": t["term"],
            "Value": number(t["value"], 2),
            "SE": number(t["se"], 2),
            "Moved (prior SD)": number(t["moved_prior_sd"], 2),
            "Identified": number(t["identified"], 2),
        }
        for t in sorted(calibration.table(), key=lambda t: -abs(t["moved_prior_sd"]))
        if abs(t["moved_prior_sd"]) >= 0.05
    ]
    return Table(rows, ("Value", "SE", "Moved (prior SD)", "Identified"))


def arms_table(calibration: Calibration) -> Table:
    """Patients and effective patients of each arm."""
    rows: list[Row] = [
        {
            "Trial": trial,
            "Arm": arm,
            "Patients": n,
            "Effective": number(effective, 0),
            "Largest weight (%)": number(100 * largest, 2),
        }
        for (trial, arm), (n, effective, largest) in calibration.last.sizes.items()
    ]
    return Table(rows, ("Patients", "Effective", "Largest weight (%)"))


def print_calibration(calibration: Calibration) -> None:
    """Print targets, moves and sizes."""
    from immunescape.console import print_table

    record = calibration.to_json()
    print_table("Fitted to", targets_table(calibration).rows)
    print_table("What moved", moves_table(calibration).rows)
    print_table("Weights of the last round", arms_table(calibration).rows)
    print(
        f"Effective sample size {record['effective_sample_size']:.0f}; largest weight "
        f"{100 * record['largest_weight_of_the_pooled_sample']:.2f} %. `Identified` is 1 - posterior / prior variance."
    )
    left = ", ".join(f"{kind} {sd:.2f}" for kind, sd in record["discrepancy"].items())
    print(f"Errors beyond chance on fresh patients (SD, on the logarithmic scale): {left or 'none'}.")
