"""What a trial file can express: mixes of arms, regions, mixed earlier lines, assays, several arms, follow-up."""

from __future__ import annotations

import numpy as np
import pytest

from immunescape.errors import InputError
from immunescape.population.covariates import sample_covariates
from immunescape.report.tables import comparison_table
from immunescape.trial.loading import load_trial
from immunescape.trial.pdl1 import tps_range
from immunescape.trial.runner import run_trial
from immunescape.trial.spec import Trial

BASE = """
name: mine
title: A trial
later_lines: as written
population: {population}
{more}
arms:
  - name: docetaxel
    role: experimental
    n: 90
    regimen: docetaxel 75 mg/m2 every 3 weeks
    {arm}
  - {{name: placebo, role: control, n: 90, regimen: placebo every 3 weeks}}
visits: every 6 weeks
{follow_up}
endpoints: {{primary: [os]}}
"""


def load(tmp_path, *, population="{stage: IV, line: 1}", more="", arm="", follow_up="follow_up_months: 4") -> Trial:
    path = tmp_path / "mine.yaml"
    path.write_text(BASE.format(population=population, more=more, arm=arm, follow_up=follow_up))
    return load_trial(path)


def refusal(tmp_path, **given: str) -> str:
    with pytest.raises(InputError) as caught:
        load(tmp_path, **given)
    return str(caught.value)


# --- a mix of an arm's own --------------------------------------------------------------------------------------------


def test_an_arm_can_have_a_mix_of_its_own(tmp_path):
    mix = "mix: {histology: {squamous: 0.7, nonsquamous: 0.3}}"
    trial = load(
        tmp_path, population="{stage: IV, line: 1, mix: {histology: {squamous: 0.2, nonsquamous: 0.8}}}", arm=mix
    )
    rows = run_trial(trial, patients=60, seed=1, workers=1).patients
    shares = (rows["histology"] == "squamous").groupby(rows["arm"]).mean()
    assert shares["docetaxel"] == pytest.approx(0.7, abs=0.15)
    assert shares["placebo"] == pytest.approx(0.2, abs=0.15)
    assert not trial.can_pair
    with pytest.raises(InputError, match="cannot share their patients"):
        run_trial(trial, patients=10, seed=1, workers=1, paired=True)


# --- regions ----------------------------------------------------------------------------------------------------------


def test_patients_of_several_regions_have_the_shares_of_the_file(tmp_path):
    population = "{stage: IV, line: 1, drivers: {require: [EGFR]}, region: {western: 0.6, east_asian: 0.4}}"
    trial = load(tmp_path, population=population)
    assert trial.population.regions == (("western", 0.6), ("east_asian", 0.4))
    rows = run_trial(trial, patients=150, seed=1, workers=1, paired=True).patients
    mine = rows[rows["arm"] == "placebo"]
    # four in ten of the enrolled, though mutant EGFR is several times as frequent there
    assert (mine["region"] == "east_asian").mean() == pytest.approx(0.4, abs=0.13)
    assert mine["id"].is_unique


def test_a_dozen_patients_come_from_both_regions(tmp_path):
    population = "{stage: IV, line: 1, region: {western: 0.5, east_asian: 0.5}}"
    rows = run_trial(load(tmp_path, population=population), patients=12, seed=5, workers=1).patients
    shares = (rows["region"] == "east_asian").groupby(rows["arm"]).mean()
    assert ((shares > 0.2) & (shares < 0.8)).all()


def test_shares_of_regions_that_do_not_add_up_are_refused(tmp_path):
    text = refusal(tmp_path, population="{stage: IV, line: 1, region: {western: 0.6, east_asian: 0.6}}")
    assert "1.2" in text
    assert "region" in refusal(tmp_path, population="{stage: IV, line: 1, region: {western: 0.6, asian: 0.4}}")


# --- mixed earlier lines ----------------------------------------------------------------------------------------------


def test_some_patients_have_one_earlier_line_and_some_two(tmp_path):
    more = """prior:
  - {regimen: docetaxel 75 mg/m2 every 3 weeks for 2 cycles, outcome: progressed, months: 24, share: 0.3}
  - {regimen: docetaxel 75 mg/m2 every 3 weeks for 2 cycles, outcome: progressed, months: 24}"""
    trial = load(tmp_path, population="{stage: IV, line: 2+}", more=more)
    rows = run_trial(trial, patients=60, seed=1, workers=1, paired=True).patients
    mine = rows[rows["arm"] == "placebo"]
    assert mine["prior 2_days"].notna().all()
    # a few of those with two lines are lost on the way
    assert 0.08 < mine["prior 1_days"].notna().mean() < 0.45


# --- assays of PD-L1 --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("assay", "low", "high", "expected"),
    [
        ("SP142", 1, 100, (3, 100)),
        ("SP142", 50, 100, (74, 100)),
        ("SP142", 5, 49, (44, 74)),
        ("73-10", 80, 100, (50, 100)),
        ("73-10", 1, 79, (1, 50)),
        ("73-10", 0, 0, (0, 1)),
    ],
)
def test_ranges_of_other_assays_are_translated(assay, low, high, expected):
    assert tps_range(assay, low, high) == pytest.approx(expected)


def test_translated_cutoffs_have_the_prevalence_that_the_trials_found():
    table = sample_covariates(0, 8192, 3, 0)
    tps = table.loc[table["stage"] == "IV", "pdl1_tps"].to_numpy()
    for assay, score, prevalence in (
        ("SP142", 1, 0.54),
        ("SP142", 5, 0.31),
        ("SP142", 50, 0.16),
        ("73-10", 50, 0.40),
        ("73-10", 80, 0.29),
    ):
        assert np.mean(tps >= tps_range(assay, score, 100)[0]) == pytest.approx(prevalence, abs=0.03)


def test_a_file_may_state_a_range_of_sp142_or_73_10(tmp_path):
    trial = load(tmp_path, population="{stage: IV, line: 1, pdl1: {assay: SP142, range: [50, 100]}}")
    (criterion,) = (c for c in trial.population.criteria if c.covariate == "pdl1_tps")
    assert (criterion.low, criterion.high) == (74, 100)
    text = refusal(tmp_path, population="{stage: IV, line: 1, pdl1: {assay: 73-10, range: [30, 100]}}")
    assert "30 is not a cut-off of 73-10" in text
    assert "0, 1, 50, 80" in text


# --- several experimental arms ----------------------------------------------------------------------------------------

THREE = """
name: three
title: Three arms
later_lines: as written
population: {stage: IV, line: 1}
arms:
  - {name: docetaxel, role: experimental, n: 90, regimen: docetaxel 75 mg/m2 every 3 weeks}
  - {name: less, role: experimental, n: 90, regimen: docetaxel 60 mg/m2 every 3 weeks for 2 cycles}
  - {name: placebo, role: control, n: 90, regimen: placebo every 3 weeks}
visits: every 6 weeks
follow_up_months: 8
endpoints: {primary: [os]}
published:
  arms: [{name: docetaxel, n: 90}, {name: less, n: 90}, {name: placebo, n: 90}]
  comparison:
    - {arm: docetaxel, pfs_hr: 0.5, os_hr: 0.7}
    - {arm: less, pfs_hr: 0.8, os_hr: 0.9}
"""


def test_three_arms_give_two_comparisons_each_beside_its_published_one(tmp_path):
    path = tmp_path / "three.yaml"
    path.write_text(THREE)
    trial = load_trial(path)
    assert trial.published.pfs_hr == 0.5
    assert trial.published.others["less"]["pfs_hr"] == 0.8
    result = run_trial(trial, patients=24, seed=1, workers=1, paired=True)
    (second,) = result.comparison["others"]
    assert (second["experimental"], second["control"]) == ("less", "placebo")
    assert result.comparison["pfs_hr"] < second["pfs_hr"]
    rows = {r["Hazard ratio"]: r["Published"] for r in comparison_table(result).rows}
    assert rows["Progression-free survival, less"].startswith("0.8")
    from immunescape.evaluation.scoreboard import score_trial

    scored = {(s.arm, s.endpoint): s.published for s in score_trial(result, resamples=20)}
    assert scored["less / placebo", "os_hr"] == 0.9
    assert scored["docetaxel / placebo", "os_hr"] == 0.7


def test_a_comparison_of_an_arm_that_is_not_there_is_refused(tmp_path):
    path = tmp_path / "three.yaml"
    path.write_text(THREE.replace("{arm: less,", "{arm: lesser,"))
    with pytest.raises(InputError, match="experimental arm"):
        load_trial(path)
    path.write_text(THREE.replace("{arm: less,", "{arm: docetaxel,"))
    with pytest.raises(InputError, match="two comparisons of 'docetaxel'"):
        load_trial(path)


# --- follow-up --------------------------------------------------------------------------------------------------------


def test_a_median_follow_up_sets_the_data_cut(tmp_path):
    trial = load(tmp_path, more="randomisation: {accrual_months: 12}", follow_up="median_follow_up_months: 20")
    assert trial.follow_up_months == 26
    (cut,) = trial.data_cuts
    assert cut.months == 26
    assert "os" in cut.endpoints
    rows = run_trial(trial, patients=24, seed=1, workers=1, paired=True).patients
    followed = np.minimum(26 - rows["entry_months"], 26)
    assert float(np.median(followed)) == pytest.approx(20, abs=2.5)


@pytest.mark.parametrize("text", ["", "follow_up_months: 12\nmedian_follow_up_months: 12"])
def test_one_of_both_follow_ups_is_needed(tmp_path, text):
    assert "median_follow_up_months" in refusal(tmp_path, follow_up=text)


def test_visits_may_be_written_with_at(tmp_path):
    trial = load(tmp_path, follow_up="follow_up_months: 12")
    from immunescape.trial.schedule import parse_schedule

    assert trial.visits.times(100).tolist() == [42, 84]
    assert parse_schedule("at weeks 6 and 12 then every 9 weeks").times(150).tolist() == [42, 84, 147]
