"""Type-I errors of every family of designs and every design that ships, as the table in docs/design.md.

Each design runs under its null with 10,000 replicates (fewer with an argument)::

    python benchmarks/design_levels.py [REPLICATES] [NAME ...]

Prints one line of the table per design: level, interval, seconds. Designs that do not promise their level are labelled.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import yaml

from immunescape.trial.design.loading import list_designs, load_design, read_design
from immunescape.trial.design.simulation import simulate

ARMS = [{"name": "new", "role": "experimental"}, {"name": "old", "role": "control"}]


def survival(**changes: Any) -> dict[str, Any]:
    """Two arms, 500 patients in 24 months, control median 12 months, looks at 150, 225 and 300 deaths."""
    return {
        "name": "design", "title": "Design", "kind": "group-sequential", "patients": 500, "arms": ARMS,
        "endpoints": {"os": {"kind": "survival"}}, "accrual": {"rates": [20.83]},
        "looks": [{"events": n, "endpoint": "os"} for n in (150, 225, 300)],
        "hypotheses": [{"name": "OS", "endpoint": "os"}],
        "scenarios": [{"name": "effect", "truth": [{"endpoint": "os", "median": 12}]}], **changes,
    }  # fmt: skip


def tested(test: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return survival(hypotheses=[{"name": "OS", "endpoint": "os", "test": test}], **changes)


MONTHS = [{"months": 24}, {"months": 36}]
STRATA = [{"name": "high", "share": 0.4}, {"name": "low", "share": 0.6}]
BOTH = {
    "endpoints": {"pfs": {"kind": "survival", "visits_every": 1.5}, "os": {"kind": "survival"}},
    "scenarios": [
        {
            "name": "effect", "correlation": 0.5,
            "truth": [{"endpoint": "pfs", "median": 6}, {"endpoint": "os", "median": 18}],
        }
    ],
}  # fmt: skip
RESPONSE = {
    "endpoints": {"orr": {"kind": "response", "months": 2}}, "patients": 300, "accrual": {"rates": [15]},
    "looks": [{"patients": 150, "follow_up": 2}, {"patients": 300, "follow_up": 2}],
    "scenarios": [{"name": "effect", "truth": [{"endpoint": "orr", "rate": 0.3}]}],
}  # fmt: skip
ORR = [{"name": "ORR", "endpoint": "orr", "test": {"name": "rates"}}]
THREE = [{"name": a, "role": "experimental"} for a in ("a", "b")] + [{"name": "old", "role": "control"}]


def without(content: dict[str, Any], *names: str) -> dict[str, Any]:
    return {k: v for k, v in content.items() if k not in names}


FILES: dict[str, Callable[[], dict[str, Any]]] = {
    "log-rank, O'Brien-Fleming-like, 3 looks": survival,
    "log-rank, Pocock, 3 looks": lambda: survival(boundaries={"family": "pocock"}),
    "log-rank, 2:1": lambda: survival(arms=[{**ARMS[0], "allocation": 2}, ARMS[1]]),
    "futility on Z, not binding": lambda: survival(boundaries={"futility": [0.5, 1.0]}),
    "futility on Z, binding": lambda: survival(boundaries={"futility": [0.5, 1.0], "binding": True}),
    "beta spending, not binding": lambda: survival(boundaries={"beta_spending": {"beta": 0.1}}),
    "beta spending, binding": lambda: survival(boundaries={"beta_spending": {"beta": 0.1}, "binding": True}),
    "futility on the hazard ratio": lambda: survival(boundaries={"futility_hazard_ratio": [0.95, 0.9]}),
    "non-inferiority, margin 1.25": lambda: tested({"name": "log-rank", "margin": 1.25}),
    "stratified log-rank": lambda: tested({"name": "log-rank", "stratified": True}, strata=STRATA),
    "Fleming-Harrington (0, 1)": lambda: tested({"name": "fleming-harrington", "gamma": 1}),
    "modestly weighted, t* 6": lambda: tested({"name": "modestly-weighted", "months": 6}),
    "max-combo, 2 looks": lambda: tested(
        {"name": "max-combo"}, looks=[{"events": n, "endpoint": "os"} for n in (200, 300)]
    ),
    "restricted mean to 18 months, months 24 and 36": lambda: tested({"name": "rmst", "months": 18}, looks=MONTHS),
    "milestone at 18 months, months 30 and 36": lambda: tested(
        {"name": "milestone", "months": 18}, looks=[{"months": 30}, {"months": 36}]
    ),
    "prognostic score, correlation 0.7": lambda: tested(
        {"name": "adjusted-log-rank"},
        scenarios=[
            {
                "name": "effect", "truth": [{"endpoint": "os", "median": 12}],
                "prognostic_score": {"endpoint": "os", "correlation": 0.7},
            }
        ],
    ),
    "rates, 2 looks": lambda: {**survival(**RESPONSE), "hypotheses": ORR},
    "re-estimation by conditional power": lambda: survival(
        looks=[{"events": 150, "endpoint": "os"}, {"events": 225, "endpoint": "os"}],
        reestimation={"look": 1, "promising": 0.2, "maximum": 3},
    ),
    "re-estimation, blinded, rates": lambda: {
        **survival(**RESPONSE), "hypotheses": ORR,
        "reestimation": {"kind": "blinded", "look": 1, "assumed": 0.2, "maximum": 2},
    },
    "PFS once, OS twice, alpha handed on": lambda: survival(
        **BOTH, looks=[{"events": 300, "endpoint": "pfs"}, {"events": 250, "endpoint": "os"}],
        hypotheses=[
            {"name": "PFS", "endpoint": "pfs", "looks": [1], "share": 0.4, "hands_on": {"OS": 1}},
            {"name": "OS", "endpoint": "os", "share": 0.6},
        ],
    ),
    "nested populations, looks by events of a stratum": lambda: survival(
        strata=STRATA, looks=[{"events": n, "endpoint": "os", "strata": ["high"]} for n in (80, 120)],
        hypotheses=[
            {"name": "high", "endpoint": "os", "strata": ["high"], "share": 0.5, "hands_on": {"all": 1}},
            {"name": "all", "endpoint": "os", "share": 0.5, "hands_on": {"high": 1}},
        ],
    ),
    "competing risks, cause-specific": lambda: survival(
        endpoints={"ttp": {"competing": "death"}, "death": {}},
        looks=[{"events": n, "endpoint": "ttp"} for n in (130, 200)],
        hypotheses=[{"name": "TTP", "endpoint": "ttp"}],
        scenarios=[
            {
                "name": "effect",
                "truth": [{"endpoint": "ttp", "hazards": [0.06]}, {"endpoint": "death", "hazards": [0.03]}],
            }
        ],
    ),
    "multi-arm, best of two, Dunnett": lambda: {
        **without(survival(arms=THREE), "hypotheses"), "kind": "multi-arm", "endpoint": "os",
        "looks": [{"events": 150, "endpoint": "os"}, {"events": 250, "endpoint": "os"}],
    },
    "enrichment, best population": lambda: {
        **without(survival(strata=STRATA), "hypotheses"), "kind": "enrichment", "endpoint": "os",
        "looks": [{"events": 150, "endpoint": "os"}, {"events": 300, "endpoint": "os"}],
        "boundaries": {"family": "obrien-fleming"},
        "enrichment": {
            "populations": [{"name": "all", "strata": ["high", "low"]}, {"name": "high", "strata": ["high"]}],
        },
    },
    "Bayesian, adaptive, calibrated": lambda: {
        **without(survival(**RESPONSE), "hypotheses"), "kind": "bayesian",
        "bayesian": {"endpoint": "orr", "adaptive": True},
    },
    "Bayesian, threshold 0.975 given": lambda: {
        **without(survival(**RESPONSE), "hypotheses"), "kind": "bayesian",
        "bayesian": {"endpoint": "orr", "adaptive": True, "threshold": 0.975},
    },
}  # fmt: skip


def main() -> None:
    """Print the table."""
    numbers = [a for a in sys.argv[1:] if a.isdigit()]
    replicates = int(numbers[0]) if numbers else 10_000
    wanted = [a for a in sys.argv[1:] if not a.isdigit()]
    print("| design under its null | type-I error, % (95 % interval) | nominal | seconds |\n|---|---|---|---|")
    designs: dict[str, Callable[[], Any]] = {
        name: (lambda make=make, name=name: read_design(name, yaml.safe_dump(make()))) for name, make in FILES.items()
    }
    designs |= {f"`{n}`": (lambda n=n: load_design(n)) for n in reversed(list_designs())}
    for name, make in designs.items():
        if wanted and not any(w in name for w in wanted):
            continue
        began = time.perf_counter()
        result = simulate(make(), replicates, seed=11, scenarios=["null"])
        error = result.type_one_error
        assert error is not None
        label = "" if result.design.rule.cautions(result.design) == [] else " (not controlled, and said so)"
        print(
            f"| {name}{label} | {100 * error.value:.2f} ({100 * error.low:.2f} to {100 * error.high:.2f}) | "
            f"{100 * (result.design.alpha or 0):g} | {time.perf_counter() - began:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
