"""Compare the response model with LORIS, PD-L1, TMB, NLR and a constant; write docs/response.md and its figure.

Usage: ``python scripts/response_page.py ../shared/data``. Cohorts are left out one by one among the training patients;
the held-out 30 % are looked at with the model that ships, for the report alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
from fit_response import RIDGE, fit, predict, training
from response_cohorts import Cohorts, read_cohorts
from response_text_page import draw, page
from response_trials import replaced, section

from immunescape.profile.scores import loris_nsclc
from immunescape.profile.scores.response_inputs import observe
from immunescape.profile.scores.response_model import ENDPOINTS, ResponseModel, load_response_model

DOCS = Path(__file__).parents[1] / "docs"
SEED = 7
DRAWS = 1000
THRESHOLDS = (0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
SINGLE = {"PD-L1": "pdl1", "TMB (tissue)": "tmb", "TMB (plasma)": "blood_tmb", "NLR": "nlr"}
NAMES = {"loris_chowell": "Chowell", "loris_shim": "Shim", "oak": "OAK (atezolizumab)", "toposcore": "TOPOSCORE"}


@dataclass(frozen=True)
class Test:
    """Patients with an outcome: label, weight, predicted probability, and inputs to compare with."""

    y: np.ndarray
    w: np.ndarray
    p: np.ndarray
    low: np.ndarray
    high: np.ndarray
    inputs: pd.DataFrame
    cohort: np.ndarray

    def at(self, rows: np.ndarray) -> Test:
        """The patients of these rows."""
        arrays = (getattr(self, n)[rows] for n in ("y", "w", "p", "low", "high"))
        return Test(*arrays, self.inputs[rows].reset_index(drop=True), self.cohort[rows])


def joined(tests: list[Test]) -> Test:
    """All patients of several tests."""
    arrays = (np.concatenate([getattr(t, n) for t in tests]) for n in ("y", "w", "p", "low", "high"))
    inputs = pd.concat([t.inputs for t in tests], ignore_index=True)
    return Test(*arrays, inputs, np.concatenate([t.cohort for t in tests]))


def tests_of(model: ResponseModel, patients: Cohorts) -> dict[str, Test]:
    """Endpoint -> patients of whom the outcome is known, treated with a checkpoint inhibitor."""
    predicted, o = predict(model, patients.inputs), patients.outcome
    found = {}
    for e in ENDPOINTS:
        y = o["response" if e == "response" else "benefit"].to_numpy(float)
        w = np.ones(len(o)) if e == "response" else o["weight"].to_numpy(float)
        use = o["treated"].to_numpy(bool) & ~np.isnan(y) & (w > 0)
        p = predicted[e][use]
        inputs = patients.inputs[use].reset_index(drop=True)
        found[e] = Test(y[use], w[use], p[:, 0], p[:, 1], p[:, 2], inputs, o["cohort"].to_numpy(str)[use])
    return found


# figures of merit, weighted


def auc(y: np.ndarray, w: np.ndarray, x: np.ndarray) -> float:
    """Weighted area under the ROC curve; ties count one half."""
    order = np.argsort(x, kind="stable")
    y, w, x = y[order], w[order], x[order]
    negative = np.r_[0.0, np.cumsum(w * (1 - y))]
    below = negative[np.searchsorted(x, x, "left")]
    equal = negative[np.searchsorted(x, x, "right")] - below
    total = (w * y).sum() * negative[-1]
    return float((w * y * (below + equal / 2)).sum() / total) if total > 0 else np.nan


def brier(y: np.ndarray, w: np.ndarray, p: np.ndarray) -> float:
    """Weighted mean squared error."""
    return float((w * (y - p) ** 2).sum() / w.sum())


def recalibration(y: np.ndarray, w: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """Calibration slope, and calibration in the large (intercept at slope 1), by weighted logistic regression."""
    eta = np.log(p / (1 - p))

    def newton(design: np.ndarray, offset: np.ndarray) -> np.ndarray:
        b = np.zeros(design.shape[1])
        for _ in range(50):
            q = 1 / (1 + np.exp(-np.clip(offset + design @ b, -30, 30)))
            h = (design * (w * q * (1 - q))[:, None]).T @ design + 1e-9 * np.eye(len(b))
            step = np.linalg.solve(h, design.T @ (w * (y - q)))
            b = b + np.clip(step, -2, 2)
            if np.abs(step).max() < 1e-8:
                break
        return b

    ones = np.ones((len(y), 1))
    slope = newton(np.column_stack([ones, eta]), np.zeros(len(y)))[1] if np.ptp(eta) > 1e-6 else np.nan
    return float(slope), float(newton(ones, eta)[0])


def net_benefit(y: np.ndarray, w: np.ndarray, p: np.ndarray, t: float) -> float:
    """Net benefit of treating whoever has a probability of at least `t`, per patient."""
    chosen = w * (p >= t)
    return float(((chosen * y).sum() - (chosen * (1 - y)).sum() * t / (1 - t)) / w.sum())


def interval(of: Callable[[np.ndarray], float], n: int) -> tuple[float, float, float]:
    """Value with its 95 % percentile interval over bootstrapped patients."""
    rng = np.random.default_rng(SEED)
    drawn = [of(rng.integers(n, size=n)) for _ in range(DRAWS)]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return of(np.arange(n)), float(low), float(high)


def said(value: tuple[float, float, float], digits: int = 2) -> str:
    """``value (low to high)``."""
    return f"{value[0]:.{digits}f} ({value[1]:.{digits}f} to {value[2]:.{digits}f})"


# what it is compared with


def number(inputs: pd.DataFrame, name: str, model: ResponseModel) -> np.ndarray:
    """One input on the model's scale, a class as its mean; NaN where missing."""
    seen = [observe(name, v, model) for v in inputs[name]]
    return np.array([np.nan if o is None else o.value for o in seen])


def loris(inputs: pd.DataFrame) -> np.ndarray:
    """LORIS as published; NaN where an input is missing."""
    x = {n: pd.to_numeric(inputs[n], errors="coerce").to_numpy(float) for n in ("tmb", "pdl1", "nlr", "albumin")}
    prior = pd.to_numeric(inputs["prior_therapy"]).to_numpy(float)
    return loris_nsclc(x["tmb"], x["pdl1"], prior, x["albumin"] / 10, x["nlr"])


def single(name: str, train: Test, model: ResponseModel) -> Callable[[pd.DataFrame], np.ndarray]:
    """Logistic model of one input alone, fitted to training patients who have it."""
    x = number(train.inputs, name, model)
    use = ~np.isnan(x)
    design = np.column_stack([np.ones(use.sum()), x[use]])
    b = np.zeros(2)
    for _ in range(50):
        q = 1 / (1 + np.exp(-design @ b))
        h = (design * (train.w[use] * q * (1 - q))[:, None]).T @ design
        b = b + np.linalg.solve(h, design.T @ (train.w[use] * (train.y[use] - q)))
    return lambda inputs: 1 / (1 + np.exp(-(b[0] + b[1] * number(inputs, name, model))))


def rivals(train: Test, model: ResponseModel) -> dict[str, Callable[[pd.DataFrame], np.ndarray]]:
    """Name -> probability from a table of inputs; each fitted to the same training patients, LORIS as published."""
    base = float((train.w * train.y).sum() / train.w.sum())
    made = {
        t: single(n, train, model)
        for t, n in SINGLE.items()
        if number(train.inputs, n, model).size and np.isfinite(number(train.inputs, n, model)).sum() > 30
    }
    return {"Constant": lambda inputs: np.full(len(inputs), base), **made, "LORIS": loris}


def row(title: str, t: Test, p: np.ndarray) -> dict[str, str]:
    """Figures of merit of one prediction."""
    n = len(t.y)
    fixed = np.ptp(p) < 1e-12
    a = "0.50" if fixed else said(interval(lambda i: auc(t.y[i], t.w[i], p[i]), n))
    slope = "–" if fixed else said(interval(lambda i: recalibration(t.y[i], t.w[i], p[i])[0], n))
    large = said(interval(lambda i: recalibration(t.y[i], t.w[i], p[i])[1], n))
    return {
        "predicted by": title,
        "AUC (95 %)": a,
        "calibration slope": slope,
        "calibration in the large": large,
        "Brier": f"{brier(t.y, t.w, p):.3f}",
    }


def head_to_head(
    where: str, t: Test, others: dict[str, Callable[[pd.DataFrame], np.ndarray]], model: ResponseModel
) -> list[dict[str, str]]:
    """Model beside each rival on the patients that the rival can be had for.

    A single input is ranked as it is, a low NLR first; its slope, Brier score and net benefit are those of its own
    logistic curve.
    """
    rows = []
    for name, of in others.items():
        q = of(t.inputs)
        use = ~np.isnan(q)
        if use.sum() < 30 or name == "Constant":
            continue
        s, q = t.at(use), q[use]
        rank = number(s.inputs, SINGLE[name], model) * (-1 if name == "NLR" else 1) if name in SINGLE else q
        gain = interval(lambda i, s=s, r=rank: auc(s.y[i], s.w[i], s.p[i]) - auc(s.y[i], s.w[i], r[i]), len(q))
        rows.append(
            {
                "patients": where,
                "comparator": name,
                "n (events)": f"{len(q)} ({int(s.y.sum())})",
                "AUC of the comparator": f"{auc(s.y, s.w, rank):.2f}",
                "AUC of the model": f"{auc(s.y, s.w, s.p):.2f}",
                "difference (95 %)": said(gain),
                "slope, comparator / model": " / ".join(f"{recalibration(s.y, s.w, p)[0]:.1f}" for p in (q, s.p)),
                "Brier, comparator / model": " / ".join(f"{brier(s.y, s.w, p):.3f}" for p in (q, s.p)),
                "net benefit at 20 %, comparator / model": " / ".join(
                    f"{100 * net_benefit(s.y, s.w, p, 0.2):.1f}" for p in (q, s.p)
                ),
            }
        )
    return rows


def decision(t: Test, columns: dict[str, np.ndarray]) -> list[dict[str, str]]:
    """Net benefit per 100 patients by threshold: treat all, and whoever each prediction puts above it."""
    rows = []
    for threshold in THRESHOLDS:
        cells = {"threshold": f"{threshold:.2f}", "treat all": net_benefit(t.y, t.w, np.ones(len(t.y)), threshold)}
        cells |= {n: net_benefit(t.y, t.w, p, threshold) for n, p in columns.items()}
        rows.append({k: v if isinstance(v, str) else f"{100 * v:.1f}" for k, v in cells.items()})
    return rows


BLOOD = ("nlr", "albumin", "lipi", "hemoglobin", "platelets")
CLINIC = ("prior_therapy", "chemotherapy", "ctla4", "squamous", "age", "male", "ecog", "never_smoker", "bmi")
LESS = {
    "everything": None,
    "no sequencing (clinic, blood, PD-L1)": (*CLINIC, *BLOOD, "pdl1"),
    "clinic and blood": (*CLINIC, *BLOOD),
    "blood alone": BLOOD,
    "PD-L1 alone": ("pdl1",),
    "nothing": (),
}
"""Which inputs the model is given."""


def with_less(model: ResponseModel, t: Test) -> list[dict[str, str]]:
    """The model given fewer inputs of the same patients: accuracy and how wide its interval grows."""
    rows = []
    e = next(e for e in ENDPOINTS if np.allclose(predict(model, t.inputs)[e][:, 0], t.p))
    for title, names in LESS.items():
        inputs = t.inputs if names is None else t.inputs[list(names)]
        found = predict(model, inputs if len(inputs.columns) else t.inputs[["pdl1"]].assign(pdl1=None))[e]
        p = found[:, 0]
        odds = np.log(found[:, 1:3] / (1 - found[:, 1:3]))
        rows.append(
            {
                "given": title,
                "AUC (95 %)": "0.50"
                if np.ptp(p) < 1e-12
                else said(interval(lambda i, p=p: auc(t.y[i], t.w[i], p[i]), len(p))),
                "Brier": f"{brier(t.y, t.w, p):.3f}",
                "mean width of the interval, probability": f"{(found[:, 2] - found[:, 1]).mean():.2f}",
                "mean width, log odds": f"{(odds[:, 1] - odds[:, 0]).mean():.2f}",
            }
        )
    return rows


def covered(t: Test) -> str:
    """How often the observed frequency of a fifth of patients lies within that fifth's mean interval."""
    order = np.array_split(np.argsort(t.p, kind="stable"), 5)
    hits = sum(t.low[g].mean() <= (t.w[g] * t.y[g]).sum() / t.w[g].sum() <= t.high[g].mean() for g in order)
    return f"{hits} of 5"


def main() -> None:
    """Evaluate and write the page and the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    args = parser.parse_args()
    cohorts = read_cohorts(args.shared)
    train = training(cohorts)
    model = load_response_model()
    held = cohorts.outcome["held_out"].to_numpy()
    test = tests_of(model, Cohorts(cohorts.inputs[held].reset_index(drop=True), cohorts.outcome[held]))
    fitted_to = tests_of(model, train)
    away: dict[str, list[Test]] = {e: [] for e in ENDPOINTS}
    tables: dict[str, list[dict[str, str]]] = {}
    shim: dict[str, list[dict[str, str]]] = {}
    for c in NAMES:
        mine = (train.outcome["cohort"] == c).to_numpy()
        rest = Cohorts(train.inputs[~mine].reset_index(drop=True), train.outcome[~mine].reset_index(drop=True))
        other = fit(rest.inputs, rest.outcome, RIDGE, replicates=40)
        whole = (cohorts.outcome["cohort"] == c).to_numpy()
        for e in ENDPOINTS:
            t = tests_of(other, Cohorts(train.inputs[mine].reset_index(drop=True), train.outcome[mine]))[e]
            away[e].append(t)
            others = rivals(tests_of(other, rest)[e], model)
            rows = [row("this model", t, t.p), row("constant", t, others["Constant"](t.inputs))]
            tables.setdefault(f"{e} cohorts", []).extend(
                {"cohort left out": NAMES[c], "n (events)": f"{len(t.y)} ({int(t.y.sum())})"} | r for r in rows
            )
            tables.setdefault(f"{e} away rivals", []).extend(head_to_head(NAMES[c], t, others, model))
            if c == "loris_shim":
                everyone = Cohorts(cohorts.inputs[whole].reset_index(drop=True), cohorts.outcome[whole])
                shim[e] = head_to_head("Shim, all", tests_of(other, everyone)[e], {"LORIS": loris}, model)
        print(f"left out {c}", flush=True)
    for e in ENDPOINTS:
        t, others = test[e], rivals(fitted_to[e], model)
        tables[f"{e} held out"] = [
            {"patients": "all held out", "n (events)": f"{len(t.y)} ({int(t.y.sum())})"} | row("this model", t, t.p),
            {"patients": "all held out", "n (events)": f"{len(t.y)} ({int(t.y.sum())})"}
            | row("constant", t, others["Constant"](t.inputs)),
        ]
        for c in NAMES:
            s = t.at(t.cohort == c)
            tables[f"{e} held out"].append(
                {"patients": NAMES[c], "n (events)": f"{len(s.y)} ({int(s.y.sum())})"} | row("this model", s, s.p)
            )
        tables[f"{e} held rivals"] = head_to_head("held out", t, others, model)
        for c in ("loris_shim", "loris_chowell"):
            only = t.at(t.cohort == c)
            title = f"held out, {NAMES[c]}" + (" (LORIS saw them)" if c == "loris_chowell" else "")
            tables[f"{e} held rivals"] += head_to_head(title, only, {"LORIS": loris}, model)
        tables[f"{e} less"] = with_less(model, t.at(np.isin(t.cohort, ("loris_chowell", "loris_shim"))))
        pdl1 = others["PD-L1"](t.inputs)
        use = ~np.isnan(pdl1)
        tables[f"{e} decision"] = decision(
            t.at(use), {"this model": t.p[use], "PD-L1 alone": pdl1[use], "constant": others["Constant"](t.inputs)[use]}
        )
        tables[f"{e} shim"] = shim[e]
        tables[f"{e} pooled"] = [row("this model, cohorts left out", joined(away[e]), joined(away[e]).p)]
        tables[f"{e} covered"] = [{"held out": covered(t), "cohorts left out": covered(joined(away[e]))}]
    draw(
        DOCS / "response.png",
        test,
        {e: joined(a) for e, a in away.items()},
        net_benefit,
        {e: rivals(fitted_to[e], model) for e in ENDPOINTS},
    )
    text = replaced(page(model, tables), section(args.shared))
    (DOCS / "response.md").write_text(text, encoding="utf-8")
    print((DOCS / "response.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
