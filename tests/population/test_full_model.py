"""The population of the complete model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from immunescape.engine import get_engine
from immunescape.model.assembly import Model
from immunescape.population import Population
from immunescape.population.covariates import sample_covariates
from immunescape.population.distributions import Distribution
from immunescape.population.linking import DIAMETER, links
from immunescape.population.plausibility import DOUBLING_TIME, bounds


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.build(drugs=("pembrolizumab", "carboplatin"))


def test_links_and_bounds_name_what_the_model_has(model):
    for name in links():
        assert name in model.parameters, name
        assert Distribution.from_row(model.parameters[name]).varies, name
    for bound in bounds():
        assert bound.observable in model.observables or bound.observable == DOUBLING_TIME, bound.observable


def test_every_distribution_of_the_model_can_be_drawn(model):
    for name, parameter in model.parameters.items():
        values = Distribution.from_row(parameter).ppf(np.linspace(0.001, 0.999, 7))
        assert np.isfinite(values).all(), name
        assert (np.diff(values) >= 0).all(), name


@pytest.mark.slow
def test_patients_of_the_full_model(model):
    engine = get_engine("auto")
    population = Population.generate(model, seed=11, candidates=24, engine=engine)
    table = population.table
    assert population.counts.get("failed", 0) == 0
    assert len(table) >= 12
    np.testing.assert_allclose(table["b:diameter_T"], table[f"p:{DIAMETER}"], rtol=1e-4)
    np.testing.assert_array_equal(table["p:weight_pembrolizumab"], table.weight_kg)
    np.testing.assert_array_equal(table["p:crcl_carboplatin"], table.crcl_ml_min)
    for bound in bounds():
        values = table[f"b:{bound.observable}"]
        assert ((values >= bound.lower) & ((values <= bound.upper) | np.isinf(values))).all(), bound.observable
    assert (table["x:pembrolizumab_C"] == 0).all()
    states = table.filter(regex="^x:")
    assert (states.to_numpy() > -1e-3).all()
    covariates = sample_covariates(0, 24, 11).loc[table.index]
    pd.testing.assert_frame_equal(population.covariates, covariates, check_exact=True)
    again = Population.generate(model, seed=11, candidates=24, engine=engine, block_size=10)
    pd.testing.assert_frame_equal(table, again.table, check_exact=True)
