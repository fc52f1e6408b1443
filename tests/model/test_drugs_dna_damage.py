"""Radiotherapy, inhibitors of DNA repair, STING agonists, conjugates, lymphodepletion: kinetics and direction."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from drug_simulation import simulate
from scipy.integrate import trapezoid

from immunescape.model import Model, registry
from immunescape.trial.dosing import BodySize, administered, to_doses
from immunescape.trial.grammar import parse_regimen

NEW = (
    *("radiotherapy", "olaparib", "peposertib", "ceralasertib", "azd1390", "aminocholestane", "dazostinag"),
    *("ulevostinag", "trastuzumab_deruxtecan", "trastuzumab_emtansine", "datopotamab_deruxtecan"),
    *("cyclophosphamide", "fludarabine", "vinorelbine", "cisplatin", "gemcitabine", "pemetrexed"),
    *("brentuximab_vedotin", "camidanlumab_tesirine", "ladiratuzumab_vedotin", "trastuzumab_pnu"),
)
SIZE = BodySize()


@lru_cache(maxsize=1)
def full() -> tuple[Model, Any, dict[str, float]]:
    """Everything with these drugs, compiled, and the reference patient at diagnosis."""
    from immunescape.engine import get_engine
    from immunescape.population.reference_baseline import reference_baseline

    model = Model.build(drugs=NEW, specificity="none")
    return (
        model,
        get_engine("auto").compile(model.to_sbml()),
        dict(reference_baseline().states),
    )


def run(regimen: str, outputs: Sequence[str], days: Sequence[float], **parameters: float) -> dict[str, np.ndarray]:
    """Treat the reference patient at diagnosis; outputs and parameters in declared units."""
    from immunescape.engine.api import Job

    model, compiled, start = full()
    doses = to_doses(administered(parse_regimen(regimen), SIZE, until_days=float(max(days)) + 1))
    job = Job(
        n=1,
        times=np.r_[0.0, np.asarray(days, dtype=float)],
        outputs=tuple(outputs),
        parameters={k: float(model.to_base(k, v)) for k, v in parameters.items()},
        initial=start,
        doses=doses,
        atol=model.atol(),
    )
    result = compiled.run(job)
    assert result.failed == 0, dict(result.messages)
    return {name: result[name][0][1:] * model.scale(name) for name in outputs}


def one(regimen: str, output: str, day: float, **parameters: float) -> float:
    return float(run(regimen, (output,), (day,), **parameters)[output][0])


# --- kinetics -------------------------------------------------------------------------------------------------------

HALF_LIVES = [
    ("olaparib", 300, 14.9, (24, 36), "LYNPARZA label"),
    ("cyclophosphamide", 4200, 5.8, (2, 12), "label: 3 to 12 h"),
    ("trastuzumab_deruxtecan", 378, 5.7 * 24, (24, 240), "ENHERTU label"),
    ("trastuzumab_emtansine", 252, 4 * 24, (24, 240), "KADCYLA label"),
    ("datopotamab_deruxtecan", 420, 4.8 * 24, (24, 240), "DATROWAY label"),
]


@pytest.mark.parametrize(("drug", "mg", "hours", "between", "source"), HALF_LIVES)
def test_half_life(drug: str, mg: float, hours: float, between: tuple[float, float], source: str) -> None:
    host = ("body", "tumour_growth", "surface_antigens", "dna_damage")
    c = simulate((drug,), [(drug, 0, mg)], [0, *(h / 24 for h in between)], (f"conc_{drug}",), host)[f"conc_{drug}"]
    found = (between[1] - between[0]) * np.log(2) / np.log(c[1] / c[2])
    assert found == pytest.approx(hours, rel=0.05), source


def test_peak_of_trastuzumab_deruxtecan() -> None:
    """5.4 mg/kg at 70 kg: about 122 ug/mL in the label; one compartment comes close."""
    host = ("body", "tumour_growth", "surface_antigens")
    name = "trastuzumab_deruxtecan"
    c = simulate((name,), [(name, 0, 378)], [0, 0.0625], (f"conc_{name}",), host)[f"conc_{name}"]
    assert c[1] == pytest.approx(122, rel=0.15)


# --- radiotherapy ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fractions"),
    [("radiotherapy 8 Gy once", [8.0]), ("radiotherapy 10 Gy in 5 fractions", [2.0] * 5)],
)
def test_linear_quadratic_log_kill(text: str, fractions: list[float]) -> None:
    """Survival in the field against exp(-alpha D - beta sum d^2), without growth and immunity."""
    from immunescape.engine import get_engine
    from immunescape.engine.api import Job

    model = Model.build(("body", "tumour_growth", "dna_damage"), drugs=("radiotherapy",))
    doses = to_doses(administered(parse_regimen(text), SIZE, until_days=30))
    job = Job(
        n=1,
        times=np.array([0.0, 12.0]),
        outputs=("C_sensitive", "C_resistant"),
        parameters={"k_growth": 0.0, "in_field_radiotherapy": 1.0},
        initial={"C_sensitive": 4e9, "C_resistant": 1e9},
        doses=doses,
        rtol=1e-8,
        atol=1e-6,
    )
    result = get_engine("auto").compile(model.to_sbml()).run(job)
    alpha = 0.129
    expected = sum(alpha * d + alpha / 10 * d * d for d in fractions)
    for name in job.outputs:
        values = result[name][0]
        assert np.log(values[0] / values[1]) == pytest.approx(expected, rel=1e-3)


def test_what_lies_outside_the_field_is_left() -> None:
    """After 60 Gy the cells that live are those outside the field; before, the field holds its share."""
    course = "radiotherapy 60 Gy in 30 fractions"
    first, last = (one(course, "field_share_radiotherapy", day, alpha_radiotherapy=0.3) for day in (1e-6, 45))
    assert first == pytest.approx(0.97, rel=1e-3)
    assert last < 1e-3


def test_a_scar_keeps_what_scans_show_of_the_volume() -> None:
    """Six weeks after chemoradiation scans show near two fifths of the volume (koo2014), little of which lives."""
    course = "radiotherapy 60 Gy in 30 fractions"
    seen, living = (run(course, (name,), (0.01, 84), alpha_radiotherapy=0.3)[name] for name in ("V_scan_T", "V_T"))
    assert seen[0] == pytest.approx(living[0], rel=1e-3)
    assert 0.25 < seen[1] / seen[0] < 0.5
    assert living[1] < 0.15 * seen[1]
    untreated = run("observation", ("V_scan_T", "V_T"), (50,))
    assert untreated["V_scan_T"] == pytest.approx(untreated["V_T"])


def test_fractions_below_the_threshold_of_trex1_make_more_interferon() -> None:
    """8 Gy three times against 20 Gy at once: more cytosolic DNA and interferon, as TREX1 degrades it after 20 Gy."""
    for output, least in (("dna_load_T", 1.5), ("IFN1_conc_T", 1.15)):  # dying cells feed dendritic cells after both
        split = one("radiotherapy 8 Gy x 3", output, 4)
        assert split > least * one("radiotherapy 20 Gy once", output, 2), output
        assert split > 1.3 * one("observation", output, 4), output


def test_radiation_inflames_and_brings_mdsc_and_loses_lymphocytes() -> None:
    course, none = "radiotherapy 8 Gy x 3", "observation"
    assert one(course, "H_danger", 2) > 1.2 * one(none, "H_danger", 2)
    for output in ("MHC1_T", "NK_density_T", "MDSC_density_T"):
        assert one(course, output, 5) > 1.1 * one(none, output, 5), output
    conventional = "radiotherapy 60 Gy in 30 fractions"  # CCL2 per secreting cell; the cells themselves die
    assert one(conventional, "f_ccl2_production", 10) > 1.1 * one(none, "f_ccl2_production", 10)
    treated = run(conventional, ("nCD8_C", "V_T"), (0.01, 41))
    assert 0.25 < treated["nCD8_C"][1] / treated["nCD8_C"][0] < 0.6
    assert treated["V_T"][1] < 0.5 * treated["V_T"][0]


def test_hypoxia_protects_from_radiation() -> None:
    tumour = one("radiotherapy 8 Gy x 3", "C_total", 5)
    assert one("radiotherapy 8 Gy x 3", "C_total", 5, oxygen_use=20.0) > tumour


# --- inhibitors of repair -------------------------------------------------------------------------------------------

REPAIR = {
    "olaparib 300 mg twice daily": "parp",
    "peposertib 200 mg twice daily": "dnapk",
    "ceralasertib 240 mg twice daily": "atr",
    "azd1390 160 mg daily": "atm",
}


@pytest.mark.parametrize("text", REPAIR)
def test_inhibitors_of_repair(text: str) -> None:
    """Much of the target is held; cytosolic DNA, STING and radiosensitivity rise."""
    outputs = (f"H_{REPAIR[text]}", "dna_load_T", "H_STING_T", "f_radiosensitivity")
    treated, control = (run(t, outputs, (10,)) for t in (text, "observation"))
    assert treated[outputs[0]][0] > 0.4
    for output in outputs[1:]:
        assert treated[output][0] > 1.1 * control[output][0], output
    both = one(f"{text} + radiotherapy 8 Gy x 3", "C_total", 10)
    assert both < one("radiotherapy 8 Gy x 3", "C_total", 10)


def test_deficient_repair_gives_more_dna_and_more_from_inhibitors() -> None:
    text = "olaparib 300 mg twice daily"
    gain = [
        one(text, "dna_load_T", 10, ddr_deficient=d) - one("observation", "dna_load_T", 10, ddr_deficient=d)
        for d in (0, 1)
    ]
    assert gain[1] > 1.5 * gain[0]
    kill = [
        one(text, "C_total", 30, ddr_deficient=d) / one("observation", "C_total", 30, ddr_deficient=d) for d in (0, 1)
    ]
    assert kill[1] < kill[0]


# --- STING agonists, SHIP1 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["ulevostinag 540 ug weekly", "dazostinag 5 mg on days 1, 8 and 15 every 3 weeks"])
def test_sting_agonists(text: str) -> None:
    outputs = ("H_STING_T", "H_STING_DC", "IFN1_conc_T", "f_dc_maturation", "CCL2_conc_T")
    treated, control = (run(t, outputs, (0.5,)) for t in (text, "observation"))
    for output in outputs:
        assert treated[output][0] > 1.1 * control[output][0], output
    assert one(text, "H_STING_T", 0.5, met_amplified=1.0) < treated["H_STING_T"][0] + 1e-9


def test_ship1_inhibitor_wakes_t_and_nk_cells() -> None:
    text = "aminocholestane 100 mg daily"
    outputs = ("f_killing", "f_nk_killing", "f_reactivation")
    treated, control = (run(t, outputs, (10,)) for t in (text, "observation"))
    for output in outputs:
        assert treated[output][0] > 1.05 * control[output][0], output
    assert one(text, "V_T", 90) < one("observation", "V_T", 90)


# --- conjugates -----------------------------------------------------------------------------------------------------

TDXD, TDM1 = "trastuzumab_deruxtecan 5.4 mg/kg every 3 weeks", "trastuzumab_emtansine 3.6 mg/kg every 3 weeks"
DATO = "datopotamab_deruxtecan 6 mg/kg every 3 weeks"


def test_conjugates_need_their_antigen() -> None:
    for text, level in ((TDXD, "her2_level"), (TDM1, "her2_level"), (DATO, "trop2_level")):
        shrink = [one(text, "V_T", 42, **{level: x}) for x in (0.01, 0.1, 1.0)]
        assert shrink == sorted(shrink, reverse=True), text
        assert shrink[2] < 0.85 * one("observation", "V_T", 42), text


def test_mutated_her2_takes_up_more() -> None:
    assert one(TDXD, "V_T", 42, her2_mutant=1.0) < 0.9 * one(TDXD, "V_T", 42)


def test_bystander_killing_is_of_the_permeable_payload_alone() -> None:
    """Cells without the antigen: with half of the cells negative, T-DXd loses less of its killing than T-DM1."""
    kept = {}
    for text in (TDXD, TDM1):
        name = text.split()[0]
        kill = [one(text, f"kill_{name}", 7, her2_level=1.0, her2_share=s) for s in (1.0, 0.5)]
        kept[name] = kill[1] / kill[0]
    assert kept["trastuzumab_emtansine"] < 0.6
    assert kept["trastuzumab_deruxtecan"] > kept["trastuzumab_emtansine"] + 0.1


def test_immune_effects_of_trastuzumab_deruxtecan() -> None:
    high = {"her2_level": 1.0}
    for output in ("f_dc_maturation", "f_mhc1_expression", "f_pdl1_cancer", "f_nk_killing", "H_danger"):
        assert one(TDXD, output, 7, **high) > 1.1 * one("observation", output, 7, **high), output


def test_platelets_fall_under_emtansine_and_return() -> None:
    values = run("trastuzumab_emtansine 3.6 mg/kg once", ("platelets_trastuzumab_emtansine",), (0.01, 8, 60))
    before, nadir, after = values["platelets_trastuzumab_emtansine"]
    assert before == pytest.approx(1, abs=0.01)
    assert 0.4 < nadir < 0.8
    assert after > 0.97


# --- chemotherapy ---------------------------------------------------------------------------------------------------


def test_lymphodepletion_for_cell_therapy() -> None:
    """Cyclophosphamide and fludarabine leave a few per cent of circulating naive T cells; regulatory T cells fall."""
    text = "cyclophosphamide 60 mg/kg on days 1-2 once, then fludarabine 25 mg/m2 on days 1-5 once"
    values = run(text, ("nCD8_C", "Treg_T"), (0.01, 9))
    assert values["nCD8_C"][1] < 0.15 * values["nCD8_C"][0]
    assert values["Treg_T"][1] < 0.4 * values["Treg_T"][0]


def test_platinum_leaves_dna_in_the_cytosol_and_gemcitabine_depletes_mdsc() -> None:
    platinum = one("cisplatin 75 mg/m2 every 3 weeks", "dna_load_T", 4)
    assert platinum > 1.3 * one("pemetrexed 500 mg/m2 every 3 weeks", "dna_load_T", 4)
    mdsc = one("gemcitabine 1250 mg/m2 on days 1 and 8 every 3 weeks", "MDSC_T", 14)
    assert mdsc < 0.9 * one("observation", "MDSC_T", 14)


def test_danger_signals_follow_the_drug() -> None:
    """For the same log kill pemetrexed, whose dead are immunogenic, releases more danger signals than cisplatin."""
    assert one("pemetrexed 500 mg/m2 once", "H_danger", 5) > 1.05 * one("cisplatin 75 mg/m2 once", "H_danger", 5)


def test_vinorelbine_reaches_its_published_area() -> None:
    times = np.r_[0, np.geomspace(1e-3, 10, 200)]
    c = simulate(("vinorelbine",), [("vinorelbine", 0, 45)], times, ("conc_vinorelbine",))["conc_vinorelbine"]
    assert trapezoid(c, times) * 24 == pytest.approx(45 / 78, rel=0.02)


@pytest.mark.parametrize("name", [*NEW[:14], *NEW[-4:]])
def test_harm_is_known(name: str) -> None:
    from immunescape.model.toxicity import toxicity

    alone, with_antibody = toxicity((name,)), toxicity((name, "pembrolizumab"))
    assert 0 <= alone.death <= alone.grade3 <= 1
    assert with_antibody.grade3 >= alone.grade3
    assert registry.get_drug(name).drug_class


@pytest.mark.parametrize(
    ("text", "day"), [("brentuximab-vedotin 1.8 mg/kg once", 7), ("camidanlumab-tesirine 45 ug/kg once", 4)]
)
def test_conjugates_of_immune_cells_deplete_regulatory_t_cells_and_kill_no_cancer_cell(text: str, day: float) -> None:
    assert one(text, "Treg_density_T", day) < 0.8 * one("observation", "Treg_density_T", day)
    assert one(text, "C_total", 1) == pytest.approx(one("observation", "C_total", 1), rel=5e-3)


def test_brentuximab_vedotin_has_the_exposure_of_its_published_clearance() -> None:
    """Area under the curve of a dose = dose / clearance (1.56 L/day), whatever the volume."""
    name = "conc_brentuximab_vedotin"
    days = np.r_[np.linspace(0.02, 2, 200), np.linspace(2.05, 60, 600)]
    concentration = run("brentuximab-vedotin 1.8 mg/kg once", (name,), days)[name]
    assert trapezoid(concentration, days) == pytest.approx(1.8 * SIZE.weight_kg / 1.56, rel=0.03)


def test_an_antigen_of_its_own_decides_what_a_conjugate_kills() -> None:
    text = "ladiratuzumab-vedotin 2.5 mg/kg every 3 weeks"
    volumes = [one(text, "V_T", 42, share_ladiratuzumab_vedotin=share) for share in (0.0, 0.4, 1.0)]
    assert volumes == sorted(volumes, reverse=True)
    assert volumes[0] > 0.97 * one("observation", "V_T", 42)
    assert one(text, "V_T", 42, copies_ladiratuzumab_vedotin=1e6) < volumes[1]


def test_an_anthracycline_payload_kills_at_few_copies_and_immunogenically() -> None:
    pnu = "T-PNU 3.6 mg/kg every 3 weeks"
    assert one(pnu, "V_T", 42, her2_level=0.05) < one(TDM1, "V_T", 42, her2_level=0.05)
    assert one(pnu, "danger_T", 7) > 2 * one("observation", "danger_T", 7)
