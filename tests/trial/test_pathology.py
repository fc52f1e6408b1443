"""Resection: the viable share of the tumour bed, rates of an arm, and a small trial from its file to its figures."""

from __future__ import annotations

import numpy as np
import pytest

from immunescape.errors import InputError
from immunescape.report.tables import results_table
from immunescape.trial.loading import load_trial
from immunescape.trial.pathology import Bed, pathological_rates, viable_share
from immunescape.trial.runner import run_trial

TEXT = """\
name: neoadjuvant
title: Chemotherapy with nivolumab before resection
population: {stage: [III, IV], line: 1}
arms:
  - name: chemotherapy and nivolumab
    role: experimental
    n: 100
    regimen: >-
      carboplatin AUC 5 + pemetrexed 500 mg/m2 + nivolumab 360 mg every 3 weeks for 3 cycles
  - name: chemotherapy
    role: control
    n: 100
    regimen: carboplatin AUC 5 + pemetrexed 500 mg/m2 every 3 weeks for 3 cycles
visits: every 9 weeks
follow_up_months: 4
resection_day: 98
endpoints: {primary: [pcr], secondary: [mpr, orr]}
published:
  arms:
    - {name: chemotherapy and nivolumab, mpr_pct: 36.9, pcr_pct: 24.0}
    - {name: chemotherapy, mpr_pct: 8.9, pcr_pct: 2.2}
"""


def written(path, text: str = TEXT):
    file = path / "neoadjuvant.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_bed_holds_the_most_cells_that_there_were() -> None:
    course = np.array([[100.0, 90.0, 9.0], [100.0, 400.0, 38.0], [100.0, 100.0, np.nan]])
    share = viable_share(course[:, -1], course)
    assert share[:2] == pytest.approx([0.09, 0.095])
    assert np.isnan(share[2])


def test_a_bed_is_followed_over_pieces_and_read_on_its_day() -> None:
    bed = Bed(day=10.0)
    bed.follow(np.array([0.0, 7.0]), np.array([50.0, 200.0]))
    assert bed.share is None
    bed.follow(np.array([7.0, 14.0, 21.0]), np.array([200.0, 60.0, 900.0]))
    assert bed.share == pytest.approx((200 - 140 * 3 / 7) / 200)
    bed.follow(np.array([21.0, 28.0]), np.array([900.0, 900.0]))
    assert bed.share == pytest.approx(0.7)
    gone = Bed(day=7.0)
    gone.follow(np.array([0.0, 7.0]), np.zeros(2))
    assert gone.share == 0.0


def test_who_is_not_resected_has_no_response_and_counts() -> None:
    rates = pathological_rates(np.array([0.05, 5.0, 10.0, 11.0, np.nan]))
    assert rates["resected_pct"] == 80.0
    assert rates["mpr_pct"] == 60.0
    assert rates["pcr_pct"] == 20.0
    assert rates["pcr_ci"][0] < 20.0 < rates["pcr_ci"][1]


def test_a_trial_from_its_file_to_its_rates(tmp_path) -> None:
    trial = load_trial(written(tmp_path))
    assert trial.resection_day == 98
    result = run_trial(trial, patients=12, seed=1, workers=1)
    both, alone = result.to_json()["arms"]
    shares = result.patients["viable_share_pct"].astype(float)
    assert ((shares >= 0) & (shares <= 100) | shares.isna()).all()
    assert both["mpr_pct"] >= alone["mpr_pct"]
    assert both["mpr_pct"] >= both["pcr_pct"]
    mine = result.patients[result.patients["arm"] == "chemotherapy"]
    assert alone["resected_pct"] == pytest.approx(100 * mine["viable_share_pct"].notna().mean(), abs=0.01)
    early = mine["progression_day"].astype(float) <= 98
    assert mine.loc[early, "viable_share_pct"].isna().all()
    rows = {(r["Endpoint"], r["Arm"]): r for r in results_table(result).rows}
    assert rows["Major pathological response (%)", "chemotherapy"]["Published"] == "8.9"
    assert result.to_json()["published"]["arms"][1]["pcr_pct"] == 2.2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("resection_day: 98\n", "", "needs a resection"),
        ("resection_day: 98", "resection_day: 200", "after the end of follow-up"),
        ("resection_day: 98", "resection_day: -3", "greater than 0"),
        ("resection_day: 98", "resection_days: 98", "resection_day"),
    ],
)
def test_a_resection_that_cannot_be_is_refused(tmp_path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_trial(written(tmp_path, TEXT.replace(old, new)))
