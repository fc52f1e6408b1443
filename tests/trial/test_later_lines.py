"""What follows progression where a trial file does not say: by line, region, year and what was had before."""

from __future__ import annotations

import csv
from importlib.resources import files

import pytest

from immunescape.trial.later_lines import enrolment_year
from immunescape.trial.loading import load_trial
from immunescape.trial.spec import Trial

TEXT = """
name: mine
title: A trial
year: {year}
{extra}
population: {{stage: {stage}, line: {line}, ecog: [0, 1]{region}}}
{prior}
arms:
  - name: experimental
    role: experimental
    n: 100
    regimen: {experimental}
  - name: control
    role: control
    n: 100
    regimen: carboplatin AUC 5 + pemetrexed 500 mg/m2 every 3 weeks for 4 cycles
    {control}
visits: every 6 weeks
follow_up_months: 36
endpoints: {{primary: [os]}}
"""
DOUBLET = "carboplatin AUC 5 + paclitaxel 200 mg/m2 every 3 weeks for 4 cycles"
PRIOR = f"prior: [{{regimen: {DOUBLET}, outcome: progressed, months: 24}}]"


def load(
    tmp_path,
    *,
    year=2018,
    extra="",
    stage="IV",
    line=1,
    region="",
    prior="",
    experimental="durvalumab 1500 mg every 4 weeks",
    control="",
) -> Trial:
    path = tmp_path / "mine.yaml"
    path.write_text(
        TEXT.format(
            year=year,
            extra=extra,
            stage=stage,
            line=line,
            region=region,
            prior=prior,
            experimental=experimental,
            control=control,
        )
    )
    return load_trial(path)


def later(trial: Trial, arm: int) -> list[tuple[str, float, str]]:
    return [(s.choices[0].regimen.drugs[0], s.fraction, s.of) for s in trial.arms[arm].subsequent]


def test_chemotherapy_is_followed_by_the_trials_own_inhibitor_once_there_are_inhibitors(tmp_path):
    trial = load(tmp_path)
    assert later(trial, 1) == [("durvalumab", 0.5, "progressed"), ("docetaxel", 0.15, "progressed")]
    assert str(trial.arms[1].subsequent[0].choices[0].regimen) == "durvalumab 1500 mg every 4 weeks"
    assert later(load(tmp_path, year=2010), 1) == [("docetaxel", 0.5, "progressed")]


def test_an_inhibitor_is_followed_by_a_platinum_doublet_of_the_patients_histology(tmp_path):
    (given,) = load(tmp_path).arms[0].subsequent
    assert [c.regimen.drugs for c in given.choices] == [("carboplatin", "pemetrexed"), ("carboplatin", "paclitaxel")]
    assert [c.when[0].allowed for c in given.choices] == [("nonsquamous",), ("squamous",)]


def test_an_inhibitor_with_chemotherapy_is_followed_by_docetaxel_more_often_in_east_asia(tmp_path):
    both = "durvalumab 1500 mg every 4 weeks + carboplatin AUC 5 every 3 weeks for 4 cycles"
    assert later(load(tmp_path, experimental=both), 0) == [("docetaxel", 0.45, "progressed")]
    asian = load(tmp_path, experimental=both, region=", region: east_asian")
    assert later(asian, 0) == [("docetaxel", 0.55, "progressed")]


def test_later_trials_follow_what_was_had_before_them(tmp_path):
    trial = load(tmp_path, line=2, prior=PRIOR)
    assert later(trial, 0) == [("docetaxel", 0.45, "progressed")]
    assert later(trial, 1) == [("durvalumab", 0.2, "progressed"), ("gemcitabine", 0.25, "progressed")]


def test_what_a_file_says_of_a_kind_of_treatment_replaces_the_default_of_that_kind(tmp_path):
    stated = "subsequent: [{regimen: nivolumab 240 mg every 2 weeks, fraction: 0.3, of: randomised}]"
    assert later(load(tmp_path, control=stated), 1) == [
        ("nivolumab", 0.3, "randomised"),
        ("docetaxel", 0.15, "progressed"),
    ]
    crossing = "crossover: {to: durvalumab 1500 mg every 4 weeks, fraction: 0.6, of: randomised}"
    assert later(load(tmp_path, control=crossing), 1) == [("docetaxel", 0.15, "progressed")]
    docetaxel = "subsequent: [{regimen: docetaxel 75 mg/m2 every 3 weeks, fraction: 0.3}]"
    assert later(load(tmp_path, control=docetaxel), 1) == [
        ("docetaxel", 0.3, "progressed"),
        ("durvalumab", 0.5, "progressed"),
    ]


def test_a_file_can_ask_for_nothing_in_an_arm_or_in_all(tmp_path):
    assert later(load(tmp_path, control="subsequent: []"), 1) == []
    trial = load(tmp_path, extra="later_lines: as written")
    assert later(trial, 0) == later(trial, 1) == []


def test_stage_three_has_no_default(tmp_path):
    trial = load(tmp_path, stage="III")
    assert later(trial, 0) == later(trial, 1) == []


@pytest.mark.parametrize(
    ("year", "texts", "expected"),
    [
        (2001, ["reck2016"], 2001),
        (None, ["reck2016", "Reck 2019 JCO 37:537"], 2012),
        (None, [], 2017),
        (None, ["NCT02142738"], 2017),
    ],
)
def test_the_year_is_the_written_one_or_lies_before_the_earliest_publication(year, texts, expected):
    assert enrolment_year(year, texts) == expected


def test_every_row_of_the_default_has_its_source_and_a_share():
    path = files("immunescape.knowledge") / "data" / "later_lines.csv"
    rows = list(csv.DictReader(path.open("r", encoding="utf-8")))
    assert all(0 < float(r["fraction"]) < 1 and r["source"] and r["grade"] == "assumed" and r["note"] for r in rows)
    for key in {(r["line"], r["region"], r["had"]) for r in rows}:
        mine = [r for r in rows if (r["line"], r["region"], r["had"]) == key]
        for year in (2005, 2020):
            assert sum(float(r["fraction"]) for r in mine if int(r["first_year"]) <= year <= int(r["last_year"])) <= 1
