"""Error of the model by class of regimen, from a comparison of virtual with published calibration trials.

The squared error of a class, less the chance of both figures, is pooled with that of all classes as if that stood on
`PRIOR_FIGURES` figures more. Published figures of validation trials are not used: they may only be reported.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from immunescape.errors import InputError

__all__ = ["PRIOR_FIGURES", "class_errors", "pooled_errors"]

PRIOR_FIGURES = 4.0
"""Figures that the error of all classes counts as beside those of one class (assumed)."""
_FIGURES = {"orr_pct": "orr", "pfs_median_months": "median", "os_median_months": "median"}


def pooled_errors(rows: Iterable[tuple[str, str, float, float]]) -> dict[str, dict[str, dict[str, float]]]:
    """SD of the error of each class beyond chance, shrunk to that of all classes.

    Parameters
    ----------
    rows : (class, ``orr`` or ``median``, error, variance of the error by chance).

    Returns
    -------
    Class, and ``all`` -> figure -> ``sd`` and the number of ``figures``.
    """
    values = list(rows)
    out: dict[str, dict[str, dict[str, float]]] = {}
    for figure in sorted({r[1] for r in values}):
        same = [r for r in values if r[1] == figure]
        every = max(sum(e * e - v for _, _, e, v in same) / len(same), 0.0)
        out.setdefault("all", {})[figure] = {"sd": round(math.sqrt(every), 4), "figures": len(same)}
        for kind in sorted({r[0] for r in same}):
            own = [e * e - v for k, _, e, v in same if k == kind]
            square = (PRIOR_FIGURES * every + max(sum(own), 0.0)) / (PRIOR_FIGURES + len(own))
            out.setdefault(kind, {})[figure] = {"sd": round(math.sqrt(square), 4), "figures": len(own)}
    return out


def class_errors(harness: Mapping[str, Any], drugs_of: Mapping[tuple[str, str], Sequence[str]]) -> dict[str, Any]:
    """What ``class_errors.json`` holds, from the content of ``harness.json``.

    Parameters
    ----------
    harness : ``digest``, ``patients``, ``seeds``, ``comparisons`` and ``class_effects``.
    drugs_of : (trial, arm) -> drugs.

    Raises
    ------
    InputError
        Where a part is missing, or no calibration trial has a figure.
    """
    from immunescape.twins.options import kind_of

    for name in ("digest", "patients", "seeds", "comparisons", "class_effects"):
        if name not in harness:
            raise InputError(f"there is no '{name}'", hint="Make the file with `immunescape harness --out FOLDER`.")
    rows = []
    for c in harness["comparisons"]:
        figure = _FIGURES.get(c["figure"])
        usable = c["role"] == "calibration" and c["counted"] and c["virtual"] and c["published"]
        if figure is None or not usable or (c["trial"], c["arm"]) not in drugs_of:
            continue
        chance = (c["se"] or 0.0) ** 2 + (c["published_se"] or 0.0) ** 2
        if figure == "orr":
            p, q = (min(max(c[k] / 100.0, 0.005), 0.995) for k in ("virtual", "published"))
            error = math.log(p / (1.0 - p)) - math.log(q / (1.0 - q))
            middle = 0.5 * (p + q)
            chance = chance / (100.0 * middle * (1.0 - middle)) ** 2
        else:
            error = math.log(c["virtual"] / c["published"])
        rows.append((kind_of(tuple(sorted(drugs_of[c["trial"], c["arm"]]))), figure, error, chance))
    if not rows:
        raise InputError("no calibration trial has a figure", hint="Run the harness with --data FOLDER.")
    return {
        "model": harness["digest"], "patients": harness["patients"], "seeds": harness["seeds"],
        "prior_figures": PRIOR_FIGURES, "kinds": pooled_errors(rows),
        "delivered": [
            {k: e[k] for k in ("figure", "drug_class", "trials", "mean", "sd")} for e in harness["class_effects"]
        ],
    }  # fmt: skip
