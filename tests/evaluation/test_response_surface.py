"""The response surface: slopes, values and pseudo-values against what is known, and a fit that finds the truth."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from immunescape.errors import InputError
from immunescape.evaluation.fit_terms import Term, to_fit
from immunescape.evaluation.response_surface import (
    Surface,
    design_rows,
    fit_surface,
    pseudo_values,
    solve_surface,
    updated,
)
from immunescape.evaluation.surface_rounds import WIDEST, calibrate_surface, half_widths, left_out_figures
from immunescape.evaluation.targets import Target, logit
from immunescape.evaluation.weighting import Sample
from immunescape.population.fit import PopulationFit
from immunescape.trial.loading import load_trial

KEY = ("t", "a")
MOVING = (Term("k_kill", ("k_kill",), "shift", 0.8), Term("k_kill", ("k_kill",), "scale", 0.4))
CUT = 0.7


def population(n: int, seed: int, x: np.ndarray, key: tuple[str, str] = KEY) -> dict[tuple[str, str], Sample]:
    """Patients whose score is shift + scale times a normal draw of the seed; those above a cut respond."""
    fit = to_fit(np.asarray(x, dtype=float), MOVING)
    own = fit.of("k_kill")
    z = own.get("shift", 0.0) + own.get("scale", 1.0) * np.random.default_rng(seed).standard_normal(n)
    months = np.exp(0.5 * z) * 6.0
    times = {"pfs": (months, np.ones(n))}
    sample = Sample(
        trial=key[0],
        arm=key[1],
        names=(),
        z=np.empty((n, 0)),
        linked=np.empty((n, 0)),
        left=np.empty(0),
        covariates={},
        response=(z > CUT).astype(float),
        times=times,
        groups={},
        proposals=((fit, n),),
    )
    return {key: sample}


def truth(x: np.ndarray) -> np.ndarray:
    """Log odds of response, and of progression-free survival at eight months, in the whole population."""
    shift, scale = x[0], math.exp(x[1])
    tail = lambda cut: 0.5 * math.erfc((cut - shift) / scale / math.sqrt(2.0))  # noqa: E731
    return np.array([logit(tail(CUT)), logit(tail(2.0 * math.log(8.0 / 6.0)))])


def targets(at: np.ndarray, sd: float = 0.02) -> list[Target]:
    aims = truth(at)

    def late(weighted: object, key: tuple[str, str] = KEY) -> float:
        sample, w = weighted[key]  # type: ignore[index]
        return logit(float(w @ (sample.times["pfs"][0] > 8.0)))

    def response(weighted: object, key: tuple[str, str] = KEY) -> float:
        sample, w = weighted[key]  # type: ignore[index]
        return logit(float(w @ sample.response))

    return [
        Target("response", "assumed", float(aims[0]), sd, response, lambda v: v, arms=(KEY,), kind="orr"),
        Target("late", "assumed", float(aims[1]), sd, late, lambda v: v, arms=(KEY,), kind="median"),
    ]


def surface_about(centre: np.ndarray, n: int = 400, terms: int = 8) -> Surface:
    rows = design_rows(terms)[:, :2]
    half = half_widths(MOVING, 0.3)
    pairs = [
        (population(n, 10 + k, centre + row * half), population(n, 10 + k, centre - row * half))
        for k, row in enumerate(rows)
    ]
    return fit_surface(targets(centre), pairs, rows, centre, half)


def test_the_columns_of_a_design_are_balanced_and_orthogonal() -> None:
    for count in (1, 2, 7, 8, 26):
        rows = design_rows(count)
        assert rows.shape[1] == count < len(rows)
        assert (np.abs(rows) == 1.0).all()
        assert np.array_equal(rows.sum(axis=0), np.zeros(count))
        assert np.array_equal(rows.T @ rows, len(rows) * np.eye(count))


def test_the_design_is_no_wider_than_responses_are_nearly_linear() -> None:
    assert half_widths(MOVING, 0.5) == pytest.approx([WIDEST, 0.2])


def test_pseudo_values_of_a_share_are_the_shares_of_the_populations_on_its_scale() -> None:
    aims = targets(np.zeros(2))
    made = [population(500, k, np.array([0.1 * k, 0.0])) for k in range(4)]
    values, pooled = pseudo_values(aims, made)
    shares = np.array([m[KEY].response.mean() for m in made])
    mean = shares.mean()
    # the log odds of a mean, and its derivative 1 / (p (1 - p)) times what a population differs from the mean
    assert pooled[0] == pytest.approx(logit(mean))
    assert values[:, 0] == pytest.approx(logit(mean) + (shares - mean) / (mean * (1.0 - mean)), abs=0.02)
    assert values.mean(axis=0) == pytest.approx(pooled)


def test_slopes_and_values_agree_with_the_whole_population_within_their_errors() -> None:
    centre = np.array([0.2, -0.1])
    surface = surface_about(centre, n=1500)
    step = 1e-4
    exact = np.column_stack([(truth(centre + step * e) - truth(centre - step * e)) / (2.0 * step) for e in np.eye(2)])
    assert (np.abs(surface.slope - exact) < 3.0 * surface.slope_se + 0.05).all()
    assert (surface.slope_se < 0.15).all()
    assert (np.abs(surface.value - truth(centre)) < 3.0 * surface.value_se + 0.02).all()


def test_patients_that_a_row_shares_with_its_mirror_image_make_slopes_more_precise() -> None:
    centre = np.zeros(2)
    rows, half = design_rows(8)[:, :2], half_widths(MOVING, 0.3)
    shared = surface_about(centre)
    apart = fit_surface(
        targets(centre),
        [
            (population(400, 10 + k, centre + r * half), population(400, 900 + k, centre - r * half))
            for k, r in enumerate(rows)
        ],
        rows,
        centre,
        half,
    )
    assert (shared.slope_se < 0.6 * apart.slope_se).all()


def test_a_slope_within_its_error_of_zero_is_taken_as_zero() -> None:
    rows, half = design_rows(8)[:, :2], half_widths(MOVING, 0.3)
    idle = [(population(40, k, np.zeros(2)), population(40, 500 + k, np.zeros(2))) for k in range(len(rows))]
    surface = fit_surface(targets(np.zeros(2)), idle, rows, np.zeros(2), half)
    assert (np.abs(surface.slope) < 2.5 * surface.slope_se).all()
    assert (surface.slope == 0.0).any()


def test_the_fit_finds_the_population_that_the_targets_describe() -> None:
    asked = np.array([0.30, 0.12])
    aims = targets(asked)
    surface = surface_about(np.zeros(2))
    for _ in range(3):
        x, covariance = solve_surface(aims, surface, MOVING)
        made = population(20_000, 77, x)
        weighted = {k: (s, np.full(len(s), 1.0 / len(s))) for k, s in made.items()}
        surface = updated(surface, x, np.array([t.figure(weighted) for t in aims]), np.full(2, 0.02))
    assert x == pytest.approx(asked, abs=0.05)
    assert (np.diag(covariance) < np.array([t.prior_sd for t in MOVING]) ** 2).all()


def test_a_prior_centred_elsewhere_draws_the_fit_there_by_the_share_that_the_data_leave_open() -> None:
    surface, aims = surface_about(np.zeros(2)), targets(np.array([0.05, 0.05]))
    x, covariance = solve_surface(aims, surface, MOVING)
    centre = 0.1
    elsewhere = [replace(MOVING[0], prior_mean=centre), *MOVING[1:]]
    y, same = solve_surface(aims, surface, elsewhere)
    assert same == pytest.approx(covariance)
    assert y - x == pytest.approx(covariance[:, 0] / MOVING[0].prior_sd ** 2 * centre)
    assert y[0] > x[0]


def test_a_step_stays_within_the_region_of_the_design() -> None:
    surface = surface_about(np.zeros(2))
    x, _ = solve_surface(targets(np.array([1.9, 0.0])), surface, MOVING, reach=1.0)
    assert (np.abs(x) <= surface.half + 1e-9).all()
    assert x[0] == pytest.approx(surface.half[0])


def test_slopes_learn_from_a_step_and_leave_directions_apart_as_they_were() -> None:
    surface = Surface(np.zeros(2), np.ones(2), np.zeros(1), np.zeros(1), np.array([[1.0, 3.0]]), np.zeros((1, 2)))
    moved = updated(surface, np.array([2.0, 0.0]), np.array([4.0]), np.zeros(1))
    assert moved.slope[0, 1] == 3.0
    assert 1.0 < moved.slope[0, 0] <= 2.0  # the secant of the step is 2
    assert moved.value == pytest.approx([4.0])


def test_a_figure_that_cannot_be_computed_is_left_out_of_the_fit() -> None:
    surface = Surface(
        np.zeros(2), np.full(2, 0.3), np.array([0.1, math.nan]), np.zeros(2), np.ones((2, 2)), np.zeros((2, 2))
    )
    x, covariance = solve_surface(targets(np.zeros(2)), surface, MOVING)
    assert np.isfinite(x).all()
    assert np.isfinite(covariance).all()


def test_leaving_a_trial_out_predicts_it_from_the_others() -> None:
    trial = load_trial("keynote-024")
    other = load_trial("oak")
    first, second = ("keynote-024", "pembrolizumab"), ("oak", "atezolizumab")
    make = lambda name, key, aim: Target(name, "assumed", aim, 0.1, lambda w: 0.0, lambda v: v, arms=(key,), kind="orr")  # noqa: E731
    aims = [make("first", first, 1.0), make("second", second, -1.0)]
    surface = Surface(np.zeros(1), np.full(1, 1.0), np.zeros(2), np.zeros(2), np.ones((2, 1)), np.zeros((2, 1)))
    moving = (Term("k_kill", ("k_kill",), "shift", 10.0),)
    predicted = left_out_figures([trial, other], aims, surface, moving)
    assert predicted == {"first": pytest.approx(-1.0, abs=0.01), "second": pytest.approx(1.0, abs=0.01)}


def test_numbers_that_make_no_design_are_refused() -> None:
    with pytest.raises(InputError, match="At least 2 patients"):
        calibrate_surface([load_trial("keynote-024")], patients=1)
    with pytest.raises(InputError, match="no trial"):
        calibrate_surface([], patients=4)
    assert PopulationFit().terms == ()
