"""Figures of combinations that were looked up again; nothing is fitted to, or learnt from, the others."""

from __future__ import annotations

import math

import pytest

from immunescape.evaluation.harness.checks import UNVERIFIED, checks, only_checked
from immunescape.evaluation.harness.class_effects import evidence
from immunescape.evaluation.harness.protocols import Protocol
from immunescape.evaluation.harness.scoring import comparisons
from immunescape.evaluation.targets import trial_targets
from immunescape.trial.loading import load_trial

TEXT = """name: {name}
title: A made-up copy of a combination
population: {{stage: IV, line: 1, histology: any}}
later_lines: as written
arms:
  - name: both
    role: experimental
    n: 284
    regimen: pembrolizumab 200 mg every 3 weeks + ipilimumab 1 mg/kg every 6 weeks
  - {{name: one, role: control, n: 284, regimen: pembrolizumab 200 mg every 3 weeks}}
visits: every 9 weeks
follow_up_months: 24
endpoints: {{primary: [os]}}
published:
  sources: {{orr: x, pfs: x, os: x}}
  arms: [{{name: both, n: 284, orr_pct: 45}}, {{name: one, n: 284, orr_pct: 45}}]
  comparison: {{pfs_hr: 1.06, os_hr: 1.08}}
"""


def trial(tmp_path, name):
    path = tmp_path / f"{name}.yaml"
    path.write_text(TEXT.format(name=name))
    return load_trial(str(path))


def test_only_figures_that_were_found_are_fitted(tmp_path):
    kept, missing = only_checked(trial(tmp_path, "keynote-598"))
    assert sorted(missing) == ["orr_control", "orr_experimental"]
    assert {t.kind for t in trial_targets(kept)} == {"hr"}
    kept, missing = only_checked(trial(tmp_path, "skyscraper-01"))
    assert sorted(missing) == ["os_hr", "pfs_hr"]
    assert {t.kind for t in trial_targets(kept)} == {"orr"}
    own = trial(tmp_path, "mine")
    assert only_checked(own) == (own, ())


def test_every_figure_that_was_found_has_a_source_and_a_value():
    for (name, figure), check in checks().items():
        assert (check.value is not None and bool(check.source)) or not check.verified, (name, figure)
        if check.low is not None:
            assert check.low < check.value < check.high, (name, figure)


def test_an_interval_of_another_level_is_brought_to_95_percent():
    check = checks()["br-34", "os_hr"]  # published: 90 %, 0.67 to 1.16
    assert math.log(check.high / check.low) == pytest.approx(math.log(1.16 / 0.67) * 1.95996 / 1.64485, rel=1e-4)
    assert checks()["contact-01", "pfs_hr"].low == pytest.approx(0.59)


def test_the_harness_takes_the_interval_that_was_found_and_no_class_learns_from_figures_that_were_not(tmp_path):
    figures = {"orr_pct": [40.0, 4.0]}
    rows = {
        "arms": [{"name": n, "figures": figures} for n in ("both", "one")],
        "comparison": {"pfs_hr": [0.9, 0.1], "os_hr": [0.9, 0.1]},
    }
    made = {}
    for name in ("keynote-598", "skyscraper-01"):
        protocol = Protocol(trial(tmp_path, name), "calibration", "addon", {"combination": {}}, False)
        compared = comparisons([protocol], {name: rows}, None)
        made[name] = {(c.arm, c.figure): c for c in compared}
        assert bool(evidence([protocol], compared, "pfs_hr")) == (name == "keynote-598")
    ratio = made["keynote-598"]["", "pfs_hr"]
    assert (ratio.published_low, ratio.published_high) == pytest.approx((0.86, 1.30))
    assert not ratio.guessed
    assert made["keynote-598"]["both", "orr_pct"].checked == UNVERIFIED
    assert made["skyscraper-01"]["", "pfs_hr"].checked == UNVERIFIED


def test_the_table_knows_every_figure_of_the_combinations_at_hand(shared_data):
    import csv

    columns = {"pfs_hr": "pfs_hr", "os_hr": "os_hr", "orr_experimental": "orr_exp", "orr_control": "orr_ctl"}
    with (shared_data / "combinations.csv").open() as stream:
        for row in csv.DictReader(stream):
            name = row["trial_file"].removesuffix(".yaml")
            for figure, column in columns.items():
                check = checks().get((name, figure))
                assert (check is not None) == bool(row[column]), (name, figure)
                if check is not None and check.verified:
                    assert check.value == pytest.approx(float(row[column]), abs=0.051), (name, figure)
