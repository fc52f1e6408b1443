"""How PD-L1 goes with infiltration and killing in real tumours, beside the links of the population."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from tests.script_modules import load_script

from immunescape.population.linking import links


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("measure_pdl1_links")


def weight(parameter: str, score: str) -> float:
    return next(row for row in links()[parameter] if row["score"] == score).number("weight")


def test_two_specimens_agree_as_normal_scores_do(script: ModuleType) -> None:
    assert script.agreement(0.0, 0.3) == pytest.approx(0.3**2 + 0.7**2, abs=1e-4)
    for r in (0.3, 0.81):
        assert script.agreement(r, 0.5) == pytest.approx(1.0 - math.acos(r) / math.pi, abs=1e-4)
    assert script.specimen_link(script.agreement(0.9**2, 0.4), 0.4) == pytest.approx(0.9, abs=1e-3)


def test_the_link_of_the_score_agrees_with_pairs_of_specimens(script: ModuleType) -> None:
    found = [script.specimen_link(a, share) for share, agrees in script.SPECIMENS.values() for a in agrees]
    assert min(found) - 0.02 < weight("pdl1_tumour", "rank:pdl1_tps") < max(found)


def test_correlations_are_within_groups_and_beyond_what_another_explains(script: ModuleType) -> None:
    rng = np.random.default_rng(4)
    n = 4000
    group = pd.Series(np.repeat(["a", "b"], n // 2))
    shared = rng.standard_normal(n)
    shift = np.where(group == "a", 5.0, 0.0)  # between groups both are higher: no correlation within them
    x, y = pd.Series(shift + rng.standard_normal(n)), pd.Series(shift + rng.standard_normal(n))
    r, low, high = script.correlation(script.normal_scores(x, [group]), script.normal_scores(y, [group]), 2)
    assert low < 0.0 < high
    assert abs(r) < 0.06
    z = script.normal_scores(pd.Series(shared + shift), [group])
    by = script.normal_scores(pd.Series(shared + rng.standard_normal(n)), [group])
    assert np.corrcoef(script.unexplained(z, by), by)[0, 1] == pytest.approx(0.0, abs=1e-12)


def test_the_link_of_infiltration_is_that_of_real_tumours_and_that_of_killing_is_not(
    script: ModuleType, shared_data: Path
) -> None:
    found = script.measured(shared_data / "expression")
    score = weight("pdl1_tumour", "rank:pdl1_tps")
    r, low, high = (score * v for v in found["infiltration"])
    assert r == pytest.approx(weight("cd8_infiltration", "pdl1_tps"), abs=0.02)
    assert low > 0.2
    r, low, high = (score * v for v in found["killing"])
    assert (low, r, high) == pytest.approx((0.01, 0.17, 0.33), abs=0.02)
    # the start for the fit lies above what expression shows; the table and docs/calibration.md say so
    note = next(row for row in links()["k_kill"] if row["score"] == "pdl1_tps")["note"]
    assert "0.17 (0.01 to 0.33" in note
