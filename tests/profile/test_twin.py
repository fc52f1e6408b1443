from __future__ import annotations

import pytest

from immunescape.knowledge.profile_records import Measurement
from immunescape.knowledge.profile_to_model import profile_links
from immunescape.knowledge.references import load_references
from immunescape.model.parameters import load_parameters
from immunescape.population.covariates import COLUMNS, LEVELS
from immunescape.profile.biomarkers import biomarkers
from immunescape.profile.twin import model_hints


def given(name: str, value, **fields) -> Measurement:
    b = biomarkers()[name]
    return Measurement(name, value, b.unit, "measured", method="made up", **fields)


def hints(*measurements: Measurement):
    return {h.target: h for h in model_hints({m.name: m for m in measurements})}


@pytest.mark.parametrize("link", profile_links(), ids=lambda x: f"{x.biomarker}-{'/'.join(x.when) or 'number'}")
def test_rows_name_known_things(link):
    b = biomarkers()[link.biomarker]
    if link.when and b.words:
        assert set(link.when) <= set(b.words)
    if link.kind == "covariate":
        assert link.target in COLUMNS
        if link.target in LEVELS:
            assert link.factor in LEVELS[link.target]
    else:
        assert any(link.target in load_parameters(f"{m}.csv", m) for m in TABLES)
    known = load_references()
    assert all(k == "assumed" or k in known for k in link.source)
    assert link.grade == "assumed" or "assumed" not in link.source


TABLES = ("antigen_presentation", "interferon_loss", "tryptophan")


def test_numbers_carry_their_uncertainty():
    found = hints(given("tmb", 10.0, low=5.0, high=18.0), given("pdl1_tps", 60.0), given("pdl1_stratum", ">=50%"))
    assert (found["tmb_mut_mb"].value, found["tmb_mut_mb"].low, found["tmb_mut_mb"].high) == (10.0, 5.0, 18.0)
    assert (found["pdl1_tps"].value, found["pdl1_tps"].spread, found["pdl1_tps"].spread_scale) == (60.0, 10.0, "sd")


def test_words_set_covariates_and_shares_of_clones():
    found = hints(given("egfr_status", "activating"), given("kras_g12c", False), given("b2m_status", "biallelic_loss"))
    assert found["driver"].value == "EGFR"
    assert found["kras_g12c"].value is False
    assert (found["f_b2m_null"].low, found["f_b2m_null"].high) == (0.5, 0.9)
    both = hints(given("jak1_status", "biallelic_loss_subclonal"), given("jak2_status", "biallelic_loss"))
    assert both["f_jak_null"].biomarker == "jak2_status"
    assert hints(given("pdl1_stratum", "<1%"))["pdl1_tps"].high == 1.0


def test_what_is_not_assessable_says_nothing():
    assert not hints(Measurement.not_assessable("tmb", "1/megabase", "no panel"), given("stk11_status", LOST))


LOST = "variant_of_unknown_significance"
