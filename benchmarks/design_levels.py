"""Type I errors of every family of designs and every design that ships, as the table in docs/design.md.

Each design runs under its null with 10,000 replicates, seed 11 (fewer with an argument)::

    python benchmarks/design_levels.py [REPLICATES] [NAME ...] [--write]

Prints one line of the table per design: level, interval, seconds. With ``--write`` the lines replace those of the same
designs in docs/design.md, between its two comments, and further ones are added at the end. Designs that do not promise
their level are labelled.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from immunescape.design.loading import list_designs, load_design, read_design
from immunescape.design.simulation import SimulatedFigure, simulate
from immunescape.design.switching import METHODS, Switching, switching_study

ARMS = [{"name": "new", "role": "experimental"}, {"name": "old", "role": "control"}]


def survival(**changes: Any) -> dict[str, Any]:
    """Two arms, 500 patients in 24 months, control median 12 months, looks at 150, 225 and 300 deaths."""
    return {
        "name": "design",
        "title": "Design",
        "kind": "group-sequential",
        "patients": 500,
        "arms": ARMS,
        "endpoints": {"os": {"kind": "survival"}},
        "accrual": {"rates": [20.83]},
        "looks": [{"events": n, "endpoint": "os"} for n in (150, 225, 300)],
        "hypotheses": [{"name": "OS", "endpoint": "os"}],
        "scenarios": [{"name": "effect", "truth": [{"endpoint": "os", "median": 12}]}],
        **changes,
    }


def tested(test: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return survival(hypotheses=[{"name": "OS", "endpoint": "os", "test": test}], **changes)


MONTHS = [{"months": 24}, {"months": 36}]
STRATA = [{"name": "high", "share": 0.4}, {"name": "low", "share": 0.6}]
BOTH = {
    "endpoints": {"pfs": {"kind": "survival", "visits_every": 1.5}, "os": {"kind": "survival"}},
    "scenarios": [
        {
            "name": "effect",
            "correlation": 0.5,
            "truth": [{"endpoint": "pfs", "median": 6}, {"endpoint": "os", "median": 18}],
        }
    ],
}
RESPONSE = {
    "endpoints": {"orr": {"kind": "response", "months": 2}},
    "patients": 300,
    "accrual": {"rates": [15]},
    "looks": [{"patients": 150, "follow_up": 2}, {"patients": 300, "follow_up": 2}],
    "scenarios": [{"name": "effect", "truth": [{"endpoint": "orr", "rate": 0.3}]}],
}
ORR = [{"name": "ORR", "endpoint": "orr", "test": {"name": "rates"}}]
THREE = [{"name": a, "role": "experimental"} for a in ("a", "b")] + [{"name": "old", "role": "control"}]


def without(content: dict[str, Any], *names: str) -> dict[str, Any]:
    return {k: v for k, v in content.items() if k not in names}


def competing(**ttp: Any) -> dict[str, Any]:
    """Time to progression with death as a competing risk; 200 progressions."""
    return survival(
        endpoints={"ttp": {"competing": "death", **ttp}, "death": {}},
        looks=[{"events": n, "endpoint": "ttp"} for n in (130, 200)],
        hypotheses=[{"name": "TTP", "endpoint": "ttp"}],
        scenarios=[
            {
                "name": "effect",
                "truth": [{"endpoint": "ttp", "hazards": [0.06]}, {"endpoint": "death", "hazards": [0.03]}],
            }
        ],
    )


def several(selection: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Two experimental arms and a control, looks at 150 and 250 deaths."""
    return {
        **without(survival(arms=THREE), "hypotheses"),
        "kind": "multi-arm",
        "endpoint": "os",
        "selection": selection,
        "looks": [{"events": 150, "endpoint": "os"}, {"events": 250, "endpoint": "os"}],
        **changes,
    }


def enriching(rule: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """All patients, or those with a marker (40 %), looks at 150 and 300 deaths."""
    populations = [{"name": "all", "strata": ["high", "low"]}, {"name": "high", "strata": ["high"]}]
    return {
        **without(survival(strata=STRATA), "hypotheses"),
        "kind": "enrichment",
        "endpoint": "os",
        "patients": 700,
        "looks": [{"events": 150, "endpoint": "os"}, {"events": 300, "endpoint": "os"}],
        "boundaries": {"family": "obrien-fleming"},
        "enrichment": {"populations": populations, **rule},
        **changes,
    }


def platform(rules: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Two arms, the second from month 10 on, and a shared control."""
    arms = [{**arm, "looks": [100, 200], "opens": 10.0 * k, "patients": 150} for k, arm in enumerate(THREE[:2])]
    return {
        **without(survival(), "hypotheses", "looks"),
        "kind": "platform",
        "endpoint": "os",
        "patients": 700,
        "arms": [*arms, THREE[2]],
        "platform": rules,
        **changes,
    }


def one_arm(kind: str, alpha: float, **changes: Any) -> dict[str, Any]:
    """One arm with a response rate of 0.2 under the null."""
    return {
        "name": "design",
        "title": "Design",
        "kind": kind,
        "alpha": alpha,
        "patients": 60,
        "arms": ARMS[:1],
        "endpoints": RESPONSE["endpoints"],
        "accrual": {"rates": [5]},
        "scenarios": [
            {"name": n, "truth": [{"endpoint": "orr", "rate": p}]} for n, p in (("target", 0.4), ("null", 0.2))
        ],
        **changes,
    }


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
                "name": "effect",
                "truth": [{"endpoint": "os", "median": 12}],
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
        **survival(**RESPONSE),
        "hypotheses": ORR,
        "reestimation": {"kind": "blinded", "look": 1, "assumed": 0.2, "maximum": 2},
    },
    "PFS once, OS twice, alpha handed on": lambda: survival(
        **BOTH,
        looks=[{"events": 300, "endpoint": "pfs"}, {"events": 250, "endpoint": "os"}],
        hypotheses=[
            {"name": "PFS", "endpoint": "pfs", "looks": [1], "share": 0.4, "hands_on": {"OS": 1}},
            {"name": "OS", "endpoint": "os", "share": 0.6},
        ],
    ),
    "nested populations, looks by events of a stratum": lambda: survival(
        strata=STRATA,
        looks=[{"events": n, "endpoint": "os", "strata": ["high"]} for n in (80, 120)],
        hypotheses=[
            {"name": "high", "endpoint": "os", "strata": ["high"], "share": 0.5, "hands_on": {"all": 1}},
            {"name": "all", "endpoint": "os", "share": 0.5, "hands_on": {"high": 1}},
        ],
    ),
    "competing risks, cause-specific": competing,
    "multi-arm, best of two, Dunnett": lambda: {
        **without(survival(arms=THREE), "hypotheses"),
        "kind": "multi-arm",
        "endpoint": "os",
        "looks": [{"events": 150, "endpoint": "os"}, {"events": 250, "endpoint": "os"}],
    },
    "enrichment, best population": lambda: {
        **without(survival(strata=STRATA), "hypotheses"),
        "kind": "enrichment",
        "endpoint": "os",
        "looks": [{"events": 150, "endpoint": "os"}, {"events": 300, "endpoint": "os"}],
        "boundaries": {"family": "obrien-fleming"},
        "enrichment": {
            "populations": [{"name": "all", "strata": ["high", "low"]}, {"name": "high", "strata": ["high"]}],
        },
    },
    "Bayesian, adaptive, calibrated": lambda: {
        **without(survival(**RESPONSE), "hypotheses"),
        "kind": "bayesian",
        "bayesian": {"endpoint": "orr", "adaptive": True},
    },
    "Bayesian, threshold 0.975 given": lambda: {
        **without(survival(**RESPONSE), "hypotheses"),
        "kind": "bayesian",
        "bayesian": {"endpoint": "orr", "adaptive": True, "threshold": 0.975},
    },
    "log-rank, looks by calendar month": lambda: survival(looks=[{"months": n} for n in (18, 27, 36)]),
    "log-rank, visits every 2 months, data after 1 month": lambda: survival(
        endpoints={"os": {"visits_every": 2, "lag": 1}}
    ),
    "early futility by response": lambda: survival(
        endpoints={"os": {}, "orr": {"kind": "response", "months": 2}},
        early_futility={"look": 1, "endpoint": "orr", "bound": 0.0},
        scenarios=[
            {
                "name": "effect",
                "correlation": 0.5,
                "truth": [{"endpoint": "os", "median": 12}, {"endpoint": "orr", "rate": 0.3}],
            }
        ],
    ),
    "re-estimation, blinded, survival": lambda: survival(
        looks=[{"events": 150, "endpoint": "os"}, {"events": 225, "endpoint": "os"}],
        reestimation={"kind": "blinded", "look": 1, "assumed": 0.07, "maximum": 2},
    ),
    "competing risks, subdistribution": lambda: competing(precluded="kept"),
    "multi-arm, best of two, Simes": lambda: several({"rule": "best", "intersections": "simes"}),
    "multi-arm, best of two, Sidak": lambda: several({"rule": "best", "intersections": "sidak"}),
    "multi-arm, best of two, Bonferroni": lambda: several({"rule": "best", "intersections": "bonferroni"}),
    "multi-arm, all of two, Dunnett": lambda: several({"rule": "all"}),
    "multi-arm, promising of two, Dunnett": lambda: several({"rule": "promising", "bound": 0.5}),
    "multi-arm, best of two, Dunnett, rates, looks by patients": lambda: several(
        {"rule": "best"},
        endpoint="orr",
        endpoints=RESPONSE["endpoints"],
        test={"name": "rates"},
        patients=450,
        looks=[{"patients": 225, "follow_up": 2}, {"patients": 450, "follow_up": 2}],
        scenarios=RESPONSE["scenarios"],
    ),
    "enrichment, threshold": lambda: enriching({"choose": "threshold", "bound": 0.5}),
    "enrichment, conditional power": lambda: enriching({"choose": "conditional-power", "bound": 0.3}),
    "enrichment, Sidak": lambda: enriching({"intersections": "sidak"}),
    "enrichment, decided by response": lambda: enriching(
        {"decide_on": "orr", "first_follow_up": 18},
        endpoints={"os": {}, "orr": {"kind": "response", "months": 2}},
        looks=[{"patients": 250, "follow_up": 2}, {"events": 300, "endpoint": "os"}],
        scenarios=[
            {
                "name": "effect",
                "correlation": 0.5,
                "truth": [{"endpoint": "os", "median": 12}, {"endpoint": "orr", "rate": 0.3}],
            }
        ],
    ),
    "Bayesian, adaptive, calibrated, looks by month": lambda: {
        **without(survival(**RESPONSE), "hypotheses"),
        "kind": "bayesian",
        "looks": [{"months": 12}, {"months": 23}],
        "bayesian": {"endpoint": "orr", "adaptive": True},
    },
    "platform, rates, concurrent controls": lambda: platform(
        {},
        endpoint="orr",
        test={"name": "rates"},
        endpoints=RESPONSE["endpoints"],
        scenarios=RESPONSE["scenarios"],
        arms=[{**arm, "looks": [60, 120], "patients": 120} for arm in THREE[:2]] + THREE[2:],
    ),
    "platform, all controls, hazard falling 20 % a year": lambda: platform({"controls": "all", "drift": 0.2}),
    "platform, alpha per arm": lambda: platform({"multiplicity": "per-arm"}),
    "Simon's two stages, 0.2 against 0.4, alpha 5 %": lambda: one_arm(
        "two-stage", 0.05, two_stage={"endpoint": "orr", "p0": 0.2, "p1": 0.4}
    ),
    "BOP2, 0.2 against 0.4, alpha 10 %": lambda: one_arm(
        "bop2",
        0.1,
        bop2={"endpoint": "orr", "p0": 0.2, "p1": 0.4},
        patients=40,
        looks=[{"patients": n, "follow_up": 2} for n in (10, 20, 30, 40)],
    ),
}


SWITCHING = "treatment switching, {method}, one look"
SWITCHING_NAMES = {"itt": "as randomised", "censored": "censored at the switch", "ipcw": "IPCW", "rpsft": "RPSFT"}
PAGE = Path(__file__).parents[1] / "docs" / "design.md"
BEGIN, END = "<!-- type I errors: written by benchmarks/design_levels.py -->", "<!-- end of type I errors -->"
NOT_HELD = " (not controlled, and said so)"


def line(name: str, error: SimulatedFigure, nominal: float, seconds: float) -> str:
    """One line of the table."""
    return (
        f"| {name} | {100 * error.value:.2f} ({100 * error.low:.2f} to {100 * error.high:.2f}) | {100 * nominal:g} | "
        f"{seconds:.0f} |"
    )


def design_lines(replicates: int, chosen: list[str]) -> Iterator[tuple[str, str]]:
    """Name and line of each design, one after the other."""
    designs: dict[str, Callable[[], Any]] = {
        name: partial(read_design, name, yaml.safe_dump(make())) for name, make in FILES.items()
    }
    designs |= {f"`{name}`": partial(load_design, name) for name in reversed(list_designs())}
    for name, make in designs.items():
        if chosen and not any(w in name for w in chosen):
            continue
        began = time.perf_counter()
        result = simulate(make(), replicates, seed=11, scenarios=["null"])
        error = result.type_one_error
        assert error is not None
        label = name
        if any(c in result.warnings for c in result.design.rule.cautions(result.design)):
            label += NOT_HELD
        yield name, line(label, error, result.design.alpha or 0, time.perf_counter() - began)


def switching_lines(replicates: int, chosen: list[str]) -> Iterator[tuple[str, str]]:
    """The tests of a trial whose control patients switch after progression, with a drug that does nothing."""
    names = {method: SWITCHING.format(method=SWITCHING_NAMES[method]) for method in METHODS}
    if chosen and not any(w in name for w in chosen for name in names.values()):
        return
    began = time.perf_counter()
    found = switching_study(Switching(benefit=1.0), replicates, seed=11)
    for method, name in names.items():
        count = round(found.rejected[method][0] * replicates)
        error = SimulatedFigure.share(np.arange(replicates) < count)
        label = name + (NOT_HELD if method == "censored" else "")
        yield name, line(label, error, 0.025, (time.perf_counter() - began) / len(names))


def write(lines: dict[str, str]) -> None:
    """Replace lines of the table in the page, and add those that it lacks."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    table, after = rest.split(END)
    rows = {
        re.sub(r" \(not controlled.*?\)", "", row.split(" | ")[0][2:]): row for row in table.split("\n") if "|" in row
    }
    rows |= lines
    PAGE.write_text(f"{before}{BEGIN}\n\n" + "\n".join(rows.values()) + f"\n\n{END}{after}", encoding="utf-8")


def main() -> None:
    """Print the table, and write it where that is asked for."""
    words = [a for a in sys.argv[1:] if a != "--write"]
    numbers = [a for a in words if a.isdigit()]
    replicates = int(numbers[0]) if numbers else 10_000
    chosen = [a for a in words if not a.isdigit()]
    print("| design under its null | type I error, % (95 % interval) | nominal | seconds |\n|---|---|---|---|")
    for lines in (design_lines, switching_lines):
        for name, row in lines(replicates, chosen):
            print(row, flush=True)
            if "--write" in sys.argv:
                write({name: row})


if __name__ == "__main__":
    main()
