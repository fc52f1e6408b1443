"""Memory: none under chronic antigen, lasting after a deep response, and then holding the tumour."""

from __future__ import annotations

import pytest
from quick_bench import follow, untreated

from immunescape.model import Model

YEAR = 365.25


def cleared() -> dict[str, float]:
    """The reference patient with a ten-thousandth of the cancer cells left, T cells outside the tumour as they were."""
    start = untreated()
    clones = {f"C_{c.name}" for c in Model.build(check_units=False).clones}
    left = {s: 1e-4 * start[s] for s in (*clones, "C_dead_T") if s in start}
    return left | {s: 1e-3 * v for s, v in start.items() if s.endswith("_T") and s.startswith(("CD8", "Th", "Treg"))}


def test_chronic_antigen_leaves_almost_no_memory() -> None:
    found = follow([0, YEAR], ("CD8_mem_C", "CD8_C", "CD8_P", "antigen_rest"))
    assert found["CD8_mem_C"][1] < 1e-3 * (found["CD8_C"][0] + found["CD8_P"][0])
    assert found["antigen_rest"][1] < 0.01


def test_memory_forms_when_antigen_is_gone_and_lasts() -> None:
    found = follow([0, 200, 3 * YEAR], ("CD8_mem_C", "CD8_C", "CD8_P"), {"k_growth": 0.0}, initial=cleared())
    effectors = found["CD8_C"][0] + found["CD8_P"][0]
    assert found["CD8_mem_C"][1] > 0.03 * effectors
    assert found["CD8_mem_C"][2] > 0.15 * found["CD8_mem_C"][1]
    assert found["CD8_mem_C"][2] > found["CD8_C"][2], "more memory than activated cells in blood"


def test_memory_holds_the_tumour() -> None:
    with_it, without = (follow([0, 90], ("V_T",), initial={"CD8_mem_C": n})["V_T"][1] for n in (1e9, 0.0))
    assert with_it < 0.97 * without


def test_pd1_follows_exhaustion() -> None:
    assert follow([0, 1], ("f_pd1_expression",))["f_pd1_expression"][0] == pytest.approx(1, abs=1e-3)
    assert follow([0, 120], ("f_pd1_expression",), {"k_exhaust": 0.0})["f_pd1_expression"][1] < 0.7
