"""Which of the fitted terms are needed: terms are left at no change one by one, those that matter least first.

    python scripts/needed_terms.py

From the released fit (``population_fit.json``) and its posterior (``population_draws.csv``), whose logarithm is taken
as quadratic. A line gives the term, and by how much twice the negative logarithm of the posterior density at its best
rises where this term and all above it are at no change (0, or a ratio of 1). Nothing is simulated.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunescape.evaluation.fit_terms import RATIOS
from immunescape.knowledge.yaml_tables import DATA

FloatArray = NDArray[np.float64]


def elimination(best: FloatArray, covariance: FloatArray, names: Sequence[str]) -> list[tuple[str, float]]:
    """Names in the order in which they are left out, with the rise of the quadratic form by then."""
    out: list[tuple[str, float]] = []
    gone: list[int] = []
    left = list(range(len(names)))
    while left:
        rises = [_rise(best, covariance, [*gone, k]) for k in left]
        least = int(np.argmin(rises))
        gone.append(left.pop(least))
        out.append((names[gone[-1]], rises[least]))
    return out


def _rise(best: FloatArray, covariance: FloatArray, which: list[int]) -> float:
    """Squared distance (Mahalanobis) of some coordinates from no change, in their marginal distribution."""
    x = best[which]
    return float(x @ np.linalg.solve(covariance[np.ix_(which, which)], x))


def released() -> tuple[FloatArray, FloatArray, list[str]]:
    """Coordinates of the released fit, their posterior covariance, and the names of the terms."""
    record = json.loads((DATA / "population_fit.json").read_text(encoding="utf-8"))
    draws = pd.read_csv(DATA / "population_draws.csv")
    names = list(draws.columns)
    values = {f"{t['name']}:{t['term']}": float(t["value"]) for t in record["terms"]}
    ratio = np.array([name.rpartition(":")[2] in RATIOS for name in names])
    x = np.array([values[name] for name in names])
    table = draws.to_numpy(dtype=float)
    table[:, ratio] = np.log(table[:, ratio])
    return np.where(ratio, np.log(np.where(ratio, x, 1.0)), x), np.cov(table.T), names


def main() -> None:
    """Print the terms, those that matter least first."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    best, covariance, names = released()
    for number, (name, rise) in enumerate(elimination(best, covariance, names), start=1):
        print(f"{len(names) - number:2d} left without {name:28s} {rise:6.1f}")


if __name__ == "__main__":
    main()
