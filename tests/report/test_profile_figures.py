"""Colours and axes of the profile report mean the same wherever they stand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from immunescape.report.figures import Curve, kaplan_meier_figure
from immunescape.report.profile_figures import (
    CURVE_COLOURS,
    STATE_COLOURS,
    forest_figure,
    level_colours,
    ordered_levels,
    track_legend,
)


def test_words_with_a_meaning_stand_in_its_order_and_others_after_them():
    assert ordered_levels(["PD", "arm B", "SD", "CR", "arm A", "SD"]) == ["CR", "SD", "PD", "arm A", "arm B"]
    track = pd.Series(
        [
            "No targetable driver detected, PD-L1 ≥ 50 %",
            "No targetable driver detected, PD-L1 < 1 %",
            None,
            "Targetable driver",
        ]
    )
    words = [word for word, _, _ in track_legend(track)]
    assert words == [
        "Targetable driver",
        "No targetable driver detected, PD-L1 < 1 %",
        "No targetable driver detected, PD-L1 ≥ 50 %",
        "not assessable",
    ]


def test_groups_by_pdl1_darken_with_it_and_none_looks_like_a_state():
    groups = [f"No targetable driver detected, PD-L1 {range_}" for range_ in ("< 1 %", "1-49 %", "≥ 50 %")]
    colours = list(level_colours(groups).values())
    light = [sum(int(c[k : k + 2], 16) for k in (1, 3, 5)) for c in colours]
    assert light == sorted(light, reverse=True)
    assert len(set(light)) == 3
    assert not set(colours) & set(STATE_COLOURS.values())


def test_curves_of_carriers_have_the_colour_of_present():
    steps = np.array([1.0, 0.5])
    curves = [Curve(name, np.array([0.0, 5.0]), steps, steps, steps) for name in ("present (n = 2)", "absent (n = 3)")]
    colours = {"present (n = 2)": CURVE_COLOURS["present"], "absent (n = 3)": CURVE_COLOURS["absent"]}
    drawn = kaplan_meier_figure("Survival", curves, colours=colours)
    assert [t["line"]["color"] for t in drawn.data if "name" in t] == list(colours.values())
    assert CURVE_COLOURS["present"] == STATE_COLOURS["present"]
    assert kaplan_meier_figure("Survival", curves).data[1]["line"]["color"] not in colours.values()


def test_a_forest_names_no_effect_on_its_axis():
    figure = forest_figure(["a", "b"], [5.0, 9.0], [2.0, 3.0], [20.0, 40.0], "Odds ratio", [True, False])
    assert "1" in figure.layout.xaxis.ticktext
