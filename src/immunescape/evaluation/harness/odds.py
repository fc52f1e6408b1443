"""Odds ratios of response by biomarker: virtual patients of inhibitor arms beside real ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from immunescape.evaluation.harness.figures import FACTORS
from immunescape.evaluation.harness.real import GROUPS, odds_ratio, patient_odds

__all__ = ["odds_rows"]


def odds_rows(rows: Mapping[str, Mapping[str, Any]], data: Path | None) -> list[dict[str, Any]]:
    """One row for each factor and population; arms, and cohorts, are the strata of each odds ratio.

    Virtual populations: arms with inhibitors alone by line, patients without an inhibitor before; OAK's atezolizumab.
    """
    arms: dict[str, list[tuple[str, Mapping[str, list[int]]]]] = {}
    for name, row in rows.items():
        for arm in row["arms"]:
            if arm["kind"]:
                arms.setdefault(arm["kind"], []).append((name, arm["odds"]))
            if name == "oak" and arm["kind"]:
                arms.setdefault("OAK, atezolizumab", []).append((name, arm["odds"]))
    out: list[dict[str, Any]] = []
    real = {} if data is None else patient_odds(data)
    for factor in FACTORS:
        for kind, tables in sorted(arms.items()):
            counts = [t[factor] for _, t in tables if factor in t]
            out.append(_row(factor, f"virtual: {kind}", "", counts))
        for study, groups in real.get(factor, {}).items():
            for group in GROUPS:
                out.append(_row(factor, f"real: {study}", group, groups[group]))
    return out


def _row(factor: str, population: str, group: str, counts: list[list[int]]) -> dict[str, Any]:
    ratio = odds_ratio(counts)
    used = [c for c in counts if c[1] and c[3]]
    value, low, high = ratio or (None, None, None)
    return {
        "factor": factor,
        "population": population,
        "patients": group,
        "with": sum(c[1] for c in used),
        "without": sum(c[3] for c in used),
        "odds_ratio": value,
        "low": low,
        "high": high,
    }
