"""Clinical tables of cBioPortal: columns are recognised by their usual names, in whichever table they occur."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from immunescape.errors import InputError, unknown_word
from immunescape.profile.readers._base import Partial
from immunescape.profile.readers._column_names import find_column
from immunescape.profile.readers._finish import event_value, finish, recist_category
from immunescape.profile.readers._text import TextTable
from immunescape.profile.readers._units import canonical_analyte, canonical_unit, lab_units
from immunescape.profile.readers.hla import allele_name
from immunescape.profile.study import COLUMNS
from immunescape.units import MONTHS_PER

__all__ = ["DeclaredUnits", "clinical_tables", "labs_or_note", "prior_lines", "recist_or_none", "strip_unknown"]

_PATIENT = (
    "age sex histology smoking ecog stage treatment treatment_class os_months os_event pfs_months pfs_event "
    "best_response durable_benefit arm neoantigen_load hla_evolutionary_divergence"
).split()
_SAMPLE = ("tumour_purity", "ploidy", "tmb", "msi")
_NOT_READ = frozenset({"NOT APPLICABLE", "NOT AVAILABLE", "UNKNOWN", "UNK"})
_BLOOD = ("albumin ldh nlr neutrophils lymphocytes monocytes eosinophils leukocytes platelets hemoglobin crp").split()
_MOMENT = re.compile(r"^(baseline|pre|pretreatment)|(baseline|pre|pretreatment|level|value)$")


class DeclaredUnits:
    """Units that the user declares for columns of a study folder (``--unit COLUMN=UNIT``), and which were used."""

    def __init__(self, units: Mapping[str, str] | None = None) -> None:
        self._units = {_plain(k): (str(k), str(v)) for k, v in (units or {}).items()}
        self.used: set[str] = set()
        self.asked: dict[str, None] = {}

    def __bool__(self) -> bool:
        """Return whether any unit was declared."""
        return bool(self._units)

    def of(self, column: str) -> str | None:
        """Return the unit declared for a column, or None."""
        self.asked.setdefault(column)
        plain = _plain(column)
        if plain not in self._units:
            return None
        self.used.add(plain)
        return self._units[plain][1]

    def check(self, where: str) -> None:
        """Refuse units of columns that nothing asked for.

        Raises
        ------
        InputError
            Naming the nearest columns that take a unit.
        """
        for plain, (name, _) in self._units.items():
            if plain not in self.used:
                raise unknown_word("column of --unit", name, self.asked or ["(none takes a unit)"], where=where)


def _plain(name: str) -> str:
    return "".join(c for c in str(name).casefold() if c.isalnum())


def strip_unknown(table: TextTable) -> TextTable:
    """Convert terms for "not known" to missing values."""
    for column in table.frame.columns:
        cells = table.frame[column]
        table.frame[column] = cells.where(~cells.map(lambda v: isinstance(v, str) and v.upper() in _NOT_READ), None)
    return table


def recist_or_none(values: pd.Series) -> pd.Series:
    """Return RECIST categories; other terms become missing."""
    return pd.Series([recist_category(v) for v in values], index=values.index, dtype=object)


def _numbers(values: pd.Series, column: str, out: Partial, file: str) -> pd.Series:
    """Keep cells that are numbers; ``>89`` and ``<1`` are read as their limit; cells left out are reported."""
    marked = values.map(lambda v: isinstance(v, str) and re.fullmatch(r"[<>≤≥]=?\s*[\d.]+", v.strip()) is not None)
    if marked.any():
        out.problems.append(
            f"{file}: {int(marked.sum())} values of {column} such as '{values[marked].iloc[0]}' are read as their limit"
        )
    cleaned = values.map(lambda v: v.strip().lstrip("<>≤≥= ") if isinstance(v, str) else v)
    numbers = pd.to_numeric(cleaned, errors="coerce")
    lost = (numbers.isna() & cleaned.notna()) | np.isinf(numbers.to_numpy(float))
    if lost.any():
        line = values.index[lost][0]
        out.problems.append(
            f"{file}: {int(lost.sum())} values of {column} are not numbers and were left out (first: "
            f"'{str(values[line])[:40]}', line {line})"
        )
    return cleaned.where(~lost, None)


def clinical_tables(
    table: TextTable, patient: str, sample: str | None, units: DeclaredUnits, out: Partial
) -> tuple[dict[str, pd.Series], dict[str, pd.Series], set[str]]:
    """Read the content of a clinical table, whether it lists patients or samples.

    Parameters
    ----------
    table
        The table.
    patient, sample
        Its columns of identifiers.
    units
        Declared units.
    out
        Receives PD-L1, HLA types and blood values as tables, and messages for the user.

    Returns
    -------
    (of_patients, of_samples, used)
        Columns of the study's tables of patients and samples; names of the columns that were used.
    """
    used = {patient} | ({sample} if sample else set())
    of_patients: dict[str, pd.Series] = {}
    of_samples: dict[str, pd.Series] = {}
    for kind, columns, picked in (("patients", _PATIENT, of_patients), ("samples", _SAMPLE, of_samples)):
        for column in columns:
            named = find_column(table, kind, column)
            if named is None or (named.column in used and column != "treatment_class"):
                continue
            values = table.frame[named.column]
            if column == "best_response":
                values = _responses(values, named.column, out, table.file)
                if values.isna().all():
                    continue
            elif column in ("os_months", "pfs_months"):
                months = _months(values, named.column, named.unit, units, out, table.file)
                if months is None:
                    continue
                values = months
            elif column.endswith("_event"):
                values = _events(values, named.column, out, table.file)
            elif COLUMNS[kind].get(column, "n") == "n":
                values = _numbers(values, named.column, out, table.file)
                if column == "tumour_purity" and (unit := units.of(named.column)):
                    values = _purity(values, unit, named.column)
            picked[column] = values
            used.add(named.column)
    used |= _pdl1(table, patient, sample, units, out)
    used |= _hla(table, patient, out)
    used |= _blood(table, patient, used, units, out)
    return of_patients, of_samples, used


def _events(values: pd.Series, column: str, out: Partial, file: str) -> pd.Series:
    read = pd.Series([event_value(v) for v in values], index=values.index, dtype=object)
    lost = read.isna() & values.notna()
    if lost.any():
        line = values.index[lost][0]
        out.problems.append(
            f"{file}: {int(lost.sum())} values of {column} indicate neither an event nor censoring and "
            "were left out (first: "
            f"'{str(values[line])[:40]}', line {line})"
        )
    return read


def prior_lines(table: TextTable, used: set[str], out: Partial) -> pd.Series | None:
    """Return the number of earlier lines of therapy if a column gives it, or the current line."""
    prior = table.find("PRIOR_LINES", "NUMBER_OF_PRIOR_LINES", "PRIOR_LINES_OF_THERAPY")
    if prior is not None:
        used.add(prior)
        return _numbers(table.frame[prior], prior, out, table.file)
    lines = table.find("LINES_OF_TX", "LINE_OF_THERAPY", "TREATMENT_LINE")
    if lines is None:
        return None
    used.add(lines)
    out.problems.append(f"{table.file}: prior_lines is {lines} minus 1 (that column counts the present line)")
    return pd.to_numeric(_numbers(table.frame[lines], lines, out, table.file), errors="coerce") - 1


def _purity(values: pd.Series, unit: str, column: str) -> pd.Series:
    unit_name = canonical_unit(unit)
    if unit_name not in ("fraction", "percent"):
        raise unknown_word(f"unit of {column}", unit, ("fraction", "percent"), where="--unit")
    return pd.to_numeric(values, errors="coerce") * (0.01 if unit_name == "percent" else 1.0)


def _responses(values: pd.Series, column: str, out: Partial, file: str) -> pd.Series:
    kept = recist_or_none(values)
    lost = kept.isna() & values.notna()
    if lost.any():
        out.problems.append(
            f"{file}: {int(lost.sum())} of {int(values.notna().sum())} values of {column} are not RECIST "
            "categories (first: "
            f"'{str(values[lost].iloc[0])[:40]}') and give no best response; they stay in their own column"
        )
    return kept


def _months(
    values: pd.Series, column: str, unit: str, units: DeclaredUnits, out: Partial, file: str
) -> pd.Series | None:
    declared = units.of(column)
    unit = declared or unit
    if unit == "?":
        if pd.to_numeric(values, errors="coerce").notna().any():
            out.problems.append(
                f"{file}: {column} has no unit and was left out. Declare it: --unit {column}=months (or days, weeks, "
                "years)"
            )
        return None
    if unit not in MONTHS_PER:
        raise unknown_word(f"unit of {column}", unit, MONTHS_PER, where="--unit")
    numbers = pd.to_numeric(_numbers(values, column, out, file), errors="coerce") * MONTHS_PER[unit]
    if unit != "months":
        out.problems.append(f"{file}: {column} is read in {unit}" + ("" if declared else ", as its name says"))
    return numbers


def _pdl1(table: TextTable, patient: str, sample: str | None, units: DeclaredUnits, out: Partial) -> set[str]:
    """Read PD-L1 columns, one per score; a name that states no score is read as tumour proportion score."""
    assay = find_column(table, "pdl1", "assay")
    used: set[str] = set()
    frames = []
    scored = [(s, n) for s in ("tps", "cps", "tc", "ic", "unnamed") if (n := find_column(table, "pdl1", s)) is not None]
    for score, named in scored:
        if named.column in used or (score == "unnamed" and any(s != "unnamed" for s, _ in scored)):
            continue
        cells = table.frame[named.column].map(lambda v: v.strip() if isinstance(v, str) else v)
        numbers = pd.to_numeric(cells.map(lambda v: v.rstrip("% ") if isinstance(v, str) else v), errors="coerce")
        rows = pd.DataFrame(
            {
                "patient": table.frame[patient],
                "sample": table.frame[sample] if sample else None,
                "assay": table.frame[assay.column] if assay else None,
                "score": "tps" if score == "unnamed" else score,
                "value_percent": numbers,
                "category": cells.where(numbers.isna(), None),
            },
            index=table.frame.index,
        )
        rows = rows[rows["value_percent"].notna() | rows["category"].notna()]
        used.add(named.column)
        if not len(rows):
            continue
        declared = units.of(named.column)
        percent = {"value_percent": declared} if declared else {}
        if not declared and bool(cells.map(lambda v: isinstance(v, str) and v.endswith("%")).any()):
            percent = {"value_percent": "percent"}
        try:
            frames.append(finish("pdl1", rows, table.file, out.problems, percent))
        except InputError as error:
            out.problems.append(
                f"{table.file}: {named.column} was left out: {error.message}. Declare it: --unit "
                f"{named.column}=fraction or --unit {named.column}=percent"
            )
            continue
        how = "tumour proportion score" if score in ("tps", "unnamed") else score.upper()
        if assay is None or score == "unnamed":
            clone = "; no column gives the antibody clone" if assay is None else ""
            out.problems.append(f"{table.file}: {named.column} is read as {how} in percent{clone}")
    if frames:
        out.tables["pdl1"] = pd.concat(frames)
        if assay:
            used.add(assay.column)
    return used


_SPLIT = re.compile(r"[,;/|\s]+")


def _hla(table: TextTable, patient: str, out: Partial) -> set[str]:
    """Read HLA types: one column per allele or locus, or several alleles in one cell."""
    alleles: list[tuple[object, str, int]] = []
    used: set[str] = set()
    wrong: list[str] = []
    for column in table.frame.columns:
        plain = re.sub(r"[^A-Z0-9]+", "_", str(column).upper()).strip("_")
        locus = re.fullmatch(r"HLA_?(?:CLASS_I_)?([ABC])(?:_(?:ALLELES?|TYPE))?_?([12])?", plain)
        every = find_column(TextTable(table.frame[[column]], table.file), "hla", "all") if locus is None else None
        if locus is None and every is None:
            continue
        before = len(alleles)
        for line, (owner, cell) in enumerate(zip(table.frame[patient], table.frame[column], strict=True)):
            if not isinstance(cell, str):
                continue
            number = int(table.frame.index[line])
            for allele in filter(None, _SPLIT.split(cell)):
                text = (
                    allele
                    if locus is None or re.match(r"(?i)(hla[-_ ]?)?[abc][*_ ]?\d", allele)
                    else f"{locus[1]}*{allele}"
                )
                try:
                    alleles.append((owner, allele_name(text, table.file), number))
                except InputError:
                    wrong.append(f"'{allele[:20]}' in {column}, line {number}")
        if len(alleles) > before:
            used.add(str(column))
    if wrong:
        out.problems.append(
            f"{table.file}: {len(wrong)} entries in columns of HLA types are not alleles and were left out (first: "
            f"{wrong[0]}). Write them as A*02:01"
        )
    if alleles:
        index = pd.Index([p[2] for p in alleles])
        frame = pd.DataFrame({"patient": [p[0] for p in alleles], "allele": [p[1] for p in alleles]}, index=index)
        out.tables["hla"] = finish("hla", frame, table.file, out.problems)
    return used


def _blood_column(column: str) -> tuple[str, str] | None:
    """Return (analyte, unit stated in the name or '') for a column of blood values, or None."""
    units, aliases = lab_units()
    plain = _MOMENT.sub("", _plain(column))
    spelled = {_plain(alias): name for alias, name in aliases.items() if name in _BLOOD and not alias[0].isdigit()}
    if plain in spelled:
        return spelled[plain], ""
    for alias in sorted(spelled, key=len, reverse=True):
        if plain.startswith(alias):
            for unit in units[spelled[alias]]:
                if plain[len(alias) :] == _plain(unit):
                    return spelled[alias], unit
    return None


def _blood(table: TextTable, patient: str, taken: set[str], units: DeclaredUnits, out: Partial) -> set[str]:
    """Read blood values in separate columns; their day is not known."""
    used: set[str] = set()
    frames = []
    for column in table.frame.columns:
        named = None if column in taken else _blood_column(str(column))
        if named is None:
            continue
        analyte, unit = named
        values = _numbers(table.frame[column], str(column), out, table.file)
        rows = pd.DataFrame(
            {
                "patient": table.frame[patient],
                "analyte": analyte,
                "value": values,
                "unit": units.of(column) or unit or None,
            },
            index=table.frame.index,
        )
        rows = rows[rows["value"].notna()]
        if not len(rows):
            continue
        labs = labs_or_note(rows, str(column), table.file, out)
        if labs is not None:
            frames.append(labs)
            used.add(str(column))
    if frames:
        out.tables["labs"] = pd.concat(frames)
    return used


def labs_or_note(rows: pd.DataFrame, column: str, file: str, out: Partial) -> pd.DataFrame | None:
    """Convert blood values of one column or analyte to their unit; if it is ambiguous, omit them and ask for it."""
    try:
        return finish("labs", rows, file, out.problems)
    except InputError as error:
        analyte = canonical_analyte(str(rows["analyte"].iloc[0]))
        choices = list(lab_units()[0].get(analyte, {}))
        ask = f". Declare it: --unit {column}={choices[0]}" if choices else ""
        also = f" (or {', '.join(choices[1:])})" if len(choices) > 1 else ""
        out.problems.append(f"{file}: {len(rows)} values of {column} were left out: {error.message}{ask}{also}")
        return None
