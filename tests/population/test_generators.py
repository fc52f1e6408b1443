"""Random generators of single patients."""

from __future__ import annotations

import numpy as np
import pytest

from immunescape.population.sampling import _digest, _Keyed, patient_generator
from immunescape.population.tables import has_level


@pytest.mark.parametrize("place", [(0, 0, 0, "growth"), (1, 2, 300, "trial:death"), (2**40, 7, 10**9, "emergence:a")])
def test_a_patients_generator_is_philox_with_the_digest_as_its_key(place):
    key = int.from_bytes(_digest(*place)[:16], "little")
    plain = np.random.Generator(np.random.Philox(key=key))
    mine = patient_generator(*place)
    for draw in ("standard_normal", "random", "standard_exponential", "random"):
        np.testing.assert_array_equal(getattr(mine, draw)(7), getattr(plain, draw)(7))
    assert mine.poisson(30.0) == plain.poisson(30.0)


def test_a_key_gives_no_other_words():
    with pytest.raises(ValueError, match="two words"):
        _Keyed(_digest("x")).generate_state(4)


@pytest.mark.parametrize(
    ("cells", "levels", "expected"),
    [
        (np.array(["a", "b", "a", "ab"], dtype=object), {"a", "x"}, [True, False, True, False]),
        (np.array(["a", "b"]), {"b"}, [False, True]),
        (np.array([True, False]), {"1"}, [True, False]),
        (np.array([True, False]), {"0", "1"}, [True, True]),
        (np.array([2, 10]), {"2"}, [True, False]),
        (np.array([1, "1", None], dtype=object), {"1"}, [True, True, False]),
        (np.array([], dtype=object), {"a"}, []),
    ],
)
def test_cells_of_a_level(cells, levels, expected):
    assert has_level(cells, levels).tolist() == expected
