"""Pictures that are plain data: plotly's own classes accept them, and pages show them as they are."""

from __future__ import annotations

import base64
import gzip
import json
import math
import re
import subprocess
import sys

import numpy as np
import plotly.graph_objects as go
import pytest

from immunescape.report.figures import (
    Curve,
    PublishedCurve,
    escape_figure,
    figure_html,
    kaplan_meier_figure,
    spider_figure,
    waterfall_figure,
)
from immunescape.report.pictures import LEGEND, numbers, plotly_script

MONTHS = np.array([0.0, 1.0, 4.5])
CURVE = Curve("A & <b>", MONTHS, np.array([1.0, 0.5, 0.25]), np.array([1.0, 0.3, 0.1]), np.array([1.0, 0.7, 0.6]))
PUBLISHED = PublishedCurve("A & <b>", [6.0], [0.62], [0.0, 2.0], [1.0, 0.8], 10.3)
PICTURES = {
    "survival": kaplan_meier_figure("Overall survival </script>", [CURVE], [PUBLISHED]),
    "waterfall": waterfall_figure("A", np.array([-40.0, math.nan, 300.0, 5.0]), ["PR", "NE", "PD", "SD"]),
    "spider": spider_figure("A", [MONTHS, MONTHS], [MONTHS * 90, -MONTHS], ["PD", "SD"]),
    "escape": escape_figure(
        {"counts": {"primary": {"mdsc": 3}, "acquired": {"mdsc": 1, "": 2}}, "candidates": {"mdsc": "MDSC"}}
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_plotly_accepts_every_property_and_both_axes_are_labelled(name):
    picture = PICTURES[name]
    checked = go.Figure(data=list(picture.data), layout=dict(picture.layout))  # raises on what plotly does not know
    assert len(checked.data) == len(picture.data)
    assert checked.layout.xaxis.title.text
    assert checked.layout.yaxis.title.text or name == "escape"  # whose vertical axis holds names


@pytest.mark.parametrize("name", PICTURES)
def test_the_page_holds_the_picture_and_cannot_be_broken_by_its_words(name):
    html = figure_html(PICTURES[name])
    content = re.search(
        r'<script type="application/json" class="picture-content" data-for="(.+?)">(.*?)</script>', html
    )
    assert f'<div id="{content[1]}"' in html
    data, layout, config = json.loads(content[2])
    assert data == [json.loads(json.dumps(trace)) for trace in PICTURES[name].data]
    assert layout == {
        **{k: v for k, v in PICTURES[name].layout.items() if k != "title"},
        "template": layout["template"],
        "legend": LEGEND,
        "margin": layout["margin"],
    }
    go.Figure(layout={"template": layout["template"]})  # raises on what plotly does not know
    assert config == {"displaylogo": False, "responsive": True, "displayModeBar": "hover"}
    assert html != figure_html(PICTURES[name])  # each picture of a page has a name of its own


def test_what_is_not_finite_leaves_a_gap():
    assert numbers([1.0, math.nan, math.inf]) == [1.0, None, None]


def test_the_waterfall_counts_patients_with_a_scan_and_cuts_bars():
    bars = {trace["name"]: (trace["x"], trace["y"]) for trace in PICTURES["waterfall"].data}
    assert bars == {"PR (1)": ([3], [-40.0]), "SD (1)": ([2], [5.0]), "PD (1)": ([1], [150.0])}


def test_the_script_is_the_cartesian_bundle_and_small():
    packed = re.search(r'PACKED = "([A-Za-z0-9+/=]+)"', plotly_script())[1]
    assert "plotly.js (cartesian - minified)" in gzip.decompress(base64.b64decode(packed)).decode()[:200]
    assert len(plotly_script()) < 800_000


@pytest.mark.parametrize("name", PICTURES)
def test_each_picture_says_in_words_what_it_shows(name):
    html = figure_html(PICTURES[name])
    assert re.search(r'aria-label="[^"]{10,}"', html)
    assert "<summary>In words</summary>" in html


def test_words_name_the_first_and_the_last_value():
    words = PICTURES["survival"].description()
    assert words[0].startswith("Overall survival")
    assert "A & <b>, predicted: 0: 100; 1: 50; 4.5: 25." in words


def test_every_legend_stands_at_the_lower_edge_of_its_picture():
    checked = go.Figure(layout={"legend": dict(LEGEND)}).layout.legend  # raises on what plotly does not know
    assert (checked.yref, checked.yanchor, checked.y) == ("container", "bottom", 0)
    for picture in PICTURES.values():
        assert picture.shown_layout()["legend"] == LEGEND


def test_the_title_is_text_of_the_page_so_that_it_can_be_wrapped():
    html = figure_html(PICTURES["survival"])
    assert '<p class="picture-title">Overall survival &lt;/script&gt;</p>' in html
    assert "title" not in PICTURES["survival"].shown_layout()


def test_traces_without_a_name_and_heatmaps_are_said_in_words_too():
    forest = go.Figure()
    forest.add_scatter(
        x=np.array([1.5, 0.5]), y=["age", "sex"], error_x={"array": [0.5, 0.1], "arrayminus": [0.25, 0.2]}
    )
    assert "age: 1.5 (1.25 to 2); sex: 0.5 (0.3 to 0.6)." in figure_html(forest)
    cells = go.Figure(go.Heatmap(z=np.array([[0, 1, 1]]), y=["STK11"], text=[["present", "absent", "absent"]]))
    assert "STK11: 2 absent, 1 present." in figure_html(cells)
    named = go.Figure(go.Heatmap(z=[[0, 1]], y=["stratum"], customdata=[[["P1", "low"], ["P2", "high"]]]))
    assert "stratum: 1 low, 1 high." in figure_html(named)


def test_numbers_of_plotlys_classes_reach_the_page_as_json_knows_them():
    figure = go.Figure(go.Scatter(x=np.array([1.0, math.nan]), y=np.array([2, 3]), name="a"))
    text = re.search(r'class="picture-content"[^>]*>(.*?)</script>', figure_html(figure))[1]
    assert json.loads(text)[0][0]["x"] == [1.0, None]
    assert json.loads(text)[0][0]["y"] == [2, 3]


def test_pictures_of_a_trial_are_made_without_plotly_classes():
    code = (
        "import sys; sys.modules['plotly.graph_objects'] = sys.modules['plotly.io'] = None\n"  # imports would fail
        "from immunescape.report.figures import figure_html, waterfall_figure\n"
        "from immunescape.report.pictures import plotly_script\n"
        "import numpy as np\n"
        "assert 'picture-content' in figure_html(waterfall_figure('A', np.array([1.0]), ['SD'])) and plotly_script()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_axis_of_few_counts_has_whole_numbers_only() -> None:
    assert PICTURES["escape"].layout["xaxis"]["dtick"] == 1  # at most three patients
    many = escape_figure({"counts": {"primary": {"mdsc": 30}, "acquired": {}}, "candidates": {"mdsc": "MDSC"}})
    assert "dtick" not in many.layout["xaxis"]
