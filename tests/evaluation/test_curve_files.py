"""Digitised curves and the protocols of their trials: arms, figures, what is left out of a fit."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from immunescape.evaluation.curve_files import CURVES
from immunescape.evaluation.harness.protocols import curve_trials, protocol_file
from immunescape.evaluation.harness.real import curve_references
from immunescape.evaluation.outcome_targets import curve_crossings
from immunescape.evaluation.published_curves import curves_at_hand
from immunescape.evaluation.targets import curve_targets, trial_targets
from immunescape.stats.survival import kaplan_meier
from immunescape.trial.loading import load_trial

TRIALS = {row["trial"]: row for row in curve_trials()}


def loaded(name: str):
    return load_trial(str(protocol_file(name)) if name in TRIALS else name)


def write_curve(path, **arms):
    """Event times of 40 patients an arm, half of them before the month that is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        table = csv.writer(stream)
        table.writerow(["time", "event", "arm"])
        for arm, months in arms.items():
            table.writerows([[round(months * (k + 0.5) / 20, 3), 1, arm] for k in range(40)])


@pytest.mark.parametrize("name", sorted({file.trial for file in CURVES.values()}))
def test_the_arms_of_a_curve_are_arms_of_its_protocol(name):
    arms = {arm.name for arm in loaded(name).arms}
    for file in CURVES.values():
        assert file.trial != name or set(file.arms.values()) <= arms


@pytest.mark.parametrize("name", sorted(TRIALS))
def test_a_trial_with_curves_is_no_copy_of_a_trial_that_ships_and_says_where_its_figures_come_from(name):
    trial = loaded(name)
    assert TRIALS[name]["role"] == "calibration"
    assert trial.published is not None
    targets = trial_targets(trial)
    assert targets
    assert all(target.source for target in targets)


def test_an_arm_whose_drug_has_no_model_is_left_out_of_the_curves(tmp_path):
    write_curve(tmp_path / "km" / "revel_os.csv", placebo_docetaxel=9.0, ramucirumab_docetaxel=10.0)
    targets = curve_targets(tmp_path / "km", [loaded("revel-control")])
    assert {t.arms for t in targets} == {(("revel-control", "docetaxel"),)}
    assert set(curves_at_hand(loaded("revel-control"), tmp_path)["os"]) == {"docetaxel"}
    assert {(r["arm"], r["figure"]) for r in curve_references(tmp_path)} == {
        ("docetaxel", "os_6_pct"),
        ("docetaxel", "os_12_pct"),
    }


def test_curves_of_patients_who_had_to_survive_are_neither_fitted_nor_compared(tmp_path):
    write_curve(tmp_path / "km" / "ca184104_os.csv", ipilimumab_chemotherapy=13.4, chemotherapy=12.4)
    trial = loaded("ca184-104")
    assert curve_targets(tmp_path / "km", [trial]) == []
    assert curve_references(tmp_path) == []
    assert [t.kind for t in trial_targets(trial)] == ["hr"]


def test_a_single_arm_has_no_crossing_and_two_arms_have(tmp_path):
    write_curve(tmp_path / "revel_pfs.csv", placebo_docetaxel=3.0, ramucirumab_docetaxel=4.5)
    write_curve(tmp_path / "camel_nsq_pfs.csv", camrelizumab_chemo=11.3, chemo=8.3)
    targets = curve_crossings(tmp_path, ["revel-control", "camel"])
    assert targets
    assert {arm[0] for t in targets for arm in t.arms} == {"camel"}


def test_published_medians_agree_with_the_digitised_curves(shared_data):
    """Within 8 %: reading errors, and the medians of PFS lie on steps."""
    compared = 0
    for stem, file in CURVES.items():
        if file.selected or file.trial not in TRIALS:
            continue
        published = loaded(file.trial).published
        for name, rows in file.read(shared_data / "km" / f"{stem}.csv").items():
            curve = kaplan_meier([t for t, _ in rows], [e for _, e in rows])
            if curve["survival"].min() > 0.5:
                continue  # the first cut of CameL's survival on camrelizumab
            median = curve["time"][np.argmax(curve["survival"].to_numpy() <= 0.5)]
            value = getattr(published.arm(name), f"{file.endpoint}_median_months")
            assert median == pytest.approx(value, rel=0.08), (stem, name)
            compared += 1
    assert compared == 11
