"""What driver alterations do to the reference patient, and who has them."""

from __future__ import annotations

import numpy as np
import pytest
from mechanism_bench import Bench, bench

from immunescape.population.covariates import sample_covariates
from immunescape.population.linking import INDICATORS, patient_parameters

KL = {"kras_mutant": 1.0, "stk11_loss": 1.0}


@pytest.fixture(scope="module")
def reference() -> Bench:
    return bench()


def test_the_reference_patient_has_no_driver(reference: Bench) -> None:
    assert {reference.model.parameters[name].base for name in INDICATORS} == {0.0}


@pytest.mark.parametrize(
    ("output", "parameters", "rises"),
    [
        ("PDL1_T", {"kras_mutant": 1.0}, True),
        ("PDL1_T", {"stk11_loss": 1.0}, False),
        ("PDL1_T", {"egfr_mutant": 1.0}, False),
        ("CD8_density_T", {"kras_mutant": 1.0, "keap1_loss": 1.0}, False),
        ("CD8_density_T", {"stk11_loss": 1.0}, False),
        ("CD8_density_T", {"keap1_loss": 1.0}, False),
        ("CD8_density_T", {"egfr_mutant": 1.0}, False),
        ("CD8_density_T", {"alk_fusion": 1.0}, False),
        ("MDSC_density_T", {"kras_mutant": 1.0}, True),
        ("TGFb_conc_T", {"kras_mutant": 1.0}, True),
        ("Treg_density_T", {"kras_mutant": 1.0}, True),
        ("Treg_CD8_ratio", {"egfr_mutant": 1.0}, True),
    ],
)
def test_direction(reference: Bench, output: str, parameters: dict[str, float], rises: bool) -> None:
    """Koyama 2016, Skoulidis 2018, Chen 2017, Gainor 2016, Sugiyama 2020: 60 days from diagnosis."""
    moved, usual = reference.value(output, 60, parameters), reference.value(output, 60)
    assert (moved > usual) is rises, f"{moved:.4g} against {usual:.4g}"
    assert abs(moved / usual - 1) > 0.02


def test_kras_with_stk11_lost_answers_pd1_blockade_less(reference: Bench) -> None:
    """A change in volume under blockade relative to none, before hardly anything is left of the tumour."""

    def answer(parameters: dict[str, float]) -> float:
        treated = reference.value("V_T", 60, {**parameters, "exposure_pd1": 500.0})
        return treated / reference.value("V_T", 60, parameters)

    assert answer({"kras_mutant": 1.0}) < answer({})
    assert answer(KL) > answer({})
    assert answer({"egfr_mutant": 1.0}) > answer({})


def test_patients_have_the_drivers_of_their_covariates(reference: Bench) -> None:
    covariates = sample_covariates(0, 4096, seed=3)
    values = patient_parameters(reference.model.parameters, covariates, 3)
    for name in INDICATORS:
        assert set(np.unique(values[name])) <= {0.0, 1.0}
    np.testing.assert_array_equal(values["egfr_mutant"] == 1, covariates.driver == "EGFR")
    np.testing.assert_array_equal(values["squamous"] == 1, covariates.histology == "squamous")
    assert (values["kras_mutant"] >= values["kras_g12c"]).all()
    assert not (values["kras_mutant"] * values["egfr_mutant"]).any()


def test_tp53_and_met_match_the_cohort() -> None:
    """rizvi2018: TP53 in 102 of 186 adenocarcinomas, 4 of 28 with KRAS and STK11, 26 of 34 squamous; MET 4 of 240."""
    c = sample_covariates(0, 8192, seed=1)
    nonsquamous = c[c.histology == "nonsquamous"]
    assert nonsquamous.tp53.mean() == pytest.approx(102 / 186, abs=0.06)
    assert nonsquamous[nonsquamous.kras & nonsquamous.stk11].tp53.mean() == pytest.approx(4 / 28, abs=0.05)
    assert c[c.histology == "squamous"].tp53.mean() == pytest.approx(26 / 34, abs=0.04)
    assert c.met_amp.mean() == pytest.approx(4 / 240, abs=0.006)
