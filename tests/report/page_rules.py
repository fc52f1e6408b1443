"""What every HTML report obeys, whichever command writes it; `conftest.py` asks it of each page that a test writes."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

__all__ = ["LARGEST", "page_faults"]

LARGEST = 2_000_000
"""Bytes of a report."""
VOID = {"meta", "br", "img", "input", "hr", "link", "col"}


class _Page(HTMLParser):
    """Elements of a page, with what stands around them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.open: list[tuple[str, dict[str, str]]] = []
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.figures: list[dict[str, bool]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def _inside(self, tag: str, css: str = "") -> dict[str, str] | None:
        return next((a for t, a in reversed(self.open) if t == tag and css in [*a.get("class", "").split(), ""]), None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {k: v or "" for k, v in attrs}
        if "id" in a:
            self.ids.append(a["id"])
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "a" and a.get("href", "").startswith("#"):
            self.links.append(a["href"][1:])
        if tag in ("script", "img", "link", "iframe") and re.match("(https?:)?//", a.get("src", a.get("href", ""))):
            self.faults.append(f"<{tag}> is fetched from elsewhere")
        if tag == "html" and a.get("lang") != "en":
            self.faults.append("the page does not name its language")
        if tag == "th" and not a.get("scope"):
            self.faults.append("a header of a table without scope")
        if tag == "table":
            region = self._inside("div", "wide")
            if region is None:
                self.faults.append("a table that cannot be scrolled on a narrow screen")
            elif region.get("tabindex") != "0" or not region.get("aria-label"):
                self.faults.append("a table that a keyboard cannot scroll")
        if tag == "td" and self._inside("div", "stack") and not a.get("data-label"):
            self.faults.append("a value without its name, where a phone shows the table as a list")
        if tag == "figure":
            self.figures.append({"words": False, "label": bool(a.get("aria-label"))})
        if tag in ("details", "figcaption") and self.figures and self._inside("figure"):
            self.figures[-1]["words"] = True
        if tag not in VOID:
            self.open.append((tag, a))

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            self.faults.append(f"</{tag}> ends an element that is not the last one begun")

    def handle_data(self, data: str) -> None:
        script = self._inside("script")
        if script is not None:
            if script.get("class") == "picture-content":
                self.pictures.append(data)
        elif self._inside("style") is None:
            self.text += data
            if self._inside("td") is not None and data.strip() in ("nan", "None", "NaN", "inf"):
                self.faults.append(f"a cell says {data.strip()!r}")


def page_faults(text: str) -> list[str]:
    """Return what is wrong with a page; nothing where all is well."""
    page = _Page(text)
    faults = page.faults
    if len(text.encode("utf-8")) > LARGEST:
        faults.append(f"more than {LARGEST} bytes")
    if 'name="viewport"' not in text:
        faults.append("no viewport: a phone shows the page in the width of a desk")
    for rule in ("prefers-color-scheme: dark", "@media print", "max-width: 560px"):
        if rule not in text:
            faults.append(f"no style for {rule}")
    if "Research use only" not in page.text:
        faults.append("no notice that it is for research alone")
    if page.headings.count(1) != 1 or any(b > a + 1 for a, b in zip(page.headings, page.headings[1:], strict=False)):
        faults.append(f"headings skip a level or the first is not alone: {page.headings}")
    faults += [f"two elements named {name!r}" for name in {n for n in page.ids if page.ids.count(n) > 1}]
    faults += [f"a link to {name!r}, which is not on the page" for name in page.links if name not in page.ids]
    faults += ["a picture without words or a label" for f in page.figures if not all(f.values())]
    if re.search(r"log-?rank p\b", page.text, flags=re.IGNORECASE):
        faults.append("the p value of a log-rank test, which only counts simulated patients")
    for content in page.pictures:
        faults += _picture_faults(*json.loads(content)[:2])
    return sorted(set(faults))


def _picture_faults(data: list[dict[str, object]], layout: dict[str, dict[str, object]]) -> list[str]:
    faults = []
    legend = layout["legend"]
    if (legend["yref"], legend["y"], legend["yanchor"]) != ("container", 0, "bottom"):
        faults.append("a legend that may lie over what is drawn")
    if "title" in layout:
        faults.append("a title within the plot, which a narrow screen cuts")
    for shape in layout.get("shapes") or ():
        if not shape.get("line", {}).get("color"):
            faults.append("a line without a colour of its own, which a dark page hides")
    for trace in data:
        names = trace.get("y") if trace.get("orientation") == "h" or trace.get("mode") == "markers" else None
        bare = not isinstance(names, list) or not any(isinstance(v, str) for v in names)
        side = str(trace.get("yaxis", "y")).replace("y", "yaxis", 1)
        axis = layout.get(side, {})
        title = axis.get("title") or {}
        if bare and trace.get("type") != "heatmap" and axis.get("visible") is not False:
            matched = side != "yaxis" and axis.get("matches")
            if not (isinstance(title, dict) and title.get("text")) and not matched:
                faults.append(f"a vertical axis without a title: {trace.get('name')}")
    return faults
