"""Target lesions: geometry by hand, measurement error as published, new lesions."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from immunescape.errors import InputError
from immunescape.trial.lesions import LesionModel


@pytest.fixture(scope="module")
def model():
    return LesionModel.load()


def test_one_lesion_is_the_sphere(model):
    lesions = model.draw(4 / 3 * math.pi * 2.0**3, 1, np.random.default_rng(0))
    assert lesions.diameter_mm == pytest.approx([40.0])


def test_sum_of_n_lesions_is_that_of_n_equal_spheres(model):
    volume = 3 * 4 / 3 * math.pi * 1.5**3  # three spheres of 3 cm
    for seed in range(20):
        lesions = model.draw(volume, 3, np.random.default_rng(seed))
        assert lesions.sld_mm == pytest.approx(90.0)
        assert 1 <= len(lesions.diameter_mm) <= 3
        assert (lesions.diameter_mm >= 10).all()


def test_small_tumour_has_fewer_target_lesions(model):
    lesions = model.draw(0.7, 5, np.random.default_rng(0))
    assert (lesions.diameter_mm >= 10).all() or len(lesions.diameter_mm) == 1


def test_no_tumour_no_lesion(model):
    with pytest.raises(InputError):
        model.draw(0.0, 2, np.random.default_rng(0))


def test_diameters_follow_the_cube_root_where_response_is_even(model):
    lesions = replace(model, heterogeneity=0.0, scar_share=0.0).draw(50.0, 2, np.random.default_rng(1))
    path = lesions.diameters([1.0, 0.125, 8.0])
    assert path[:, 1] / path[:, 0] == pytest.approx([0.5, 0.5])
    assert path[:, 2] / path[:, 0] == pytest.approx([2.0, 2.0])


def test_measurement_error_is_the_published_one(model):
    # Two readings of one lesion by one reader: 95 % of the relative differences within about +-17 % (yoon2016).
    rng = np.random.default_rng(2)
    true = np.full((1, 20_000), 40.0)
    first, _ = model.measure(true, rng.standard_normal(true.shape))
    second, _ = model.measure(true, rng.standard_normal(true.shape))
    difference = (first - second) / ((first + second) / 2)
    assert np.quantile(np.abs(difference), 0.95) == pytest.approx(0.17, abs=0.01)


def test_too_small_counts_five_and_gone_counts_nothing(model):
    size, gone = model.measure(np.array([[20.0, 3.0, 1.0], [20.0, 1.0, 1.0]]), np.zeros((2, 3)))
    assert size == pytest.approx([40.0, 5.0, 0.0])
    assert gone.tolist() == [False, False, True]


def test_new_lesions_come_with_growth(model):
    days = np.arange(0.0, 183.0, 7.0)
    still = model.new_lesion_rate(days, np.full(len(days), 50.0))
    growing = model.new_lesion_rate(days, 50 * np.exp(0.08 * days / 30.4375))
    shrinking = model.new_lesion_rate(days, 50 * np.exp(-0.08 * days / 30.4375))
    assert still == pytest.approx(shrinking)
    assert growing * 30.4375 == pytest.approx(model.new_lesion_base + 0.08 * model.new_lesion_growth, rel=1e-6)


def test_base_rate_of_new_lesions_lasts_while_there_is_tumour():
    model, days = LesionModel.load(), np.arange(0.0, 100.0, 7.0)
    whole, small, half, none = (model.new_lesion_rate(days, np.full(len(days), mm)) for mm in (60.0, 10.0, 2.5, 0.0))
    assert small == pytest.approx(whole)
    assert half == pytest.approx(0.5 * whole)
    assert (none == 0).all()


def test_scar_bounds_what_scans_show_of_a_response(model):
    lesions = model.draw(50.0, 2, np.random.default_rng(1))
    assert 0.0 <= lesions.scar <= model.scar_share
    scarred = replace(lesions, scar=0.125)
    seen = scarred.diameters([1.0, 1e-12, 8.0]).sum(axis=0)
    assert seen[0] == pytest.approx(lesions.sld_mm)
    assert seen[1] == pytest.approx(0.5 * lesions.sld_mm, rel=1e-3)  # cube root of an eighth
    assert seen[2] == pytest.approx(lesions.diameters([8.0]).sum())  # growth leaves none
    assert scarred.living_mm([1e-12])[0] < 0.01 * lesions.sld_mm
