"""Rules that hold for every report: each can fail, each template is written by a test, each fits a phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.axe import axe_findings, axe_source
from tests.report.page_rules import LARGEST, page_faults

import immunescape
from immunescape.report.figures import Curve, PublishedCurve, figure_html, kaplan_meier_figure
from immunescape.report.pictures import plotly_script
from immunescape.report.profile_figures import forest_figure
from immunescape.report.tables import Table
from immunescape.report.writing import write_page

TEMPLATES = Path(immunescape.__file__).parent / "report" / "templates"
LONG = "Genetic loss of B2M, or of all MHC class I heavy chains, on both chromosomes"
MONTHS = np.array([0.0, 3.0, 9.0])
SHARE = np.array([1.0, 0.6, 0.2])
ARMS = ("pembrolizumab with pemetrexed and a platinum", "placebo with pemetrexed and a platinum")


def some_page(folder: Path) -> Path:
    """A page with a curve of many entries, and a forest of long names, written as every report is."""
    curves = [Curve(arm, MONTHS, SHARE, SHARE - 0.1, SHARE + 0.1) for arm in ARMS]
    published = [PublishedCurve(arm, [6.0], [0.5], MONTHS.tolist(), SHARE.tolist(), 6.0) for arm in ARMS]
    forest = forest_figure(
        [LONG, "expression_PDCD1LG2_of_everything"] * 4, [1.0] * 8, [0.4] * 8, [2.5] * 8, "Odds ratio", [True] * 8
    )
    names = [f"{name} {k}" for k, name in enumerate(forest.data[0].y)]
    forest.data[0].y = names
    pictures = [figure_html(kaplan_meier_figure(f"Overall survival. {LONG}", curves, published)), figure_html(forest)]
    table = Table([{"Arm": arm, **{f"Month {m}": 0.5 for m in range(0, 60, 6)}} for arm in ARMS])
    values = {
        "title": "A ranking",
        "lead": "",
        "plotly_js": plotly_script(),
        "notice": "research",
        "forest": pictures,
        "options": table,
        "more_figures": table,
        "through": table,
        "score_note": "",
        "beside": table,
        "beside_notes": [],
        "without_data": [],
        "steps_figures": [],
        "scans_note": "",
        "says": [],
        "evidence": [{"title": "a trial", "table": table}],
        "left_out": [],
        "twins_note": "",
        "fans": [],
        "facts": table,
        "open_questions": "",
        "notes": [],
        "steps": table,
        "next_says": [],
        "next_rows": table,
        "next_note": "",
    }
    return write_page(folder / "ranking.html", "ranking.html", values)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return some_page(tmp_path_factory.mktemp("page"))


def test_a_title_of_letters_on_a_keyboard_is_set_as_in_print(tmp_path: Path) -> None:
    page = write_page(tmp_path / "page.html", "page.html", {"title": "PD-L1 TPS >= 50 %", "notice": "research"})
    text = page.read_text(encoding="utf-8")
    assert "<h1>PD-L1 TPS ≥ 50 %</h1>" in text
    assert "<title>PD-L1 TPS ≥ 50 %" in text


def test_a_page_as_the_package_writes_it_obeys_every_rule(page: Path) -> None:
    assert page_faults(page.read_text(encoding="utf-8")) == []


def test_axe_finds_nothing_in_a_page_light_or_dark_wide_or_narrow(page: Path, new_browser: Callable[..., Any]) -> None:
    if not (source := axe_source()):
        pytest.skip("axe-playwright-python is not installed")
    browser = new_browser()
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        for width in (1280, 390):
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            browser.get(page.resolve().as_uri())
            browser.execute_script("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
            browser.execute_async_script("window.picturesDrawn.then(() => setTimeout(arguments[0], 500));")
            assert axe_findings(browser, source) == [], (scheme, width)
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    ("of", "by", "fault"),
    [
        ('scope="col"', "", "scope"),
        ('tabindex="0"', "", "keyboard"),
        ('class="wide ', 'class="w ', "narrow screen"),
        ('data-label="Arm"', "", "without its name"),
        ("<details><summary>In words</summary>", "<div><summary>In words</summary>", "without words"),
        ("Research use only", "Useful", "research alone"),
        ("<h2>Options</h2>", "<h4>Options</h4>", "headings"),
        ('id="twins"', 'id="options"', "two elements"),
        ('href="#says"', 'href="#nothing"', "not on the page"),
        ("<p>", "<p>log-rank p 0.03", "log-rank"),
        ("<span>0.5</span>", "<span>nan</span>", "a cell says"),
        ('<html lang="en">', "<html>", "language"),
        ('"yref":"container"', '"yref":"paper"', "legend"),
        ('"text":"Patients without event (%)"', '"text":""', "vertical axis"),
        ("prefers-color-scheme: dark", "none", "no style"),
        ("</main>", '<img src="https://a.b/c.png"></main>', "elsewhere"),
        ("</main>", "x" * LARGEST + "</main>", "bytes"),
    ],
)
def test_every_rule_can_fail(page: Path, of: str, by: str, fault: str) -> None:
    text = page.read_text(encoding="utf-8")
    assert of in text
    assert any(fault in f for f in page_faults(text.replace(of, by))), page_faults(text.replace(of, by))


def test_every_template_of_a_page_is_written_by_a_test_of_its_report() -> None:
    """The rules are asked of each page that a test writes (see conftest.py), so each report needs such a test."""
    package = TEMPLATES.parents[1]
    code = {path: path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    tests = "\n".join(p.read_text(encoding="utf-8") for p in Path(__file__).parents[1].rglob("test_*.py"))
    writers = {
        "claims.html": "write_claims",
        "credibility.html": "write_credibility",
        "design.html": "run_designs",
        "must_not.html": "write_must_not",
        "profile.html": ".report(",
        "ranking.html": "write_ranking",
        "scoreboard.html": "--html",
        "trial.html": "result.report(",
        "twins.html": "write_twins",
    }
    pages = {p.name for p in TEMPLATES.glob("*.html") if '{% extends "page.html" %}' in p.read_text(encoding="utf-8")}
    assert pages == set(writers)
    for name, call in writers.items():
        assert any(f'"{name}"' in text for text in code.values()), name
        assert call in tests, name


def test_words_of_responses_have_colours_of_their_own_on_a_dark_page_too() -> None:
    from immunescape.report.figures import RESPONSE_COLOURS

    script = (TEMPLATES / "night.js").read_text(encoding="utf-8")
    night = dict(re.findall(r'"(#[0-9a-f]{6})": "(#[0-9a-f]{6})"', script))
    assert night[RESPONSE_COLOURS["CR"]] != RESPONSE_COLOURS["PR"]
    styles = "".join(p.read_text(encoding="utf-8") for p in TEMPLATES.glob("*.css"))
    assert f'i[style*="{RESPONSE_COLOURS["CR"]}"]' in styles, "the legend beside the picture has the same colour"


MEASURED = """
const done = arguments[arguments.length - 1];
window.picturesDrawn.then(() => setTimeout(() => done([...document.querySelectorAll('.plotly-graph-div')].map((g) => {
  const box = g.getBoundingClientRect(), size = g._fullLayout._size, legend = g.querySelector('.legend');
  const outside = [...g.querySelectorAll('.ytick text, .xtitle, .ytitle, .legendtext')].filter((e) => {
    const r = e.getBoundingClientRect();
    return r.left < box.left - 1 || r.right > box.right + 1 || r.bottom > box.bottom + 1;
  }).map((e) => e.textContent);
  const below = !legend || legend.getBoundingClientRect().top >= box.top + size.t + size.h;
  const bar = g.querySelector('.modebar-group');
  return {plot: [size.w, size.h], outside, below, covered: !!bar && !matchMedia('(hover: hover)').matches};
})), 300));
"""


TABLES = """
const tables = [...document.querySelectorAll('.stack')];
const named = (e) => getComputedStyle(e, '::before').content !== 'none' && !!e.dataset.label;
return [tables.filter((e) => e.scrollWidth > e.clientWidth + 1).length,
  tables.length > 0 && tables.every((e) => [...e.querySelectorAll('td:not(.head)')].every(named))];
"""


@pytest.mark.parametrize("width", [390, 1280])
def test_pictures_fit_a_phone_and_a_desk(page: Path, new_browser: Callable[..., Any], width: int) -> None:
    browser = new_browser(width=width)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page.as_uri())
    for picture in browser.execute_async_script(MEASURED):
        assert picture["outside"] == []
        assert picture["below"], "the legend stands below the plot"
        assert not picture["covered"], "no buttons over the picture where nothing can hover"
        assert picture["plot"][0] >= 0.4 * width * (1 if width < 500 else 0.8)
        assert picture["plot"][1] >= 180
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    hidden, names = browser.execute_script(TABLES)
    assert hidden == 0, "no table of this page needs scrolling"
    assert names == (width < 500), "on a phone each value stands beside its name"
    assert [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"] == []
    browser.quit()
