"""Tertiary lymphoid structures form along CXCL13, let T cells in and feed progenitors; dendritic cells turn over."""

from __future__ import annotations

import pytest
from mechanism_bench import Bench, bench


@pytest.fixture(scope="module")
def reference() -> Bench:
    return bench()


def test_about_one_in_the_reference(reference: Bench) -> None:
    assert reference.value("CXCL13_T") == pytest.approx(1, abs=0.15)
    assert reference.value("TLS_T") == pytest.approx(1, abs=0.1)


def test_structures_let_t_cells_in_and_help_blockade(reference: Bench) -> None:
    more = {"tls_tumour": 4.0}
    assert reference.value("B_density_T", 90, more) > 3 * reference.value("B_density_T", 90)
    assert reference.value("CD8_density_T", 90, more) > 1.1 * reference.value("CD8_density_T", 90)
    blocked = {"exposure_pd1": 500.0}
    assert reference.value("V_T", 120, {**more, **blocked}) < 0.95 * reference.value("V_T", 120, blocked)


def test_exhausted_cells_build_them(reference: Bench) -> None:
    exhausted = {"k_exh_death": 0.4 * reference.model.parameters["k_exh_death"].base}
    assert reference.value("CXCL13_T", 60, exhausted) > 1.2 * reference.value("CXCL13_T", 60)
    assert reference.value("TLS_T", 60, exhausted) > reference.value("TLS_T", 60)


def test_a_minority_of_dendritic_cells_matures(reference: Bench) -> None:
    """What favours maturation shows: twice the maturation rate gives nearly twice the mature cells."""
    twice = {"k_APC_mat": 2 * reference.model.parameters["k_APC_mat"].base}
    ratio = reference.value("mAPC_T", 60, twice) / reference.value("mAPC_T", 60)
    assert 1.7 < ratio < 2.0
