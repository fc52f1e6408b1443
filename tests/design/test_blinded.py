"""Blinded re-estimation of the size: what it goes by, its level, and who enters when."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import yaml

from immunescape.design.loading import read_design
from immunescape.design.simulation import simulate
from immunescape.design.ssr import BlindedReestimation
from immunescape.errors import InputError


def rates_file(control: float, experimental: float, assumed: float = 0.2, **block: Any) -> str:
    content = {
        "name": "blinded",
        "title": "Blinded",
        "kind": "group-sequential",
        "patients": 200,
        "arms": [{"name": "new", "role": "experimental"}, {"name": "old", "role": "control"}],
        "endpoints": {"orr": {"kind": "response", "months": 3}},
        "accrual": {"rates": [20]},
        "looks": [{"patients": 100, "follow_up": 3}, {"patients": 200, "follow_up": 3}],
        "hypotheses": [{"name": "ORR", "endpoint": "orr", "test": {"name": "rates"}}],
        "reestimation": {"kind": "blinded", "look": 1, "assumed": assumed, "maximum": 2, **block},
        "scenarios": [
            {
                "name": "effect",
                "truth": [
                    {"endpoint": "orr", "rate": control},
                    {"endpoint": "orr", "arm": "new", "rate": experimental},
                ],
            }
        ],
    }
    return yaml.safe_dump(content)


def test_factor_is_the_ratio_of_variances_and_of_event_rates() -> None:
    rule = BlindedReestimation(1, 0.2, 3.0)
    np.testing.assert_allclose(rule.factor_of_rates([50, 20, 5], 100), [0.25 / 0.16, 1.0, 1.0])
    np.testing.assert_allclose(BlindedReestimation(1, 0.06, 2.5).factor_of_events([60, 30, 6], 1000.0), [1.0, 2.0, 2.5])


def test_a_higher_pooled_rate_raises_the_size_and_restores_the_power() -> None:
    """Planned for a pooled rate of 0.2; it is 0.4, so that the planned size has too little power for the difference."""
    found = simulate(read_design("b.yaml", rates_file(0.31, 0.49)), 1000, seed=2)
    factor = found.outcomes["effect"].extra["factor"]
    assert float(np.median(factor)) == pytest.approx(0.24 / 0.16, abs=0.06)
    content = yaml.safe_load(rates_file(0.31, 0.49))
    del content["reestimation"]
    plain = simulate(read_design("p.yaml", yaml.safe_dump(content)), 1000, seed=2, scenarios=["effect"])
    assert found.power().value > plain.power().value + 0.08
    assert found.summary("effect")["expected_patients"].value > plain.summary("effect")["expected_patients"].value + 40
    error = found.type_one_error
    assert error is not None
    assert error.value <= 0.025 + 4 * error.error


def test_level_is_held_under_a_null_that_raises_the_size() -> None:
    error = simulate(read_design("b.yaml", rates_file(0.4, 0.4)), 2500, seed=5, scenarios=["null"]).type_one_error
    assert error is not None
    assert error.value <= 0.025 + 0.003 + 3 * error.error


def test_slow_events_call_more_patients_and_shorten_the_trial() -> None:
    content = {
        **yaml.safe_load(rates_file(0.2, 0.3)),
        "endpoints": {"os": {"kind": "survival"}},
        "patients": 300,
        "looks": [{"events": 60, "endpoint": "os"}, {"events": 200, "endpoint": "os"}],
        "hypotheses": [{"name": "OS", "endpoint": "os"}],
        "reestimation": {"kind": "blinded", "look": 1, "assumed": 0.06, "maximum": 2},
        "scenarios": [
            {
                "name": "slow",
                "truth": [{"endpoint": "os", "median": 24}, {"endpoint": "os", "arm": "new", "hazard_ratio": 0.7}],
            }
        ],
    }
    found = simulate(read_design("s.yaml", yaml.safe_dump(content)), 500, seed=1)
    del content["reestimation"]
    plain = simulate(read_design("p.yaml", yaml.safe_dump(content)), 500, seed=1)
    a, b = found.summary("slow"), plain.summary("slow")
    assert a["expected_patients"].value > b["expected_patients"].value + 100
    assert a["expected_months"].value < b["expected_months"].value - 3
    assert found.type_one_error is not None
    assert found.type_one_error.value <= 0.025 + 4 * found.type_one_error.error


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"target": 0.8}, "'target' does not apply"),
        ({"assumed": None}, "needs 'assumed'"),
        ({"assumed": 1.5}, "rate below 1"),
    ],
)
def test_wrong_blocks_are_refused(block: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_design("b.yaml", rates_file(0.2, 0.3, **block))
