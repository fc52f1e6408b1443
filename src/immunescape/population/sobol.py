"""The Sobol sequence, from the direction numbers of Joe and Kuo (joe2008, their set ``new-joe-kuo-6``).

The integers are those of :class:`scipy.stats.qmc.Sobol` without scrambling, bit by bit. They are made here because
importing :mod:`scipy.stats` takes longer than simulating a hundred virtual patients does, in every process.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from immunescape.knowledge.tables import read_rows

__all__ = ["BITS", "LARGEST_DIMENSION", "sobol_integers"]

BITS = 30
LARGEST_DIMENSION = 512
"""Dimensions in ``sobol_directions.csv``; the first, whose direction numbers are powers of two, needs no row."""


@lru_cache(maxsize=1)
def _table() -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Primitive polynomial (its coefficients as bits) and first direction integers of the dimensions from 2 on."""
    rows = read_rows(Path(__file__).parent / "sobol_directions.csv")
    return tuple((int(r["polynomial"]), tuple(map(int, r["directions"].split()))) for r in rows)


@cache
def _directions(dimension: int) -> tuple[int, ...]:
    """Direction numbers (`BITS`) of a dimension, counted from 0, as fractions of ``2**BITS``."""
    if dimension == 0:
        return tuple(1 << (BITS - 1 - j) for j in range(BITS))
    polynomial, first = _table()[dimension - 1]
    degree = polynomial.bit_length() - 1
    m = list(first)
    for j in range(degree, BITS):
        following = m[j - degree]
        for k in range(1, degree + 1):  # bit `degree - k` of the polynomial is its k-th coefficient
            if polynomial >> (degree - k) & 1:
                following ^= m[j - k] << k
        m.append(following)
    return tuple(m[j] << (BITS - 1 - j) for j in range(BITS))


def sobol_integers(start: int, n: int, first: int, dimensions: int) -> NDArray[np.uint32]:
    """Points ``start .. start + n - 1`` of the Sobol sequence in dimensions ``first .. first + dimensions - 1``.

    Parameters
    ----------
    start, n
        First point (the sequence's first is the origin) and number of points, below ``2**BITS`` together.
    first, dimensions
        First dimension, from 0, and number of dimensions; together at most `LARGEST_DIMENSION`.

    Returns
    -------
    (n, dimensions) integers; divided by ``2**BITS`` they are the points.

    Raises
    ------
    ValueError
        For more dimensions, or more points, than there are.
    """
    if first + dimensions > LARGEST_DIMENSION:
        raise ValueError(f"{first + dimensions} dimensions of the Sobol sequence; there are {LARGEST_DIMENSION}")
    if start + n > 1 << BITS:
        raise ValueError(f"{start + n} points of the Sobol sequence; there are 2^{BITS}")
    number = np.arange(start, start + n, dtype=np.uint32)
    gray = number ^ (number >> np.uint32(1))  # each point differs from the one before in one direction number
    table = np.array([_directions(d) for d in range(first, first + dimensions)], dtype=np.uint32)
    points = np.zeros((n, dimensions), dtype=np.uint32)
    for bit in range(int(start + n - 1).bit_length() if n else 0):
        chosen = (gray >> np.uint32(bit)) & np.uint32(1)
        points ^= chosen[:, None] * table[None, :, bit]
    return points
