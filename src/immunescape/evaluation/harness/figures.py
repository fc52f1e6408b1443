"""The figures of one simulated trial, each with its Monte Carlo standard error, as plain numbers that can be stored.

A figure is ``[value, se]``; hazard ratios and medians carry the error of their logarithm, shares that of the percent.
A median or curve that is not reached is ``[None, None]``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from immunescape.stats.estimate import Estimate
from immunescape.stats.survival import median_survival

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.trial.result import TrialResult

__all__ = ["CURVE_MONTHS", "FACTORS", "arm_kind", "figures"]

CURVE_MONTHS = (6, 12, 24, 60)
DEPTHS = (30, 50, 80)
HELPED_POINTS = 10.0
"""A patient is helped by an add-on where the best change of the sum of diameters is lower by so many points."""

Factor = Callable[["pd.DataFrame"], "pd.Series[Any]"]
FACTORS: dict[str, Factor] = {
    "PD-L1 >= 50 v < 1 %": lambda t: _levels(t["pdl1_tps"], 1.0, 50.0),
    "TMB >= 10/Mb": lambda t: (t["tmb_mut_mb"] >= 10).astype(float),
    "HLA LOH": lambda t: (t["b:hla_loh_share_T"] >= 0.2).astype(float),
    "STK11": lambda t: t["stk11"].astype(float),
    "KEAP1": lambda t: t["keap1"].astype(float),
    "KRAS": lambda t: t["kras"].astype(float),
    "EGFR": lambda t: (t["driver"] == "EGFR").astype(float),
    "NLR >= 5": lambda t: (t["nlr"] >= 5).astype(float),
    "albumin < 35 g/L": lambda t: (t["albumin_g_l"] < 35).astype(float),
    "antibiotics": lambda t: t["antibiotics"].astype(float),
    "Akkermansia": lambda t: t["akkermansia"].astype(float),
    "liver metastases": lambda t: t["liver_mets"].astype(float),
    "ECOG >= 1": lambda t: (t["ecog"] >= 1).astype(float),
    "never smoker": lambda t: (t["smoking"] == "never").astype(float),
    "squamous": lambda t: (t["histology"] == "squamous").astype(float),
    "sum of diameters >= 65 mm": lambda t: (t["sld_mm_baseline"] >= 65).astype(float),
}
"""Factor of response -> which patients carry it (1), do not (0) or belong to neither level (NaN)."""


def _levels(values: pd.Series, low: float, high: float) -> pd.Series:
    """1 from `high` on, 0 below `low`, NaN between."""
    out = (values >= high).astype(float)
    return out.where((values >= high) | (values < low))


def arm_kind(result: TrialResult, index: int) -> str:
    """What an arm gives, for the odds ratios: ``inhibitor, first line``, ``inhibitor, later line`` or empty.

    Arms with a drug that is not a checkpoint inhibitor, and patients who had one before, are left out.
    """
    from immunescape.trial.toxicity import contains_class

    trial, arm = result.trial, result.trial.arms[index]
    drugs = [d for choice in arm.choices for d in choice.regimen.drugs]
    if not drugs or not all(contains_class((d,), "ici") for d in drugs):
        return ""
    before = [choice.regimen.drugs for line in trial.prior for choice in line.choices]
    if any(contains_class(d, "ici") or "radiotherapy" in d for d in before):
        return ""
    return "inhibitor, later line" if trial.population.line[0] > 1 else "inhibitor, first line"


def figures(result: TrialResult) -> dict[str, Any]:
    """All figures of a trial: ``arms`` (in the trial's order), ``comparison``, ``helped``."""
    arms = [_arm(result, k) for k in range(len(result.arms))]
    comparison: dict[str, Any] = {}
    if result.comparison:
        for end in ("pfs", "os"):
            value, interval = result.comparison[f"{end}_hr"], result.comparison[f"{end}_hr_ci"]
            comparison[f"{end}_hr"] = [value, _log_se(interval)]
        # what the hazard of death alone gives: the same courses in both arms
        comparison["os_hr_same_course"] = [result.comparison.get("os_hr_same_course"), None]
        a, b = arms[0]["figures"]["orr_pct"], arms[-1]["figures"]["orr_pct"]
        comparison["orr_difference"] = [a[0] - b[0], _paired_share_se(result)]
    return {"arms": arms, "comparison": comparison, "helped": _helped(result)}


def _arm(result: TrialResult, index: int) -> dict[str, Any]:
    from immunescape.trial.analysis import best_at_cut

    record = result.arms[index]
    name = str(record["name"])
    rows = result.patients[result.patients["arm"] == name]
    n = len(rows)
    best = np.array(best_at_cut(result.trial, rows, result.visits[result.visits["arm"] == name]))
    out: dict[str, list[float | None]] = {"orr_pct": _share(np.isin(best, ("CR", "PR")))}
    for category in ("CR", "PR", "SD", "PD", "NE"):
        out[f"{category.lower()}_pct"] = _share(best == category)
    for end in ("pfs", "os"):
        out[f"{end}_median_months"] = _median(median_survival(rows[f"{end}_months"], rows[f"{end}_event"]))
        curve = result.curves[end, name]
        for months in CURVE_MONTHS:
            out[f"{end}_{months}_pct"] = _at(curve, months)
    has = rows["dor_months"].notna()
    out["dor_median_months"] = _median(
        median_survival(rows.loc[has, "dor_months"].astype(float), rows.loc[has, "dor_event"].astype(bool))
    )
    change = rows["best_change_pct"].astype(float).dropna().to_numpy()
    if len(change):
        out["depth_median_pct"] = [float(np.median(change)), 1.2533 * float(np.std(change)) / math.sqrt(len(change))]
        for depth in DEPTHS:
            out[f"shrunk_{depth}_pct"] = _share(change <= -depth)
    death = rows["death_day"].astype(float)
    progression = rows["progression_day"].astype(float)
    out["died_unprogressed_pct"] = _share((death.notna() & progression.isna()).to_numpy())
    out["toxic_death_pct"] = _share((rows["death_cause"] == "toxicity").to_numpy())
    out["next_line_pct"] = _share(rows["next_line"].notna().to_numpy())
    out["crossover_pct"] = _share((rows["next_line"] == "crossover").to_numpy())
    progressed = rows[progression.notna()]
    if len(progressed):
        out["new_lesion_share_pct"] = _share(progressed["progression_new_lesion"].astype(bool).to_numpy())
    sld = rows["sld_mm_baseline"].astype(float).to_numpy()
    out["baseline_sld_median_mm"] = [float(np.median(sld)), None] if n else [None, None]
    out["unmeasurable_pct"] = _share(rows["largest_mm_baseline"].astype(float).to_numpy() < 10.0)
    return {
        "name": name,
        "n": n,
        "failed": int(record["failed"]),
        "figures": out,
        "kind": arm_kind(result, index),
        "odds": _tables(rows, np.isin(best, ("CR", "PR"))),
    }


def _tables(rows: pd.DataFrame, response: np.ndarray) -> dict[str, list[int]]:
    """Factor -> [responders with it, patients with it, responders without, patients without]."""
    out = {}
    for name, factor in FACTORS.items():
        try:
            carried = factor(rows).to_numpy(dtype=float)
        except KeyError:  # a baseline quantity that this model does not have
            continue
        out[name] = [
            int(v) for level in (1.0, 0.0) for v in (response[carried == level].sum(), (carried == level).sum())
        ]
    return out


def _pairs(result: TrialResult) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """The same patients in the first experimental arm and in the control, row by row."""
    if not result.paired or not result.comparison:
        return None
    a, b = (
        result.patients[result.patients["arm"] == result.comparison[role]].set_index("id").sort_index()
        for role in ("experimental", "control")
    )
    both = a.index.intersection(b.index)
    return (a.loc[both], b.loc[both]) if len(both) else None


def _paired_share_se(result: TrialResult) -> float | None:
    pairs = _pairs(result)
    if pairs is None:
        return None
    a, b = (p["best_response"].isin(("CR", "PR")).to_numpy(dtype=float) for p in pairs)
    return 100.0 * float(np.std(a - b)) / math.sqrt(len(a))


def _helped(result: TrialResult) -> dict[str, list[float | None]]:
    """Patient by patient, the experimental arm against the control: shares in percent of all patients."""
    pairs = _pairs(result)
    if pairs is None:
        return {}
    a, b = pairs
    gain = (b["best_change_pct"].astype(float) - a["best_change_pct"].astype(float)).to_numpy()
    finite = np.isfinite(gain)
    answer = [p["best_response"].isin(("CR", "PR")).to_numpy() for p in pairs]
    return {
        "shrinks_more_pct": _share(gain[finite] > 1.0),
        "helped_pct": _share(gain[finite] >= HELPED_POINTS),
        "harmed_pct": _share(gain[finite] <= -HELPED_POINTS),
        "responds_only_with_pct": _share(answer[0] & ~answer[1]),
        "responds_only_without_pct": _share(~answer[0] & answer[1]),
        "pfs_longer_pct": _share((a["pfs_months"] > b["pfs_months"] + 1.0).to_numpy()),
        "pfs_shorter_pct": _share((a["pfs_months"] < b["pfs_months"] - 1.0).to_numpy()),
    }


def _share(hit: Any) -> list[float | None]:
    hit = np.asarray(hit, dtype=float)
    if not len(hit):
        return [None, None]
    p = float(hit.mean())
    # the error of none or all is that of one half of a patient, as no share is known to be 0 or 1
    q = min(max(p, 0.5 / len(hit)), 1 - 0.5 / len(hit))
    return [100.0 * p, 100.0 * math.sqrt(q * (1 - q) / len(hit))]


def _median(estimate: Estimate) -> list[float | None]:
    return [estimate.value, None if estimate.value is None else _log_se(estimate.interval)]


def _log_se(interval: Any) -> float | None:
    """Standard error of a logarithm from a 95 % interval; from its lower half where the upper end is not reached."""
    if interval is None or not interval[0] or not interval[1]:
        return None
    return (math.log(interval[1]) - math.log(interval[0])) / 3.92


def _at(curve: pd.DataFrame, months: float) -> list[float | None]:
    """Kaplan-Meier survival (%) at a time; none beyond the last observation."""
    times = curve["time"].to_numpy(dtype=float)
    if times[-1] < months:
        return [None, None]
    k = int(np.searchsorted(times, months, side="right")) - 1
    low, high = float(curve["low"].iloc[k]), float(curve["high"].iloc[k])
    se = (high - low) / 3.92 if math.isfinite(high - low) else None
    return [100.0 * float(curve["survival"].iloc[k]), None if se is None else 100.0 * se]
