from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, qmc

from immunescape.errors import InputError
from immunescape.population.sampling import BLOCK, _owen, _Rekeyed, patient_generator, uniforms, uniforms_of
from immunescape.population.sobol import BITS, LARGEST_DIMENSION, sobol_integers

NAMES = [f"d{k}" for k in range(24)]


@settings(max_examples=25, deadline=None)
@given(
    method=st.sampled_from(["sobol", "latin", "random"]),
    start=st.integers(0, 700),
    n=st.integers(1, 300),
    seed=st.integers(0, 2**31),
)
def test_patient_depends_only_on_its_number(method, start, n, seed):
    whole = uniforms(NAMES[:4], 0, start + n, seed, 2, method)
    part = uniforms(NAMES[:4], start, n, seed, 2, method)
    np.testing.assert_array_equal(part, whole[start:])
    assert ((part > 0) & (part < 1)).all()


@pytest.mark.parametrize("method", ["latin", "random"])
def test_dimensions_keep_their_numbers_when_others_come_and_go(method):
    many = uniforms(NAMES, 10, 50, 1, method=method)
    few = uniforms([NAMES[7], NAMES[3]], 10, 50, 1, method=method)
    np.testing.assert_array_equal(few, many[:, [7, 3]])


@pytest.mark.parametrize("method", ["sobol", "latin", "random"])
def test_uniform_and_uncorrelated(method):
    u = uniforms(NAMES, 0, 4096, 7, method=method)
    for k in range(len(NAMES)):
        assert kstest(u[:, k], "uniform").pvalue > 1e-3
    correlation = np.corrcoef(u.T) - np.eye(len(NAMES))
    assert np.abs(correlation).max() < 5 / np.sqrt(4096)


def test_latin_blocks_are_stratified():
    u = uniforms(NAMES, BLOCK, BLOCK, 3, method="latin")
    cells = np.sort(np.floor(u * BLOCK).astype(int), axis=0)
    np.testing.assert_array_equal(cells, np.tile(np.arange(BLOCK)[:, None], (1, len(NAMES))))


def test_owen_scrambling_keeps_the_elementary_intervals_of_sobol():
    # scrambled by nested permutations, the first 2^m points still fall one into each of 2^m equal intervals
    for m in (8, 9, 10):
        u = uniforms(NAMES, 0, 2**m, 11, method="sobol")
        cells = np.sort(np.floor(u * 2**m).astype(int), axis=0)
        np.testing.assert_array_equal(cells, np.tile(np.arange(2**m)[:, None], (1, len(NAMES))))


def test_sobol_fills_better_than_random():
    sobol = qmc.discrepancy(uniforms(NAMES[:6], 0, 256, 1, method="sobol"))
    random = np.mean([qmc.discrepancy(uniforms(NAMES[:6], 0, 256, s, method="random")) for s in range(5)])
    assert sobol < 0.3 * random


@settings(max_examples=50, deadline=None)
@given(key=st.integers(0, 2**32 - 1), bits=st.integers(1, 10))
def test_owen_scramble_permutes_and_is_nested(key, bits):
    x = (np.arange(2**bits, dtype=np.uint64) << np.uint64(32 - bits)).astype(np.uint32)
    y = _owen(x, key)
    assert len(np.unique(y >> np.uint32(32 - bits))) == 2**bits  # one to one on the leading bits
    parents = y >> np.uint32(31)  # the first bit of the result depends only on the first bit of the argument
    assert len(set(parents[: 2 ** (bits - 1)])) == 1


def test_seeds_streams_and_patients_are_independent():
    tables = [uniforms(["a"], 0, 512, s, t, "sobol")[:, 0] for s, t in ((0, 0), (0, 1), (1, 0))]
    for i in range(3):
        for j in range(i):
            assert abs(np.corrcoef(tables[i], tables[j])[0, 1]) < 0.2
    draws = [patient_generator(1, 0, i, "x").random() for i in range(500)]
    assert kstest(draws, "uniform").pvalue > 1e-3
    assert patient_generator(1, 0, 5, "x").random() == draws[5]
    assert patient_generator(1, 0, 5, "y").random() != draws[5]


@pytest.mark.parametrize("method", ["sobol", "latin", "random"])
def test_scattered_patients_have_the_rows_of_all(method):
    ids = np.array([3, 254, 255, 256, 1030])
    everyone = uniforms(NAMES, 0, 1031, 4, 1, method)
    np.testing.assert_array_equal(uniforms_of(NAMES, ids, 4, 1, method), everyone[ids])
    assert uniforms_of(NAMES, ids[:0], 4, 1, method).shape == (0, len(NAMES))


def test_a_generator_with_a_new_key_is_a_new_generator():
    rekeyed = _Rekeyed()
    for k in range(3):
        rekeyed(9, 9, 9, "before").random(3, dtype=np.float32)  # leaves half a word behind
        same, fresh = rekeyed(1, 2, k, "x"), patient_generator(1, 2, k, "x")
        np.testing.assert_array_equal(same.permutation(BLOCK), fresh.permutation(BLOCK))
        np.testing.assert_array_equal(same.random(5), fresh.random(5))


def test_wrong_method_names_the_nearest():
    with pytest.raises(InputError, match="sobol"):
        uniforms(["a"], 0, 1, 0, method="soboll")  # type: ignore[arg-type]


@pytest.mark.parametrize(("start", "n"), [(0, 1), (0, 256), (3, 700), (65_536 - 10, 300), (5_000_000, 64)])
def test_sobol_integers_are_those_of_scipy_bit_by_bit(start, n):
    dimensions = LARGEST_DIMENSION
    oracle = qmc.Sobol(dimensions, scramble=False, bits=BITS)
    if start:
        oracle.fast_forward(start)
    points = sobol_integers(start, n, 0, dimensions)
    np.testing.assert_array_equal(points, (oracle.random(n) * 2.0**BITS).astype(np.uint32))
    np.testing.assert_array_equal(sobol_integers(start, n, 37, 5), points[:, 37:42])


def test_sobol_sequence_says_where_it_ends():
    assert len(sobol_integers(2**BITS - 1, 1, LARGEST_DIMENSION - 1, 1)) == 1
    with pytest.raises(ValueError, match="513 dimensions"):
        sobol_integers(0, 1, LARGEST_DIMENSION, 1)
    with pytest.raises(ValueError, match="points"):
        sobol_integers(2**BITS - 1, 2, 0, 1)
