"""What is left of chemotherapy after weeks costs no steps, and the limit on its digits changes no effect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from immunescape.engine import Doses, Job
from immunescape.engine.native.engine import NativeEngine
from immunescape.model import Model

_DAYS = np.arange(0.0, 84.0, 7.0)


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.build(("body", "tumour_growth"), drugs=("pemetrexed", "vinorelbine"))


@pytest.mark.parametrize(("drug", "amount"), [("pemetrexed", 2.0e6), ("vinorelbine", 6.0e4)])
def test_the_end_of_a_dose_is_not_followed_to_its_last_molecules(model: Model, drug: str, amount: float) -> None:
    compiled = NativeEngine().compile(model.to_sbml())
    doses = Doses(np.array([0.05, 21.05, 42.05]), (f"{drug}_C",) * 3, np.full(3, amount), np.full(3, 0.007))
    cells = ("C_sensitive", "C_resistant", "V_T")
    job = Job(1, _DAYS, cells, doses=doses, rtol=1e-4, atol=model.atol())
    tight = {name: 1e-9 for name in compiled.states if name.startswith(f"{drug}_") and not name.endswith("_R")}
    to_the_last = replace(job, atol={**model.atol(), **tight})
    exact = compiled.run(replace(job, rtol=1e-10, atol=1e-12)).values
    result, longer = compiled.run(job), compiled.run(to_the_last)
    assert result.steps[0] < 0.9 * longer.steps[0]
    errors = [np.max(np.abs(r.values - exact) / np.abs(exact)) for r in (result, longer)]
    assert errors[0] < max(1.5 * errors[1], 1e-5)
    killed = 1 - exact[0, 6, 0] / exact[0, 0, 0]
    assert abs(killed) > 0.02  # the dose does something
