"""Against Ishigami's function, whose indices are known in closed form, and a linear one."""

import numpy as np
import pytest

from immunescape.evaluation.screening import morris_design, morris_indices, sobol_design, sobol_indices

A, B = 7.0, 0.1


def ishigami(u):
    x = np.pi * (2 * u - 1)
    return np.sin(x[..., 0]) + A * np.sin(x[..., 1]) ** 2 + B * x[..., 2] ** 4 * np.sin(x[..., 0])


def test_sobol_indices_of_ishigami():
    v1 = 0.5 * (1 + B * np.pi**4 / 5) ** 2
    v2 = A**2 / 8
    v13 = B**2 * np.pi**8 * 8 / 225
    variance = v1 + v2 + v13
    found = sobol_indices(ishigami(sobol_design(3, 4096, 1)), np.random.default_rng(1))
    assert found.first == pytest.approx(np.array([v1, v2, 0.0]) / variance, abs=0.02)
    assert found.total == pytest.approx(np.array([v1 + v13, v2, v13]) / variance, abs=0.02)
    assert (found.total_low <= found.total).all()
    assert (found.total <= found.total_high).all()


def test_each_step_of_a_trajectory_moves_one_input_and_every_input_moves_once():
    points, order = morris_design(6, 9, np.random.default_rng(2))
    moved = np.diff(points, axis=1) != 0
    assert (moved.sum(axis=2) == 1).all()
    assert (np.sort(order, axis=1) == np.arange(6)).all()
    assert points.min() >= 0
    assert points.max() <= 1


def test_elementary_effects_of_a_linear_function_are_its_slopes():
    rng = np.random.default_rng(4)
    points, order = morris_design(4, 20, rng)
    slopes = np.array([3.0, -2.0, 0.0, 0.5])
    values = points @ slopes
    values[3, 2] = np.nan
    found = morris_indices(points, order, values, rng)
    assert found.mu == pytest.approx(slopes)
    assert found.mu_star == pytest.approx(np.abs(slopes))
    assert found.sigma == pytest.approx(np.zeros(4), abs=1e-9)
    assert found.n.sum() == 80 - 2  # the effects on both sides of what is not known
    assert found.low == pytest.approx(np.abs(slopes))


def test_morris_ranks_ishigami():
    rng = np.random.default_rng(5)
    points, order = morris_design(3, 400, rng)
    found = morris_indices(points, order, ishigami(points), rng)
    assert (found.mu_star > 1).all()
    assert found.mu[2] == pytest.approx(0.0, abs=1.0)  # acts through x1 alone, in both directions
    assert found.sigma[2] > 1


def test_sobol_indices_equal_those_of_salib():
    sobol = pytest.importorskip("SALib.analyze.sobol")
    values = ishigami(sobol_design(3, 256, 1))
    values -= values.mean()  # SALib centres
    oracle = sobol.analyze(
        {"num_vars": 3, "names": ["a", "b", "c"], "bounds": [[0, 1]] * 3},
        np.concatenate([values[:1], values[2:], values[1:2]]).T.ravel(),  # by base point: A, A with B's columns, B
        calc_second_order=False,
        seed=1,
    )
    found = sobol_indices(values, np.random.default_rng(1))
    assert found.first == pytest.approx(oracle["S1"], abs=1e-12)
    assert found.total == pytest.approx(oracle["ST"], abs=1e-12)
    half = (found.total_high - found.total_low) / 2
    assert half == pytest.approx(oracle["ST_conf"], rel=0.3)


def test_elementary_effects_equal_those_of_salib():
    morris = pytest.importorskip("SALib.analyze.morris")
    rng = np.random.default_rng(6)
    points, order = morris_design(3, 50, rng)
    problem = {"num_vars": 3, "names": ["a", "b", "c"], "bounds": [[0, 1]] * 3}
    values = ishigami(points)
    oracle = morris.analyze(problem, points.reshape(-1, 3), values.ravel(), seed=1)
    found = morris_indices(points, order, values, rng)
    for name in ("mu", "mu_star", "sigma"):
        assert getattr(found, name) == pytest.approx(np.asarray(oracle[name], dtype=float), abs=1e-10), name
    values[7, 2] = np.nan  # why SALib is not used
    assert np.isnan(np.asarray(morris.analyze(problem, points.reshape(-1, 3), values.ravel(), seed=1)["mu_star"])).any()
    assert np.isfinite(morris_indices(points, order, values, rng).mu_star).all()
