"""Simulated twins up to the decision: earlier lines are given, the regimens after them are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from immunescape.twins.conditioning import Candidates
from immunescape.twins.courses import CourseTask, follow


@pytest.mark.slow
def test_those_who_come_through_the_earlier_lines_are_those_who_would_get_a_regimen():
    candidates = Candidates("x", (), first=12, batch=12, seed=1)
    assert candidates.grow_until(1)
    table = candidates.drawn(8).table
    task = CourseTask(1, (("nothing", "none"),), unknown_lines=2, months=1.0, line=3)
    whole, entry = follow(task, table), follow(replace(task, to_entry=True), table)
    assert set(entry.patients["id"]) == set(whole.patients["id"])
    assert entry.excluded == whole.excluded
    assert sum(entry.excluded.values()) + len(entry.patients) + len(entry.lost) >= len(table)
    assert np.isfinite(entry.patients["sld_mm_baseline"]).all()
    assert (entry.patients["sld_mm_baseline"] >= 10.0).all()
    assert not len(entry.scans)
