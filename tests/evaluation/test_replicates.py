"""Intervals from resampled virtual patients."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import betabinom

from immunescape.evaluation.replicates import moved_share, response_shares

NO_ERROR = np.zeros(20_000)


@pytest.mark.parametrize("responds", [0.0, 1.0])
def test_an_arm_in_which_none_or_all_respond_has_an_interval(responds: float) -> None:
    n, size = 10, 40
    rows = np.zeros((len(NO_ERROR), size), dtype=np.int64)
    shares = response_shares(np.full(n, responds), rows, NO_ERROR, np.random.default_rng(1))
    expected = betabinom(size, n * responds + 0.5, n * (1.0 - responds) + 0.5)
    assert shares.mean() == pytest.approx(expected.mean() / size, abs=0.005)
    assert np.quantile(shares, 0.975) == pytest.approx(expected.ppf(0.975) / size, abs=0.026)
    assert np.quantile(shares, 0.025) == pytest.approx(expected.ppf(0.025) / size, abs=0.026)


def test_otherwise_shares_are_those_of_the_rows_and_nothing_is_drawn() -> None:
    rng = np.random.default_rng(2)
    response, rows = np.array([0.0, 0.0, 1.0]), np.array([[0, 1, 2], [0, 0, 1], [2, 2, 2]])
    errors = np.array([0.1, -0.2, 0.3])
    shares = response_shares(response, rows, errors, rng)
    assert shares.tolist() == moved_share(np.array([1 / 3, 0.0, 1.0]), errors).tolist()
    assert rng.bit_generator.state == np.random.default_rng(2).bit_generator.state
