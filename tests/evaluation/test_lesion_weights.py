"""Weights of patients whose lesions differ: their scores are those that were simulated, and the density is right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal, norm

from immunescape.errors import InputError
from immunescape.evaluation.weighting import (
    Sample,
    _given_the_first,
    _score,
    effective_size,
    lesion_correlations,
    lesion_kind,
    lesion_scores,
    pool,
)
from immunescape.population.distributions import Distribution
from immunescape.population.fit import COEFFICIENT_TERMS, FitTerm, PopulationFit
from immunescape.population.linking import linked_score, unexplained_share
from immunescape.trial.blocks import BlockTask, _Worker
from immunescape.trial.lesions import LesionModel
from immunescape.trial.loading import load_trial


def fit_of(*terms: tuple[str, str, float]) -> PopulationFit:
    return PopulationFit(tuple(FitTerm(n, t, v, 0.0, "assumed", "fitted") for n, t, v in terms))


def virtual(n: int, seed: int, rho: float, shift: float = 0.0) -> Sample:
    """Patients with three lesions that differ in ``k_growth``; they respond where the fastest lesion is slow."""
    rng = np.random.default_rng(seed)
    common = np.sqrt(rho) * rng.standard_normal((n, 1))
    e = shift + common + np.sqrt(1.0 - rho) * rng.standard_normal((n, 3))
    lesions = e[:, 1:, None].copy()
    lesions[::4, 1] = np.nan  # every fourth patient has one further lesion only
    worst = np.nanmax(np.c_[e[:, :1], lesions[:, :, 0]], axis=1)
    fit = fit_of(("k_growth", "shift", shift)) if shift else PopulationFit()
    sample = Sample(
        trial="t",
        arm="a",
        names=("k_growth",),
        z=e[:, :1],
        linked=np.zeros((n, 1)),
        left=np.ones(1),
        covariates={},
        response=(worst < 0.5).astype(float),
        times={},
        groups={},
        proposals=((fit, n),),
        values={},
        lesions=lesions,
        kinds=("correlation_growth",),
    )
    return pool([sample])


def test_the_density_of_lesions_given_the_patient_is_that_of_an_equally_correlated_normal() -> None:
    rho, first, further = 0.3, np.array([0.4, -1.0]), np.array([[1.1, -0.2], [0.7, np.nan]])
    three = multivariate_normal(np.zeros(3), np.full((3, 3), rho) + np.eye(3) * (1 - rho))
    two = multivariate_normal(np.zeros(2), np.full((2, 2), rho) + np.eye(2) * (1 - rho))
    expected = [
        three.logpdf([0.4, 1.1, -0.2]) - norm.logpdf(0.4),
        two.logpdf([-1.0, 0.7]) - norm.logpdf(-1.0),
    ]
    assert _given_the_first(first, further, rho) == pytest.approx(expected)


def test_weights_move_every_lesion_and_not_the_patient_alone() -> None:
    rho = LesionModel.load().correlation_growth
    slow, fast = virtual(30_000, 1, rho), virtual(30_000, 2, rho, 0.4)
    moved = slow.weights(fit_of(("k_growth", "shift", 0.4)))
    assert float(moved @ slow.response) == pytest.approx(fast.response.mean(), abs=0.012)
    alone = pool([replace(slow, lesions=np.empty((0, 0, 0)), kinds=())])
    patient_only = alone.weights(fit_of(("k_growth", "shift", 0.4)))
    assert float(patient_only @ slow.response) > fast.response.mean() + 0.03  # a move is understated without lesions
    assert effective_size(moved) < effective_size(patient_only)


def test_weights_move_the_correlation_between_lesions() -> None:
    rho = LesionModel.load().correlation_growth
    sample = virtual(30_000, 3, rho)
    alike = fit_of(("lesions.correlation_growth", "log_odds", 1.0))
    more = lesion_correlations(alike)["correlation_growth"]
    assert more == pytest.approx(1 / (1 + (1 - rho) / rho * np.exp(-1.0)))
    weights = sample.weights(alike)
    assert float(weights @ sample.response) == pytest.approx(virtual(30_000, 4, more).response.mean(), abs=0.015)


def test_lesions_of_several_samples_are_pooled_whatever_their_number() -> None:
    one, two = virtual(40, 5, 0.3), virtual(30, 6, 0.3)
    single = replace(two, lesions=two.lesions[:, :1])
    both = pool([one, single])
    assert both.lesions.shape == (70, 2, 1)
    assert np.isnan(both.lesions[40:, 1]).all()
    assert np.array_equal(both.lesions[:40], one.lesions, equal_nan=True)


@pytest.fixture(scope="module")
def worker() -> _Worker:
    trial = replace(load_trial("keynote-024"), lesions="several", follow_up_months=8.0)
    return _Worker(BlockTask(trial=trial, seed=3, engine="auto", rtol=1e-4, candidates=96, fit=PopulationFit.shipped()))


def test_scores_of_lesions_are_those_that_were_simulated(worker: _Worker) -> None:
    simulator, names = worker.simulator, ("k_growth", "k_kill", "n_clones_tum")
    patients = simulator._at_diagnosis(worker.maker(0, 0).block(0).table, 0)
    draws = [";".join(str(lane.draw) for lane in p.lanes[1:]) for p in patients]
    rows = pd.DataFrame([{**p.row, "id": p.number, "lesion_draws": d} for p, d in zip(patients, draws, strict=True)])
    assert any(d for d in draws)
    fit, region = simulator.fit, rows["region"].iloc[0]
    about = (rows, simulator.trial.drugs, simulator.trial.specificity)
    z = np.column_stack([_score(n, *about) for n in names])
    linked = np.column_stack([linked_score(n, rows) for n in names])
    from immunescape.population.scores import standard_score

    scores = {t.term for t in fit.terms if t.term not in ("shift", "scale", *COEFFICIENT_TERMS)}
    sample = Sample(
        trial="keynote-024",
        arm="a",
        names=names,
        z=z,
        linked=linked,
        left=np.array([unexplained_share(n, region) for n in names]),
        covariates={s: standard_score(s, rows) for s in scores},
        response=np.zeros(len(rows)),
        times={},
        groups={},
        proposals=((fit, len(rows)),),
    )
    found, kinds = lesion_scores(rows, sample, fit, 3, 0)
    assert kinds == ("correlation_growth", "correlation_immunity", "")
    checked = 0
    for i, p in enumerate(patients):
        small = ~p.course.lesions.at_diagnosis
        seeds = set(p.course.lesions.lane[small].tolist())
        for j, lane in enumerate(p.lanes[1:], start=1):
            for k, name in enumerate(names[:2]):
                if lane.draw < 0:
                    assert np.isnan(found[i, j - 1, k])
                    continue
                if name == "k_growth" and j in seeds:
                    continue  # micrometastases divide faster than their own score says
                quantile = norm.cdf(found[i, j - 1, k])
                value = Distribution.from_row(simulator.model.parameters[name]).ppf(np.array([quantile]))[0]
                assert lane.parameters[name] == pytest.approx(float(simulator.model.to_base(name, value)), rel=1e-6)
                checked += 1
    assert checked > 8
    assert np.isnan(found[:, :, 2]).all()


def test_clones_of_the_largest_lesion_are_noted_at_progression(worker: _Worker) -> None:
    table = worker.maker(0, 0).block(0).table
    rows = [row for block in worker.simulator.run(table.iloc[:12], (0, 1), 0) for row in block.patients]
    shares: dict[bool, list[float | None]] = {True: [], False: []}
    for row in rows:
        shares[bool(row["progression_day"])].append(row["progression:b2m_null_share_T"])
        assert row["lesion_draws"] == "" or all(int(d) >= -1 for d in row["lesion_draws"].split(";"))
    assert shares[True]
    assert all(s is None or 0.0 <= s <= 1.0 for s in shares[True])
    assert any(s is not None for s in shares[True])
    assert all(s is None for s in shares[False])


def test_lesions_differ_in_growth_immunity_drugs_and_clones() -> None:
    kinds = [lesion_kind(n) for n in ("k_growth", "k_kill", "kill_log_docetaxel", "f_b2m_null", "k_exhaust")]
    assert kinds == ["correlation_growth", "correlation_immunity", "correlation_drugs", "correlation_clones", ""]


def test_a_fit_moves_coefficients_of_lesions_and_refuses_terms_that_do_not_go_with_them() -> None:
    fit = fit_of(("lesions.scan_cv", "factor", 2.0), ("lesions.correlation_growth", "log_odds", 0.5))
    base, moved = LesionModel.load(), LesionModel.load(fit)
    assert moved.scan_cv == pytest.approx(2.0 * base.scan_cv)
    assert base.correlation_growth < moved.correlation_growth < 1.0
    assert moved.scar_share == base.scar_share
    assert PopulationFit.parse(fit.to_csv(), "again").to_csv() == fit.to_csv()
    for wrong in (("lesions.scan_cv", "shift", 1.0), ("k_kill", "factor", 2.0), ("lesions.scan_cv", "factor", 0.0)):
        with pytest.raises(InputError):
            fit_of(wrong)
    with pytest.raises(InputError, match=r"lesions\.scan_vc"):
        LesionModel.load(fit_of(("lesions.scan_vc", "factor", 2.0)))
