"""Settings of a ranking: one record, also as keywords, and no keyword is ignored."""

from __future__ import annotations

from dataclasses import fields
from typing import get_type_hints

import pytest

import immunescape
from immunescape.api.ranking_settings import RankingChanges, RankingSettings, settings_with
from immunescape.errors import InputError
from immunescape.twins.ranking import WEIGHTS


def test_keywords_replace_fields_of_the_record():
    settings = settings_with(RankingSettings(twins=60, seed=7), {"seed": 8, "workers": 2})
    assert settings == RankingSettings(twins=60, seed=8, workers=2)
    assert settings_with(None, {}) == RankingSettings()


def test_the_record_and_its_keywords_have_the_same_fields_and_types():
    assert get_type_hints(RankingSettings) == get_type_hints(RankingChanges)


@pytest.mark.parametrize("call", [immunescape.rank, immunescape.rank_cohort])
def test_a_keyword_that_is_no_setting_is_refused_before_a_file_is_read(call, tmp_path):
    with pytest.raises(InputError, match=r"unknown setting 'twin'.*\n.*'twins'"):
        call(tmp_path / "absent", twin=60)


def test_results_depend_on_every_setting_but_the_number_of_processes():
    matter = RankingSettings(workers=3).that_matter()
    assert set(matter) == {f.name for f in fields(RankingSettings)} - {"workers"}
    assert matter == RankingSettings().that_matter()


def test_weights_that_are_not_named_keep_their_default():
    assert settings_with(None, {"weights": {"toxicity": 0.3}}).weights == {**WEIGHTS, "toxicity": 0.3}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": {"nonsense": 1.0}}, "unknown weight 'nonsense'"),
        ({"weights": {"toxicity": -1.0}}, "the weight of toxicity is -1"),
        ({"weights": {"toxicity": float("nan")}}, "the weight of toxicity is nan"),
        ({"weights": {"toxicity": "much"}}, "the weight of toxicity is 'much'"),
        ({"weights": [1.0]}, "weights must be a mapping"),
        ({"margin": 2.0}, "the margin is 2"),
        ({"margin": "a"}, "the margin is 'a'"),
        ({"months": 6.0}, "the follow-up is 6"),
        ({"twins": "many"}, "twins is 'many'"),
        ({"seed": -1}, "seed is -1"),
        ({"workers": 0}, "workers is 0"),
        ({"engine": "fast"}, "unknown engine 'fast'"),
        ({"region": "mars"}, "unknown region 'mars'"),
        ({"settings": {"twins": 300}}, "settings must be a RankingSettings"),
    ],
)
@pytest.mark.parametrize("call", [immunescape.rank, immunescape.rank_cohort])
def test_a_setting_that_no_ranking_can_have_is_refused_before_a_file_is_read(call, changes, message, tmp_path):
    with pytest.raises(InputError, match=message):
        call(tmp_path / "absent", **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"region": "mars"}, "unknown region 'mars'"),
        ({"engine": "fast"}, "unknown engine 'fast'"),
        ({"workers": "2"}, "workers is '2'"),
        ({"twins": 250.5}, r"twins is 250\.5"),
        ({"regimen": 3}, "the regimen is 3"),
    ],
)
def test_twins_refuse_such_settings_as_well(changes, message, tmp_path):
    with pytest.raises(InputError, match=message):
        immunescape.twin(tmp_path / "absent", "P1", **changes)
