"""Figures of a patient hold what the course holds, with a text alternative and a table each."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest

from immunescape.app.choices import PatientChoice
from immunescape.app.patient_figures import course_cards, further_outputs, outcome_rows, patient_rows
from immunescape.app.patient_run import Simulator
from immunescape.patients import PatientCourses
from immunescape.units import DAYS_PER_MONTH

REGIMENS = ("pembrolizumab 200 mg every 3 weeks", "none")


@cache
def courses() -> PatientCourses:
    return Simulator().run(PatientChoice(seed=7, regimens=REGIMENS, months=9))


pytestmark = pytest.mark.slow  # compiles the model with the drug where no other test has


def test_cards_are_json_with_words_and_a_table() -> None:
    cards = course_cards(courses(), ["kill_rate"])
    assert [c.key for c in cards][:3] == ["tumour", "drugs", "PD1_occupancy_T"]
    assert {"CD8_density_T", "ctDNA_conc", "kill_rate"} <= {c.key for c in cards}
    for card in cards:
        text = json.dumps(card.to_json(), allow_nan=False)
        assert len(text) < 60_000
        assert len(card.alternative) > 40
        assert card.rows
        assert card.layout["xaxis"]["title"]["text"]
        assert card.layout["yaxis"]["title"]["text"]


def test_lines_and_table_show_the_values_of_the_course() -> None:
    card = next(c for c in course_cards(courses()) if c.key == "ctDNA_conc")
    for k, course in enumerate(courses()):
        values = course.table["ctDNA_conc"]
        months = np.array(card.data[k]["x"])
        expected = np.interp(months * DAYS_PER_MONTH, values.index, values)
        np.testing.assert_allclose(card.data[k]["y"], expected, rtol=2e-3)
        assert card.data[k]["x"][-1] == pytest.approx(values.index[-1] / DAYS_PER_MONTH, rel=1e-3)
        assert card.rows[0]["AB"[k]] == f"{values.iloc[0]:.3g}"


def test_every_scan_is_marked_once_and_two_courses_differ_in_more_than_colour() -> None:
    card = course_cards(courses())[0]
    marks = [t for t in card.data if t["mode"] == "markers" and t["marker"]["symbol"] != "cross"]
    assert sum(len(t["x"]) for t in marks) == sum(len(c.scans) for c in courses())
    lines = [t["line"] for t in card.data if t["mode"] == "lines"]
    assert lines[0]["color"] != lines[1]["color"]
    assert lines[0]["dash"] != lines[1]["dash"]


def test_outcome_and_patient_are_those_of_the_course() -> None:
    assert [r["Regimen"][:2] for r in outcome_rows(courses())] == ["A:", "B:"]
    assert outcome_rows(courses())[0]["What happens"] == " ".join(courses()[0].sentences())
    assert {"age", "PD-L1 TPS"} <= {r["Covariate"] for r in patient_rows(courses())}
    assert "kill_rate" in further_outputs(courses())
    assert "ctDNA_conc" not in further_outputs(courses())


def test_densities_are_not_drawn_in_a_tumour_that_is_too_small_to_measure() -> None:
    choice = PatientChoice(
        seed=7, covariates={"pdl1_tps": 60}, factors={"k_kill": 4.0}, regimens=REGIMENS[:1], months=9
    )
    gone = Simulator().run(choice)
    small = gone[0].table["diameter_T"].to_numpy() < 0.5
    assert small.any(), "the tumour of this patient vanishes"
    cards = {c.key: c for c in course_cards(gone)}
    for name, unmasked in (("CD8_density_T", False), ("Treg_CD8_ratio", False), ("ctDNA_conc", True)):
        drawn = [v is not None for v in cards[name].data[0]["y"]]
        assert all(drawn) == unmasked
        assert bool(cards[name].note) != unmasked
    highest = max(v for v in cards["CD8_density_T"].data[0]["y"] if v is not None)
    assert highest < 1e10, "no more cells than fit"
    assert cards["CD8_density_T"].rows[-1]["A"] == "–"
    assert all(v is not None for v in cards["tumour"].data[0]["y"])
