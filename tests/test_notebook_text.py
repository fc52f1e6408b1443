"""What objects show of themselves in a notebook: short, and with nothing of a file taken for markup."""

from __future__ import annotations

from dataclasses import replace

import pytest

import immunescape
from immunescape.errors import InputError

MARKUP = "<img src=x onerror=alert(1)>"


def shown_by_a_trial() -> str:
    trial = immunescape.load_trial("keynote-024")
    return replace(trial, spec=replace(trial.spec, title=MARKUP))._repr_html_()


def shown_by_a_design() -> str:
    return replace(immunescape.load_design("pdl1-enrichment"), file=MARKUP)._repr_html_()


def shown_by_a_study() -> str:
    from immunescape.api.profiles import ProfiledStudy
    from immunescape.profile.assemble import assemble
    from immunescape.profile.loading import example_folder, load_study

    done = assemble(load_study(example_folder()), None, ["EX-01"])
    return ProfiledStudy(replace(done, profile=replace(done.profile, study=MARKUP)))._repr_html_()


@pytest.mark.parametrize("shown", [shown_by_a_trial, shown_by_a_design, shown_by_a_study])
def test_markup_in_a_title_is_escaped(shown) -> None:
    text = shown()
    assert "&lt;img" in text
    assert "<img" not in text


@pytest.fixture(scope="module")
def study():
    from immunescape.profile.loading import example_folder

    return immunescape.profile_study(example_folder(), patients="EX-01")


def test_records_of_a_study_show_themselves_in_a_line(study) -> None:
    for record in (study, study.done, study.done.profile, study.patients["EX-01"]):
        assert len(repr(record)) < 2000
    assert "EX-01" in repr(study.patients["EX-01"])
    assert list(study.patients) == ["EX-01"]


def test_one_endpoint_may_be_a_plain_name(study) -> None:
    table, _ = study.associations("os")
    assert set(table["endpoint"]) <= {"os"}
    with pytest.raises(InputError, match="response"):
        study.associations("respons")


def test_numbers_of_a_run_that_are_no_whole_numbers_are_refused() -> None:
    trial = immunescape.load_trial("keynote-024")
    for options in ({"patients": "20"}, {"patients": 2.5}, {"seed": "1"}, {"workers": 1.5}, {"patients": True}):
        with pytest.raises(InputError, match="whole number"):
            trial.run(**options)


def test_too_few_twins_are_refused_before_a_folder_is_read(tmp_path) -> None:
    for function in (immunescape.twin, immunescape.rank):
        with pytest.raises(InputError, match="At least 200"):
            function(tmp_path / "nothing", "P1", twins=50)


def test_a_model_shows_its_size_and_the_grades_of_its_parameters() -> None:
    model = immunescape.build_model(drugs="pembrolizumab")
    assert "assumed" in model._repr_html_()
    assert len(repr(model)) < 2000
    assert len(model._repr_html_()) < 2000
    table = model.parameter_table()
    assert table.loc["k_growth", "unit"] == "1/day"
    assert {"value", "unit", "grade", "source", "mechanism"} <= set(table)
