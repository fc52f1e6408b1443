"""A drug is one folder: declaration, parameters, classes, usual dose, harm; nothing about it alone stands elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from immunescape.errors import InputError
from immunescape.knowledge.references import load_references
from immunescape.knowledge.tables import read_rows
from immunescape.model import drug_tables, registry
from immunescape.model.drug_tables import CLINICAL_TABLES, DRUG_FOLDER, drug_classes, drug_rows, usual_doses
from immunescape.model.parameters import FOLDER, table_path

FOLDERS = sorted(p.parent for p in DRUG_FOLDER.glob("*/__init__.py"))


def test_every_folder_is_a_drug_and_every_drug_a_folder() -> None:
    declared = {name for name, entry in registry.DRUGS.entries().items() if entry.where.startswith("immunescape.")}
    assert declared == {folder.name for folder in FOLDERS}
    assert not [p.name for p in DRUG_FOLDER.glob("*.py") if not p.name.startswith("_")]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: p.name)
def test_a_folder_holds_all_tables_of_its_drug_and_nothing_else(folder: Path) -> None:
    files = {p.name for p in folder.iterdir() if p.name != "__pycache__"}
    assert files == {"__init__.py", "parameters.csv", *(f"{table}.csv" for table in CLINICAL_TABLES)}
    assert table_path(registry.drugs()[folder.name].parameters) == folder / "parameters.csv"
    for table, columns in CLINICAL_TABLES.items():
        rows = read_rows(folder / f"{table}.csv", columns)
        assert {row[columns[0]] for row in rows} == {folder.name}


def test_parameters_of_mechanisms_lie_in_one_folder_without_those_of_drugs() -> None:
    mechanisms = {table_path(m.parameters) for m in registry.mechanisms().values()}
    tables = {p for p in FOLDER.glob("*.csv") if not p.name.startswith("reference_strengths")}
    assert mechanisms == tables


def test_the_shared_table_of_harm_holds_classes_and_combinations_alone() -> None:
    classes = {c for of_drug in drug_classes().values() for c in of_drug}
    for row in read_rows("toxicity", CLINICAL_TABLES["toxicity"]):
        names = row["regimen"].split("+")
        assert set(names) <= classes | set(drug_classes()), row.where
        assert len(names) > 1 or names[0] in classes, f"{row.where}: belongs into the folder of the drug"


def test_every_usual_dose_has_a_source_that_resolves() -> None:
    for dose in usual_doses().values():
        assert set(dose.source.split(";")) <= {*load_references(), "assumed"}, dose.name
    assert (usual_doses()["carboplatin"].value, usual_doses()["carboplatin"].unit) == (6.0, "AUC")


@pytest.fixture
def folder_of_a_drug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "toymab").mkdir()
    (tmp_path / "toymab" / "__init__.py").write_text("")
    monkeypatch.setattr(drug_tables, "DRUG_FOLDER", tmp_path)
    drug_rows.cache_clear()
    yield tmp_path / "toymab"
    drug_rows.cache_clear()


def test_a_folder_that_lacks_a_table_is_named(folder_of_a_drug: Path) -> None:
    with pytest.raises(InputError, match=r"the drug 'toymab' has no table 'usual_doses\.csv'") as error:
        drug_rows("usual_doses")
    assert str(folder_of_a_drug) in str(error.value)


def test_a_row_about_another_drug_is_refused_with_its_line(folder_of_a_drug: Path) -> None:
    (folder_of_a_drug / "drug_classes.csv").write_text("drug,class\ntoymab,ici\nnivolumab,ici\n")
    with pytest.raises(InputError, match="'nivolumab' in the folder of 'toymab'") as error:
        drug_rows("drug_classes")
    assert "drug_classes.csv, line 3" in str(error.value)
