"""Criteria on candidates, shares of the enrolled, choices."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from immunescape.errors import InputError
from immunescape.trial.covariates import COVARIATES, Criterion
from immunescape.trial.eligibility import assign_choices, enrolment_weights, screen
from immunescape.trial.grammar import parse_regimen
from immunescape.trial.loading import load_trial, read_trial, trial_template
from immunescape.trial.regimen import Regimen
from immunescape.trial.spec import Choice, Enrolment


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n = 4000
    histology = np.where(rng.random(n) < 0.3, "squamous", "nonsquamous")
    driver = np.where((histology == "nonsquamous") & (rng.random(n) < 0.2), "EGFR", "none")
    return pd.DataFrame(
        {
            "stage": np.where(rng.random(n) < 0.1, "III", "IV"),
            "histology": histology,
            "driver": driver,
            "ecog": rng.integers(0, 3, n),
            "pdl1_tps": rng.choice([0.0, 1.0, 30.0, 49.0, 49.5, 50.0, 90.0], n),
            "age": rng.uniform(40, 85, n),
            "brain_mets": rng.random(n) < 0.1,
        }
    )


def spec(*criteria: Criterion, **mix: tuple[tuple[Criterion, float], ...]) -> Enrolment:
    return Enrolment(criteria, (1, 1), mix=mix)


def test_keynote_024_enrols_whom_it_should(table: pd.DataFrame) -> None:
    result = screen(load_trial("keynote-024").population, table)
    expected = (
        (table.stage == "IV") & table.ecog.isin([0, 1]) & ~table.driver.isin(["EGFR", "ALK"]) & (table.pdl1_tps >= 50)
    )
    np.testing.assert_array_equal(result.eligible, expected)
    assert result.n == len(table)
    assert result.remaining[-1] == expected.sum()
    assert result.met[0] == (table.stage == "IV").sum()
    assert list(result.remaining) == sorted(result.remaining, reverse=True)
    assert result.table()[0] == {"criterion": "stage IV", "met": result.met[0], "remaining": result.remaining[0]}


def test_bounds_are_included_and_missing_values_do_not_meet() -> None:
    frame = pd.DataFrame({"age": [18.0, 75.0, 75.1, math.nan], "smoking": ["never", None, "former", "current"]})
    assert Criterion("age", low=18, high=75).met(frame).tolist() == [True, True, False, False]
    assert Criterion("smoking", ("never", "former")).met(frame).tolist() == [True, False, True, False]


def test_yes_and_no(table: pd.DataFrame) -> None:
    np.testing.assert_array_equal(Criterion("brain_mets", (False,)).met(table), ~table.brain_mets)


def test_impossible_criteria_are_named(table: pd.DataFrame) -> None:
    """Squamous tumours with EGFR do not occur in this table; each criterion alone is met by many."""
    impossible = spec(
        Criterion("age", low=50),
        Criterion("histology", ("squamous",)),
        Criterion("driver", ("EGFR",)),
        Criterion("stage", ("IV",)),
    )
    with pytest.raises(InputError) as caught:
        screen(impossible, table, where="t.yaml")
    text = str(caught.value)
    assert text.startswith("t.yaml: none of 4000 candidates meets these criteria together: 'histology squamous' (")
    assert "'driver EGFR' (" in text
    assert "age" not in text
    assert "stage" not in text


def test_a_criterion_that_nobody_meets(table: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="none of 4000 candidates meets 'age >= 90 year' \\(0\\)"):
        screen(spec(Criterion("age", low=90), Criterion("stage", ("IV",))), table)


def test_three_criteria_that_only_together_exclude(table: pd.DataFrame) -> None:
    frame = pd.DataFrame({"age": [50, 70, 70], "ecog": [1, 0, 1], "stage": ["IV", "IV", "III"]})
    with pytest.raises(InputError, match="'age >= 60 year' \\(2\\), 'ecog 1' \\(2\\), 'stage IV' \\(2\\)"):
        screen(spec(Criterion("age", low=60), Criterion("ecog", (1,)), Criterion("stage", ("IV",))), frame)


def test_a_missing_column(table: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="the table of patients lacks nlr"):
        screen(spec(Criterion("nlr", high=5)), table)


def test_weights_give_the_published_shares(table: pd.DataFrame) -> None:
    mix = {
        "histology": ((Criterion("histology", ("squamous",)), 0.18),),
        "ecog": ((Criterion("ecog", (0,)), 0.35), (Criterion("ecog", (1,)), 0.65)),
    }
    population = spec(Criterion("ecog", (0, 1)), **mix)
    inside = table[screen(population, table).eligible]
    weights = enrolment_weights(population, inside)
    assert weights.mean() == pytest.approx(1)
    assert weights[inside.histology == "squamous"].sum() / weights.sum() == pytest.approx(0.18, abs=1e-5)
    assert weights[inside.ecog == 0].sum() / weights.sum() == pytest.approx(0.35, abs=1e-5)
    assert np.all(enrolment_weights(spec(), inside) == 1)


def test_levels_of_pdl1_touch_without_overlap(table: pd.DataFrame) -> None:
    population = read_trial("template.yaml", trial_template()).population
    inside = table[(table.pdl1_tps >= 1)]
    weights = enrolment_weights(population, inside)
    assert weights[inside.pdl1_tps >= 50].sum() / weights.sum() == pytest.approx(0.43, abs=1e-5)
    assert weights[inside.pdl1_tps == 49.5].sum() > 0


def test_shares_that_nobody_can_fill(table: pd.DataFrame) -> None:
    population = spec(histology=((Criterion("histology", ("squamous",)), 0.5),))
    with pytest.raises(InputError, match="no candidate with histology squamous"):
        enrolment_weights(population, table[table.histology == "nonsquamous"])
    shares = ((Criterion("histology", ("squamous",)), 0.5), (Criterion("histology", ("nonsquamous",)), 0.3))
    with pytest.raises(InputError, match="the shares of 'histology' leave 20 % to no level"):
        enrolment_weights(spec(histology=shares), table)


def test_choices_follow_condition_and_weight(table: pd.DataFrame) -> None:
    trial = load_trial("keynote-024")
    choices = trial.arms[-1].choices
    chosen = assign_choices(choices, table, np.random.default_rng(2).random(len(table)))
    drugs = np.array([" + ".join(choices[k].regimen.drugs) for k in chosen])
    squamous = (table.histology == "squamous").to_numpy()
    assert not np.char.find(drugs[squamous], "pemetrexed").max() >= 0
    share = np.mean(drugs[~squamous] == "carboplatin + pemetrexed")
    assert share == pytest.approx(67 / 124, abs=0.03)
    share = np.mean(drugs[squamous] == "carboplatin + paclitaxel")
    assert share == pytest.approx(17 / 48, abs=0.05)


def test_a_patient_keeps_the_choice_whoever_else_is_there(table: pd.DataFrame) -> None:
    choices = load_trial("keynote-024").arms[-1].choices
    u = np.random.default_rng(3).random(len(table))
    whole = assign_choices(choices, table, u)
    np.testing.assert_array_equal(whole[100:200], assign_choices(choices, table.iloc[100:200], u[100:200]))


def test_extreme_draws_stay_within_what_applies(table: pd.DataFrame) -> None:
    regimen = parse_regimen("placebo", [])
    squamous, nobody = Criterion("histology", ("squamous",)), Criterion("age", low=200)
    choices = [Choice(regimen, 1, (squamous,)), Choice(regimen, 3), Choice(regimen, 1, (nobody,))]
    frame = table.head(2).assign(histology=["squamous", "nonsquamous"])
    assert assign_choices(choices, frame, np.array([0.0, 0.0])).tolist() == [0, 1]
    assert assign_choices(choices, frame, np.array([1.0, 1.0])).tolist() == [1, 1]


def test_a_patient_without_a_regimen(table: pd.DataFrame) -> None:
    choices = [Choice(Regimen(), 1, (Criterion("age", low=200),))]
    with pytest.raises(InputError, match="no regimen applies to 4000 patients"):
        assign_choices(choices, table, np.zeros(len(table)))


def test_covariates_are_those_of_the_population() -> None:
    from immunescape.population.covariates import COLUMNS, LEVELS

    assert set(COVARIATES) == set(COLUMNS) - {"region"}
    for name, levels in LEVELS.items():
        if name != "region":
            assert set(COVARIATES[name].values) == set(levels), name


def test_texts_of_criteria() -> None:
    assert str(Criterion("age", low=18)) == "age >= 18 year"
    assert str(Criterion("nlr", high=5)) == "nlr <= 5"
    assert str(Criterion("brain_mets", (False,))) == "brain_mets no"
    assert str(Criterion("ecog", (0, 1))) == "ecog 0 or 1"


@pytest.mark.parametrize(
    ("criterion", "words"),
    [
        (Criterion("age", low=18), "age at least 18 years"),
        (Criterion("pdl1_tps", low=50, high=100), "PD-L1 tumour proportion score 50 to 100 %"),
        (Criterion("nlr", high=5), "ratio of neutrophils to lymphocytes at most 5"),
        (Criterion("brain_mets", (False,)), "brain metastases no"),
        (Criterion("histology", ("nonsquamous",)), "histology non-squamous"),
        (Criterion("ecog", (0, 1)), "ECOG performance status 0 or 1"),
    ],
)
def test_a_criterion_is_said_in_words(criterion: Criterion, words: str) -> None:
    assert criterion.words == words
