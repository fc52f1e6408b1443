"""The script that fits sizes of drugs, without the simulations."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "fit_drug_sizes.py"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def test_too_few_patients_are_refused_before_the_other_design_points_are_simulated(
    script: dict[str, Any], tmp_path: Path
) -> None:
    targets = script["TARGETS"]
    trials: dict[str, Any] = {t.trial: {"arms": [], "comparison": {}} for t in targets}
    for t in targets:
        if t.figure == "orr_pct":
            trials[t.trial]["arms"].append({"name": t.arm, "n": 8, "figures": {"orr_pct": [0.0, None]}})
        else:
            trials[t.trial]["comparison"][t.figure] = [0.8, 0.2]
    (tmp_path / "harness.json").write_text(json.dumps({"trials": trials}), encoding="utf-8")
    script["refuse_unknown_errors"](script["read"](tmp_path), 8)  # responses have an error whatever they are
    ratio = next(t for t in targets if t.figure != "orr_pct")
    trials[ratio.trial]["comparison"][ratio.figure] = [1.0, None]
    (tmp_path / "harness.json").write_text(json.dumps({"trials": trials}), encoding="utf-8")
    with pytest.raises(SystemExit, match=f"{ratio.trial} {ratio.figure}: no figure with a standard error from 8"):
        script["refuse_unknown_errors"](script["read"](tmp_path), 8)
