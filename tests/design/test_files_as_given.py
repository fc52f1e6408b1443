"""Design files that are no YAML text, or whose numbers YAML reads as others: refused with what to do next."""

from __future__ import annotations

from pathlib import Path

import pytest

from immunescape.api.designs import run_designs
from immunescape.design.loading import design_template, read_design
from immunescape.design.sizing import size_means, size_of_bounds, size_rates, size_survival
from immunescape.errors import InputError
from immunescape.trial.loading import resolve as resolve_trial


@pytest.mark.parametrize(
    ("plain", "odd"),
    [
        ("patients: 450", "patients: 0450"),  # base 8 in YAML 1.1: 296
        ("{events: 232, endpoint: os}", "{events: 3:52, endpoint: os}"),  # base 60: 232
        ("rates: [5, 15, 30]", "rates: [5, 15, 0:30]"),
        ("months: 3}", "months: 1:30.5}"),
    ],
)
def test_numbers_that_yaml_reads_in_another_base_are_refused(plain: str, odd: str) -> None:
    line = design_template().split(plain)[0].count("\n") + 1
    with pytest.raises(InputError, match="is not a plain number") as caught:
        read_design("mine.yaml", design_template().replace(plain, odd))
    assert f"mine.yaml, line {line}" in str(caught.value)


def test_texts_with_colons_and_decimals_below_one_are_left_alone() -> None:
    text = design_template().replace("title: Two-arm", 'title: "2:30"').replace("alpha: 0.025", "alpha: 0.0250")
    assert read_design("mine.yaml", text.replace(" group-sequential trial with a delayed effect", "")).title == "2:30"


@pytest.mark.parametrize("opening", ["[", "{a: "])
def test_endless_nesting_is_refused(opening: str) -> None:
    with pytest.raises(InputError, match="too large or too deeply nested"):
        read_design("deep.yaml", "name: " + opening * 1500)


def test_folders_and_other_encodings_say_what_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "results.yaml"
    folder.mkdir()
    coded = tmp_path / "coded.yaml"
    coded.write_bytes(design_template().encode("utf-16"))
    for path, message, hint in (
        (tmp_path, "a folder", "Name the file"),
        (folder, "a folder", "Name the file"),
        (coded, "not UTF-8 text", "UTF-8"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            run_designs([str(path)], replicates=250)
        assert hint in str(caught.value)
        with pytest.raises(InputError, match=message):
            resolve_trial(path)


def test_sizes_that_no_trial_has_are_refused_and_a_lower_rate_is_said() -> None:
    bounds = size_of_bounds()
    for size in (
        lambda: size_survival(0.999, 12.0, bounds),
        lambda: size_rates(0.2501, 0.25, bounds),
        lambda: size_means(1e-12, 1.0, bounds),
    ):
        with pytest.raises(InputError, match="no trial has more"):
            size()
    assert "experimental lower" in size_rates(0.25, 0.45, bounds).what
    assert "experimental lower" in size_means(-0.5, 1.0, bounds).what
    assert "lower" not in size_rates(0.45, 0.25, bounds).what
