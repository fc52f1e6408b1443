"""cGAS-STING and type I interferon: what raises them, what they do, and what their loss does."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from mechanism_bench import Bench, bench

UNSTABLE = {"dna_instability": 4.0}
MET = {"met_amplified": 1.0}


@pytest.fixture(scope="module")
def reference() -> Bench:
    return bench()


def after(reference: Bench, name: str, parameters: Mapping[str, float] | None = None, day: float = 90.0) -> float:
    return reference.value(name, day, parameters)


def test_cytosolic_dna_inflames_the_tumour(reference: Bench) -> None:
    for name in ("H_STING_T", "IFN1_conc_T", "CD8_density_T", "NK_density_T", "MHC1_T", "PDL1_T", "f_dc_maturation"):
        assert after(reference, name, UNSTABLE) > 1.05 * after(reference, name), name
    assert after(reference, "f_mdsc_recruitment", UNSTABLE) < 0.8 * after(reference, "f_mdsc_recruitment")
    assert after(reference, "V_T", UNSTABLE, 180) < after(reference, "V_T", None, 180)


def test_without_the_mechanism_dna_does_nothing(reference: Bench) -> None:
    off = {"switch_cgas_sting": 0.0}
    for name in ("CD8_density_T", "V_T", "IFN1_conc_T"):
        assert after(reference, name, {**off, **UNSTABLE}) == after(reference, name, off), name


def test_met_amplification_silences_sting(reference: Bench) -> None:
    """Fewer CD8 T and NK cells in the tumour, a larger share of them exhausted; MET works through STING alone."""
    assert after(reference, "H_STING_T", MET) < 0.3 * after(reference, "H_STING_T")
    for name in ("CD8_density_T", "NK_density_T"):
        assert after(reference, name, MET) < 0.97 * after(reference, name), name
    assert after(reference, "exhausted_share_T", MET) > 1.05 * after(reference, "exhausted_share_T")
    off = {"switch_cgas_sting": 0.0}
    assert after(reference, "CD8_density_T", {**off, **MET}) == after(reference, "CD8_density_T", off)


def test_sting_of_cd8_t_cells_keeps_them_from_exhaustion(reference: Bench) -> None:
    low = {"sting_cd8": 0.3}
    assert after(reference, "exhausted_share_T", low) > after(reference, "exhausted_share_T")
    assert after(reference, "V_T", low, 180) > after(reference, "V_T", None, 180)


def test_nf_kb_raises_mhc1_without_interferon(reference: Bench) -> None:
    """The route that needs no JAK: MHC-I rises with STING where type I interferon is switched off."""
    off = {"switch_type1_interferon": 0.0}
    assert after(reference, "f_mhc1_expression", {**off, **UNSTABLE}, 2) > 1.1 * after(
        reference, "f_mhc1_expression", off, 2
    )


def test_restrains_mdsc_until_interferon_brings_ccl2(reference: Bench) -> None:
    """A moderate signal lowers MDSC; an agonist, by CCL2, raises them, and less so without type I interferon."""
    moderate, strong = {"dna_instability": 2.0}, {"exposure_sting": 20.0}
    assert after(reference, "MDSC_density_T", moderate, 60) < after(reference, "MDSC_density_T", None, 60)
    assert after(reference, "CCL2_conc_T", strong, 14) > 1.5 * after(reference, "CCL2_conc_T", None, 14)
    no_interferon = {"switch_type1_interferon": 0.0}
    mdsc = [
        after(reference, "f_mdsc_recruitment", p, 14) * after(reference, "CCL2_conc_T", p, 14)
        for p in (strong, {**strong, **no_interferon})
    ]
    assert mdsc[1] < mdsc[0]


def test_agonist_needs_sting_of_the_host_only(reference: Bench) -> None:
    """In a tumour whose cancer cells have lost STING signalling an agonist still matures dendritic cells."""
    strong = {"exposure_sting": 20.0}
    assert after(reference, "H_STING_DC", {**MET, **strong}, 7) > 3 * after(reference, "H_STING_DC", MET, 7)


def test_viral_mimicry_raises_interferon_without_sting(reference: Bench) -> None:
    mimicry = {"exposure_mimicry": 1.0, "switch_cgas_sting": 0.0}
    off = {"switch_cgas_sting": 0.0}
    for name in ("IFN1_conc_T", "MHC1_T", "PDL1_T"):
        assert after(reference, name, mimicry, 14) > 1.1 * after(reference, name, off, 14), name
