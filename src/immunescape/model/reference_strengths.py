"""Reference strengths: how strong each modulation is in the untreated reference patient at diagnosis.

They make every factor 1 at the reference baseline, so that a mechanism can be added without moving it. They are
computed from a simulation and stored in ``model/parameters/reference_strengths.csv``; here they are read and written.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from immunescape.errors import ModelError
from immunescape.knowledge.tables import parse_rows
from immunescape.model.parameters import FOLDER

if TYPE_CHECKING:
    from immunescape.model.assembly import Model

__all__ = [
    "FILE",
    "Key",
    "load_strengths",
    "reference_id",
    "settle_strengths",
    "strength_id",
    "strengths_file",
    "strengths_from_state",
    "write_strengths",
]

FILE = FOLDER / "reference_strengths.csv"
_OTHER_FILES = {
    "sparse": FOLDER / "reference_strengths_sparse.csv",
    "series": FOLDER / "reference_strengths_series.csv",
    "full": FOLDER / "reference_strengths_series.csv",
}
"""With sizes revised, and inhibitions as capacities in series, the way to diagnosis is another."""
_COLUMNS = ["process", "pathway", "mechanism", "strength"]

Key = tuple[str, str, str]
"""(process, pathway, mechanism)."""


def strength_id(key: Key) -> str:
    """Return the name of the quantity that holds the raw strength X of a modulation."""
    return "x_" + "_".join(key)


def reference_id(key: Key) -> str:
    """Return the name of the parameter that holds the reference strength X0 of a modulation."""
    return "X0_" + "_".join(key)


@lru_cache(maxsize=8)
def _read(path: Path, changed: int) -> dict[Key, float]:
    strengths: dict[Key, float] = {}
    for row in parse_rows(path.read_text(encoding="utf-8"), _COLUMNS, str(path), error=ModelError):
        value = row.number("strength")
        if value < 0:
            raise ModelError(f"strength '{row['strength']}' is not a number >= 0", where=row.where)
        key = (row["process"], row["pathway"], row["mechanism"])
        if key in strengths:
            raise ModelError(f"{' '.join(key)} occurs twice", where=row.where)
        strengths[key] = value
    return strengths


def strengths_file(specificity: str) -> Path:
    """Return the file of the stored reference strengths for an option of :mod:`immunescape.model.specificity`."""
    return _OTHER_FILES.get(specificity, FILE)


def load_strengths(path: Path | None = None) -> dict[Key, float]:
    """Read the stored reference strengths: (process, pathway, mechanism) -> X0; none where the file is absent."""
    file = FILE if path is None else path
    return dict(_read(file, file.stat().st_mtime_ns)) if file.is_file() else {}


def strengths_from_state(model: Model, quantities: Mapping[str, float]) -> dict[Key, float]:
    """Take the reference strengths of a model from the values of its quantities.

    Parameters
    ----------
    model
        The model, without drugs, whose modulations are wanted.
    quantities
        Value of every raw strength ``x_<process>_<pathway>_<mechanism>`` (and of whatever else was put out) in the
        untreated reference patient at diagnosis.

    Raises
    ------
    ModelError
        If a strength is missing, negative or not finite.
    """
    strengths: dict[Key, float] = {}
    for key in model.modulations:
        name = strength_id(key)
        if name not in quantities:
            raise ModelError(f"the value of '{name}' is missing", hint="Output every name of model.modulations.")
        value = float(quantities[name])
        if not (math.isfinite(value) and value >= -1e-12):
            raise ModelError(f"the strength '{name}' is {value:g}; a strength is a number >= 0")
        strengths[key] = max(value, 0.0)
    return strengths


def settle_strengths(
    model: Model,
    baseline: Callable[[Mapping[str, float]], Mapping[str, float]],
    *,
    tolerance: float = 1e-6,
    rounds: int = 60,
) -> dict[Key, float]:
    """Find the reference strengths that reproduce themselves.

    The strengths at diagnosis depend on the way there, and so on the reference strengths themselves: start from the
    stored ones, simulate, take over what was found, until nothing moves.

    Parameters
    ----------
    model
        The model, without drugs.
    baseline
        Parameter overrides (the ``X0_...``) -> value of every quantity in the untreated reference patient at
        diagnosis, found with those overrides.
    tolerance
        Largest change of ``1 + X0``, relative, that counts as none.
    rounds
        Simulations after which the search is given up.

    Raises
    ------
    ModelError
        If the strengths still move after all rounds: names the one that moves most.
    """
    now = {key: model.parameters[reference_id(key)].base for key in model.modulations}
    moved: dict[Key, float] = {}
    for _ in range(rounds):
        following = strengths_from_state(model, baseline({reference_id(k): v for k, v in now.items()}))
        moved = {k: abs(following[k] - now[k]) / (1.0 + now[k]) for k in following}
        now = following
        if all(m <= tolerance for m in moved.values()):
            return now
    worst = max(moved, key=lambda k: moved[k])
    raise ModelError(
        f"the reference strengths do not settle; {' / '.join(worst)} still moves by {moved[worst]:.2g} of 1 + X0"
    )


def write_strengths(strengths: Mapping[Key, float], path: Path | None = None) -> Path:
    """Write reference strengths, sorted, so that a change shows as a small difference; return the file."""
    file = FILE if path is None else path
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([*key, f"{value:.12g}"] for key, value in sorted(strengths.items()))
    file.write_text(text.getvalue(), encoding="utf-8")
    return file
