"""The script that measures the gates of lesions runs on the package as it is."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "lesion_gates.py"


@pytest.mark.slow
def test_gates_of_a_trial_are_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("lesion_gates", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    gates = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gates)
    monkeypatch.setattr(gates, "TRIALS", ())
    monkeypatch.setattr("sys.argv", ["lesion_gates.py", "--patients", "6", "--seeds", "1", "--seed", "3"])
    gates.main()
    (run,) = json.loads(capsys.readouterr().out)["keynote-024"]
    arm = run["pembrolizumab"]
    assert arm["n"] == 6
    assert sum(arm[word] for word in gates.RESPONSE_WORDS) == pytest.approx(100, abs=0.5)
    assert arm["pfs_pct"]["3"] >= arm["pfs_pct"]["12"]
    assert arm["b2m_pct"][1] <= 6
