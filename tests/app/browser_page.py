"""A browser window at the app, in the words of a person who uses it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.axe import axe_findings, axe_source


def wait_for(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until a condition holds; what it returns."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if value := condition():
                return value
        except Exception as error:
            if error.__class__.__name__ not in ("StaleElementReferenceException", "NoSuchElementException"):
                raise
        time.sleep(0.1)
    raise AssertionError(f"did not happen within {seconds:g} s")


class Page:
    """A browser window at the app, in the words of a person who uses it."""

    def __init__(self, browser: Any, address: str) -> None:
        self.browser = browser
        browser.get(address)
        wait_for(lambda: self.script("return document.querySelectorAll('.nav-link').length > 0 && !!window.Shiny"))

    def script(self, text: str, *arguments: Any) -> Any:
        return self.browser.execute_script(text, *arguments)

    def all(self, selector: str) -> list[Any]:
        return self.browser.find_elements("css selector", selector)

    def one(self, selector: str) -> Any:
        return self.browser.find_element("css selector", selector)

    def text(self, selector: str) -> str:
        return " ".join(e.text for e in self.all(selector))

    def view(self, name: str) -> None:
        self.script("arguments[0].click()", self.one(f".nav-link[data-value='{name}']"))

    def put(self, field: str, value: Any) -> None:
        """Give a field a value as typing and leaving it does."""
        self.script(
            "const e = document.getElementById(arguments[0]); e.value = arguments[1];"
            "for (const k of ['input', 'change', 'blur']) e.dispatchEvent(new Event(k, {bubbles: k !== 'blur'}));",
            field,
            value,
        )

    def click(self, selector: str) -> None:
        self.script("arguments[0].click()", self.one(selector))

    def send(self, field: str, path: Any) -> None:
        """Choose a file and wait until it was sent."""
        self.script("document.querySelector(arguments[0]).value = ''", field)
        self.script("document.querySelector('#r_files_progress .progress-bar').textContent = ''")
        self.one(field).send_keys(str(path))
        self.wait_text("#r_files_progress", "Upload complete", 20)

    def fetched(self, selector: str) -> str:
        """What a download gives."""
        fetch = (
            "const done = arguments[arguments.length - 1];"
            "fetch(arguments[0]).then(r => r.text()).then(done, e => done('failed ' + e))"
        )
        link = wait_for(lambda: self.one(selector).get_attribute("href") or "")
        return str(self.browser.execute_async_script(fetch, link))

    def wait_text(self, selector: str, words: str, seconds: float = 60.0) -> str:
        try:
            return str(
                wait_for(lambda: (t := self.text(selector)) if words in (t := self.text(selector)) else "", seconds)
            )
        except AssertionError:
            shown = self.text(selector), self.text(".isc-error"), self.text(".isc-status")
            raise AssertionError(f"{selector} does not say {words!r} within {seconds:g} s but {shown}") from None

    def shot(self, folder: Path, name: str, section: str = "body") -> None:
        """Keep pictures of a section at desktop and phone width; nothing may need scrolling sideways."""
        findings: list[str] = []
        for width in (1280, 390):
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
            self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            wait_for(lambda w=width: self.script("return window.innerWidth") == w)
            wait_for(lambda w=width: self.script("return document.documentElement.scrollWidth") <= w, 10)
            wait_for(lambda: self.script(WIDTHS) == [], 10)
            height = self.script("return document.documentElement.scrollHeight")
            if "IMMUNESCAPE_SCREENSHOTS" in os.environ:
                self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**size, "height": height})
                time.sleep(1.5)
                wait_for(lambda: self.script(WIDTHS) == [], 10)
                self.one(section).screenshot(str(folder / f"{name}-{width}.png"))
                self.scheme("dark")
                time.sleep(1.0)
                self.one(section).screenshot(str(folder / f"{name}-{width}-dark.png"))
                self.scheme("light")
            findings += self.found_by_axe(width)
        self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        assert not findings, "\n".join(findings)

    def found_by_axe(self, width: int) -> list[str]:
        """What axe-core finds in dark and light, where it is installed."""
        source, findings = axe_source(), []
        for name in ("dark", "light") if source else ():
            self.scheme(name)
            wait_for(lambda n=name: self.script("return document.documentElement.dataset.bsTheme") == n, 10)
            time.sleep(1.0)  # colours change gradually
            findings += [f"{width} pixels, {name}: {text}" for text in axe_findings(self.browser, source)]
        return findings

    def accessible(self) -> None:
        """Fields are labelled, figures have words, tables have captions and headers, ids are unique."""
        wrong = self.script(CHECKS)
        assert wrong == []
        for name in ("dark", "light"):
            self.scheme(name)
            wait_for(lambda n=name: self.script("return document.documentElement.dataset.bsTheme") == n, 10)
            try:
                wait_for(lambda: self.faint() == [], 10)  # figures are drawn again, and colours change gradually
            except AssertionError:
                raise AssertionError(f"{name}: {self.faint()}") from None

    def scheme(self, name: str) -> None:
        """Have the system set to light or dark."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def faint(self) -> list[str]:
        """Texts whose contrast with what lies behind them is below 4.5 to 1."""
        return list(self.script(CONTRAST))


CONTRAST = """
const light = (c) => c.map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const parse = (text) => { const p = (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  return [p.slice(0, 3), p.length > 3 ? p[3] : 1]; };
const behind = (e) => { for (let at = e; at; at = at.parentElement) {
  const [rgb, alpha] = parse(getComputedStyle(at).backgroundColor);
  if (alpha > 0.5) return rgb; } return [255, 255, 255]; };
const faint = [];
document.querySelectorAll('body *').forEach((e) => {
  const svg = e instanceof SVGElement, own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!own || (!svg && e.offsetParent === null) || e.closest('option, script, style, [disabled]')) return;
  if (svg && !(e.tagName === 'text' || e.tagName === 'tspan')) return;
  const [rgb, alpha] = parse(svg ? getComputedStyle(e).fill : getComputedStyle(e).color);
  const [a, b] = [light(rgb), light(behind(e))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const what = e.textContent.trim().slice(0, 60) + ' <' + e.tagName + ' ' + e.getAttribute('class') + '>';
  if (ratio < 4.5 && alpha > 0) faint.push(ratio.toFixed(1) + ': ' + what);
});
return faint.slice(0, 20);
"""
WIDTHS = """
return [...document.querySelectorAll('.isc-plot')].filter((e) => e.offsetParent).map((e) =>
  [e.clientWidth, e.querySelector('.main-svg').getBoundingClientRect().width]).filter((p) => Math.abs(p[0] - p[1]) > 2);
"""
"""Figures that are not as wide as their cards."""
CHECKS = """
const wrong = [], seen = new Set();
const visible = (e) => e.offsetParent !== null;
document.querySelectorAll('[id]').forEach((e) => {
  if (seen.has(e.id)) wrong.push("id twice: " + e.id);
  seen.add(e.id);
});
document.querySelectorAll('input, select, textarea').forEach((e) => {
  if (!visible(e) || e.type === 'hidden' || e.readOnly) return;
  if (!(e.labels && e.labels.length) && !e.getAttribute('aria-label')) wrong.push('no label: ' + (e.id || e.outerHTML));
});
document.querySelectorAll('button, a').forEach((e) => {
  if (visible(e) && !e.textContent.trim() && !e.getAttribute('aria-label')) wrong.push('no name: ' + e.outerHTML);
});
document.querySelectorAll('.isc-plot').forEach((e) => {
  if ((e.getAttribute('aria-label') || '').length < 20) wrong.push('figure without words');
  const title = e.parentElement.querySelector('h3').textContent;
  if (!title || title.startsWith('[object')) wrong.push('figure without a title');
});
document.querySelectorAll('table.isc-table').forEach((t) => {
  if (!t.caption) wrong.push('table without caption');
  t.querySelectorAll('th').forEach((h) => { if (!h.scope) wrong.push('th without scope'); });
});
if (!document.documentElement.lang) wrong.push('no language');
if (!/not a medical device/.test(document.querySelector('.isc-notice').innerText)) wrong.push('no notice');
return wrong;
"""
