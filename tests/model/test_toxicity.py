"""Toxicity: published figures come back as published, the combination rule against trials, every row sourced."""

from __future__ import annotations

import math

import pytest

from immunescape.errors import InputError
from immunescape.knowledge.references import load_references
from immunescape.model import registry
from immunescape.model.drug_tables import drug_classes
from immunescape.model.toxicity import interactions, toxicity, toxicity_facts


def test_every_drug_of_the_model_has_toxicity():
    for drug in registry.drugs():
        one = toxicity((drug,))
        assert 0 < one.grade3 < (0.95 if drug == "theralizumab" else 0.6)  # whose first volunteers were all harmed
        assert 0 <= one.death < one.discontinuation < one.grade3
        assert one.onset_median_weeks > 0
        assert 0 <= one.delay_per_cycle < 0.5
        assert not one.combined


def test_every_row_has_a_source_that_resolves():
    known = load_references()
    for fact in toxicity_facts():
        assert fact.sources or fact.grade == "assumed", fact.origin
        assert set(fact.sources) <= set(known), fact.origin
        assert fact.n is None or fact.grade == "measured", fact.origin
        assert fact.note or fact.grade == "assumed", fact.origin
    for one in interactions():
        assert set(one.sources) <= set(known)


def test_one_trial_comes_back_as_published():
    two = toxicity(("nivolumab", "ipilimumab"))  # CheckMate 227
    assert (two.grade3, two.discontinuation, two.death) == pytest.approx((0.328, 0.181, 0.014))
    assert two.grade == "measured"
    assert two.regimen == "nivolumab+ipilimumab"
    assert "hellmann2019" in two.sources


def test_trials_are_pooled_by_size():
    """Pembrolizumab: KEYNOTE-024 26.6 % of 154, KEYNOTE-042 17.8 % of 636, KEYNOTE-010 13 % of 339."""
    expected = (26.6 * 154 + 17.8 * 636 + 13 * 339) / (154 + 636 + 339) / 100
    assert toxicity(("pembrolizumab",)).grade3 == pytest.approx(expected)


def test_antibody_alone_is_half_as_toxic_as_the_doublet():
    """KEYNOTE-024: 26.6 against 53.3 % grade 3-5; discontinuation 7.1 against 10.7 %."""
    alone, doublet = toxicity(("pembrolizumab",)), toxicity(("cisplatin", "gemcitabine"))
    assert alone.grade3 / doublet.grade3 == pytest.approx(0.5, abs=0.15)
    assert alone.discontinuation < doublet.discontinuation


@pytest.mark.parametrize(
    ("drugs", "published"),
    [
        (("durvalumab", "carboplatin", "gemcitabine"), 0.446),
        (("durvalumab", "tremelimumab", "carboplatin", "gemcitabine"), 0.518),
        (("atezolizumab", "carboplatin", "nab_paclitaxel"), 0.680),
        (("nivolumab", "ipilimumab", "carboplatin", "gemcitabine"), 0.47),
    ],
)
def test_combination_rule_against_trials_of_combinations(drugs: tuple[str, ...], published: float):
    """Parts as listed, combined by the rule, come within 10 points of the published combination."""
    chemo = tuple(d for d in drugs if "cytotoxic" in drug_classes()[d])
    immune = tuple(d for d in drugs if d not in chemo)
    factor = next(
        i.hazard_factor
        for i in interactions()
        if (i.second, i.quantity) == ("cytotoxic", "grade3") and i.first == "ici"
    )
    hazard = -math.log1p(-toxicity(chemo).grade3) - math.log1p(-toxicity(immune).grade3)
    assert 1 - math.exp(-factor * hazard) == pytest.approx(published, abs=0.10)
    assert toxicity(drugs).grade3 == pytest.approx(published, abs=1e-9)


def test_unlisted_combination_adds_hazards_times_the_interaction():
    both, a, b = toxicity(("pembrolizumab", "docetaxel")), toxicity(("pembrolizumab",)), toxicity(("docetaxel",))
    factor = next(
        i.hazard_factor for i in interactions() if (i.first, i.second, i.quantity) == ("ici", "cytotoxic", "grade3")
    )
    assert both.combined
    assert both.grade == "assumed"
    assert 1 - both.grade3 == pytest.approx(((1 - a.grade3) * (1 - b.grade3)) ** factor)
    assert max(a.grade3, b.grade3) < both.grade3 < a.grade3 + b.grade3
    assert both.dose_reduction == b.dose_reduction
    assert both.onset_median_weeks == min(a.onset_median_weeks, b.onset_median_weeks)


def test_fitted_interaction_follows_from_the_listed_facts():
    def hazard(regimen: str, source: str) -> float:
        (fact,) = (
            f
            for f in toxicity_facts()
            if (f.regimen, f.quantity, f.causality) == (regimen, "grade3", "treatment") and source in f.sources
        )
        return -math.log1p(-fact.value / 100)

    doublet = hazard("platinum+partner", "johnson2023")
    ratios = [
        hazard("durvalumab+platinum+partner", "johnson2023") / (hazard("durvalumab", "rizvi2020") + doublet),
        hazard("durvalumab+tremelimumab+platinum+partner", "johnson2023")
        / (hazard("durvalumab+tremelimumab", "rizvi2020") + doublet),
        hazard("atezolizumab+carboplatin+nab_paclitaxel", "jotte2020")
        / (hazard("atezolizumab", "rittmeyer2017") + hazard("carboplatin+nab_paclitaxel", "jotte2020")),
    ]
    factor = next(
        i.hazard_factor for i in interactions() if (i.first, i.second, i.quantity) == ("ici", "cytotoxic", "grade3")
    )
    assert factor == pytest.approx(math.prod(ratios) ** (1 / 3), rel=0.01)


def test_events_of_any_cause_are_reduced_to_those_of_treatment():
    """KEYNOTE-189 published 67.2 % grade >= 3 of any cause; what is attributed to treatment is less."""
    combination = toxicity(("pembrolizumab", "carboplatin", "pemetrexed"))
    assert combination.regimen == "pembrolizumab+platinum+pemetrexed"
    assert 0.45 < combination.grade3 < 0.672
    assert combination.discontinuation < 0.138


def test_antibodies_are_not_reduced_and_chemotherapy_is():
    assert toxicity(("pembrolizumab",)).dose_reduction == 0
    assert toxicity(("pembrolizumab",)).reduced_dose == 1
    doublet = toxicity(("carboplatin", "pemetrexed"))
    assert doublet.dose_reduction == pytest.approx(0.501)
    assert 1 - (1 - doublet.delay_per_cycle) ** 3 == pytest.approx(0.324, abs=0.005)


def test_order_of_drugs_does_not_matter_and_unknown_ones_are_refused():
    assert toxicity(("pemetrexed", "carboplatin")) == toxicity(("carboplatin", "pemetrexed"))
    with pytest.raises(InputError, match="pembrolizumab"):
        toxicity(("pembrolizumb",))
    with pytest.raises(InputError, match="no drug"):
        toxicity(())
