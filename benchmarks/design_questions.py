"""Twelve questions that trial statisticians ask, each as a design file, with its answer: docs/design-questions.md.

python benchmarks/design_questions.py [REPLICATES] > docs/design-questions.md
"""

from __future__ import annotations

import sys
from typing import Any

from immunescape.design.loading import read_design
from immunescape.design.simulation import OperatingCharacteristics, simulate

REPLICATES = 4000
BASE = """\
kind: group-sequential
arms: [{name: new, role: experimental}, {name: old, role: control}]
"""

QUESTIONS: list[tuple[str, str]] = [
    (
        "PFS is tested once, at the interim analysis; OS twice, with the alpha recycled from PFS. "
        "What is the power of each?",
        """\
patients: 400
endpoints: {pfs: {visits_every: 2}, os: {}}
accrual: {rates: [20]}
looks: [{events: 260, endpoint: pfs}, {events: 230, endpoint: os}]
hypotheses:
  - {name: PFS, endpoint: pfs, share: 0.2, looks: [1], hands_on: {OS: 1}}
  - {name: OS, endpoint: os, share: 0.8, looks: [1, 2]}
scenarios:
  - name: effect
    correlation: 0.5
    truth:
      - {endpoint: pfs, median: 6}
      - {endpoint: pfs, arm: new, hazard_ratio: 0.65}
      - {endpoint: os, median: 16}
      - {endpoint: os, arm: new, hazard_ratio: 0.72}
""",
    ),
    (
        "Biomarker-high patients are tested first, then all patients. "
        "How much power is lost in all patients if the low group has no effect?",
        """\
patients: 600
strata: [{name: high, share: 0.45}, {name: low, share: 0.55}]
endpoints: {os: {}}
accrual: {rates: [25]}
looks: [{events: 280, endpoint: os}, {events: 400, endpoint: os}]
hypotheses:
  - {name: high, endpoint: os, strata: [high], share: 1, hands_on: {all: 1}}
  - {name: all, endpoint: os, share: 0}
scenarios:
  - name: effect in all
    truth: [{endpoint: os, median: 14}, {endpoint: os, arm: new, hazard_ratio: 0.7}]
  - name: effect in high alone
    truth: [{endpoint: os, median: 14}, {endpoint: os, arm: new, stratum: high, hazard_ratio: 0.65}]
""",
    ),
    (
        "Analyses take place after 100 and 140 deaths among biomarker-high patients. "
        "When is that, and with what power?",
        """\
patients: 500
strata: [{name: high, share: 0.45}, {name: low, share: 0.55}]
endpoints: {os: {}}
accrual: {rates: [25]}
looks:
  - {events: 100, endpoint: os, strata: [high]}
  - {events: 140, endpoint: os, strata: [high]}
hypotheses: [{name: high, endpoint: os, strata: [high]}]
scenarios:
  - name: effect
    truth: [{endpoint: os, median: 14}, {endpoint: os, arm: new, stratum: high, hazard_ratio: 0.6}]
""",
    ),
    (
        "Subcutaneous versus intravenous: is a non-inferiority margin of 1.25 excluded if survival is the same?",
        """\
patients: 1000
endpoints: {os: {}}
accrual: {rates: [40]}
looks: [{events: 500, endpoint: os}, {events: 700, endpoint: os}]
hypotheses: [{name: OS, endpoint: os, test: {name: log-rank, margin: 1.25}}]
scenarios:
  - name: same survival
    truth: [{endpoint: os, median: 18}]
""",
    ),
    (
        "Accrual is front-loaded: 40 a month for half a year, then 15. When do the analyses take place?",
        """\
patients: 400
endpoints: {os: {}}
accrual: {rates: [40, 15], starts: [0, 6]}
dropout: {share: 0.05, months: 12}
looks: [{events: 180, endpoint: os}, {events: 270, endpoint: os}]
hypotheses: [{name: OS, endpoint: os}]
scenarios:
  - name: effect
    truth: [{endpoint: os, median: 12}, {endpoint: os, arm: new, hazard_ratio: 0.7}]
""",
    ),
    (
        "The effect starts after four months. What is the power of the log-rank test?",
        """\
patients: 450
endpoints: {os: {}}
accrual: {rates: [22]}
looks: [{events: 220, endpoint: os}, {events: 320, endpoint: os}]
hypotheses: [{name: OS, endpoint: os}]
scenarios:
  - name: delayed
    truth: [{endpoint: os, median: 12}, {endpoint: os, arm: new, hazard_ratio: 0.6, delay: 4}]
""",
    ),
    (
        "The same delay, with a test weighted towards late events (Fleming-Harrington 0, 1).",
        """\
patients: 450
endpoints: {os: {}}
accrual: {rates: [22]}
looks: [{events: 220, endpoint: os}, {events: 320, endpoint: os}]
hypotheses: [{name: OS, endpoint: os, test: {name: fleming-harrington, gamma: 1}}]
scenarios:
  - name: delayed
    truth: [{endpoint: os, median: 12}, {endpoint: os, arm: new, hazard_ratio: 0.6, delay: 4}]
""",
    ),
    (
        "Non-binding futility bounds that spend 10 % beta. "
        "What do they save under the null hypothesis and cost under the alternative?",
        """\
patients: 500
endpoints: {os: {}}
accrual: {rates: [22]}
looks: [{events: 150, endpoint: os}, {events: 230, endpoint: os}, {events: 310, endpoint: os}]
hypotheses: [{name: OS, endpoint: os}]
boundaries: {beta_spending: {beta: 0.1}}
scenarios:
  - name: effect
    truth: [{endpoint: os, median: 12}, {endpoint: os, arm: new, hazard_ratio: 0.7}]
""",
    ),
    (
        "Stop for futility if the hazard ratio at the interim analysis is above 1. "
        "How often is an effective drug lost?",
        """\
patients: 450
endpoints: {os: {}}
accrual: {rates: [22]}
looks: [{events: 120, endpoint: os}, {events: 280, endpoint: os}]
hypotheses: [{name: OS, endpoint: os}]
boundaries: {futility_hazard_ratio: [1.0]}
scenarios:
  - name: effect
    truth: [{endpoint: os, median: 12}, {endpoint: os, arm: new, hazard_ratio: 0.7}]
""",
    ),
    (
        "The pooled response rate was planned at 0.25 and may be higher: "
        "blinded sample size re-estimation up to twice the size.",
        """\
patients: 240
endpoints: {orr: {kind: response, months: 3}}
accrual: {rates: [15]}
looks: [{patients: 120, follow_up: 3}, {patients: 240, follow_up: 3}]
hypotheses: [{name: ORR, endpoint: orr, test: {name: rates}}]
reestimation: {kind: blinded, look: 1, assumed: 0.25, maximum: 2}
scenarios:
  - name: higher rates
    truth: [{endpoint: orr, rate: 0.35}, {endpoint: orr, arm: new, rate: 0.52}]
""",
    ),
    (
        "The analysis adjusts for a prognostic score with correlation 0.6 with survival. "
        "What is the power with the same events?",
        """\
patients: 450
endpoints: {os: {}}
accrual: {rates: [22]}
looks: [{events: 170, endpoint: os}, {events: 250, endpoint: os}]
hypotheses: [{name: OS, endpoint: os, test: {name: adjusted-log-rank}}]
scenarios:
  - name: effect
    prognostic_score: {endpoint: os, correlation: 0.6}
    truth: [{endpoint: os, median: 12}, {endpoint: os, arm: new, hazard_ratio: 0.72}]
""",
    ),
    (
        "Time to progression with death as a competing event: is a drug that delays progression alone shown to do so?",
        """\
patients: 400
endpoints: {ttp: {competing: death}, death: {}}
accrual: {rates: [20]}
looks: [{events: 120, endpoint: ttp}, {events: 180, endpoint: ttp}]
hypotheses: [{name: TTP, endpoint: ttp}]
scenarios:
  - name: effect
    truth:
      - {endpoint: ttp, hazards: [0.07]}
      - {endpoint: ttp, arm: new, hazard_ratio: 0.65}
      - {endpoint: death, hazards: [0.025]}
""",
    ),
]


def answer(result: OperatingCharacteristics) -> list[dict[str, Any]]:
    """One row per scenario: power by hypothesis, futility stops, patients and months."""
    rows = []
    for scenario in result.scenarios:
        found = result.summary(scenario)
        error = result.type_one_error if scenario == "null" else None
        rejected = "; ".join(f"{n} {100 * f.value:.1f}" for n, f in found["reject"].items())
        if error is not None:
            rejected = f"type I error {100 * error.value:.2f} ± {100 * error.error:.2f}"
        futility = 100 * sum(s["futility"].value for s in found["stopping"])
        months = [f for f in found["looks"]["months"] if f is not None]
        rows.append(
            {
                "Scenario": scenario,
                "Rejected, %": rejected,
                "Stopped for futility, %": f"{futility:.1f}",
                "Patients": f"{found['expected_patients'].value:.0f}",
                "Months": f"{found['expected_months'].value:.1f}",
                "Analyses at month": ", ".join(f"{f.value:.1f}" for f in months),
            }
        )
    return rows


def section(k: int, question: str, text: str, replicates: int) -> str:
    """Part of the page on one question: its file and its answer."""
    content = f"name: question-{k}\ntitle: Question {k}\n{BASE}{text}"
    result = simulate(read_design(f"question-{k}.yaml", content), replicates, seed=1)
    rows = answer(result)
    lines = [f"## {k}. {question}\n\n```yaml\n{text}```\n"]
    lines.append("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
    lines += ["| " + " | ".join(row.values()) + " |" for row in rows]
    for scenario, found in result.notes.get("planning", {}).items():
        power = ", ".join(f"{100 * p:.1f}" for p in found["cumulative_power"])
        lines.append(f"\nBy formula ({scenario}): cumulative power {power} %.")
    gained = next(
        (v for n, v in result.summary(result.scenarios[0]).get("further", {}).items() if "prognostic" in n), None
    )
    if gained is not None:
        lines.append(
            f"\nThe score explains {100 * gained.value:.0f} % of the variance, which is equivalent to "
            f"{1 / (1 - gained.value):.2f} times as many events."
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the page."""
    replicates = int(sys.argv[1]) if len(sys.argv) > 1 else REPLICATES
    print("# Twelve design questions\n")
    print(
        "Each question is shown as a design file (without the lines common to all) with its answer, simulated with "
        f"{replicates:,} trials per scenario, seed 1. Written by `python benchmarks/design_questions.py`. All "
        "figures refer to assumed scenarios: they illustrate what can be asked, not the effect of any drug.\n"
    )
    for k, (question, text) in enumerate(QUESTIONS, 1):
        print(section(k, question, text, replicates), flush=True)


if __name__ == "__main__":
    main()
