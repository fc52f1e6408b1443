"""Hill numbers against closed forms and against every possible subsample."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from immunescape.profile.biomarkers.diversity import chao1, coverage, entropy_estimate, hill, hill_at

COUNTS = [4, 2, 2, 1, 1, 1]
BIG = [90, 40, 30, 12, 8, 5, 4, 3, 2, 2, 2, 1, 1, 1, 1, 1, 1]


def test_closed_forms():
    for q in (0, 1, 2, 3):
        assert hill([5, 5, 5, 5, 0], q) == pytest.approx(4, abs=1e-12)
    p = np.array([0.5, 0.3, 0.2])
    assert hill(p, 1) == pytest.approx(np.exp(-(p * np.log(p)).sum()), abs=1e-12)
    assert hill(p, 2) == pytest.approx(1 / (p**2).sum(), abs=1e-12)
    assert hill([], 0) == 0


@pytest.mark.parametrize("depth", [1, 2, 4, 6, 10])
def test_rarefaction_is_the_mean_over_all_subsamples(depth):
    individuals = np.repeat(np.arange(len(COUNTS)), COUNTS)
    subsamples = list(combinations(range(len(individuals)), depth))
    seen = [np.bincount(individuals[list(s)], minlength=len(COUNTS)) for s in subsamples]
    assert hill_at(COUNTS, 0, depth) == pytest.approx(np.mean([(x > 0).sum() for x in seen]), abs=1e-10)
    entropies = [-(x[x > 0] / depth * np.log(x[x > 0] / depth)).sum() for x in seen]
    assert hill_at(COUNTS, 1, depth) == pytest.approx(np.exp(np.mean(entropies)), abs=1e-10)
    same = [((x / depth) ** 2).sum() for x in seen]
    assert hill_at(COUNTS, 2, depth) == pytest.approx(1 / np.mean(same), abs=1e-10)
    shares = np.array(COUNTS) / sum(COUNTS)
    covered = [shares[x > 0].sum() for x in seen]
    if depth < sum(COUNTS) - 1:
        assert coverage(COUNTS, depth) <= 1
        assert np.mean(covered) <= 1


@pytest.mark.parametrize("q", [0, 1, 2])
def test_curves_rise_and_meet_at_the_sample(q):
    n = sum(BIG)
    curve = [hill_at(BIG, q, m) for m in (10, 50, n - 1, n, n + 1, n + 60, 2 * n)]
    assert all(b > a for a, b in pairwise(curve))
    assert curve[3] == pytest.approx(hill(BIG, q), rel=0.02)
    assert curve[4] - curve[3] < 0.05


def test_extrapolation_stays_below_its_limit():
    n = sum(BIG)
    assert hill_at(BIG, 0, 2 * n) < chao1(BIG)
    assert hill_at(BIG, 1, 2 * n) < np.exp(entropy_estimate(BIG))
    assert chao1(BIG) == pytest.approx(17 + (n - 1) / n * 6 * 6 / (2 * 3))
    with pytest.raises(ValueError, match="twice"):
        hill_at(BIG, 0, 2 * n + 1)


def test_entropy_estimate_is_nearly_unbiased():
    rng = np.random.default_rng(6)
    p = 1 / np.arange(1, 101)
    p /= p.sum()
    truth = -(p * np.log(p)).sum()
    samples = rng.multinomial(150, p, size=400)
    estimate = np.mean([entropy_estimate(x) for x in samples])
    observed = np.mean([np.log(hill(x, 1)) for x in samples])
    assert abs(estimate - truth) < 0.2 * abs(observed - truth)


def test_coverage_is_the_share_that_was_seen():
    rng = np.random.default_rng(7)
    p = rng.dirichlet(np.full(200, 0.3))
    samples = rng.multinomial(300, p, size=300)
    truth = np.mean([p[x > 0].sum() for x in samples])
    assert np.mean([coverage(x) for x in samples]) == pytest.approx(truth, abs=0.01)
    smaller = np.mean([p[rng.multinomial(100, p) > 0].sum() for _ in range(600)])
    assert np.mean([coverage(x, 100) for x in samples]) == pytest.approx(smaller, abs=0.015)
