"""Fits the new-lesion process to OAK and checks the split of the baseline sum of diameters.

Two public sources of one trial: the longest diameter of one target lesion over time, and the times of progression.
That lesion alone progresses more slowly than the patients do; the difference is progression by other lesions, mostly
new ones. Its hazard (per month) is taken as

    new_lesion_base + new_lesion_growth * max(0, d ln(diameter) / dt)

(the base from the late, flat part of the atezolizumab arm, the growth part by least squares given the base)

and compared with the ratio of both curves (progression-free patients over patients whose measured lesion has
not progressed) in both arms, the growth rate being that of a curve fitted to each patient (function `growth_rate`).

    python scripts/fit_new_lesions.py SHARED_DATA [--all-patients]

Patients of the held-out 30 % are left out; `--all-patients` includes them, for comparison with the former values
(0.0136 and 3.45).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from lifelines import KaplanMeierFitter
from scipy.optimize import least_squares

from immunescape.knowledge.held_out import is_held_out

MONTH = 30.4375
ARMS = {"Study_4_Arm_1": "Docetaxel", "Study_4_Arm_2": "MPDL3280A"}
TIMES = np.array([1.5, 3, 4.5, 6, 9, 12, 15, 18])
GRID = np.arange(0.0, 18.01, 0.25)


def read_lesions(shared: Path) -> pd.DataFrame:
    """One row per patient: name, arm, baseline, month and flag of the lesion's progression, growth rate on the grid."""
    raw = pd.read_csv(shared / "tumour_kinetics/oak.csv")
    raw["mm"] = pd.to_numeric(raw["TargetLesionLongDiam_mm"].replace({"TOO SMALL TO MEASURE": "5"}), errors="coerce")
    rows = []
    for (patient, arm), group in raw.dropna().sort_values("Treatment_Day").groupby(["Patient_Anonmyized", "Study_Arm"]):
        before, after = group[group["Treatment_Day"] <= 7], group[group["Treatment_Day"] > 7]
        if before.empty or after.empty or before["mm"].iloc[-1] <= 0:
            continue
        months = np.concatenate([[0.0], after["Treatment_Day"] / MONTH])
        size = np.concatenate([[before["mm"].iloc[-1]], after["mm"]])
        nadir = np.minimum.accumulate(size)[:-1]
        hit = np.flatnonzero((size[1:] >= 1.2 * nadir) & (size[1:] - nadir >= 5))
        end = months[hit[0] + 1] if len(hit) else months[-1]
        rate = growth_rate(months, size)
        rows.append((patient, arm, size[0], end, len(hit) > 0, rate))
    return pd.DataFrame(rows, columns=["patient", "arm", "baseline", "months", "progressed", "rate"])


def growth_rate(months: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Positive part of d ln(size) / dt (per month) on the grid, free of measurement noise as far as can be.

    The curve is y0 (exp(kg t) + exp(-ks t) - 1), fitted to each patient with the population of struemper2025 as prior
    (kg about 0.04, ks about 0.1 per month, SD of the logs 0.95) and a residual of 8 %; from the last measurement on the
    rate stays.
    """

    def curve(x: np.ndarray, t: np.ndarray) -> np.ndarray:
        return np.exp(x[2]) * np.maximum(np.exp(np.exp(x[0]) * t) + np.exp(-np.exp(x[1]) * t) - 1, 1e-3)

    def misfit(x: np.ndarray) -> np.ndarray:
        error = (np.log(np.maximum(size, 5.0)) - np.log(np.maximum(curve(x, months), 5.0))) / 0.08
        return np.concatenate([error, [(x[0] - np.log(0.04)) / 0.95, (x[1] - np.log(0.1)) / 0.95]])

    x = least_squares(misfit, [np.log(0.04), np.log(0.1), np.log(size[0])], bounds=([-9, -9, 0], [1, 2, 7])).x
    t = np.minimum(GRID, months[-1])
    step = 0.05
    return np.maximum(
        (np.log(curve(x, t + step)) - np.log(curve(x, np.maximum(t - step, 0)))) / (t + step - np.maximum(t - step, 0)),
        0,
    )


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--all-patients", action="store_true")
    options = parser.parse_args()
    shared = options.shared
    lesions = read_lesions(shared)
    clinical = pd.read_csv(shared / "oak/oak_clinical.csv", na_values=["."])
    if not options.all_patients:
        lesions = lesions[[not is_held_out("oak", name) for name in lesions["patient"]]]
        clinical = clinical[[not is_held_out("oak", name) for name in clinical["PtID"]]].reset_index(drop=True)
    died = (clinical["OS.CNSR"] == 0) & ((clinical["OS"] - clinical["PFS"]).abs() < 0.05)
    progressed = (clinical["PFS.CNSR"] == 0) & ~died
    target, rates, at_risk = {}, {}, {}
    for key, name in ARMS.items():
        arm = clinical["TRT01P"] == name
        mine = lesions[lesions["arm"] == key]
        patient = KaplanMeierFitter().fit(clinical.loc[arm, "PFS"], progressed[arm])
        lesion = KaplanMeierFitter().fit(mine["months"], mine["progressed"])
        target[key] = patient.predict(TIMES).to_numpy() / lesion.predict(TIMES).to_numpy()
        rates[key] = np.vstack(mine["rate"].to_list())
        at_risk[key] = mine["months"].to_numpy()[:, None] >= GRID[None, :]

    def predicted(key: str, base: float, growth: float) -> np.ndarray:
        hazard = base + growth * rates[key]
        weight = np.ones(len(hazard))
        free = [1.0]
        for j in range(1, len(GRID)):
            use = weight * at_risk[key][:, j]
            mean = (use * hazard[:, j]).sum() / max(use.sum(), 1e-9)
            free.append(free[-1] * np.exp(-mean * 0.25))
            weight = weight * np.exp(-hazard[:, j] * 0.25)
        return np.interp(TIMES, GRID, free)

    def residual(x: np.ndarray) -> np.ndarray:
        return np.concatenate([predicted(k, *x) - target[k] for k in ARMS])

    both = least_squares(residual, [0.02, 1.0], bounds=([0, 0], [1, 20]))
    print(f"both free: base {both.x[0]:.4f}, growth {both.x[1]:.2f} (they compete)")
    late = target["Study_4_Arm_2"]
    base = float(np.log(late[TIMES == 12][0] / late[TIMES == 18][0]) / 6)
    fit = least_squares(lambda x: residual(np.array([base, x[0]])), [1.0], bounds=(0, 20))
    error = np.sqrt(2 * fit.cost / (len(fit.fun) - 1) / float(fit.jac[:, 0] @ fit.jac[:, 0]))
    print(f"new_lesion_base {base:.4f} per month (atezolizumab, months 12 to 18)")
    print(f"new_lesion_growth {fit.x[0]:.2f} (SE {error:.2f}, given the base)")
    for key, name in ARMS.items():
        print(
            name, "months", TIMES, "observed", target[key].round(2), "fitted", predicted(key, base, fit.x[0]).round(2)
        )
    share = lesions["baseline"].median() / clinical["blSLD"].median()
    print(
        f"longest lesion {lesions['baseline'].median():.0f} mm "
        f"of a sum of {clinical['blSLD'].median():.0f} mm: {share:.2f}"
    )
    rng = np.random.default_rng(1)
    for alpha in (0.5, 1.0, 2.0, 4.0):
        ratio = [longest_share(rng, alpha) for _ in range(4000)]
        print(f"  Dirichlet {alpha}: median longest / sum {np.median(ratio):.2f}")


def longest_share(rng: np.random.Generator, alpha: float) -> float:
    """Longest over the sum of diameters, 1 to 5 lesions."""
    k = int(rng.choice(5, p=[0.25, 0.3, 0.2, 0.15, 0.1])) + 1
    d = np.cbrt(rng.dirichlet(np.full(k, alpha)))
    return float(d.max() / d.sum())


if __name__ == "__main__":
    main()
