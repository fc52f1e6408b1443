"""Association of each biomarker with response, durable benefit, PFS and OS, with the false discovery rate over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunescape.errors import unknown_word
from immunescape.profile.cohort.outcomes import ENDPOINTS
from immunescape.stats.cox import hazard_ratio_of
from immunescape.stats.discrimination import auc, benjamini_hochberg, logistic
from immunescape.stats.estimate import Estimate
from immunescape.stats.exact import fisher

__all__ = ["associate", "contrasts", "same_comparison"]

_COLUMNS = """biomarker level endpoint kind n n_missing n_positive n_events measure estimate low high p q test primary
note""".split()

Array = NDArray[np.float64]


def contrasts(values: pd.Series) -> Iterator[tuple[str, str, pd.Series]]:
    """Yield what is compared of a biomarker: (level, kind, numbers with NaN where missing).

    A number is compared per standard deviation; a truth value as yes against no; a word as each level against the
    others (two levels: the later one by name only).

    Parameters
    ----------
    values
        Values of one biomarker over patients; None or NaN where not assessable.
    """
    given = values[values.notna()]
    if not len(given):
        return
    if all(isinstance(v, (bool, np.bool_)) for v in given):
        yield "True", "binary", values.map(lambda v: np.nan if pd.isna(v) else float(v)).astype(float)
    elif all(isinstance(v, str) for v in given):
        levels = sorted(set(given))
        for level in levels[1:] if len(levels) == 2 else levels:
            yield level, "binary", values.map(lambda v, x=level: np.nan if pd.isna(v) else float(v == x)).astype(float)
    else:
        yield "", "number", pd.to_numeric(values, errors="coerce").astype(float)


def same_comparison(x: Array) -> bytes:
    """Key of a comparison between patients: the same for the same patients, whichever of two groups has the name.

    Parameters
    ----------
    x
        (n,) numbers of the patients, NaN where missing.
    """
    given = x[~np.isnan(x)]
    if len(given) and set(given) <= {0.0, 1.0} and given[0] == 1.0:
        x = 1.0 - x
    return np.asarray(x + 0.0).tobytes()  # + 0.0: -0 becomes 0


def _two_groups(x: Array, labels: Array, kind: str, minimum: int) -> list[tuple[str, Estimate, bool]]:
    both = ~(np.isnan(x) | np.isnan(labels))
    values, truth = x[both], labels[both] > 0
    few = min(int(truth.sum()), int((~truth).sum()))
    if kind == "binary":
        few = min(few, int(values.sum()), int(len(values) - values.sum()))
    measure = "odds ratio" if kind == "binary" else "AUC"
    if few < minimum:
        why = f"{few} in the smallest group; {minimum} are needed"
        return [(measure, Estimate(None, test="not tested", note=why), True)]
    if kind == "binary":
        return [("odds ratio", fisher(values > 0, truth), True)]
    spread = values.std(ddof=1) or 1.0
    return [("AUC", auc(values, truth), True), ("odds ratio per SD", logistic(values / spread, truth), False)]


def _survival(x: Array, time: Array, event: Array, kind: str, minimum: int) -> tuple[str, Estimate]:
    both = ~(np.isnan(x) | np.isnan(time) | np.isnan(event))
    values = x[both]
    measure = "hazard ratio" if kind == "binary" else "hazard ratio per SD"
    few = int(event[both].sum())
    if kind == "binary":
        few = min(few, int(values.sum()), int(len(values) - values.sum()))
    if few < minimum:
        why = f"{few} events or patients in the smallest group; {minimum} are needed"
        return measure, Estimate(None, test="not tested", note=why)
    spread = 1.0 if kind == "binary" else (values.std(ddof=1) or 1.0)
    return measure, hazard_ratio_of(time[both], event[both], values / spread)


@dataclass(frozen=True, eq=False)
class _Contrast:
    """What is compared of a biomarker: level, kind, and (n,) numbers of the patients."""

    biomarker: str
    level: str
    kind: str
    x: Array

    @property
    def title(self) -> str:
        """Biomarker, with the level where there are several."""
        return self.biomarker if self.level in ("", "True") else f"{self.biomarker} = {self.level}"


@dataclass(frozen=True, eq=False)
class _Outcome:
    """An endpoint: (n,) labels or events, times of PFS and OS (else None), and whether each patient has it."""

    endpoint: str
    label: Array
    time: Array | None
    followed: NDArray[np.bool_]

    @classmethod
    def of(cls, outcomes: pd.DataFrame, endpoint: str) -> _Outcome:
        """Take an endpoint from the table of outcomes."""
        timed = endpoint in ("pfs", "os")
        label: Array = outcomes[f"{endpoint}_event" if timed else endpoint].to_numpy(dtype=np.float64)
        time: Array | None = outcomes[f"{endpoint}_months"].to_numpy(dtype=np.float64) if timed else None
        followed = ~np.isnan(label) if time is None else ~(np.isnan(label) | np.isnan(time))
        return cls(endpoint, label, time, followed)


def _tested_as(twin: str, outcome: _Outcome, contrast: _Contrast) -> tuple[str, Estimate, bool]:
    """A comparison of the same patients as another, which is tested there."""
    per = "" if contrast.kind == "binary" else " per SD"
    measure = f"{'odds' if outcome.time is None else 'hazard'} ratio{per}"
    return measure, Estimate(None, test="not tested", note=f"the same patients as {twin}: tested there"), True


def _row(contrast: _Contrast, outcome: _Outcome, measure: str, estimate: Estimate, primary: bool) -> dict[str, object]:
    """A row of the table of associations; its q comes later."""
    x, followed = contrast.x, outcome.followed
    both = followed & ~np.isnan(x)
    value, low, high, p = estimate.numbers()
    return {
        "biomarker": contrast.biomarker,
        "level": contrast.level,
        "endpoint": outcome.endpoint,
        "kind": contrast.kind,
        "n": int(both.sum()),
        "n_missing": int((followed & np.isnan(x)).sum()),
        "n_positive": int(x[both].sum()) if contrast.kind == "binary" else pd.NA,
        "n_events": int(outcome.label[both].sum()),
        "measure": measure,
        "estimate": value,
        "low": low,
        "high": high,
        "p": p,
        "test": estimate.test,
        "primary": primary,
        "note": estimate.note,
    }


def associate(
    values: pd.DataFrame, outcomes: pd.DataFrame, endpoints: Iterable[str] = ENDPOINTS, minimum: int = 5
) -> pd.DataFrame:
    """Test each biomarker against each endpoint.

    Parameters
    ----------
    values
        Patients x biomarkers, as `values_frame` makes it.
    outcomes
        Patients x outcomes, as `outcomes` makes it; joined on the index.
    endpoints
        Any of ``response``, ``benefit``, ``pfs``, ``os``.
    minimum
        Smallest group (binary endpoints and biomarkers) or number of events that is tested.

    Returns
    -------
    pandas.DataFrame
        One row for each comparison: estimate (odds ratio, AUC or hazard ratio) with interval, p, and ``q``, the false
        discovery rate over all primary tests of that endpoint; what was not tested says why. A comparison of the same
        patients under a second name (``stk11_status = wild_type`` and the inactivation of STK11) is tested once: the
        later row names the first. ``n_missing`` counts patients with the outcome but without the biomarker.

    Raises
    ------
    InputError
        For an unknown endpoint.
    """
    rows: list[dict[str, object]] = []
    joined = outcomes.reindex(values.index)
    compared = [
        _Contrast(name, level, kind, x.to_numpy())
        for name in values.columns
        for level, kind, x in contrasts(values[name])
    ]
    for endpoint in endpoints:
        if endpoint not in ENDPOINTS:
            raise unknown_word("endpoint", endpoint, ENDPOINTS)
        outcome = _Outcome.of(joined, endpoint)
        if not outcome.followed.any():
            continue
        first: dict[bytes, str] = {}
        for contrast in compared:
            x = contrast.x
            twin = first.setdefault(same_comparison(np.where(outcome.followed, x, np.nan)), contrast.title)
            if twin != contrast.title:
                tested = [_tested_as(twin, outcome, contrast)]
            elif outcome.time is not None:
                tested = [(*_survival(x, outcome.time, outcome.label, contrast.kind, minimum), True)]
            else:
                tested = _two_groups(x, outcome.label, contrast.kind, minimum)
            rows += [_row(contrast, outcome, *result) for result in tested]
    table = pd.DataFrame(rows, columns=_COLUMNS)
    table["q"] = table["q"].astype(float)
    for _, tests in table[table["primary"].astype(bool)].groupby("endpoint"):
        table.loc[tests.index, "q"] = benjamini_hochberg(tests["p"].to_numpy(dtype=float))
    return table
