"""The toxicity process gives back the published shares, and changes doses as it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from immunescape.model.toxicity import toxicity
from immunescape.trial.dosing import BodySize, administered
from immunescape.trial.grammar import parse_regimen
from immunescape.trial.toxicity import NO_TOXICITY, regimen_toxicity, simulate_toxicity

CYCLES = [21.0 * k for k in range(35)]


def courses(harm, n=4000, cycles=CYCLES, last=35 * 21.0, seed=0):
    return [simulate_toxicity(harm, cycles, last, np.random.default_rng([seed, i])) for i in range(n)]


@pytest.mark.parametrize(
    ("drugs", "median_months"), [(("pembrolizumab",), 7.0), (("carboplatin", "pemetrexed"), 3.5), (("docetaxel",), 3.5)]
)
def test_shares_over_courses_of_the_published_length_are_the_published_ones(drugs, median_months):
    harm = toxicity(drugs)
    ends = np.random.default_rng(7).exponential(median_months * 30.4375 / np.log(2), 4000)
    found = [c.before(end) for c, end in zip(courses(harm, cycles=[0.0], last=1e9), ends, strict=True)]
    assert np.mean([bool(events) for events in found]) == pytest.approx(harm.grade3, abs=0.025)
    stopped = [any(e.outcome != "continue" for e in events) for events in found]
    assert np.mean(stopped) == pytest.approx(min(max(harm.discontinuation, harm.death), harm.grade3), abs=0.02)
    assert np.mean([any(e.outcome == "fatal" for e in events) for events in found]) == pytest.approx(
        harm.death, abs=0.01
    )


def test_onset_median():
    harm = toxicity(("pembrolizumab",))
    days = [c.events[0].day for c in courses(harm, last=1e9) if c.events]
    assert np.median(days) == pytest.approx(7 * harm.onset_median_weeks, rel=0.15)


def test_no_event_after_the_end_of_treatment():
    harm = toxicity(("docetaxel",))
    short = courses(harm, cycles=[0.0], last=21.0)
    assert all(event.day <= 21.0 for c in short for event in c.events)
    assert np.mean([bool(c.events) for c in short]) < harm.grade3


def test_late_cycles_come_with_their_share_and_are_whole_weeks():
    harm = replace(toxicity(("carboplatin", "pemetrexed")), grade3=1e-9, discontinuation=0.0, death=0.0)
    found = courses(harm, n=500, cycles=CYCLES[:11], last=400.0)
    delays = [c for one in found for c in one.changes if c.kind == "delay"]
    assert all(c.value % 7 == 0 and c.value > 0 for c in delays)
    assert len(delays) / (500 * 10) == pytest.approx(harm.delay_per_cycle, abs=0.02)


def test_stop_ends_all_doses_and_a_reduction_spares_antibodies():
    regimen = parse_regimen("pembrolizumab 200 mg every 3 weeks + pemetrexed 500 mg/m2 every 3 weeks")
    harm = regimen_toxicity(regimen)
    assert harm is not None
    stopping = replace(harm, grade3=0.999, discontinuation=0.999, death=0.0, delay_per_cycle=0.0)
    course = simulate_toxicity(stopping, CYCLES, 735.0, np.random.default_rng(1))
    assert course.stop_day is not None
    doses = administered(regimen, BodySize(), until_days=735, changes=course.changes)
    assert all(dose.time_days < course.stop_day for dose in doses)
    sparing = replace(harm, grade3=1e-9, dose_reduction=1.0, reduced_dose=0.7, delay_per_cycle=0.0)
    course = simulate_toxicity(sparing, CYCLES, 735.0, np.random.default_rng(1))
    doses = administered(regimen, BodySize(), until_days=735, changes=course.changes)
    assert {d.drug for d in doses if d.amount < d.planned} == {"pemetrexed"}
    assert doses[-1].amount == pytest.approx(0.7 * 500 * 1.8) or doses[-1].drug == "pembrolizumab"


def test_no_drug_no_toxicity():
    assert regimen_toxicity(parse_regimen("observation")) is None
    assert simulate_toxicity(None, [], 0.0, np.random.default_rng(0)) is NO_TOXICITY


def test_same_generator_same_course():
    harm = toxicity(("carboplatin", "paclitaxel"))
    assert courses(harm, n=50) == courses(harm, n=50)
