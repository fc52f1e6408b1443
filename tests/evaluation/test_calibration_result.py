"""The table that a calibration prints agrees with the table of the fit that it writes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from immunescape.evaluation.calibration_result import Calibration, WeightedFit
from immunescape.evaluation.fit_terms import Term, to_fit

MOVING = (
    Term("k_kill", ("k_kill",), "shift", 0.5),
    Term("k_kill", ("k_kill",), "scale", 0.25),
    Term("lesions_immunity", ("lesions.correlation_immunity",), "log_odds", 0.7),
)


def test_standard_errors_are_on_the_scale_of_the_values_as_in_the_fit() -> None:
    x, errors = np.array([1.5, math.log(0.5), -0.8]), np.array([0.1, 0.2, 0.3])
    fit = to_fit(x, MOVING, errors)
    last = WeightedFit(x=x, covariance=np.diag(errors**2), loss=0.0, targets=(), sizes={})
    table = Calibration(fit=fit, moving=MOVING, rounds=(last,), seed=1, patients=8).table()
    assert [row["se"] for row in table] == pytest.approx([0.1, 0.5 * 0.2, 0.3])
    assert [row["se"] for row in table] == pytest.approx([t.se for t in fit.terms])
    assert [row["value"] for row in table] == pytest.approx([1.5, 0.5, -0.8])
    assert table[1]["identified"] == pytest.approx(1.0 - 0.2**2 / 0.25**2)
