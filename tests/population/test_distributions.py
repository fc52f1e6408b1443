from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from immunescape.errors import InputError
from immunescape.population.distributions import Distribution, latent_correlation, nearest_correlation, normal_copula

quantiles = st.floats(1e-6, 1 - 1e-6)


@st.composite
def distributions(draw):
    kind = draw(st.sampled_from(["lognormal", "normal", "loguniform", "uniform"]))
    value = draw(st.floats(0.1, 100.0))
    spread = draw(st.floats(0.05, 2.0))
    if kind in ("uniform", "loguniform"):
        return Distribution(
            "x", kind=kind, value=value, spread=None, lower=value, upper=value * draw(st.floats(1.1, 100.0))
        )
    lower = draw(st.one_of(st.none(), st.just(value * 0.5)))
    upper = draw(st.one_of(st.none(), st.just(value * 3.0)))
    return Distribution("x", kind=kind, value=value, spread=spread, lower=lower, upper=upper)


@settings(max_examples=200, deadline=None)
@given(distribution=distributions(), a=quantiles, b=quantiles)
def test_inverse_cdf_is_increasing_bounded_and_inverts_the_cdf(distribution, a, b):
    assume(a < b)
    x, y = distribution.ppf([a, b])
    assert x <= y
    for v in (x, y):
        assert distribution.lower is None or v >= distribution.lower
        assert distribution.upper is None or v <= distribution.upper
    np.testing.assert_allclose(distribution.cdf([x, y]), [a, b], atol=1e-7)


@pytest.mark.parametrize(
    ("ours", "scipy_one"),
    [
        (Distribution("x", kind="lognormal", value=2.0, spread=0.7), stats.lognorm(0.7, scale=2.0)),
        (Distribution("x", kind="normal", value=2.0, spread=0.7), stats.norm(2.0, 0.7)),
        (
            Distribution("x", kind="normal", value=2.0, spread=0.7, lower=1.0, upper=2.5),
            stats.truncnorm(-1 / 0.7, 0.5 / 0.7, 2.0, 0.7),
        ),
        (Distribution("x", kind="uniform", value=2.0, spread=None, lower=1.0, upper=4.0), stats.uniform(1.0, 3.0)),
        (
            Distribution("x", kind="loguniform", value=2.0, spread=None, lower=1.0, upper=400.0),
            stats.loguniform(1.0, 400.0),
        ),
    ],
)
def test_against_scipy(ours, scipy_one):
    u = np.linspace(0.001, 0.999, 201)
    np.testing.assert_allclose(ours.ppf(u), scipy_one.ppf(u), rtol=1e-9)
    x = scipy_one.ppf(u)
    np.testing.assert_allclose(ours.cdf(x), u, rtol=1e-9)


def test_truncated_lognormal_keeps_its_shape_inside():
    d = Distribution("x", kind="lognormal", value=1.0, spread=1.0, lower=0.5, upper=2.0)
    free = stats.lognorm(1.0)
    x = d.ppf(np.array([0.25, 0.5, 0.75]))
    expected = free.ppf(free.cdf(0.5) + np.array([0.25, 0.5, 0.75]) * (free.cdf(2.0) - free.cdf(0.5)))
    np.testing.assert_allclose(x, expected, rtol=1e-12)


def test_a_fixed_number_stays():
    d = Distribution.from_row({"name": "k", "value": "3", "distribution": "", "spread": "", "lower": "", "upper": None})
    assert not d.varies
    np.testing.assert_array_equal(d.ppf([0.1, 0.9]), [3.0, 3.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lognorml", 1.0, 1.0), "lognormal"),
        (("lognormal", 1.0), "positive spread"),
        (("lognormal", -1.0, 1.0), "positive value"),
        (("lognormal", 1.0, 1.0, -1.0), "negative"),
        (("normal", math.nan, 1.0), "finite value"),
        (("uniform", 1.0), "lower and an upper"),
        (("loguniform", 1.0, None, 0.0, 1.0), "positive bounds"),
        (("uniform", 1.0, None, 2.0, 1.0), "not below"),
    ],
)
def test_invalid_distributions_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Distribution("x", **dict(zip(("kind", "value", "spread", "lower", "upper"), arguments, strict=False)))


def test_copula_gives_the_rank_correlations():
    rng = np.random.default_rng(1)
    pairs = {("a", "b"): latent_correlation(0.5), ("b", "c"): latent_correlation(-0.3)}
    z = normal_copula(rng.random((20000, 3)), ("a", "b", "c"), pairs)
    rho = stats.spearmanr(z).statistic
    np.testing.assert_allclose([rho[0, 1], rho[1, 2], rho[0, 2]], [0.5, -0.3, 0.0], atol=0.02)
    for k in range(3):
        assert stats.kstest(z[:, k], "norm").pvalue > 1e-3


def test_contradictory_correlations_are_refused():
    u = np.full((2, 3), 0.5)
    with pytest.raises(InputError, match="inconsistent"):
        normal_copula(u, ("a", "b", "c"), {("a", "b"): 0.9, ("b", "c"): 0.9, ("a", "c"): -0.9})
    with pytest.raises(InputError, match="inside"):
        normal_copula(u, ("a", "b", "c"), {("a", "b"): 1.0})
    with pytest.raises(InputError, match="unknown name"):
        normal_copula(u, ("a", "b", "c"), {("a", "d"): 0.1})


def test_nearest_correlation_leaves_a_good_matrix_alone():
    good = np.array([[1.0, 0.3], [0.3, 1.0]])
    np.testing.assert_array_equal(nearest_correlation(good), good)
    bad = np.array([[1.0, 0.9, -0.2], [0.9, 1.0, 0.9], [-0.2, 0.9, 1.0]])
    fixed = nearest_correlation(bad)
    assert np.linalg.eigvalsh(fixed).min() > 0
    np.testing.assert_allclose(np.diag(fixed), 1.0)
