"""What a virtual trial gave: the arms' figures, their comparison, every patient, every scan, survival curves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from immunescape.trial.analysis import analyse_arm, compare, cut_months, endpoints_at_cut

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.trial.spec import Trial

__all__ = ["TrialResult", "build_result"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class TrialResult:
    """Result of a virtual trial.

    Attributes
    ----------
    trial : the protocol.
    seed, engine, version, paired : how it was run; `wall_s` seconds it took.
    arms : one record per arm in the order of the trial (experimental first, control last); see :meth:`to_json`.
    comparison : first experimental arm against the control; {} in a trial of one arm.
    patients : one row per patient: covariates, model parameters (``p:``), response, times (months and days) and events.
    visits : one row per scan of the trial's own line: ``id, arm, day, sld_mm, largest_mm`` (the largest
        target lesion at baseline), ``change_pct, new_lesion, response``.
    curves : (endpoint, arm) -> Kaplan-Meier table (``time`` in months) at the last data cut; endpoint ``pfs``, ``os``.
    failures : one record per patient that could not be simulated: arm, id, reason, parameters.
    candidates : arm -> candidates by fate.
    escape : which mechanism carried the escape of a sample of patients, where that was asked for; see
        :func:`immunescape.trial.attribution.attribute`.
    """

    trial: Trial
    seed: int
    engine: str
    version: str
    paired: bool
    wall_s: float
    arms: tuple[dict[str, Any], ...]
    comparison: dict[str, Any]
    patients: pd.DataFrame
    visits: pd.DataFrame
    curves: Mapping[tuple[str, str], pd.DataFrame]
    failures: tuple[dict[str, Any], ...] = ()
    candidates: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    escape: Mapping[str, Any] | None = None

    def __repr__(self) -> str:
        arms = "; ".join(f"{arm['name']}: {arm['n']} patients" for arm in self.arms)
        return f"TrialResult({self.trial.name}, seed {self.seed}, {self.engine} engine; {arms[:300]})"

    def to_json(self) -> dict[str, Any]:
        """Content of ``result.json``; no NaN: what was not reached or not measured is null."""
        published = self.trial.published.as_result() if self.trial.published is not None else None
        values: dict[str, Any] = _clean(
            {
                "trial": self.trial.name,
                "seed": self.seed,
                "engine": self.engine,
                "wall_s": round(self.wall_s, 3),
                "version": self.version,
                "paired": self.paired,
                "arms": list(self.arms),
                "comparison": self.comparison,
                "published": published,
                "candidates": {arm: dict(fates) for arm, fates in self.candidates.items()},
                **({} if self.escape is None else {"escape": self.escape}),
                "failures": [{k: f[k] for k in ("arm", "id", "reason")} for f in self.failures],
            }
        )
        return values

    def change_by_visit(self, arm: str) -> dict[int, tuple[list[float], list[float]]]:
        """Percent change of the sum of diameters (a spider plot): patient -> (months, percent), from 0 at baseline."""
        from immunescape.units import DAYS_PER_MONTH

        changes = {}
        rows = self.visits[self.visits["arm"] == arm]
        for number, scans in rows.groupby("id", sort=True):
            months = [0.0, *(scans["day"] / DAYS_PER_MONTH)]
            changes[int(str(number))] = (months, [0.0, *scans["change_pct"]])
        return changes

    def best_change(self, arm: str) -> pd.Series:
        """Best percent change of each patient with a scan, largest growth first (a waterfall)."""
        rows = self.patients[self.patients["arm"] == arm].set_index("id")["best_change_pct"].dropna()
        return rows.sort_values(ascending=False)


def build_result(
    trial: Trial,
    *,
    seed: int,
    engine: str,
    version: str,
    paired: bool,
    wall_s: float,
    patients: pd.DataFrame,
    visits: pd.DataFrame,
    failures: list[dict[str, Any]],
    candidates: Mapping[str, Mapping[str, int]],
) -> TrialResult:
    """Analyse simulated patients and put the result together.

    Each endpoint is analysed at the first data cut that the trial names for it (at the end of follow-up where it names
    none); curves are drawn at the last.
    """
    from immunescape.stats.survival import kaplan_meier

    table = patients.copy()
    for endpoint in ("pfs", "os", "dor"):
        first = endpoints_at_cut(table, visits, trial, endpoint, cut_months(trial, endpoint, "first"))
        for name, values in first.items():
            table[name] = values
    arms, tables, curves = [], {}, {}
    for arm in trial.arms:
        rows = table[table["arm"] == arm.name]
        tables[arm.name] = rows
        failed = sum(f["arm"] == arm.name for f in failures)
        arms.append(analyse_arm(trial, arm, rows, visits[visits["arm"] == arm.name], failed))
        for endpoint in ("pfs", "os"):
            last = endpoints_at_cut(rows, visits, trial, endpoint, cut_months(trial, endpoint, "last"))
            curves[endpoint, arm.name] = kaplan_meier(last[f"{endpoint}_months"], last[f"{endpoint}_event"])
    comparison = compare(trial, tables, seed=seed, paired=paired)
    return TrialResult(
        trial=trial,
        seed=seed,
        engine=engine,
        version=version,
        paired=paired,
        wall_s=wall_s,
        arms=tuple(arms),
        comparison=comparison,
        patients=table,
        visits=visits,
        curves=curves,
        failures=tuple(failures),
        candidates=candidates,
    )


def _clean(value: Any) -> Any:
    """Plain JSON: numbers that are not finite become None, numpy scalars Python ones."""
    if isinstance(value, Mapping):
        return {str(k): _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(v) for v in value]
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
