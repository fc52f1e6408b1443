"""Checks of tables of cells: terms for cell types, counts, coordinates in micrometres."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from immunescape.errors import InputError, unknown_word
from immunescape.profile.cell_types import CELL_TYPES, COMPARTMENTS, cell_type_of

__all__ = ["finish_cell_counts", "finish_cells_in_space", "micrometres"]

_SPACING = (2.0, 80.0)  # micrometres between a cell and its nearest neighbour, median over a section (assumed bounds)
_UNITS = "um, mm, or e.g. '0.5 um/pixel'"


def _typed(out: pd.DataFrame, file: str) -> pd.Series:
    cell_types = {w: cell_type_of(w) for w in out["cell_type"].dropna().unique()}
    for label, cell_type in cell_types.items():
        if cell_type is None:
            line = out.index[out["cell_type"] == label][0]
            raise unknown_word(
                "cell type",
                str(label),
                CELL_TYPES,
                where=f"{file}, line {line} (translate it with values:)",
            )
    if out["cell_type"].isna().any():
        raise InputError("the cell type is missing", where=f"{file}, line {out.index[out['cell_type'].isna()][0]}")
    return out["cell_type"].map(cell_types)


def finish_cell_counts(out: pd.DataFrame, file: str, problems: list[str], units: Mapping[str, str]) -> pd.DataFrame:
    """Check a table of cell counts by type."""
    out["cell_type"] = _typed(out, file)
    bad = out["cells"].isna() | (out["cells"] < 0) | (out["cells"] != np.round(out["cells"]))
    if bad.any():
        line = out.index[bad][0]
        raise InputError(
            f"'{out.loc[line, 'cells']}' is not a number of cells",
            where=f"{file}, line {line}",
            hint="Give numbers of cells, not fractions: a fraction has no interval.",
        )
    return out


def micrometres(unit: str, file: str) -> float:
    """Return micrometres for one step of a declared unit of coordinates.

    Raises
    ------
    InputError
        For any other unit; pixels require their size.
    """
    text = unit.strip().casefold().replace("µ", "u").replace("μ", "u").replace("microns", "um").replace("micron", "um")
    if text in ("um", "micrometre", "micrometres", "micrometer", "micrometers"):
        return 1.0
    if text == "mm":
        return 1000.0
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*um\s*(?:/|per)\s*(?:pixel|px)s?", text)
    if match and float(match.group(1)) > 0:
        return float(match.group(1))
    raise InputError(
        f"the unit of coordinates '{unit}' is not known",
        where=file,
        hint=f"Declare it in the manifest, units: {{x: …}}, as {_UNITS}. Pixels require their size.",
    )


def _spacing(out: pd.DataFrame) -> float:
    from scipy.spatial import cKDTree

    columns = []
    for _, rows in out.groupby(["sample", "region"], dropna=False, sort=True):
        points = rows[["x", "y"]].to_numpy(float)
        if len(points) > 20:
            take = points[:: max(1, len(points) // 20_000)]
            columns.append(float(np.median(cKDTree(points).query(take, k=2)[0][:, 1])))
    return float(np.median(columns)) if columns else float("nan")


def finish_cells_in_space(out: pd.DataFrame, file: str, problems: list[str], units: Mapping[str, str]) -> pd.DataFrame:
    """Check a table of cells with coordinates, and bring these to micrometres."""
    for name in ("x", "y"):
        bad = ~np.isfinite(out[name].to_numpy(float))
        if bad.any():
            raise InputError(f"{name} is missing", where=f"{file}, line {out.index[bad][0]}", hint="Map it: columns:")
    declared = units.get("x") or units.get("y") or units.get("coordinates")
    if declared is None:
        raise InputError(
            "the unit of the coordinates is not declared",
            where=file,
            hint=f"Set units: {{x: …}} in the manifest to {_UNITS}.",
        )
    if units.get("x") and units.get("y") and units["x"] != units["y"]:
        raise InputError(f"x is in {units['x']}, y in {units['y']}", where=file, hint="Give both in one unit.")
    factor = micrometres(declared, file)
    out["x"], out["y"] = out["x"] * factor, out["y"] * factor
    out["cell_type"] = _typed(out, file)
    compartment = out["compartment"].map(lambda w: w.casefold() if isinstance(w, str) else None)
    wrong = compartment.notna() & ~compartment.isin(COMPARTMENTS)
    if wrong.any():
        line = out.index[wrong][0]
        raise unknown_word("compartment", str(out.loc[line, "compartment"]), COMPARTMENTS, where=f"{file}, line {line}")
    out["compartment"] = compartment.where(compartment.notna(), None).astype(object)
    twice = out.duplicated(["sample", "patient", "region", "x", "y"])
    if twice.any():
        problems.append(f"{file}: {int(twice.sum())} cells have the same position as another and were left out")
        out = out[~twice]
    spacing = _spacing(out)
    if np.isfinite(spacing) and not _SPACING[0] <= spacing <= _SPACING[1]:
        raise InputError(
            f"cells lie {spacing:.3g} um from their nearest neighbour (median); in tissue it is {_SPACING[0]:g} to "
            f"{_SPACING[1]:g}: the coordinates are unlikely to be in '{declared}'",
            where=file,
            hint=f"Declare the unit, units: {{x: …}}, as {_UNITS}.",
        )
    return out
