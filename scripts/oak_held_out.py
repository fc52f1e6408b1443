"""Scores the hazard of death on the 30 % of OAK that nothing is fitted to, beside naive baselines.

Printed: concordance (at baseline, at a landmark of three months from what is known then, and from progression on),
survival by arm against Kaplan-Meier, and the hazard ratio of OS between the arms that each hazard gives on the real
courses of both arms. Rivals: a Cox model of the baseline covariates (the same in both arms, so its ratio is that of
the arms' patients alone), the same with progression by three months, and the former form of the hazard, which knew the
arm, fitted to the same person-time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from oak_courses import COURSES, SLD_REFERENCE, LesionCourses, person_time

from immunescape.stats.cox import fast_hazard_ratio

if TYPE_CHECKING:
    from fit_os_hazard import Fitted

HORIZON = 27.0
LANDMARK = 3.0
DRAWS = 40
COX = ("log_size", "ecog", "sites", "squamous", "never", "earlier_line")


def curves(
    patients: pd.DataFrame,
    lesions: LesionCourses,
    beta: np.ndarray,
    terms: tuple[str, ...],
    earlier: float,
    spread: float,
    *,
    pooled: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Months (t,) and predicted survival (n, t) of each patient along his courses, nothing known of his death."""
    from fit_os_hazard import design_of

    time = person_time(patients, lesions, until=HORIZON, pooled=pooled)
    lines = patients["earlier_line"].to_numpy(dtype=float)[time["patient"].astype(int)]
    risk = time["months"] * np.exp(design_of(patients, time, terms) @ beta + earlier * lines)
    months = np.arange(0.0, HORIZON + 1e-9, 0.25)
    nodes, weights = np.polynomial.hermite_e.hermegauss(9)
    factors, weights = np.exp(spread * nodes), weights / weights.sum()
    pair = (time["patient"] * COURSES + time["course"]).astype(int)
    starts = np.flatnonzero(np.diff(pair, prepend=-1))
    out = np.zeros((len(patients), len(months)))
    for a, b in zip(starts, [*starts[1:], len(pair)], strict=True):
        total = np.interp(months, np.append(0.0, time["end"][a:b]), np.append(0.0, np.cumsum(risk[a:b])))
        out[pair[a] // COURSES] += np.exp(-np.outer(factors, total)).T @ weights / COURSES
    return months, out


def arm_ratio(patients: pd.DataFrame, months: np.ndarray, survival: np.ndarray, seed: int = 7) -> tuple[float, float]:
    """Hazard ratio atezolizumab / docetaxel of deaths drawn from predicted survival; mean and SD of its logarithm.

    Each patient is drawn `DRAWS` times; follow-up ends as OAK's does (months of those alive at the cut, at random).
    """
    rng = np.random.default_rng(seed)
    ends = patients.loc[~patients["dead"] & (patients["os"] > 12), "os"].to_numpy()
    group = (patients["arm"] == "atezolizumab").to_numpy(dtype=float)
    logs = []
    for _ in range(DRAWS):
        u = rng.uniform(size=len(patients))
        below = survival <= u[:, None]
        death = np.where(below.any(axis=1), months[below.argmax(axis=1)], math.inf)
        censored = rng.choice(ends, len(patients))
        logs.append(math.log(fast_hazard_ratio(np.minimum(death, censored).clip(0.01), death <= censored, group)))
    return float(np.mean(logs)), float(np.std(logs))


def _at_landmark(patients: pd.DataFrame) -> pd.DataFrame:
    """Patients alive at the landmark as they were known then: progressed or not, whatever came later."""
    alive = patients[patients["os"] > LANDMARK].reset_index(drop=True)
    later = alive["pfs"] > LANDMARK
    alive.loc[later, "progressed"] = False
    alive.loc[later, "best"] = "NE"
    alive.loc[later, "pfs"] = LANDMARK
    return alive


def held_out_report(oak: pd.DataFrame, lesions: LesionCourses, fitted: Fitted) -> None:
    """Print the scores of the module."""
    from fit_os_hazard import FORMER, TERMS, Mixture, design_of, start_of
    from lifelines import CoxPHFitter, KaplanMeierFitter
    from lifelines.utils import concordance_index

    oak = oak.assign(log_size=np.log(oak["sld"] / SLD_REFERENCE))
    train = oak[oak["training"]].reset_index(drop=True)
    test = oak[~oak["training"]].reset_index(drop=True)
    time = person_time(train, lesions)
    former_terms = (*FORMER, "earlier_line")
    design = design_of(train, time, former_terms)
    former, _, _ = Mixture(design, time, 0.0).fit(start_of(design))
    models: dict[str, tuple[Any, ...]] = {
        "hazard": (fitted.marginal, TERMS, fitted.earlier[0], fitted.spread),
        "former (knows the arm)": (former, former_terms, 0.0, 0.0),
    }
    cox = CoxPHFitter().fit(train[[*COX, "os", "dead"]], "os", "dead")
    risk = cox.predict_log_partial_hazard(test)
    print(f"held out: n = {len(test)}, deaths {int(test['dead'].sum())}")
    beta = dict(zip(("intercept", *TERMS), fitted.marginal, strict=True))
    base = beta["log_sld"] * test["log_size"] + sum(beta[n] * test[n] for n in ("ecog", "sites", "squamous", "never"))
    base = base + fitted.earlier[0] * test["earlier_line"]
    print(
        f"  C-index at baseline: hazard {concordance_index(test['os'], -base, test['dead']):.3f}, "
        f"Cox {concordance_index(test['os'], -risk, test['dead']):.3f}"
    )
    known, known_train = _at_landmark(test), _at_landmark(train)
    columns = [*COX, "progressed", "os", "dead"]
    later = CoxPHFitter().fit(known_train[columns].astype(float).assign(os=known_train["os"] - LANDMARK), "os", "dead")
    rest = known["os"] - LANDMARK
    for name, model in models.items():
        months, survival = curves(known, lesions, *model, pooled=True)
        begin, end = np.searchsorted(months, [LANDMARK, LANDMARK + 12])
        score = survival[:, end] / survival[:, begin]
        print(f"  C-index from month 3 (n = {len(known)}), {name}: {concordance_index(rest, score, known['dead']):.3f}")
    rivals = {
        "Cox at baseline": cox.predict_log_partial_hazard(known),
        "with progression by month 3": later.predict_log_partial_hazard(known.astype({"progressed": float})),
    }
    for name, score in rivals.items():
        print(f"  C-index from month 3, {name}: {concordance_index(rest, -score, known['dead']):.3f}")
    for label, group in (("training", train), ("held out", test), ("all", oak.reset_index(drop=True))):
        observed = CoxPHFitter().fit(
            group[["os", "dead"]].assign(a=(group["arm"] == "atezolizumab").astype(float)), "os", "dead"
        )
        low, high = np.exp(observed.confidence_intervals_.iloc[0])
        print(
            f"  OS hazard ratio, {label} (n = {len(group)}): observed {math.exp(observed.params_['a']):.2f} "
            f"({low:.2f} to {high:.2f})"
        )
        for name, model in models.items():
            months, survival = curves(group, lesions, *model)
            ratio, spread = arm_ratio(group, months, survival)
            print(f"    {name}: {math.exp(ratio):.2f} (SD over draws {spread:.2f} of ln)")
            if label == "training":
                continue
            for arm in ("atezolizumab", "docetaxel"):
                mine = (group["arm"] == arm).to_numpy()
                real = KaplanMeierFitter().fit(group["os"][mine], group["dead"][mine])
                mean = survival[mine].mean(axis=0)
                middle = months[np.argmax(mean <= 0.5)] if (mean <= 0.5).any() else math.inf
                text = ", ".join(
                    f"{m} mo {100 * mean[np.searchsorted(months, m)]:.0f}/{100 * float(real.predict(m)):.0f}"
                    for m in (3, 6, 12, 18)
                )
                print(
                    f"      {arm}: median {middle:.1f}/{real.median_survival_time_:.1f}; % alive at {text} "
                    "(predicted/observed)"
                )
