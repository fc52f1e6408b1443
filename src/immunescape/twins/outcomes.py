"""Outcomes of twins as a flat table: a row for each twin and option, with what each measurement would show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from immunescape.twins.ranking import paired_scores
from immunescape.twins.results import drawn_results
from immunescape.twins.twin import MONTH, event_days, weighted

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.twins.population import Observables
    from immunescape.twins.ranking import RankedPatient

__all__ = ["RESULT", "outcomes_of"]

RESULT = "result:"
"""Prefix of the columns of measurements."""


def outcomes_of(
    result: RankedPatient, observables: Observables | None, *, months: float = 25.0, seed: int = 1
) -> pd.DataFrame:
    """Outcomes of the twins that had every option.

    Parameters
    ----------
    result
        Ranked options of a patient.
    observables
        Observables of the whole population, for percentiles.
    months
        Follow-up: who has no event by then is censored.
    seed
        Of the errors of measurement.

    Returns
    -------
    pandas.DataFrame
        ``patient``, ``twin``, ``weight`` (adding up to 1 within an option), ``option``, ``title``, ``level``,
        ``standard``, ``score``, ``os_months``, ``os_event``, ``pfs_months``, ``pfs_event``, ``response``, and
        ``result:<biomarker>``.
    """
    import pandas as pd

    ranking = result.ranking
    options = [r.option for r in ranking.rows]
    paired = paired_scores(result.followed, [o.name for o in options], ranking.weights)
    ids = list(paired.ids)
    seen = drawn_results(result.followed.twins.table.loc[ids], observables, seed=seed)
    seen = seen.add_prefix(RESULT).reset_index(drop=True)
    parts = []
    for o in options:
        rows = weighted(result.followed, o.name)[0].set_index("id").loc[ids]
        pfs, os_ = (days / MONTH for days in event_days(rows))
        table = pd.DataFrame(
            {
                "patient": result.record.patient,
                "twin": ids,
                "weight": paired.weights,
                "option": o.name,
                "title": o.title,
                "level": o.level,
                "standard": o.name == ranking.standard,
                "score": paired.scores[o.name],
                "os_months": np.minimum(os_, months),
                "os_event": os_ <= months,
                "pfs_months": np.minimum(pfs, months),
                "pfs_event": pfs <= months,
                "response": rows["best_response"].isin(["CR", "PR"]).to_numpy(dtype=bool),
            }
        )
        parts.append(pd.concat([table, seen], axis=1))
    return pd.concat(parts, ignore_index=True)
