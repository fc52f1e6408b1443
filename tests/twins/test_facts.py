"""Facts about virtual patients from measurements: the table, units, and what is not assessable."""

from __future__ import annotations

import numpy as np
import pytest

from immunescape.errors import InputError
from immunescape.knowledge.profile_records import Measurement
from immunescape.knowledge.profile_to_model import profile_links
from immunescape.knowledge.references import load_references
from immunescape.model.parameters import load_parameters
from immunescape.population.covariates import COLUMNS, LEVELS
from immunescape.profile.biomarkers import biomarkers
from immunescape.twins.covariates import SCORED
from immunescape.twins.facts import checked, facts_of_measurements

TABLES = ("antigen_presentation", "interferon_loss", "tryptophan")


def given(name: str, value, **fields) -> Measurement:
    unit = fields.pop("unit", biomarkers()[name].unit)
    return Measurement(name, value, unit, "measured", method="made up", **fields)


def facts(*measurements: Measurement):
    return {f.target: f for f in facts_of_measurements({m.name: m for m in measurements})}


@pytest.fixture(scope="module")
def observables():
    from immunescape.population.reference_baseline import prepared_model

    return {name for name, q in prepared_model(()).quantities.items() if q.observable} | {"treg_share_of_T_cells"}


@pytest.mark.parametrize(
    "link", profile_links(), ids=lambda x: f"{x.biomarker}-{'/'.join(x.when) or 'number'}-{x.target}-{x.factor}"
)
def test_rows_name_known_things(link, observables):
    b = biomarkers()[link.biomarker]
    if link.when and b.words:
        assert set(link.when) <= set(b.words)
    if link.kind == "covariate":
        assert link.target in COLUMNS
        if link.target in LEVELS:
            assert link.factor in LEVELS[link.target]
        assert link.transformation in ("set", "exclude") or link.target in SCORED
    elif link.kind == "observable":
        assert link.target in observables
    else:
        assert any(link.target in load_parameters(f"{m}.csv", m) for m in TABLES)
    if link.transformation == "percentile":
        assert (link.unit, link.spread_scale) == ("percentile", "score")
    elif not link.when:
        assert link.unit == b.unit
    known = load_references()
    assert all(k == "assumed" or k in known for k in link.source)
    assert link.grade == "assumed" or "assumed" not in link.source


def test_numbers_carry_their_uncertainty():
    found = facts(given("tmb", 10.0, low=5.0, high=20.0), given("pdl1_tps", 60.0), given("pdl1_stratum", ">=50%"))
    assert found["tmb_mut_mb"].value == 10.0
    assert found["tmb_mut_mb"].spread == pytest.approx(np.log(4.0) / (2 * 1.96), rel=1e-3)
    assert (found["pdl1_tps"].value, found["pdl1_tps"].spread, found["pdl1_tps"].scale) == (60.0, 10.0, "sd")


def test_words_set_covariates_and_shares_of_clones():
    found = facts(given("egfr_status", "activating"), given("kras_g12c", False), given("b2m_status", "biallelic_loss"))
    assert found["driver"].allowed == ("EGFR",)
    assert found["kras_g12c"].allowed == (False,)
    assert (found["f_b2m_null"].low, found["f_b2m_null"].high) == (0.5, 0.9)
    both = facts(given("jak1_status", "biallelic_loss_subclonal"), given("jak2_status", "biallelic_loss"))
    assert both["f_jak_null"].biomarker == "jak2_status"
    assert facts(given("pdl1_stratum", "<1%"))["pdl1_tps"].high == 1.0


def test_drivers_that_were_looked_at_and_not_seen_are_left_out_together():
    found = facts(given("egfr_status", "wild_type"), given("alk_status", "wild_type"))["driver"]
    assert "none" in found.allowed
    assert not {"EGFR", "ALK"} & set(found.allowed)
    assert "RET" in found.allowed  # nobody looked
    seen = facts(given("egfr_status", "wild_type"), given("alk_status", "fusion"))["driver"]
    assert seen.allowed == ("ALK",)


def test_two_drivers_at_once_are_refused_by_name():
    with pytest.raises(InputError, match=r"(ALK fusion|EGFR mutation): .* contradict each other"):
        facts(given("egfr_status", "activating"), given("alk_status", "fusion"))


def test_what_is_not_assessable_says_nothing():
    assert not facts(Measurement.not_assessable("tmb", "1/megabase", "no panel"))
    assert not facts(given("stk11_status", "variant_of_unknown_significance"))


def test_a_percentile_is_asked_for_a_signature():
    assert not facts(given("signature_ifng", 8.0))  # no reference, no percentile
    found = facts(given("signature_ifng", 8.0, percentile=84.13, reference="made up"))["IFNg_conc_T"]
    assert found.value == pytest.approx(1.0, abs=1e-3)
    assert found.scale == "score"


def test_the_order_of_measurements_does_not_matter():
    some = [
        given("nlr", 3.0),
        given("albumin", 38.0),
        given("egfr_status", "wild_type"),
        given("alk_status", "wild_type"),
    ]
    forward, back = facts(*some), facts(*some[::-1])
    assert list(forward) == list(back)
    assert forward == back


def test_a_unit_is_converted_or_refused():
    assert facts(given("albumin", 3.8, unit="g/dL"))["albumin_g_l"].value == pytest.approx(38.0)
    with pytest.raises(InputError, match="unit is 'cell'"):
        facts(given("albumin", 38.0, unit="cell"))


@pytest.mark.parametrize(("name", "value"), [("albumin", 3.8), ("pdl1_tps", 6000.0), ("nlr", -1.0)])
def test_a_value_as_a_wrong_unit_gives_it_is_refused_before_it_conditions(name, value):
    with pytest.raises(InputError, match="nothing was conditioned on it"):
        checked(facts(given(name, value)).values())
