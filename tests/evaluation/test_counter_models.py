"""Counter-models: each wrong in one way, named for its statement before the run, and asked in place of the model."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from immunescape.errors import InputError
from immunescape.evaluation.claims import plan
from immunescape.evaluation.counter_runs import check_counter_model, counter_plan
from immunescape.evaluation.must_not import run_must_not, select_must_not
from immunescape.evaluation.scenarios import linked_factor
from immunescape.evaluation.summary import full_model
from immunescape.knowledge.counter_models import KINDS, CounterModel, load_counter_models


def sides(statement: str, **wrong: object) -> tuple:
    counter = CounterModel.model_validate({"statement": statement, "because": "for a test", **wrong})
    stated = plan(select_must_not([statement])[0].as_claim())
    return stated.sides, counter_plan(counter, stated, full_model()).sides


def test_every_counter_model_names_what_the_model_has() -> None:
    counters = load_counter_models()
    assert len(counters) >= 80
    assert {c.kind for c in counters.values()} >= set(KINDS) - {"off"}
    model = full_model()
    for counter in counters.values():
        check_counter_model(counter, model)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"set": {"k_kil": "x3"}}, "k_kill"),
        ({"also_give": {"epacadostatt": "docetaxel 75 mg/m2 every 3 weeks"}}, "epacadostat"),
        ({"clone_like": {"b2m_nul": "sensitive"}}, "b2m_null"),
        ({"wire": {"source": "trop2_leve", "process": "growth", "effect": "promotes", "strength": 1}}, "trop2_level"),
        ({"link": {"source": "covariate:agee", "parameter": "k_kill", "weight": 0.5}}, "age"),
        ({"reverse": "killing/mdsc/mdcs"}, "killing/mdsc/mdsc"),
    ],
)
def test_what_the_model_does_not_have_is_refused_with_the_nearest(wrong: dict, message: str) -> None:
    counter = CounterModel.model_validate({"statement": "mdsc-cd8", "because": "for a test", **wrong})
    with pytest.raises(InputError, match=message):
        check_counter_model(counter, full_model())


def test_a_counter_model_is_wrong_in_one_way_only() -> None:
    both = {"statement": "mdsc-cd8", "because": "for a test", "reverse": "mdsc", "off": "mdsc"}
    with pytest.raises(ValueError, match="one way"):
        CounterModel.model_validate(both)
    with pytest.raises(ValueError, match="one way"):
        CounterModel.model_validate({"statement": "mdsc-cd8", "because": "for a test"})


def test_an_effect_off_target_comes_only_where_the_drug_is_given() -> None:
    right, wrong = sides("epacadostat-adds", also_give={"epacadostat": "oleclumab 3000 mg every 2 weeks"})
    assert wrong[0].regimens == (*right[0].regimens, "oleclumab 3000 mg every 2 weeks")
    assert wrong[1] == right[1]


def test_a_parameter_of_a_drug_is_changed_only_where_it_is_given() -> None:
    _, wrong = sides("vaccine-alone", set={"r_prime_mrna_neoantigen_vaccine": "x10"})
    assert wrong[0].factors == (("r_prime_mrna_neoantigen_vaccine", 10.0),)
    _, wrong = sides("chemotherapy-lymphocytes", reverse="lympho_log_cyclophosphamide")
    assert wrong[0].factors == (("lympho_log_cyclophosphamide", -1.0),)
    assert wrong[1].factors == ()


def test_a_biomarker_is_linked_by_rank_and_by_the_spread_of_the_parameter() -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"age": rng.integers(40, 85, 60)})
    people = SimpleNamespace(table=table, covariates=table)
    base = {"k_kill": np.exp(rng.normal(0.0, 0.7, 60))}
    factor = linked_factor(people, base, "covariate:age", "k_kill", -0.6)
    order = np.argsort(people.table["age"].to_numpy(), kind="stable")
    assert (np.diff(factor[order]) <= 1e-12).all()
    assert np.log(factor).std() == pytest.approx(0.6 * np.log(base["k_kill"]).std(), rel=0.05)
    with pytest.raises(InputError, match="k_kill"):
        linked_factor(people, base, "covariate:age", "k_kil", 0.5)


def test_a_wrong_model_violates_what_the_model_respects() -> None:
    """MDSC as helpers bring killing; NLRC5 on both classes of MHC lowers MHC-II with it."""
    result = run_must_not(select_must_not(["mdsc-cd8", "nlrc5-mhc2"]), patients=6, seed=1)
    for row in result.statements:
        assert row.verdict == "respected", row.statement.id
        assert row.wrong is not None
        assert row.wrong[1] == "violated", row.statement.id
        assert row.can_fail
    data = result.to_json()
    assert data["counts"]["violated_by_counter_model"] == 2
    assert {r["counter_model"]["kind"] for r in data["must_not"]} == {"reverse", "wire"}
