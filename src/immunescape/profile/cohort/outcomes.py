"""Outcomes of a study's patients: response, durable benefit, progression-free and overall survival."""

from __future__ import annotations

import numpy as np
import pandas as pd

from immunescape.profile.study import Study

__all__ = ["ENDPOINTS", "outcomes", "responder"]

ENDPOINTS = ("response", "benefit", "pfs", "os")
"""Endpoints that associations are tested for; each needs the columns that `outcomes` makes."""

_RESPONSE = {"cr": True, "pr": True, "sd": False, "pd": False, "complete response": True, "partial response": True}
_RESPONSE |= {"stable disease": False, "progressive disease": False, "responder": True, "non-responder": False}
_YES = {"yes": True, "no": False, "dcb": True, "ndb": False, "true": True, "false": False, "1": True, "0": False}


def responder(response: object) -> bool | None:
    """Return whether a best response is CR or PR; None where it is not evaluable or missing."""
    return _RESPONSE.get(response.strip().casefold()) if isinstance(response, str) else None


def _responses(patients: pd.DataFrame) -> list[bool | None]:
    """Response of each patient: of the best response, else of a further column ``response`` (yes, no, responder, …)."""
    responses = [responder(w) for w in patients["best_response"]]
    column = next((c for c in patients.columns if str(c).casefold() in ("response", "responder")), None)
    if column is None:
        return responses
    meanings = _RESPONSE | _YES
    flags = [meanings.get(w.strip().casefold()) if isinstance(w, str) else None for w in patients[column]]
    missing = patients["best_response"].isna().tolist()
    return [f if m else r for r, f, m in zip(responses, flags, missing, strict=True)]


def outcomes(study: Study) -> pd.DataFrame:
    """Return one row for each patient: response, benefit (True, False, None), pfs and os with their events, arm.

    Parameters
    ----------
    study
        What the readers made of a folder. Response is CR or PR as best response; where none is given, a kept column
        ``response`` (yes or no) counts.

    Returns
    -------
    pandas.DataFrame
        Index patient; ``response``, ``benefit`` (object), ``pfs_months``, ``pfs_event``, ``os_months``, ``os_event``
        (float, NaN where missing), ``arm`` (text or None).
    """
    p = study.patients.set_index("patient")
    benefit = [_YES.get(w.strip().casefold()) if isinstance(w, str) else None for w in p["durable_benefit"]]
    frame = pd.DataFrame(
        {
            "response": pd.Series(_responses(p), index=p.index, dtype=object),
            "benefit": pd.Series(benefit, index=p.index, dtype=object),
            "pfs_months": p["pfs_months"].astype(float),
            "pfs_event": p["pfs_event"].astype(float),
            "os_months": p["os_months"].astype(float),
            "os_event": p["os_event"].astype(float),
            "arm": p["arm"],
        }
    )
    for name in ("pfs", "os"):
        bad = ~(frame[f"{name}_months"] >= 0) | ~np.isin(frame[f"{name}_event"], (0.0, 1.0))
        frame.loc[bad, [f"{name}_months", f"{name}_event"]] = np.nan
    return frame
