"""Forecasts for the patients that nothing was fitted to, judged beside PD-L1, TMB, statistical models and LORIS."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.files import check_folder, whole_file
from immunescape.stats.cox import cox
from immunescape.stats.discrimination import auc
from immunescape.stats.estimate import NORMAL_975, Estimate
from immunescape.twins.judging.cohorts import RealCohort, read_real_cohorts
from immunescape.twins.judging.monitoring import judged_monitoring
from immunescape.twins.judging.pools import Pool, forecasts_of, made_pools
from immunescape.twins.judging.rivals import (
    FOLDS,
    Design,
    Pairs,
    calibration,
    cox_risk,
    logistic_chance,
    logistic_fit,
    net_benefit,
    plain_auc,
    resampled,
)

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.trial.result import TrialResult

__all__ = ["judge", "judged_cohort", "judged_interaction"]

FloatArray = NDArray[np.float64]
THRESHOLDS = (0.1, 0.2, 0.3)
FORM = 2
"""Of the content of ``judged.json``."""


def judge(
    data: Path,
    *,
    patients: int = 1500,
    seed: int = 1,
    workers: int | None = None,
    out: Path | None = None,
    engine: str = "auto",
    simulate: Callable[..., TrialResult] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Judge the model on held-out patients.

    Parameters
    ----------
    data
        Folder with the tables of patients; see :mod:`immunescape.twins.judging.cohorts`.
    patients, seed
        Virtual patients of each setting; the seed of these and of all intervals.
    workers, engine
        As for a trial.
    out
        Folder for finished blocks of the simulation, so that the same call resumes.
    simulate
        In place of `run_trial`, for tests.
    progress
        Called with (setting, patients done, patients in all).

    Returns
    -------
    ``model`` (digest), ``version``, ``pools``, ``cohorts`` (see :func:`judged_cohort`), ``benefit`` (see
    :func:`judged_interaction`), ``monitoring`` (see :mod:`immunescape.twins.judging.monitoring`; None without the
    lesions), ``aims``.
    """
    from immunescape.release import installed_version
    from immunescape.trial.runner import model_digest

    cohorts = read_real_cohorts(data)
    if out is not None:
        check_folder(out)
    start, cpu = time.perf_counter(), time.process_time()
    pools = made_pools(patients, seed, workers=workers, out=out, engine=engine, simulate=simulate, progress=progress)
    rows: list[dict[str, Any]] = []
    benefit: dict[str, Any] | None = None
    for cohort in cohorts:
        rows.append(judged_cohort(cohort.where(arm="inhibitor"), pools, seed))
        if cohort.name == "OAK":
            benefit = judged_interaction(cohort, pools, seed)
    lesions = data / "tumour_kinetics" / "oak.csv"
    monitoring = judged_monitoring(lesions, pools, seed) if lesions.is_file() else None
    result: dict[str, Any] = {
        "form": FORM,
        "model": model_digest(),
        "version": installed_version(),
        "seed": seed,
        "pools": {name: len(pool) for name, pool in pools.items()},
        "seconds": {"wall": round(time.perf_counter() - start, 1), "cpu": round(time.process_time() - cpu, 1)},
        "cohorts": rows,
        "benefit": benefit,
        "monitoring": monitoring,
    }
    result["aims"] = aims(result)
    plain: dict[str, Any] = _without_nan(result)
    return plain


def _without_nan(value: Any) -> Any:
    """The same content with None in place of numbers that do not exist."""
    if isinstance(value, dict):
        return {str(k): _without_nan(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(v) for v in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value


def judged_cohort(cohort: RealCohort, pools: Mapping[str, Pool], seed: int) -> dict[str, Any]:
    """Scores of one cohort on an inhibitor.

    Returns
    -------
    ``name``, ``held_out`` and ``others`` (patients), ``effective`` (median effective virtual patients behind a
    forecast), ``response`` (predictor -> ``auc``; of those that are probabilities also ``calibration`` and
    ``net_benefit``), ``pfs`` and ``os`` (predictor -> C-index), ``stacking``.
    """
    train, test = cohort.where(held=False), cohort.where(held=True)
    forecasts = {"train": forecasts_of(pools, train), "test": forecasts_of(pools, test)}
    design = Design.of(train)
    x, z = design.rows(train), design.rows(test)
    return {
        "name": cohort.name,
        "held_out": len(test.table),
        "others": len(train.table),
        "inputs": list(design.names),
        "effective": round(float(forecasts["test"]["effective"].median()), 1),
        "response": _response(cohort, train, test=test, forecasts=forecasts, x=x, z=z, seed=seed),
        **{end: _survival(train, test, forecasts=forecasts, x=x, z=z, end=end, seed=seed) for end in ("pfs", "os")},
    }


def _pdl1(table: pd.DataFrame) -> FloatArray:
    return np.asarray(table[["pdl1_low", "pdl1_high"]].to_numpy(dtype=float).mean(axis=1))


def _tmb(table: pd.DataFrame) -> FloatArray | None:
    column = next((c for c in ("tmb_mut_mb", "tmb_rank") if c in table), None)
    return None if column is None else table[column].to_numpy(dtype=float)


def _single(test: pd.DataFrame) -> dict[str, FloatArray]:
    """Single biomarkers, higher for more response; only patients who have them count."""
    predictors = {"PD-L1": _pdl1(test)}
    burden = _tmb(test)
    return predictors if burden is None else {**predictors, "TMB": burden}


def _loris(table: pd.DataFrame) -> FloatArray:
    from immunescape.profile.scores.loris import loris_nsclc

    later = (table["setting"] == "later line").to_numpy(dtype=float)
    return loris_nsclc(
        table["tmb_mut_mb"], _pdl1(table), later, 0.1 * table["albumin_g_l"].to_numpy(dtype=float), table["nlr"]
    )


def _response(
    cohort: RealCohort,
    train: RealCohort,
    *,
    test: RealCohort,
    forecasts: Mapping[str, pd.DataFrame],
    x: FloatArray,
    z: FloatArray,
    seed: int,
) -> dict[str, Any]:
    assessed = test.table["response"].notna().to_numpy()
    answer = test.table["response"].to_numpy(dtype=float)[assessed]
    fitted = train.table["response"].notna().to_numpy()
    y = train.table["response"].to_numpy(dtype=float)[fitted]
    beta, _ = logistic_fit(x[fitted], y)
    mine = {k: f["response"].to_numpy(dtype=float) for k, f in forecasts.items()}
    odds = {k: np.log(np.clip(v, 1e-3, 1 - 1e-3) / (1 - np.clip(v, 1e-3, 1 - 1e-3))) for k, v in mine.items()}
    beside = _out_of_fold(x[fitted], lambda a, b: logistic_chance(logistic_fit(a, y[b])[0], x[fitted]), len(y))
    both, both_se = logistic_fit(np.column_stack([_odds(beside), odds["train"][fitted]]), y, penalty=1e-3)
    stacked = logistic_chance(both, np.column_stack([_odds(logistic_chance(beta, z)), odds["test"]]))
    risk = cox_risk(x, train.table["pfs"].to_numpy(dtype=float), train.table["pfs_event"].to_numpy(dtype=float))
    chances = {"model": mine["test"], "logistic": logistic_chance(beta, z), "stacked": stacked}
    values = {**chances, "Cox (PFS)": -risk(z), **_single(test.table)}
    if cohort.loris:
        values["LORIS"] = _loris(test.table)
    out: dict[str, Any] = {}
    for name, value in values.items():
        row: dict[str, Any] = {
            "auc": _plain(auc(value[assessed], answer > 0.5)),
            "n": int(np.isfinite(value[assessed]).sum()),
        }
        if name in chances:
            row["calibration"] = {k: round(v, 4) for k, v in calibration(value[assessed], answer).items()}
            row["net_benefit"] = {str(t): round(net_benefit(value[assessed], answer, t), 4) for t in THRESHOLDS}
        out[name] = row
    everybody = np.ones(len(answer))
    out["treat all"] = {"net_benefit": {str(t): round(net_benefit(everybody, answer, t), 4) for t in THRESHOLDS}}
    if cohort.loris:  # the formula was made on the first of the two cohorts
        shim = assessed & (test.table["study"] == "loris_shim").to_numpy()
        unseen = test.table["response"].to_numpy(dtype=float)[shim] > 0.5
        out["where LORIS was not trained"] = {
            name: {"auc": _plain(auc(values[name][shim], unseen)), "n": int(np.isfinite(values[name][shim]).sum())}
            for name in values
        }
    out["stacking"] = {
        "weights": {"logistic": _pair(both[1], both_se[1]), "model": _pair(both[2], both_se[2])},
        "auc_gain_over_logistic": _gain(
            lambda rows: (
                plain_auc(stacked[assessed][rows], answer[rows])
                - plain_auc(chances["logistic"][assessed][rows], answer[rows])
            ),
            len(answer),
            seed,
        ),
        "auc_of_model_less_pdl1": _gain(
            lambda rows: _auc_both(chances["model"][assessed][rows], values["PD-L1"][assessed][rows], answer[rows]),
            len(answer),
            seed,
        ),
        "auc_of_model_less_cox": _gain(
            lambda rows: _auc_both(values["model"][assessed][rows], values["Cox (PFS)"][assessed][rows], answer[rows]),
            len(answer),
            seed,
        ),
        "auc_of_model_less_logistic": _gain(
            lambda rows: _auc_both(chances["model"][assessed][rows], chances["logistic"][assessed][rows], answer[rows]),
            len(answer),
            seed,
        ),
    }
    return out


def _auc_both(first: FloatArray, two: FloatArray, answer: FloatArray) -> float:
    """Difference of two AUC on the patients who have both values."""
    both = np.isfinite(first) & np.isfinite(two)
    return plain_auc(first[both], answer[both]) - plain_auc(two[both], answer[both])


def _odds(chance: FloatArray) -> FloatArray:
    kept = np.clip(chance, 1e-3, 1 - 1e-3)
    return np.asarray(np.log(kept / (1.0 - kept)))


def _out_of_fold(x: FloatArray, predict: Callable[[FloatArray, NDArray[np.int64]], FloatArray], n: int) -> FloatArray:
    """Predictions (n,) of each patient by a model that was fitted without his fifth of the patients."""
    out = np.zeros(n)
    fold = np.random.default_rng([n, 53]).permutation(n) % FOLDS
    for k in range(FOLDS):
        rest = np.flatnonzero(fold != k)
        out[fold == k] = predict(x[rest], rest)[fold == k]
    return out


def _survival(
    train: RealCohort,
    test: RealCohort,
    *,
    forecasts: Mapping[str, pd.DataFrame],
    x: FloatArray,
    z: FloatArray,
    end: str,
    seed: int,
) -> dict[str, Any]:
    months, event = (
        {k: c.table[name].to_numpy(dtype=float) for k, c in (("train", train), ("test", test))}
        for name in (end, f"{end}_event")
    )
    risk = cox_risk(x, months["train"], event["train"])
    # ln of the expected months: what a twin population says of the time
    mine = {k: -np.log(np.maximum(f[f"mean_{end}"].to_numpy(dtype=float), 0.05)) for k, f in forecasts.items()}
    beside = _out_of_fold(x, lambda a, b: cox_risk(a, months["train"][b], event["train"][b])(x), len(x))
    both = cox(months["train"], event["train"], {"cox": beside, "model": mine["train"]})
    weights = np.array([np.log(both.estimate(name).value or 1.0) for name in ("cox", "model")])
    values = {
        "model": mine["test"],
        "Cox": risk(z),
        "stacked": np.column_stack([risk(z), mine["test"]]) @ weights,
        **{name: -value for name, value in _single(test.table).items()},
    }
    t, e = months["test"], event["test"]

    pairs = {name: Pairs.of(t, value, e) for name, value in values.items()}

    def c_of(name: str, rows: NDArray[np.int64]) -> float:
        return pairs[name].concordance(np.bincount(rows, minlength=len(t)).astype(float))

    everyone = np.arange(len(t))
    return {
        "events": int(e.sum()),
        "c_index": {
            name: {
                "value": round(c_of(name, everyone), 4),
                "interval": [round(v, 4) for v in resampled(len(t), seed, partial(c_of, name))],
            }
            for name in values
        },
        "stacking": {
            "weights": {name: _plain(both.estimate(name)) for name in ("cox", "model")},
            "c_gain_over_cox": _gain(lambda rows: c_of("stacked", rows) - c_of("Cox", rows), len(t), seed),
            "c_of_model_less_cox": _gain(lambda rows: c_of("model", rows) - c_of("Cox", rows), len(t), seed),
        },
    }


def judged_interaction(cohort: RealCohort, pools: Mapping[str, Pool], seed: int) -> dict[str, Any]:
    """Whether the predicted benefit of atezolizumab over docetaxel is the real one, in held-out patients of OAK.

    Predicted benefit is the difference of mean survival up to 18 months on the same virtual patients.

    Returns
    -------
    ``predictor`` -> ``interaction`` (ratio of the hazard ratios per SD of predicted benefit, with interval and p),
    ``hazard_ratio`` of atezolizumab in the halves of most and of least predicted benefit; ``mean_benefit``: months
    predicted, and seen as the difference of restricted means.
    """
    from immunescape.stats.survival import restricted_mean
    from immunescape.twins.judging.pools import HORIZON

    train, test = cohort.where(held=False), cohort.where(held=True)
    design = Design.of(train)
    scores: dict[str, tuple[FloatArray, FloatArray]] = {}
    for half, key in ((train, 0), (test, 1)):
        on = [forecasts_of(pools, half, arm)["mean_os"].to_numpy(dtype=float) for arm in ("inhibitor", "docetaxel")]
        scores.setdefault("model", (np.empty(0), np.empty(0)))
        pair = list(scores["model"])
        pair[key] = on[0] - on[1]
        scores["model"] = (pair[0], pair[1])
    scores["PD-L1"] = (_pdl1(train.table), _pdl1(test.table))
    x, z = design.rows(train), design.rows(test)
    treated = (train.table["arm"] == "inhibitor").to_numpy(dtype=float)
    months, event = (train.table[c].to_numpy(dtype=float) for c in ("os", "os_event"))
    risk = cox_risk(np.column_stack([treated, x, x * treated[:, None]]), months, event)

    def benefit(rows: FloatArray) -> FloatArray:
        """Fall of the linear predictor by atezolizumab in a Cox model with all interactions."""
        ones, none = np.ones(len(rows)), np.zeros(len(rows))
        with_it, without = (risk(np.column_stack([given, rows, rows * given[:, None]])) for given in (ones, none))
        return np.asarray(without - with_it)

    scores["Cox with interactions"] = (benefit(x), benefit(z))
    out: dict[str, Any] = {}
    arm = (test.table["arm"] == "inhibitor").to_numpy(dtype=float)
    t, e = (test.table[c].to_numpy(dtype=float) for c in ("os", "os_event"))
    for name, (fitted, value) in scores.items():
        finite = np.isfinite(value)
        scaled = (value - np.nanmean(fitted)) / max(float(np.nanstd(fitted)), 1e-9)
        terms = {"arm": arm[finite], "benefit": scaled[finite], "both": (arm * scaled)[finite]}
        estimate = cox(t[finite], e[finite], terms)
        upper = value > np.nanmedian(fitted)
        out[name] = {
            "interaction": _plain(estimate.estimate("both")) | {"p": estimate.estimate("both").p},
            "hazard_ratio": {
                label: _plain(cox(t[rows], e[rows], {"arm": arm[rows]}).estimate("arm")) | {"n": int(rows.sum())}
                for label, rows in (("most", finite & upper), ("least", finite & ~upper))
            },
        }
    seen = [restricted_mean(t[arm == a], e[arm == a], HORIZON).value for a in (1.0, 0.0)]
    return {
        "patients": len(test.table),
        "predictors": out,
        "mean_benefit_months": {
            "predicted": round(float(np.mean(scores["model"][1])), 3),
            "seen": None if None in seen else round(float(seen[0] or 0.0) - float(seen[1] or 0.0), 3),
        },
    }


def aims(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was aimed at beforehand, and whether it was reached, cohort by cohort.

    Returns
    -------
    ``cohort``, ``aim``, ``value`` with ``low`` and ``high`` (95 %) and ``verdict``: *met* where the whole interval is
    on the side that was aimed at, *missed* where it is on the other one (a slope: where the value itself lies outside
    the range), *not distinguishable* where it holds both, *not assessable* without a value.
    """
    out = []
    for c in result["cohorts"]:
        shared, slope = c["response"]["stacking"], c["response"]["model"]["calibration"]
        for aim, difference in (
            ("AUC of response above that of PD-L1 (difference, same patients)", shared["auc_of_model_less_pdl1"]),
            ("AUC of response at least that of a Cox model (difference)", shared["auc_of_model_less_cox"]),
        ):
            out.append(_aim(c["name"], aim, difference, _verdict(difference)))
        half = NORMAL_975 * slope["slope_se"]
        row = {"value": slope["slope"], "low": slope["slope"] - half, "high": slope["slope"] + half}
        out.append(_aim(c["name"], "calibration slope 0.8 to 1.2", row, _verdict(row, SLOPES)))
    watched = result["monitoring"]
    if watched is not None:
        titles = {"last value stays": "last value carried forward"}
        for rival in ("last value stays", "Stein-Claret", "Stein-Claret with prior"):
            value, low, high = watched["against"][rival]
            row = {"value": value, "low": low, "high": high}
            turned = {"value": -value, "low": -high, "high": -low}
            aim = f"smaller error of later diameters than '{titles.get(rival, rival)}' (difference)"
            out.append(_aim("OAK lesions", aim, row, _verdict(turned)))
    return out


SLOPES = (0.8, 1.2)
"""Slopes of calibration that were aimed at."""


def _aim(cohort: str, aim: str, row: Mapping[str, float], verdict: str) -> dict[str, Any]:
    return {"cohort": cohort, "aim": aim, **{k: row[k] for k in ("value", "low", "high")}, "verdict": verdict}


def _verdict(row: Mapping[str, float], bounds: tuple[float, float] | None = None) -> str:
    """Whether an interval lies within a range; without one, above 0."""
    value, low, high = row["value"], row["low"], row["high"]
    if not np.isfinite([value, low, high]).all():
        return "not assessable"
    if bounds is None:
        return "met" if low > 0.0 else "missed" if high < 0.0 else "not distinguishable"
    if not bounds[0] <= value <= bounds[1]:
        return "missed"
    return "met" if bounds[0] <= low and high <= bounds[1] else "not distinguishable"


def _plain(estimate: Estimate) -> dict[str, float | None]:
    return {
        k: None if v is None else round(float(v), 4)
        for k, v in (("value", estimate.value), ("low", estimate.low), ("high", estimate.high))
    }


def _pair(value: float, error: float) -> dict[str, float]:
    return {"value": round(float(value), 4), "se": round(float(error), 4)}


def _gain(statistic: Callable[[NDArray[np.int64]], float], n: int, seed: int) -> dict[str, float]:
    """A difference of scores on the same patients, with its interval over patients drawn again."""
    low, high = resampled(n, seed, statistic)
    value = statistic(np.arange(n))
    return {"value": round(float(value), 4), "low": round(low, 4), "high": round(high, 4)}


def write_judged(result: Mapping[str, Any], folder: Path) -> Path:
    """Write ``judged.json``; its content names the digest of the results."""
    text = json.dumps(result, indent=1, allow_nan=False)
    path = folder / "judged.json"
    with whole_file(path, "cannot write the result", hint="Choose another folder with --out.") as stream:
        stream.write(text.encode())
    return path
