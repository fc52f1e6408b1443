"""The registry of biomarkers: a record of metadata and a pure function for each.

A module of this package calls `register` for each biomarker; other packages declare their records as entry points in
the group ``immunescape.biomarkers``. Every function is ``(Study) -> {patient: Measurement}``; patients that it does not
return become ``not_assessable``. `measure` runs many of them and shares intermediate results between them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

import pandas as pd

from immunescape import plugins
from immunescape.errors import ImmunescapeError, PluginError, unknown_word
from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.study import KINDS, Study
from immunescape.registry import Registry

__all__ = [
    "BIOMARKERS",
    "Biomarker",
    "Measured",
    "biomarkers",
    "biomarkers_table",
    "measure",
    "register",
    "shared",
    "values_frame",
]

Measured = dict[str, Measurement]
"""Patient -> measurement of one biomarker."""

T = TypeVar("T")
_TRUTH = {"yes": True, "true": True, "1": True, "1.0": True, "no": False, "false": False, "0": False, "0.0": False}
_SHARED: ContextVar[dict[object, object] | None] = ContextVar("shared", default=None)


@dataclass(frozen=True, kw_only=True)
class Biomarker:
    """Description of a biomarker, and the function that measures it.

    Attributes
    ----------
    name, title : ``tmb``, ``Tumour mutational burden``.
    family : ``pdl1``, ``tmb``, ``pathway``, …
    unit : unit of a number; '' for categories and Boolean values.
    definition : how the value is obtained, in a sentence or two.
    function : study -> patient -> measurement.
    needs : kinds of data, at least one of which is required; if the study has none, no patient is assessable.
    words : permitted values of a categorical biomarker.
    thresholds : cut-offs in use, as text; '' if there is none.
    references : keys of ``knowledge/references.bib``.
    limits : limitations of the value.
    """

    name: str
    title: str
    family: str
    unit: str
    definition: str
    function: Callable[[Study], Mapping[str, Measurement]]
    needs: tuple[str, ...]
    words: tuple[str, ...] = ()
    thresholds: str = ""
    references: tuple[str, ...] = ()
    limits: str = ""

    def __call__(self, study: Study) -> Measured:
        """Measure every patient of a study, without exception.

        Parameters
        ----------
        study
            The study as read from a folder.
        """
        reported = self._reported(study)
        given = [kind for kind in self.needs if study.has(kind)]
        if not given and not reported:
            why = f"no {' or '.join(k.replace('_', ' ') for k in self.needs)} file was given"
            nobody = Measurement.not_assessable(self.name, self.unit, why, method=self.title, citation=self.references)
            return dict.fromkeys(study.patient_ids, nobody)
        measured = self._measured(study) if given else {}
        missing = Measurement.not_assessable(
            self.name, self.unit, "no value of this patient in the files", method=self.title, citation=self.references
        )
        answer = {patient: measured.get(patient, missing) for patient in study.patient_ids}
        return answer | {p: m for p, m in reported.items() if answer[p].value is None}

    def _measured(self, study: Study) -> Mapping[str, Measurement]:
        """Return the measurements of the function; one from another package is checked and named in case of failure.

        Raises
        ------
        PluginError
            If that function fails, or returns something other than measurements of this biomarker by patient.
        """
        package = plugins.foreign_package(self.function)
        if package is None:
            return self.function(study)
        try:
            measured = self.function(study)
        except ImmunescapeError:
            raise
        except Exception as error:
            raise plugins.failure(f"the biomarker '{self.name}'", package, error, f"study '{study.name}'") from error
        where = f"biomarker '{self.name}' of the package '{package}'"
        if not isinstance(measured, Mapping):
            raise PluginError(
                f"the function returns {type(measured).__name__}, not a mapping of patient to Measurement", where=where
            )
        patients = frozenset(study.patient_ids)
        for patient, value in measured.items():
            if patient not in patients:
                raise PluginError(f"'{patient}' is not a patient of the study '{study.name}'", where=where)
            if not isinstance(value, Measurement):
                raise PluginError(f"the value of {patient} is {type(value).__name__}, not Measurement", where=where)
            if (value.name, value.unit) != (self.name, self.unit):
                raise PluginError(
                    f"the measurement of {patient} is '{value.name}' in '{value.unit}'",
                    where=where,
                    hint=f"Name and unit must be those of the biomarker: '{self.name}' in '{self.unit}'.",
                )
        return measured

    def _reported(self, study: Study) -> Measured:
        """Return the values reported in a column of the patients table with the name of the biomarker.

        Only categories, Boolean values and dimensionless ratios: a number with a unit requires a file that declares it.
        """
        if self.unit not in ("", "1") or self.name not in study.patients.columns:
            return {}
        measured: Measured = {}
        for patient, value in zip(study.patients["patient"], study.patients[self.name], strict=True):
            read = self._read(value)
            if read is not None:
                measured[patient] = Measurement(
                    self.name,
                    read,
                    self.unit,
                    "measured",
                    method="As reported in the patients table",
                    citation=self.references,
                    source=study.sources.get("patients", ()),
                    note=f"as reported: {value}; how it was measured is not known",
                )
        return measured

    def _read(self, value: object) -> float | str | bool | None:
        text = "" if value is None or value != value else str(value).strip()
        if self.unit == "1":
            try:
                number = float(text)
            except ValueError:
                return None
            return number if math.isfinite(number) else None
        if self.words:
            return text if text in self.words else None
        return _TRUTH.get(text.casefold())


def _check(biomarker: Biomarker, where: str) -> None:
    for kind in biomarker.needs:
        if kind not in KINDS:
            raise unknown_word("kind of data", kind, KINDS, where=f"biomarker '{biomarker.name}'")


BIOMARKERS = Registry(
    "biomarker",
    Biomarker,
    modules="immunescape.profile.biomarkers",
    group="immunescape.biomarkers",
    check=_check,
    identity=lambda b: b.function,
    tags=lambda b: {"family": b.family, "unit": b.unit, "needs": b.needs, "references": b.references},
    error=ImmunescapeError,
)
"""Every biomarker."""


def register(biomarker: Biomarker) -> Biomarker:
    """Add a biomarker to the registry; each name may be used only once.

    Raises
    ------
    ImmunescapeError
        If another biomarker has the name.
    InputError
        If it needs a kind of data that no study has.
    """
    return BIOMARKERS.add(biomarker)


def biomarkers() -> dict[str, Biomarker]:
    """Return every registered biomarker: name -> record, by family and name."""
    return dict(sorted(BIOMARKERS.all().items(), key=lambda item: (item[1].family, item[0])))


def biomarkers_table() -> pd.DataFrame:
    """Return the registry as a table: name, family, title, unit, definition, thresholds, references, limits, needs."""
    columns = ("name", "family", "title", "unit", "definition", "thresholds", "limits")
    rows = [
        {c: getattr(b, c) for c in columns}
        | {"words": ", ".join(b.words), "needs": ", ".join(b.needs), "references": ", ".join(b.references)}
        for b in biomarkers().values()
    ]
    return pd.DataFrame(rows)


@contextmanager
def _sharing() -> Iterator[None]:
    if _SHARED.get() is not None:
        yield
        return
    token = _SHARED.set({})
    try:
        yield
    finally:
        _SHARED.reset(token)


def shared(study: Study, key: object, make: Callable[[Study], T]) -> T:
    """Return ``make(study)``, computed once while `measure` runs and each time otherwise.

    Parameters
    ----------
    study
        The study.
    key
        Name of the result, unique among all modules.
    make
        Function of the study alone.
    """
    store = _SHARED.get()
    if store is None:
        return make(study)
    full = (id(study), key)
    if full not in store:
        store[full] = make(study)
    return store[full]  # type: ignore[return-value]


def measure(study: Study, names: Iterable[str] | None = None) -> dict[str, Measured]:
    """Measure biomarkers in every patient of a study.

    Parameters
    ----------
    study
        What the readers made of a folder.
    names
        Biomarkers to measure; None takes all.

    Returns
    -------
    dict
        biomarker -> patient -> measurement.

    Raises
    ------
    InputError
        For a name that is not registered, with the nearest one.
    """
    chosen = list(biomarkers()) if names is None else list(names)
    measured = {name: BIOMARKERS.get(name) for name in chosen}
    with _sharing():
        return {name: biomarker(study) for name, biomarker in measured.items()}


def values_frame(measured: Mapping[str, Mapping[str, Measurement]]) -> pd.DataFrame:
    """Return values as a table, patients x biomarkers; values that are not assessable are missing (None or NaN).

    Numbers become float64; Boolean values and categories are unchanged. A value below the limit of detection is set to
    the limit; its status is in the measurements.
    """
    columns: dict[str, pd.Series] = {}
    for name, of_patients in measured.items():
        values = [m.value for m in of_patients.values()]
        numeric = all(v is None or (isinstance(v, (int, float)) and not isinstance(v, bool)) for v in values)
        column = pd.Series(values, index=list(of_patients), dtype=object)
        columns[name] = column.astype(float) if numeric else column
    frame = pd.DataFrame(columns)
    frame.index.name = "patient"
    return frame
