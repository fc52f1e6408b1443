"""Fit the response model to the training patients of LORIS, OAK and TOPOSCORE; ``--write`` writes the shipped file.

Usage: ``python scripts/fit_response.py ../shared/data [--write]``. Deterministic: rows are sorted, one seed. Nothing of
the 30 % held out by `immunescape.knowledge.held_out` enters.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
from response_cohorts import LIPI, SP142, Cohorts, read_cohorts

from immunescape.profile.scores.response_fitting import Gaps, fit_inputs, fit_logistic
from immunescape.profile.scores.response_inputs import INPUTS, observe
from immunescape.profile.scores.response_model import ENDPOINTS, Observed, ResponseModel

OUT = Path(__file__).parents[1] / "src/immunescape/knowledge/data/response_model.json"
ASSUMED_CORRELATIONS = {("blood_tmb", "tmb"): 0.6, ("lipi", "nlr"): 0.6}
"""Inputs never measured in one patient here: plasma and tissue burden correlate (Spearman 0.64 in gandara2018, from
memory), LIPI counts a derived neutrophil-to-lymphocyte ratio (assumed)."""
RIDGE = {"response": 0.07, "benefit_12_months": 0.07}
"""Standard deviation of the prior of each standardised coefficient; chosen over cohorts left out (`--ridge`)."""
ESTABLISHED = ("prior_therapy", "pdl1", "tmb", "blood_tmb", "nlr", "albumin", "lipi", "ecog")
"""Inputs of published scores (LORIS, LIPI) and performance status."""
ESTABLISHED_WIDER = 3.0
"""Their prior is so much wider; chosen over cohorts left out, as were plain scales of PD-L1 and TMB over square roots
(log loss of response 502.1 against 506.6)."""
CHEMOTHERAPY = {"response": (0.73, 0.35), "benefit_12_months": (0.7, 0.35)}
"""Prior of the log odds ratio of adding chemotherapy, from akinboro2022: at PD-L1 >= 50 % responses 61 v 43 % (crude
odds ratio 2.1) and hazard of progression 0.69 (12-month odds ratio 1.8 at a median of 7.1 months), at 1-49 % hazard
0.60 (2.7 at 4.2 months). The spread is assumed: patients were not randomised between the two."""
SEED = 20261129
REPLICATES = 200


def classes_of(inputs: pd.DataFrame) -> dict[str, dict[str, tuple[float, float]]]:
    """Mean and variance of the TPS within the usual classes, from patients with a number."""
    tps = pd.to_numeric(inputs["pdl1"], errors="coerce").dropna().to_numpy(float)
    cuts = {"<1": tps < 1, "1-49": (tps >= 1) & (tps < 50), ">=50": tps >= 50, ">=1": tps >= 1}
    table = {name: (float(tps[c].mean()), float(max(tps[c].var(), 0.1))) for name, c in cuts.items()}
    return {"pdl1": table | SP142, "lipi": LIPI}


def matrices(inputs: pd.DataFrame, shell: ResponseModel) -> tuple[np.ndarray, np.ndarray]:
    """Standardised values and error variances of patients (n, k)."""
    rows = [
        shell.standardise({n: o for n, v in row.items() if (o := observe(n, v, shell)) is not None})
        for row in inputs.to_dict("records")
    ]
    return np.array([r[0] for r in rows]), np.array([r[1] for r in rows])


def shell_of(inputs: pd.DataFrame) -> ResponseModel:
    """A model that holds only scales and classes, from the patients given."""
    names, columns = tuple(INPUTS), []
    classes = classes_of(inputs)

    def model(centre: np.ndarray, scale: np.ndarray, low: np.ndarray, high: np.ndarray) -> ResponseModel:
        return ResponseModel(
            inputs=names,
            centre=centre,
            scale=scale,
            low=low,
            high=high,
            correlation=np.eye(len(names)),
            coefficients={},
            covariance={},
            between={},
            classes=classes,
        )

    blank = model(*(np.zeros(len(names)),) * 4)
    for n in names:
        seen = [observe(n, v, blank) for v in inputs[n]]
        x = np.array([o.value for o in seen if isinstance(o, Observed) and o.class_variance is None])
        low, high = np.percentile(x, [1, 99]) if not INPUTS[n].is_truth and len(x) else (0.0, 1.0)
        x = np.clip(x, low, high)
        columns.append((x.mean() if len(x) else 0.5, max(x.std(), 0.05) if len(x) else 0.5, low, high))
    return model(*np.array(columns).T)


def prior_correlation(names: tuple[str, ...]) -> np.ndarray:
    """Prior correlation of the inputs: none, but for `ASSUMED_CORRELATIONS`."""
    prior = np.eye(len(names))
    for (a, b), r in ASSUMED_CORRELATIONS.items():
        prior[names.index(a), names.index(b)] = prior[names.index(b), names.index(a)] = r
    return prior


def fit(
    inputs: pd.DataFrame,
    outcome: pd.DataFrame,
    ridge: dict[str, float] = RIDGE,
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> ResponseModel:
    """Fit the whole model to the patients given.

    Replicates of the bootstrap weigh cohorts and, within them, patients by Dirichlet weights, draw the centre of the
    prior from the prior (else a shrunken coefficient looks too certain), and refit everything but the spread between
    cohorts.
    """
    shell = shell_of(inputs)
    names, k = shell.inputs, len(shell.inputs)
    values, variances = matrices(inputs, shell)
    gaps = Gaps.of(values, variances)
    prior = prior_correlation(names)
    cohort, treated = outcome["cohort"].to_numpy(str), outcome["treated"].to_numpy(bool)

    rng = np.random.default_rng(seed)

    def one(weights: np.ndarray, start: tuple | None = None) -> tuple[np.ndarray, np.ndarray, dict]:
        mean, covariance = fit_inputs(gaps, weights, prior, 200 if start is None else 12, start and start[:2])
        means, rests = gaps.conditioned(mean, covariance)
        fits = {}
        for e in ENDPOINTS:
            label = outcome["response" if e == "response" else "benefit"].to_numpy(float)
            w = weights * (1.0 if e == "response" else outcome["weight"].to_numpy(float)) * treated
            use = (w > 0) & ~np.isnan(label)
            centre, sd = np.zeros(k), ridge[e] * np.where(np.isin(names, ESTABLISHED), ESTABLISHED_WIDER, 1.0)
            j = names.index("chemotherapy")
            centre[j], sd[j] = np.array(CHEMOTHERAPY[e]) * shell.scale[j]
            if start is not None:
                centre = rng.normal(centre, sd)
            fits[e] = fit_logistic(
                means[use],
                rests,
                member=gaps.member[use],
                cohort=cohort[use],
                outcome=label[use],
                weights=w[use],
                prior_mean=centre,
                prior_sd=sd,
                between=None if start is None else start[2][e].between,
                start=start and start[2][e],
            )
        return mean, covariance, fits

    mean, covariance, fits = best = one(np.ones(len(outcome)))
    between = {e: f.between for e, f in fits.items()}
    cohorts = np.unique(cohort)
    drawn: dict[str, list[np.ndarray]] = {e: [] for e in ENDPOINTS}
    for _ in range(replicates):
        weights = rng.exponential(size=len(cohort))
        for c, share in zip(cohorts, rng.dirichlet(np.full(len(cohorts), 4.0)) * len(cohorts), strict=True):
            mine = cohort == c
            weights[mine] *= share * mine.sum() / weights[mine].sum()
        m, v, f = one(weights, best)
        for e in ENDPOINTS:
            drawn[e].append(_rescaled(f[e].coefficients, m, v, mean, covariance))
    sd = np.sqrt(np.diag(covariance))
    return ResponseModel(
        inputs=names,
        centre=shell.centre + mean * shell.scale,
        scale=shell.scale * sd,
        low=shell.low,
        high=shell.high,
        correlation=covariance / np.outer(sd, sd),
        coefficients={e: _rescaled(f.coefficients, mean, covariance, mean, covariance) for e, f in fits.items()},
        covariance={e: np.cov(np.array(d).T) if len(d) > 1 else np.zeros((k + 1, k + 1)) for e, d in drawn.items()},
        between=between,
        classes=shell.classes,
    )


def _rescaled(b: np.ndarray, m: np.ndarray, v: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Coefficients per standard deviation, and the intercept at the mean, of the model that ships."""
    return np.r_[b[0] + b[1:] @ mean, b[1:] * np.sqrt(np.diag(covariance))]


def predict(model: ResponseModel, inputs: pd.DataFrame) -> dict[str, np.ndarray]:
    """Endpoint -> (n, 4): probability, low, high, log odds."""
    rows: dict[str, list[tuple[float, ...]]] = {e: [] for e in ENDPOINTS}
    for row in inputs.to_dict("records"):
        seen = {n: o for n, v in row.items() if (o := observe(n, v, model)) is not None}
        for e in ENDPOINTS:
            s = model.standing(e, seen)
            rows[e].append((s.probability, s.low, s.high, s.log_odds))
    return {e: np.array(r) for e, r in rows.items()}


def provenance(cohorts: Cohorts, model: ResponseModel) -> dict:
    """What stands in the file beside the numbers."""
    o = cohorts.outcome
    t = o[o["treated"] & ~o["held_out"]]
    known = t["response"].notna()
    return {
        "script": "scripts/fit_response.py",
        "seed": SEED,
        "bootstrap_replicates": REPLICATES,
        "ridge": RIDGE,
        "sources": ["chowell2022", "chang2024", "gandara2018", "derosa2024", "akinboro2022"],
        "patients": {
            c: {
                "response": int((known & (t["cohort"] == c)).sum()),
                "responders": int(t.loc[known & (t["cohort"] == c), "response"].sum()),
                "benefit_12_months": int(((t["weight"] > 0) & (t["cohort"] == c)).sum()),
                "with_benefit": int(t.loc[(t["weight"] > 0) & (t["cohort"] == c), "benefit"].sum()),
            }
            for c in sorted(t["cohort"].unique())
        },
        "measured": {n: int(cohorts.inputs.loc[t.index, n].notna().sum()) for n in model.inputs},
        "note": "Fitted to 70 % of the patients of each cohort; the 30 % of immunescape.knowledge.held_out are left "
        "out. Inputs of OAK's docetaxel arm add to the joint distribution of the inputs alone.",
    }


def choose_ridge(train: Cohorts) -> None:
    """Print the log loss over cohorts left out for a grid of prior standard deviations."""
    for sd in (0.02, 0.04, 0.07, 0.1, 0.15):
        losses = {e: 0.0 for e in ENDPOINTS}
        for c in sorted(train.outcome["cohort"].unique()):
            away = (train.outcome["cohort"] == c).to_numpy()
            model = fit(
                train.inputs[~away], train.outcome[~away].reset_index(drop=True), dict.fromkeys(ENDPOINTS, sd), 0
            )
            test = train.outcome[away]
            p = predict(model, train.inputs[away])
            for e in ENDPOINTS:
                y = test["response" if e == "response" else "benefit"].to_numpy(float)
                w = (~np.isnan(y)) * test["treated"] * (1.0 if e == "response" else test["weight"])
                q = p[e][:, 0]
                losses[e] -= float(np.nansum(w * (y * np.log(q) + (1 - y) * np.log1p(-q))))
        print(f"sd {sd:.2f}: " + ", ".join(f"{e} {v:.2f}" for e, v in losses.items()), flush=True)


def training(cohorts: Cohorts) -> Cohorts:
    """The patients that may be fitted to."""
    keep = ~cohorts.outcome["held_out"].to_numpy()
    return Cohorts(cohorts.inputs[keep].reset_index(drop=True), cohorts.outcome[keep].reset_index(drop=True))


def main() -> None:
    """Fit, print, and write with ``--write``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--ridge", action="store_true", help="print the choice of the prior's standard deviation")
    args = parser.parse_args()
    cohorts = read_cohorts(args.shared)
    train = training(cohorts)
    if args.ridge:
        choose_ridge(train)
        return
    model = fit(train.inputs, train.outcome)
    for e in ENDPOINTS:
        print(f"{e}: intercept {model.coefficients[e][0]:.3f}, SD between cohorts {model.between[e] ** 0.5:.3f}")
        errors = np.sqrt(np.diag(model.covariance[e]))
        for n, b, s in zip(model.inputs, model.coefficients[e][1:], errors[1:], strict=True):
            print(f"  {n:18s} {b:7.3f}  SE {s:.3f}")
    if args.write:
        object.__setattr__(model, "provenance", provenance(cohorts, model))
        OUT.write_text(json.dumps(model.to_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"wrote {OUT}")


if __name__ == "__main__":
    main()
