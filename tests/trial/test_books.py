"""The books of a trial: crossover as asked, measurable disease at entry, toxicity of drugs that were given."""

from __future__ import annotations

import math

import numpy as np
import pytest

from immunescape.model.toxicity import toxicity
from immunescape.report.text import crossover_shortfalls
from immunescape.trial.coefficients import coefficients
from immunescape.trial.course import Course, Models, PatientStreams
from immunescape.trial.grammar import parse_regimen
from immunescape.trial.loading import load_trial
from immunescape.trial.runner import run_trial
from immunescape.trial.simulate import STEP_DAYS
from immunescape.trial.toxicity import ToxicityCourse, ToxicityEvent, simulate_toxicity
from immunescape.units import DAYS_PER_MONTH

SWITCHES = """
name: switches
title: Crossover and later therapy
population: {stage: IV, line: 1, ecog: [0, 1]}
arms:
  - name: of randomised
    role: experimental
    n: 90
    regimen: docetaxel 75 mg/m2 every 3 weeks
    crossover: {to: pembrolizumab 200 mg every 3 weeks, fraction: 0.4, of: randomised}
    subsequent:
      - {regimen: gemcitabine 1250 mg/m2 on days 1 and 8 every 3 weeks, fraction: 0.1, of: randomised}
  - name: of progressed
    role: control
    n: 90
    regimen: docetaxel 75 mg/m2 every 3 weeks
    crossover: {to: pembrolizumab 200 mg every 3 weeks, fraction: 0.5, of: progressed}
    subsequent:
      - {regimen: gemcitabine 1250 mg/m2 on days 1 and 8 every 3 weeks, fraction: 0.4, of: progressed}
visits: every 6 weeks
follow_up_months: 36
endpoints: {primary: [os]}
"""

LATER = """
name: later
title: After an EGFR inhibitor
population:
  stage: IV
  line: 2
  histology: nonsquamous
  drivers: {require: [EGFR]}
  ecog: [0, 1]
  MORE
prior:
  - {regimen: osimertinib 80 mg daily, outcome: progressed, months: 36, washout_days: 28}
arms:
  - {name: chemotherapy, role: experimental, n: 24, regimen: docetaxel 75 mg/m2 every 3 weeks}
lesions: single
visits: every 6 weeks
follow_up_months: 6
endpoints: {primary: [pfs]}
"""


def run(tmp_path, text: str, patients: int):
    path = tmp_path / "trial.yaml"
    path.write_text(text)
    return run_trial(load_trial(path), patients=patients, seed=2, workers=1)


@pytest.fixture(scope="module")
def switches(tmp_path_factory):
    return run(tmp_path_factory.mktemp("switches"), SWITCHES, 90)


def arm_rows(result, arm: str):
    return result.patients[result.patients["arm"] == arm]


@pytest.mark.slow
def test_crossover_of_the_randomised_is_delivered_within_three_points(switches):
    arm = switches.arms[0]
    assert arm["crossover_pct"] == pytest.approx(40, abs=3)
    assert arm["crossover_asked_pct"] == 40
    assert crossover_shortfalls(switches) == []
    assert arm["next_line_pct"] == pytest.approx(50, abs=3)  # two roundings


@pytest.mark.slow
def test_crossover_of_the_progressed_counts_them_and_later_therapy_those_who_did_not_cross_over(switches):
    rows = arm_rows(switches, "of progressed")
    progressed = rows["progression_day"].notna() & ~(rows["death_day"] <= rows["progression_day"])
    crossed = rows["next_line"] == "crossover"
    other = rows["next_line"] == "subsequent"
    assert crossed.sum() == pytest.approx(0.5 * progressed.sum(), abs=2)
    assert other.sum() == pytest.approx(0.4 * (progressed.sum() - crossed.sum()), abs=2)


@pytest.mark.slow
def test_whoever_switches_lives_to_receive_the_first_dose_of_the_next_line(switches):
    rows = switches.patients[switches.patients["next_line"].notna()]
    died = rows["death_day"].astype(float)
    assert len(rows) > 20
    assert (died.isna() | (died > rows["next_line_day"])).all()
    pause = rows["next_line_day"] - rows["progression_day"]
    gap = coefficients("trial_conduct")["next_line_gap"].value
    assert pause.between(gap, gap + STEP_DAYS).all()


def test_who_asks_for_more_places_than_there_are_patients_fills_all_of_them(tmp_path):
    text = SWITCHES.replace("fraction: 0.4, of: randomised", "fraction: 1.0, of: randomised")
    result = run(tmp_path, text, 24)
    rows = arm_rows(result, "of randomised")
    gap = coefficients("trial_conduct")["next_line_gap"].value
    day, death = rows["progression_day"].astype(float), rows["death_day"].astype(float)
    end = np.minimum(rows["follow_up_day"], rows["dropout_day"]).astype(float)
    crossed = rows["next_line"] == "crossover"
    kept_from = day.isna() | (np.fmin(death, end) <= day + gap + STEP_DAYS)
    assert (crossed | kept_from).all()
    assert crossed.sum() > 8
    (line,) = crossover_shortfalls(result)
    assert line.startswith("of randomised: ")
    assert "100 %" in line


@pytest.mark.slow
def test_after_earlier_lines_patients_enter_with_a_measurable_lesion(tmp_path):
    demanded = run(tmp_path, LATER.replace("MORE", ""), 12)
    assert demanded.patients["sld_mm"].min() >= 10.0
    waived = run(tmp_path, LATER.replace("MORE", "measurable: false"), 40)
    assert waived.patients["sld_mm"].min() < 10.0


def test_criteria_on_the_tumour_are_read_at_entry(tmp_path):
    text = LATER.replace("MORE", "covariates: {sld_mm: {low: 25}}")
    result = run(tmp_path, text, 12)
    assert result.patients["sld_mm"].min() >= 25.0
    assert result.candidates["chemotherapy"]["not eligible at entry"] > 0
    assert sum(result.candidates["chemotherapy"].values()) > result.candidates["chemotherapy"]["accepted"] >= 12


# --- toxicity ---------------------------------------------------------------------------------------------------------


def courses(drugs: tuple[str, ...], first: dict[str, float], n: int = 3000):
    harm = toxicity(drugs)
    rng = np.random.default_rng(5)
    return harm, [simulate_toxicity(harm, np.arange(0.0, 700.0, 21.0), 721.0, rng, first) for _ in range(n)]


def test_a_drug_harms_nobody_before_its_first_dose():
    _, delayed = courses(("olaparib", "pembrolizumab"), {"olaparib": 60.0, "pembrolizumab": 60.0})
    assert min(e.day for c in delayed for e in c.events) > 60.0
    _, staggered = courses(("carboplatin", "pembrolizumab"), {"carboplatin": 0.0, "pembrolizumab": 400.0})
    days = np.array([e.day for c in staggered for e in c.events])
    early, late = (days < 400).mean(), (days >= 400).mean()
    # nearly all events of a cytotoxic drug come within the first months; those of the late drug come after its dose
    assert early > 0.4
    assert late > 0.1
    assert ((days > 300) & (days < 400)).mean() < 0.02


def test_events_of_drugs_given_together_do_not_depend_on_the_first_doses():
    harm, plain = courses(("carboplatin", "pemetrexed"), {})
    _, given = courses(("carboplatin", "pemetrexed"), {"carboplatin": 0.0, "pemetrexed": 0.0})
    assert harm.death > 0
    assert [c.events for c in plain] == [c.events for c in given]


@pytest.mark.parametrize("drugs", [("docetaxel",), ("carboplatin", "paclitaxel", "bevacizumab"), ("pembrolizumab",)])
def test_deaths_from_toxicity_come_at_the_published_rate(drugs):
    """Treatment ends at random, with the published median time on treatment; so do the chances of a severe event."""
    harm, drawn = courses(tuple(sorted(drugs)), {}, n=8000)
    kind = "exposure_ici" if drugs == ("pembrolizumab",) else "exposure_cytotoxic"
    mean = coefficients("trial_conduct")[kind].value * DAYS_PER_MONTH / math.log(2)
    ends = np.random.default_rng(7).exponential(mean, len(drawn))
    died = np.mean([c.death_day is not None and c.death_day <= e for c, e in zip(drawn, ends, strict=True)])
    assert died == pytest.approx(harm.death, abs=4 * math.sqrt(harm.death / len(drawn)))


def test_a_death_from_toxicity_is_a_death_of_the_trial_while_the_drug_is_given():
    """A patient whose event would be fatal on day 100: treated until then he dies, treated less he lives."""
    fatal = ToxicityCourse((ToxicityEvent(100.0, "fatal"),), ())
    days = np.arange(0.0, 365.0, 7.0)
    regimens = {
        "docetaxel 75 mg/m2 every 3 weeks": (100.0, "toxicity"),
        "docetaxel 75 mg/m2 every 3 weeks for 2 cycles": (None, ""),
    }
    for text, (day, cause) in regimens.items():
        one = Course(PATIENT, 30.0, PatientStreams(1, 0, 0), Models.load())
        one.death_left = 1e9
        line = one.start_line("trial", 0.0, parse_regimen(text), np.empty(0), 365.0)
        line.toxicity = fatal
        one.advance(days, np.full(len(days), 30.0), stop_at_progression=True)
        assert (one.death, one.death_cause) == (day, cause)


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
