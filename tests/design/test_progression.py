"""Progression-free survival and survival of one patient: both keep the distributions that a file gives."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from immunescape.design.cohort import Streams
from immunescape.design.loading import read_design
from immunescape.design.progression import time_to_progression
from immunescape.design.simulation import simulate
from immunescape.design.survival_model import PiecewiseExponential
from immunescape.design.truth import Endpoint, Generator
from immunescape.errors import InputError

EXPONENTIAL = (PiecewiseExponential.from_median(8), PiecewiseExponential.from_median(18))
PIECES = (PiecewiseExponential((0.12, 0.05), (6.0,)), PiecewiseExponential((0.03, 0.04), (10.0,), 0.1))


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("pair", [EXPONENTIAL, PIECES])
def test_both_marginals_are_kept(pair: tuple[PiecewiseExponential, PiecewiseExponential], correlation: float) -> None:
    pfs, survival = pair
    truth = Generator(
        ("control",),
        ("all",),
        (1.0,),
        {("control", "all", "pfs"): pfs, ("control", "all", "os"): survival},
        correlation,
    )
    streams = Streams(3, 0, 1000)
    latent = {name: streams.uniform(name, 100) for name in ("shared", "pfs", "os")}
    zero = np.zeros((1000, 100), dtype=np.int64)
    drawn = truth.draw((Endpoint("pfs"), Endpoint("os")), zero, zero, latent)
    assert np.all(drawn["pfs"].time <= drawn["os"].time)
    for month in (2.0, 5.0, 8.0, 15.0, 25.0, 40.0):
        assert float((drawn["pfs"].time > month).mean()) == pytest.approx(float(pfs.survival(month)), abs=0.006)
        assert float((drawn["os"].time > month).mean()) == pytest.approx(float(survival.survival(month)), abs=0.006)


def test_without_correlation_progression_is_what_is_left_of_the_hazard() -> None:
    found = time_to_progression(*EXPONENTIAL)
    months = np.array([3.0, 8.0, 20.0])
    expected = np.exp(-np.log(2) * (1 / 8 - 1 / 18) * months)
    np.testing.assert_allclose(np.interp(months, found.months, found.free), expected, atol=2e-4)


def test_impossible_pairs_are_refused() -> None:
    with pytest.raises(InputError, match="exceeds survival"):
        time_to_progression(PiecewiseExponential.from_median(18), PiecewiseExponential.from_median(8))
    with pytest.raises(InputError, match="falls more slowly"):
        # from month 6 to 20 the hazard of death exceeds that of progression or death
        time_to_progression(
            PiecewiseExponential((0.3, 0.02, 0.2), (6.0, 20.0)), PiecewiseExponential((0.0, 0.05, 0.2), (6.0, 20.0))
        )


def test_formula_and_simulation_agree_where_a_file_has_both_endpoints() -> None:
    """Control PFS of 8 months stays 8 beside an OS of 18; with min(PFS, OS) the effect on PFS was diluted."""
    content = {
        "name": "both",
        "title": "Both",
        "kind": "group-sequential",
        "patients": 600,
        "arms": [{"name": "new", "role": "experimental"}, {"name": "old", "role": "control"}],
        "endpoints": {"pfs": {"kind": "survival"}, "os": {"kind": "survival"}},
        "accrual": {"rates": [30]},
        "looks": [{"events": 300, "endpoint": "pfs"}, {"events": 400, "endpoint": "pfs"}],
        "hypotheses": [{"name": "PFS", "endpoint": "pfs"}],
        "scenarios": [
            {
                "name": "effect",
                "correlation": 0.5,
                "truth": [
                    {"endpoint": "pfs", "median": 8},
                    {"endpoint": "pfs", "arm": "new", "hazard_ratio": 0.75},
                    {"endpoint": "os", "median": 18},
                ],
            }
        ],
    }
    found = simulate(read_design("both.yaml", yaml.safe_dump(content)), 750, seed=2, scenarios=["effect"])
    formula = found.notes["planning"]["effect"]["cumulative_power"][-1]
    assert formula == pytest.approx(found.power().value, abs=4 * found.power().error)
    assert found.summary("effect")["looks"]["hazard_ratio"][-1].value == pytest.approx(0.75, abs=0.01)
