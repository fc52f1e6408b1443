"""A calibration for people: what was fitted to, what moved, effective sample size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from immunescape.report.tables import Row, Table, number

if TYPE_CHECKING:
    from immunescape.evaluation.calibration import Calibration

__all__ = ["arms_table", "cost_text", "moves_table", "print_calibration", "targets_table"]


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


def cost_text(cost: Mapping[str, float], *, cluster: bool = False) -> str:
    """What a calibration will take, as a sentence; how long a cluster takes is not known."""
    low, high = (f"{cost[key]:.0f}" for key in ("minutes_low", "minutes_high"))
    minutes = "less than a minute" if high == "0" else f"about {low} to {high} minutes"
    where = "on the cluster" if cluster else f"{minutes} on {cost['workers']:.0f} workers"
    courses = f"{cost['courses']:.0f} courses of virtual patients to simulate"
    return f"{courses}: {where}, and some minutes for each round's fit."


def left_out_table(calibration: Calibration) -> Table:
    """Errors beyond chance of trials that a fit had not seen, by how their arms differ."""
    rows: list[Row] = [
        {"Comparison": what, "Figure": kind, "Figures": n, "Error (SD, log scale)": number(sd, 2)}
        for what, trials in calibration.left_out.items()
        for kind, (sd, n) in trials.items()
    ]
    return Table(rows, ("Figures", "Error (SD, log scale)"))


def refits_table(calibration: Calibration) -> Table:
    """Figures of trials that a refit had not seen, beside those that the surface gives without the trial."""
    rows: list[Row] = [
        {
            "Left out": ", ".join(refit.left_out),
            "Figure": f.name,
            "n": f.patients,
            "Published": number(f.published, 2),
            "Surface": number(f.surface, 2),
            "Refit": number(f.refit, 2),
            "Error, surface": signed(f.surface_error),
            "Error, refit": signed(f.refit_error),
            "SE of both figures": number(math.hypot(f.published_se, f.virtual_se), 2),
        }
        for refit in calibration.refits
        for f in refit.figures
    ]
    return Table(rows, ("n", "Published", "Surface", "Refit", "Error, surface", "Error, refit", "SE of both figures"))


def refit_errors_table(calibration: Calibration) -> Table:
    """Mean errors of the surface and of the refits, by kind of figure."""
    from immunescape.evaluation.left_out_refits import mean_errors

    rows: list[Row] = [
        {
            "Figure": kind,
            "Figures": int(mean["figures"]),
            "Mean absolute error, surface": number(mean["surface"], 2),
            "Mean absolute error, refit": number(mean["refit"], 2),
            "Mean error, surface": signed(mean["surface_bias"]),
            "Mean error, refit": signed(mean["refit_bias"]),
        }
        for kind, mean in mean_errors(calibration.refits).items()
    ]
    return Table(rows, tuple(rows[0])[1:] if rows else ())


def signed(value: float) -> str:
    """An error with its sign."""
    return f"{value:+.2f}" if math.isfinite(value) else "–"


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
    for text in calibration.surprises:
        print(f"Moved far: {text}. The data contradict the prior, or the model lacks something that the term replaces.")
    if calibration.left_out:
        print_table("Each trial left out in turn", left_out_table(calibration).rows)
    if calibration.refits:
        print_table(
            "Refits without a trial (errors: log odds, or logarithm of a ratio)", refits_table(calibration).rows
        )
        print_table("Errors of refits", refit_errors_table(calibration).rows)
        for refit in calibration.refits:
            print(
                f"Without {', '.join(refit.left_out)}: {refit.steps} steps of {refit.patients} patients per arm; the"
                f" furthest term lies {refit.moved:.1f} prior standard deviations from the fit on the surface."
            )
    if calibration.draws is not None:
        draws = calibration.draws
        print(
            f"{len(draws.x)} draws from the posterior; {draws.effective:.0f} of {draws.proposals} proposals effective."
        )
    left = ", ".join(f"{kind} {sd:.2f}" for kind, sd in record["discrepancy"].items())
    print(f"Errors beyond chance on fresh patients (SD, on the logarithmic scale): {left or 'none'}.")
