"""Graphical procedures: how alpha is split between hypotheses, and passed on when one is rejected.

Sources: graphs [bretz2009]; group-sequential looks [maurer2013].
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError, unknown_word

__all__ = ["AlphaGraph"]


@dataclass(frozen=True)
class AlphaGraph:
    """Shares of alpha and the edges along which it moves [bretz2009], [maurer2013].

    Attributes
    ----------
    weights : hypothesis -> share of alpha; together at most 1.
    transitions : hypothesis -> {hypothesis: share of its alpha that it hands on when rejected}; each at most 1 in all.
    """

    weights: Mapping[str, float]
    transitions: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.weights:
            raise InputError("a graph needs a hypothesis")
        if min(self.weights.values()) < 0:
            raise InputError("shares of alpha are at least 0")
        total = sum(self.weights.values())
        if total > 1 + 1e-9:
            raise InputError(
                f"alpha is spent twice: the shares of the hypotheses add up to {total:g}",
                hint="Shares of alpha over all hypotheses add up to at most 1.",
            )
        for start, edges in self.transitions.items():
            for name in (start, *edges):
                if name not in self.weights:
                    raise unknown_word("hypothesis", name, self.weights)
            if start in edges:
                raise InputError(f"hypothesis '{start}' passes alpha to itself")
            if sum(edges.values()) > 1 + 1e-9 or min(edges.values(), default=0) < 0:
                raise InputError(
                    f"alpha is spent twice: '{start}' passes on {sum(edges.values()):g} times its alpha",
                    hint="Shares passed on add up to at most 1.",
                )

    @property
    def names(self) -> tuple[str, ...]:
        """Hypotheses in order."""
        return tuple(self.weights)

    def after(self, rejected: frozenset[str]) -> dict[str, float]:
        """Shares of alpha of the hypotheses that are left when `rejected` have been rejected (in any order)."""
        weights = dict(self.weights)
        edges = {(i, j): float(self.transitions.get(i, {}).get(j, 0.0)) for i in weights for j in weights if i != j}
        for gone in sorted(rejected):
            left = [n for n in weights if n != gone]
            new = {n: weights[n] + weights[gone] * edges[gone, n] for n in left}
            fresh = {}
            for i, j in itertools.permutations(left, 2):
                loop = edges[i, gone] * edges[gone, i]
                top = edges[i, j] + edges[i, gone] * edges[gone, j]
                fresh[i, j] = top / (1 - loop) if loop < 1 - 1e-12 else 0.0
            weights, edges = new, fresh
        return weights

    def subsets(self) -> list[frozenset[str]]:
        """Every set of hypotheses that may have been rejected."""
        return [frozenset(c) for k in range(len(self.names)) for c in itertools.combinations(self.names, k)]

    def run(self, z: NDArray[np.float64], critical: Callable[[int, float], float], alpha: float) -> NDArray[np.bool_]:
        """Reject hypotheses, handing on alpha, at one look.

        Parameters
        ----------
        z : (R, H) cumulative Z at this look, -inf where not tested. critical : (hypothesis, its alpha) -> boundary.

        Returns
        -------
        (R, H) rejected.
        """
        return self.extend(z, np.zeros(z.shape, dtype=bool), critical, alpha)

    def extend(
        self,
        z: NDArray[np.float64],
        rejected: NDArray[np.bool_],
        critical: Callable[[int, float], float],
        alpha: float,
    ) -> NDArray[np.bool_]:
        """As :meth:`run`, from hypotheses that earlier looks rejected."""
        done = rejected.copy()
        bits = 1 << np.arange(len(self.names))
        limits = {}
        for subset in self.subsets():
            code = sum(1 << self.names.index(n) for n in subset)
            shares = self.after(subset)
            limits[code] = np.array(
                [critical(h, alpha * shares[n]) if shares.get(n, 0.0) > 0 else np.inf for h, n in enumerate(self.names)]
            )
        full = (1 << len(self.names)) - 1
        limits[full] = np.full(len(self.names), np.inf)
        for _ in self.names:
            codes = done.astype(int) @ bits
            bound = np.empty(z.shape)
            for code in np.unique(codes):
                bound[codes == code] = limits[int(code)]
            more = done | (z >= bound)
            if (more == done).all():
                break
            done = more
        return done
