"""The script that scores exponents runs what is missing and nothing that is stored."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tests.script_modules import load_script


@pytest.fixture
def profile() -> ModuleType:
    return load_script("exponent_profile")


def test_an_exponent_is_run_once_and_again_only_if_seeds_patients_or_data_change(
    profile: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "patients.csv").write_text("a\n")
    asked = argparse.Namespace(out=tmp_path / "out", data=data, patients=8, seeds=2)
    asked.out.mkdir()
    copies: list[float] = []

    def copy_with(exponent: float, folder: Path) -> Path:
        copies.append(exponent)
        copy = folder / f"exponent-{exponent:g}"
        copy.mkdir()
        return copy

    def run(command: tuple[str, ...], **_: Any) -> None:
        runs = Path(command[command.index("-o") + 1])
        runs.mkdir(exist_ok=True)
        seeds = {str(k): {"scores": {"trials": 0.5 * k}} for k in range(1, asked.seeds + 1)}
        (runs / "full-model.json").write_text(json.dumps({"seeds": seeds}))

    monkeypatch.setattr(profile, "copy_with", copy_with)
    monkeypatch.setattr(profile, "subprocess", SimpleNamespace(run=run))
    first = profile.scores(0.5, asked)
    assert first == {1: {"trials": 0.5}, 2: {"trials": 1.0}}
    assert profile.scores(0.5, asked) == first
    assert copies == [0.5]
    asked.seeds = 1
    assert profile.scores(0.5, asked) == {1: {"trials": 0.5}}
    assert copies == [0.5]
    asked.seeds = 3
    assert set(profile.scores(0.5, asked)) == {1, 2, 3}
    asked.patients = 9
    profile.scores(0.5, asked)
    (data / "patients.csv").write_text("another\n")
    profile.scores(0.5, asked)
    assert copies == [0.5] * 4
    assert not (asked.out / "exponent-0.5").exists()
