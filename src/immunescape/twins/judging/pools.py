"""One large virtual population for each setting, weighted for each real patient: no simulation per patient.

The pools are simulated trials: an inhibitor alone in first line whatever the PD-L1, and OAK, whose arms share their
patients. A virtual patient's weight for a real one is the likelihood of the real patient's covariates, given those of
the virtual one. So that neighbours stand in for a pool that is not infinitely large, errors of measurement are at least
`SMOOTH` standard deviations of the pool, and the weights are flattened (a power below 1) until `ENOUGH` virtual
patients are effective. Both draw forecasts towards the mean of the pool, the less the larger it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.twins.judging.cohorts import FIRST, LATER, RealCohort

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.trial.result import TrialResult

__all__ = ["FORECASTS", "Pool", "forecasts_of", "made_pools", "pool_of"]

FloatArray = NDArray[np.float64]
SMOOTH = 0.35
"""Least error of a covariate, in standard deviations of the pool (assumed)."""
ENOUGH = 60.0
"""Effective virtual patients behind each forecast."""
MISCLASSIFIED = 0.02
"""Chance that a category of a record is wrong (assumed); it also lets a category be one that the pool lacks."""
RANK_ERROR = 0.5
"""SD of the normal score of the mutational burden in blood against that in tissue (assumed)."""
HORIZON = 18.0
"""Months to which mean survival is restricted."""
FORECASTS = ("response", "pfs_6", "os_12", "mean_pfs", "mean_os")
_LOGARITHMIC = frozenset({"nlr", "sld_mm", "tmb_mut_mb"})
_ERRORS = {"age": 0.5, "albumin_g_l": 2.0, "nlr": 0.25, "sld_mm": 0.15, "tmb_mut_mb": 0.3, "n_sites": 0.5}
"""SD of the error of a number, of its logarithm where that is taken; as in ``profile_to_model.csv``, else assumed."""
_TPS_ERROR = 10.0


@dataclass(frozen=True, eq=False)
class Pool:
    """Virtual patients of one setting.

    Attributes
    ----------
    name : setting.
    covariates : (n) rows of the patients.
    arms : arm -> outcome -> (n,): ``response`` (0 or 1), ``pfs``, ``os`` (months, infinite without an event).
    lesions : arm -> (days, mm) of the largest target lesion of each patient.
    seconds : that the simulation took.
    """

    name: str
    covariates: pd.DataFrame
    arms: Mapping[str, Mapping[str, FloatArray]]
    lesions: Mapping[str, tuple[tuple[FloatArray, FloatArray], ...]]
    seconds: float = 0.0

    def __len__(self) -> int:
        return len(self.covariates)


def made_pools(
    patients: int,
    seed: int,
    *,
    workers: int | None = None,
    out: Path | None = None,
    engine: str = "auto",
    simulate: Callable[..., TrialResult] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Pool]:
    """Simulate the pools; finished blocks are kept in `out` and not simulated again.

    Parameters
    ----------
    patients, seed, workers, engine
        Virtual patients of each setting; as for a trial.
    out
        Folder for finished blocks.
    simulate
        In place of `run_trial`, for tests.
    progress
        Called with (setting, patients done, patients in all).
    """
    from immunescape.trial.loading import load_trial
    from immunescape.trial.runner import run_trial

    alone = files("immunescape.evaluation.harness") / "protocols" / "all-comers-pembrolizumab.yaml"
    pools = {}
    for name, trial in ((FIRST, load_trial(str(alone))), (LATER, load_trial("oak"))):

        def tell(done: int, total: int, name: str = name) -> None:
            if progress is not None:
                progress(name, done, total)

        result = (simulate or run_trial)(
            trial,
            patients=patients,
            seed=seed,
            workers=workers,
            engine=engine,
            paired=trial.can_pair,
            out=None if out is None else out / f"pool-{name.replace(' ', '-')}",
            progress=tell,
        )
        pools[name] = pool_of(name, result)
    return pools


def pool_of(name: str, result: TrialResult) -> Pool:
    """Pool from a simulated trial; patients who failed in an arm are left out of all."""
    from immunescape.evaluation.kinetics import simulated_lesions
    from immunescape.twins.twin import MONTH, event_days

    arms = [a.name for a in result.trial.arms]
    tables = {a: result.patients[result.patients["arm"] == a].set_index("id") for a in arms}
    ids = sorted(set.intersection(*(set(t.index) for t in tables.values())))
    if not ids:
        raise InputError(f"no virtual patient of the setting '{name}' could be simulated", hint="Simulate more.")
    outcomes: dict[str, dict[str, FloatArray]] = {}
    lesions = {}
    for a, whole in tables.items():
        key = "docetaxel" if a == "docetaxel" else "inhibitor"
        rows = whole.loc[ids]
        pfs, os_ = (days / MONTH for days in event_days(rows))
        outcomes[key] = {
            "response": np.asarray(rows["best_response"].isin(["CR", "PR"]), dtype=float),
            "pfs": pfs,
            "os": os_,
        }
        seen = simulated_lesions(rows.reset_index(), result.visits[result.visits["arm"] == a])
        lesions[key] = tuple(seen.values())
    covariates = tables[arms[0]].loc[ids].reset_index()
    if "b:hla_loh_share_T" in covariates:
        covariates["hla_loh"] = covariates["b:hla_loh_share_T"] >= 0.2
    return Pool(name, covariates, outcomes, lesions, float(getattr(result, "wall_s", 0.0) or 0.0))


def log_likelihoods(pool: Pool, cohort: RealCohort) -> FloatArray:
    """Ln likelihood (patients, n) of the covariates of each real patient in each virtual one."""
    table, virtual = cohort.table, pool.covariates
    total = np.zeros((len(table), len(pool)))
    for name in cohort.inputs:
        column = "tmb_mut_mb" if name == "tmb_rank" else name
        if column not in virtual:
            continue
        if name in _ERRORS or name == "tmb_rank":
            real = table[name].to_numpy(dtype=float)
            simulated = virtual[column].to_numpy(dtype=float)
            error = _ERRORS.get(name, RANK_ERROR)
            if name == "tmb_rank":
                real, simulated = _score(real), _score(_ranks(simulated))
            elif name in _LOGARITHMIC:
                real, simulated = np.log(np.maximum(real, 0.1)), np.log(np.maximum(simulated, 0.1))
            total += _near(real, real, simulated, max(error, SMOOTH * float(simulated.std())))
        else:
            real_words, virtual_words = table[name].to_numpy(dtype=object), virtual[column].to_numpy(dtype=object)
            for level in {w for w in real_words if w is not None and w == w}:
                rows = np.array([w is not None and w == level for w in real_words])
                match = np.array([w == level for w in virtual_words])
                total[rows] += np.where(match, math.log(1.0 - MISCLASSIFIED), math.log(MISCLASSIFIED))
    tps = virtual["pdl1_tps"].to_numpy(dtype=float)
    simulated = tps if cohort.pdl1 == "tps" else _ranks(tps)
    error = _TPS_ERROR if cohort.pdl1 == "tps" else 0.0
    low, high = (table[f"pdl1_{end}"].to_numpy(dtype=float) for end in ("low", "high"))
    return total + _near(low, high, simulated, max(error, SMOOTH * float(simulated.std())))


def _near(low: FloatArray, high: FloatArray, simulated: FloatArray, width: float) -> FloatArray:
    """Ln likelihood (patients, n) of a value or range; 0 where it is not known."""
    below, above = low[:, None] - simulated, simulated - high[:, None]
    distance = np.maximum(np.maximum(below, above), 0.0) / max(width, 1e-9)
    return np.where(np.isfinite(distance), -0.5 * distance**2, 0.0)


def _ranks(values: FloatArray) -> FloatArray:
    """Middle rank (n,) of each value, from 0 to 1."""
    from scipy.stats import rankdata

    return np.asarray((rankdata(values) - 0.5) / len(values))


def _score(ranks: FloatArray) -> FloatArray:
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(ranks, 0.005, 0.995)))


def flattened(logs: FloatArray, enough: float) -> FloatArray:
    """Weights (n,) in proportion to ``exp(power * logs)``: power 1 where `enough` are effective, else the largest."""

    def weights(power: float) -> FloatArray:
        w = np.exp(power * (logs - logs.max()))
        return np.asarray(w / w.sum())

    def effective(w: FloatArray) -> float:
        return 1.0 / float((w**2).sum())

    if effective(weights(1.0)) >= enough:
        return weights(1.0)
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if effective(weights(middle)) >= enough else (low, middle)
    return weights(low)


def forecasts_of(pools: Mapping[str, Pool], cohort: RealCohort, arm: str = "") -> pd.DataFrame:
    """Forecasts of each real patient from the pool of his setting.

    Parameters
    ----------
    arm
        ``inhibitor`` or ``docetaxel`` whatever he had; empty: what he had.

    Returns
    -------
    Columns of `FORECASTS` (shares, and months up to 18), ``effective``; rows as the cohort's.
    """
    import pandas as pd

    out: list[dict[str, Any]] = [{}] * len(cohort.table)
    for setting, pool in pools.items():
        here = np.flatnonzero((cohort.table["setting"] == setting).to_numpy())
        if not len(here):
            continue
        logs = log_likelihoods(pool, cohort)
        enough = min(ENOUGH, 0.5 * len(pool))
        for i in here:
            w = flattened(logs[i], enough)
            arm_pool = pool.arms[arm or str(cohort.table["arm"].iloc[i])]
            out[i] = {
                "response": float(w @ arm_pool["response"]),
                "pfs_6": float(w @ (arm_pool["pfs"] > 6.0)),
                "os_12": float(w @ (arm_pool["os"] > 12.0)),
                "mean_pfs": float(w @ np.minimum(arm_pool["pfs"], HORIZON)),
                "mean_os": float(w @ np.minimum(arm_pool["os"], HORIZON)),
                "effective": 1.0 / float((w**2).sum()),
            }
    return pd.DataFrame(out)
