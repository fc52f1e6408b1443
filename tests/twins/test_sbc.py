"""Twins given a patient's own course are calibrated, and a likelihood that trusts scans too much is found out."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from immunescape.trial.recorded_lines import LineOutcome
from immunescape.twins import likelihood
from immunescape.twins.courses import Courses
from immunescape.twins.early import early_course
from immunescape.twins.likelihood import scan_error

SCRIPT = Path(__file__).parents[2] / "scripts" / "twin_sbc.py"


@pytest.fixture(scope="module")
def sbc():
    """The script."""
    import sys

    spec = importlib.util.spec_from_file_location("twin_sbc", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["twin_sbc"] = module  # its records name it
    spec.loader.exec_module(module)
    yield module
    del sys.modules["twin_sbc"]


def made_up(sbc, n: int = 700, seed: int = 8):
    """Patients whose size follows one number, on both lines: courses as the simulation would give them."""
    rng = np.random.default_rng(seed)
    ids = pd.RangeIndex(n, name="id")
    rate = 0.5 * rng.standard_normal(n)
    days = np.array(sbc.DAYS)
    # ln of the size: a fall and a rise, both by the one number; progression where it is a fifth above the baseline
    sizes = np.exp((rate[:, None] - 0.35) * (days / 84.0) + 0.25 * (days / 168.0) ** 2)
    history, rows, scans = {}, [], []
    for i in range(n):
        over = np.flatnonzero(sizes[i] > 1.2)
        end = int(over[0]) if len(over) else len(days) - 1
        day = float(days[end]) if len(over) else np.inf
        # scans go on after progression: whether a size is missing then says nothing, as the likelihood takes it
        changes = {float(d): float(s) for d, s in zip(days, sizes[i], strict=True)}
        best = "PR" if sizes[i][: end + 1].min() < 0.7 else "SD" if end > 0 else "PD"
        history[i] = LineOutcome(day, np.inf, best, changes)
        rows.append({"id": i, "sld_mm_baseline": 80.0 * sizes[i, end], "progression_day": day, "death_day": np.nan})
        rows[-1]["best_response"] = best
        scans += [{"id": i, "day": d, "change_pct": 100.0 * (s - 1.0)} for d, s in changes.items()]
    courses = Courses(pd.DataFrame(rows).replace(np.inf, np.nan), pd.DataFrame(scans), (history,))
    table = pd.DataFrame({"p:k_kill": rate}, index=ids)
    later = {"rate": rate, "next scan": sizes[:, 2]}
    return sbc.Pool(table, courses, courses, dict.fromkeys(sbc.CONDITIONS, later))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_ranks_are_uniform_where_courses_are_what_the_likelihood_takes_them_for(sbc, place):
    found, _, _ = sbc.ranks(made_up(sbc), sbc.CONDITIONS[place], 160, 3)
    for name, values in found.items():
        assert len(values) >= 100
        assert sbc.uniform(values)[1] > 0.002, (name, sbc.uniform(values))


@pytest.mark.parametrize("place", [0, 2])
def test_half_the_error_of_a_scan_is_found_out(sbc, monkeypatch, place):
    pool, right = made_up(sbc), scan_error()
    monkeypatch.setattr(likelihood, "scan_error", lambda: 0.5 * right)
    found, _, _ = sbc.ranks(pool, sbc.CONDITIONS[place], 160, 3)
    assert min(sbc.uniform(values)[1] for values in found.values()) < 1e-4


@pytest.mark.slow
def test_twins_given_a_simulated_course_are_calibrated(sbc):
    pool = sbc.made_pool(480, 1)
    for row in sbc.calibrated(pool, 120, 1):
        assert row["patients"] >= 60, row
        assert row["p"] > 0.001, row


def test_sizes_draw_twins_ahead_with_a_wider_error_and_ctdna_as_it_is():
    from immunescape.twins.recorded_patient import CtdnaSample

    samples = (CtdnaSample(0.0, 4.0), CtdnaSample(42.0, 2.0))
    course = early_course("pembrolizumab 200 mg every 3 weeks", 80.0, ((42.0, 70.0),), samples)
    assert course is not None
    size, blood = course.ahead
    assert size.spread == pytest.approx(2.0 * scan_error())
    assert course.facts[0].spread == pytest.approx(scan_error())
    assert blood == course.facts[1]
