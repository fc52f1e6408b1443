"""Tables and pictures of measured beside simulated patients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from immunescape.evaluation.cohort_response import ResponseRow
from immunescape.evaluation.lesion_comparison import KineticsRow
from immunescape.evaluation.validation import Validation
from immunescape.report.figures import ecdf_figure
from immunescape.report.scoreboard_report import interval_sentence, kinetics_table, response_table, write_scoreboard


def test_lesions_are_judged_by_distance_or_by_p() -> None:
    rows = kinetics_table(
        [
            KineticsRow(
                group="OAK",
                measure="growth",
                n_observed=374,
                n_simulated=215,
                observed=0.0441,
                simulated=0.05,
                distance=0.153,
                p=0.003,
                small=False,
                met=False,
            ),
            KineticsRow(
                group="FIR",
                measure="best_change",
                n_observed=9,
                n_simulated=50,
                observed=-15.6,
                simulated=-12.2,
                distance=0.4,
                p=0.2,
                small=True,
                met=True,
            ),
            KineticsRow(
                group="FIR",
                measure="time_to_regrowth",
                n_observed=4,
                n_simulated=0,
                observed=3.4,
                simulated=None,
                distance=None,
                p=None,
                small=True,
                met=None,
            ),
        ]
    ).rows
    assert rows[0]["Aim"] == "distance <= 0.1: missed"
    assert rows[0]["Median measured"] == "0.044"
    assert rows[1]["Aim"] == "p >= 0.05: met"
    assert rows[1]["p"] == "0.2"
    assert rows[2]["Distance"] == "–"


def test_strata_without_virtual_patients_say_so() -> None:
    row = ResponseRow(
        stratum="TPS < 1 %",
        prior="none",
        drug="one",
        n=6,
        responders=1,
        published=16.7,
        published_low=0.4,
        published_high=64.1,
    )
    shown = response_table([row]).rows[0]
    assert shown["Simulated (%, 95 %)"] == "–"
    assert shown["Simulated arms"] == "none"
    assert shown["Responded (%, 95 %)"] == "16.7 (0.4 to 64.1)"


def test_cumulative_shares_are_those_of_the_samples() -> None:
    measured, simulated = np.array([3.0, 1.0, 2.0, 2.0]), np.array([5.0])
    figure = ecdf_figure("OAK", {"Growth (1/month)": (measured, simulated), "Best change (%)": (simulated, measured)})
    assert [t.name for t in figure.data] == ["measured", "simulated", "measured", "simulated"]
    first = figure.data[0]
    assert list(first.x) == [1, 2, 2, 3]
    for x, y in zip(first.x, first.y, strict=True):
        assert y <= 100 * (measured <= x).mean()
    assert first.y[-1] == 100
    assert figure.layout.xaxis.title.text == "Growth (1/month)"
    assert [t.showlegend for t in figure.data] == [True, True, False, False]


@pytest.mark.parametrize("fitted", [True, False])
def test_the_page_says_of_the_intervals_what_the_terminal_says(
    fitted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The errors in them are those of other trials where a run of the harness with this fit has left some."""
    monkeypatch.setattr("immunescape.evaluation.posterior.errors_of_this_fit", lambda: fitted)
    page = write_scoreboard(Validation((), (), 30, 1, named=True), tmp_path / "page.html", "notice")
    assert interval_sentence() in page.read_text(encoding="utf-8")
    assert ("trials that were not fitted" in interval_sentence()) is fitted
