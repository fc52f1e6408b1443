"""Cases of the SBML Test Suite: passed, or refused with the name of what is not supported."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from immunescape.engine import get_engine
from immunescape.engine.api import Compiled
from immunescape.engine.oracle.sbml_suite import check_case, check_folder, find_cases, read_case
from immunescape.engine.reference.engine import ReferenceEngine
from immunescape.errors import EngineError, InputError

SAMPLE = (
    "00039",
    "00357",
    "00555",
    "00663",
    "00870",
    "00876",
    "00930",
    "00939",
    "01110",
    "01188",
    "01350",
    "01482",
    "01506",
    "01569",
    "01779",
)


@pytest.fixture(scope="module")
def suite(shared_data) -> Path:
    return shared_data / "sbml_suite"


def tags(suite: Path, case: str) -> str:
    return (suite / case / f"{case}-model.m").read_text(errors="replace")


def refusal_is_due(suite: Path, case: str, reason: str) -> bool:
    """Whether a case holds the construct that the reason names."""
    text = tags(suite, case)
    return "fbc" in reason and "fbc:" in text


STAND_IN = Path(__file__).parents[1] / "data" / "stand_in" / "data" / "sbml_suite"


@pytest.mark.parametrize("name", ["reference", "native", "roadrunner"])
def test_made_up_cases_have_their_closed_form_solutions(name: str) -> None:
    """Amounts and concentrations in a compartment of size 2, an event between output times, rules and a switch."""
    try:
        engine = get_engine(name)
    except EngineError as error:
        pytest.skip(str(error))
    details: dict[str, str] = {}
    outcome = check_folder(STAND_IN, engine, details=details)
    assert outcome == {"passed": ["90001", "90002", "90003"], "wrong": [], "refused": {}}, details


@pytest.mark.parametrize(
    ("case", "column", "row"), [("90001", 1, 4), ("90001", 2, 9), ("90002", 1, 5), ("90003", 2, 3)]
)
def test_a_wrong_value_of_a_made_up_case_is_seen(case: str, column: int, row: int, tmp_path: Path) -> None:
    shutil.copytree(STAND_IN / case, tmp_path / case)
    file = tmp_path / case / f"{case}-results.csv"
    lines = [line.split(",") for line in file.read_text().splitlines()]
    lines[row][column] = repr(float(lines[row][column]) * 1.001)
    file.write_text("\n".join(map(",".join, lines)))
    assert check_folder(tmp_path, ReferenceEngine())["wrong"] == [case]


def test_settings_of_a_made_up_case_are_read() -> None:
    case = read_case(STAND_IN / "90001")
    assert (case.start, case.duration, case.steps) == (0, 5, 10)
    assert (case.amounts, case.concentrations) == ({"S1"}, {"S2"})
    assert (case.absolute, case.relative) == (1e-7, 1e-4)
    np.testing.assert_allclose(case.times, np.linspace(0, 5, 11))


@pytest.mark.slow
@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.nightly)])
def test_no_case_is_wrong_and_few_are_refused(suite, step, tmp_path):
    for path in find_cases(suite)[::step]:
        shutil.copytree(path, tmp_path / path.name)
    details: dict[str, str] = {}
    outcome = check_folder(tmp_path, ReferenceEngine(), details=details)
    assert outcome["wrong"] == [], details
    assert all(refusal_is_due(suite, case, reason) for case, reason in outcome["refused"].items()), outcome["refused"]
    total = sum(len(cases) for cases in outcome.values())
    assert len(outcome["passed"]) >= 0.97 * total
    if total == 607:
        assert len(outcome["refused"]) == 10


@pytest.mark.slow
@pytest.mark.parametrize("step", [12, pytest.param(5, marks=pytest.mark.nightly)])
def test_native_engine_on_some_cases(suite, step, tmp_path):
    try:
        native = get_engine("native")
    except EngineError as error:
        pytest.skip(str(error))
    cases = find_cases(suite)[::step]
    for path in cases:
        shutil.copytree(path, tmp_path / path.name)
    details: dict[str, str] = {}
    outcome = check_folder(tmp_path, native, workers=2, details=details)
    assert outcome["wrong"] == [], details
    assert len(outcome["passed"]) > 0.85 * len(cases)
    assert all(refusal_is_due(suite, case, reason) for case, reason in outcome["refused"].items()), outcome["refused"]


@pytest.fixture
def sample(suite, tmp_path) -> Path:
    for case in SAMPLE:
        if (suite / case).is_dir():
            shutil.copytree(suite / case, tmp_path / case)
    assert any(tmp_path.iterdir())
    return tmp_path


def test_a_sample_of_constructs(suite, sample):
    outcome = check_folder(sample, ReferenceEngine())
    assert outcome["wrong"] == []
    assert {"01188"} >= set(outcome["refused"])
    assert all(refusal_is_due(suite, case, reason) for case, reason in outcome["refused"].items())


def test_threads_and_engines_agree(sample):
    expected = check_folder(sample, ReferenceEngine())
    assert check_folder(sample, ReferenceEngine(), workers=3) == expected
    try:
        native = get_engine("native")
    except EngineError as error:
        pytest.skip(str(error))
    assert check_folder(sample, native, workers=2) == expected


def test_what_an_engine_refuses_goes_to_the_fallback(sample):
    class Refusing:
        name = "refusing"

        def compile(self, sbml: str) -> Compiled:
            raise EngineError("not today")

    refused = check_folder(sample, Refusing())["refused"]
    assert {"not today"} < set(refused.values())
    outcome = check_folder(sample, Refusing(), fallback=ReferenceEngine())
    assert outcome == check_folder(sample, ReferenceEngine())


def test_a_wrong_value_is_seen(sample):
    path = sample / "00039" / "00039-results.csv"
    lines = path.read_text().splitlines()
    cells = lines[-1].split(",")
    cells[1] = repr(float(cells[1]) * 1.001 + 0.001)
    path.write_text("\n".join([*lines[:-1], ",".join(cells)]))
    good, text = check_case(read_case(path.parent), ReferenceEngine())
    assert not good
    assert "expected" in text
    details: dict[str, str] = {}
    outcome = check_folder(sample, ReferenceEngine(), details=details)
    assert outcome["wrong"] == ["00039"]
    assert details == {"00039": text}


def test_settings_are_read(suite):
    case = read_case(suite / "00009")
    assert (case.duration, case.steps, case.variables) == (5.0, 50, ("S1", "S2"))
    assert (case.absolute, case.relative) == (1e-7, 1e-4)
    assert case.amounts == {"S1", "S2"}
    np.testing.assert_allclose(case.times, np.linspace(0, 5, 51))


def test_folders_without_cases_are_an_error(tmp_path):
    with pytest.raises(InputError, match="no case"):
        find_cases(tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "x-settings.txt").write_text("start: 0")
    with pytest.raises(InputError, match="no model"):
        read_case(tmp_path / "x")
