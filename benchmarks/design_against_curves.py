"""Designs on a virtual population beside a fit of its curves, where a mechanistic truth could matter: docs/design.md.

A subset by a biomarker, a stop by an early endpoint, a sequence of endpoints: each on the virtual patients of
KEYNOTE-024 (3,200 per arm; simulated once, in minutes, and kept) and on a piecewise-exponential fit of their curves,
which knows of no biomarker and no patient. 2,000 trials each, seed 1::

    python benchmarks/design_against_curves.py [REPLICATES]
"""

from __future__ import annotations

import sys
from typing import Any

import yaml

from immunescape.design.loading import read_design
from immunescape.design.simulation import simulate

SCENARIO = "virtual population"
BASE: dict[str, Any] = {
    "title": "KEYNOTE-024",
    "kind": "group-sequential",
    "patients": 305,
    "accrual": {"rates": [22.9]},
    "arms": [{"name": "pembrolizumab", "role": "experimental"}, {"name": "platinum doublet", "role": "control"}],
    "scenarios": [{"name": SCENARIO, "pool": {"trial": "keynote-024", "patients": 3200, "seed": 1}}],
}
DESIGNS: dict[str, dict[str, Any]] = {
    "OS where TMB is at least 10 mutations/Mb, and in all (600 patients)": {
        "patients": 600,
        "endpoints": {"os": {}},
        "strata": [
            {"name": "at least 10", "covariate": "tmb_mut_mb", "range": [10, 1000]},
            {"name": "below 10", "covariate": "tmb_mut_mb", "range": [0, 9.9999999]},
        ],
        "looks": [{"events": n, "endpoint": "os"} for n in (220, 330)],
        "hypotheses": [
            {"name": "OS, TMB", "endpoint": "os", "strata": ["at least 10"], "share": 0.5, "hands_on": {"OS": 1}},
            {"name": "OS", "endpoint": "os", "share": 0.5, "hands_on": {"OS, TMB": 1}},
        ],
    },
    "OS with a stop where the response rate has Z below 1.5 after 80 deaths": {
        "endpoints": {"orr": {"kind": "response", "months": 6}, "os": {}},
        "looks": [{"events": n, "endpoint": "os"} for n in (80, 170)],
        "hypotheses": [{"name": "OS", "endpoint": "os"}],
        "early_futility": {"look": 1, "endpoint": "orr", "bound": 1.5},
    },
    "PFS, then OS": {
        "endpoints": {"pfs": {}, "os": {}},
        "looks": [{"events": 175, "endpoint": "pfs"}, {"events": 170, "endpoint": "os"}],
        "hypotheses": [
            {"name": "PFS", "endpoint": "pfs", "looks": [1], "hands_on": {"OS": 1}},
            {"name": "OS", "endpoint": "os", "share": 0},
        ],
    },
}


def main() -> None:
    """Print the table."""
    replicates = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(
        "| design | power of | population, % | its curves, % | difference, points | by the pool's size, SD | months |"
    )
    print("|---|---|---|---|---|---|---|")
    for k, (label, content) in enumerate(DESIGNS.items(), 1):
        text = yaml.safe_dump({"name": f"design-{k}", **BASE, **content}, sort_keys=False)
        notes = simulate(read_design(f"design-{k}.yaml", text), replicates, seed=1).notes
        found, error = notes["naive_truth"][SCENARIO], notes["pool"][SCENARIO]["power_error"]
        months = found["months"]
        for name, row in found["power"].items():
            print(
                f"| {label} | {name} | {100 * row['pool']:.1f} | {100 * row['fit']:.1f} | "
                f"{100 * row['difference']:+.1f} ± {100 * row['se']:.1f} | {100 * error[name]:.1f} | "
                f"{months['pool']:.1f} and {months['fit']:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
