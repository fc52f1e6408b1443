"""Outcome of a cohort as it is read: titles of mechanisms and biomarkers, not the names of columns."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from immunescape.profile.biomarkers import biomarkers
from immunescape.report.profile_outcome import _forest, association_lines, association_rows, compared

TITLES = {"stk11_loss": "STK11 inactivation"}


def table() -> pd.DataFrame:
    """Tests of five comparisons, of which one stands under another name."""
    rows = [
        ("stk11_loss", "True", "odds ratio", 2.0, 0.01, ""),
        ("stk11_status", "wild_type", "odds ratio", np.nan, np.nan, "the same patients as stk11_loss: tested there"),
        ("pdl1_tps_stratum", ">=50%", "odds ratio", 3.0, 0.02, ""),
        (
            "pdl1_stratum",
            "<1%",
            "odds ratio",
            np.nan,
            np.nan,
            "the same patients as pdl1_tps_stratum = <1%: tested there",
        ),
        ("cell_score_cd4", "", "odds ratio per SD", 1.5, 0.03, ""),
    ]
    made = pd.DataFrame(rows, columns=["biomarker", "level", "measure", "estimate", "p", "note"])
    return made.assign(n=20, n_positive=5, n_missing=0, low=0.5, high=4.0, q=made["p"] * 2)


def test_every_biomarker_is_called_by_its_title() -> None:
    for name, record in biomarkers().items():
        assert compared(name, "", {}) == record.title
    assert compared("my_own_score", "very_high", {}) == "My own score: very high"


@pytest.mark.parametrize("lines", [association_lines, association_rows])
def test_tables_name_titles_and_levels_in_words(lines) -> None:
    rows = lines(table(), TITLES)
    text = " | ".join(str(v) for row in rows for v in row.values())
    assert "STK11 inactivation" in text
    assert "Stratum of the highest PD-L1 tumour proportion score: ≥ 50 %" in text
    assert "CD4 T-cell score" in text
    assert not re.search(r"[a-z0-9]_[a-z0-9]", text), "no name of a column is shown"


def test_a_note_names_the_other_comparison_by_its_title() -> None:
    notes = {row["Compared"]: row["Note"] for row in association_rows(table(), TITLES)}
    assert notes["STK11 loss: wild type"] == "the same patients as STK11 inactivation, tested there"
    assert notes["PD-L1 stratum: < 1 %"].endswith("tumour proportion score: < 1 %, tested there")


def test_the_forest_plot_names_titles() -> None:
    page = _forest(table(), TITLES)
    assert "CD4 T-cell score (per SD)" in page
    assert "cell_score_cd4" not in page
    assert "pdl1_tps_stratum" not in page


def test_titles_that_are_cut_alike_keep_rows_of_their_own() -> None:
    rows = table().iloc[[2, 2]].assign(biomarker=["pdl1_tps_stratum", "pdl1_tps_stratum_lowest"], level="")
    titles = {"pdl1_tps_stratum": "x" * 40 + " first", "pdl1_tps_stratum_lowest": "x" * 40 + " second"}
    page = _forest(rows, titles)
    assert "x" * 33 + "…" in page
    assert "x" * 40 + " second" in page
