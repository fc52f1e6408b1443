"""The untreated reference patient: growth, baseline, fixed point of the reference strengths, extinction."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from mechanism_bench import Bench, bench

from immunescape.model import Model
from immunescape.model.reference_strengths import Key, load_strengths
from immunescape.population.reference_baseline import Baseline, reference_strengths, update_reference_strengths


@pytest.fixture(scope="module")
def reference() -> Bench:
    return bench()


def test_volume_doubles_within_the_measured_range(reference: Bench) -> None:
    """Wang 2012: 139 days in inoperable stages I-III; Mackintosh 2014: median 191; Usuda 1994: adenocarcinoma 222."""
    volume = reference.run([0.0, 30.0], ("V_T",))["V_T"][0]
    doubling = 30 * np.log(2) / np.log(volume[1] / volume[0])
    assert 60 < doubling < 250


def test_seed_grows_to_diagnosis_within_years_though_t_cells_kill(reference: Bench) -> None:
    assert 1 < reference.days / 365.25 < 8
    assert reference.observed("diameter_T") == pytest.approx(3.7, rel=1e-5)
    kill = reference.value("kill_rate")
    growth = reference.model.parameters["k_growth"].base
    assert 0.1 < kill / growth < 0.8, "the tumour grows against killing that matters"
    assert 0.1 < reference.value("PD1_engaged_T") * 2 < 1.5


def test_baseline_ratios_lie_within_those_observed(reference: Bench, shared_data: Path) -> None:
    """Logs of M1/M2, Treg/CD8, CD8/CD4 in 270 lung tumours: within the central 80 %."""
    logs = np.genfromtxt(shared_data / "qsp_io" / "observed_immune_ratios_log.csv", delimiter=",", skip_header=1)
    for column, name in zip(logs.T, ("M1_M2_ratio", "Treg_CD8_ratio", "CD8_CD4_ratio"), strict=True):
        low, high = np.exp(np.quantile(column, [0.1, 0.9]))
        assert low < reference.observed(name) < high, name


def test_cell_densities_are_those_of_lung_tumours(reference: Bench) -> None:
    """CD8: sections with 10-2000 cells/mm2, cells 10 um wide, are 1e6-2e8 per mL. Naive cells in blood as measured."""
    assert 1e6 < reference.observed("CD8_density_T") < 2e8
    assert 0.02 < reference.observed("progenitor_share_T") < 0.3
    per_ul = reference.value("nCD8_C") / 5000 / 1000, reference.value("nCD4_C") / 5000 / 1000
    assert per_ul[0] == pytest.approx(505, rel=0.05)
    assert per_ul[1] == pytest.approx(860, rel=0.05)
    assert reference.value("PD1_occupancy_T") == pytest.approx(0, abs=1e-4)


def assert_stored(strengths: Mapping[Key, float], baseline: Baseline, reference: Bench) -> None:
    """The strengths are those of the stored table, and all factors of that patient are 1."""
    stored = load_strengths()
    assert set(stored) == set(strengths), "a stored strength belongs to no mechanism, or one is missing"
    for key, value in strengths.items():
        assert value == pytest.approx(stored[key], rel=1e-4, abs=1e-6), key
    assert baseline.days == pytest.approx(reference.days, rel=1e-5)
    factors = {n: v for n, v in baseline.quantities.items() if reference.model.quantities[n].kind == "factor"}
    assert len(factors) >= 12
    assert max(abs(v - 1) for v in factors.values()) < 1e-4


def test_stored_strengths_are_the_fixed_point_from_a_start_without_any(reference: Bench) -> None:
    strengths, baseline = reference_strengths(Model.build(specificity="none"), start={})
    assert_stored(strengths, baseline, reference)


def test_stored_strengths_are_the_fixed_point_of_another_engine(reference: Bench) -> None:
    """One step of the iteration by scipy's integrator, which shares no generated code, stays where it is."""
    strengths, baseline = reference_strengths(
        Model.build(specificity="none"), engine="reference", rtol=1e-7, tolerance=1e-5, max_iterations=2
    )
    assert_stored(strengths, baseline, reference)


@pytest.mark.slow
@pytest.mark.nightly
def test_stored_strengths_are_the_fixed_point_of_libroadrunner(reference: Bench) -> None:
    """The oracle needs minutes to load the whole model."""
    strengths, baseline = reference_strengths(Model.build(specificity="none"), engine="roadrunner", start={})
    assert_stored(strengths, baseline, reference)


def test_update_writes_what_it_computed(tmp_path: Path) -> None:
    written = update_reference_strengths(tmp_path / "strengths.csv", engine="auto", specificity="none")
    assert load_strengths(tmp_path / "strengths.csv") == pytest.approx(written, rel=1e-9)


def test_nothing_is_undefined_where_everything_is_zero() -> None:
    model = Model.build()
    zero = dict.fromkeys(model.states, 0.0)
    values = np.array([float(v) for v in model.evaluate(zero).values()])
    rates = np.array([float(v) for v in model.derivatives(zero).values()])
    assert np.isfinite(values).all()
    assert np.isfinite(rates).all()


def test_an_eradicated_tumour_does_not_return(reference: Bench) -> None:
    """Killed down below one cell, every clone is zero and stays so: no re-seeding."""
    gone = reference.run(
        [0.0, 200.0, 800.0],
        ("C_total", "V_T", "C_dead_T", "CD8_T"),
        {"exposure_chemo": 3.0, "r_resist": 1.0},
    )
    assert gone["C_total"][0, 1] == 0
    assert gone["C_total"][0, 2] == 0
    after = {s: float(gone.final[0, k]) for k, s in enumerate(gone.states)}
    later = reference.run([0.0, 1000.0], ("C_total",), initial=after)
    assert later["C_total"][0, 1] == 0


def test_immunity_adapts_to_the_clones(reference: Bench) -> None:
    """A clone without MHC-I is not killed; one with half of the antigens is killed half as fast."""
    model = reference.model
    state = dict(reference.start)
    flows = model.evaluate(state)
    assert float(flows["recognition_sensitive"]) == pytest.approx(1, abs=1e-3)
    from immunescape.model.expressions import evaluate

    lost = dict(flows) | {n: p.base for n, p in model.parameters.items()} | state
    expression = model.quantities["recognition_sensitive"].expression
    assert float(evaluate(expression, (lost | {"mhc1_level_sensitive": 0.0}).__getitem__)) == 0
    halved = float(evaluate(expression, (lost | {"antigenicity_sensitive": 0.5}).__getitem__))
    assert halved == pytest.approx(0.5 * float(flows["recognition_sensitive"]))
