"""Words of the regimen language: units, spans of time, routes."""

from __future__ import annotations

import re

__all__ = [
    "HOURLY",
    "LARGEST_FRACTION_GY",
    "MEANING",
    "MODIFIERS",
    "PER_WORDS",
    "QXW",
    "ROUTES",
    "SPANS",
    "UNIT_WORDS",
    "family",
    "folded",
]

UNIT_WORDS = {
    "mg": "mg",
    "g": "g",
    "ug": "ug",
    "µg": "ug",
    "μg": "ug",
    "mcg": "ug",
    "iu": "IU",
    "u": "IU",
    "miu": "MIU",
    "cells": "cells",
    "cell": "cells",
    "gy": "Gy",
    "cfu": "CFU",
    "dose": "dose",
    "doses": "dose",
}
PER_WORDS = {"kg": "kg", "m2": "m2", "m²": "m2"}
SPANS = {
    "day": "day",
    "days": "day",
    "d": "day",
    "week": "week",
    "weeks": "week",
    "wk": "week",
    "wks": "week",
    "month": "month",
    "months": "month",
    "year": "year",
    "years": "year",
}
ROUTES = {
    "iv": "iv",
    "intravenous": "iv",
    "intravenously": "iv",
    "sc": "sc",
    "subcutaneous": "sc",
    "subcutaneously": "sc",
    "oral": "oral",
    "orally": "oral",
    "po": "oral",
    "intratumoral": "intratumoral",
    "intratumorally": "intratumoral",
}
MODIFIERS = (
    "every",
    "q3w",
    "weekly",
    "daily",
    "once",
    "twice",
    "on",
    "day",
    "days",
    "for",
    "up",
    "until",
    "from",
    "over",
    "max",
    "with",
    "loading",
    "then",
    "plus",
    "in",
    "x",
    "weekdays",
    "to",
    *ROUTES,
)
QXW = re.compile(r"q(\d{0,3})(w|wk|wks|d)")
HOURLY = {6: 4, 8: 3, 12: 2, 24: 1}
"""Doses a day at an interval of so many hours."""
LARGEST_FRACTION_GY = 34.0
"""Largest single fraction of radiation: 34 Gy once is the highest dose of stereotactic schedules [videtic2015]."""
MEANING = {
    "interval_days": "the interval",
    "days": "the days",
    "per_day": "the number of doses a day",
    "cycles": "the number of cycles",
    "limit": "the duration",
    "max_mg": "the largest dose",
    "route": "the route",
    "infusion_hours": "the duration of the infusion",
    "once": "'once'",
    "loading": "the loading dose",
    "count": "the number of fractions",
    "target": "the target",
}


def folded(name: str) -> str:
    """A drug's name as compared: ``nab-paclitaxel``, ``nab paclitaxel`` and ``nab_paclitaxel`` are one."""
    return name.casefold().replace("-", "_").replace("–", "_").replace(" ", "_")


def family(unit: str) -> str:
    """Units that differ only by a power of ten belong together: ug/kg with mg/kg, g with mg, MIU with IU."""
    top, _, below = unit.partition("/")
    top = {"ug": "mg", "g": "mg", "MIU": "IU"}.get(top, top)
    return f"{top}/{below}" if below else top
