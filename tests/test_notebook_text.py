"""What objects show of themselves in a notebook: short, and with nothing of a file taken for markup."""

from __future__ import annotations

from dataclasses import replace

import pytest

import immunescape

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


def test_a_model_shows_its_size_and_the_grades_of_its_parameters() -> None:
    model = immunescape.build_model(drugs="pembrolizumab")
    assert "assumed" in model._repr_html_()
    assert len(repr(model)) < 2000
    assert len(model._repr_html_()) < 2000
    table = model.parameter_table()
    assert table.loc["k_growth", "unit"] == "1/day"
    assert {"value", "unit", "grade", "source", "mechanism"} <= set(table)
