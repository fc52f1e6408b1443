"""NK cells kill what shows little MHC-I, at the strength that the shared processes give."""

from __future__ import annotations

import pytest
from mechanism_bench import Bench, bench


@pytest.fixture(scope="module")
def reference() -> Bench:
    return bench()


def test_minor_killer_where_mhc1_is_intact(reference: Bench) -> None:
    assert 0.01 < reference.value("nk_kill_rate") / reference.value("kill_rate") < 0.3
    assert reference.value("missing_self_sensitive") == pytest.approx(1, abs=0.02)


def test_missing_self(reference: Bench) -> None:
    """Sight rises as MHC-I falls, whatever lowers it: less interferon-gamma here."""
    low = reference.value("missing_self_sensitive", 30, {"k_IFNg_sec": 0.0, "k_IFNg_NK": 0.0})
    assert reference.value("MHC1_T", 30, {"k_IFNg_sec": 0.0, "k_IFNg_NK": 0.0}) < 0.9 * reference.value("MHC1_T", 30)
    assert low > 1.1 * reference.value("missing_self_sensitive", 30)


def test_more_nk_cells_shrink_the_tumour(reference: Bench) -> None:
    value = 5 * reference.model.parameters["k_NK_in"].base
    more = {"k_NK_in": value}
    assert reference.value("NK_density_T", 60, more) > 3 * reference.value("NK_density_T", 60)
    assert reference.value("V_T", 180, more) < reference.value("V_T", 180)
    assert reference.value("IFNg_conc_T", 30, more) > reference.value("IFNg_conc_T", 30)


def test_nk_cells_in_blood_fall_under_lymphodepletion_and_return(reference: Bench) -> None:
    assert reference.observed("NK_blood") == pytest.approx(200, rel=0.05)
    depleted = reference.value("NK_blood", 30, {"exposure_lympho": 0.1})
    assert depleted < 0.5 * reference.value("NK_blood", 30)
