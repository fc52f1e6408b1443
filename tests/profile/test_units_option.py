"""Units that a study folder does not state are answered on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from immunescape.cli import app
from immunescape.cli.profile import declared_units
from immunescape.errors import InputError


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "data_clinical_patient.txt").write_text(
        "PATIENT_ID\tOS_TIME\tOS_STATUS\tCRP\n" + "".join(f"P{i}\t{30.4375 * i}\t{i % 2}:X\t{i}\n" for i in range(1, 9))
    )
    (folder / "data_clinical_sample.txt").write_text(
        "PATIENT_ID\tSAMPLE_ID\n" + "".join(f"P{i}\tS{i}\n" for i in range(1, 9))
    )
    return folder


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
    return done.exit_code, f"{' '.join(done.output.split())} {done.exception or ''}"


def test_the_output_asks_and_the_option_answers(study: Path, tmp_path: Path) -> None:
    asked = run("profile", str(study), "--out", str(tmp_path / "a"))[1]
    assert "--unit OS_TIME=months (or days, weeks, years)" in asked
    assert "--unit CRP=mg/L (or mg/dL)" in asked
    code, answered = run(
        "profile", str(study), "--out", str(tmp_path / "b"), "--unit", "OS_TIME=days", "--unit", "CRP=mg/L"
    )
    assert code == 0
    assert "--unit" not in answered
    assert "OS_TIME is read in days" in answered


@pytest.mark.parametrize("command", ["profile", "cohort"])
def test_a_unit_for_a_column_that_asks_for_none_ends_with_an_error(command: str, study: Path) -> None:
    code, output = run(command, str(study), "--unit", "OS_TIM=days")
    assert code != 0
    assert "OS_TIME" in output


def test_words_that_are_no_units_are_refused() -> None:
    assert declared_units(["A=b", "OS (x=y)=days"]) == {"A": "b", "OS (x=y)": "days"}
    assert declared_units(None) == {}
    for words, message in ((["OS_TIME"], "COLUMN=UNIT"), (["=days"], "COLUMN=UNIT"), (["A=b", "A=c"], "two units")):
        with pytest.raises(InputError, match=message):
            declared_units(words)
