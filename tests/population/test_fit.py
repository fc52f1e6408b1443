"""The population fit: moves scores as it says, changes nothing where it says nothing, refuses nonsense."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from immunescape.errors import InputError
from immunescape.model.assembly import Model
from immunescape.population.covariates import sample_covariates
from immunescape.population.distributions import Distribution
from immunescape.population.fit import COLUMNS, FitTerm, PopulationFit
from immunescape.population.linking import patient_parameters, varying_parameters
from immunescape.population.scores import standard_score
from immunescape.trial.simulate import FRAILTIES


def term(parameter: str, name: str, value: float) -> FitTerm:
    return FitTerm(parameter, name, value, 0.1, "assumed", "fitted")


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.build(drugs=["pembrolizumab"], check_units=False)


def test_a_shift_moves_the_median_by_standard_deviations_and_nothing_else(model: Model) -> None:
    covariates = sample_covariates(0, 512, seed=3, stream=0)
    before = patient_parameters(model.parameters, covariates, 3, fit=PopulationFit())
    fit = PopulationFit((term("k_turnover", "shift", 0.5), term("k_turnover", "scale", 0.8)))
    after = patient_parameters(model.parameters, covariates, 3, fit=fit)
    assert [k for k in before if not np.array_equal(before[k], after[k])] == ["k_turnover"]
    spread = Distribution.from_row(model.parameters["k_turnover"]).spread
    assert spread is not None
    moved = np.log(after["k_turnover"])
    inside = (after["k_turnover"] > 0.0011) & (after["k_turnover"] < 0.049)
    expected = np.log(0.01) + spread * 0.5 + 0.8 * (np.log(before["k_turnover"]) - np.log(0.01))
    assert np.abs(moved - expected)[inside].max() < 0.02  # truncated far out in the tails


def test_a_covariate_weight_moves_patients_by_their_standardised_score(model: Model) -> None:
    covariates = sample_covariates(0, 512, seed=3, stream=0)
    weight = PopulationFit((term("k_turnover", "rank:pdl1_tps", 0.4),))
    z = np.zeros(512)
    assert np.allclose(weight.move("k_turnover", z, covariates), 0.4 * standard_score("rank:pdl1_tps", covariates))
    assert abs(standard_score("rank:pdl1_tps", covariates).mean()) < 0.1


def test_it_survives_its_file(tmp_path: Path) -> None:
    fit = PopulationFit((term("k_kill", "shift", -0.25), term("k_kill", "scale", 1.25)))
    path = tmp_path / "fit.csv"
    path.write_text(fit.to_csv())
    assert PopulationFit.read(path) == fit


def test_the_fit_that_ships_names_parameters_that_vary() -> None:
    from immunescape.model.registry import drugs

    whole = Model.build(drugs=sorted(drugs()), check_units=False)
    PopulationFit.shipped().check([*varying_parameters(whole.parameters), *FRAILTIES])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("k_kill,shift,much,0,standard deviation,assumed,fitted,", "line 2"),
        ("k_kill,scale,-1,0,dimensionless,assumed,fitted,", "-1.0 is not a valid scale"),
        ("k_kill,shift,0,0,standard deviation,,fitted,", "no source"),
        ("k_kill,shift,0,0,sd,assumed,fitted,\nk_kill,shift,1,0,sd,assumed,fitted,", "twice"),
    ],
)
def test_nonsense_is_refused_with_its_place(tmp_path: Path, rows: str, words: str) -> None:
    path = tmp_path / "fit.csv"
    path.write_text(",".join(COLUMNS) + "\n" + rows + "\n")
    with pytest.raises(InputError, match=words):
        PopulationFit.read(path)


def test_an_unknown_parameter_gets_the_nearest_name() -> None:
    with pytest.raises(InputError, match="k_kill"):
        PopulationFit((term("k_kil", "shift", 1.0),)).check(["k_kill", "k_growth"])


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InputError, match="nowhere"):
        PopulationFit.read("nowhere.csv")
