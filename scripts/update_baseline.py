"""Writes ``tests/evaluation/baseline.json``: small virtual trials whose figures a test holds.

Run it when a change of results is meant, and say so under "Results change" in CHANGELOG.md::

    python scripts/update_baseline.py
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

TRIALS = ("keynote-024", "checkmate-057")
PATIENTS = 24
SEED = 7


def figures() -> dict[str, Any]:
    """Trial -> arm -> responders, medians (months), mean ln of the volume at baseline (mL) and at the last scans."""
    import numpy as np

    from immunescape.trial.loading import load_trial
    from immunescape.trial.runner import run_trial

    out: dict[str, Any] = {}
    for name in TRIALS:
        result = run_trial(load_trial(name), patients=PATIENTS, seed=SEED, workers=1)
        out[name] = {}
        for arm in result.arms:
            rows = result.patients[result.patients["arm"] == arm["name"]]
            scans = result.visits[result.visits["arm"] == arm["name"]]
            first = scans.sort_values(["id", "day"]).groupby("id").first()
            out[name][arm["name"]] = {
                "responders": round(arm["orr_pct"] * PATIENTS / 100),
                "failed": arm["failed"],
                "pfs_median_months": arm["pfs_median_months"],
                "os_median_months": arm["os_median_months"],
                "ln_volume_baseline": round(float(np.log(rows["volume_ml_baseline"]).mean()), 5),
                "change_pct_first_scan": round(float(first["change_pct"].mean()), 3),
            }
    return out


def main() -> None:
    """Write the file."""
    path = Path(__file__).parents[1] / "tests" / "evaluation" / "baseline.json"
    path.write_text(json.dumps(figures(), indent=1) + "\n", encoding="utf-8")
    print(f"Written: {path}")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
