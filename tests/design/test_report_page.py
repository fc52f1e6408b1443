"""The HTML report, parsed: order of headings, tables beside pictures, nothing that is fetched from elsewhere."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from immunescape.api.designs import run_designs

LOADING = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "object": "data",
    "source": "src",
    "video": "src",
}
VOID = ("meta", "link", "img", "br", "hr", "input", "source", "path")


class Page(HTMLParser):
    """What a reader, or a program that reads aloud, meets: headings, tables, figures, addresses, unclosed elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[tuple[int, str]] = []
        self.figures: list[dict[str, str | None]] = []
        self.captions: list[str] = []
        self.tables: list[list[int]] = []
        self.scopes: list[str | None] = []
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.identifiers: list[str] = []
        self.language: str | None = None
        self.stack: list[str] = []
        self.mismatched: list[str] = []
        self.styles = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag not in VOID:
            self.stack.append(tag)
        if "id" in values:
            self.identifiers.append(str(values["id"]))
        if tag == "html":
            self.language = values.get("lang")
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))
        if tag == "figure":
            self.figures.append(values)
        if tag == "figcaption":
            self.captions.append("")
        if tag == "table":
            self.tables.append([])
        if tag == "tr" and self.tables:
            self.tables[-1].append(0)
        if tag in ("td", "th") and self.tables:
            self.tables[-1][-1] += 1
        if tag == "th":
            self.scopes.append(values.get("scope"))
        if tag == "a":
            self.links.append(str(values.get("href")))
        if values.get(LOADING.get(tag, "")):
            self.fetched.append(str(values[LOADING[tag]]))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.stack or self.stack.pop() != tag:
            self.mismatched.append(tag)

    def handle_data(self, data: str) -> None:
        if self.stack and re.fullmatch("h[1-6]", self.stack[-1]):
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)
        if self.stack and self.stack[-1] == "figcaption":
            self.captions[-1] += data
        if self.stack and self.stack[-1] == "style":
            self.styles += data


def content() -> dict[str, Any]:
    """Two hypotheses with a graph of alpha and futility on the first, so that every part of the page is there."""
    return {
        "name": "both",
        "title": "Two <endpoints> & one graph",
        "kind": "group-sequential",
        "patients": 400,
        "arms": [{"name": "new", "role": "experimental"}, {"name": "old", "role": "control"}],
        "endpoints": {"pfs": {}, "os": {}},
        "accrual": {"rates": [20]},
        "references": ["reck2016"],
        "assumptions": ["Medians are assumed."],
        "boundaries": {"futility": [0.0]},
        "looks": [{"events": 200, "endpoint": "pfs"}, {"events": 200, "endpoint": "os"}],
        "hypotheses": [
            {"name": "PFS", "endpoint": "pfs", "share": 0.4, "hands_on": {"OS": 1}},
            {"name": "OS", "endpoint": "os", "share": 0.6},
        ],
        "scenarios": [
            {
                "name": "effect",
                "truth": [
                    {"endpoint": "pfs", "median": 6},
                    {"endpoint": "pfs", "arm": "new", "hazard_ratio": 0.6},
                    {"endpoint": "os", "median": 16},
                    {"endpoint": "os", "arm": "new", "hazard_ratio": 0.7},
                ],
            }
        ],
    }


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("report")
    file = folder / "both.yaml"
    file.write_text(yaml.safe_dump(content()), encoding="utf-8")
    run_designs([file], 250, seed=1, workers=1, out=folder / "out")
    return Page(Path(folder / "out" / "report.html").read_text(encoding="utf-8"))


def test_headings_go_down_one_level_at_a_time(page: Page) -> None:
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    titles = [text for _, text in page.headings]
    assert "Two <endpoints> & one graph" in titles
    assert len(set(titles)) >= len(titles) - 1  # the title of the only design heads the page and its section
    assert {"Operating characteristics", "Looks and boundaries", "Alpha by hypothesis", "Reproduce"} <= set(titles)


def test_each_picture_has_a_label_and_a_table_with_its_numbers(page: Page) -> None:
    assert len(page.figures) == len(page.captions) == 3
    titles = {text for _, text in page.headings}
    for figure, caption in zip(page.figures, page.captions, strict=True):
        assert figure.get("aria-label")
        named = re.search("“(.+?)”", caption)
        assert named is not None
        assert named[1] in titles


def test_tables_are_whole(page: Page) -> None:
    """As many cells in each row as in its head, and a head for each column."""
    assert len(page.tables) >= 7
    for rows in page.tables:
        assert len(rows) >= 2
        assert set(rows) == {rows[0]}
    assert set(page.scopes) == {"col"}


def test_nothing_is_fetched(page: Page) -> None:
    assert page.fetched == []
    assert not re.search(r"@import|url\(\s*['\"]?(https?:)?//", page.styles)
    assert all(link.startswith(("#", "https://doi.org/", "https://pubmed")) for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.identifiers)


def test_the_page_is_well_formed(page: Page) -> None:
    assert page.language == "en"
    assert page.mismatched == []
    assert page.stack == []
    assert len(set(page.identifiers)) == len(page.identifiers)
