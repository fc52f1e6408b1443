from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest, spearmanr

from immunescape.errors import InputError
from immunescape.population.covariates import sample_covariates
from immunescape.population.distributions import Distribution
from immunescape.population.fit import PopulationFit
from immunescape.population.linking import DIAMETER, lesion_diameter, links, patient_parameters
from immunescape.population.plausibility import bounds
from immunescape.population.scores import score

N = 4096


@pytest.fixture(scope="module")
def covariates():
    return sample_covariates(0, N, seed=2)


@pytest.fixture(scope="module")
def values(small_model, covariates):
    return patient_parameters(small_model.parameters, covariates, 2, fit=PopulationFit())


def test_marginals_of_linked_and_free_parameters_are_those_of_the_table(small_model, values):
    for name in ("k_growth", "n_clones_tum", "k_infiltrate", "k_kill_small", "f_small"):
        distribution = Distribution.from_row(small_model.parameters[name])
        assert kstest(distribution.cdf(values[name]), "uniform").statistic < 0.03, name


def test_links_give_the_correlations_of_the_table(covariates, values):
    # 0.90 on the normal scores; TMB is a mixture of lognormals, so the rank correlation is slightly lower
    assert spearmanr(values["n_clones_tum"], covariates.tmb_mut_mb).statistic == pytest.approx(0.89, abs=0.02)
    squamous = covariates.histology == "squamous"
    assert np.median(values["k_growth"][squamous]) > np.median(values["k_growth"][~squamous])
    assert spearmanr(values["k_infiltrate"], covariates.tmb_mut_mb).statistic == pytest.approx(0.0, abs=0.05)


def test_pdl1_level_follows_tps(small_model, covariates, values):
    assert spearmanr(values["pdl1_tumour"], covariates.pdl1_tps).statistic == pytest.approx(0.87, abs=0.04)
    distribution = Distribution.from_row(small_model.parameters["pdl1_tumour"])
    # a third of all tumours share the score 0, so that the marginal is kept only nearly
    assert kstest(distribution.cdf(values["pdl1_tumour"]), "uniform").statistic < 0.06
    medians = [np.median(values["pdl1_tumour"][m]) for m in (covariates.pdl1_tps < 1, covariates.pdl1_tps >= 50)]
    assert medians[1] > 2 * medians[0]


def test_diameter_holds_the_volume_of_all_target_lesions(small_model, covariates, values):
    assert lesion_diameter(np.array([60.0]), np.array([3]))[0] == pytest.approx(6.0 / 3 ** (2 / 3))
    assert lesion_diameter(np.array([1000.0]), np.array([1]))[0] == pytest.approx(18.6)
    # n equal spheres of this volume in all have the patient's sum of diameters, where the bounds leave it
    count = covariates["n_target_lesions"].to_numpy()
    free = (values[DIAMETER] > 1.0 + 1e-9) & (values[DIAMETER] < 12.0 - 1e-9)
    assert free.mean() > 0.9
    back = 10.0 * count ** (2 / 3) * values[DIAMETER]
    assert back[free] == pytest.approx(covariates["sld_mm"].to_numpy()[free], rel=1e-6)
    assert np.log(values[DIAMETER]).std() == pytest.approx(0.59, abs=0.08)
    assert values[DIAMETER].min() >= 1.0
    bounded = dict(small_model.parameters)
    bounded[DIAMETER] = replace(bounded["k_growth"], name=DIAMETER, lower=2.0, upper=5.0)
    clipped = patient_parameters(bounded, covariates, 2)[DIAMETER]
    np.testing.assert_array_equal(clipped, np.clip(values[DIAMETER], 2.0, 5.0))


def test_parameters_of_a_patient_do_not_depend_on_the_batch(small_model, covariates, values):
    part = patient_parameters(small_model.parameters, covariates.iloc[500:520], 2, fit=PopulationFit())
    for name, numbers in part.items():
        np.testing.assert_array_equal(numbers, values[name][500:520])


@pytest.mark.parametrize("method", ["auto", "sobol", "latin", "random"])
def test_free_parameters_are_independent_of_covariates_and_of_other_draws(small_model, method):
    covariates = sample_covariates(0, 2048, seed=4, method=method)
    first = patient_parameters(small_model.parameters, covariates, 4, method=method)
    second = patient_parameters(small_model.parameters, covariates, 4, method=method, draw=1)
    third = patient_parameters(small_model.parameters, covariates, 4, method=method, draw=2)
    columns = [first[k] for k in ("k_kill_small", "k_infiltrate", "f_small")]
    columns += [second["k_infiltrate"], third["k_infiltrate"]]
    columns += [covariates[c] for c in ("age", "albumin_g_l", "nlr", "height_cm", "weight_kg", "creatinine_umol_l")]
    rho = spearmanr(np.column_stack(columns)).statistic
    assert np.abs(rho[:5] - np.eye(11)[:5]).max() < 4.5 / np.sqrt(2048)


def test_body_enters_the_drugs(covariates, values):
    np.testing.assert_array_equal(values["weight_toxin"], covariates.weight_kg)


def test_every_link_reads_and_leaves_variance(covariates):
    for rows in links().values():
        total = 0.0
        for row in rows:
            assert np.isfinite(score(row["score"], covariates, row.where)).all()
            total += row.number("weight") ** 2
        assert total < 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [("ln:nlrr", "nlr"), ("log:nlr", "function"), ("driver", "is categorical"), ("driver=EGFRR", "EGFR")],
)
def test_wrong_scores_are_refused(covariates, text, message):
    with pytest.raises(InputError, match=message):
        score(text, covariates)


def test_plausibility_bounds_span_the_observed_tumours(shared_data):
    observed = np.exp(
        np.genfromtxt(shared_data / "qsp_io" / "observed_immune_ratios_log.csv", delimiter=",", skip_header=1)
    )
    by_name = {b.observable: b for b in bounds()}
    for column, name in enumerate(("M1_M2_ratio", "Treg_CD8_ratio", "CD8_CD4_ratio")):
        assert by_name[name].lower == pytest.approx(observed[:, column].min(), rel=0.02)
        assert by_name[name].upper == pytest.approx(observed[:, column].max(), rel=0.02)
