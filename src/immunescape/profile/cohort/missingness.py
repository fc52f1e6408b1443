"""What is missing, whether those without a value fare differently, and how many patients have two values together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from immunescape.stats.cox import cox
from immunescape.stats.exact import fisher

__all__ = ["missingness", "overlap"]


def missingness(values: pd.DataFrame, outcomes: pd.DataFrame, minimum: int = 5) -> pd.DataFrame:
    """Return for each biomarker how many patients have a value and whether the others fare differently.

    Parameters
    ----------
    values
        Patients x biomarkers, missing where not assessable.
    outcomes
        As `outcomes` makes it.
    minimum
        Smallest number with and without a value that is compared.

    Returns
    -------
    pandas.DataFrame
        ``biomarker``, ``measured``, ``missing``, ``share``; response with and without a value and Fisher's p; hazard
        ratio of death of those without a value and its p (NaN where not compared).
    """
    joined = outcomes.reindex(values.index)
    response = joined["response"]
    rows = []
    for name in values.columns:
        has = values[name].notna()
        row: dict[str, object] = {
            "biomarker": name,
            "measured": int(has.sum()),
            "missing": int((~has).sum()),
            "share": float(has.mean()) if len(has) else float("nan"),
        }
        rates = {"with": has & response.notna(), "without": ~has & response.notna()}
        for reason, who in rates.items():
            row[f"response_{reason}"] = float(response[who].astype(bool).mean()) if who.any() else np.nan
        assessed = response.notna()
        enough = min(int(w.sum()) for w in rates.values()) >= minimum
        row["response_p"] = fisher(has[assessed], response[assessed].astype(bool)).numbers()[3] if enough else np.nan
        row["os_hr_without"], row["os_p"] = np.nan, np.nan
        if min(int(has.sum()), int((~has).sum())) >= minimum:
            fit = cox(joined["os_months"], joined["os_event"], {"missing": (~has).astype(float)})
            row["os_hr_without"], _, _, row["os_p"] = fit.estimate("missing").numbers()
        rows.append(row)
    return pd.DataFrame(rows)


def overlap(values: pd.DataFrame) -> pd.DataFrame:
    """Return how many patients have both of two biomarkers: biomarkers x biomarkers, the diagonal counts each alone."""
    has = values.notna().to_numpy(dtype=int)
    return pd.DataFrame(has.T @ has, index=values.columns, columns=values.columns)
