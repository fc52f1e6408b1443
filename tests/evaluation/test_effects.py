import numpy as np
import pytest

from immunescape.evaluation.effects import Effect, correlation, holds, paired


def test_paired_ratio_is_the_geometric_mean_with_its_interval():
    rng = np.random.default_rng(0)
    base = rng.lognormal(size=400)
    changed = base * np.exp(rng.normal(0.3, 0.5, size=400))
    effect = paired(changed, base, "ratio", 1)
    logs = np.log(changed / base)
    half = 1.96 * logs.std(ddof=1) / 20
    assert effect.value == pytest.approx(np.exp(logs.mean()), rel=1e-6)
    assert np.log(effect.low) == pytest.approx(logs.mean() - half, abs=0.01)
    assert np.log(effect.high) == pytest.approx(logs.mean() + half, abs=0.01)


def test_patients_that_failed_are_left_out_and_zero_is_a_value():
    effect = paired(np.array([2.0, np.nan, 4.0, 0.0]), np.array([1.0, 1.0, 2.0, 0.0]), "ratio", 1)
    assert effect.n == 3
    assert effect.value == pytest.approx(4 ** (1 / 3), rel=1e-6)
    assert paired(np.array([1.0, 0.0]), np.array([0.0, 0.0]), "difference", 1).value == 0.5


def test_correlation_equals_scipy():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(3)
    x = rng.normal(size=60)
    y = x + rng.normal(size=60)
    assert correlation(x, y, 1).value == pytest.approx(spearmanr(x, y).statistic)
    assert correlation(x, np.ones(60), 1).value == 0.0


@pytest.mark.parametrize(
    ("effect", "expect", "low", "high", "verdict"),
    [
        ((1.5, 1.2, 1.8), "increase", None, None, True),
        ((1.5, 1.2, 1.8), "decrease", None, None, False),
        ((1.5, 0.9, 2.4), "increase", None, None, False),
        ((1.005, 1.004, 1.006), "increase", None, None, False),  # too small to count
        ((0.5, 0.4, 0.6), "decrease", 0.2, 0.45, False),
        ((0.5, 0.4, 0.6), "decrease", 0.2, 0.9, True),
        ((1.0, 0.95, 1.05), "none", 0.9, 1.1, True),
        ((1.0, 0.85, 1.05), "none", 0.9, 1.1, False),
        ((float("nan"), 1.0, 1.0), "increase", None, None, False),
    ],
)
def test_holds(effect, expect, low, high, verdict):
    assert holds(Effect(*effect, 100, "ratio"), expect, low, high, 0.02) is verdict
