"""What the clinic says of a drug: its classes, its largest usual dose, its harm when given alone.

Each drug of the package is a folder ``model/drugs/<drug>/`` with its declaration (``__init__.py``), its parameter table
(``parameters.csv``) and the tables of `CLINICAL_TABLES`. The rows of all folders together are one table. Plug-ins bring
tables of the same names and columns for their own drugs (:mod:`immunescape.plugins`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from immunescape import plugins
from immunescape.errors import InputError
from immunescape.knowledge.tables import Row, plugin_rows, read_rows

__all__ = ["CLINICAL_TABLES", "DRUG_FOLDER", "UsualDose", "drug_classes", "drug_rows", "our_classes", "usual_doses"]

DRUG_FOLDER = Path(__file__).parent / "drugs"
CLINICAL_TABLES: Mapping[str, tuple[str, ...]] = {
    "drug_classes": ("drug", "class"),
    "usual_doses": ("name", "value", "unit", "source", "grade", "note"),
    "toxicity": ("regimen", "quantity", "value", "unit", "n", "causality", "source", "grade", "note"),
}
"""Tables of a drug's folder, with their columns; the first column names the drug."""


@dataclass(frozen=True)
class UsualDose:
    """The largest usual single dose of a drug, against slips in protocols.

    Attributes
    ----------
    name, value, unit : drug; number; unit as in regimens (``mg/m2``, ``AUC``, …).
    source, grade, note : key of the bibliography; measured, fitted or assumed; what it is the dose of.
    """

    name: str
    value: float
    unit: str
    source: str
    grade: str
    note: str


@cache
def drug_rows(table: str) -> tuple[Row, ...]:
    """Rows of one of `CLINICAL_TABLES` in the folders of our drugs, drug by drug.

    Raises
    ------
    InputError
        For a folder without this table, and for a row about anything but the folder's drug; names file and line.
    """
    rows: list[Row] = []
    columns = CLINICAL_TABLES[table]
    for declaration in sorted(DRUG_FOLDER.glob("*/__init__.py")):
        path = declaration.parent / f"{table}.csv"
        if not path.is_file():
            raise InputError(
                f"the drug '{path.parent.name}' has no table '{path.name}'",
                where=str(path.parent),
                hint=f"Its columns are {','.join(columns)}.",
            )
        for row in read_rows(path, columns):
            if row[columns[0]] != path.parent.name:
                raise InputError(
                    f"'{row[columns[0]]}' in the folder of '{path.parent.name}'",
                    where=row.where,
                    hint="Data on classes or combinations belong in knowledge/data/toxicity.csv.",
                )
            rows.append(row)
    return tuple(rows)


@cache
def our_classes() -> dict[str, frozenset[str]]:
    """Drug -> classes, of the package's drugs alone."""
    classes_of: dict[str, set[str]] = {}
    for row in drug_rows("drug_classes"):
        classes_of.setdefault(row["drug"], set()).add(row["class"])
    return {drug: frozenset(classes) for drug, classes in classes_of.items()}


@plugins.cached()
def drug_classes() -> dict[str, frozenset[str]]:
    """Return drug -> its classes, as the toxicity table uses them; those of plug-ins included.

    Raises
    ------
    InputError
        For a plug-in's row about a drug of the package.
    """
    classes_of = {drug: set(classes) for drug, classes in our_classes().items()}
    for row in plugin_rows("drug_classes.csv", CLINICAL_TABLES["drug_classes"]):
        if row["drug"] in our_classes():
            raise InputError(
                f"the drug '{row['drug']}' already exists in immunescape", where=row.where, hint="Give it another name."
            )
        classes_of.setdefault(row["drug"], set()).add(row["class"])
    return {drug: frozenset(classes) for drug, classes in classes_of.items()}


@plugins.cached()
def usual_doses() -> Mapping[str, UsualDose]:
    """Return drug -> its largest usual dose; those of plug-ins included.

    Raises
    ------
    InputError
        For a second row about a drug, one without unit, source or grade, or a dose of zero or less, with file and line.
    """
    columns = CLINICAL_TABLES["usual_doses"]
    doses: dict[str, UsualDose] = {}
    for row in (*drug_rows("usual_doses"), *plugin_rows("usual_doses.csv", columns)):
        if row["name"] in doses:
            raise InputError(f"'{row['name']}' already has a row", where=row.where)
        if row.number("value") <= 0:
            raise InputError(
                f"a dose of {row.number('value'):g} {row['unit']} cannot be given",
                where=row.where,
                hint="Doses are greater than zero.",
            )
        doses[row["name"]] = UsualDose(
            row["name"], row.number("value"), row["unit"], row["source"], row["grade"], row["note"]
        )
    return doses
