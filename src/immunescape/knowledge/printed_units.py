"""Units as readers of the field write them: ``umol/L`` and ``micromole/liter`` are both µmol/L.

Tables, files and the model write units in ASCII, each in the spelling of its source. What a person reads, in a
criterion, a report, a figure or a message, is printed by :func:`printed_unit`.
"""

from __future__ import annotations

__all__ = ["printed_amount", "printed_unit"]

_PRINTED = {
    "": "",
    "1": "",
    "1.0": "",
    "dimensionless": "",
    "ratio": "",
    "percent": "%",
    "fraction": "(fraction)",
    "vaf_fraction": "(variant allele fraction)",
    "as reported": "(unit as reported)",
    "year": "years",
    "1/day": "per day",
    "1/megabase": "/Mb",
    "1/Mb": "/Mb",
    "um": "µm",
    "centimeter": "cm",
    "m2": "m²",
    "m^2": "m²",
    "kg/m^2": "kg/m²",
    "1/mm2": "/mm²",
    "milliliter": "mL",
    "cell": "cells",
    "cell/mm2": "cells/mm²",
    "cells/uL": "cells/µL",
    "cell/microliter": "cells/µL",
    "cell/milliliter": "cells/mL",
    "10^9/L": "× 10⁹/L",
    "microgram/milliliter": "µg/mL",
    "umol/L": "µmol/L",
    "millimole/liter": "mmol/L",
    "micromole/liter": "µmol/L",
    "nanomole/liter": "nmol/L",
    "picomole/liter": "pmol/L",
}
"""Unit as tables, files and the model write it -> as it is printed; any other is printed as it is."""


def printed_unit(unit: str) -> str:
    """Return a unit as it is printed, '' for none."""
    return _PRINTED.get(unit, unit)


def printed_amount(number: str, unit: str) -> str:
    """Return a number, written already, with its printed unit."""
    return f"{number} {printed_unit(unit)}".rstrip()
