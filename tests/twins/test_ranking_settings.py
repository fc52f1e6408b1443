"""Settings of a ranking: one record, also as keywords, and no keyword is ignored."""

from __future__ import annotations

from dataclasses import fields
from typing import get_type_hints

import pytest

import immunescape
from immunescape.api.ranking_settings import RankingChanges, RankingSettings, settings_with
from immunescape.errors import InputError


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
