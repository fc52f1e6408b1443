"""Th17: reciprocal to regulatory T cells, and IL-17A's effects, in the reference patient."""

from __future__ import annotations

import pytest
from mechanism_bench import Bench, bench


@pytest.fixture(scope="module")
def reference() -> Bench:
    return bench()


def test_more_th17_more_il17_more_mdsc_fewer_treg(reference: Bench) -> None:
    polarised = {"odds_Th17": 5 * reference.model.parameters["odds_Th17"].base}
    for name in ("Th17_share_T", "IL17_conc_T", "MDSC_density_T"):
        assert reference.value(name, 90, polarised) > 1.02 * reference.value(name, 90), name
    for name in ("f_treg_conversion", "f_dc_maturation"):
        assert reference.value(name, 20, polarised) < 0.99 * reference.value(name, 20), name


def test_without_inflammation_by_il17_the_tumour_is_smaller(reference: Bench) -> None:
    quiet = {"k_IL17_sec": 0.0}
    assert reference.value("V_T", 180, quiet) < reference.value("V_T", 180)


def test_share_is_a_share(reference: Bench) -> None:
    extreme = {"odds_Th17": 1e4}
    assert 0.99 < reference.value("Th17_share_T", 5, extreme) <= 1
