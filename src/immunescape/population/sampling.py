"""Uniform numbers for virtual patients: patient `i` depends only on (seed, stream, i, name of the dimension).

Two constructions fill the unit cube evenly, and both can be extended without changing earlier points:

``sobol``
    The Sobol sequence, each dimension scrambled by Owen's nested uniform scramble (hash-based, Burley 2020) with a key
    made from the seed, the stream and the name of the dimension. Within each block of 256 points the order is shuffled,
    keyed by seed, stream and block: else patient `i` of two streams would share bits of every number.
``latin``
    Consecutive blocks of 256 patients, each a Latin hypercube: every dimension is stratified into 256 cells, visited in
    an order and with a jitter keyed by seed, stream, block and name.

Sobol points couple their dimensions: with 80 dimensions and 512 points the largest correlation between two dimensions
is 0.27, where independent numbers give 0.16 (30 dimensions: 0.13 and 0.14). A Latin hypercube couples nothing, and a
dimension keeps its numbers when others are added. So covariates (few, in a fixed order) take Sobol points and model
parameters (many, depending on the mechanisms) take the Latin hypercube; that is method ``auto``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import unknown_word
from immunescape.population.sobol import BITS, sobol_integers

__all__ = ["BLOCK", "Method", "check_method", "patient_generator", "uniforms", "uniforms_of"]

Method = Literal["auto", "sobol", "latin", "random"]
BLOCK = 256
"""Patients in one Latin hypercube."""


def check_method(method: str) -> str:
    """Return `method`, or raise InputError with the nearest valid word."""
    if method not in get_args(Method):
        raise unknown_word("sampling method", method, get_args(Method))
    return method


def _digest(*labels: object) -> bytes:
    return hashlib.sha256("\x1f".join(str(p) for p in labels).encode()).digest()


def _key(*labels: object) -> int:
    return int.from_bytes(_digest(*labels)[:16], "little")


def patient_generator(seed: int, stream: int, index: int, purpose: str) -> np.random.Generator:
    """Random generator of one patient for one purpose, independent of every other patient and purpose."""
    return np.random.Generator(np.random.Philox(_Keyed(_digest(seed, stream, index, purpose))))  # type: ignore[arg-type]


class _Keyed(np.random.bit_generator.ISeedSequence):
    """A seed that is the generator's key, ``Philox(key=...)`` at a fifth of its cost: that gathers entropy first."""

    def __init__(self, digest: bytes) -> None:
        self._state = np.frombuffer(digest[:16], dtype="<u8")

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[Any]:
        """Return the key, which is all that Philox asks for: two words of 64 bits."""
        if (n_words, np.dtype(dtype)) != (2, np.dtype(np.uint64)):
            raise ValueError("a key has two words of 64 bits")
        return self._state


def _reverse_bits(x: NDArray[np.uint32]) -> NDArray[np.uint32]:
    x = ((x >> np.uint32(1)) & np.uint32(0x55555555)) | ((x & np.uint32(0x55555555)) << np.uint32(1))
    x = ((x >> np.uint32(2)) & np.uint32(0x33333333)) | ((x & np.uint32(0x33333333)) << np.uint32(2))
    x = ((x >> np.uint32(4)) & np.uint32(0x0F0F0F0F)) | ((x & np.uint32(0x0F0F0F0F)) << np.uint32(4))
    return x.byteswap()


def _owen(x: NDArray[np.uint32], key: int) -> NDArray[np.uint32]:
    """Nested uniform scramble of 32-bit fractions by the Laine-Karras hash on reversed bits (burley2020)."""
    y = _reverse_bits(x) + np.uint32(key & 0xFFFFFFFF)
    for multiplier in (0x6C50B47C, 0xB82F1E52, 0xC7AFE638, 0x8D22F6E6):
        y = y ^ (y * np.uint32(multiplier))
    return _reverse_bits(y)


def _sobol(names: Sequence[str], start: int, stop: int, seed: int, stream: int, skip: int) -> NDArray[np.float64]:
    first, last = start // BLOCK, -(-stop // BLOCK)
    raw = sobol_integers(first * BLOCK, (last - first) * BLOCK, skip, len(names))
    for b in range(first, last):
        order = np.random.Generator(np.random.Philox(key=_key(seed, stream, "sobol order", b))).permutation(BLOCK)
        rows = slice((b - first) * BLOCK, (b - first + 1) * BLOCK)
        raw[rows] = raw[rows][order]
    points = raw[start - first * BLOCK : stop - first * BLOCK] << np.uint32(32 - BITS)
    out = np.empty(points.shape)
    for j, name in enumerate(names):
        out[:, j] = (_owen(points[:, j].copy(), _key(seed, stream, "sobol", name)) + 0.5) / 2.0**32
    return out


class _Rekeyed:
    """One generator that is given key after key: the numbers of new ones, at a tenth of the cost of making them."""

    def __init__(self) -> None:
        self._bits = np.random.Philox(key=0)
        self._fresh = self._bits.state
        self._generator = np.random.Generator(self._bits)

    def __call__(self, *labels: object) -> np.random.Generator:
        """Return the generator, as if just made with this key."""
        self._fresh["state"]["key"][:] = np.frombuffer(_digest(*labels)[:16], dtype="<u8")
        self._bits.state = self._fresh
        return self._generator


def _latin(names: Sequence[str], start: int, stop: int, seed: int, stream: int, skip: int) -> NDArray[np.float64]:
    first, last = start // BLOCK, -(-stop // BLOCK)
    out = np.empty((len(names), (last - first) * BLOCK))
    generator = _Rekeyed()
    for b in range(first, last):
        columns = slice((b - first) * BLOCK, (b - first + 1) * BLOCK)
        for j, name in enumerate(names):
            rng = generator(seed, stream, "latin", b, name)
            out[j, columns] = rng.permutation(BLOCK) + rng.random(BLOCK)
    return out[:, start - first * BLOCK : stop - first * BLOCK].T / BLOCK


def _random(names: Sequence[str], start: int, stop: int, seed: int, stream: int, skip: int) -> NDArray[np.float64]:
    first, last = start // BLOCK, -(-stop // BLOCK)
    out = np.empty(((last - first) * BLOCK, len(names)))
    generator = _Rekeyed()
    for b in range(first, last):
        for j, name in enumerate(names):
            out[(b - first) * BLOCK : (b - first + 1) * BLOCK, j] = generator(seed, stream, "random", b, name).random(
                BLOCK
            )
    return out[start - first * BLOCK : stop - first * BLOCK]


def uniforms(
    names: Sequence[str],
    start: int,
    n: int,
    seed: int,
    stream: int = 0,
    method: Method = "sobol",
    *,
    skip: int = 0,
) -> NDArray[np.float64]:
    """Draw numbers in (0, 1) for patients ``start .. start + n - 1``.

    Parameters
    ----------
    names
        One name for each dimension; no name twice. ``sobol`` uses them in this order, ``latin`` and ``random`` do not
        care about the order.
    start, n
        First patient and number of patients.
    seed, stream
        Patients of different streams (arms, bootstrap repeats) are independent.
    method
        ``sobol`` (also taken for ``auto``), ``latin`` or ``random``.
    skip
        Leading dimensions of the Sobol sequence to leave to another call; two calls that share dimensions give numbers
        that are not independent, whatever their names.

    Returns
    -------
    (n, len(names)) array, strictly inside (0, 1).
    """
    check_method(method)
    if len(set(names)) != len(names):
        raise ValueError("names of dimensions must differ")
    if n <= 0 or not names:
        return np.empty((max(n, 0), len(names)))
    draw = {"sobol": _sobol, "auto": _sobol, "latin": _latin, "random": _random}[method]
    tiny = 2.0**-40
    values: NDArray[np.float64] = np.clip(draw(names, start, start + n, seed, stream, skip), tiny, 1.0 - tiny)
    return values


def uniforms_of(
    names: Sequence[str],
    ids: NDArray[np.int64],
    seed: int,
    stream: int = 0,
    method: Method = "sobol",
    *,
    skip: int = 0,
) -> NDArray[np.float64]:
    """Draw numbers in (0, 1) for the patients `ids` (increasing); see `uniforms`, whose rows these are.

    Blocks of `BLOCK` patients in which nobody is wanted are not drawn.

    Returns
    -------
    (len(ids), len(names)) array.
    """
    block = ids // BLOCK
    blocks = []
    for b in np.unique(block):
        mine = ids[block == b]
        rows = uniforms(names, int(mine[0]), int(mine[-1] - mine[0]) + 1, seed, stream, method, skip=skip)
        blocks.append(rows[mine - mine[0]])
    return np.concatenate(blocks) if blocks else np.empty((0, len(names)))
