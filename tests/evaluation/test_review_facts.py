"""Facts of the review are rows of a table, each looked up where the row says."""

from __future__ import annotations

import pytest

from immunescape.evaluation.facts import DETECTED_SHARE, facts, listed_facts
from immunescape.knowledge.references import load_references
from immunescape.trial.loading import list_trials, load_trial


def test_every_fact_names_a_trial_and_an_arm_that_exist() -> None:
    of_trials = [fact for fact in listed_facts() if fact.trial]
    assert {fact.trial for fact in of_trials} <= set(list_trials())
    for fact in of_trials:
        assert not fact.group or fact.group in {arm.name for arm in load_trial(fact.trial).arms}, fact.id


def test_published_figures_lie_in_their_range_and_have_a_source() -> None:
    assert len({fact.id for fact in listed_facts()}) == len(listed_facts())
    for fact in listed_facts():
        value, low, high = fact.published
        assert any(figure is not None for figure in fact.published), fact.id
        assert value is None or low is None or low <= value, fact.id
        assert value is None or high is None or value <= high, fact.id
        assert fact.source.startswith("review, ") or set(fact.source.split(";")) <= set(load_references()), fact.id


def test_the_population_of_hla_loss_says_the_share_that_is_counted() -> None:
    (fact,) = (f for f in listed_facts() if f.id == "hla-loh")
    assert f"at least {100 * DETECTED_SHARE:g} % of the cancer cells" in fact.population


def test_without_a_trial_the_facts_of_the_covariate_population_are_left() -> None:
    found = facts({})
    assert [fact.id for fact in found] == [fact.id for fact in listed_facts() if not fact.trial]
    squamous = next(fact for fact in found if fact.id == "pdl1-high-east-asian-squamous")
    assert squamous.published == 20.84
    assert squamous.predicted == pytest.approx(20.84, abs=3.0)
    assert squamous.low < squamous.predicted < squamous.high
