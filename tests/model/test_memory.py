"""Memory: none under chronic antigen, lasting after a deep response, and then holding the tumour."""

from __future__ import annotations

import numpy as np
import pytest
from mechanism_bench import Bench, bench

YEAR = 365.25
CLEARED = 1e-4


@pytest.fixture(scope="module")
def reference() -> Bench:
    return bench()


def cleared(reference: Bench) -> dict[str, float]:
    """The reference patient with few cancer cells left, T cells outside the tumour as they were."""
    gone = [s for s in reference.start if s.startswith("C_") and s.removeprefix("C_") in clones(reference)]
    left = {s: CLEARED * reference.start[s] for s in (*gone, "C_dead_T")}
    tumour = [s for s, d in reference.model.states.items() if d.compartment == "tumour" and s not in left]
    return left | {s: 1e-3 * reference.start[s] for s in tumour if s.startswith(("CD8", "Th", "Treg", "M1", "M2"))}


def clones(reference: Bench) -> set[str]:
    return {c.name for c in reference.model.clones}


def test_chronic_antigen_leaves_almost_no_memory(reference: Bench) -> None:
    cells = reference.value("CD8_C") + reference.value("CD8_P")
    assert reference.value("CD8_mem_C", YEAR) < 1e-3 * cells
    assert reference.value("antigen_rest", YEAR) < 0.01


def test_memory_forms_when_antigen_is_gone_and_lasts(reference: Bench) -> None:
    result = reference.run(
        [0.0, 200.0, 3 * YEAR], ("CD8_mem_C", "CD8_C"), {"k_growth": 0.0}, initial=cleared(reference)
    )
    early, late = result["CD8_mem_C"][0, 1:]
    effectors = reference.value("CD8_C") + reference.value("CD8_P")
    assert 0.03 * effectors < early < effectors
    assert late > 0.3 * early
    assert late > result["CD8_C"][0, 2], "more memory than activated cells"


def test_memory_keeps_a_small_remnant_smaller(reference: Bench) -> None:
    times = np.linspace(0.0, 2 * YEAR, 5)
    start = cleared(reference)
    with_it = reference.run(times, ("V_T",), initial=start)["V_T"][0, -1]
    without = reference.run(times, ("V_T",), {"switch_memory": 0.0}, initial=start)["V_T"][0, -1]
    assert with_it < 0.5 * without


def test_pd1_follows_exhaustion(reference: Bench) -> None:
    assert reference.value("f_pd1_expression") == pytest.approx(1, abs=1e-3)
    rested = {"k_exhaust": 0.0}
    assert reference.value("f_pd1_expression", 120, rested) < 0.7
