"""Results of readers from other packages: checked, finished like those of the included readers, failures reported.

The included readers call `finish` themselves, and an error in them ends in a traceback, which is tested for with
damaged files. A reader of a plug-in returns plain rows; an error in it is reported with the package responsible.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from immunescape.errors import PluginError, nearest
from immunescape.profile.readers._finish import finish
from immunescape.profile.readers._partial import Partial
from immunescape.profile.study import COLUMNS

__all__ = ["completed"]


def completed(name: str, gives: tuple[str, ...], package: str, out: object, path: Path) -> Partial:
    """Check what a reader of another package returned, and finish its tables: columns, types, terms, units.

    Parameters
    ----------
    name, gives
        Of the reader.
    package
        That it comes from.
    out
        What it returned.
    path
        The file.

    Raises
    ------
    PluginError
        If that is no `Partial`, or holds a table that the reader does not declare.
    InputError
        For rows that no study can hold, with file and row (the index of the table, where it is set to the line).
    """
    where = f"{path.name}, format '{name}' of the package '{package}'"
    if not isinstance(out, Partial):
        raise PluginError(
            f"the reader returns {type(out).__name__}, not Partial",
            where=where,
            hint="Return immunescape.profile.readers.Partial(tables={kind: rows}).",
        )
    for kind, table in out.tables.items():
        if kind not in gives:
            close = nearest(kind, gives)
            raise PluginError(
                f"the reader gives '{kind}', which it does not declare",
                where=where,
                hint=f"Did you mean '{close[0]}'?" if close else f"It declares: {', '.join(gives)}.",
            )
        if not isinstance(table, pd.DataFrame):
            raise PluginError(f"the table '{kind}' is {type(table).__name__}, not a pandas DataFrame", where=where)
        if kind in COLUMNS:
            out.tables[kind] = finish(kind, table, path.name, out.problems, build=out.genome_build)
    return out
