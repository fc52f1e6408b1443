"""Antibodies: serum kinetics against published figures, clearance over time, covariates, tumour and receptor."""

from __future__ import annotations

import math

import numpy as np
import pytest
from drug_simulation import compiled, host_of, simulate, trough_and_peak

from immunescape.errors import ModelError
from immunescape.model import registry
from immunescape.model.assembly import Model
from immunescape.model.drugs._antibody import IntegratedTissue, antibody
from immunescape.model.drugs._covariates import covariate_parameters

ANTIBODIES = [d.name for d in registry.drugs().values() if f"{d.name}_LN" in {s.name for s in d.states}]
DECLINING = [d for d in ANTIBODIES if f"{d}_age" in {s.name for s in registry.get_drug(d).states}]

# drug, mg, interval (days), number of doses, published trough (ug/mL), source of the published figure
PUBLISHED = [
    ("pembrolizumab", 200, 21, 10, 28.0, "25-30 at steady state, KEYTRUDA population analysis"),
    ("nivolumab", 3 * 80, 14, 16, 57.0, "3 mg/kg every 2 weeks: 57-60, OPDIVO label"),
    ("cemiplimab", 350, 21, 10, 56.6, "median 56.6, mean 60.8 of 1,062 patients, J Immunother Cancer 2021;9:e002757"),
    ("atezolizumab", 1200, 21, 10, 195.0, "population simulation of 1200 mg every 3 weeks, Morrissey 2019"),
    ("ipilimumab", 3 * 80, 21, 4, 19.4, "3 mg/kg every 3 weeks, YERVOY label"),
]


@pytest.mark.parametrize(("drug", "mg", "every", "doses", "published", "source"), PUBLISHED)
def test_trough_within_30_percent(drug: str, mg: float, every: float, doses: int, published: float, source: str):
    _, trough, _ = trough_and_peak(drug, mg, every, doses)
    assert trough == pytest.approx(published, rel=0.30), source


def test_durvalumab_regimens_compare_as_labelled():
    """1500 mg every 4 weeks against 10 mg/kg every 2 weeks (70 kg): trough 19 % lower, peak 55 % higher (IMFINZI)."""
    _, flat_trough, flat_peak = trough_and_peak("durvalumab", 1500, 28, 8, weight_durvalumab=70)
    _, trough, peak = trough_and_peak("durvalumab", 700, 14, 16, weight_durvalumab=70)
    assert flat_trough / trough == pytest.approx(0.81, abs=0.12)
    assert flat_peak / peak == pytest.approx(1.55, abs=0.12)


# drug, published terminal half-life in days (labels, at steady state; tremelimumab: Hwang 2023; durvalumab: of the
# clearance at baseline, Centanni 2019, table 2)
HALF_LIVES = [
    ("pembrolizumab", 22),
    ("nivolumab", 25),
    ("cemiplimab", 22.3),
    ("atezolizumab", 27),
    ("durvalumab", 21),
    ("ipilimumab", 15.4),
    ("tremelimumab", 18),
]


@pytest.mark.parametrize(("drug", "days"), HALF_LIVES)
def test_terminal_half_life(drug: str, days: float):
    start = 120.0  # the decline of clearance is over
    given = [(drug, t, 700.0) for t in (0, 30, 60, 90)]
    over = {"cl_emax_durvalumab": 0.0} if drug == "durvalumab" else {}
    c = simulate((drug,), given, [0, start, start + 20], (f"conc_{drug}",), **over)[f"conc_{drug}"]
    assert 20 * math.log(2) / math.log(c[1] / c[2]) == pytest.approx(days, rel=0.25)


@pytest.mark.parametrize("drug", ANTIBODIES)
def test_clearance_and_volume_read_as_published(drug: str):
    """k_cl acts on amount / V_C: the first hours after a bolus fall as CL / V says, from dose / V."""
    model, _ = compiled((drug,))
    p = {n: model.parameters[n].base for n in model.parameters}
    volume = 5000 * p[f"gamma_C_{drug}"]
    clearance = p[f"k_cl_{drug}"] * p[f"gamma_C_{drug}"]
    over = {f"q_P_{drug}": 0.0, f"q_T_{drug}": 0.0, f"q_LN_{drug}": 0.0, f"q_LD_{drug}": 0.0}
    if drug == "durvalumab":
        over["v_max_durvalumab"] = 0.0
    if drug in DECLINING:
        over[f"cl_emax_{drug}"] = 0.0
    hours = model.drug(drug).infusion_hours / 24
    c = simulate((drug,), [(drug, 0, 100.0)], [0, hours, hours + 10], (f"conc_{drug}",), **over)[f"conc_{drug}"]
    assert c[1] == pytest.approx(100e3 / volume, rel=0.01)
    assert c[2] / c[1] == pytest.approx(math.exp(-10 * clearance / volume), rel=1e-4)


@pytest.mark.parametrize("drug", DECLINING)
def test_clearance_follows_the_published_sigmoid_of_time(drug: str):
    model, _ = compiled((drug,))
    emax, t50, hill = (model.parameters[f"cl_{k}_{drug}"].value for k in ("emax", "t50", "hill"))
    days = np.array([0.0, 20.0, t50, 150.0, 300.0])
    given = [(drug, 28.0 * i, 700.0) for i in range(11)]
    factor = simulate((drug,), given, days, (f"cl_factor_{drug}",))[f"cl_factor_{drug}"]
    expected = np.exp(emax * days**hill / (t50**hill + days**hill))
    assert factor == pytest.approx(expected, rel=5e-3)


@pytest.mark.parametrize("drug", DECLINING)
def test_without_a_dose_nothing_ages(drug: str):
    names = [s.name for s in registry.get_drug(drug).states]
    found = simulate((drug,), [], [0, 500], [*names, f"cl_factor_{drug}"])
    assert all(found[n][-1] == 0 for n in names)
    assert found[f"cl_factor_{drug}"][-1] == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("drug", ANTIBODIES)
def test_weight_scales_clearance_and_volume(drug: str):
    model, _ = compiled((drug,))
    ref = model.parameters[f"weight_ref_{drug}"].value
    double = {f"weight_{drug}": 2 * ref}
    hours = model.drug(drug).infusion_hours / 24
    c1 = simulate((drug,), [(drug, 0, 100.0)], [0, hours], (f"conc_{drug}",))[f"conc_{drug}"][-1]
    c2 = simulate((drug,), [(drug, 0, 100.0)], [0, hours], (f"conc_{drug}",), **double)[f"conc_{drug}"][-1]
    assert c1 / c2 == pytest.approx(2 ** model.parameters[f"wt_v_{drug}"].value, rel=0.02)
    _, light, _ = trough_and_peak(drug, 500, 21, 5)
    _, heavy, _ = trough_and_peak(drug, 500, 21, 5, **double)
    assert heavy < light


def test_molar_mass_of_the_drug_is_that_of_its_table():
    for drug in registry.drugs().values():
        model = Model.build(host_of(drug.name), drugs=(drug,), check_units=False)
        if f"molar_mass_{drug.name}" in model.parameters:
            assert model.parameters[f"molar_mass_{drug.name}"].value == drug.molar_mass
        assert drug.dose_state in model.states


def test_tumour_concentration_is_a_quarter_of_serum_whatever_the_size():
    given = [("pembrolizumab", 21.0 * i, 200.0) for i in range(4)]
    for growth in (0.0, 0.03):
        found = simulate(
            ("pembrolizumab",), given, [0, 80], ("conc_pembrolizumab", "free_T_pembrolizumab", "V_T"), k_growth=growth
        )
        serum = found["conc_pembrolizumab"][-1] * 1e6 / 149_000
        assert found["free_T_pembrolizumab"][-1] / serum == pytest.approx(0.25, abs=0.04), found["V_T"]


@pytest.mark.slow
@pytest.mark.parametrize(("drug", "mg", "every"), [("pembrolizumab", 200, 21), ("nivolumab", 240, 14)])
def test_pd1_is_occupied_over_90_percent_between_doses(drug: str, mg: float, every: float):
    """As measured on T cells from blood, where no ligand competes for PD-1."""
    given = [(drug, 2 + every * i, mg) for i in range(4)]
    times = [0.0, 2 - 1e-3, *(2 + every * (i + 1) - 1e-3 for i in range(4))]
    no_ligand = {"C_PDL1": 1.0}
    occupied = simulate((drug,), given, times, ("PD1_occupancy_T",), mechanisms=None, **no_ligand)["PD1_occupancy_T"]
    assert occupied[1] < 0.01
    assert (occupied[2:] > 0.9).all(), occupied


def test_only_ipilimumab_depletes_regulatory_t_cells():
    pools = {d: {c.pool for c in registry.get_drug(d).contributions} for d in ANTIBODIES}
    assert [d for d in ANTIBODIES if "treg_adcc" in pools[d]] == ["ipilimumab"]
    assert {d for d in ANTIBODIES if "ctla4_antibody_T" in pools[d]} == {"ipilimumab", "tremelimumab"}
    assert {d for d in ANTIBODIES if "pdl1_antibody_T" in pools[d]} == {"atezolizumab", "durvalumab"}


def test_covariates_are_found_by_name():
    model, _ = compiled(("pembrolizumab", "carboplatin", "docetaxel"))
    assert covariate_parameters(model.parameters) == {
        "weight_pembrolizumab": "weight_kg",
        "crcl_carboplatin": "crcl_ml_min",
        "bsa_docetaxel": "bsa_m2",
    }


def test_an_antibody_with_integrated_tissue_and_two_targets_is_refused():
    with pytest.raises(ModelError, match=r"toymab: .*kd_eff_toymab, and 2 targets are named; use QuasiSteadyTissue"):
        antibody(
            "toymab",
            targets=("PD-1", "LAG-3"),
            kinetics=IntegratedTissue(),
            molar_mass=150_000,
            dose_units=("mg",),
            infusion_hours=1,
            synonyms=(),
            references=(),
            note="",
        )
