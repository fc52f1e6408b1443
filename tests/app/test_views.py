"""The views in a real browser, as a person walks through them."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.app.browser_page import Page, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(app_address: str, new_browser: Callable[..., Any]) -> Page:
    return Page(new_browser(), app_address)


def test_a_patient_is_simulated_changed_compared_and_kept(page: Page, pictures: Path) -> None:
    wait_for(lambda: len(page.all("#p_figures .isc-card .main-svg")) > 8, 180)
    before = page.text("#p_outcome")
    assert "A: pembrolizumab 200 mg every 3 weeks" in before
    page.put("p_pdl1_tps-range", 80)
    page.wait_text("#p_code", "pdl1_tps=80")
    assert "--with pdl1_tps=80" in page.text("#p_code")
    # once drawn, a change of the immune state is shown within about a second
    page.script("window.began = performance.now()")
    page.put("f_k_kill-range", 2)
    page.wait_text("#p_code", "k_kill=x4")
    assert (
        page.script("return performance.now() - window.began") < 5000
    )  # a loaded machine; about one second on a free one
    page.put("p_more", "kill_rate")
    wait_for(lambda: page.all(".isc-card[data-key=kill_rate]"))
    page.accessible()
    page.shot(pictures, "patient")


def test_a_drug_is_completed_after_the_plus(page: Page) -> None:
    page.script(
        "const e = document.getElementById('regimen_b'); e.value = 'carboplatin AUC 5 every 3 weeks + pembrol';"
        "e.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    proposed = page.script("return [...document.querySelectorAll('#regimen_b-list option')].map((o) => o.value)")
    assert "carboplatin AUC 5 every 3 weeks + pembrolizumab 2 mg/kg every 3 weeks for up to 24 months" in proposed
    page.put("regimen_b", "pembrolizumap 200 mg every 3 weeks")
    assert "pembrolizumab" in page.wait_text("#p_error", "unknown drug")
    page.put("regimen_b", "none")
    wait_for(lambda: not page.text("#p_error"))


def test_a_course_is_downloaded_as_it_is_shown(page: Page) -> None:
    link = page.one("#p_json").get_attribute("href")
    fetch = (
        "const done = arguments[arguments.length - 1];"
        "fetch(arguments[0]).then(r => r.text()).then(done, e => done('failed ' + e))"
    )
    content = json.loads(page.browser.execute_async_script(fetch, link))
    assert [c["label"] for c in content] == ["pembrolizumab 200 mg every 3 weeks", "no treatment"]
    assert content[0]["patient"]["covariates"]["pdl1_tps"] == 80
    assert content[0]["patient"]["changes"] == {"k_kill": "x4"}


def test_two_windows_do_not_share_what_they_show(page: Page, app_address: str, new_browser: Callable[..., Any]) -> None:
    other = Page(new_browser(), app_address)
    wait_for(lambda: other.all("#p_figures .isc-card"), 60)
    assert "k_kill" not in other.text("#p_code")
    assert "--seed 7" in other.text("#p_code")
    other.put("p_seed", 11)
    other.wait_text("#p_code", "--seed 11")
    assert "--seed 7" in page.text("#p_code")
    assert "k_kill=x4" in page.text("#p_code")
    other.browser.close()


def test_nothing_is_loaded_from_elsewhere_and_nothing_fails(page: Page, app_address: str) -> None:
    own = urllib.parse.urlsplit(app_address).netloc
    for entry in page.browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = urllib.parse.urlsplit(message["params"]["request"]["url"])
            assert url.scheme in ("data", "blob") or url.netloc == own, url
        if message["method"] == "Network.webSocketCreated":
            assert urllib.parse.urlsplit(message["params"]["url"]).netloc == own
    severe = [e["message"] for e in page.browser.get_log("browser") if e["level"] == "SEVERE"]
    assert severe == []
