"""Small real runs: the same numbers for any number of workers, after an interruption, with damaged files."""

from __future__ import annotations

import json
import math

import pandas as pd
import pytest

from immunescape.errors import ImmunescapeError, InputError
from immunescape.trial import runner
from immunescape.trial.loading import load_trial
from immunescape.trial.runner import run_trial

pytestmark = pytest.mark.slow

TEXT = """\
name: small
title: A small trial
population:
  stage: IV
  line: 1
  histology: any
arms:
  - name: pembrolizumab
    role: experimental
    n: 5
    regimen: pembrolizumab 200 mg every 3 weeks
  - name: docetaxel
    role: control
    n: 5
    regimen: docetaxel 75 mg/m2 every 3 weeks
    crossover: {to: pembrolizumab 200 mg every 3 weeks, fraction: 0.5}
visits: every 6 weeks
follow_up_months: 12
endpoints: {primary: [os], secondary: [pfs, orr]}
"""


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    path = tmp_path_factory.mktemp("trial") / "small.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return load_trial(path)


@pytest.fixture(scope="module")
def result(trial):
    return run_trial(trial, patients=5, seed=3, workers=1)


def same(a, b):
    pd.testing.assert_frame_equal(a.patients, b.patients, check_exact=True)
    pd.testing.assert_frame_equal(a.visits, b.visits, check_exact=True)
    one, two = a.to_json(), b.to_json()
    one.pop("wall_s")
    two.pop("wall_s")
    assert one == two


def test_result_has_the_agreed_shape(result):
    content = result.to_json()
    json.dumps(content, allow_nan=False)
    assert [arm["name"] for arm in content["arms"]] == ["pembrolizumab", "docetaxel"]
    for arm in content["arms"]:
        assert {
            "name",
            "regimen",
            "n",
            "failed",
            "orr_pct",
            "orr_ci",
            "dor_median_months",
            "pfs_median_months",
            "os_median_months",
            "grade3_pct",
            "discontinued_pct",
        } <= set(arm)
        assert arm["n"] == 5
    assert {"pfs_hr", "pfs_hr_ci", "os_hr", "os_hr_ci"} <= set(content["comparison"])
    assert len(result.patients) == 10
    assert (result.patients["pfs_months"] <= result.patients["os_months"] + 1e-9).all()
    for number, (months, change) in result.change_by_visit("docetaxel").items():
        assert months[0] == 0.0
        assert change[0] == 0.0
        assert number in set(result.patients["id"])


def test_same_seed_same_result_and_another_seed_another(trial, result):
    same(result, run_trial(trial, patients=5, seed=3, workers=1))
    other = run_trial(trial, patients=5, seed=4, workers=1)
    assert not other.patients["os_months"].equals(result.patients["os_months"])


def test_two_workers_give_the_same_numbers(trial, result):
    same(result, run_trial(trial, patients=5, seed=3, workers=2))


def test_more_patients_keep_the_first_ones(trial, result):
    more = run_trial(trial, patients=7, seed=3, workers=1)
    for arm in ("pembrolizumab", "docetaxel"):
        few = result.patients[result.patients["arm"] == arm].reset_index(drop=True)
        first = more.patients[more.patients["arm"] == arm].head(5).reset_index(drop=True)
        pd.testing.assert_frame_equal(few, first, check_exact=True, check_dtype=False)


def test_interrupted_run_resumes_and_damaged_blocks_are_made_again(trial, result, tmp_path, monkeypatch):
    def interrupt(done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trial(trial, patients=5, seed=3, workers=1, out=tmp_path, progress=interrupt)
    kept = sorted((tmp_path / ".blocks").rglob("*.json"))
    assert kept
    made = []
    real = runner.simulate_block
    monkeypatch.setattr(runner, "simulate_block", lambda *a: made.append(a) or real(*a))
    same(result, run_trial(trial, patients=5, seed=3, workers=1, out=tmp_path))
    blocks = sorted((tmp_path / ".blocks").rglob("*.json"))
    assert len(made) == len(blocks) - len(kept)
    assert not list((tmp_path / ".blocks").rglob("*.part"))
    blocks[0].write_text(blocks[0].read_text()[:-20], encoding="utf-8")
    made.clear()
    same(result, run_trial(trial, patients=5, seed=3, workers=1, out=tmp_path))
    assert len(made) == 1
    made.clear()
    run_trial(trial, patients=5, seed=5, workers=1, out=tmp_path)
    assert made  # another seed shares nothing


def test_full_disk_is_told(trial, tmp_path, monkeypatch):
    from pathlib import Path

    plain = Path.open

    def full(self, *args, **kwargs):
        if self.name.endswith(".part"):
            raise OSError(28, "No space left on device")
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(ImmunescapeError, match="No space left"):
        run_trial(trial, patients=5, seed=3, workers=1, out=tmp_path)


def test_failed_patients_are_counted_with_reason_and_parameters(trial, monkeypatch):
    from immunescape.trial.simulate import BlockSimulator

    real = BlockSimulator._take

    def take(p, piece, index):
        if p.number % 2 == 0:
            p.failure = "day 1.0: step limit reached"
        real(p, piece, index)

    monkeypatch.setattr(BlockSimulator, "_take", staticmethod(take))
    result = run_trial(trial, patients=4, seed=3, workers=1)
    assert (result.patients["id"] % 2 == 1).all()
    assert [arm["n"] for arm in result.arms] == [4, 4]
    assert all(arm["failed"] > 0 for arm in result.arms)
    assert sum(arm["failed"] for arm in result.arms) == len(result.failures)
    failure = result.failures[0]
    assert "step limit reached" in failure["reason"]
    assert failure["parameters"]


def test_paired_arms_share_their_patients(trial):
    result = run_trial(trial, patients=4, seed=3, workers=1, paired=True)
    a, b = (result.patients[result.patients["arm"] == arm.name] for arm in trial.arms)
    assert a["id"].tolist() == b["id"].tolist()
    assert a["volume_ml_baseline"].tolist() == b["volume_ml_baseline"].tolist()
    assert a["entry_months"].tolist() == b["entry_months"].tolist()
    assert result.comparison["method"] == "paired bootstrap"


def test_independent_arms_do_not_share_patients(result):
    a, b = (result.patients[result.patients["arm"] == arm] for arm in ("pembrolizumab", "docetaxel"))
    assert not set(a["volume_ml_baseline"]) & set(b["volume_ml_baseline"])


def test_refusals(trial):
    with pytest.raises(InputError, match="patients per arm is 0"):
        run_trial(trial, patients=0)
    with pytest.raises(InputError, match="seed"):
        run_trial(trial, patients=1, seed=-1)
    with pytest.raises(InputError, match="the seed is None"):
        run_trial(trial, patients=1, seed=None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="workers"):
        run_trial(trial, patients=1, workers=0)


def test_times_are_finite_and_within_follow_up(result):
    assert result.patients["os_months"].between(0, 12 + 1e-9).all()
    assert all(math.isfinite(v) for v in result.patients["pfs_months"])
