"""A piecewise-exponential fit beside a virtual population: equal where curves say all, different where they do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from design_examples import survival_design

from immunescape.api.designs import DesignRun
from immunescape.design.group_sequential import GroupSequential, Hypothesis
from immunescape.design.naive import piecewise_fit
from immunescape.design.simulation import simulate
from immunescape.design.truth import Endpoint, VirtualPool


def table(high: float, low: float, patients: int = 6000) -> pd.DataFrame:
    """Exponential survival; the hazard ratio differs between patients of high and low biomarker."""
    rng = np.random.default_rng(1)
    parts = []
    for arm in ("new", "control"):
        score = rng.uniform(0, 100, patients)
        ratio = np.where(score >= 50, high, low) if arm == "new" else np.ones(patients)
        time = rng.exponential(12 / np.log(2) / ratio)
        parts.append(
            pd.DataFrame(
                {"arm": arm, "score": score, "os_months": np.minimum(time, 70), "os_event": (time <= 70) * 1.0}
            )
        )
    return pd.concat(parts, ignore_index=True)


STRATA = {"high": ("score", 50.0, 100.0), "low": ("score", 0.0, float(np.nextafter(50, 0)))}


def pool(high: float, low: float) -> VirtualPool:
    return VirtualPool.from_table(table(high, low), ["new", "control"], [Endpoint("os")], strata=STRATA)


def test_fit_has_the_curves_of_the_pool() -> None:
    virtual = pool(0.5, 0.9)
    fit = piecewise_fit(virtual, [Endpoint("os")])
    for arm in ("new", "control"):
        months = np.concatenate([virtual.rows[arm, s]["os_months"] for s in virtual.strata])
        part = fit.outcome_model(arm, "high", "os")
        assert part is fit.outcome_model(arm, "low", "os")
        for month in (3.0, 10.0, 25.0, 50.0):
            assert float(part.survival(month)) == pytest.approx(float((months > month).mean()), abs=0.012)  # type: ignore[union-attr]


def test_where_curves_say_all_the_report_says_so(tmp_path: Path) -> None:
    found = simulate(
        survival_design(pool(0.75, 0.75), (150, 250), patients=400), 250, seed=2, scenarios=["alternative"]
    )
    note = found.notes["naive_truth"]["alternative"]
    assert "adds nothing" in note["verdict"]
    assert abs(note["power"]["OS"]["difference"]) < 4 * note["power"]["OS"]["se"]
    DesignRun((found,)).save(tmp_path)
    assert "Against a naive truth" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_where_a_biomarker_decides_the_difference_is_shown() -> None:
    rule = GroupSequential((Hypothesis("high", "os", strata=("high",)),))
    design = survival_design(pool(0.5, 1.1), (150, 250), patients=800, rule=rule)
    note = simulate(design, 250, seed=2, scenarios=["alternative"]).notes["naive_truth"]["alternative"]
    assert note["power"]["high"]["difference"] > 0.2
    assert "power of high" in note["verdict"]
