"""What a fact says of a parameter is worked out once for all candidates, and read by those who are drawn again."""

from __future__ import annotations

import numpy as np
import pytest

from immunescape.engine import get_engine
from immunescape.population.covariates import sample_covariates
from immunescape.population.reference_baseline import prepared_model
from immunescape.twins.facts import Fact
from immunescape.twins.growth import GrowTask, _Maker

FACTS = (
    Fact("f_b2m_null", "parameter", low=0.2, high=0.9),
    Fact("Kyn_blood", "parameter", value=2.5, spread=0.3, scale="sd_ln"),
)


@pytest.mark.parametrize("fact", FACTS, ids=lambda f: f.target)
def test_a_candidate_who_is_drawn_again_gets_what_it_would_get_on_its_own(fact: Fact):
    model = prepared_model(())
    covariates = sample_covariates(0, 9, 4, 0)
    some = covariates.iloc[[1, 4, 8]]

    def drawn(first) -> tuple[np.ndarray, np.ndarray]:
        maker = _Maker(model, GrowTask(4, facts=(fact,)), get_engine("auto"))
        maker.parameters(first, 0)
        maker.parameters(some, 1)
        _, ids, scores, log_weight = maker.drawn[-1]
        assert ids.tolist() == some.index.tolist()
        return scores, log_weight

    for found, alone in zip(drawn(covariates), drawn(some), strict=True):
        assert found == pytest.approx(alone, rel=1e-12)
