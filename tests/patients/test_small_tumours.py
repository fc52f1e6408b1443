"""Densities and ratios in a tumour that is too small to measure are neither plotted nor printed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import immunescape
from immunescape.cli import app
from immunescape.patients import PatientCourse
from immunescape.patients.small_tumours import NOT_SHOWN, measurable
from immunescape.units import DAYS_PER_MONTH

OUTPUTS = ("V_T", "diameter_T", "CD8_density_T", "Treg_CD8_ratio", "PD1_occupancy_T", "antigen_load_T", "ctDNA_conc")
RELATIVE = ("CD8_density_T", "Treg_CD8_ratio")


@pytest.fixture(scope="module")
def grown() -> PatientCourse:
    return immunescape.patient(seed=7).simulate(months=3, conduct="planned", observe=OUTPUTS)


@pytest.fixture
def shrunk(grown: PatientCourse) -> PatientCourse:
    """The same course with a tumour that falls below 5 mm at two thirds of the time."""
    table = grown.table.copy()
    table["diameter_T"] = np.linspace(1.5, 0.0, len(table))
    return replace(grown, table=table)


def test_what_is_relative_to_the_tissue_ends_at_five_millimetres(shrunk: PatientCourse) -> None:
    small = shrunk.table["diameter_T"].to_numpy() < 0.5
    assert 0 < small.sum() < len(small)
    for name in OUTPUTS:
        hidden = np.isnan(measurable(shrunk, name))
        assert np.array_equal(hidden, small if name in RELATIVE else np.zeros_like(small)), name
    assert not shrunk.table.isna().any().any()


def test_the_plot_ends_those_curves_and_says_so(grown: PatientCourse, shrunk: PatientCourse) -> None:
    for course, notes in ((grown, 0), (shrunk, len(RELATIVE))):
        axes = course.plot([*RELATIVE, "ctDNA_conc"]).axes
        assert sum(text.get_text() == NOT_SHOWN for axis in axes for text in axis.texts) == notes
    lines = {
        axis.get_title(loc="left"): axis.lines[0].get_ydata()
        for axis in shrunk.plot([*RELATIVE, "ctDNA_conc"]).axes
        if axis.lines
    }
    for name in RELATIVE:
        drawn = np.isfinite(np.asarray(lines[shrunk.meanings[name]], dtype=float))
        months = shrunk.table.index.to_numpy()[drawn] / DAYS_PER_MONTH
        assert months.max() == pytest.approx(2.0, abs=0.1)
    assert np.isfinite(np.asarray(lines[shrunk.meanings["ctDNA_conc"]], dtype=float)).all()


def test_a_death_is_marked_at_the_end_of_its_curve(shrunk: PatientCourse) -> None:
    last = float(shrunk.table.index[-1])
    dead = replace(shrunk, outcome={"death_day": last})
    marks = [line for line in dead.plot("ctDNA_conc").axes[0].lines if line.get_marker() == "P"]
    assert [(float(m.get_xdata()[0]), float(m.get_ydata()[0])) for m in marks] == [
        (pytest.approx(last / DAYS_PER_MONTH), pytest.approx(-100.0))
    ]


def test_the_command_prints_a_dash(grown: PatientCourse, monkeypatch: Any) -> None:
    printed = CliRunner().invoke(app, ["simulate", "none", "--months", "3", "--planned", "--seed", "7"]).output
    assert NOT_SHOWN not in printed
    monkeypatch.setattr("immunescape.patients.small_tumours.SMALLEST_CM", 1000.0)
    rows = CliRunner().invoke(app, ["simulate", "none", "--months", "3", "--planned", "--seed", "7"]).output
    assert f"–: {NOT_SHOWN}." in rows
    last = next(line for line in rows.splitlines() if line.startswith("3 "))
    assert last.split()[3:5] == ["–", "–"]
    assert "nan" not in last
