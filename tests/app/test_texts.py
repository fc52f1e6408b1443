"""Trials and designs as text: sliders change what they say they change, and nothing outside the text is read."""

from __future__ import annotations

import pytest
import yaml

from immunescape.app.design_text import assumptions, check_design_text, design_code, with_values
from immunescape.app.design_text import library_text as design_library
from immunescape.app.evidence import PAGES, claim_rows, page_text
from immunescape.app.trial_text import LARGEST_TEXT, library_text, read_trial_text, trial_code
from immunescape.design.loading import list_designs, read_design
from immunescape.errors import InputError
from immunescape.trial.loading import list_trials


def value_at(data: object, key: str) -> object:
    for part in key.split("."):
        data = data[int(part)] if isinstance(data, list) else data[part]  # type: ignore[index]
    return data


@pytest.mark.parametrize("name", list_designs())
def test_a_slider_starts_at_the_value_of_the_text_and_changes_only_that(name: str) -> None:
    text = design_library(name)
    items = assumptions(text)
    assert items[0].key == "alpha"
    assert with_values(text, {i.key: i.value for i in items}) == text
    before = yaml.safe_load(text)
    for item in items:
        assert value_at(before, item.key) == item.value
        assert item.low <= item.value <= item.high
        steps = (item.value - item.low) / item.step
        assert abs(steps - round(steps)) < 1e-6, "the value is a stop of the slider"
        moved = item.low + item.step * (round(steps) + 1)
        after = yaml.safe_load(with_values(text, {item.key: moved}))
        assert value_at(after, item.key) == pytest.approx(moved)
        for other in items:
            if other.key != item.key:
                assert value_at(after, other.key) == other.value


def test_all_sliders_together_keep_comments_and_the_design_can_be_read() -> None:
    text = design_library("pdl1-enrichment")
    items = {i.key: i for i in assumptions(text)}
    changed = with_values(text, {"alpha": 0.01, "patients": 500, "scenarios.0.truth.1.hazard_ratio": 0.7})
    assert changed.splitlines()[0].startswith("# Adaptive enrichment")
    design = read_design("design.yaml", changed)
    assert design.alpha == 0.01
    assert design.patients == 500
    assert items["scenarios.0.truth.1.hazard_ratio"].label.startswith("Hazard ratio: OS, anti-PD-1, TPS 50-100")


@pytest.mark.parametrize("text", ["", "a: [", "- 1\n- 2", "!!python/object/apply:os.system ['true']", "\x01"])
def test_text_that_is_no_design_has_no_sliders(text: str) -> None:
    assert assumptions(text) == []


def test_a_text_that_unfolds_without_end_is_refused_soon() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{n}: &{n} [{', '.join([f'*{m}'] * 9)}]\n" for m, n in zip("abcdefghi", "bcdefghij", strict=True)
    )
    assert assumptions(bomb) == []
    with pytest.raises(InputError, match="too large or too deep"):
        read_trial_text(bomb)
    with pytest.raises(InputError, match="too large or too deep"):
        check_design_text("a: &a {b: *a}")
    assert assumptions("a: &a {b: *a}") == []


def test_an_alias_is_one_assumption() -> None:
    text = "alpha: &a 0.025\nscenarios:\n  - {name: s, truth: [{endpoint: os, hazard_ratio: *a}]}\n"
    assert [a.key for a in assumptions(text)] == ["alpha"]


def test_shipped_trials_are_read_as_they_ship() -> None:
    assert [read_trial_text(library_text(n)).name for n in list_trials()[:4]] == list_trials()[:4]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("   ", "no text"),
        ("x" * (LARGEST_TEXT + 1), "Use at most"),
        ("name: [", "not valid YAML"),
        ("name: t\npublished:\n  km_file: {os: /etc/passwd}\n", "names files beside the trial"),
        ("name: t\nnonsense: 1\n", "nonsense"),
    ],
)
def test_a_trial_that_cannot_be_read_is_refused_in_the_package_s_words(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_trial_text(text)


@pytest.mark.parametrize(
    ("pool", "says"),
    [
        ("{trial: keynote-024, patients: 400, table: /etc/passwd}", "names a file beside"),
        ("{trial: ../../other.yaml, patients: 400}", "not an included trial"),
    ],
)
def test_a_design_cannot_name_files(pool: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        check_design_text(f"name: d\nscenarios:\n  - {{name: s, pool: {pool}}}\n")


def test_code_names_the_shipped_one_only_where_the_text_is_unchanged() -> None:
    text = library_text("oak")
    assert trial_code("oak", text, 20, 3)[1] == "immunescape trial oak --patients 20 --seed 3 --out run"
    assert "trial.yaml" in trial_code("oak", text + "\n# mine\n", 20, 3)[1]
    assert "trial.yaml" in trial_code("", text, 20, 3)[0]
    design = design_library("pdl1-enrichment")
    assert "design.yaml" in design_code("pdl1-enrichment", design.replace("0.54", "0.6"), 100, 1)[1]
    assert "design pdl1-enrichment " in design_code("pdl1-enrichment", design, 100, 1)[1]


def test_a_report_s_picture_becomes_a_card_with_its_own_title_and_axes() -> None:
    from immunescape.app.figures import card_of_picture
    from immunescape.report.pictures import Picture

    layout = {
        "title": {"text": "of the report"},
        "xaxis": {"title": {"text": "Months"}},
        "legend": {"x": 0.9, "y": 0.9},
    }
    card = card_of_picture("os", "Overall survival", Picture([], layout), "words").to_json()
    assert card["title"] == "Overall survival"
    assert "title" not in card["layout"]
    assert card["layout"]["xaxis"]["title"]["text"] == "Months"
    assert card["layout"]["legend"]["y"] > 1, "the legend lies outside of the plot"


def test_stored_pages_are_at_hand_and_lead_nowhere() -> None:
    for name in PAGES:
        text = page_text(name)
        assert len(text) > 1000
        assert "](" not in text.replace("](http", "")
    with pytest.raises(KeyError):
        page_text("../../etc/passwd")


def test_claims_say_what_is_looked_at_and_expected() -> None:
    rows = claim_rows()
    assert len(rows) > 400
    assert all(r["Expected"] in ("increase", "decrease", "none") and r["What it says"] for r in rows)


def test_a_run_has_a_whole_seed_and_no_more_patients_than_allowed() -> None:
    pytest.importorskip("shiny")
    from immunescape.app.views.protocol import NO_SEED, count_and_seed

    assert count_and_seed(20, 3, 10, 50) == (20, 3)
    assert count_and_seed(10**6, 3.0, 10, 50) == (50, 3)
    assert count_and_seed(None, 0, 10, 50) == (10, 0)
    assert count_and_seed(-5, 0, 10, 50) == (1, 0)
    for seed in (None, -1, 1.5):
        assert count_and_seed(20, seed, 10, 50) == NO_SEED
