"""The direction of every effect in the reference patient: exposures, patient-level parameters, mechanisms."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from mechanism_bench import Bench, bench

DAY = 180.0
BLOCKED = 500.0  # free antibody / half-blocking concentration at the trough of usual doses


@pytest.fixture(scope="module")
def reference() -> Bench:
    return bench()


def after(reference: Bench, name: str, parameters: Mapping[str, float] | None = None, day: float = DAY) -> float:
    return reference.value(name, day, parameters)


@pytest.mark.parametrize("target", ["pd1", "pdl1"])
def test_pd1_axis_blockade(reference: Bench, target: str) -> None:
    """More output of progenitors, killing, interferon-gamma, PD-L1 and MHC-I; the tumour shrinks."""
    blocked = {f"exposure_{target}": BLOCKED}
    assert after(reference, "f_reactivation", blocked, 21) > 1.3
    assert after(reference, "f_killing", blocked, 21) > 2
    assert after(reference, "kill_rate", blocked, 42) > 2 * after(reference, "kill_rate", None, 42)
    for name in ("IFNg_conc_T", "PDL1_T", "MHC1_T", "CD8_density_T"):
        assert after(reference, name, blocked, 42) > after(reference, name, None, 42), name
    assert after(reference, "V_T", blocked) < 0.7 * after(reference, "V_T")
    engaged = after(reference, "PD1_engaged_T", blocked, 21)
    assert engaged < 0.1 * after(reference, "PD1_engaged_T", None, 21)


def test_occupancy_rises_with_exposure(reference: Bench) -> None:
    occupancy = [
        after(reference, "PD1_occupancy_T", {"exposure_pd1": e}, 3) for e in (0.0, 0.01, 0.1, 1.0, 10.0, 500.0)
    ]
    assert occupancy == sorted(occupancy)
    assert occupancy[0] == pytest.approx(0, abs=1e-4)
    assert occupancy[-1] > 0.95


def test_ctla4_blockade_and_treg_depletion(reference: Bench) -> None:
    blocked = {"exposure_ctla4": BLOCKED}
    assert after(reference, "f_priming", blocked, 21) > 1.02
    assert after(reference, "aCD8_LN", blocked, 42) > after(reference, "aCD8_LN", None, 42)
    assert after(reference, "V_T", blocked) < after(reference, "V_T")
    depleted = {"exposure_adcc": 0.1}
    assert after(reference, "Treg_CD8_ratio", depleted, 42) < 0.5 * after(reference, "Treg_CD8_ratio", None, 42)
    assert after(reference, "f_killing", depleted, 42) > after(reference, "f_killing", None, 42)
    assert after(reference, "V_T", depleted) < after(reference, "V_T")


def test_blocking_both_checkpoints_is_better_than_one(reference: Bench) -> None:
    one, both = {"exposure_pd1": BLOCKED}, {"exposure_pd1": BLOCKED, "exposure_ctla4": BLOCKED}
    assert after(reference, "V_T", both) < after(reference, "V_T", one)


def test_chemotherapy_shrinks_and_selects(reference: Bench) -> None:
    """The resistant clone takes over and regrows; dying cells release antigen and danger signals."""
    treated = {"exposure_chemo": 0.03}
    assert after(reference, "V_T", treated, 60) < reference.value("V_T")
    shares = [after(reference, "resistant_share_T", treated, d) for d in (30, 90, 180)]
    assert reference.value("resistant_share_T") < shares[0] < shares[1] < shares[2]
    weak = {**treated, "k_kill": 0.02}  # T cells that the dead prime may hold the few that are left
    volumes = [after(reference, "V_T", weak, d) for d in (60, 120, 300, 500)]
    assert min(volumes) < volumes[-1], "the resistant clone regrows"
    assert after(reference, "H_Ag", treated, 14) > after(reference, "H_Ag", None, 14)
    assert after(reference, "H_danger", treated, 14) > after(reference, "H_danger", None, 14)


def test_lymphodepletion(reference: Bench) -> None:
    depleted = {"exposure_lympho": 0.1}
    for name in ("nCD8_C", "nCD4_C", "aCD8_LN", "CD8_C", "Th_C"):
        assert after(reference, name, depleted, 14) < 0.9 * after(reference, name, None, 14), name
    assert after(reference, "V_T", depleted) > after(reference, "V_T")


@pytest.mark.parametrize(
    ("parameter", "factor", "larger_tumour"),
    [
        ("k_growth", 1.5, True),
        ("k_kill", 2.0, False),
        ("n_clones_tum", 3.0, False),
        ("kd_peptide", 5.0, True),
        ("cd8_infiltration", 2.0, False),
        ("pdl1_tumour", 5.0, True),
        ("pdl1_stroma", 4.0, True),
        ("k_exhaust", 2.0, True),
        ("APC0_T", 2.0, False),
        ("k_TGFb_sec_Treg", 20.0, True),
        ("k_MDSC_rec", 5.0, True),
        ("k_Mac_rec", 3.0, True),
        ("k_M2_pol", 3.0, True),
        ("n_clones_self", 4.0, True),
        ("k_CCL2_sec", 5.0, True),
        ("IL2_50", 20.0, True),
    ],
)
def test_patient_level_parameters(reference: Bench, parameter: str, factor: float, larger_tumour: bool) -> None:
    value = factor * reference.model.parameters[parameter].base
    moved, usual = after(reference, "V_T", {parameter: value}), after(reference, "V_T")
    assert (moved > usual) is larger_tumour, f"{moved:.4g} against {usual:.4g} mL"
    assert abs(moved / usual - 1) > 1e-3


@pytest.mark.parametrize(
    ("mechanism", "process", "pathway", "raises"),
    [
        ("checkpoints_pd1", "killing", "pd1", False),
        ("checkpoints_pd1", "reactivation", "pd1", False),
        ("checkpoints_ctla4", "priming", "costimulation", True),
        ("checkpoints_ctla4", "priming", "pd1", False),
        ("treg", "killing", "treg", False),
        ("tgf_beta", "killing", "tgf_beta", False),
        ("tgf_beta", "infiltration", "tgf_beta", False),
        ("tgf_beta", "treg_recruitment", "tgf_beta", True),
        ("tgf_beta", "stroma", "tgf_beta", True),
        ("tgf_beta", "macrophage_m2", "m2_cytokines", True),
        ("mdsc", "killing", "mdsc", False),
        ("mdsc", "reactivation", "mdsc", False),
        ("mdsc", "treg_recruitment", "arginase", True),
        ("macrophages", "dc_maturation", "il10", False),
        ("macrophages", "infiltration", "macrophages", False),
        ("macrophages", "priming", "il12", True),
        ("macrophages", "macrophage_m2", "il12", False),
        ("macrophages", "macrophage_m2", "m2_cytokines", True),
        ("helper_t", "priming", "cd4_help", True),
        ("il2", "proliferation", "il2", True),
        ("ifn_gamma", "mhc1_interferon", "ifn_gamma", True),
        ("ifn_gamma", "pdl1_interferon", "ifn_gamma", True),
        ("ifn_gamma", "infiltration", "chemokines", True),
        ("ifn_gamma", "macrophage_m2", "ifn_gamma", False),
        ("ifn_gamma", "vessel_maturation", "ifn_gamma", True),
        ("ifn_gamma", "ido1_expression", "ifn_gamma", True),
    ],
)
def test_every_pathway_moves_its_process_the_right_way(
    reference: Bench, mechanism: str, process: str, pathway: str, raises: bool
) -> None:
    """Twice the strength moves the factor up where the pathway promotes and down where it inhibits."""
    from immunescape.model.expressions import evaluate
    from immunescape.model.reference_strengths import strength_id

    model = reference.model
    assert (process, pathway, mechanism) in model.modulations
    values = {n: p.base for n, p in model.parameters.items()} | dict(reference.start)
    values |= {n: float(v) for n, v in model.evaluate(dict(reference.start)).items()}
    name = strength_id((process, pathway, mechanism))
    assert values[name] > 1e-3, "the pathway is at work in the reference patient"
    doubled = float(
        evaluate(model.quantities[f"f_{process}"].expression, (values | {name: 2 * values[name]}).__getitem__)
    )
    assert (doubled > values[f"f_{process}"]) is raises


def test_every_modulation_is_tested_for_direction(reference: Bench) -> None:
    """The list above is complete: a new modulation of the core mechanisms has to be added to it."""
    (mark,) = (m for m in test_every_pathway_moves_its_process_the_right_way.pytestmark if m.name == "parametrize")
    listed = {(process, pathway, mechanism) for mechanism, process, pathway, _ in mark.args[1]}
    owners = {mechanism for _, _, mechanism in listed}
    assert {key for key in reference.model.modulations if key[2] in owners} == listed
