"""The script that says which terms of a fit are needed, against what is known, and on the released fit."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from tests.script_modules import load_script


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("needed_terms")


def test_independent_terms_go_by_their_distance_in_standard_errors(script: ModuleType) -> None:
    best, sd = np.array([0.9, 0.1, -0.4]), np.array([0.3, 0.1, 0.4])
    found = script.elimination(best, np.diag(sd**2), ["a", "b", "c"])
    assert [name for name, _ in found[:2]] == ["b", "c"] or [name for name, _ in found[:2]] == ["c", "b"]
    assert [rise for _, rise in found] == pytest.approx([1.0, 2.0, 11.0])


def test_of_two_terms_that_do_the_same_one_is_enough(script: ModuleType) -> None:
    # only their sum is known well: either alone can be at no change, both cannot
    covariance = np.array([[1.0, -0.99], [-0.99, 1.0]])
    (_, first), (_, both) = script.elimination(np.array([0.5, 0.5]), covariance, ["a", "b"])
    assert first == pytest.approx(0.25)
    assert both == pytest.approx(1.0 / (2.0 - 1.98))


def test_the_released_fit(script: ModuleType) -> None:
    best, covariance, names = script.released()
    found = script.elimination(best, covariance, names)
    rises = [rise for _, rise in found]
    assert len(found) == len(names) == 27
    assert rises == sorted(rises)
    # docs/calibration.md: twelve terms at no change cost less than Schwarz's criterion charges for them
    assert rises[11] == pytest.approx(24.0, abs=0.5)
