"""Against R: values of ``tests/oracles/cohort_r.csv`` (survival 3.5-3), on the data set that lifelines ships too."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from lifelines import CoxPHFitter
from lifelines.datasets import load_lung

from immunescape.stats.cox import cox, penalised_cox
from immunescape.stats.discrimination import auc, benjamini_hochberg, logistic
from immunescape.stats.exact import fisher
from immunescape.stats.survival import kaplan_meier, median_survival


@pytest.fixture(scope="module")
def oracle() -> dict[str, float]:
    path = Path(__file__).parents[1] / "oracles" / "cohort_r.csv"
    with path.open(encoding="utf-8") as stream:
        return {row["name"]: float(row["value"]) for row in csv.DictReader(stream)}


@pytest.fixture(scope="module")
def lung():
    d = load_lung()[["time", "status", "age", "sex", "ph.ecog", "wt.loss"]].dropna()
    return d.assign(male=(d["sex"] == 1).astype(float), late=d["time"] > 250)


def test_cox_within_1e_5_of_r(lung, oracle):
    table = cox(lung["time"], lung["status"], {t: lung[t] for t in ("age", "male", "ph.ecog")}).table
    for term in ("age", "male", "ph.ecog"):
        assert table.loc[term, "coef"] == pytest.approx(oracle[f"cox_coef_{term}"], abs=1e-7)
        assert table.loc[term, "se"] == pytest.approx(oracle[f"cox_se_{term}"], abs=1e-7)
        assert table.loc[term, "p"] == pytest.approx(oracle[f"cox_p_{term}"], abs=1e-7)
    product = lung["male"] * lung["age"]
    both = cox(lung["time"], lung["status"], {"male": lung["male"], "age": lung["age"], "product": product}).table
    assert both.loc["product", "coef"] == pytest.approx(oracle["cox_interaction_coef"], abs=1e-5)
    assert both.loc["product", "p"] == pytest.approx(oracle["cox_interaction_p"], abs=1e-5)


@pytest.mark.parametrize("terms", [["age"], ["male", "ph.ecog"], ["age", "male", "ph.ecog", "wt.loss"]])
def test_cox_as_lifelines_with_many_ties(lung, terms):
    d = lung.assign(time=np.ceil(lung["time"] / 60))
    theirs = CoxPHFitter().fit(d[["time", "status", *terms]], "time", "status", fit_options={"precision": 1e-10})
    ours = cox(d["time"], d["status"], {t: d[t] for t in terms}).table
    assert ours["coef"].to_numpy() == pytest.approx(theirs.params_.to_numpy(), abs=1e-5)
    assert ours["se"].to_numpy() == pytest.approx(theirs.standard_errors_.to_numpy(), abs=1e-5)


def test_cox_without_a_maximum_says_so():
    time, x = np.arange(1.0, 21), np.r_[np.ones(10), np.zeros(10)]
    found = cox(time, np.r_[np.ones(10), np.zeros(10)], {"x": x})
    assert found.table.empty
    assert "converge" in found.note
    assert "vary" in cox(time, np.ones(20), {"x": np.ones(20)}).note


def test_kaplan_meier_as_r(lung, oracle):
    median = median_survival(lung["time"], lung["status"])
    assert (median.value, median.low, median.high) == (oracle["km_median"], oracle["km_low"], oracle["km_high"])
    curve = kaplan_meier(lung["time"], lung["status"])
    row = curve[curve["time"] <= 365].iloc[-1]
    for ours, theirs in (("survival", "km_365"), ("low", "km_365_low"), ("high", "km_365_high")):
        assert row[ours] == pytest.approx(oracle[theirs], abs=1e-9)


def test_two_groups_as_r(lung, oracle):
    exact = fisher(lung["male"] == 1, lung["late"])
    for ours, theirs in (("value", "or"), ("low", "low"), ("high", "high"), ("p", "p")):
        assert getattr(exact, ours) == pytest.approx(oracle[f"fisher_{theirs}"], rel=1e-4)
    model = logistic(lung["age"], lung["late"])
    assert np.log(model.value) == pytest.approx(oracle["logistic_coef"], abs=1e-8)
    assert np.log(model.high / model.value) / 1.959963984540054 == pytest.approx(oracle["logistic_se"], abs=1e-8)
    assert model.p == pytest.approx(oracle["logistic_p"], abs=1e-8)
    area = auc(lung["age"], lung["late"])
    assert area.value == pytest.approx(oracle["wilcox_auc"], abs=1e-12)
    assert area.p == pytest.approx(oracle["wilcox_p"], abs=1e-9)


def test_false_discovery_rate_as_r(oracle):
    found = benjamini_hochberg([0.01, 0.04, np.nan, 0.03, 0.2, 0.005])
    assert np.isnan(found[2])
    for i in (1, 2, 4, 5, 6):
        assert found[i - 1] == pytest.approx(oracle[f"bh_{i}"], abs=1e-12)


def test_delong_interval_by_brute_force():
    rng = np.random.default_rng(2)
    x, y = np.round(rng.normal(size=40), 1), rng.random(40) < 0.4
    x[y] += 0.6
    a, b = x[y], x[~y]
    wins = (a[:, None] > b).astype(float) + 0.5 * (a[:, None] == b)
    error = np.sqrt(wins.mean(1).var(ddof=1) / len(a) + wins.mean(0).var(ddof=1) / len(b))
    found = auc(x, y)
    assert found.value == pytest.approx(wins.mean(), abs=1e-12)
    assert found.high - found.low == pytest.approx(
        min(1, wins.mean() + 1.959964 * error) - (wins.mean() - 1.959964 * error)
    )


@pytest.mark.parametrize("stratified", [False, True])
def test_a_cox_model_with_strata_as_lifelines_and_a_prior_draws_it_to_zero(lung, stratified):
    terms = ["age", "ph.ecog", "wt.loss"]
    d = lung.assign(time=np.ceil(lung["time"] / 60))
    strata = ["male"] if stratified else None
    theirs = CoxPHFitter().fit(
        d[["time", "status", "male", *terms] if stratified else ["time", "status", *terms]],
        "time",
        "status",
        strata=strata,
        fit_options={"precision": 1e-10},
    )
    arrays = (d["time"].to_numpy(float), d["status"].to_numpy(float), d[terms].to_numpy(float))
    labels = d["male"].to_numpy() if stratified else None
    beta, covariance = penalised_cox(*arrays, prior_sd=np.full(3, np.inf), strata=labels)
    assert beta == pytest.approx(theirs.params_.to_numpy(), abs=1e-5)
    assert np.sqrt(np.diag(covariance)) == pytest.approx(theirs.standard_errors_.to_numpy(), abs=1e-5)
    drawn, narrower = penalised_cox(*arrays, prior_sd=np.array([np.inf, 0.05, np.inf]), strata=labels)
    assert abs(drawn[1]) < 0.3 * abs(beta[1])
    assert narrower[1, 1] < 0.05**2
