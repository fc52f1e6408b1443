"""Radiation is aimed: targets in regimen text, defaults by stage, shares of the cancer cells."""

from __future__ import annotations

import numpy as np
import pytest

from immunescape.errors import InputError
from immunescape.trial.coefficients import coefficients
from immunescape.trial.field import all_lesions, field_share, in_field, radiation_rule, target_of
from immunescape.trial.grammar import parse_regimen
from immunescape.trial.loading import load_trial
from immunescape.trial.runner import run_trial

NUMBERS = {name: c.value for name, c in coefficients("trial_conduct").items()}
VOLUMES = np.array([8.0, 4.0, 2.0, 1.0, 1.0])


def shares(target: str, stage: str = "IV", brain: bool = True, n: int = 4000) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.array([field_share(target, VOLUMES, stage, brain, NUMBERS, rng) for _ in range(n)])


@pytest.mark.parametrize("target", ["thorax", "all lesions", "brain", "one lesion"])
def test_a_regimen_names_its_target_and_reads_back(target):
    regimen = parse_regimen(f"radiotherapy 60 Gy in 30 fractions to {target} + carboplatin AUC 2 weekly for 6 cycles")
    assert radiation_rule(regimen).target == target
    again = parse_regimen("radiotherapy 2 Gy x 30 on weekdays " + f"to {target}")
    assert again.rules[0].target == target
    assert f"to {target}" in str(regimen)


@pytest.mark.parametrize(
    ("text", "stage", "target"),
    [
        ("radiotherapy 60 Gy in 30 fractions", "III", "thorax"),
        ("radiotherapy 18 Gy x 3", "III", "thorax"),
        ("radiotherapy 8 Gy x 3 every other day", "IV", "one lesion"),
        ("radiotherapy 30 Gy in 10 fractions", "IV", "thorax"),
        ("radiotherapy 8 Gy x 3 to all lesions", "IV", "all lesions"),
    ],
)
def test_the_default_target_follows_the_stage_and_the_size_of_fractions(text, stage, target):
    assert target_of(radiation_rule(parse_regimen(text)), stage, NUMBERS) == target


def test_stage_three_is_irradiated_whole_and_stage_four_in_part():
    assert (shares("thorax", "III") == 1).all()
    assert (shares("all lesions") == 1).all()
    thorax = shares("thorax")
    # the largest lesion holds half of the cells; of the rest the thoracic ones
    assert thorax.min() == pytest.approx(0.5)
    assert thorax.mean() == pytest.approx(0.5 + 0.5 * NUMBERS["thoracic_lesion"], abs=0.01)


def test_one_lesion_holds_the_mean_part_of_a_lesion_and_the_brain_only_what_is_there():
    assert shares("one lesion").mean() == pytest.approx(1 / 5, abs=0.01)
    assert set(np.round(shares("one lesion"), 4)) == {0.5, 0.25, 0.125, 0.0625}
    assert (shares("brain", brain=False) == 0).all()
    assert (shares("brain") == NUMBERS["brain_burden"]).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("radiotherapy 8 Gy x 3 to liver", ("target of radiation", "thorax")),
        ("pembrolizumab 200 mg every 3 weeks to thorax", ("pembrolizumab has no target", "Only radiation")),
        ("radiotherapy 8 Gy x 3 to brain + radiotherapy 60 Gy in 30 fractions to thorax", ("two targets",)),
        ("carboplatin AUC 5-6 every 3 weeks", ("'AUC 5-6' is a range", "'AUC 5'", "choice")),
        ("carboplatin AUC 5 to 6 every 3 weeks", ("'AUC 5-6' is a range",)),
        ("docetaxel 60-75 mg/m2 every 3 weeks", ("'60-75' is a range",)),
        ("carboplatin AUC 5/6 every 3 weeks", ("'AUC 5-6' is a range", "'AUC 6'", "choice")),
        ("carboplatin AUC 5 or 6 every 3 weeks", ("'AUC 5-6' is a range", "choice")),
        ("docetaxel 75 mg/m2 every 3-4 weeks", ("'3-4' is a range of intervals", "choice")),
        ("docetaxel 75 mg/m2 every 3 or 4 weeks", ("'3-4' is a range of intervals",)),
        ("docetaxel 75 mg/m2 every 3 weeks for 4 or 6 cycles", ("'4-6' is a range of cycles", "choice")),
        ("docetaxel 75 mg/m2 every three weeks", ("'three' is a number", "digits: '3'")),
        ("docetaxel 75 mg/m2 every 3 weeks for four cycles", ("a number is expected", "digits: '4'")),
        ("pembrolizumab 200 mg every 3 weeks at week 16", ("from day 106", "from day 113", "once from day")),
        ("pembrolizumab 200 mg once at day 29", ("from day 29",)),
        ("sugemalimab 1200 mg every 3 weeks", ("a PD-L1 antibody", "durvalumab", "stand-in")),
        ("serplulimab 300 mg every 3 weeks", ("a PD-1 antibody", "tislelizumab")),
        ("inventivimab 300 mg every 3 weeks", ("an antibody", "same target")),
    ],
)
def test_what_cannot_be_read_is_answered_with_what_to_write(text, words):
    with pytest.raises(InputError) as caught:
        parse_regimen(text)
    for word in words:
        assert word in str(caught.value)


def test_every_stand_in_that_is_advised_exists():
    import csv
    from importlib.resources import files

    from immunescape.model.registry import drugs

    path = files("immunescape.knowledge") / "data" / "absent_drugs.csv"
    rows = list(csv.DictReader(path.open("r", encoding="utf-8")))
    assert {row["nearest"] for row in rows} <= set(drugs())
    assert not {row["name"] for row in rows} & set(drugs())


TRIAL = """
name: aimed
title: Radiation of one lesion or of all
population: {stage: IV, line: 1, ecog: [0, 1]}
arms:
  - {name: all, role: experimental, n: 16, regimen: radiotherapy 60 Gy in 30 fractions to all lesions}
  - {name: one, role: control, n: 16, regimen: radiotherapy 60 Gy in 30 fractions to one lesion}
visits: every 6 weeks
follow_up_months: 6
endpoints: {primary: [orr]}
"""


def test_the_same_dose_to_one_lesion_shrinks_less_than_to_all(tmp_path):
    path = tmp_path / "aimed.yaml"
    path.write_text(TRIAL)
    result = run_trial(load_trial(path), patients=16, seed=1, workers=1, paired=True)
    rows = result.patients
    change = rows.pivot(index="id", columns="arm", values="best_change_pct").astype(float)
    several = rows[rows["arm"] == "one"].set_index("id")["target_lesions"] > 1
    change = change.dropna()
    apart, alone = change[several.loc[change.index]], change[~several.loc[change.index]]
    assert len(apart) > 3
    assert (apart["all"] < apart["one"] - 5).mean() > 0.7
    assert (alone["all"] <= alone["one"] + 1e-9).all()  # whoever has one lesion has all of them in the field


def test_lesions_that_are_no_targets_are_counted_but_small():
    volumes = all_lesions([40.0, 20.0], 4, NUMBERS)
    assert np.cbrt(volumes) == pytest.approx([40, 20, 15, 15])
    assert np.cbrt(all_lesions([12.0], 2, NUMBERS)) == pytest.approx([12, 12])
    assert len(all_lesions([40.0, 20.0], 1, NUMBERS)) == 2


def test_lesions_that_are_followed_apart_are_in_the_field_or_not():
    def lesions(target: str, stage: str = "IV", brain: bool = True) -> np.ndarray:
        rng = np.random.default_rng(2)
        return np.array([in_field(target, 3, stage, brain, NUMBERS, rng) for _ in range(3000)])

    one = lesions("one lesion")
    assert (one.sum(axis=1) == 1).all()
    assert one.mean(axis=0) == pytest.approx([1 / 3, 1 / 3, 1 / 3], abs=0.03)
    assert (lesions("all lesions") == 1).all()
    assert (lesions("thorax", "III") == 1).all()
    thorax = lesions("thorax").mean(axis=0)
    assert thorax == pytest.approx([1, NUMBERS["thoracic_lesion"], NUMBERS["thoracic_lesion"]], abs=0.03)
    assert (lesions("brain", brain=False) == 0).all()
