"""RECIST 1.1 and SITC against cases worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immunescape.errors import InputError
from immunescape.trial.recist import (
    best_overall_response,
    duration_of_response,
    first_progression,
    first_response,
    progression_free_survival,
    resistance_class,
    timepoint_responses,
)

VISITS = [42, 84, 126, 168, 210]


def test_progression_needs_twenty_percent_and_five_millimetres_from_the_nadir():
    # 20 % above the nadir of 20 mm is 24 mm, but 5 mm asks for 25.
    assert timepoint_responses(30, [20, 24.9]) == ["PR", "SD"]
    assert timepoint_responses(30, [20, 25.0]) == ["PR", "PD"]
    # 5 mm above the nadir of 100 mm is 105, but 20 % asks for 120.
    assert timepoint_responses(100, [100, 119.9]) == ["SD", "SD"]
    assert timepoint_responses(100, [100, 120]) == ["SD", "PD"]


def test_nadir_includes_the_baseline_and_follows_the_smallest_sum():
    assert timepoint_responses(50, [60]) == ["PD"]
    assert timepoint_responses(100, [60, 70, 72]) == ["PR", "PR", "PD"]  # 72 is below baseline, 20 % above 60


def test_partial_response_is_thirty_percent_below_baseline():
    assert timepoint_responses(100, [70.0]) == ["PR"]
    assert timepoint_responses(100, [70.1]) == ["SD"]


def test_complete_response_and_reappearance():
    assert timepoint_responses(40, [0, 0, 4.9, 5]) == ["CR", "CR", "PR", "PD"]
    # Target lesions gone but another lesion remains: no complete response.
    assert timepoint_responses(40, [0], absent=[False]) == ["PR"]


def test_new_lesion_is_progression_whatever_the_sum():
    assert timepoint_responses(100, [50, 40], new_lesion=[False, True]) == ["PR", "PD"]
    assert timepoint_responses(100, [math.nan], new_lesion=[True]) == ["PD"]


def test_missed_visit_is_not_evaluable_and_leaves_the_nadir():
    assert timepoint_responses(100, [60, math.nan, 72]) == ["PR", "NE", "PD"]


def test_baseline_must_be_positive():
    with pytest.raises(InputError):
        timepoint_responses(0, [10])


@pytest.mark.parametrize(
    ("responses", "unconfirmed", "confirmed"),
    [
        (["PR", "PR"], "PR", "PR"),
        (["PR", "SD"], "PR", "SD"),
        (["PR", "PD"], "PR", "SD"),
        (["PR", "NE", "PR"], "PR", "PR"),
        (["CR", "CR"], "CR", "CR"),
        (["CR", "PR"], "CR", "PR"),
        (["SD", "PR", "CR", "CR"], "CR", "CR"),
        (["SD", "PD", "PR", "PR"], "SD", "SD"),
        (["PD", "PR", "PR"], "PD", "PD"),
        (["NE", "PD"], "PD", "PD"),
        (["NE", "NE"], "NE", "NE"),
        ([], "NE", "NE"),
    ],
)
def test_best_overall_response(responses, unconfirmed, confirmed):
    days = VISITS[: len(responses)]
    assert best_overall_response(days, responses) == unconfirmed
    assert best_overall_response(days, responses, confirm=True) == confirmed


def test_confirmation_needs_four_weeks():
    assert best_overall_response([42, 63], ["PR", "PR"], confirm=True) == "SD"
    assert best_overall_response([42, 70], ["PR", "PR"], confirm=True) == "PR"
    # A third visit is late enough for the first.
    assert best_overall_response([42, 63, 84], ["PR", "PR", "PR"], confirm=True) == "PR"


def test_stable_disease_must_last():
    assert best_overall_response([21], ["SD"]) == "NE"
    assert best_overall_response([21, 42], ["SD", "PD"]) == "PD"
    assert best_overall_response([40], ["SD"]) == "SD"


def test_first_response_is_the_confirmed_one_where_asked():
    assert first_response(VISITS[:4], ["PR", "SD", "PR", "PR"]) == 42
    assert first_response(VISITS[:4], ["PR", "SD", "PR", "PR"], confirm=True) == 126
    assert first_response(VISITS[:2], ["PD", "PR"]) is None


def test_progression_free_survival():
    pfs = progression_free_survival([42, 84], ["SD", "PD"], 300, 400)
    assert (pfs.days, pfs.event, pfs.reason) == (84, True, "progression")
    pfs = progression_free_survival([42, 84], ["SD", "SD"], 100, 400)
    assert (pfs.days, pfs.event, pfs.reason) == (100, True, "death")
    # Alive at the cut: censored at the last evaluable visit, not at the cut.
    pfs = progression_free_survival([42, 84, 126], ["SD", "SD", "NE"], None, 150)
    assert (pfs.days, pfs.event) == (84, False)
    # Progression and death after the cut are not seen.
    pfs = progression_free_survival([42, 84], ["SD", "PD"], 90, 60)
    assert (pfs.days, pfs.event) == (42, False)
    pfs = progression_free_survival([], [], None, 20)
    assert (pfs.days, pfs.event) == (1.0, False)


def test_duration_of_response():
    dor = duration_of_response(VISITS, ["SD", "PR", "PR", "SD", "PD"], None, 1000, confirm=True)
    assert dor is not None
    assert (dor.days, dor.event) == (210 - 84, True)
    assert duration_of_response(VISITS[:2], ["SD", "SD"], None, 1000) is None
    dor = duration_of_response(VISITS[:3], ["PR", "PR", "PR"], 140, 1000)
    assert dor is not None
    assert (dor.days, dor.event, dor.reason) == (98, True, "death")


@pytest.mark.parametrize(
    ("days", "responses", "exposure", "expected"),
    [
        ([42], ["PD"], 42, "primary"),
        ([42], ["PD"], 41, "not evaluable"),
        ([42, 84, 126], ["SD", "SD", "PD"], 126, "primary"),
        ([42, 84, 182], ["SD", "SD", "PD"], 182, "primary"),  # 6 months are 182.6 days
        ([42, 84, 183], ["SD", "SD", "PD"], 183, "acquired"),
        ([42, 84, 126, 168, 300], ["PR", "PR", "PR", "PR", "PD"], 300, "acquired"),
        ([42, 84], ["SD", "SD"], 84, "none"),
    ],
)
def test_resistance_by_sitc(days, responses, exposure, expected):
    assert resistance_class(days, responses, exposure) == expected


def test_resistance_after_stopping_and_with_chemotherapy():
    days, responses = [42, 84, 300], ["PR", "PR", "PD"]
    assert resistance_class(days, responses, 180, end_of_treatment_day=180) == "after stopping"
    assert resistance_class(days, responses, 250, end_of_treatment_day=250) == "acquired"
    assert resistance_class([42], ["PD"], 21, combination_with_chemotherapy=True) == "primary"


@given(
    st.floats(10, 300),
    st.lists(st.floats(0, 400), min_size=1, max_size=12),
)
def test_invariants(baseline, sums):
    words = timepoint_responses(baseline, sums)
    days = [42.0 * (i + 1) for i in range(len(sums))]
    nadir = baseline
    for word, size in zip(words, sums, strict=True):
        if word == "PD":
            assert size - nadir >= 5 - 1e-6
        if word in ("CR", "PR"):
            assert size <= 0.7 * baseline + 1e-6
        nadir = min(nadir, size)
    order = ["CR", "PR", "SD", "PD", "NE"]
    strict = best_overall_response(days, words, confirm=True)
    loose = best_overall_response(days, words)
    assert order.index(loose) <= order.index(strict)
    pd_day = first_progression(days, words)
    pfs = progression_free_survival(days, words, None, 1e6)
    assert (pd_day is not None) == pfs.event
