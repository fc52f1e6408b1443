"""Units of laboratory values and variant allele frequencies: declared, or inferred if only one is possible."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from immunescape.errors import InputError, unknown_word
from immunescape.knowledge.tables import read_rows

__all__ = ["LabUnit", "canonical_analyte", "canonical_unit", "convert_labs", "lab_units", "vaf_fraction"]

_SAME = {
    "10^9/L": (
        "10*9/l",
        "10e9/l",
        "x10^9/l",
        "x10e9/l",
        "10^9/l",
        "k/ul",
        "k/µl",
        "10^3/ul",
        "10*3/ul",
        "x10^3/ul",
        "g/l*",
    ),
    "cells/uL": ("cells/ul", "/ul", "cells/µl", "/µl", "cells/mm3", "/mm3", "{cells}/ul", "1/ul", "cells/mm^3"),
    "g/L": ("g/l",),
    "g/dL": ("g/dl",),
    "mg/L": ("mg/l",),
    "mg/dL": ("mg/dl",),
    "U/L": ("u/l", "iu/l", "[iu]/l", "ui/l"),
    "ukat/L": ("ukat/l", "µkat/l"),
    "ratio": ("ratio", "1", "{ratio}", "dimensionless"),
    "percent": ("%", "percent", "pct"),
    "fraction": ("fraction", "share", "proportion"),
    "pg/mL": ("pg/ml", "ng/l"),
    "ng/mL": ("ng/ml", "ug/l", "µg/l"),
    "umol/L": ("umol/l", "µmol/l", "um", "µm"),
    "nmol/L": ("nmol/l", "nm"),
}
_UNIT_OF_SPELLING = {spelling: unit for unit, spellings in _SAME.items() for spelling in spellings}


@dataclass(frozen=True, kw_only=True)
class LabUnit:
    """One unit of an analyte: value × `factor` is in the `canonical` unit.

    Values from `low` to `high` are common enough to infer the unit from them; values outside `possible_low` to
    `possible_high` do not occur, so that the unit or the value must be wrong. Zero is possible if the canonical unit's
    `low` is 0.
    """

    analyte: str
    canonical: str
    unit: str
    factor: float
    low: float
    high: float
    possible_low: float
    possible_high: float

    def possible(self, values: pd.Series, zero: bool) -> pd.Series:
        """Return for each value whether a patient can have it in this unit."""
        within = values.between(self.possible_low, self.possible_high)
        return within | (values == 0) if zero else within


@lru_cache(maxsize=1)
def lab_units() -> tuple[dict[str, dict[str, LabUnit]], dict[str, str]]:
    """Return analyte -> unit -> record, and alias -> analyte."""
    units: dict[str, dict[str, LabUnit]] = {}
    aliases: dict[str, str] = {}
    for row in read_rows("lab_units"):
        name = row["analyte"]
        numbers = {c: row.number(c) for c in ("factor", "low", "high", "possible_low", "possible_high")}
        record = LabUnit(analyte=name, canonical=row["canonical"], unit=row["unit"], **numbers)
        units.setdefault(name, {})[row["unit"]] = record
        aliases[name] = name
        aliases.update(dict.fromkeys(row.split("aliases", "|"), name))
    return units, aliases


def canonical_analyte(name: str) -> str:
    """Return the study's name of an analyte; an unknown name is returned in snake_case."""
    analyte = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")
    aliases = lab_units()[1]
    return aliases.get(analyte, aliases.get(name.strip(), analyte))


def canonical_unit(unit: str) -> str:
    """Return the study's spelling of a unit; an unknown unit is unchanged."""
    plain = re.sub(r"\s+", "", unit.casefold())
    return _UNIT_OF_SPELLING.get(plain, unit.strip())


def convert_labs(frame: pd.DataFrame, file: str, problems: list[str]) -> pd.DataFrame:
    """Convert laboratory values to one unit per analyte.

    Parameters
    ----------
    frame
        Columns analyte, value, unit (None where the file gives none).
    file
        Name of the file, for messages.
    problems
        Receives a sentence for each unit that was inferred.

    Raises
    ------
    InputError
        Where a unit is not known for its analyte, is missing and the values do not allow exactly one, or makes a value
        impossible.
    """
    all_units, _ = lab_units()
    out = frame.copy()
    out["analyte"] = [canonical_analyte(a) if isinstance(a, str) else a for a in out["analyte"]]
    out["unit"] = [canonical_unit(u) if isinstance(u, str) else None for u in out["unit"]]
    for name, rows in out.groupby("analyte", sort=False):
        units = all_units.get(str(name))
        if units is None:
            continue
        missing = rows["unit"].isna() & rows["value"].notna()
        if missing.any():
            out.loc[missing.index[missing], "unit"] = _only_unit(str(name), rows.loc[missing, "value"], file, problems)
        for unit, rows_of_unit in out.loc[rows.index].groupby("unit", sort=False):
            if unit not in units:
                raise unknown_word(f"unit of {name}", str(unit), units, where=f"{file}, line {rows_of_unit.index[0]}")
            _possible(rows_of_unit["value"], units[str(unit)], file)
            out.loc[rows_of_unit.index, "value"] = rows_of_unit["value"] * units[str(unit)].factor
            out.loc[rows_of_unit.index, "unit"] = units[str(unit)].canonical
    return out


def _possible(values: pd.Series, unit: LabUnit, file: str) -> None:
    """Reject values that are impossible in their unit, and list the units in which they would be possible."""
    units = lab_units()[0][unit.analyte]
    zero = units[unit.canonical].low == 0
    bad = values.notna() & (values >= 0) & ~unit.possible(values, zero)
    if not bad.any():
        return
    line = values.index[bad][0]
    value = float(values[line])
    others = [u.unit for u in units.values() if u is not unit and bool(u.possible(pd.Series([value]), False).iloc[0])]
    likely = (
        f"{value:g} is possible in {' or '.join(others)}" if others else "No unit of this analyte makes it possible"
    )
    raise InputError(
        f"{unit.analyte} of {value:g} {unit.unit} is impossible ({unit.possible_low:g} to {unit.possible_high:g})",
        where=f"{file}, line {line}",
        hint=f"{likely}; correct the value or its unit. The unit can be set with units: {{{unit.analyte}: "
        f"{others[0] if others else '…'}}} in the manifest.",
    )


def _only_unit(name: str, values: pd.Series, file: str, problems: list[str]) -> str:
    units = lab_units()[0][name]
    possible = [u for u in units.values() if bool(values.between(u.low, u.high).all())]
    if len(possible) == 1:
        unit = possible[0].unit
        problems.append(
            f"{file}: {name} has no unit; {unit} was inferred, because every value ({values.min():g} to "
            f"{values.max():g}) is plausible in it and in no other known unit"
        )
        return unit
    why = "fit none of" if not possible else "fit several of"
    raise InputError(
        f"{name} has no unit, and its values ({values.min():g} to {values.max():g}) {why}: {', '.join(units)}",
        where=f"{file}, line {values.index[0]}",
        hint=f"Declare it in the manifest: units: {{{name}: {next(iter(units))}}}",
    )


def vaf_fraction(values: pd.Series, unit: str | None, file: str, problems: list[str]) -> pd.Series:
    """Return variant allele frequencies as fractions.

    Parameters
    ----------
    values
        Numbers, NaN where missing.
    unit
        ``fraction``, ``percent`` or None (not declared).
    file
        Name of the file, for messages.
    problems
        Receives a sentence if the unit was inferred.

    Raises
    ------
    InputError
        Where the unit is not declared and the values leave both possible, or where they are out of range.
    """
    numbers = values.to_numpy(float)
    finite = numbers[np.isfinite(numbers)]
    if unit is not None:
        unit_name = canonical_unit(unit)
        if unit_name not in ("fraction", "percent"):
            raise unknown_word("unit of vaf", unit, ("fraction", "percent"), where=file)
    elif not len(finite):
        return values
    elif finite.max() > 1.0:
        unit_name = "percent"
        problems.append(f"{file}: vaf is read as percent, because values reach {finite.max():g}")
    else:
        raise InputError(
            f"vaf has no unit; its values (up to {finite.max():g}) could be fractions or percent",
            where=file,
            hint="Declare it in the manifest: units: {vaf: fraction} or units: {vaf: percent}",
        )
    scaled = values * (0.01 if unit_name == "percent" else 1.0)
    bad = (scaled < 0) | (scaled > 1)
    if bad.any():
        line = scaled.index[bad][0]
        raise InputError(
            f"vaf {values[line]:g} is outside 0..{100 if unit_name == 'percent' else 1} ({unit_name})",
            where=f"{file}, line {line}",
            hint="Correct the row, or declare the unit: units: {vaf: percent}",
        )
    return scaled
