"""Long runs of daily doses as one zero-order input, so that years of tablets cost no more than a few infusions.

A run of at least `SHORTEST` equal doses, evenly spaced by a day or less, of a drug that is absorbed (oral or
subcutaneous), enters its depot at a constant rate: the same amount over the same time, so that every time integral of
the concentration and its mean at steady state are exact. What is lost is the swing between doses. For an effect that
saturates, ``C / (C + EC50)``, the mean effect is then too high, most where the half-life is short and EC50 near the
mean concentration: for one compartment, absorption at 1/hour and one dose a day, by at most 0.02 (of 1) at a half-life
of 12 hours, 0.10 at 5 hours and 0.34 at 2 hours; with two doses a day by 0.004, 0.02 and 0.11.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from immunescape.trial.dosing import DoseRecord

__all__ = ["SHORTEST", "lumped"]

SHORTEST = 5
"""Doses in a row from which on they are lumped."""
_ABSORBED = ("oral", "sc")
_GAP = 0.05
"""Days before the next dose would be due at which the input ends, so that it does not reach past a scan of that day."""


def lumped(
    records: Iterable[DoseRecord], route: Callable[[DoseRecord], str | None]
) -> Iterator[tuple[DoseRecord, int, float]]:
    """Doses, with runs of daily ones joined.

    Parameters
    ----------
    records
        Doses in time order.
    route
        Route of a dose.

    Yields
    ------
    record, count, days : the first dose of a run, how many it stands for, and over how long they are given (0: as the
    record says). Runs come in the order of their first dose.
    """
    rows = list(records)
    runs: list[list[DoseRecord]] = []
    latest: dict[tuple[str, int, int], list[DoseRecord]] = {}
    for record in rows:
        key = (record.drug, record.phase, record.rule)
        run = latest.get(key)
        if run is not None and route(record) in _ABSORBED and _continues(run, record):
            run.append(record)
            continue
        latest[key] = [record]
        runs.append(latest[key])
    for run in runs:
        if len(run) >= SHORTEST:
            spacing = (run[-1].time_days - run[0].time_days) / (len(run) - 1)
            yield run[0], len(run), len(run) * spacing - min(_GAP, spacing / 10)
        else:
            for record in run:
                yield record, 1, 0.0


def _continues(run: list[DoseRecord], record: DoseRecord) -> bool:
    last = run[-1]
    gap = record.time_days - last.time_days
    even = len(run) == 1 or abs(gap - (last.time_days - run[-2].time_days)) < 1e-6
    same = (record.amount, record.unit, record.route, record.duration_hours) == (
        last.amount,
        last.unit,
        last.route,
        last.duration_hours,
    )
    return same and even and 0 < gap <= 1 + 1e-6
