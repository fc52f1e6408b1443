"""Twins under other fits that the calibration leaves possible: factors of their weights, nothing simulated again.

A twin with parameters x was weighted for the population of the shipped fit f0. In the population of another fit f its
weight is multiplied by p(x | f) / p(x | f0); what was measured in the patient is the same under both. The fits are
draws from the posterior of the calibration (:mod:`immunescape.evaluation.posterior`). One patient's measurements say
next to nothing on a population, so draws of the fit are not weighted by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.evaluation.fit_terms import scored
from immunescape.evaluation.posterior import Posterior
from immunescape.evaluation.weighting import Sample
from immunescape.population.fit import PopulationFit
from immunescape.twins.twin import Followed

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["fit_factors", "truncated"]

FloatArray = NDArray[np.float64]


def fit_factors(followed: Followed, draws: int, seed: int, fits: Sequence[PopulationFit] | None = None) -> FloatArray:
    """Factors (draws, n) of the weights of twins, in the order of ``followed.twins.table``, mean 1 in each draw.

    Parameters
    ----------
    followed
        Twins and their courses; a twin that reached no arm gets the factor 1.
    draws, seed
        How many fits are drawn, and the seed of that.
    fits
        In place of draws from the posterior of the shipped fit.

    Returns
    -------
    (0, n) where no fit ships.
    """
    import pandas as pd

    posterior = Posterior.shipped()
    table = followed.twins.table
    if posterior is None or "id" not in followed.courses.patients:
        return np.ones((0, len(table)))
    fits = posterior.draws(draws, seed) if fits is None else fits
    members, scores = scored(posterior.moving)
    out = np.ones((len(fits), len(table)))
    rows = followed.courses.patients.drop_duplicates("id").set_index("id")
    extra = [c for c in rows.columns if str(c).startswith(("p:", "frailty_", "lesion_draws")) and c not in table]
    here = table.index.intersection(rows.index)
    if len(here):
        whole = pd.concat([table.loc[here], rows.loc[here, extra]], axis=1)
        whole["id"] = here.to_numpy()
        sample = Sample.of_scores(
            _complete(whole),
            members,
            scores,
            PopulationFit.shipped(),
            drugs=followed.courses.drugs,
            specificity=followed.courses.specificity,
            seed=followed.twins.seed,
        )
        places = table.index.get_indexer(here)
        for k, fit in enumerate(fits):
            out[k, places] = np.exp(sample.log_density(fit) - sample.drawn)
    return np.stack([truncated(row, followed.weights) for row in out]) if len(out) else out


def truncated(factors: FloatArray, weights: FloatArray) -> FloatArray:
    """Factors (n,) with mean 1 under `weights`, none above the root of the effective twins (``ionides2008``).

    A few twins far out in the tail of a fit would otherwise carry the whole draw; cutting them biases it towards the
    shipped fit, by less than it takes off the noise.
    """
    w = weights / weights.sum()
    ess = 1.0 / float((w**2).sum())
    cut = factors
    for _ in range(50):  # the mean changes with what is cut off
        limit = float(np.sqrt(ess)) * float(w @ cut)
        if not (cut > limit * (1.0 + 1e-6)).any():
            break
        cut = np.minimum(cut, limit)
    return np.asarray(cut / float(w @ cut))


def _complete(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows without parameter columns that are missing in some of them (drugs that their model did not have)."""
    lacking = [c for c in rows.columns if str(c).startswith("p:") and rows[c].isna().any()]
    return rows.drop(columns=lacking)
