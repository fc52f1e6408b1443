"""Figures of merit that docs/response.md rests on, against known results."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def scripts():
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        yield importlib.import_module("response_page")
    finally:
        sys.path.remove(str(ROOT / "scripts"))


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=400), 1)  # with ties
    return x, (rng.random(400) < 1 / (1 + np.exp(1 - x))).astype(float)


def test_the_area_is_that_of_the_package_and_a_weight_of_two_is_a_patient_twice(scripts, sample):
    from immunescape.stats.discrimination import auc

    x, y = sample
    assert scripts.auc(y, np.ones(400), x) == pytest.approx(auc(x, y).value)
    w = np.where(np.arange(400) < 100, 2.0, 1.0)
    twice = np.r_[np.arange(400), np.arange(100)]
    assert scripts.auc(y, w, x) == pytest.approx(auc(x[twice], y[twice]).value)


def test_recalibration_finds_slope_and_shift_of_a_distorted_probability(scripts):
    rng = np.random.default_rng(1)
    eta = rng.normal(-1, 1, 200_000)
    y = (rng.random(len(eta)) < 1 / (1 + np.exp(-eta))).astype(float)
    w = np.ones(len(y))
    assert scripts.recalibration(y, w, 1 / (1 + np.exp(-eta))) == pytest.approx((1.0, 0.0), abs=0.03)
    assert scripts.recalibration(y, w, 1 / (1 + np.exp(-2 * eta)))[0] == pytest.approx(0.5, abs=0.02)
    assert scripts.recalibration(y, w, 1 / (1 + np.exp(-(eta - 0.7))))[1] == pytest.approx(0.7, abs=0.03)


def test_net_benefit_weighs_false_against_true_positives(scripts):
    y, p = np.array([1.0, 1, 0, 0, 0]), np.array([0.9, 0.1, 0.8, 0.7, 0.1])
    # at 20 %: one true and two false positives of five patients; odds 1 to 4
    assert scripts.net_benefit(y, np.ones(5), p, 0.2) == pytest.approx((1 - 2 / 4) / 5)
    assert scripts.net_benefit(y, np.ones(5), np.ones(5), 0.4) == pytest.approx((2 - 3 * 2 / 3) / 5)


def test_the_page_states_the_coefficients_that_ship():
    from immunescape.profile.scores.response_model import load_response_model

    page = (ROOT / "docs" / "response.md").read_text(encoding="utf-8")
    model = load_response_model()
    for name, j in (("pdl1", model.inputs.index("pdl1")), ("lipi", model.inputs.index("lipi"))):
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}`"))
        stated = [float(x) for x in re.findall(r"([+-]\d\.\d\d) ±", row)]
        shipped = [model.coefficients[e][j + 1] for e in ("response", "benefit_12_months")]
        assert stated == pytest.approx(shipped, abs=0.0051)


def test_published_response_rates_lie_nearer_to_the_model_than_to_a_constant(scripts, shared_data):
    import pandas as pd
    from response_trials import rows_of

    from immunescape.profile.scores import response_probability

    rows = rows_of(pd.read_csv(shared_data / "trials.csv"))
    flat = 100 * response_probability().standings["response"].probability
    observed = np.array([r["responses, %"] for r in rows])
    expected = np.array([r["expected, %"] for r in rows])
    assert len(rows) >= 10
    assert np.abs(observed - expected).mean() < 8 < np.abs(observed - flat).mean()


def test_the_section_on_trials_is_replaced_and_not_doubled(scripts):
    from response_trials import TITLE, replaced

    once = replaced("# Page\n\n## Limits\n\n- none\n", f"{TITLE}\n\nfirst\n\n")
    twice = replaced(once, f"{TITLE}\n\nsecond\n\n")
    assert twice == f"# Page\n\n{TITLE}\n\nsecond\n\n## Limits\n\n- none\n"
