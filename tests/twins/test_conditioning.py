"""Twins: the population where nothing is measured, the patient's own values as precision rises, and honest weights."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from immunescape.errors import InputError
from immunescape.population.covariates import sample_covariates
from immunescape.twins.conditioning import Candidates, condition
from immunescape.twins.covariates import FOLLOWS, SCORED, conditional_covariates, effective, systematic
from immunescape.twins.facts import Fact
from immunescape.twins.growth import Grown, GrowTask, Proposal, fitted_proposal, grow
from immunescape.twins.population import Observables


def number(target: str, value: float, spread: float, scale: str = "sd", kind: str = "covariate") -> Fact:
    return Fact(target, kind, value=value, spread=spread, scale=scale, biomarker=target, measured=f"{value:g}")


def test_with_nothing_measured_the_covariates_are_those_of_the_population():
    drawn = conditional_covariates((), 40, seed=3, start=16)
    pd.testing.assert_frame_equal(drawn.table, sample_covariates(16, 40, 3, 0))


def test_words_are_met_and_the_rest_stays_as_it_goes_together():
    facts = [Fact("histology", "covariate", allowed=("squamous",)), Fact("kras_g12c", "covariate", allowed=(False,))]
    table = conditional_covariates(facts, 600, seed=1).table
    assert set(table["histology"]) == {"squamous"}
    population = sample_covariates(0, 8192, 7, 0)
    wanted = population[(population["histology"] == "squamous") & ~population["kras_g12c"]]
    assert (table["sex"] == "F").mean() == pytest.approx((wanted["sex"] == "F").mean(), abs=0.07)
    assert (table["smoking"] == "never").mean() == pytest.approx((wanted["smoking"] == "never").mean(), abs=0.05)
    assert np.log(table["tmb_mut_mb"]).mean() == pytest.approx(np.log(wanted["tmb_mut_mb"]).mean(), abs=0.12)


def test_a_word_says_something_of_what_it_follows_from():
    egfr = conditional_covariates([Fact("driver", "covariate", allowed=("EGFR",))], 600, seed=2).table
    population = sample_covariates(0, 16384, 8, 0)
    wanted = population[population["driver"] == "EGFR"]
    assert (egfr["smoking"] == "never").mean() == pytest.approx((wanted["smoking"] == "never").mean(), abs=0.08)


def test_words_that_exclude_each_other_are_refused_by_name():
    facts = [Fact("kras", "covariate", allowed=(True,)), Fact("driver", "covariate", allowed=("ALK",))]
    with pytest.raises(InputError, match="kras"):
        conditional_covariates(facts, 40, seed=1)


@pytest.mark.parametrize("spread", [0.6, 0.2, 0.02])
def test_twins_take_a_measured_number_as_far_as_it_was_measured(spread):
    table = conditional_covariates([number("nlr", 8.0, spread, "sd_ln")], 800, seed=4).table
    x = np.log(table["nlr"].to_numpy())
    prior = np.log(sample_covariates(0, 8192, 9, 0)["nlr"].to_numpy())
    precision = 1 / prior.var() + 1 / spread**2  # lognormal in the population: exact but for its bounds
    mean = (prior.mean() / prior.var() + math.log(8.0) / spread**2) / precision
    assert x.mean() == pytest.approx(mean, abs=0.06)
    assert x.std() == pytest.approx(precision**-0.5, rel=0.15, abs=0.01)


def test_what_goes_with_a_measured_number_moves_as_in_the_population():
    table = conditional_covariates([number("albumin_g_l", 30.0, 0.3)], 1500, seed=5).table
    population = sample_covariates(0, 1 << 15, 10, 0)
    near = population[(population["albumin_g_l"] - 30.0).abs() < 0.5]
    assert np.log(table["nlr"]).mean() == pytest.approx(np.log(near["nlr"]).mean(), abs=0.07)
    assert np.log(table["nlr"]).mean() > np.log(population["nlr"]).mean() + 0.1


def test_a_proposal_and_its_weights_give_the_exact_answer_where_there_is_one():
    rng = np.random.default_rng(11)
    n, names = 4000, tuple(f"p{i}" for i in range(6))

    def made(scores):
        return Grown(pd.DataFrame(index=range(len(scores))), names, scores, np.zeros(len(scores)), np.zeros((n, 0)))

    slope = np.array([[1.0, 0.2], [0.5, 0.0], [0.0, -0.8], [0.0, 0.0], [0.0, 0.0], [0.3, 0.3]])
    first = made(rng.standard_normal((n, 6)))
    values, errors = np.array([2.5, -2.0]), np.array([0.3, 0.3])
    proposal = fitted_proposal(first, np.ones(n), first.scores, first.scores @ slope, values, errors)
    assert isinstance(proposal, Proposal)
    z = rng.standard_normal((n, 6))
    places = [names.index(p) for p in proposal.names]
    z[:, places] = proposal.move(z[:, places])
    log_weight = -0.5 * (((values - z @ slope) / errors) ** 2).sum(axis=1) - proposal.log_ratio(z[:, places])
    w = np.exp(log_weight - log_weight.max())
    w /= w.sum()
    gain = slope @ np.linalg.inv(slope.T @ slope + np.diag(errors**2))
    assert effective(w) > 0.3 * n
    assert w @ z == pytest.approx(gain @ values, abs=0.06)
    spread = np.sqrt(w @ (z - w @ z) ** 2)
    assert spread == pytest.approx(np.sqrt(np.diag(np.eye(6) - gain @ slope.T)), abs=0.06)


def test_weighted_candidates_sharpen_the_proposal_where_an_observable_is_not_linear_and_the_answer_stays_right():
    rng = np.random.default_rng(12)
    names, error = tuple(f"p{i}" for i in range(4)), 0.3

    def observed(z):
        return np.column_stack([np.exp(z[:, 0]), z[:, 1]])

    def made(scores):
        return Grown(pd.DataFrame(index=range(len(scores))), names, scores, np.zeros(len(scores)), np.zeros((n, 0)))

    def likely(z):
        return -0.5 * (((values - observed(z)) / error) ** 2).sum(axis=1)

    n, values = 20_000, np.array([5.0, 1.0])
    first = made(rng.standard_normal((n, 4)))
    posterior = np.exp(likely(first.scores))
    arguments = (first, np.ones(n), first.scores, observed(first.scores), values, [error, error])
    grid = np.linspace(-6.0, 6.0, 4001)
    exact = np.exp(-0.5 * grid**2 - 0.5 * ((values[0] - np.exp(grid)) / error) ** 2)
    shares, means = [], []
    for proposal in (fitted_proposal(*arguments), fitted_proposal(*arguments, posterior=posterior)):
        assert proposal is not None
        z = rng.standard_normal((n, 4))
        places = [names.index(p) for p in proposal.names]
        z[:, places] = proposal.move(z[:, places])
        log_weight = likely(z) - proposal.log_ratio(z[:, places])
        w = np.exp(log_weight - log_weight.max())
        shares.append(effective(w) / n)
        means.append(float(w @ z[:, 0] / w.sum()))
    assert shares[1] > 1.5 * shares[0]
    assert means == pytest.approx([float(exact @ grid / exact.sum())] * 2, abs=0.05)


def test_a_parameter_that_was_measured_itself_is_no_part_of_a_proposal():
    scores = np.random.default_rng(13).standard_normal((500, 3))
    first = Grown(pd.DataFrame(index=range(500)), ("a", "b", "c"), scores, np.zeros(500), np.zeros((500, 0)))
    arguments = (first, np.ones(500), scores, scores[:, :2] @ np.eye(2), [1.0, 1.0], [0.5, 0.5])
    free, held = fitted_proposal(*arguments), fitted_proposal(*arguments, fixed={"a"})
    assert free is not None
    assert held is not None
    assert {"a", "b"} <= set(free.names)
    assert "a" not in held.names


def test_the_first_candidates_look_where_patients_of_the_population_point_to_and_some_do_not(monkeypatch):
    import immunescape.twins.conditioning as module

    names, made = ("x", "y"), []
    rng = np.random.default_rng(14)

    def grown(task, covariates, *, workers):
        scores = np.random.default_rng(len(made)).standard_normal((len(covariates), 2))
        if task.proposal is not None:
            places = [names.index(p) for p in task.proposal.names]
            scores[:, places] = task.proposal.move(scores[:, places])
        made.append((len(covariates), task.proposal))
        table = covariates.assign(**{"b:CD8_density_T": scores[:, 0]})
        return Grown(table, names, scores, np.zeros(len(table)), np.zeros((len(table), 0)))

    whole = rng.standard_normal((400, 2))
    known = Observables(pd.DataFrame({"b:CD8_density_T": whole[:, 0]}), names, whole)
    monkeypatch.setattr(module, "grow_many", grown)
    monkeypatch.setattr(module, "reference_observables", lambda *_: known)
    fact = number("CD8_density_T", 1.5, 0.5, "sd", "observable")
    twins = condition("nobody", (fact,), twins=512, seed=6)
    assert [n for n, _ in made] == [192, 320]
    assert made[0][1] is None
    assert made[1][1] is not None
    # exact: prior and error are Gaussian
    assert twins.mean("b:CD8_density_T") == pytest.approx(1.5 / (1 + 0.5**2), abs=0.06)
    assert twins.effective > 200
    assert twins.surprise["CD8_density_T"] == pytest.approx(math.erfc(1.5 / math.sqrt(2 * 1.25)), abs=0.04)


def test_a_proposal_that_is_diagnosed_more_often_counts_by_what_it_tried():
    from scipy.stats import norm

    from immunescape.twins.conditioning import _pooled, _Round

    rng, n, bound = np.random.default_rng(16), 20_000, 0.8
    shifted = Proposal(("z",), np.array([1.5]), np.array([[1.0]]))
    rounds = []
    for proposal, centre in ((None, 0.0), (shifted, 1.5)):
        z = centre + rng.standard_normal(n)
        z = z[z > bound][:4000]  # as many of either, who took unlike numbers of tries
        tried = round(4000 / norm.sf(bound - centre))
        fates = {"accepted": 4000, "never diagnosed": tried - 4000}
        table = pd.DataFrame(index=range(len(z)))
        made = Grown(table, ("z",), z[:, None], np.zeros(len(z)), np.zeros((len(z), 0)), fates)
        rounds.append(_Round(made, proposal, np.zeros(len(z))))
    w = _pooled(rounds)
    z = np.concatenate([r.grown.scores[:, 0] for r in rounds])
    assert w @ z / w.sum() == pytest.approx(norm.pdf(bound) / norm.sf(bound), abs=0.02)
    by_diagnosed = [replace(r, grown=replace(r.grown, fates={})) for r in rounds]
    w = _pooled(by_diagnosed)
    assert w @ z / w.sum() < norm.pdf(bound) / norm.sf(bound) - 0.04  # what counting the diagnosed would give


def world_of(scores):
    """Made-up tumours: observables of four parameters, not linear, and whether they are diagnosed."""
    seen = np.column_stack(
        [np.exp(0.7 * scores[:, 0] + 0.3 * scores[:, 3]), np.tanh(scores[:, 1]) + 0.5 * scores[:, 2]]
    )
    return seen, scores[:, 0] + 0.7 * scores[:, 1] > 0.8


def diagnosed(draw, n):
    """Scores of n candidates who are drawn until they are diagnosed, and the parameter sets tried."""
    kept, tried = [], 0
    waiting = n
    for _ in range(10):
        scores = draw(waiting)
        tried += waiting
        fine = world_of(scores)[1]
        kept.append(scores[fine])
        waiting -= int(fine.sum())
        if not waiting:
            break
    return np.concatenate(kept), tried


def test_ranks_of_the_truth_at_diagnosis_are_uniform_whatever_the_proposals(monkeypatch):
    """Simulation-based calibration: parameters and observables of a patient who was measured with error."""
    from scipy.stats import chisquare

    import immunescape.twins.conditioning as module
    from immunescape.twins.covariates import CovariateDraws

    names, columns = ("p0", "p1", "p2", "p3"), ["b:a", "b:c"]
    rng = np.random.default_rng(15)

    def grown(task, covariates, *, workers):
        def draw(n):
            scores = rng.standard_normal((n, 4))
            if task.proposal is not None:
                places = [names.index(p) for p in task.proposal.names]
                scores[:, places] = task.proposal.move(scores[:, places])
            return scores

        scores, tried = diagnosed(draw, len(covariates))
        index = covariates.index[: len(scores)]
        table = pd.DataFrame(world_of(scores)[0], columns=columns, index=index)
        table[list(names)] = scores
        fates = {"accepted": len(scores), "never diagnosed": tried - len(scores)}
        return Grown(table, names, scores, np.zeros(len(table)), np.zeros((len(table), 0)), fates)

    def covariates(facts, n, *, seed, start, region):
        return CovariateDraws(pd.DataFrame(index=range(start, start + n)), 1.0, {})

    whole, _ = diagnosed(lambda n: rng.standard_normal((n, 4)), 600)
    known = Observables(pd.DataFrame(world_of(whole)[0], columns=columns), names, whole)
    monkeypatch.setattr(module, "grow_many", grown)
    monkeypatch.setattr(module, "conditional_covariates", covariates)
    monkeypatch.setattr(module, "reference_observables", lambda *_: known)
    truths, _ = diagnosed(lambda n: rng.standard_normal((n, 4)), 240)
    ranks: dict[str, list[int]] = {name: [] for name in (*names, *columns)}
    for k, truth in enumerate(truths):
        seen = world_of(truth[None])[0][0]
        measured = seen[0] * math.exp(0.2 * rng.standard_normal()), seen[1] + 0.2 * rng.standard_normal()
        facts = [
            number("a", measured[0], 0.2, "sd_ln", "observable"),
            number("c", measured[1], 0.2, "sd", "observable"),
        ]
        twins = condition("simulated", facts, twins=400, seed=k, enough=200)
        drawn = twins.table.iloc[rng.choice(len(twins), 15, p=twins.weights)]
        for name, value in zip((*names, *columns), (*truth, *seen), strict=True):
            ranks[name].append(int((drawn[name] < value).sum()))
    for name, found in ranks.items():
        counts = np.bincount(np.array(found) // 2, minlength=8)
        assert chisquare(counts).pvalue > 0.002, (name, counts)


def test_the_words_that_a_number_follows_are_those_of_the_table():
    from immunescape.knowledge.tables import read_rows
    from immunescape.population.covariates import covariate_table

    rows = read_rows("covariates_nsclc", type(covariate_table()).columns)
    for target, score in SCORED.items():
        named = {"tps": "tps_", "tmb": "tmb_", "liver": "liver_mets", "brain": "brain_mets"}.get(score, f"{score}_")
        words = {
            part.split("=")[0].strip()
            for row in rows
            if row["name"].startswith(named)
            for part in row["condition"].replace(";", "&").split("&")
            if part.strip()
        }
        assert words <= {"region", *FOLLOWS.get(target, ())}, (target, words)


def test_systematic_draws_take_each_as_often_as_its_weight_says():
    counts = np.bincount(systematic(np.array([0.5, 0.25, 0.25, 0.0]), 400, np.random.default_rng(1)), minlength=4)
    assert counts.tolist() == [200, 100, 100, 0]


def observables() -> Observables:
    x = np.linspace(1e5, 1e7, 200)
    return Observables(pd.DataFrame({"b:CD8_density_T": x, "b:exhausted_share_T": np.linspace(0.2, 0.8, 200)}))


def test_a_percentile_is_the_rank_among_virtual_patients():
    known = observables()
    fact = number("CD8_density_T", 0.0, 0.5, "score", "observable")
    score = known.scaled(known.table, fact)
    assert score[100] == pytest.approx(0.0, abs=0.02)
    assert fact.log_likelihood(score)[[0, 100, 199]] == pytest.approx([-13.3, 0.0, -13.3], abs=0.1)


def test_an_observable_in_a_wrong_unit_is_refused_before_it_conditions():
    known = observables()
    known.check(number("CD8_density_T", 3e7, 0.3, "sd_ln", "observable"))
    with pytest.raises(InputError, match="Check the unit; nothing was conditioned"):
        known.check(number("CD8_density_T", 3e13, 0.3, "sd_ln", "observable"))
    with pytest.raises(InputError, match="nothing was conditioned"):
        known.check(number("exhausted_share_T", 45.0, 0.1, "sd", "observable"))


def test_candidates_without_facts_are_the_populations_patients():
    from immunescape.population.blocks import BlockMaker, PopulationSpec
    from immunescape.population.reference_baseline import prepared_model

    twins = condition("nobody", (), twins=8, seed=6, enough=4, batch=8)
    made = BlockMaker(prepared_model(()), PopulationSpec(6, block_size=8)).block(0).table
    pd.testing.assert_frame_equal(twins.table, made.iloc[: len(twins)])
    assert twins.weights == pytest.approx(np.full(len(twins), 1 / len(twins)))


def test_a_parameter_with_a_fact_lies_where_the_fact_says():
    covariates = sample_covariates(0, 6, 6, 0)
    fact = Fact("f_b2m_null", "parameter", low=0.5, high=0.9)
    grown = grow(GrowTask(6, facts=(fact,)), covariates)
    assert grown.table["p:f_b2m_null"].between(0.5 - 1e-9, 0.9 + 1e-9).all()
    other = [c for c in grown.table.columns if str(c).startswith("p:") and c != "p:f_b2m_null"]
    free = grow(GrowTask(6), covariates)
    same = grown.table.index.intersection(free.table.index[free.table["draw"] == 0])
    same = same.intersection(grown.table.index[grown.table["draw"] == 0])
    assert len(same)
    assert grown.table.loc[same, other].equals(free.table.loc[same, other])


def test_too_few_effective_twins_are_refused_with_what_is_least_likely(monkeypatch):
    import immunescape.twins.conditioning as module

    covariates = sample_covariates(0, 6, 6, 0)
    table = grow(GrowTask(6), covariates).table
    known = Observables(table[[c for c in table.columns if str(c).startswith("b:")]])
    monkeypatch.setattr(module, "reference_observables", lambda *_: known)
    top = float(known.table["b:CD8_density_T"].max())
    fact = number("CD8_density_T", 5.0 * top, 0.01, "sd_ln", "observable")
    with pytest.raises(InputError, match=r"effective twins, 8 are needed; least likely: CD8 density T"):
        condition("nobody", (fact,), twins=8, seed=6, enough=8, batch=8, most=16)


def test_each_round_of_candidates_tells_how_many_are_effective():
    told = []
    candidates = Candidates("nobody", (), first=8, seed=6, batch=8, progress=lambda done, of: told.append((done, of)))
    assert candidates.grow_until(12.0)
    assert len(told) == len(candidates._rounds) == 2
    assert told[-1] == (12, 12)
    assert 0 < told[0][0] <= 8


def test_the_order_of_facts_does_not_matter():
    facts = [number("nlr", 4.0, 0.2, "sd_ln"), number("age", 60.0, 0.5), Fact("sex", "covariate", allowed=("F",))]
    one = condition("a", facts, twins=6, seed=2, enough=3, batch=6)
    two = condition("a", facts[::-1], twins=6, seed=2, enough=3, batch=6)
    pd.testing.assert_frame_equal(one.table, two.table)


@pytest.mark.slow
def test_ranks_of_the_truth_among_its_twins_are_uniform():
    """Simulation-based calibration of the covariates: a patient of the population, measured with error."""
    from scipy.stats import chisquare

    ranks: dict[str, list[int]] = {"nlr": [], "albumin_g_l": [], "tmb_mut_mb": [], "sld_mm": []}
    truth = sample_covariates(0, 200, 77, 0)
    rng = np.random.default_rng(5)
    for k, (_, row) in enumerate(truth.iterrows()):
        facts = [
            Fact("sex", "covariate", allowed=(row["sex"],)),
            Fact("histology", "covariate", allowed=(row["histology"],)),
            number("albumin_g_l", float(np.clip(row["albumin_g_l"] + 2.0 * rng.standard_normal(), 5, 70)), 2.0),
            number("sld_mm", row["sld_mm"] * math.exp(0.3 * rng.standard_normal()), 0.3, "sd_ln"),
            number("tmb_mut_mb", row["tmb_mut_mb"] * math.exp(0.5 * rng.standard_normal()), 0.5, "sd_ln"),
        ]
        twins = conditional_covariates(facts, 15, seed=1000 + k).table
        for name in ranks:
            ranks[name].append(int((twins[name] < row[name]).sum()))
    for name, found in ranks.items():
        counts = np.bincount(np.array(found) // 4, minlength=4)
        assert chisquare(counts).pvalue > 0.002, (name, counts)


@pytest.mark.slow
def test_twins_come_nearer_to_a_simulated_patient_as_precision_rises():
    """Its own observables at diagnosis, measured ever better, bring back what it was made of."""
    from immunescape.twins.population import reference_observables

    grown = grow(GrowTask(31), sample_covariates(0, 40, 31, 0))
    known = reference_observables()
    cd8 = known.of(grown.table, "CD8_density_T")
    treg = np.log(known.of(grown.table, "Treg_density_T"))
    inflamed = np.flatnonzero(cd8 > np.quantile(cd8, 0.75))
    # an inflamed one whose regulatory T cells are not rare as well: of a corner of the population there are no 60 twins
    row = grown.table.iloc[[int(inflamed[np.argmin(np.abs(treg[inflamed] - np.median(treg)))])]]
    facts = [
        number(name, float(known.of(row, name)[0]), 1.0, "sd_ln", "observable")
        for name in ("CD8_density_T", "Treg_density_T", "MHC1_T")
    ]
    off = []
    for spread in (2.0, 0.5, 0.2):
        twins = condition("simulated", [replace(f, spread=spread) for f in facts], twins=120, seed=9, enough=60)
        x = np.log(known.of(twins.table, "CD8_density_T"))
        own = math.log(float(known.of(row, "CD8_density_T")[0]))
        off.append(float(np.sqrt(twins.weights @ (x - own) ** 2)))
        if spread == 0.2:
            scores = twins.weights @ twins.table["p:cd8_infiltration"].to_numpy()
            wide = known.table["b:CD8_density_T"].shape[0]
            assert wide > 300
            assert scores > 0
    assert off[0] > off[1] > off[2]
    assert off[2] < 0.35
