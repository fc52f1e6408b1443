"""The tumour's milieu: vessels, oxygen, metabolites, stroma, neutrophils and flora, and what they do to each other."""

from __future__ import annotations

import numpy as np
import pytest
from mechanism_bench import Bench, bench


@pytest.fixture(scope="module")
def reference() -> Bench:
    return bench()


def dose(pool: str, x: float) -> dict[str, float]:
    return {f"exposure_{pool}": x}


def now(reference: Bench, name: str, **parameters: float) -> float:
    """Return an output of the reference patient at diagnosis, with some parameters changed at this moment."""
    return reference.value(name, 0.0, parameters)


def test_normalisation_of_vessels_is_a_window_in_dose(reference: Bench) -> None:
    """Two months of a moderate block improve perfusion and entry of CD8 T cells; a strong one brings hypoxia."""
    blocks = (0.0, 1.0, 3.0, 10.0, 60.0)
    perfusion = [reference.value("perfusion_T", 60, dose("vegf_blockade", x)) for x in blocks]
    assert max(perfusion) in perfusion[1:4]
    assert max(perfusion) > 1.1 * perfusion[0]
    assert perfusion[-1] < 0.8 * perfusion[0]
    moderate, strong = dose("vegf_blockade", 2.0), dose("vegf_blockade", 60.0)
    assert reference.value("f_infiltration", 60, moderate) > 1.1 * reference.value("f_infiltration", 60)
    assert reference.value("pO2_T", 60, moderate) > reference.value("pO2_T", 60) > reference.value("pO2_T", 60, strong)
    assert reference.value("f_pdl1_expression", 60, strong) > reference.value("f_pdl1_expression", 60)
    assert reference.value("f_pdl1_expression", 60, moderate) < reference.value("f_pdl1_expression", 60)
    assert reference.value("lactate_conc_T", 60, strong) > reference.value("lactate_conc_T", 60)


def test_normalisation_of_vessels_is_a_window_in_time(reference: Bench) -> None:
    """Under a strong block perfusion first rises (days), then falls below where it was (weeks)."""
    days = [0.001, 2.0, 4.0, 8.0, 30.0, 90.0]
    perfusion = reference.run([0.0, *days], ("perfusion_T",), dose("vegf_blockade", 40.0))["perfusion_T"][0, 1:]
    best = int(np.argmax(perfusion))
    assert 1 <= best <= 3
    assert perfusion[best] > 1.2 * perfusion[0]
    assert perfusion[-1] < 0.9 * perfusion[0]


def test_checkpoint_blockade_normalises_vessels_further(reference: Bench) -> None:
    """Interferon-gamma covers vessels; with a moderate block of VEGF there is more of both."""
    pd1, vegf = {"exposure_pd1": 500.0}, dose("vegf_blockade", 1.0)
    none, one, other, both = (
        reference.value("perfusion_T", 42, p) for p in (None, pd1, vegf, {"exposure_pd1": 500.0, **vegf})
    )
    assert none < one
    assert max(one, other) < both


@pytest.mark.parametrize(
    ("parameter", "factor", "moves"),
    [
        (
            "glycolysis_tumour",
            3,
            {"f_killing": -1, "f_reactivation": -1, "f_treg_recruitment": 1, "f_macrophage_m2": 1},
        ),
        ("glycolysis_tumour", 3, {"f_dc_maturation": -1, "f_sting_tumour": -1, "f_sting_dc": -1, "pH_T": -1}),
        ("oxygen_use", 3, {"f_growth": -1, "f_glycolysis": 1, "f_ectonucleotidases": 1, "f_vegf_production": 1}),
        ("oxygen_use", 3, {"f_pdl1_expression": 1, "f_exhaustion": 1, "f_killing": -1, "adenosine_conc_T": 1}),
        ("glutaminolysis_tumour", 3, {"f_reactivation": -1, "f_mdsc_recruitment": -1}),
        ("cd73_tumour", 5, {"f_killing": -1, "f_dc_maturation": -1, "f_treg_recruitment": 1, "f_macrophage_m2": 1}),
        ("cox2_tumour", 4, {"f_killing": -1, "f_mdsc_recruitment": 1, "f_treg_conversion": 1, "f_dc_maturation": -1}),
        ("cholesterol_tumour", 3, {"f_exhaustion": 1, "f_pd1_expression": 1}),
        ("lcfa_tumour", 3, {"f_exhaustion": 1, "f_pd1_expression": 0}),
        ("idh_mutant", None, {"f_infiltration": -1, "f_macrophage_recruitment": 1, "f_killing": -1}),
        ("use_IDO1", 5, {"f_killing": -1, "f_treg_recruitment": 1, "f_pd1_expression": 1, "f_tgfb_activation": 1}),
        ("wars_T8", 3, {"f_pd1_expression": -1}),
        ("k_TAN_rec", 5, {"f_killing": -1, "f_infiltration": -1, "f_tgfb_activation": 1}),
        ("stk11_loss", None, {"TAN_density_T": 1, "NET_T": 1, "f_infiltration": -1}),
        ("kras_mutant", None, {"lactate_conc_T": 1}),
        ("keap1_loss", None, {"glutamine_conc_T": -1}),
        ("lung_dysbiosis", 5, {"f_th17": 1, "IL17_conc_T": 1, "TAN_density_T": 1, "f_dc_maturation": -1}),
        ("lung_dysbiosis", 5, {"f_treg_recruitment": 1, "f_macrophage_m2": 1, "f_pdl1_expression": 1}),
        ("vegf_tumour", 4, {"f_infiltration": -1, "f_dc_maturation": -1, "f_exhaustion": 1, "f_mdsc_recruitment": 1}),
    ],
)
def test_level_of_the_tumour_moves(
    reference: Bench, parameter: str, factor: float | None, moves: dict[str, int]
) -> None:
    """At once, before anything else has changed."""
    base = reference.model.parameters[parameter].base
    value = 1.0 if factor is None else factor * base
    for name, sign in moves.items():
        before, after = now(reference, name), now(reference, name, **{parameter: value})
        change = after / before - 1
        assert np.sign(change) == sign if sign else abs(change) < 1e-9, f"{name}: {change:+.3f}"
        assert sign == 0 or abs(change) > 2e-3, name


def test_ido1_inhibition_alone_does_little(reference: Bench) -> None:
    """TDO takes over what IDO1 leaves; both enzymes blocked lower kynurenine three times as far."""
    kynurenine = [
        now(reference, "Kyn_conc_T", **p)
        for p in (
            {},
            dose("ido1_inhibitor", 10),
            dose("tdo_inhibitor", 10),
            {**dose("ido1_inhibitor", 10), **dose("tdo_inhibitor", 10)},
        )
    ]
    assert kynurenine[0] > kynurenine[1] > kynurenine[3]
    assert kynurenine[0] > kynurenine[2] > kynurenine[3]
    assert kynurenine[3] < 0.3 * kynurenine[0] < kynurenine[1]
    usage = now(reference, "TDO_use") * now(reference, "Trp_conc_T")
    spared = now(reference, "TDO_use", **dose("ido1_inhibitor", 10)) * now(
        reference, "Trp_conc_T", **dose("ido1_inhibitor", 10)
    )
    assert spared > usage, "TDO turns over more tryptophan when IDO1 is blocked"
    one = now(reference, "f_killing", **dose("ido1_inhibitor", 10))
    both = now(reference, "f_killing", **dose("ido1_inhibitor", 10), **dose("tdo_inhibitor", 10))
    assert 1 < one < both < 1.2


def test_checkpoint_blockade_induces_ido1(reference: Bench) -> None:
    treated = {"exposure_pd1": 500.0}
    assert reference.value("IDO1_use", 42, treated) > 1.1 * reference.value("IDO1_use", 42)
    assert reference.value("Kyn_Trp_ratio_T", 42, treated) > 1.05 * reference.value("Kyn_Trp_ratio_T", 42)


def test_adenosine_can_be_cut_at_three_points(reference: Bench) -> None:
    """CD39, CD73 and A2A lie in series; only CD39 inhibition spares ATP; blocking two points adds less than one."""
    base = now(reference, "f_killing")
    one = {pool: now(reference, "f_killing", **dose(pool, 20)) for pool in ("cd39_inhibitor", "cd73_inhibitor")}
    receptor = now(reference, "f_killing", **dose("a2a_antagonist", 20))
    assert min(*one.values(), receptor) > 1.05 * base
    two = now(reference, "f_killing", **dose("cd73_inhibitor", 20), **dose("a2a_antagonist", 20))
    assert two - receptor < 0.2 * (one["cd73_inhibitor"] - base)
    assert now(reference, "ATP_T", **dose("cd39_inhibitor", 20)) > 2 * now(reference, "ATP_T")
    assert now(reference, "ATP_T", **dose("cd73_inhibitor", 20)) == pytest.approx(now(reference, "ATP_T"))


def test_metabolites_share_one_saturation(reference: Bench) -> None:
    """All metabolic brakes off at once gains no more than one pathway can: 1 + its strength in the reference."""
    keys = [k for k in reference.model.modulations if k[:2] == ("killing", "metabolic")]
    assert len(keys) >= 6
    from immunescape.model.reference_strengths import reference_id

    whole = 1 + sum(reference.model.parameters[reference_id(k)].base for k in keys)
    off = dict.fromkeys((f"switch_{k[2]}" for k in keys), 0.0)
    assert now(reference, "f_killing", **off) == pytest.approx(1, abs=5e-3), (
        "absent, they leave the reference where it is"
    )
    blocked = {
        **dose("ido1_inhibitor", 1e6),
        **dose("tdo_inhibitor", 1e6),
        **dose("a2a_antagonist", 1e6),
        **dose("cox2_inhibitor", 1e6),
        "use_glucose": 1e-6,
        "lactate_blood": 0.0,
        "r_kill_HIF": 0.0,
    }
    assert 1.5 < now(reference, "f_killing", **blocked) <= whole * 1.001
    assert whole < 3


def test_arginase_inhibitor_restores_arginine(reference: Bench) -> None:
    treated = dose("arginase_inhibitor", 20)
    assert now(reference, "arginine_conc_T", **treated) > 1.1 * now(reference, "arginine_conc_T")
    for process in ("f_killing", "f_reactivation", "f_proliferation"):
        assert now(reference, process, **treated) > now(reference, process)
    assert now(reference, "f_treg_recruitment", **treated) < now(reference, "f_treg_recruitment")


def test_tgfb_receptor_inhibitor_opens_the_stroma(reference: Bench) -> None:
    """The signal is gone at once, the matrix within weeks; TGF-beta itself is then set free less."""
    treated = dose("tgfb_receptor_inhibitor", 10)
    early, late = (reference.value("stroma_T", d, treated) for d in (2, 60))
    assert early > 0.9 * reference.value("stroma_T")
    assert late < 0.8 * reference.value("stroma_T")
    assert reference.value("f_infiltration", 60, treated) > reference.value("f_infiltration", 2, treated) > 1.2
    assert reference.value("TGFb_conc_T", 60, treated) < reference.value("TGFb_conc_T", 60)


def test_traps_shield_and_can_be_dissolved(reference: Bench) -> None:
    many = {"k_TAN_rec": 10 * reference.model.parameters["k_TAN_rec"].base}
    shielded, dissolved = (
        now(reference, "f_killing", **many),
        now(reference, "f_killing", **many, **dose("net_inhibitor", 20)),
    )
    assert shielded < 0.6
    assert dissolved > 1.5 * shielded


FLORA = {"commensals": 1.0, "pathobionts": 1.0, "akkermansia_gut": 0.0}


def priming_after(reference: Bench, day: float, antibiotic: float, **flora: float) -> float:
    """Return dendritic cell maturation over regulatory T cell recruitment, with a flora and an antibiotic held."""
    parameters = {
        "gut_diversity": flora["commensals"],
        "gut_pathobionts": flora["pathobionts"],
        "akkermansia": flora["akkermansia_gut"],
        **dose("gut_antibiotic", antibiotic),
    }
    steady = {**flora, "pathobionts": flora["pathobionts"] * 2 / (1 + flora["commensals"])}
    found = reference.run(
        [0.0, day], ("f_dc_maturation", "f_treg_recruitment", "f_il12_production"), parameters, initial=steady
    )
    values = [found[n][0, 1] for n in ("f_dc_maturation", "f_treg_recruitment", "f_il12_production")]
    return float(values[0] / values[1] * values[2])


def test_antibiotics_help_or_harm_by_the_flora_that_they_meet(reference: Bench) -> None:
    good = {"commensals": 1.5, "pathobionts": 0.5, "akkermansia_gut": 1.0}
    poor = {"commensals": 0.2, "pathobionts": 5.0, "akkermansia_gut": 0.0}
    assert priming_after(reference, 7, 1.0, **good) < 0.8 * priming_after(reference, 7, 0.0, **good)
    assert priming_after(reference, 7, 1.0, **poor) > 1.05 * priming_after(reference, 7, 0.0, **poor)


def test_flora_recovers_over_weeks(reference: Bench) -> None:
    """Healthy adults had most of their flora back 1.5 months after a four-day course."""
    lost = reference.run([0.0, 4.0], ("commensals", "pathobionts"), dose("gut_antibiotic", 1.0))
    left = float(lost["commensals"][0, 1])
    assert left < 0.15
    back = reference.run(
        [0.0, 7.0, 46.0], ("commensals", "pathobionts"), initial={"commensals": left, "pathobionts": 0.3}
    )
    assert back["commensals"][0, 1] < 0.6
    assert 0.85 < back["commensals"][0, 2] < 1
    assert back["pathobionts"][0, 2] > 1, "pathobionts bloom where commensals are lost"


def test_akkermansia_raises_il12(reference: Bench) -> None:
    with_it, without = {"akkermansia": 1.0}, None
    for name, more in (("IL12_conc_T", 1.003), ("f_priming", 1.2), ("aCD8_LN", 1.1)):
        assert reference.value(name, 60, with_it) > more * reference.value(name, 60, without), name
    recent = {"akkermansia": 1.0, "antibiotics_recent": 1.0}
    assert reference.value("f_priming", 60, recent) < 0.95 * reference.value("f_priming", 60, with_it)
    supplied = dose("akkermansia_supply", 1.0)
    assert reference.value("f_priming", 60, supplied) > 1.2 * reference.value("f_priming", 60)


def test_tgf_beta_and_stroma_do_not_run_away(reference: Bench) -> None:
    """They sustain each other; from a hundred times the level of both they come back to where they were."""
    usual = reference.run([0.0, 300.0], ("TGFb_conc_T", "stroma_T"))
    start = {n: 100 * reference.start[n] for n in ("TGFb_T", "stroma_T")}
    after = reference.run([0.0, 300.0], ("TGFb_conc_T", "stroma_T"), initial=start)
    for name in ("TGFb_conc_T", "stroma_T"):
        assert after[name][0, 1] == pytest.approx(usual[name][0, 1], rel=0.5)
    rich = {"n_clones_self": 20 * reference.model.parameters["n_clones_self"].base, "stroma_tumour": 6.0}
    most = reference.run([0.0, 300.0], ("stroma_T", "f_tgfb_activation"), rich)
    assert most["stroma_T"][0, 1] < 6.0 * 2
    assert most["f_tgfb_activation"][0, 1] < 2
