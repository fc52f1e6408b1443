"""`immunescape simulate` as a user types it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from immunescape.cli import app

RUNNER = CliRunner()


def run(*words: str):
    return RUNNER.invoke(app, ["simulate", *words])


def test_it_prints_what_happens_and_the_notice() -> None:
    done = run("pembrolizumab 200 mg every 3 weeks", "none", "--months", "6", "--with", "pdl1_tps=70")
    assert done.exit_code == 0, done.output
    assert "Best response" in done.output
    assert "no treatment" in done.output
    assert "not a medical device" in done.output


def test_json_holds_doses_scans_and_outcome() -> None:
    done = run("pembrolizumab 200 mg every 3 weeks", "--months", "3", "--json", "--observe", "CD8_density_T")
    content = json.loads(done.stdout)[0]
    assert content["doses"][0]["amount"] == 200.0
    assert set(content["outputs"]) == {"V_T", "diameter_T", "CD8_density_T"}
    assert content["outcome"]["best_response"] in ("CR", "PR", "SD", "PD", "NE")


def test_a_short_course_is_printed_in_several_rows_to_its_last_day() -> None:
    done = run("none", "--months", "2", "--planned")
    assert done.exit_code == 0, done.output
    first = [line.split()[0] for line in done.output.splitlines() if line[:1].isdigit()]
    assert first == ["0", "0.5", "1", "1.5", "2"]


@pytest.mark.parametrize("last", [0.3, 2.2, 4.5, 9.0, 11.6, 24.0, 60.0, 240.0])
def test_every_course_is_printed_in_two_to_twelve_rows(last: float) -> None:
    from immunescape.cli.simulate import _months_shown

    months = _months_shown(last)
    assert 2 <= len(set(months)) <= 12
    assert (months[0], months[-1]) == (0.0, last)


def test_what_the_integrator_leaves_below_zero_is_printed_as_zero() -> None:
    from immunescape.cli.simulate import _three_digits

    assert [_three_digits(v) for v in (-2.44e-06, 0.0, 2.44e-06, -3.0)] == ["0", "0", "2.44e-06", "-3"]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["pembrolizumab 200 mg every 3 weks"], "weeks"),
        (["pembrolizumb 200 mg every 3 weeks"], "pembrolizumab"),
        (["none", "--with", "pdl1=3"], "pdl1_tps"),
        (["none", "--with", "alk=yes"], "driver=ALK"),
        (["none", "--with", "liver=yes"], "liver_mets"),
        (["none", "--observe", "C_densitive"], "C_sensitive"),
        (["none", "--with", "pdl1_tps"], "NAME=VALUE"),
        (["none", "--with", "pdl1_tps=much"], "not a number"),
        (["none", "--with", "kras=maybe"], "value of kras"),
        (["none", "--with", "kras=yes", "--with", "kras=no"], "twice"),
        (["none", "--set", "k_kil=x2"], "k_kill"),
        (["none", "--observe", "CD8_densty_T"], "CD8_density_T"),
        (["none", "--set", "cl_olaparib=x2"], "'cl_olaparib' belongs to olaparib, which no regimen here contains"),
        (["none", "--observe", "conc_pembrolizumab"], "Add pembrolizumab to a regimen"),
        (["none", "--set", "k_kill=-1"], "'k_kill' would be -1"),
        (["none", "--set", "k_kill=x-2"], "cannot be negative"),
        (["none", "--arm", "x"], "--run"),
        (["none", "--run", "/nowhere"], "--id"),
        ([], "no regimen"),
        (["none", "--region", "mars"], "western"),
    ],
)
def test_wrong_words_are_answered_by_the_nearest(words: list[str], answer: str) -> None:
    done = run(*words)
    assert done.exit_code != 0
    text = done.output + str(done.exception or "")
    assert answer in text


def test_a_file_in_the_place_of_the_folder_is_found_before_anything_is_simulated(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    done = run("none", "--out", str(tmp_path / "file"))
    assert done.exit_code != 0
