"""Lesions: geometry by hand, measurement error as published, scars, micrometastases, drawn new lesions."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from immunescape.errors import InputError
from immunescape.trial.lesions import MOST_SEEDS, SEED_LANES, LesionModel


@pytest.fixture(scope="module")
def model():
    return LesionModel.load()


def spread(model, volume=30.0, count=3, factor=1.0, seed=0):
    return model.spread_out(volume, count, factor, np.random.default_rng(seed), np.random.default_rng(1000 + seed))


def test_one_lesion_is_the_sphere(model):
    lesions = model.split(4 / 3 * math.pi * 2.0**3, 1, np.random.default_rng(0))
    assert lesions.diameter_mm == pytest.approx([40.0])
    assert lesions.volume_ml == pytest.approx([4 / 3 * math.pi * 2.0**3])


def test_sum_of_n_lesions_is_that_of_n_equal_spheres(model):
    volume = 3 * 4 / 3 * math.pi * 1.5**3  # three spheres of 3 cm
    for seed in range(20):
        lesions = model.split(volume, 3, np.random.default_rng(seed))
        assert lesions.diameter_mm.sum() == pytest.approx(90.0)
        assert 1 <= len(lesions) <= 3
        assert (lesions.diameter_mm >= 10).all()
        assert lesions.lanes == 1


def test_small_tumour_has_fewer_target_lesions(model):
    lesions = model.split(0.7, 5, np.random.default_rng(0))
    assert (lesions.diameter_mm >= 10).all() or len(lesions) == 1


def test_no_tumour_no_lesion(model):
    with pytest.raises(InputError):
        model.split(0.0, 2, np.random.default_rng(0))


def test_diameters_follow_the_cube_root_where_response_is_even(model):
    lesions = replace(model, heterogeneity=0.0, scar_share=0.0).split(50.0, 2, np.random.default_rng(1))
    path = lesions.diameters([1.0, 0.125, 8.0])
    assert path[:, 1] / path[:, 0] == pytest.approx([0.5, 0.5])
    assert path[:, 2] / path[:, 0] == pytest.approx([2.0, 2.0])


def test_lesions_with_lanes_of_their_own_follow_these(model):
    lesions = replace(spread(model, count=2), scar=0.0)
    assert lesions.lane[:2].tolist() == [0, 1]
    assert set(lesions.lane[2:]) <= {2, 3}  # micrometastases share lanes of their own
    for lane in range(lesions.lanes):
        ratio = np.ones((lesions.lanes, 2))
        ratio[lane, 1] = 8.0
        path = lesions.diameters(ratio)
        own = lesions.lane == lane
        assert path[own, 1] == pytest.approx(2.0 * path[own, 0])
        assert path[~own, 1] == pytest.approx(path[~own, 0])


def test_target_lesions_are_the_same_with_one_lane_and_with_several(model):
    for seed in range(5):
        shared = model.split(30.0, 3, np.random.default_rng(seed))
        several = spread(model, seed=seed)
        assert several.diameter_mm[several.at_diagnosis] == pytest.approx(shared.diameter_mm)
        assert several.scar == shared.scar


def test_micrometastases_lie_below_what_scans_show(model):
    many = [spread(model, seed=seed, factor=0.1) for seed in range(200)]
    for lesions in many:
        small = ~lesions.at_diagnosis
        assert small.sum() <= MOST_SEEDS
        assert (lesions.diameter_mm[small] >= model.micrometastasis_min_mm).all()
        assert (lesions.diameter_mm[small] < lesions.seen_from_mm[small]).all()
        assert (lesions.seen_from_mm[small] >= model.seen_from_low_mm).all()
        assert (lesions.seen_from_mm[small] <= model.seen_from_high_mm).all()
    number = [(~x.at_diagnosis).sum() for x in many]
    mean = 0.1 * model.micrometastases
    assert np.mean(number) == pytest.approx(mean, abs=4.0 * math.sqrt(mean / len(many)))
    assert spread(model, factor=0.0).at_diagnosis.all()
    crowded = spread(model, factor=100.0)
    assert (~crowded.at_diagnosis).sum() == MOST_SEEDS
    assert crowded.lanes == crowded.at_diagnosis.sum() + SEED_LANES


def test_two_independent_readers_differ_as_published(model):
    # Two readings of one lesion by one reader who does not see the first: 95 % of the relative differences within
    # about 17 % (yoon2016).
    rng = np.random.default_rng(2)
    true = np.full((20_000, 1), 40.0)
    first, second = (
        model.measure(true, rng.standard_normal(true.shape), rng.standard_normal(len(true)))[0] for _ in range(2)
    )
    difference = (first - second) / ((first + second) / 2)
    assert np.quantile(np.abs(difference), 0.95) == pytest.approx(0.17, abs=0.01)


def test_what_a_reader_makes_of_a_lesion_every_time_is_no_change(model):
    rng = np.random.default_rng(3)
    true = np.full((20_000, 2), 40.0)
    size, _ = model.measure(true, rng.standard_normal(true.shape), rng.standard_normal(len(true)))
    change = np.log(size[:, 1] / size[:, 0])
    assert change.std() == pytest.approx(math.sqrt(2.0) * model.scan_cv, rel=0.03)


def test_too_small_counts_five_and_gone_counts_nothing(model):
    size, gone = model.measure(np.array([[20.0, 3.0, 1.0], [20.0, 1.0, 1.0]]), np.zeros((2, 3)))
    assert size.sum(axis=0) == pytest.approx([40.0, 5.0, 0.0])
    assert gone.all(axis=0).tolist() == [False, False, True]


def test_new_lesions_of_a_single_lane_come_with_growth(model):
    days = np.arange(0.0, 183.0, 7.0)
    still = model.new_lesion_rate(days, np.full(len(days), 50.0))
    growing = model.new_lesion_rate(days, 50 * np.exp(0.08 * days / 30.4375))
    shrinking = model.new_lesion_rate(days, 50 * np.exp(-0.08 * days / 30.4375))
    assert still == pytest.approx(shrinking)
    assert growing * 30.4375 == pytest.approx(model.new_lesion_base + 0.08 * model.new_lesion_growth, rel=1e-6)


def test_base_rate_of_new_lesions_lasts_while_there_is_tumour(model):
    days = np.arange(0.0, 100.0, 7.0)
    whole, small, half, none = (model.new_lesion_rate(days, np.full(len(days), mm)) for mm in (60.0, 10.0, 2.5, 0.0))
    assert small == pytest.approx(whole)
    assert half == pytest.approx(0.5 * whole)
    assert (none == 0).all()


def test_scar_bounds_what_scans_show_of_a_response(model):
    lesions = model.split(50.0, 2, np.random.default_rng(1))
    assert 0.0 <= lesions.scar <= model.scar_share
    scarred = replace(lesions, scar=0.125)
    whole = lesions.diameter_mm.sum()
    assert scarred.diameters([1.0, 1e-12]).sum(axis=0) == pytest.approx([whole, 0.5 * whole], rel=1e-3)
    assert scarred.living_mm([1e-12])[0] < 0.01 * whole


def test_scar_is_that_of_the_largest_volume_so_far(model):
    lesions = replace(model.split(50.0, 1, np.random.default_rng(1)), scar=0.125, exponent=np.ones(1))
    grown = lesions.diameters([1.0, 8.0, 1e-12])[0] / lesions.diameter_mm[0]
    assert grown == pytest.approx([1.0, 2.0, 1.0], rel=1e-3)  # an eighth of eight is one
    later = lesions.diameters([1e-12], peak=np.array([8.0]))[0] / lesions.diameter_mm[0]
    assert later == pytest.approx([1.0], rel=1e-3)
