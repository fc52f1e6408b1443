"""Parameters that the posterior of the fit moves: what must be kept of twins to weigh them for other fits."""

from __future__ import annotations

from functools import lru_cache

from immunescape.evaluation.fit_terms import scored
from immunescape.evaluation.posterior import Posterior

__all__ = ["moved_parameters"]


@lru_cache(maxsize=1)
def moved_parameters() -> frozenset[str]:
    """Parameters and frailties that the posterior of the shipped fit moves; none where no fit ships."""
    posterior = Posterior.shipped()
    return frozenset() if posterior is None else frozenset(scored(posterior.moving)[0])
