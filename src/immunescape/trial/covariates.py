"""The covariates that a trial file may speak of: their names, units and possible values.

They are columns of the table of virtual patients. A criterion is one condition on one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import ImmunescapeError, InputError, unknown_word
from immunescape.knowledge.printed_units import printed_unit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COVARIATES", "DRIVERS", "REGIONS", "STAGES", "Covariate", "Criterion", "level_words", "unknown_covariate"]

DRIVERS = ("none", "EGFR", "ALK", "ROS1", "BRAF", "MET", "RET", "HER2")
REGIONS = ("western", "east_asian")
STAGES = ("III", "IV")


@dataclass(frozen=True)
class Covariate:
    """One covariate: `values` for a category, `low`..`high` (the range that can occur) for a number."""

    meaning: str
    unit: str = ""
    values: tuple[Any, ...] = ()
    low: float = -np.inf
    high: float = np.inf

    @property
    def is_number(self) -> bool:
        """Whether it is measured on a scale (else it is one of `values`)."""
        return not self.values

    def category(self, given: object) -> Any:
        """Return the one of `values` that is meant, in any case, with yes and no for true and false.

        None where it is none of them: no category is None.
        """
        if isinstance(given, str):
            words = {str(v).casefold(): v for v in self.values}
            if True in self.values and False in self.values:
                words |= {"yes": True, "no": False}
            return words.get(given.strip().casefold())
        return next((v for v in self.values if v == given and isinstance(v, bool) == isinstance(given, bool)), None)


_YES_NO = (True, False)
COVARIATES: Mapping[str, Covariate] = {
    "age": Covariate("age", "year", low=18, high=110),
    "sex": Covariate("sex", values=("F", "M")),
    "weight_kg": Covariate("body weight", "kg", low=20, high=300),
    "height_cm": Covariate("height", "cm", low=100, high=250),
    "bsa_m2": Covariate("body surface area", "m2", low=0.7, high=4),
    "creatinine_umol_l": Covariate("serum creatinine", "umol/L", low=10, high=2000),
    "crcl_ml_min": Covariate("creatinine clearance", "mL/min", low=0, high=400),
    "albumin_g_l": Covariate("serum albumin", "g/L", low=5, high=70),
    "ldh_uln": Covariate("lactate dehydrogenase", "upper limits of normal", low=0, high=100),
    "nlr": Covariate("ratio of neutrophils to lymphocytes", "", low=0, high=500),
    "ecog": Covariate("ECOG performance status", values=(0, 1, 2)),
    "smoking": Covariate("smoking", values=("never", "former", "current")),
    "histology": Covariate("histology", values=("nonsquamous", "squamous")),
    "driver": Covariate("oncogenic driver", values=DRIVERS),
    "kras": Covariate("KRAS mutation", values=_YES_NO),
    "kras_g12c": Covariate("KRAS G12C mutation", values=_YES_NO),
    "stk11": Covariate("STK11 mutation", values=_YES_NO),
    "keap1": Covariate("KEAP1 mutation", values=_YES_NO),
    "tp53": Covariate("TP53 mutation", values=_YES_NO),
    "met_amp": Covariate("MET amplification", values=_YES_NO),
    "ddr": Covariate("deleterious mutation in DNA damage response", values=_YES_NO),
    "idh": Covariate("IDH1 or IDH2 mutation", values=_YES_NO),
    "akkermansia": Covariate("Akkermansia in the gut", values=_YES_NO),
    "antibiotics": Covariate("antibiotics around the start of treatment", values=_YES_NO),
    "pdl1_tps": Covariate("PD-L1 tumour proportion score", "%", low=0, high=100),
    "tmb_mut_mb": Covariate("tumour mutational burden", "1/Mb", low=0, high=5000),
    "n_sites": Covariate("metastatic sites", "", low=0, high=100),
    "n_target_lesions": Covariate("target lesions", "", low=0, high=10),
    "n_lesions": Covariate("lesions", "", low=0, high=1000),
    "liver_mets": Covariate("liver metastases", values=_YES_NO),
    "brain_mets": Covariate("brain metastases", values=_YES_NO),
    "sld_mm": Covariate("sum of the longest diameters of target lesions", "mm", low=0, high=1500),
    "stage": Covariate("stage", values=STAGES),
}
"""Every covariate by name."""


def unknown_covariate(name: str) -> ImmunescapeError:
    """Build the error for a word that is no covariate; a word that is a value of one (``EGFR``) names that one."""
    for covariate, about in COVARIATES.items():
        if name.casefold() in (str(v).casefold() for v in about.values if isinstance(v, str) and v != "none"):
            value = about.category(name)
            return InputError(
                f"unknown covariate '{name}'", hint=f"It is a value of '{covariate}': write {covariate}={value}."
            )
    return unknown_word("covariate", name, COVARIATES)


@dataclass(frozen=True)
class Criterion:
    """One condition on one covariate: among `allowed`, or within ``low..high`` (both included)."""

    covariate: str
    allowed: tuple[Any, ...] = ()
    low: float = -np.inf
    high: float = np.inf

    def met(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Which patients meet it: (n,) for a table of n rows. A missing value does not meet it."""
        column = table[self.covariate]
        if COVARIATES[self.covariate].is_number:
            values = column.to_numpy(dtype=np.float64)
            return np.asarray((values >= self.low) & (values <= self.high))
        return np.asarray(column.isin(list(self.allowed)).to_numpy(dtype=bool))

    def __str__(self) -> str:
        unit = COVARIATES[self.covariate].unit
        return self._text(self.covariate, unit, _value_text, at_least=">= ", at_most="<= ", to="-")

    @property
    def words(self) -> str:
        """The condition as a reader knows it, e.g. ``PD-L1 tumour proportion score at least 50 %``."""
        covariate = COVARIATES[self.covariate]
        unit = printed_unit(covariate.unit)
        return self._text(covariate.meaning, unit, level_words, at_least="at least ", at_most="at most ", to=" to ")

    def _text(self, name: str, unit: str, level: Callable[[Any], str], *, at_least: str, at_most: str, to: str) -> str:
        """The condition under a name, with its levels or its bounds as they are given to be written."""
        covariate = COVARIATES[self.covariate]
        if not covariate.is_number:
            others = [v for v in covariate.values if v not in self.allowed]
            if len(others) < len(covariate.values) / 2 and len(covariate.values) > 3:
                return f"{name} not {', '.join(level(v) for v in others)}"
            return f"{name} {' or '.join(level(v) for v in self.allowed)}"
        after = f" {unit}".rstrip()
        if np.isinf(self.high):
            return f"{name} {at_least}{self.low:g}{after}"
        if np.isinf(self.low):
            return f"{name} {at_most}{self.high:g}{after}"
        return f"{name} {self.low:g}{to}{self.high:g}{after}"


_LEVEL_WORDS = {"M": "male", "F": "female", "nonsquamous": "non-squamous"}
"""Levels whose name is no word."""


def level_words(value: Any) -> str:
    """Return a level of a covariate as a reader knows it: True is yes, ``nonsquamous`` is non-squamous."""
    return _LEVEL_WORDS.get(str(value), _value_text(value))


def _value_text(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
