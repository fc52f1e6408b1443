"""Drugs that act on cancer cells (epigenetic, targeted) and the neoantigen vaccine: kinetics, directions, regimens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from drug_simulation import simulate

from immunescape.engine import Doses, Job, get_engine
from immunescape.model import Model, registry
from immunescape.model.toxicity import toxicity
from immunescape.trial.grammar import parse_regimen

REGIMENS = {
    "entinostat": "entinostat 5 mg weekly",
    "vorinostat": "vorinostat 400 mg daily",
    "decitabine": "decitabine 10 mg/m2 on days 1 to 5 every 4 weeks",
    "tetrahydrouridine": "tetrahydrouridine 10 mg/kg on days 1 to 5 every 4 weeks",
    "guadecitabine": "guadecitabine 45 mg/m2 on days 1 to 5 every 4 weeks",
    "tazemetostat": "tazemetostat 800 mg twice daily",
    "zen_3694": "zen_3694 72 mg daily",
    "sotorasib": "sotorasib 960 mg daily",
    "adagrasib": "adagrasib 600 mg twice daily",
    "osimertinib": "osimertinib 80 mg daily",
    "mrna_neoantigen_vaccine": "mRNA-4157 1 mg every 3 weeks for 9 cycles",
}
DAYS = tuple(float(d) for d in range(84))
FIVE = tuple(c + d for c in (0.0, 28.0, 56.0) for d in range(5))
GIVEN: dict[str, tuple[tuple[float, ...], float]] = {
    "entinostat": (DAYS[::7], 5.0),
    "vorinostat": (DAYS, 400.0),
    "decitabine": (FIVE, 18.0),
    "guadecitabine": (FIVE, 80.0),
    "tazemetostat": (tuple(np.arange(0, 84, 0.5)), 800.0),
    "zen_3694": (DAYS, 72.0),
    "sotorasib": (DAYS, 960.0),
    "adagrasib": (tuple(np.arange(0, 84, 0.5)), 600.0),
    "osimertinib": (DAYS, 80.0),
    "mrna_neoantigen_vaccine": (DAYS[::21], 1.0),
    "pembrolizumab": (DAYS[::21], 200.0),
}
PAIR = ("pembrolizumab",)
G12C, EGFR = {"kras_mutant": 1.0, "kras_g12c": 1.0}, {"egfr_mutant": 1.0}
SILENCED = {"mhc1_silenced": 0.5}
Scenario = tuple[tuple[str, ...], Mapping[str, float], Mapping[str, float]]
SCENARIOS: dict[str, Scenario] = {
    "none": ((), {}, {}),
    "silenced": ((), {}, SILENCED),
    "b2m": ((), {}, {"b2m_null": 0.9}),
    "g12c": ((), G12C, {}),
    "kras": ((), {"kras_mutant": 1.0}, {}),
    "egfr": ((), EGFR, {}),
    **{name: ((name,), {}, {}) for name in GIVEN},
    **{f"{n} silenced": ((n,), {}, SILENCED) for n in ("entinostat", "decitabine", "guadecitabine", "tazemetostat")},
    **{f"{n} b2m": ((n,), {}, {"b2m_null": 0.9}) for n in ("entinostat", "decitabine", "tazemetostat")},
    **{f"{n} g12c": ((n,), G12C, {}) for n in ("sotorasib", "adagrasib")},
    "sotorasib resistant": (("sotorasib",), G12C, {"target_resistant": 0.5}),
    "osimertinib egfr": (("osimertinib",), EGFR, {}),
    "zen_3694 kras": (("zen_3694",), {"kras_mutant": 1.0}, {}),
    "pair entinostat": ((*PAIR, "entinostat"), {}, {}),
    "pair vaccine": ((*PAIR, "mrna_neoantigen_vaccine"), {}, {}),
    "pair g12c": (PAIR, G12C, {}),
    "pair g12c sotorasib": ((*PAIR, "sotorasib"), G12C, {}),
}
OUTPUTS = (
    *("V_T", "MHC1_T", "MHC2_T", "IFN1_conc_T", "viral_mimicry_T", "f_infiltration", "f_growth", "f_priming"),
    *("Treg_CD8_ratio", "MDSC_density_T", "CD8_density_T", "PDL1_T", "target_resistant_share_T", "ctDNA_conc"),
    *("exhausted_share_T", "kras_active", "egfr_active"),
)
TIMES = np.array([0.0, 14.0, 28.0, 42.0, 84.0])


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, Any]]:
    """All scenarios in the full model, from the reference patient at diagnosis, in one run."""
    from immunescape.population.reference_baseline import reference_baseline

    start = reference_baseline(engine="native").states
    drugs = tuple(GIVEN)
    model = Model.build(drugs=drugs)
    total = sum(v for k, v in start.items() if k.startswith("C_") and k != "C_dead_T")
    names = sorted({k for _, parameters, _ in SCENARIOS.values() for k in parameters})
    states = {s: np.full(len(SCENARIOS), start.get(s, 0.0)) for s in model.states}
    tables = []
    for i, (given, _, shares) in enumerate(SCENARIOS.values()):
        for clone in model.clones:
            states[f"C_{clone.name}"][i] = total * shares.get(clone.name, 0.0)
        states["C_sensitive"][i] = total * (1 - sum(shares.values()))
        rows = sorted((day, name, GIVEN[name][1]) for name in given for day in GIVEN[name][0])
        by = [registry.get_drug(name) for _, name, _ in rows]
        tables.append(
            Doses(
                np.array([day for day, _, _ in rows]),
                tuple(d.dose_state for d in by),
                np.array([mg * 1e6 / d.molar_mass for (_, _, mg), d in zip(rows, by, strict=True)]),
                np.array([d.infusion_hours / 24 for d in by]),
            )
        )
    result = (
        get_engine("native")
        .compile(model.to_sbml())
        .run(
            Job(
                n=len(SCENARIOS),
                times=TIMES,
                outputs=OUTPUTS,
                parameters={k: np.array([p.get(k, 0.0) for _, p, _ in SCENARIOS.values()]) for k in names},
                initial=states,
                doses=tables,
                rtol=1e-5,
                atol=model.atol(),
            )
        )
    )
    assert result.failed == 0, dict(result.messages)
    return {s: {o: result[o][i] for o in OUTPUTS} for i, s in enumerate(SCENARIOS)}


@pytest.mark.parametrize("name", list(REGIMENS))
def test_regimen_parses_and_harm_is_known(name: str) -> None:
    regimen = parse_regimen(REGIMENS[name])
    assert regimen.drugs == (name,)
    assert 0 <= toxicity((name,)).grade3 < 0.6


@pytest.mark.parametrize(
    ("drug", "mg", "peak", "half_life_h"),
    [
        # micrograms per mL and hours: labels (vorinostat 1.2 uM after 400 mg; sotorasib 7.5 ug/mL after 960 mg;
        # osimertinib about 0.2 ug/mL after one dose of 80 mg), Ryan 2005
        ("entinostat", 5.0, (0.001, 0.006), 52),
        ("vorinostat", 400.0, (0.15, 0.6), 2),
        ("tazemetostat", 800.0, (0.3, 1.2), 3.1),
        ("sotorasib", 960.0, (2.5, 9.0), 5.6),
        ("adagrasib", 600.0, (0.3, 0.9), 17.6),
        ("osimertinib", 80.0, (0.05, 0.3), 44.5),
    ],
)
def test_plasma_concentrations(drug: str, mg: float, peak: tuple[float, float], half_life_h: float) -> None:
    times = np.concatenate([[0.0], np.linspace(0.01, 0.6, 60), [6.0, 6.5]])
    c = simulate((drug,), [(drug, 0.0, mg)], times, (f"conc_{drug}",), MECHANISMS)[f"conc_{drug}"]
    assert peak[0] < c.max() < peak[1]
    if c[-1] > 1e-9 * c.max():
        slope = 0.5 * 24 * np.log(2) / np.log(c[-2] / c[-1])
        assert slope == pytest.approx(half_life_h, rel=0.1)


MECHANISMS = ("body", "tumour_growth", "mhc1", "drivers", "targeted_therapy")


def test_tetrahydrouridine_raises_decitabine() -> None:
    times = np.linspace(0.0, 0.5, 101)
    both = ("decitabine", "tetrahydrouridine")
    alone = simulate(both, [("decitabine", 0.05, 18.0)], times, ("conc_decitabine",), MECHANISMS)
    helped = simulate(
        both, [("tetrahydrouridine", 0.0, 700.0), ("decitabine", 0.05, 18.0)], times, ("conc_decitabine",), MECHANISMS
    )
    ratio = np.trapezoid(helped["conc_decitabine"]) / np.trapezoid(alone["conc_decitabine"])
    assert 1.5 < ratio < 5.0


@pytest.mark.parametrize(
    ("scenario", "against", "output", "day", "rises"),
    [
        *((d, "none", "MHC1_T", 28, True) for d in ("entinostat", "vorinostat", "decitabine", "guadecitabine")),
        *((d, "none", "MHC1_T", 28, True) for d in ("tazemetostat", "zen_3694")),
        *((f"{d} silenced", "silenced", "MHC1_T", 42, True) for d in ("entinostat", "decitabine", "tazemetostat")),
        ("entinostat", "none", "MHC2_T", 28, True),
        *((d, "none", "viral_mimicry_T", 14, True) for d in ("decitabine", "guadecitabine", "zen_3694")),
        *((d, "none", "IFN1_conc_T", 28, True) for d in ("decitabine", "guadecitabine", "zen_3694", "entinostat")),
        *((d, "none", "f_infiltration", 28, True) for d in ("entinostat", "decitabine", "tazemetostat")),
        ("entinostat", "none", "MDSC_density_T", 42, False),
        ("decitabine", "none", "exhausted_share_T", 84, False),
        ("zen_3694", "none", "f_growth", 28, False),
        ("zen_3694 kras", "zen_3694", "f_growth", 28, False),
        ("zen_3694", "none", "PDL1_T", 28, False),
        ("zen_3694", "none", "Treg_CD8_ratio", 42, False),
        ("zen_3694", "none", "MDSC_density_T", 42, False),
        ("sotorasib g12c", "g12c", "V_T", 42, False),
        ("adagrasib g12c", "g12c", "V_T", 42, False),
        ("sotorasib g12c", "g12c", "PDL1_T", 14, False),
        ("sotorasib resistant", "sotorasib g12c", "V_T", 84, True),
        ("osimertinib egfr", "egfr", "V_T", 42, False),
        ("mrna_neoantigen_vaccine", "none", "f_priming", 14, True),
        ("mrna_neoantigen_vaccine", "none", "CD8_density_T", 42, True),
        ("pair entinostat", "pembrolizumab", "V_T", 84, False),
        ("pair vaccine", "pembrolizumab", "V_T", 84, False),
        ("pair g12c sotorasib", "pair g12c", "V_T", 84, False),
    ],
)
def test_direction(found: Any, scenario: str, against: str, output: str, day: float, rises: bool) -> None:
    k = int(np.flatnonzero(day == TIMES)[0])
    moved, usual = float(found[scenario][output][k]), float(found[against][output][k])
    assert (moved > usual) is rises, f"{moved:.4g} against {usual:.4g}"
    assert abs(moved - usual) > 0.01 * abs(usual)


@pytest.mark.parametrize("drug", ["entinostat", "decitabine", "tazemetostat"])
def test_nothing_rescues_cells_without_b2m(found: Any, drug: str) -> None:
    """The MHC-I that nine tenths of the cells lack does not return; silenced cells gain far more."""
    lost = found[f"{drug} b2m"]["MHC1_T"][3] / found["b2m"]["MHC1_T"][3]
    silenced = found[f"{drug} silenced"]["MHC1_T"][3] / found["silenced"]["MHC1_T"][3]
    assert found[f"{drug} b2m"]["MHC1_T"][3] < 0.25
    assert silenced > 1.1 * lost


def test_targeted_drugs_do_nothing_without_their_target(found: Any) -> None:
    for drug in ("sotorasib", "adagrasib", "osimertinib"):
        np.testing.assert_allclose(found[drug]["V_T"], found["none"]["V_T"], rtol=1e-3, err_msg=drug)
    assert found["sotorasib g12c"]["kras_active"][2] < 0.3
    assert found["osimertinib egfr"]["egfr_active"][2] < 0.3
    assert found["sotorasib g12c"]["V_T"][-1] < 0.5 * found["sotorasib g12c"]["V_T"][0]
    assert found["sotorasib resistant"]["target_resistant_share_T"][-1] > 0.7


def test_ctdna_falls_with_the_tumour(found: Any) -> None:
    """Its decline under treatment goes with that of the tumour; the level at baseline is one of shedding."""
    falls = found["pembrolizumab"]["ctDNA_conc"]
    assert falls[-1] < 0.7 * found["none"]["ctDNA_conc"][-1]
