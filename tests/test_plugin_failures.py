"""A reader or biomarker of another package that fails, or returns what no study can hold, is named in the error."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from immunescape import plugins, testing
from immunescape.errors import InputError, PluginError
from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.registry import Biomarker
from immunescape.profile.loading import join
from immunescape.profile.readers import Partial, Reader, get_reader
from immunescape.profile.study import Study

PACKAGE = __name__.partition(".")[0]
LABS = {"patient": ["P1"], "analyte": ["Neutrophils"], "day": ["-3"], "value": ["6.0"], "unit": ["10^9/L"]}


def labs_reader(function: Callable[[], Any]) -> Reader:
    """A reader of laboratory values that returns what `function` does."""
    return Reader("acme", "laboratory values of Acme", ("labs",), {}, lambda path, options: function())


def labs(**columns: list[str]) -> Partial:
    """What a plug-in's reader returns: rows as text, at the lines of their file."""
    return Partial(tables={"labs": pd.DataFrame(LABS | columns, index=pd.RangeIndex(2, 3))})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file whose content does not matter."""
    path = tmp_path / "labs.txt"
    path.write_text("anything")
    return path


def raises(error: Exception) -> Any:
    """Raise an exception, as a faulty plug-in does."""
    raise error


@pytest.mark.parametrize("error", [KeyError("subject"), ZeroDivisionError("division by zero"), AttributeError("x")])
def test_a_reader_that_raises_is_named_with_its_package_and_the_file(file: Path, error: Exception) -> None:
    with pytest.raises(PluginError) as raised:
        labs_reader(lambda: raises(error))(file)
    assert str(raised.value).startswith(f"labs.txt: the reader 'acme' of the package '{PACKAGE}' failed: ")
    assert type(error).__name__ in str(raised.value)
    assert "report it to its authors" in str(raised.value)


def test_an_input_error_of_a_reader_stays_as_it_is(file: Path) -> None:
    with pytest.raises(InputError, match=r"labs\.txt, row 7: no patient"):
        labs_reader(lambda: raises(InputError("no patient", where="labs.txt, row 7")))(file)


def test_a_fault_in_a_reader_of_immunescape_is_not_blamed_on_a_plugin() -> None:
    assert plugins.foreign_package(get_reader("maf").function) is None
    assert plugins.foreign_package(partial(get_reader("maf").function)) is None
    assert plugins.foreign_package(labs) == PACKAGE


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "the reader returns NoneType, not Partial"),
        (Partial(tables={"lab": pd.DataFrame(LABS)}), "gives 'lab', which it does not declare\n  Did you mean 'labs'"),
        (Partial(tables={"labs": [1, 2]}), "the table 'labs' is list, not a pandas DataFrame"),  # type: ignore[dict-item]
    ],
)
def test_what_a_reader_may_not_return_is_refused(file: Path, result: Any, message: str) -> None:
    with pytest.raises(PluginError, match=message) as raised:
        labs_reader(lambda: result)(file)
    assert f"labs.txt, format 'acme' of the package '{PACKAGE}'" in str(raised.value)


def test_rows_of_a_plugin_are_finished_as_those_of_immunescape_are(file: Path) -> None:
    """Text becomes numbers, columns that are missing are empty; the study is built."""
    given = labs_reader(lambda: Partial(tables={"labs": labs().tables["labs"].drop(columns="day")}))(file)
    patients = Partial(tables={"patients": pd.DataFrame({"patient": ["P1"]})})
    study = join([patients, given])
    assert study.labs["value"].tolist() == [6.0]
    assert study.labs["day"].isna().all()


@pytest.mark.parametrize(
    ("columns", "message"),
    [({"value": ["many"]}, r"labs\.txt, line 2"), ({"patient": [""]}, r"labs\.txt, line 2: the patient is missing")],
)
def test_a_row_that_cannot_be_is_named_with_its_line(file: Path, columns: dict[str, list[str]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        labs_reader(lambda: labs(**columns))(file)


def test_the_contract_of_readers_names_the_same_faults(file: Path) -> None:
    with pytest.raises(AssertionError, match="the reader returns NoneType, not Partial"):
        testing.check_reader(labs_reader(lambda: None), file)


# --- biomarkers -------------------------------------------------------------------------------------------------------

STUDY = join([Partial(tables={"patients": pd.DataFrame({"patient": ["P1", "P2"]})})])
STUDY.labs = pd.DataFrame(LABS)
STUDY.given.add("labs")


def biomarker(function: Callable[[Study], Any]) -> Biomarker:
    """A ratio from laboratory values that is measured by `function`."""
    return Biomarker(
        name="acme_ratio",
        title="Ratio of Acme",
        family="blood",
        unit="1",
        definition="A ratio.",
        function=function,
        needs=("labs",),
    )


def test_a_biomarker_that_raises_is_named_with_its_package() -> None:
    with pytest.raises(PluginError, match=f"the biomarker 'acme_ratio' of the package '{PACKAGE}' failed: KeyError"):
        biomarker(lambda study: raises(KeyError("ldh")))(STUDY)


@pytest.mark.parametrize(
    ("measured", "message"),
    [
        (None, "the function returns NoneType, not a mapping"),
        ({"P1": 3.0}, "the value of P1 is float, not Measurement"),
        ({"P9": Measurement("acme_ratio", 3.0, "1", "measured", method="x")}, "'P9' is not a patient of the study"),
        ({"P1": Measurement("nlr", 3.0, "1", "measured", method="x")}, "the measurement of P1 is 'nlr' in '1'"),
        (
            {"P1": Measurement("acme_ratio", 3.0, "mg", "measured", method="x")},
            "must be those of the biomarker: 'acme_ratio' in",
        ),
    ],
)
def test_what_a_biomarker_may_not_return_is_refused(measured: Any, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        biomarker(lambda study: measured)(STUDY)


def test_a_biomarker_of_a_plugin_is_measured_and_others_are_not_assessable() -> None:
    values = biomarker(lambda study: {"P1": Measurement("acme_ratio", 3.0, "1", "measured", method="x")})(STUDY)
    assert values["P1"].value == 3.0
    assert values["P2"].value is None
