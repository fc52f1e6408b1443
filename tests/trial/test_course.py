"""The course of a patient along tumours of which everything is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from immunescape.trial.course import Course, Models, PatientStreams
from immunescape.trial.grammar import parse_regimen
from immunescape.trial.lesions import Lesions
from immunescape.trial.regimen import Regimen
from immunescape.trial.toxicity import NO_TOXICITY
from immunescape.units import DAYS_PER_MONTH

PATIENT = {
    "ecog": 1,
    "histology": "nonsquamous",
    "smoking": "former",
    "albumin_g_l": 39.0,
    "nlr": 4.0,
    "ldh_uln": 0.9,
    "liver_mets": False,
    "n_sites": 3,
    "n_target_lesions": 1,
    "weight_kg": 70.0,
    "bsa_m2": 1.8,
    "crcl_ml_min": 90.0,
}
DAYS = np.arange(0.0, 365.0, 7.0)
VISITS = np.arange(42.0, 366.0, 42.0)
PEMBROLIZUMAB = parse_regimen("pembrolizumab 200 mg every 3 weeks")


def course(*, growth_per_month=0.0, immortal=True, noise=False, seed=1, number=0, volume=30.0):
    """A course, and its volumes: the diameter grows by `growth_per_month` (relative)."""
    models = Models.load()
    lesions = replace(models.lesions, new_lesion_base=0.0, new_lesion_growth=0.0, heterogeneity=0.0, reader_cv=0.0)
    if not noise:
        lesions = replace(lesions, scan_cv=0.0)
    one = Course(PATIENT, volume, PatientStreams(seed, 0, number), replace(models, lesions=lesions))
    if immortal:
        one.death_left = 1e9
    return one, volume * np.exp(3 * growth_per_month * DAYS / DAYS_PER_MONTH)


def start(one, regimen=PEMBROLIZUMAB):
    return one.start_line("trial", 0.0, regimen, VISITS, 365.0)


def test_growth_progresses_at_the_first_visit_above_twenty_percent():
    one, volume = course(growth_per_month=0.05)
    line = start(one)
    end = one.advance(DAYS, volume, stop_at_progression=True)
    # ln 1.2 / 0.05 = 3.65 months = 111 days: seen on day 126.
    assert line.progression == 126.0
    assert end is not None
    assert DAYS[end] == 126.0
    assert line.responses == ["SD", "SD", "PD"]
    assert line.treatment_end == 126.0


def test_shrinking_tumour_responds():
    one, volume = course(growth_per_month=-0.2)
    line = start(one)
    assert one.advance(DAYS, volume, stop_at_progression=True) is None
    # ln 0.7 / -0.2 = 1.78 months = 54 days: seen on day 84.
    assert line.response == 84.0
    assert line.responses[0] == "SD"
    assert set(line.responses[1:]) <= {"PR", "CR"}


def test_pieces_give_the_same_course_as_one_go():
    whole, volume = course(growth_per_month=0.03, noise=True, immortal=False)
    a = start(whole)
    whole.advance(DAYS, volume, stop_at_progression=False)
    parts, volume = course(growth_per_month=0.03, noise=True, immortal=False)
    b = start(parts)
    for low, high in ((0, 20), (20, 31), (31, len(DAYS) - 1)):
        if parts.death is None:
            parts.advance(DAYS[low : high + 1], volume[low : high + 1], stop_at_progression=False)
    shared = [d for d in b.days if parts.death is None or d <= parts.death]
    assert a.sld_mm[: len(shared)] == pytest.approx(b.sld_mm[: len(shared)])
    assert whole.death == (None if parts.death is None else pytest.approx(parts.death))


def test_patient_streams_do_not_depend_on_each_other():
    first, volume = course(noise=True, number=7)
    second, _ = course(noise=True, number=7)
    start(first)
    second.streams["something else"].uniform(size=10)
    start(second)
    first.advance(DAYS, volume, stop_at_progression=True)
    second.advance(DAYS, volume, stop_at_progression=True)
    assert first.line.sld_mm == second.line.sld_mm
    other, _ = course(noise=True, number=8)
    start(other)
    other.advance(DAYS, volume, stop_at_progression=True)
    assert other.line.sld_mm != first.line.sld_mm


def test_lethal_volume_kills():
    one, volume = course(growth_per_month=0.3, volume=100.0)
    start(one)
    one.advance(DAYS, volume, stop_at_progression=False)
    assert one.death_cause == "tumour volume"
    # 100 mL to the lethal volume: ln(V / 100) / 0.9 months, seen at the next weekly point.
    days = np.log(one.models.hazard.lethal_volume_ml / 100.0) / 0.9 * DAYS_PER_MONTH
    assert one.death == 7.0 * np.ceil(days / 7.0)


def test_progressing_patients_die_earlier():
    def deaths(growth):
        found = []
        for number in range(60):
            one, volume = course(growth_per_month=growth, immortal=False, number=number)
            start(one)
            one.advance(DAYS, volume, stop_at_progression=False)
            found.append(one.death or 400.0)
        return np.mean(found)

    assert deaths(0.08) < deaths(-0.05)


def test_doses_follow_the_scan_of_their_day_and_stop_with_the_line():
    one, volume = course(growth_per_month=0.1)
    line = start(one)
    early = one.dose_times(0.0, 63.0)
    assert [round(t, 2) for t, _ in early][:3] == [0.05, 21.05, 42.05] or len(line.toxicity.changes) > 0
    one.advance(DAYS, volume, stop_at_progression=True)
    assert one.dose_times(line.progression + 1.0, 365.0) == []


def test_daily_tablets_have_cycles_of_three_weeks() -> None:
    from immunescape.trial.course import _cycles
    from immunescape.trial.grammar import parse_regimen

    regimen = parse_regimen("nivolumab 100 mg daily", ["nivolumab"])
    starts, end = _cycles(regimen, regimen.planned(100))
    assert starts == [0, 21, 42, 63, 84]
    assert end == 100
    weekly = parse_regimen("nivolumab 100 mg weekly", ["nivolumab"])
    assert _cycles(weekly, weekly.planned(22))[0] == [0, 7, 14, 21]


def several(*, targets=(40.0, 30.0), hidden=(), seed=1, scar=0.0):
    """A patient with lesions of known sizes, each with a lane of its own; `hidden` are seen from 8 mm on."""
    models = Models.load()
    exact = replace(models.lesions, scan_cv=0.0, reader_cv=0.0)
    size = np.array([*targets, *hidden])
    shown = np.array([*(0.0 for _ in targets), *(8.0 for _ in hidden)])
    lesions = Lesions(size, np.arange(len(size)), np.ones(len(size)), shown, scar)
    volumes = np.full(len(size), 50.0)
    one = Course(PATIENT, volumes, PatientStreams(seed, 0, 0), replace(models, lesions=exact), lesions=lesions)
    one.death_left = 1e9
    return one


def lanes(*rates):
    """Volumes of lanes whose diameters change by these relative rates per month."""
    return 50.0 * np.exp(3 * np.array(rates)[:, None] * DAYS / DAYS_PER_MONTH)


def test_micrometastasis_is_a_new_lesion_at_the_first_scan_that_shows_it():
    one = several(hidden=(4.0,))
    line = start(one)
    end = one.advance(DAYS, lanes(-0.2, -0.2, 0.2), stop_at_progression=True)
    # ln(8 / 4) / 0.2 = 3.47 months = 105 days: seen on day 126, while the others shrink
    assert line.progression == 126.0
    assert DAYS[end] == 126.0
    assert line.new_lesion == [False, False, True]
    assert line.responses == ["SD", "PR", "PD"]


def test_new_lesion_is_a_target_of_the_next_line_once_it_can_be_measured():
    one = several(hidden=(4.0,))
    start(one)
    volume = lanes(-0.4, -0.4, 0.25)
    end = one.advance(DAYS, volume, stop_at_progression=True)
    seen = one.line.progression
    one.start_line("next", seen, PEMBROLIZUMAB, VISITS, 365.0)
    one.advance(DAYS[end:], volume[:, end:], stop_at_progression=True)
    months = seen / DAYS_PER_MONTH
    assert 4.0 * np.exp(0.25 * months) >= 10.0
    assert list(one.line.targets) == [2]
    assert one.line.baseline_mm == pytest.approx(4.0 * np.exp(0.25 * months), rel=1e-3) or len(one.line.targets) == 1
    assert one.line.responses[-1] == "PD"
    assert not any(one.line.new_lesion)


def test_one_escaping_target_among_shrinking_ones_is_progression_of_the_sum():
    one = several(targets=(30.0, 30.0))
    line = start(one)
    one.advance(DAYS, lanes(-0.3, 0.15), stop_at_progression=True)
    assert math.isfinite(line.progression)
    assert not any(line.new_lesion)
    nadir = min([line.baseline_mm, *line.sld_mm[:-1]])
    assert line.sld_mm[-1] >= 1.2 * nadir


def test_small_lesion_that_was_seen_and_grows_is_unequivocal_progression():
    one = several(targets=(60.0, 8.0))
    line = start(one)
    one.advance(DAYS, lanes(-0.1, 0.15), stop_at_progression=True)
    # from 8 to 13 mm: ln(13 / 8) / 0.15 = 3.2 months = 98.5 days, seen on day 126; the sum has shrunk
    assert list(line.targets) == [0]
    assert line.progression == 126.0
    assert line.other_growth[-1]
    assert not any(line.new_lesion)


def test_scar_and_lesions_stay_in_the_next_course():
    one = several(targets=(40.0, 30.0), scar=0.125)
    start(one)
    one.advance(DAYS, lanes(-1.0, -1.0), stop_at_progression=False)
    after = Course(PATIENT, lanes(-1.0, -1.0)[:, -1], one.streams, one.models, earlier_lines=1, previous=one)
    line = start(after)
    gone = np.full((2, len(DAYS)), 1e-9)
    after.death_left = 1e9
    after.advance(DAYS, gone, stop_at_progression=True)
    assert line.baseline_mm == pytest.approx(35.0, rel=1e-2)  # half of each diameter is scar
    assert line.responses == ["SD"] * len(line.responses)


def test_scans_after_progression_leave_no_trace():
    one = several(hidden=(1.0,))
    start(one)
    volume = lanes(0.1, 0.1, 0.25)
    end = one.advance(DAYS, volume, stop_at_progression=True)
    assert one.lesions.diameter_mm[2] * np.exp(0.25 * 12) > 8.0  # later in the piece it would be seen
    assert np.isinf(one.seen[2])
    assert one.line.days[-1] == DAYS[end]


def test_the_volume_of_a_patient_is_that_of_all_lesions():
    one = several(targets=(40.0, 30.0))
    assert one.volume0 == pytest.approx(np.pi / 6 * (4.0**3 + 3.0**3))


def test_false_progression_on_a_scar_is_rare():
    # Twenty scans of a lesion that does not change: the reader's error of each scan alone
    # passes for growth at one scan of a hundred. In measured lesions 17 % of progressions were not seen again at the
    # next scan, two in a hundred scans (`laleh2022`; OAK and BIRCH, outside the held-out 30 %).
    progressed = scans = 0
    for number in range(200):
        one = Course({**PATIENT}, 30.0, PatientStreams(5, 0, number), Models.load())
        one.death_left, one.drawn_lesions = 1e9, False
        days = np.arange(0.0, 841.0, 7.0)
        line = one.start_line("trial", 0.0, PEMBROLIZUMAB, np.arange(42.0, 841.0, 42.0), 841.0)
        one.advance(days, np.full(len(days), 30.0), stop_at_progression=True)
        progressed += math.isfinite(line.progression)
        scans += len(line.days)
    assert 0.003 < progressed / scans < 0.018


def _death(regimen, growth=0.05, seed=3):
    one, volume = course(growth_per_month=growth, seed=seed, immortal=False)
    one.death_left = 0.1
    line = start(one, parse_regimen(regimen))
    line.toxicity = NO_TOXICITY
    end = one.advance(DAYS, volume, stop_at_progression=True)
    if one.death is None and end is not None:
        one.start_line("after", one.day, Regimen(), np.empty(0), 365.0, fallback=True)
        one.advance(DAYS[end:], volume[end:], stop_at_progression=False)
    return one


@pytest.mark.parametrize("growth", [0.0, 0.05, 0.3])
def test_the_same_tumour_kills_on_the_same_day_whatever_is_given(growth):
    regimens = (
        "pembrolizumab 200 mg every 3 weeks",
        "docetaxel 75 mg/m2 every 3 weeks",
        "pembrolizumab 200 mg every 3 weeks + carboplatin AUC 5 every 3 weeks",
    )
    deaths = {_death(regimen, growth).death for regimen in regimens}
    assert len(deaths) == 1
    assert None not in deaths


def test_regrowth_counts_from_the_smallest_scan():
    one, _ = course()
    line = start(one)
    # half the diameter by day 84, then growth: scans every 42 days
    months = DAYS / DAYS_PER_MONTH
    low = 84.0 / DAYS_PER_MONTH
    diameter = np.where(months < low, np.exp(-0.25 * months), np.exp(-0.25 * low + 0.1 * (months - low)))
    one.advance(DAYS, 30.0 * diameter**3, stop_at_progression=True)
    assert line.progression == 168.0  # ln(1.2) / 0.1 = 55 days after the nadir: seen at the second scan
    assert line.regrowth_months == pytest.approx((168.0 - 84.0) / DAYS_PER_MONTH)
    never, volume = course(growth_per_month=-0.02)
    line = start(never)
    never.advance(DAYS, volume, stop_at_progression=True)
    assert np.isnan(line.regrowth_months)
