"""Parameter tables: a CSV file for each mechanism and drug; a row without value, unit, source and grade is refused."""

from __future__ import annotations

import math
import re
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, overload

from immunescape.errors import ModelError, unknown_word
from immunescape.knowledge.tables import GRADES, lines_of_cells
from immunescape.model.drug_tables import DRUG_FOLDER
from immunescape.model.expressions import RESERVED
from immunescape.model.units import DIMENSIONLESS, Dimension, parse_unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["COLUMNS", "DISTRIBUTIONS", "FOLDER", "Parameter", "load_parameters", "table_path"]

FOLDER = Path(__file__).parent / "parameters"
COLUMNS = ("name", "value", "unit", "distribution", "spread", "lower", "upper", "source", "grade", "note")
DISTRIBUTIONS = ("lognormal", "normal", "loguniform", "uniform")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Parameter:
    """A number of the model, as its table gives it.

    Attributes
    ----------
    name, value, unit : as in the table; the reference patient has this value.
    factor : value in base units = value in `unit` times factor.
    dimension : exponents of the base units.
    distribution : across patients: empty (fixed), lognormal (median `value`, `spread` = SD of ln), normal (`spread` =
        SD), loguniform or uniform (between `lower` and `upper`, which else truncate). Bounds and a normal's spread
        are in `unit`.
    sources : keys of the bibliography; for an assumed value, what motivates it, possibly nothing.
    grade : measured, fitted, assumed; `defined` for switches and stored reference strengths, which no table holds.
    owner : mechanism. origin : file and row.
    prevalence, silent : of a ``sparse`` distribution, which only :mod:`immunescape.model.specificity` makes: share of
        patients in whom it is active, and its mean in the others relative to the mean over all, which is `value`.
    """

    name: str
    value: float
    unit: str
    _: KW_ONLY
    factor: float = 1.0
    dimension: Dimension = DIMENSIONLESS
    distribution: str = ""
    spread: float | None = None
    lower: float | None = None
    upper: float | None = None
    sources: tuple[str, ...] = ()
    grade: str = "defined"
    note: str = ""
    owner: str = ""
    origin: str = ""
    prevalence: float | None = None
    silent: float | None = None

    @property
    def basis(self) -> str:
        """What the value rests on: its grade, and where it is assumed what gave the direction.

        A source of an assumed value did not give the number, or the grade would be another.
        """
        if self.grade != "assumed" or not self.sources:
            return self.grade
        return f"assumed, direction from {'; '.join(self.sources)}"

    @property
    def across_patients(self) -> str:
        """Distribution across patients with its spread and bounds, as a phrase; empty where patients do not differ."""
        if not self.distribution:
            return ""
        parts = [self.distribution]
        if self.prevalence is not None and self.silent is not None:
            parts += [
                f"active in {100 * self.prevalence:.3g} % of patients",
                f"{self.silent:.3g} of the mean in the others",
            ]
        if self.spread is not None:
            what = "SD" if self.distribution == "normal" else "SD of ln"
            parts.append(f"{what} {self.spread:.3g}")
        if self.lower is not None or self.upper is not None:
            ends = ("" if end is None else f"{end:.4g}" for end in (self.lower, self.upper))
            parts.append(" to ".join(end or "…" for end in ends))
        return ", ".join(parts)

    @property
    def base(self) -> float:
        """Value in base units, as the model and its SBML hold it."""
        return self.to_base(self.value)

    @overload
    def to_base(self, values: float) -> float: ...
    @overload
    def to_base(self, values: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def to_base(self, values: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
        """Convert values from the unit of the table to base units."""
        return values * self.factor

    @overload
    def from_base(self, values: float) -> float: ...
    @overload
    def from_base(self, values: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def from_base(self, values: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
        """Convert values from base units to the unit of the table."""
        return values / self.factor


def table_path(table: str | Path) -> Path:
    """Return the file of a table.

    An absolute path is that file. ``<drug>.csv`` of a drug of the package is ``parameters.csv`` in the drug's folder;
    any other name, of a mechanism, is a file in ``model/parameters/``.
    """
    path = Path(table)
    if path.is_absolute():
        return path
    of_drug = DRUG_FOLDER / path.stem / "parameters.csv"
    return of_drug if of_drug.is_file() else FOLDER / path


@lru_cache(maxsize=512)
def _cached(path: Path, owner: str, changed: int) -> tuple[Parameter, ...]:
    lines = lines_of_cells(path.read_text(encoding="utf-8"))
    _, header = next(lines, (0, None))
    if header is None:
        raise ModelError("the table is empty", where=str(path), hint=f"Its first line is: {','.join(COLUMNS)}")
    _check_header(header, path)
    parameters: dict[str, Parameter] = {}
    for number, cells in lines:
        where = f"{path}, row {number}"
        if not any(cells):
            continue
        if len(cells) > len(header):
            raise ModelError(
                f"{len(cells)} cells, but the header has {len(header)}",
                where=where,
                hint='A cell that contains a comma needs quotes: "a, b".',
            )
        parameter = _read(dict(zip(header, cells, strict=False)), owner, where)
        if parameter.name in parameters:
            raise ModelError(
                f"'{parameter.name}' occurs twice; first in {parameters[parameter.name].origin}", where=where
            )
        parameters[parameter.name] = parameter
    return tuple(parameters.values())


def load_parameters(table: str | Path, owner: str) -> dict[str, Parameter]:
    """Read a parameter table.

    Parameters
    ----------
    table
        Name of the table or an absolute path, as `table_path` takes it.
    owner
        Mechanism that the table belongs to.

    Returns
    -------
    dict
        Name -> parameter, in the order of the file.

    Raises
    ------
    ModelError
        Naming file and row: a row without unit, source or grade; a number that is none; an unknown column, grade,
        distribution or unit; a distribution without what it needs; a value outside its bounds; a name that stands
        twice.
    """
    path = table_path(table)
    if not path.is_file():
        raise ModelError(f"mechanism '{owner}' has no parameter table", where=str(path))
    return {p.name: p for p in _cached(path, owner, path.stat().st_mtime_ns)}


def _check_header(header: list[str], path: Path) -> None:
    for column in header:
        if column not in COLUMNS:
            raise unknown_word("column", column, COLUMNS, where=f"{path}, row 1", error=ModelError)
    missing = [c for c in COLUMNS if c not in header]
    if missing:
        raise ModelError(f"column(s) missing: {', '.join(missing)}", where=f"{path}, row 1")


def _read(row: dict[str, str], owner: str, where: str) -> Parameter:
    name = row.get("name", "")
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise ModelError(
            f"'{name}' is not a valid name for a parameter",
            where=where,
            hint="Use letters, digits and _, beginning with a letter.",
        )
    where = f"{where} ('{name}')"
    for column in ("value", "unit", "source", "grade"):
        if not row.get(column):
            hint = "A plain number has the unit 'dimensionless'." if column == "unit" else None
            hint = "Write 'assumed' with grade 'assumed' where there is none." if column == "source" else hint
            raise ModelError(f"no {column}", where=where, hint=hint)
    grade, distribution = row["grade"], row.get("distribution", "")
    if grade not in GRADES:
        raise unknown_word("grade", grade, GRADES, where=where, error=ModelError)
    if distribution and distribution not in DISTRIBUTIONS:
        raise unknown_word("distribution", distribution, DISTRIBUTIONS, where=where, error=ModelError)
    words = [s.strip() for s in row["source"].split(";") if s.strip()]
    sources = tuple(w for w in words if w != "assumed")
    if grade != "assumed" and (not sources or len(sources) < len(words)):
        raise ModelError(f"grade '{grade}' needs a source that is not 'assumed'", where=where)
    value = _number(row, "value", where)
    assert value is not None
    unit = parse_unit(row["unit"], where)
    parameter = Parameter(
        name,
        value,
        row["unit"],
        factor=unit.factor,
        dimension=unit.dimension,
        distribution=distribution,
        spread=_number(row, "spread", where),
        lower=_number(row, "lower", where),
        upper=_number(row, "upper", where),
        sources=sources,
        grade=grade,
        note=row.get("note", ""),
        owner=owner,
        origin=where,
    )
    _check_distribution(parameter)
    return parameter


def _number(row: dict[str, str], column: str, where: str) -> float | None:
    text = row.get(column, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ModelError(f"{column} '{text}' is not a number", where=where)
    return value


def _check_distribution(p: Parameter) -> None:
    def refuse(message: str) -> None:
        raise ModelError(message, where=p.origin)

    if p.distribution in ("lognormal", "normal") and not (p.spread is not None and p.spread > 0):
        refuse(f"a {p.distribution} distribution needs a spread above 0")
    if p.distribution in ("uniform", "loguniform") and (p.lower is None or p.upper is None):
        refuse(f"a {p.distribution} distribution needs lower and upper bounds")
    if not p.distribution and p.spread is not None:
        refuse("a spread without a distribution")
    if p.distribution in ("lognormal", "loguniform") and p.value <= 0:
        refuse(f"a {p.distribution} distribution needs a value above 0")
    if p.distribution == "loguniform" and p.lower is not None and p.lower <= 0:
        refuse("a loguniform distribution needs a lower bound above 0")
    if p.lower is not None and p.upper is not None and p.lower >= p.upper:
        refuse(f"lower {p.lower:g} is not below upper {p.upper:g}")
    if (p.lower is not None and p.value < p.lower) or (p.upper is not None and p.value > p.upper):
        refuse(f"the value {p.value:g} lies outside its bounds")
