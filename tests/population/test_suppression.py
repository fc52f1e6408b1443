"""Sparse strengths across patients: prevalence, mean, and what they go with."""

from __future__ import annotations

import numpy as np
import pytest

from immunescape.errors import InputError
from immunescape.knowledge.tables import read_rows
from immunescape.model.assembly import Model
from immunescape.model.suppression import _REVISED as REVISED
from immunescape.model.suppression import axes
from immunescape.population.covariates import sample_covariates
from immunescape.population.distributions import Distribution
from immunescape.population.linking import patient_parameters, suppression_links
from immunescape.population.reference_baseline import reference_baseline

N = 4000


@pytest.fixture(scope="module")
def drawn() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Parameters of the same patients without and with sparse strengths, and the patients."""
    people = sample_covariates(0, N, seed=5, stream=0, region="western")
    both = [
        patient_parameters(Model.build(check_units=False, specificity=word).parameters, people, seed=5)
        for word in ("none", "sparse")
    ]
    return both[0], {**both[1], "squamous": (people["histology"] == "squamous").to_numpy()}


def _active(values: np.ndarray) -> np.ndarray:
    return values > 0.5  # the silent are at a tenth of the mean, the active above it


def test_each_axis_is_active_in_the_share_of_patients_that_the_table_states(drawn) -> None:
    for axis in axes():
        name = f"activity_{axis.name}"
        if name in drawn[1]:
            assert _active(drawn[1][name]).mean() == pytest.approx(axis.prevalence, abs=0.04), name
            assert drawn[1][name].mean() == pytest.approx(1.0, abs=0.12), name


def test_most_patients_have_most_axes_nearly_silent(drawn) -> None:
    activities = np.stack([v for k, v in drawn[1].items() if k.startswith("activity_")])
    assert np.median(_active(activities).mean(axis=0)) < 0.4
    assert (activities < 0.25).mean() > 0.5


def test_what_is_not_sparse_is_drawn_as_before(drawn) -> None:
    plain, sparse = drawn
    changed = {name for axis in axes() for name in axis.parameters}
    revised = {row["name"] for row in read_rows(REVISED)}
    for name, values in plain.items():
        if name in revised - changed:
            # another median, the same patients: a constant factor, but for what the bounds cut off
            middle = (values > np.quantile(values, 0.1)) & (values < np.quantile(values, 0.9))
            assert np.ptp(np.log(sparse[name] / values)[middle]) < 0.01, name
        elif name not in changed:
            assert np.array_equal(values, sparse[name]), name


def test_axes_go_with_access_of_t_cells_and_histology_as_their_links_say(drawn) -> None:
    sparse = drawn[1]
    access = sparse["cd8_infiltration"] > np.median(sparse["cd8_infiltration"])

    def excess(name: str, group: np.ndarray) -> float:
        return float(_active(sparse[name])[group].mean() - _active(sparse[name])[~group].mean())

    assert excess("activity_stroma", access) < -0.15
    assert excess("activity_ido1", access) > 0.15
    assert excess("ligand_LAG3", access) > 0.1
    assert excess("activity_glycolysis", sparse["squamous"]) > 0.1
    assert abs(excess("activity_exosomes", access)) < 0.05


def test_links_of_axes_name_parameters_that_an_axis_makes_sparse() -> None:
    names = {f"activity_{a.name}" for a in axes()} | {p for a in axes() for p in a.parameters}
    assert set(suppression_links()) <= names


def test_a_sparse_distribution_has_its_mean_and_its_quantiles_come_back() -> None:
    one = Distribution("x", kind="sparse", value=2.0, spread=0.4, prevalence=0.3, silent=0.1)
    u = (np.arange(20_000) + 0.5) / 20_000
    x = one.ppf(u)
    assert x.mean() == pytest.approx(2.0, rel=0.01)
    assert (x > 1.0).mean() == pytest.approx(0.3, abs=0.001)
    assert (np.diff(x) >= 0).all()
    inside = (u > 0.01) & (u < 0.99) & (np.abs(u - 0.7) > 0.01)
    assert np.allclose(one.cdf(x)[inside], u[inside], atol=2e-3)


def test_a_sparse_distribution_without_its_shares_is_refused() -> None:
    with pytest.raises(InputError, match="prevalence"):
        Distribution("x", kind="sparse", value=1.0, spread=0.4)


def test_the_reference_patient_is_the_same_with_capacities_in_series() -> None:
    plain = reference_baseline(Model.build(check_units=False))
    series = reference_baseline(Model.build(check_units=False, specificity="full"))
    for name, value in series.quantities.items():
        if name.startswith("f_"):
            assert value == pytest.approx(plain.quantities[name], abs=2e-3), name
            assert value == pytest.approx(1.0, abs=5e-3), name
    for name in ("CD8_T", "Treg_T", "C_total"):
        a, b = ({**p.states, **p.quantities}[name] for p in (plain, series))
        assert b == pytest.approx(a, rel=0.02), name
