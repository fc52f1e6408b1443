"""Fits the hazard of death to the OAK trial and writes its coefficients.

The hazard (per month) of a patient with covariates x is

    h(t) = exp(b0 + b_S ln(SLD(t) / 70 mm) + b_P progressed(t) + b_R responding(t) + b_C cytotoxic(t) + b_L earlier
               + b'x)

`progressed` is 1 after RECIST progression on the present line of therapy (with a further coefficient where that line
was atezolizumab, and one for ln of the time to progression over three months), `responding` is 1 from the first
response to progression, `cytotoxic` is 1 while cytotoxic drugs are given (docetaxel here, taken to be given until
progression), `earlier` counts earlier lines. The last coefficient is the mean of those of OAK (one or two earlier
lines) and LORIS (none or some), weighted by their inverse variances. OAK has no sums of diameters after baseline for
the patients whose survival is known, so SLD(t) is built from what is: baseline sum, best response, time of
progression (function `sld_ratio`). Poisson likelihood on weekly person-time, training patients only (70 %, by a hash
of the patient's number).

Albumin, the neutrophil-lymphocyte ratio (NLR), LDH and liver metastases are not in OAK's public data. The coefficients
of the first two come from the LORIS cohort (same form of hazard: progressed, responding), those of the others from the
literature. So that they add to what OAK says and do not move it, their joint part L of the linear predictor is
regressed, in virtual candidates of the package (ECOG 0-1), on the covariates that OAK has: L = g0 + g'x + e. OAK is
then fitted with a normal frailty of the standard deviation of e (Gauss-Hermite), and g is taken off its coefficients.

    python scripts/fit_os_hazard.py SHARED_DATA [--write]
"""

from __future__ import annotations

import argparse
import csv
import math
from pathlib import Path

import numpy as np
import pandas as pd

from immunescape.knowledge.held_out import is_held_out
from immunescape.trial.hazard import TIME_FLOOR_MONTHS, TIME_REFERENCE_MONTHS

MONTH = 30.4375
SLD_REFERENCE = 70.0
OUT = Path(__file__).parents[1] / "src/immunescape/knowledge/data/os_hazard.csv"


def read_oak(shared: Path) -> pd.DataFrame:
    """OAK patients with the columns that the fit needs; a missing baseline sum takes the median."""
    raw = pd.read_csv(shared / "oak/oak_clinical.csv", na_values=["."])
    out = pd.DataFrame({"patient": raw["PtID"], "os": raw["OS"].clip(lower=0.03), "dead": raw["OS.CNSR"] == 0})
    out["pfs"] = np.minimum(raw["PFS"], out["os"])
    pfs_event = raw["PFS.CNSR"] == 0
    died = out["dead"] & (np.abs(raw["OS"] - raw["PFS"]) < 0.05)
    out["progressed"] = pfs_event & ~died
    out["best"] = raw["BCOR"].fillna("NE")
    out["ecog"] = raw["ECOGGR"].astype(float)
    out["earlier_line"] = pd.to_numeric(raw["PRIORTXC"], errors="coerce").fillna(1.0)
    sld = pd.to_numeric(raw["blSLD"], errors="coerce")
    out["sld"] = sld.fillna(sld.median()).clip(lower=10)
    out["sites"] = pd.to_numeric(raw["METSITES"], errors="coerce") - 3.0
    out["squamous"] = (raw["HIST"] == "SQUAMOUS").astype(float)
    out["never"] = (raw["TOBHX"] == "NEVER").astype(float)
    out["arm"] = np.where(raw["TRT01P"] == "Docetaxel", "docetaxel", "atezolizumab")
    out["training"] = [not is_held_out("oak", p) for p in raw["PtID"]]
    return out


def sld_ratio(t: float, best: str, progression: float) -> float:
    """Ln of SLD over baseline at month t, from best response and month of progression (inf: none).

    Down to the nadir typical of the best response (half for a response, 0.9 for stable disease) at the first scan
    (6 weeks, 1.4 months) or half way to an earlier progression; from there exponential growth that passes +20 % at
    progression and goes on, at most to three times the baseline.
    """
    depth = {"CR": math.log(0.5), "PR": math.log(0.5), "SD": math.log(0.9)}.get(best, 0.0)
    nadir = 1.4 if depth else 0.0
    if math.isinf(progression):
        return depth * min(1.0, t / nadir) if depth else 0.0
    nadir = min(nadir, progression / 2)
    if t < nadir:
        return depth * t / nadir
    return min(depth + math.log(1.2) * (t - nadir) / max(progression - nadir, 1.0), math.log(3.0))


def person_time(patients: pd.DataFrame, step: float = 7 / MONTH) -> pd.DataFrame:
    """One row per patient and week (split at progression): months at risk, death, state, ln(SLD / 70 mm)."""
    rows = []
    for index, p in patients.iterrows():
        progression = p["pfs"] if p["progressed"] else math.inf
        start = 0.0
        while start < p["os"] - 1e-9:
            end = min(start + step, p["os"])
            if start < progression < end:
                end = progression
            middle = (start + end) / 2
            after = middle >= progression
            ratio = sld_ratio(middle, p["best"], progression) if "sld" in p else 0.0
            responding = p["best"] in ("CR", "PR") and not after and middle > 1.4
            rows.append((index, end - start, p["dead"] and end >= p["os"] - 1e-9, after, responding, ratio))
            start = end
    out = pd.DataFrame(rows, columns=["row", "months", "death", "progressed", "responding", "ratio"])
    return out.astype({"death": float, "progressed": float, "responding": float})


def poisson(design: np.ndarray, events: np.ndarray, exposure: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Maximum likelihood of a piecewise constant log-linear hazard: coefficients, standard errors, log-likelihood."""
    beta = np.zeros(design.shape[1])
    beta[0] = math.log(events.sum() / exposure.sum())
    for _ in range(100):
        mean = exposure * np.exp(design @ beta)
        information = (design * mean[:, None]).T @ design
        step = np.linalg.solve(information, design.T @ (events - mean))
        beta += step
        if np.abs(step).max() < 1e-10:
            break
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    return beta, errors, float((events * (design @ beta)).sum() - mean.sum())


def poisson_frailty(
    design: np.ndarray, events: np.ndarray, exposure: np.ndarray, patient: np.ndarray, spread: float, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """As `poisson`, with a normal frailty of known standard deviation shared by a patient's rows."""
    from scipy.optimize import minimize

    _, member = np.unique(patient, return_inverse=True)
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    u, log_weight = spread * nodes, np.log(weights / weights.sum())
    died = np.bincount(member, weights=events)
    of_death = design.T @ events

    def negative(beta: np.ndarray) -> tuple[float, np.ndarray]:
        risk = exposure * np.exp(design @ beta)
        total = np.bincount(member, weights=risk)
        inside = died[:, None] * u - np.exp(u) * total[:, None] + log_weight
        top = inside.max(axis=1, keepdims=True)
        share = np.exp(inside - top)
        norm = share.sum(axis=1)
        mean_frailty = (share * np.exp(u)).sum(axis=1) / norm
        value = float(of_death @ beta + (np.log(norm) + top[:, 0]).sum())
        gradient = of_death - design.T @ (risk * mean_frailty[member])
        return -value, -gradient

    fit = minimize(negative, start, jac=True, method="BFGS", options={"gtol": 1e-4})
    return fit.x, np.sqrt(np.diag(fit.hess_inv)), -float(fit.fun)


BASELINE = ("ecog", "sites", "squamous", "never")
AFTER = ("progressed_ici", "log_time_to_progression")
TERMS = ("log_sld", "progressed", "responding", "cytotoxic", *BASELINE, *AFTER)


def slowness(progression: np.ndarray) -> np.ndarray:
    """Ln of the months to progression over three, as the package takes it."""
    return np.log(np.maximum(progression, TIME_FLOOR_MONTHS) / TIME_REFERENCE_MONTHS)


def design_of(patients: pd.DataFrame, time: pd.DataFrame) -> np.ndarray:
    """Design matrix (rows of person-time, 1 + terms) in the order of `TERMS`."""
    p = patients.loc[time["row"]]
    progressed = time["progressed"].to_numpy()
    columns = {
        "log_sld": np.log(p["sld"].to_numpy() / SLD_REFERENCE) + time["ratio"].to_numpy(),
        "progressed": progressed,
        "responding": time["responding"].to_numpy(),
        "cytotoxic": (p["arm"] == "docetaxel").to_numpy() * (1.0 - progressed),
        **{name: p[name].to_numpy() for name in BASELINE},
        "progressed_ici": (p["arm"] == "atezolizumab").to_numpy() * progressed,
        "log_time_to_progression": slowness(p["pfs"].to_numpy()) * progressed,
    }
    return np.column_stack([np.ones(len(time)), *(columns[name] for name in TERMS)])


def read_loris(shared: Path) -> pd.DataFrame:
    """LORIS training cohort (NSCLC on checkpoint inhibitors) with albumin in g/L and ln NLR."""
    raw = pd.read_csv(shared / "loris/chowell_train_nsclc.csv")
    out = pd.DataFrame({"os": raw["OS_Months"].clip(lower=0.03), "dead": raw["OS_Event"] == 1})
    out["pfs"] = np.minimum(raw["PFS_Months"], out["os"])
    died = out["dead"] & (np.abs(raw["OS_Months"] - raw["PFS_Months"]) < 0.05)
    out["progressed"] = (raw["PFS_Event"] == 1) & ~died
    out["best"] = np.where(raw["Response"] == 1, "PR", "SD")
    out["albumin"] = raw["Albumin"] * 10.0
    out["log_nlr"] = np.log(raw["NLR"].clip(0.3, 100))
    out["prior"] = raw["Systemic_therapy_history"].astype(float)
    return out[out[["os", "pfs", "albumin", "log_nlr", "prior"]].notna().all(axis=1)].reset_index(drop=True)


def fit_laboratory(loris: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Coefficients (and errors) of albumin (per g/L), ln NLR and earlier therapy, given the state."""
    time = person_time(loris)
    p = loris.loc[time["row"]]
    design = np.column_stack(
        [
            np.ones(len(time)),
            time["progressed"],
            time["responding"],
            p["prior"],
            p["albumin"] - 39.0,
            p["log_nlr"] - 1.5,
        ]
    )
    beta, errors, _ = poisson(design, time["death"].to_numpy(), time["months"].to_numpy())
    return {
        "albumin": (beta[4], errors[4]),
        "log_nlr": (beta[5], errors[5]),
        "earlier_line": (beta[3], errors[3]),
    }


def pooled(*estimates: tuple[float, float]) -> tuple[float, float]:
    """Mean of estimates (value, error), weighted by inverse variances."""
    weight = np.array([1.0 / error**2 for _, error in estimates])
    return float(weight @ [value for value, _ in estimates] / weight.sum()), float(weight.sum() ** -0.5)


LITERATURE = {"ldh_high": math.log(1 / 0.66), "liver_mets": math.log(1.48)}


def unseen_part(laboratory: dict[str, tuple[float, float]], reference: dict[str, float]) -> tuple[np.ndarray, float]:
    """Regression (intercept, one per covariate term of OAK) of the part that OAK lacks, and SD of what is left."""
    from immunescape.population.covariates import sample_covariates

    t = sample_covariates(0, 4096, 0, 0)
    t = t[t["ecog"] <= 1]
    part = laboratory["albumin"][0] * (t["albumin_g_l"] - reference["albumin"])
    part = part + laboratory["log_nlr"][0] * (np.log(t["nlr"]) - reference["log_nlr"])
    part = part + LITERATURE["ldh_high"] * (t["ldh_uln"] > 1) + LITERATURE["liver_mets"] * t["liver_mets"]
    columns = [np.ones(len(t)), np.log(t["sld_mm"] / SLD_REFERENCE), t["ecog"], t["n_sites"] - 3.0]
    columns += [t["histology"] == "squamous", t["smoking"] == "never"]
    x = np.column_stack([np.asarray(c, dtype=float) for c in columns])
    g, *_ = np.linalg.lstsq(x, part.to_numpy(dtype=float), rcond=None)
    return g, float(np.std(part.to_numpy(dtype=float) - x @ g))


def held_out_report(test: pd.DataFrame, beta: np.ndarray, earlier: float, spread: float, seed: int = 1) -> None:
    """Print concordance, and predicted beside observed medians, of patients that the fit has not seen."""
    from lifelines import KaplanMeierFitter
    from lifelines.utils import concordance_index

    b = dict(zip(("intercept", *TERMS), beta, strict=True))
    base = b["log_sld"] * np.log(test["sld"] / SLD_REFERENCE) + sum(b[n] * test[n] for n in BASELINE)
    base = base + earlier * test["earlier_line"]
    print(
        f"held out: n = {len(test)}, C-index of baseline terms {concordance_index(test['os'], -base, test['dead']):.3f}"
    )
    post = test[test["progressed"]]
    at_progression = base[post.index] + b["log_sld"] * np.array(
        [sld_ratio(p.pfs, p.best, p.pfs) for p in post.itertuples()]
    )
    at_progression += b["progressed_ici"] * (post["arm"] == "atezolizumab")
    at_progression += b["log_time_to_progression"] * slowness(post["pfs"].to_numpy())
    after = (post["os"] - post["pfs"]).clip(lower=0.01)
    print(
        f"  from progression on: C-index {concordance_index(after, -at_progression, post['dead']):.3f}, n = {len(post)}"
    )
    rng = np.random.default_rng(seed)
    step = 7 / MONTH
    for arm, group in test.groupby("arm"):
        observed = KaplanMeierFitter().fit(group["os"], group["dead"]).median_survival_time_
        # Progression: cause-specific hazard of this arm, as observed; response: as observed, with its own progression.
        medians = []
        copies = 40
        for responder in (True, False):
            sub = group[group["best"].isin(["CR", "PR"]) == responder]
            fit = KaplanMeierFitter().fit(sub["pfs"], sub["progressed"])
            grid, surv = fit.survival_function_.index.to_numpy(), fit.survival_function_.iloc[:, 0].to_numpy()
            for _ in range(copies):
                for p, lp in zip(sub.itertuples(), base[sub.index], strict=True):
                    u = rng.uniform()
                    below = np.flatnonzero(surv <= u)
                    tp = grid[below[0]] if len(below) else math.inf
                    need, t = rng.exponential() / math.exp(spread * rng.standard_normal()), 0.0
                    best = p.best if (responder or tp > 1.8) else "PD"
                    best = "SD" if best in ("PD", "NE") and tp > 1.8 else best
                    added = b["progressed"] + b["progressed_ici"] * (arm == "atezolizumab")
                    added += b["log_time_to_progression"] * float(slowness(np.array(min(tp, 60.0))))
                    while t < 60 and need > 0:
                        post_now = t >= tp
                        rate = math.exp(
                            b["intercept"] + lp + b["log_sld"] * sld_ratio(t, best, tp) + added * post_now
                            + b["responding"] * (responder and not post_now and t > 1.4)
                            + b["cytotoxic"] * (arm == "docetaxel" and not post_now)
                        )  # fmt: skip
                        need -= rate * step
                        t += step
                    medians.append(t)
        print(
            f"  {arm}: median OS predicted {np.median(medians):.1f}, observed {observed:.1f} months, n = {len(group)}"
        )


def main() -> None:
    """Fit, report, and write with ``--write``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    oak = read_oak(args.shared)
    train = oak[oak["training"]]
    time = person_time(train)
    design, events, months = design_of(train, time), time["death"].to_numpy(), time["months"].to_numpy()
    plain, errors, likelihood = poisson(design, events, months)
    print(f"training: n = {len(train)}, deaths {int(train['dead'].sum())}, log-likelihood {likelihood:.1f}")
    for name, value, error in zip(("intercept", *TERMS), plain, errors, strict=True):
        print(f"  {name:12s} {value:7.3f}  SE {error:.3f}")
    lines = train.loc[time["row"], "earlier_line"].to_numpy()
    value, error, better = poisson(np.column_stack([design, lines]), events, months)
    print(f"  an earlier line: {value[-1]:.3f} SE {error[-1]:.3f}, dLL {better - likelihood:.1f}")
    loris = read_loris(args.shared)
    laboratory = fit_laboratory(loris)
    print(f"laboratory values (LORIS, n = {len(loris)}, deaths {int(loris['dead'].sum())}): {laboratory}")
    reference = {"albumin": float(loris["albumin"].mean()), "log_nlr": float(loris["log_nlr"].mean())}
    earlier = pooled((value[-1], error[-1]), laboratory["earlier_line"])
    print(f"an earlier line, OAK and LORIS: {earlier[0]:.3f} SE {earlier[1]:.3f}")
    months = months * np.exp(earlier[0] * lines)
    g, spread = unseen_part(laboratory, reference)
    marginal, errors, likelihood = poisson_frailty(design, events, months, time["row"].to_numpy(), spread, plain)
    print(f"with a frailty of SD {spread:.3f}: log-likelihood {likelihood:.1f}")
    conditional = marginal.copy()
    for position, column in enumerate(("intercept", "log_sld", "ecog", "sites", "squamous", "never")):
        conditional[("intercept", *TERMS).index(column)] -= g[position]
    for name, value, error, final in zip(("intercept", *TERMS), marginal, errors, conditional, strict=True):
        print(f"  {name:12s} {value:7.3f}  SE {error:.3f}, given the unseen part {final:7.3f}")
    held_out_report(oak[~oak["training"]].reset_index(drop=True), marginal, earlier[0], spread)
    if args.write:
        write(conditional, errors, earlier, laboratory, reference, train, len(loris), int(loris["dead"].sum()))


MEANING = {
    "intercept": (
        "1/month",
        "ln of the hazard (1/month): 70 mm, ECOG 0, 3 sites, non-squamous, smoker, no earlier line, not progressed",
    ),
    "log_sld": ("dimensionless", "per ln(SLD / 70 mm), SLD as it is now"),
    "progressed": ("dimensionless", "after progression on the present line"),
    "responding": ("dimensionless", "from first response to progression; few events"),
    "cytotoxic": (
        "dimensionless",
        "while cytotoxic drugs are given and not progressed; docetaxel in OAK",
    ),
    "ecog": ("dimensionless", "per point of ECOG performance status; OAK has 0 and 1 only"),
    "sites": ("dimensionless", "per metastatic site above 3"),
    "squamous": ("dimensionless", "squamous histology"),
    "never": ("dimensionless", "never smoker"),
    "progressed_ici": ("dimensionless", "after progression on a line with a checkpoint inhibitor; atezolizumab in OAK"),
    "log_time_to_progression": ("dimensionless", "after progression, per ln(months to progression / 3)"),
}
LETHAL = "nobody survives it; three times the lethal burden of the source (1e12 cells; 1 kg) so that the hazard decides"
TAKEN = "ln of the multivariable hazard ratio of progression or death, taken for death"


def write(
    beta: np.ndarray,
    errors: np.ndarray,
    earlier: tuple[float, float],
    laboratory: dict[str, tuple[float, float]],
    reference: dict[str, float],
    train: pd.DataFrame,
    n: int,
    deaths: int,
) -> None:
    """Write the table that the package reads."""
    oak = f"OAK training patients (n={len(train)}; {int(train['dead'].sum())} deaths; 70 % by hash); SE "
    one = "dimensionless"
    rows = [
        (name, f"{value:.4g}", MEANING[name][0], "gandara2018", "fitted", f"{MEANING[name][1]}; {oak}{error:.2g}")
        for name, value, error in zip(("intercept", *TERMS), beta, errors, strict=True)
    ]
    loris = f"LORIS training cohort (n={n}; {deaths} deaths) given progression and response; SE "
    both = "chowell2022;chang2024"
    for name, unit, what in (("albumin", "L/g", "per g/L"), ("log_nlr", one, "per ln of the ratio")):
        value, error = laboratory[name]
        rows.append((name, f"{value:.4g}", unit, both, "fitted", f"{what}; {loris}{error:.2g}"))
    what = f"per earlier line with progression; {oak}{earlier[1]:.2g} with the LORIS training cohort ({n}; {deaths})"
    rows.append(("earlier_line", f"{earlier[0]:.4g}", one, f"gandara2018;{both}", "fitted", what))
    ldh, liver = (f"{LITERATURE[k]:.4g}" for k in ("ldh_high", "liver_mets"))
    rows += [
        ("ldh_high", ldh, one, "prelaj2019", "assumed", f"LDH above the upper limit; {TAKEN} (1/0.66)"),
        ("liver_mets", liver, one, "prelaj2019", "assumed", f"liver metastases; {TAKEN} (1.48)"),
        (
            "albumin_reference",
            f"{reference['albumin']:.4g}",
            "g/L",
            both,
            "measured",
            "mean of the LORIS training cohort",
        ),
        ("log_nlr_reference", f"{reference['log_nlr']:.4g}", one, both, "measured", "mean ln NLR of the same cohort"),
        ("lethal_volume", "3000", "mL", "assumed;friberg1997", "assumed", LETHAL),
    ]
    with OUT.open(encoding="utf-8") as stream:
        written = {row[0] for row in rows}
        rows += [tuple(row) for row in list(csv.reader(stream))[1:] if row[0] not in written]
    with OUT.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("name", "value", "unit", "source", "grade", "note"))
        writer.writerows(rows)
    print(f"wrote {OUT}")


if __name__ == "__main__":
    main()
