"""What a user chose of a patient becomes Python and a command line that do the same; what is impossible is refused."""

from __future__ import annotations

import ast
import shlex
from typing import Any

import pytest
from typer.testing import CliRunner

from immunescape.app.choices import FACTORS, NUMBERS, WORDS, PatientChoice
from immunescape.app.patient_run import Simulator, drugs_of
from immunescape.app.regimens import suggestions
from immunescape.errors import InputError
from immunescape.trial.covariates import COVARIATES
from immunescape.trial.tokens import number_text

PEMBROLIZUMAB = "pembrolizumab 200 mg every 3 weeks"


def chosen(**fields: Any) -> PatientChoice:
    values: dict[str, Any] = {
        "seed": 3,
        "covariates": {},
        "factors": {},
        "regimens": (PEMBROLIZUMAB, "none"),
        "months": 12,
        "conduct": "trial",
    }
    return PatientChoice.of(**(values | fields))


def test_every_control_is_a_covariate_or_a_parameter_of_the_model() -> None:
    from immunescape.model.stored import registered_model

    assert all(COVARIATES[n.name].is_number for n in NUMBERS)
    assert all(COVARIATES[n.name].low <= n.low < n.start < n.high <= COVARIATES[n.name].high for n in NUMBERS)
    assert not any(COVARIATES[name].is_number for name in WORDS)
    parameters = registered_model(()).parameters
    assert [f.name for f in FACTORS if f.name not in parameters] == []


def test_what_is_left_as_drawn_is_not_given() -> None:
    choice = chosen(covariates={"pdl1_tps": None, "kras": "", "stk11": "no", "age": 61.0, "ecog": "1", "sex": "F"})
    assert choice.covariates == {"stk11": False, "age": 61, "ecog": 1, "sex": "F"}
    assert chosen(factors={"k_kill": 0.0, "k_growth": -1.0}).factors == {"k_growth": 0.5}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"regimens": ("", "  ")}, "no regimen"),
        ({"regimens": ("pembrolizumab " * 1000,)}, "characters"),
        ({"seed": None}, "no seed is given"),
        ({"seed": 1.5}, "seed"),
        ({"seed": -1}, "the seed is -1"),
        ({"seed": 2.0**31}, "from 0 to 2,147,483,647"),
        ({"months": 0}, "months"),
        ({"months": None}, "no duration is given"),
        ({"months": 1000}, "the duration is 1000 months"),
    ],
)
def test_an_impossible_field_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        chosen(**fields)


def test_the_command_line_reads_back_what_was_chosen() -> None:
    choice = chosen(
        covariates={"pdl1_tps": 60.0, "stk11": "yes", "histology": "nonsquamous"},
        factors={"k_kill": 1.0, "cd8_infiltration": -0.5},
        regimens=("nivolumab 3 mg/kg every 2 weeks", PEMBROLIZUMAB),
        conduct="planned",
    )
    words = shlex.split(choice.command())
    assert words[:4] == ["immunescape", "simulate", "nivolumab 3 mg/kg every 2 weeks", PEMBROLIZUMAB]
    pairs = {words[i + 1] for i, w in enumerate(words) if w in ("--with", "--set")}
    assert pairs == {
        "pdl1_tps=60",
        "stk11=yes",
        "histology=nonsquamous",
        "k_kill=x2",
        f"cd8_infiltration=x{2**-0.5!r}",
    }
    assert "--planned" in words
    assert 'k_kill="x2"' in choice.python()


def test_a_hostile_text_stays_one_word_of_the_command_and_one_string_of_the_python() -> None:
    text = 'none\'; rm -rf ~; echo "$(id)" \n import os'
    choice = chosen(regimens=(text,))
    assert shlex.split(choice.command())[2] == text.strip()
    tree = ast.parse(choice.python())
    strings = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
    assert text.strip() in strings


def test_a_number_loses_nothing_on_the_way() -> None:
    assert [number_text(v) for v in (2.0, 0.1, 2**0.5)] == ["2", "0.1", repr(2**0.5)]
    assert [number_text(v) for v in (1e300, float("inf"))] == ["1e+300", "inf"]


def test_every_proposed_regimen_with_a_dose_can_be_read() -> None:
    texts = suggestions()
    assert texts[0] == "none"
    assert PEMBROLIZUMAB + " for up to 35 cycles" in texts
    assert [drugs_of(t) for t in texts if " " in t]
    assert "osimertinib" in texts, "a drug whose largest dose is all that is known is proposed by name"


def test_a_misspelt_drug_is_refused_with_the_nearest_before_anything_is_computed() -> None:
    with pytest.raises(InputError, match="pembrolizumab"):
        Simulator().missing(chosen(regimens=("pembrolizumap 200 mg every 3 weeks",)))


@pytest.mark.slow
def test_python_and_command_line_give_the_course_that_the_app_shows(tmp_path: Any, monkeypatch: Any) -> None:
    import json

    from immunescape.app.patient_run import course_files
    from immunescape.cli import app

    monkeypatch.chdir(tmp_path)
    choice = chosen(covariates={"pdl1_tps": 70.0}, factors={"k_kill": 0.5}, regimens=("none",), months=6)
    seen = json.loads(course_files(Simulator().run(choice), tmp_path / "app", "course.json"))
    exec(choice.python().replace('courses.plot(path="course.png")', ""), {})
    assert json.loads((tmp_path / "course" / "course.json").read_text()) == seen
    told = CliRunner().invoke(app, [*shlex.split(choice.command())[1:-1], "told"])
    assert told.exit_code == 0, told.output
    assert json.loads((tmp_path / "told" / "course.json").read_text()) == seen
