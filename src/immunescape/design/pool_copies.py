"""Virtual patients that occur in a table more than once: copies are distinguished from times equal by rounding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from immunescape.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_unique"]

IDENTIFIERS = ("id", "patient", "patient_id", "patientid", "subject", "subject_id", "subjid", "usubjid")
LEAST_DISTINCT = 5
"""Smallest number of different patients with an event for a table to be a population."""
MOSTLY_DIFFERENT = 0.9
"""Share of distinct rows above which times are taken as continuous, not as rounded to a grid."""
SURE = 1e-6
"""Probability below which a number of equal rows is not considered a coincidence."""
HINT = "Each virtual patient is one row: the pool is drawn with replacement as it is."


def check_unique(table: pd.DataFrame, arms: Sequence[str], endpoints: Sequence[str]) -> None:
    """Reject patients that occur in the table more than once: their pool would appear larger than it is.

    Parameters
    ----------
    table : virtual patients, one per row. arms : arms that are used. endpoints : names of the survival endpoints.

    Notes
    -----
    A column with identifiers settles it. Without one, rows are compared in all columns; where a table has no measured
    covariate, those with an event alone, as the others share the end of follow-up. Times on a grid, such as whole
    months, agree by coincidence: then only a row that is far more frequent than those of the neighbouring times is
    taken for copies, or a table in which every row is repeated.

    Raises
    ------
    InputError
        With the arm, the number of copies and the first of them.
    """
    names = {str(c).casefold(): c for c in table.columns}
    identifier = next((names[n] for n in IDENTIFIERS if n in names), None)
    for arm in arms:
        of_arm = table[table["arm"] == arm]
        if identifier is not None:
            repeated = of_arm[identifier].duplicated() & of_arm[identifier].notna()
            if repeated.any():
                raise _copies(arm, int(repeated.sum()), of_arm.index[int(np.argmax(repeated.to_numpy()))])
            continue
        if endpoints:
            rows = of_arm
            if not _has_covariate(of_arm, endpoints):
                rows = of_arm[np.any([of_arm[f"{e}_event"] > 0.5 for e in endpoints], axis=0)]
            _check_rows(rows, arm, f"{endpoints[0]}_months")


def _has_covariate(rows: pd.DataFrame, endpoints: Sequence[str]) -> bool:
    """Whether a column that is no endpoint differs between most of the patients."""
    endpoint_columns = {"arm", *(f"{e}_{what}" for e in endpoints for what in ("months", "event"))}
    return any(rows[c].nunique() > len(rows) / 2 for c in rows.columns if c not in endpoint_columns)


def _copies(arm: str, count: int, row: Any) -> InputError:
    return InputError(f"{count} virtual patients of arm '{arm}' are in the table twice (first: row {row})", hint=HINT)


def _check_rows(rows: pd.DataFrame, arm: str, months: str) -> None:
    """Refuse copies among the patients with an event of one arm, by the times `months`."""
    same = rows.duplicated()
    if not same.any():
        return
    first = rows.index[int(np.argmax(same.to_numpy()))]
    groups = rows.groupby(list(rows.columns), sort=False, dropna=False)
    counts, times = groups.size().to_numpy(), groups[months].first().to_numpy(dtype=float)
    if len(counts) < LEAST_DISTINCT or np.gcd.reduce(counts) > 1:
        raise _copies(arm, int(same.sum()), first)
    if len(counts) >= MOSTLY_DIFFERENT * len(rows):
        # times rounded to a step fall into one cell with the probability that their density gives it: pairs are Poisson
        gaps = np.diff(np.unique(rows[months].to_numpy(dtype=float)))
        cells = np.ptp(times) / gaps.min() if len(gaps) else 1.0
        # twice the pairs of a uniform density, for one that falls
        if stats.poisson.sf(same.sum() - 1, max(len(rows) ** 2 / cells, 1.0)) < SURE:
            raise _copies(arm, int(same.sum()), first)
        if counts.max() < LEAST_DISTINCT:
            return
    order = np.argsort(times, kind="stable")
    sizes = counts[order].astype(float)
    for k in np.flatnonzero(sizes >= LEAST_DISTINCT):
        near = np.r_[sizes[max(k - 4, 0) : k], sizes[k + 1 : k + 5]]
        # three times the neighbours, so that the clusters which visits make are none
        if stats.poisson.sf(sizes[k] - 1, 3 * near.mean() + 1) < SURE:
            chosen = np.flatnonzero((rows[months] == times[order[k]]).to_numpy() & same.to_numpy())
            raise _copies(arm, int(sizes[k]) - 1, rows.index[int(chosen[0])])
