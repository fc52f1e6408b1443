"""Covariates of the milieu: prevalences, and the parameters that follow them."""

from __future__ import annotations

import numpy as np
import pytest

from immunescape.model import Model
from immunescape.population.covariates import sample_covariates
from immunescape.population.linking import patient_parameters


def test_prevalences_and_parameters() -> None:
    c = sample_covariates(0, 3000, seed=2)
    assert c.antibiotics.mean() == pytest.approx(0.20, abs=0.02)
    assert c.akkermansia.mean() == pytest.approx(0.40, abs=0.03)
    assert c.idh.mean() == pytest.approx(0.01, abs=0.006)
    model = Model.build(["body", "tumour_growth", "microbiome", "oncometabolite"])
    p = patient_parameters(model.parameters, c.head(50), 2)
    assert np.array_equal(p["antibiotics_recent"], c.head(50).antibiotics.astype(float))
    assert np.array_equal(p["akkermansia"], c.head(50).akkermansia.astype(float))
    assert np.array_equal(p["idh_mutant"], c.head(50).idh.astype(float))
