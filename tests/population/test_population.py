from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from immunescape.engine import get_engine
from immunescape.errors import InputError
from immunescape.evaluation.scenarios import Scenario, clone_cells
from immunescape.population import BlockMaker, Population, PopulationSpec, generate_block
from immunescape.population.diagnosis import Grower, emerge
from immunescape.population.linking import DIAMETER

ELIGIBLE = {"pdl1_tps": {"min": 1}, "driver": {"not": ["EGFR", "ALK"]}, "ecog": [0, 1], "stage": "IV"}


@pytest.fixture(scope="module")
def population(small_model, engine):
    return Population.generate(small_model, 30, seed=3, engine=engine, eligibility=ELIGIBLE, block_size=32)


def test_patients_are_eligible_grown_and_plausible(population, small_model):
    table = population.table
    assert len(population) == 30
    assert (table.pdl1_tps >= 1).all()
    assert set(table.driver) & {"EGFR", "ALK"} == set()
    assert set(table.ecog) <= {0, 1}
    assert set(table.stage) == {"IV"}
    assert table["b:CD8_density_T"].between(1e3, 1e9).all()
    assert (table.weight == 1.0).all()
    values = small_model.evaluate(population.initial(), population.parameters())
    np.testing.assert_allclose(values["diameter_T"], table[f"p:{DIAMETER}"], rtol=1e-4)
    np.testing.assert_allclose(table["b:diameter_T"], table[f"p:{DIAMETER}"], rtol=1e-4)


def test_libroadrunner_grows_the_same_patients(small_model, engine):
    arguments = {"seed": 3, "candidates": 8, "draws": 2}
    table = Population.generate(small_model, engine=engine, **arguments).table
    other = Population.generate(small_model, engine=get_engine("roadrunner"), **arguments).table
    assert len(table) > 4
    # near one cell the absolute tolerance (1e-3 cell) rules: the time carries an error of a few 1e-4
    pd.testing.assert_frame_equal(table, other, rtol=1e-3)


def test_growth_matches_the_analytic_solution(population):
    table = population.table
    rate = table["p:k_growth"] - table["p:k_kill_small"]
    cells = np.pi / 6.0 * table[f"p:{DIAMETER}"] ** 3 / 5e-9
    # near one cell the absolute tolerance (1e-3 cell) rules: the time carries an error of a few 1e-4
    np.testing.assert_allclose(table.days_to_diagnosis, np.log(cells) / rate, rtol=1e-3)
    np.testing.assert_allclose(table["b:doubling_time"], np.log(2.0) / rate, rtol=1e-3)
    # the CD8 equation is linear too: dN/dt = a V(t) - b N with V exponential
    expected = table["p:k_infiltrate"] / (rate + 0.1)
    np.testing.assert_allclose(table["b:CD8_density_T"], expected, rtol=1e-3)


def test_fates_add_up_and_the_never_diagnosed_are_counted(population):
    counts = dict(population.counts)
    total = counts.pop("candidates")
    assert sum(counts.values()) == total == population.table.index[-1] + 1
    assert counts["accepted"] == 30
    assert counts["ineligible"] > 0
    assert counts.get("failed", 0) == 0
    draws = dict(population.draws)
    assert sum(v for k, v in draws.items() if k != "draws") == draws["draws"] > 30
    assert draws["accepted"] == 30
    # some draw a killing rate above their growth rate: k_kill is uniform up to 0.03, k_growth has median 0.02
    assert draws["never diagnosed"] > 0
    assert 0.0 < population.acceptance < 1.0


def test_never_diagnosed_are_those_that_cannot_grow(small_model, engine):
    maker = BlockMaker(small_model, PopulationSpec(seed=5, block_size=40, draws=1), engine)
    block = maker.block(0)
    from immunescape.population.covariates import sample_covariates
    from immunescape.population.linking import patient_parameters

    covariates = sample_covariates(0, 40, 5)
    p = patient_parameters(small_model.parameters, covariates, 5)
    cells = np.pi / 6.0 * p[DIAMETER] ** 3 / 5e-9
    rate = p["k_growth"] - p["k_kill_small"]
    with np.errstate(divide="ignore"):
        in_time = (rate > 0) & (np.log(cells) / np.maximum(rate, 1e-12) < 8000.0)
    assert 0 < (~in_time).sum() < 40
    np.testing.assert_array_equal((block.fates == "never diagnosed").to_numpy(), ~in_time)


def test_a_tumour_that_dies_out_is_not_followed_and_the_others_grow_the_same(small_model, monkeypatch):
    engine = get_engine("native")
    rates = {"k_growth": np.array([0.02, 0.01, 0.03, 0.02]), "k_kill_small": np.array([0.004, 0.03, 0.0, 0.021])}
    goal = np.full(4, 3.0)
    grower = Grower(small_model, engine)
    ended: list[np.ndarray] = []
    run = grower._compiled.run

    def recorded(job):
        result = run(job)
        ended.append(result.end_time)
        return result

    monkeypatch.setattr(grower._compiled, "run", recorded)
    growth = grower.grow(rates, goal)
    monkeypatch.setattr(grower, "_clones", ())
    followed = grower.grow(rates, goal)
    np.testing.assert_array_equal(growth.reached, [True, False, True, False])
    assert not growth.failed.any()
    # one cell at the start, none below half a cell
    np.testing.assert_allclose(ended[0][[1, 3]], np.log(2.0) / np.array([0.02, 0.001]), rtol=1e-3)
    np.testing.assert_array_equal(ended[1][[1, 3]], 8000.0)
    np.testing.assert_array_equal(growth.days, followed.days)
    for name, values in growth.states.items():
        np.testing.assert_array_equal(values, followed.states[name])


def test_diagnosis_conditions_parameters_but_not_covariates(small_model, engine):
    population = Population.generate(small_model, seed=9, candidates=200, engine=engine, draws=20)
    from immunescape.population.covariates import sample_covariates

    assert population.counts["accepted"] == 200  # nobody is lost
    assert population.draws["never diagnosed"] > 30
    pd.testing.assert_frame_equal(population.covariates, sample_covariates(0, 200, 9), check_exact=True)
    assert (population.table["p:k_growth"] > population.table["p:k_kill_small"]).all()
    again = population.table[population.table.draw > 0]
    assert 0 < len(again) < 200
    # the first draw is the same as where only one is tried
    once = Population.generate(small_model, seed=9, candidates=200, engine=engine, draws=1).table
    pd.testing.assert_frame_equal(once, population.table[population.table.draw == 0], check_exact=True)


def test_same_seed_same_patients_whatever_the_blocks(population, small_model, engine):
    other = Population.generate(small_model, 30, seed=3, engine=engine, eligibility=ELIGIBLE, block_size=7)
    pd.testing.assert_frame_equal(population.table, other.table, check_exact=True)
    assert dict(population.counts) == dict(other.counts)


def test_blocks_in_any_order_make_the_same_population(population, small_model, engine):
    spec = PopulationSpec(seed=3, eligibility=ELIGIBLE, block_size=32)
    maker = BlockMaker(small_model, spec, engine)
    number = -(-population.counts["candidates"] // 32)
    blocks = [maker.block(i) for i in reversed(range(number))]
    again = Population.from_blocks(small_model, 3, 0, blocks, 30)
    pd.testing.assert_frame_equal(population.table, again.table, check_exact=True)
    single = generate_block(small_model, spec, 1, engine=engine)
    pd.testing.assert_frame_equal(single.table, maker.block(1).table, check_exact=True)


def test_seed_and_stream_change_the_patients(small_model, engine):
    tables = [
        Population.generate(small_model, seed=s, stream=t, candidates=8, engine=engine).table
        for s, t in ((1, 0), (2, 0), (1, 1))
    ]
    ages = [tuple(t.age.round(6)) for t in tables]
    assert len(set(ages)) == 3


def test_drugs_do_not_change_the_patients(small_mechanism, small_model, engine):
    from immunescape.model.assembly import Model

    bare = Population.generate(Model.build([small_mechanism]), seed=1, candidates=12, engine=engine)
    full = Population.generate(small_model, seed=1, candidates=12, engine=engine)
    pd.testing.assert_frame_equal(bare.table, full.table[bare.table.columns], rtol=1e-12)
    assert (full.table["x:toxin_C"] == 0.0).all()
    assert "p:k_out_toxin" in full.table
    np.testing.assert_array_equal(full.table["p:weight_toxin"], full.table.weight_kg)


def test_round_trip_through_parquet(population, small_model, tmp_path):
    path = tmp_path / "p.parquet"
    population.to_parquet(path)
    back = Population.from_parquet(path, small_model)
    pd.testing.assert_frame_equal(population.table, back.table, check_exact=True)
    assert (back.seed, back.stream, dict(back.counts)) == (3, 0, dict(population.counts))
    assert dict(back.draws) == dict(population.draws)
    np.testing.assert_array_equal(back.parameters()["k_growth"], population.parameters()["k_growth"])
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(InputError, match="no population"):
        Population.from_parquet(tmp_path / "other.parquet")


def test_summary_lists_parameters_and_observables(population):
    summary = population.summary()
    assert summary.loc["age", "n"] == 30
    assert summary.loc["b:diameter_T", "median"] == pytest.approx(population.table["b:diameter_T"].median())
    assert {"p:k_growth", "pdl1_tps", "liver_mets"} <= set(summary.index)


def test_emergence_is_poisson_and_whole(small_model):
    n = 4000
    states = {"C_large": np.full(n, 1e9), "C_small": np.zeros(n), "CD8_T": np.ones(n), "toxin_C": np.zeros(n)}
    out = emerge(small_model, states, {"f_small": np.full(n, 2e-9)}, range(n), seed=1)
    cells = out["C_small"]
    assert np.array_equal(cells, np.round(cells))
    assert ((cells == 0.0) | (cells >= 1.0)).all()
    assert cells.mean() == pytest.approx(2.0, abs=0.1)
    assert cells.var() == pytest.approx(2.0, abs=0.2)
    assert (cells == 0).mean() == pytest.approx(np.exp(-2.0), abs=0.02)
    np.testing.assert_allclose(out["C_large"] + cells, 1e9)
    some = emerge(
        small_model, {k: v[100:110] for k, v in states.items()}, {"f_small": np.full(10, 2e-9)}, range(100, 110), 1
    )
    np.testing.assert_array_equal(some["C_small"], cells[100:110])


def test_a_clone_of_a_mechanism_that_is_switched_off_has_no_cells(small_model):
    states = {"C_large": np.full(6, 1e9), "C_small": np.zeros(6), "CD8_T": np.ones(6), "toxin_C": np.zeros(6)}
    owner = small_model.quantities["fraction_small"].owner
    off = {"f_small": np.full(6, 0.1), f"switch_{owner}": np.array([1.0, 0.0, 1.0, 0.0, 1.0, 0.0])}
    out = emerge(small_model, states, off, range(6), seed=1)
    assert (out["C_small"][::2] > 9e7).all()
    assert (out["C_small"][1::2] == 0.0).all()
    np.testing.assert_array_equal(out["C_large"] + out["C_small"], 1e9)


def test_a_scenario_without_a_mechanism_has_no_cells_of_its_clones(small_model):
    states = {"C_large": np.full(3, 6e8), "C_small": np.full(3, 4e8)}
    owner = small_model.quantities["fraction_small"].owner
    cells = clone_cells(small_model, states, Scenario(off=(owner,), clones=(("small", 0.5),)))
    np.testing.assert_array_equal(cells["C_small"], 0.0)
    np.testing.assert_allclose(cells["C_large"], 1e9)
    kept = clone_cells(small_model, states, Scenario(clones=(("small", 0.5),)))
    np.testing.assert_allclose(kept["C_small"], 5e8)


def test_a_failed_integration_is_counted_with_its_reason(small_model, engine):
    from dataclasses import replace

    maker = BlockMaker(small_model, PopulationSpec(seed=5, block_size=10), engine)
    grower: Grower = maker.grower
    compiled = grower._compiled

    class Failing:
        states = compiled.states

        def run(self, job, progress=None):
            return compiled.run(replace(job, max_steps=3))

    grower._compiled = Failing()
    block = maker.block(0)
    failed = block.fates == "failed"
    assert failed.sum() >= 8  # a seed that dies at once needs few steps
    assert set(block.messages) == set(block.fates.index[failed])
    assert all(block.messages.values())
    assert (block.draws[block.draws.fate == "failed"].groupby("id").size() == 1).all()  # not drawn again


def test_implausible_patients_are_counted_by_reason(small_model, engine, monkeypatch):
    from immunescape.population import plausibility

    tight = plausibility.Bound(
        observable="CD8_density_T", lower=1e4, upper=2e4, unit="cell/milliliter", sources=(), grade="assumed", note=""
    )
    monkeypatch.setattr(plausibility, "bounds", lambda: (tight,))
    strict = Population.generate(small_model, seed=3, candidates=40, draws=1, engine=engine)
    loose = Population.generate(small_model, seed=3, candidates=40, draws=1, engine=engine, plausibility=False)
    reason = "implausible: CD8_density_T"
    assert strict.counts[reason] > 0
    assert reason not in loose.counts
    assert strict.counts["accepted"] + strict.counts[reason] == loose.counts["accepted"]
    assert strict.table["b:CD8_density_T"].between(1e4, 2e4).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0, "seed": 1}, "at least 1"),
        ({"seed": 1}, "either n"),
        ({"n": 3, "candidates": 3, "seed": 1}, "either n"),
        ({"n": 3, "seed": -1}, "seed is negative"),
        ({"n": 3, "seed": 1, "region": "westernn"}, "western"),
        ({"n": 3, "seed": 1, "method": "sobl"}, "sobol"),
        ({"n": 3, "seed": 1, "block_size": 0}, "block_size"),
        ({"n": 3, "seed": 1, "max_days": 0.0}, "max_days"),
        ({"n": 3, "seed": 1, "rtol": 1.0}, "rtol"),
        ({"n": 3, "seed": 1, "draws": 0}, "draws"),
        ({"n": 3, "seed": 1, "eligibility": {"pdl1_tpss": 1}}, "pdl1_tps"),
        ({"n": 3, "seed": 1, "eligibility": {"driver": "EGFRR"}}, "EGFR"),
        ({"n": 3, "seed": 1, "eligibility": {"age": {"maximum": 3}}}, "max"),
        ({"n": 3, "seed": 1, "eligibility": {"sex": {"min": 3}}}, "no min or max"),
        ({"n": 3, "seed": 1, "eligibility": lambda c: [1]}, "eligibility rule"),
    ],
)
def test_wrong_specifications_are_refused(small_model, engine, arguments, message):
    with pytest.raises(InputError, match=message):
        Population.generate(small_model, engine=engine, **arguments)


def test_an_empty_trial_says_why(small_model, engine):
    with pytest.raises(InputError, match="64 candidates gave 0 of 5") as error:
        Population.generate(small_model, 5, seed=1, engine=engine, eligibility={"age": {"min": 200}}, max_candidates=64)
    assert "ineligible" in str(error.value)
