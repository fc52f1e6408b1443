"""Event times of published Kaplan-Meier curves, from a CSV file beside the trial file."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from immunescape.errors import InputError, unknown_word

__all__ = ["EventTimes", "read_curves"]

EventTimes = tuple[tuple[float, bool], ...]
"""(months, whether it is an event: else censored), in time order."""

COLUMNS = ("time", "event", "arm")


def read_curves(path: Path, arms: Sequence[str]) -> dict[str, EventTimes]:
    """Read event times by arm.

    Parameters
    ----------
    path
        CSV file with the columns ``time`` (months since randomisation), ``event`` (1, or 0 for censored), ``arm``.
    arms
        Names of the arms that may occur.

    Raises
    ------
    InputError
        Naming the row: a missing column, a time that is negative or no number, an event other than 0 or 1, an unknown
        arm; a file without rows.
    """
    times_of: dict[str, list[tuple[float, bool]]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise InputError(
                    f"the column '{missing[0]}' is missing", where=str(path), hint="Columns: time (months), event, arm."
                )
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                try:
                    time = float(row["time"] or "")
                except ValueError:
                    time = math.nan
                if not (math.isfinite(time) and time >= 0):
                    raise InputError(f"'{row['time']}' is not a time in months", where=where)
                if (row["event"] or "").strip() not in ("0", "1", "0.0", "1.0"):
                    raise InputError(f"'{row['event']}' is not an event", where=where, hint="1: event, 0: censored.")
                if row["arm"] not in arms:
                    raise unknown_word("arm", str(row["arm"]), arms, where=where)
                times_of.setdefault(row["arm"], []).append((time, float(row["event"]) == 1.0))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from error
    if not times_of:
        raise InputError("the file contains no event times", where=str(path))
    return {arm: tuple(sorted(rows)) for arm, rows in times_of.items()}
