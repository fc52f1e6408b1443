"""Fits the hazard of death to the OAK trial and writes its coefficients.

The hazard (per month) of a patient with covariates x is

    h(t) = exp(b0 + b_S ln(SLD(t) / 70 mm) + P(t) + b_R responding(t) + b_L earlier + b'x)
    P(t) = b_P + b_G ln(regrowth / 3 months) after progression, else 0

`progressed` is 1 after RECIST progression on the present line of therapy, `regrowth` the months from the scan of the
smallest sum of diameters (baseline counts) to that of progression, so that 1 / regrowth is how fast the tumour grew by
the fifth that progression asks for; `responding` is 1 from the scan of the first response to progression; `earlier`
counts earlier lines. No term knows the arm or the drug. The coefficient of earlier lines is the mean of those of OAK
(one or two earlier lines) and LORIS (none or some), weighted by their inverse variances. OAK has no scans for the
patients whose survival is known: their courses are drawn, and the likelihood summed over them (``oak_courses.py``).
The fit is a Poisson likelihood on person-time of two weeks, training patients only (70 %, by a hash of the patient's
number), in LORIS as in OAK. Deaths from toxicity are none of its business: OAK has one in 578 patients on docetaxel.

Albumin, the neutrophil-lymphocyte ratio (NLR), LDH and liver metastases are not in OAK's public data. The coefficients
of the first two come from the LORIS cohort (same form of hazard: progressed, responding), those of the others from the
literature. So that they add to what OAK says and do not move it, their joint part L of the linear predictor is
regressed, in virtual candidates of the package (ECOG 0-1), on the covariates that OAK has: L = g0 + g'x + e. OAK is
then fitted with a normal frailty of the standard deviation of e (Gauss-Hermite), and g is taken off its coefficients.

    python scripts/fit_os_hazard.py SHARED_DATA [--write]

Without ``--write`` it prints the fit, the forms that were compared, and the score on the held-out patients.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from oak_courses import COURSES, SLD_REFERENCE, LesionCourses, TimeTable, person_time, read_lesions

from immunescape.knowledge.held_out import is_held_out

MONTH = 30.4375
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


def cohort_time(patients: pd.DataFrame, step: float = 7 / MONTH) -> pd.DataFrame:
    """One row per patient and week of LORIS (split at progression): months at risk, death, state.

    LORIS has no sums of diameters; a response is taken to begin at the first scan (1.4 months).
    """
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
            responding = p["best"] == "PR" and not after and middle > 1.4
            rows.append((index, end - start, p["dead"] and end >= p["os"] - 1e-9, after, responding))
            start = end
    out = pd.DataFrame(rows, columns=["row", "months", "death", "progressed", "responding"])
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


@dataclass(frozen=True)
class Mixture:
    """Likelihood of patients whose course is one of several, with a normal frailty of known standard deviation.

    A patient's likelihood is the mean over courses and Gauss-Hermite nodes u of exp(d (eta + u) - exp(u) H), where d
    tells whether he died, eta is the linear predictor at death and H the cumulated hazard of the course.
    """

    design: np.ndarray
    time: TimeTable
    spread: float

    def fit(self, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Maximum likelihood: coefficients, standard errors (inverse Hessian), log-likelihood."""
        from scipy.optimize import minimize

        nodes, weights = np.polynomial.hermite_e.hermegauss(9)
        u, log_weight = self.spread * nodes, np.log(weights / weights.sum())
        pair = (self.time["patient"] * COURSES + self.time["course"]).astype(int)
        pairs = pair.max() + 1
        events, months = self.time["death"], self.time["months"]
        died = np.bincount(pair, weights=events)
        at_death = np.flatnonzero(events > 0)

        def negative(beta: np.ndarray) -> tuple[float, np.ndarray]:
            eta = self.design @ beta
            risk = months * np.exp(eta)
            total = np.bincount(pair, weights=risk, minlength=pairs)
            ended = np.bincount(pair, weights=events * eta, minlength=pairs)
            inside = ended[:, None] + died[:, None] * u - np.exp(u) * total[:, None] + log_weight
            inside = inside.reshape(-1, COURSES * len(u))
            top = inside.max(axis=1, keepdims=True)
            share = np.exp(inside - top)
            norm = share.sum(axis=1)
            share = (share / norm[:, None]).reshape(pairs, len(u))
            factor, weight = share @ np.exp(u), share.sum(axis=1)
            value = float((np.log(norm) + top[:, 0]).sum()) - len(top) * math.log(COURSES)
            gradient = self.design[at_death].T @ weight[pair[at_death]] - self.design.T @ (risk * factor[pair])
            return -value, -gradient

        fit = minimize(negative, start, jac=True, method="BFGS", options={"gtol": 1e-3})
        return fit.x, np.sqrt(np.diag(fit.hess_inv)), -float(fit.fun)


BASELINE = ("ecog", "sites", "squamous", "never")
TERMS = ("log_sld", "progressed", "responding", *BASELINE, "log_regrowth")
FORMER = ("log_sld", "progressed", "responding", "cytotoxic", *BASELINE, "progressed_ici", "log_progression")
"""The former form, which knew the arm: a rival in the comparison of forms."""


def design_of(patients: pd.DataFrame, time: TimeTable, terms: Sequence[str] = TERMS) -> np.ndarray:
    """Design matrix (rows of person-time, 1 + terms)."""
    p = patients.iloc[time["patient"].astype(int)]
    progressed = time["progressed"]
    docetaxel = (p["arm"] == "docetaxel").to_numpy(dtype=float)
    columns = {
        "log_sld": time["ln_sld"],
        **{name: time[name] for name in ("progressed", "responding", "log_regrowth", "log_progression")},
        "cytotoxic": docetaxel * (1.0 - progressed),
        "progressed_ici": (1.0 - docetaxel) * progressed,
        **{name: p[name].to_numpy(dtype=float) for name in (*BASELINE, "earlier_line")},
    }
    return np.column_stack([np.ones(len(progressed)), *(columns[name] for name in terms)])


LORIS = (("loris_chowell", "chowell_train_nsclc.csv"), ("loris_shim", "shim_nsclc.csv"))
"""Cohorts of NSCLC on checkpoint inhibitors (chang2024): the name of the split, and the table."""


def read_loris(shared: Path) -> pd.DataFrame:
    """Patients of both LORIS cohorts who are not held out, with albumin in g/L and ln NLR."""
    cohorts = []
    for study, table in LORIS:
        raw = pd.read_csv(shared / "loris" / table)
        raw = raw[[not is_held_out(study, p) for p in raw["SAMPLE_ID"]]]
        out = pd.DataFrame({"os": raw["OS_Months"].clip(lower=0.03), "dead": raw["OS_Event"] == 1})
        out["pfs"] = np.minimum(raw["PFS_Months"], out["os"])
        died = out["dead"] & (np.abs(raw["OS_Months"] - raw["PFS_Months"]) < 0.05)
        out["progressed"] = (raw["PFS_Event"] == 1) & ~died
        out["best"] = np.where(raw["Response"] == 1, "PR", "SD")
        out["albumin"] = raw["Albumin"] * 10.0
        out["log_nlr"] = np.log(raw["NLR"].clip(0.3, 100))
        out["prior"] = raw["Systemic_therapy_history"].astype(float)
        out["shim"] = float(study == "loris_shim")
        cohorts.append(out[out[["os", "pfs", "albumin", "log_nlr", "prior"]].notna().all(axis=1)])
    return pd.concat(cohorts, ignore_index=True)


def fit_laboratory(loris: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Coefficients (and errors) of albumin (per g/L), ln NLR and earlier therapy, given the state and the cohort."""
    time = cohort_time(loris)
    p = loris.loc[time["row"]]
    columns = [np.ones(len(time)), time["progressed"], time["responding"], p["shim"], p["prior"]]
    design = np.column_stack([*columns, p["albumin"] - 39.0, p["log_nlr"] - 1.5])
    beta, errors, _ = poisson(design, time["death"].to_numpy(), time["months"].to_numpy())
    return {
        name: (float(beta[k]), float(errors[k]))
        for k, name in enumerate(("earlier_line", "albumin", "log_nlr"), start=4)
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


def start_of(design: np.ndarray) -> np.ndarray:
    """Where an optimisation begins."""
    start = np.zeros(design.shape[1])
    start[0] = -3.5
    return start


def compare_forms(train: pd.DataFrame, lesions: LesionCourses) -> None:
    """Print the log-likelihood of rival forms on the training patients."""
    time = person_time(train, lesions)
    core = ("log_sld", "progressed", "responding", *BASELINE, "earlier_line")
    forms = {
        "state and size": core,
        "and time to progression": (*core, "log_progression"),
        "and regrowth (taken)": (*core, "log_regrowth"),
        "and both times": (*core, "log_progression", "log_regrowth"),
        "former, knows the arm": (*FORMER, "earlier_line"),
        "regrowth, knows the arm": (*core, "log_regrowth", "cytotoxic", "progressed_ici"),
    }
    for name, terms in forms.items():
        design = design_of(train, time, terms)
        value, error, likelihood = Mixture(design, time, 0.0).fit(start_of(design))
        shown = [t for t in terms if t not in core]
        places = {t: 1 + list(terms).index(t) for t in shown}
        text = ", ".join(f"{t} {value[k]:.3f} (SE {error[k]:.3f})" for t, k in places.items())
        print(f"  {name:26s} log-likelihood {likelihood:9.2f}  {text}")


def main() -> None:
    """Fit, report, and write with ``--write``."""
    from oak_held_out import held_out_report

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    oak, lesions = read_oak(args.shared), read_lesions(args.shared)
    train = oak[oak["training"]].reset_index(drop=True)
    print(f"training: n = {len(train)}, deaths {int(train['dead'].sum())}; forms:")
    compare_forms(train, lesions)
    loris = read_loris(args.shared)
    fitted = fit_all(train, lesions, loris)
    names = ("intercept", *TERMS)
    print(f"with a frailty of SD {fitted.spread:.3f}: log-likelihood {fitted.likelihood:.2f}")
    for name, value, error, final in zip(names, fitted.marginal, fitted.errors, fitted.conditional, strict=True):
        print(f"  {name:12s} {value:7.3f}  SE {error:.3f}, given the unseen covariates {final:7.3f}")
    print(f"laboratory values (LORIS, n = {len(loris)}, deaths {int(loris['dead'].sum())}): {fitted.laboratory}")
    print(f"an earlier line, OAK and LORIS: {fitted.earlier[0]:.3f} SE {fitted.earlier[1]:.3f}")
    held_out_report(oak, lesions, fitted)
    if args.write:
        write(
            fitted.conditional,
            fitted.errors,
            fitted.earlier,
            fitted.laboratory,
            fitted.reference,
            train,
            len(loris),
            int(loris["dead"].sum()),
        )


@dataclass(frozen=True)
class Fitted:
    """Coefficients of `TERMS` (intercept first): marginal to the covariates OAK lacks, and given them; the rest."""

    marginal: np.ndarray
    errors: np.ndarray
    conditional: np.ndarray
    likelihood: float
    spread: float
    earlier: tuple[float, float]
    laboratory: dict[str, tuple[float, float]]
    reference: dict[str, float]


def fit_all(train: pd.DataFrame, lesions: LesionCourses, loris: pd.DataFrame) -> Fitted:
    """Fit to the training patients of both studies."""
    time = person_time(train, lesions)
    both = design_of(train, time, (*TERMS, "earlier_line"))
    value, error, _ = Mixture(both, time, 0.0).fit(start_of(both))
    laboratory = fit_laboratory(loris)
    reference = {"albumin": float(loris["albumin"].mean()), "log_nlr": float(loris["log_nlr"].mean())}
    earlier = pooled((value[-1], error[-1]), laboratory["earlier_line"])
    lines = train["earlier_line"].to_numpy(dtype=float)[time["patient"].astype(int)]
    # months weighted by the hazard of the earlier lines; their constant part of the likelihood is left out
    weighted = time | {"months": time["months"] * np.exp(earlier[0] * lines)}
    g, spread = unseen_part(laboratory, reference)
    design = design_of(train, weighted)
    marginal, errors, likelihood = Mixture(design, weighted, spread).fit(value[:-1])
    conditional = marginal.copy()
    for position, column in enumerate(("intercept", "log_sld", "ecog", "sites", "squamous", "never")):
        conditional[("intercept", *TERMS).index(column)] -= g[position]
    return Fitted(marginal, errors, conditional, likelihood, spread, earlier, laboratory, reference)


MEANING = {
    "intercept": (
        "1/month",
        "ln of the hazard (1/month): 70 mm, ECOG 0, 3 sites, non-squamous, smoker, no earlier line, not progressed",
    ),
    "log_sld": ("dimensionless", "per ln(SLD / 70 mm), SLD as it is now"),
    "progressed": ("dimensionless", "after progression on the present line"),
    "responding": ("dimensionless", "from first response to progression; few events"),
    "ecog": ("dimensionless", "per point of ECOG performance status; OAK has 0 and 1 only"),
    "sites": ("dimensionless", "per metastatic site above 3"),
    "squamous": ("dimensionless", "squamous histology"),
    "never": ("dimensionless", "never smoker"),
    "log_regrowth": (
        "dimensionless",
        "after progression, per ln(months from the scan of the smallest sum of diameters to progression / 3)",
    ),
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
    deaths_oak = int(train["dead"].sum())
    oak = f"OAK training patients (n={len(train)}; {deaths_oak} deaths; 70 % by hash); courses from laleh2022; SE "
    one, trial = "dimensionless", "gandara2018;laleh2022"
    rows = [
        (name, f"{value:.4g}", MEANING[name][0], trial, "fitted", f"{MEANING[name][1]}; {oak}{error:.2g}")
        for name, value, error in zip(("intercept", *TERMS), beta, errors, strict=True)
    ]
    loris = f"LORIS cohorts without held-out patients (n={n}; {deaths} deaths) given progression and response; SE "
    both = "chowell2022;chang2024"
    for name, unit, what in (("albumin", "L/g", "per g/L"), ("log_nlr", one, "per ln of the ratio")):
        value, error = laboratory[name]
        rows.append((name, f"{value:.4g}", unit, both, "fitted", f"{what}; {loris}{error:.2g}"))
    what = f"per earlier line with progression; {oak}{earlier[1]:.2g} with the LORIS cohorts ({n}; {deaths})"
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
            "mean of the LORIS cohorts without held-out patients",
        ),
        ("log_nlr_reference", f"{reference['log_nlr']:.4g}", one, both, "measured", "mean ln NLR of the same patients"),
        ("lethal_volume", "3000", "mL", "assumed;friberg1997", "assumed", LETHAL),
    ]
    with OUT.open(encoding="utf-8") as stream:
        written = {row[0] for row in rows}
        gone = {"cytotoxic", "progressed_ici", "log_time_to_progression"}
        rows += [tuple(row) for row in list(csv.reader(stream))[1:] if row[0] not in written | gone]
    with OUT.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("name", "value", "unit", "source", "grade", "note"))
        writer.writerows(rows)
    print(f"wrote {OUT}")


if __name__ == "__main__":
    main()
