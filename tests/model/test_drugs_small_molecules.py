"""Small molecules: kinetics against published figures and closed forms, and the targets that they hold."""

from __future__ import annotations

import numpy as np
import pytest
from drug_simulation import HOST, host_of, simulate
from scipy.integrate import trapezoid

from immunescape.model import Drug, registry
from immunescape.model.drugs._small_molecule import small_molecule
from immunescape.model.parameters import load_parameters


def parameters_of(drug: Drug) -> set[str]:
    """Names in the table of a drug."""
    return set(load_parameters(drug.parameters, drug.name))


MOLECULES = [d for d in registry.drugs().values() if any(q.name.startswith("ratio_") for q in d.quantities)]


def test_oral_dose_follows_the_closed_form():
    """One compartment, first-order absorption: C(t) = D ka / (V (ka - k)) (exp(-k t) - exp(-ka t))."""
    parameters = {p: registry_value("epacadostat", p) for p in ("ka", "cl", "v")}
    hours = np.linspace(0, 24, 97)
    found = simulate(("epacadostat",), [("epacadostat", 0.0, 100.0)], hours / 24, ("conc_epacadostat",))
    ka, v = parameters["ka"], parameters["v"]
    k = parameters["cl"] / v
    expected = 100 * ka / (v * (ka - k)) * (np.exp(-k * hours) - np.exp(-ka * hours))
    assert found["conc_epacadostat"] == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_epacadostat_inhibits_as_published():
    """100 mg twice daily: peak at 2 h, half-life 2.9 h, mean inhibition of IDO1 above 80 % (first-in-human trial)."""
    days = np.linspace(5, 5.5, 2001)
    doses = [("epacadostat", i / 2, 100.0) for i in range(11)]
    found = simulate(("epacadostat",), doses, np.r_[0, days], ("occupancy_epacadostat",), (*HOST, *tryptophan_needs()))[
        "occupancy_epacadostat"
    ][1:]
    assert trapezoid(found, days) / 0.5 == pytest.approx(0.8, abs=0.03)
    assert found.min() > 0.5


@pytest.mark.parametrize("drug", [d.name for d in MOLECULES if f"cl_{d.name}" in parameters_of(d)])
def test_dose_is_absorbed_and_cleared(drug: str):
    """The plasma AUC of a dose is F dose / CL, whatever the absorption and the distribution."""
    declared = registry.get_drug(drug)
    cl = registry_value(drug, "cl")
    share = registry_value(drug, "f_oral") if f"{drug}_loss" in {r.name for r in declared.reactions} else 1.0
    days = np.unique(np.r_[np.geomspace(1e-4, 90, 3000), 0])
    found = simulate((drug,), [(drug, 0.0, 100.0)], days, (f"conc_{drug}",), host_of(drug))[f"conc_{drug}"]
    assert trapezoid(found, days) == pytest.approx(100 * share / cl / 24, rel=0.02)


PUBLISHED = [
    ("levofloxacin", 500.0, 1, 0.0, 5.1, 0.2, "label: peak 5.1 (SD 0.8) ug/mL after 500 mg"),
    ("levofloxacin", 500.0, 7, 1.0, 5.7, 0.25, "label: peak 5.7 (SD 1.4) ug/mL at steady state, 500 mg once daily"),
    ("anlotinib", 12.0, 1, 0.0, 0.010, 0.25, "about 10 ng/mL after 12 mg"),
    ("prednisone", 15.0, 1, 0.0, 0.333, 0.25, "333 (SD 28) ng/mL prednisolone after 15 mg in solution"),
]


@pytest.mark.parametrize(("drug", "mg", "doses", "every", "peak", "tolerance", "source"), PUBLISHED)
def test_peak_as_published(
    drug: str, mg: float, doses: int, every: float, peak: float, tolerance: float, source: str
) -> None:
    last = (doses - 1) * every
    given = [(drug, i * every, mg) for i in range(doses)]
    times = np.r_[0.0, last + np.linspace(0.01, 1, 200)]
    found = simulate((drug,), given, times, (f"conc_{drug}",))[f"conc_{drug}"]
    assert found.max() == pytest.approx(peak, rel=tolerance), source


@pytest.mark.parametrize(
    ("drug", "hours", "source"),
    [("anlotinib", 96, "Sun 2016"), ("celecoxib", 11.2, "label"), ("prednisone", 3.2, "Georgitis 1982")],
)
def test_half_life_as_published(drug: str, hours: float, source: str) -> None:
    """Far enough from the dose for absorption to be over."""
    days = np.array([0.0, 3 * hours, 4 * hours]) / 24
    found = simulate((drug,), [(drug, 0.0, 100.0)], days, (f"conc_{drug}",))[f"conc_{drug}"]
    assert found[2] / found[1] == pytest.approx(0.5, rel=0.06), source


def registry_value(drug: str, parameter: str) -> float:
    """Return a parameter of a drug in its declared unit (liter, hour)."""
    from immunescape.model.parameters import load_parameters

    declared = load_parameters(registry.get_drug(drug).parameters, drug)[f"{parameter}_{drug}"]
    scale = {"liter/hour": 1.0, "liter/day": 1 / 24, "1/hour": 1.0, "1/day": 1 / 24, "milliliter/minute": 0.06}
    return declared.value * scale.get(declared.unit, 1.0)


def tryptophan_needs() -> tuple[str, ...]:
    """Return what the tryptophan mechanism is built on."""
    from immunescape.model.selection import closures

    every = {**registry.mechanisms(), **registry.drugs()}
    return tuple(n for n in closures(every.values())["tryptophan"] if n not in HOST)


def test_options_add_what_they_say():
    full = small_molecule(
        "example",
        title="Example",
        drug_class="kinase inhibitor",
        targets=("A", "B"),
        molar_mass=500,
        synonyms=(),
        references=(),
        note="All options.",
        peripheral=True,
        bioavailability=True,
        effect_compartment=True,
        potencies=("A", "B"),
    )
    assert {s.name for s in full.states} == {"example_D", "example_C", "example_P", "example_E"}
    assert {"occupancy_A_example", "occupancy_B_example"} <= {q.name for q in full.quantities}
    infused = small_molecule(
        "example",
        title="Example",
        drug_class="kinase inhibitor",
        targets=("A",),
        molar_mass=500,
        synonyms=(),
        references=(),
        note="Infused.",
        route="iv",
        infusion_hours=1,
    )
    assert infused.dose_state == "example_C"
    assert infused.infusion_hours == 1


def test_prednisolone_halves_the_division_of_t_cells_at_its_measured_concentration():
    """38.8 ng/mL halve the proliferation of lymphocytes in whole blood (Magee 2002)."""
    from immunescape.model import Model

    model = Model.build(drugs=["prednisone"], check_units=False, specificity="none")
    grams_per_litre, volume = 38.8e-6, registry_value("prednisone", "v")
    amount = grams_per_litre / 360.44 * volume * 1e9  # nanomole; molar mass of prednisolone
    states = {name: 1.0 for name in model.states} | {"prednisone_D": 0.0}
    treated = model.evaluate(states | {"prednisone_C": amount / model.scale("prednisone_C")})
    untreated = model.evaluate(states | {"prednisone_C": 0.0})
    for process in ("proliferation", "reactivation"):
        share = float(treated[f"f_{process}"]) / float(untreated[f"f_{process}"])
        assert share == pytest.approx(0.5, abs=0.01), process
