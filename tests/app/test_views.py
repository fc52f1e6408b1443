"""The views in a real browser, as a person walks through them."""

from __future__ import annotations

import json
import shutil
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.app.browser_page import Page, wait_for
from tests.app.test_twin_cards import one_patient

from immunescape.app.evidence import claim_rows
from immunescape.profile.loading import example_folder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(app_address: str, new_browser: Callable[..., Any]) -> Page:
    return Page(new_browser(), app_address)


def test_a_patient_is_simulated_changed_compared_and_kept(page: Page, pictures: Path) -> None:
    wait_for(lambda: len(page.all("#p_figures .isc-card .main-svg")) > 8, 180)
    before = page.text("#p_outcome")
    assert "A: pembrolizumab 200 mg every 3 weeks" in before
    page.put("p_pdl1_tps-range", 60)
    page.wait_text("#p_code", "pdl1_tps=60")
    assert "--with pdl1_tps=60" in page.text("#p_code")
    # once drawn, a change of the immune state is shown within about a second; a loaded machine needs several
    page.script("window.began = performance.now()")
    page.put("f_k_kill-range", 2)
    page.wait_text("#p_code", "k_kill=x4")
    assert page.script("return performance.now() - window.began") < 15000, "as long as a new compilation"
    page.click("#p_limit")
    page.wait_text("#p_steps", "MHC class I")
    assert page.text("#p_steps").count("(limits)") <= 2
    assert "--limiting" in page.text("#p_code")
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
    content = json.loads(page.fetched("#p_json"))
    assert [c["label"] for c in content] == ["pembrolizumab 200 mg every 3 weeks", "no treatment"]
    assert content[0]["patient"]["covariates"]["pdl1_tps"] == 60
    assert content[0]["patient"]["changes"] == {"k_kill": "x4"}


def test_a_trial_is_run_beside_what_was_published_and_can_be_cancelled(page: Page, pictures: Path) -> None:
    page.view("trial")
    page.put("t_patients-range", 10)
    wait_for(lambda: page.script("return Shiny.shinyapp.$inputValues['t_patients']") == 10)
    page.click("#t_run")
    page.wait_text("#t_message", "model")
    page.click("#t_cancel")
    page.wait_text("#t_message", "Cancelled")
    page.put("t_text", "name: mine\narms: 3\n")
    page.click("#t_run")
    page.wait_text("#t_message", "trial.yaml, line 2")
    page.put("t_name", "oak")
    wait_for(lambda: "atezolizumab" in page.one("#t_text").get_attribute("value"))
    page.put("t_name", "keynote-024")
    wait_for(lambda: "KEYNOTE-024" in page.one("#t_text").get_attribute("value"))
    page.click("#t_run")
    assert "immunescape trial keynote-024 --patients 10 --seed 1" in page.wait_text("#t_code", "immunescape trial", 180)
    assert "44.8 (36.8 to 53.0)" in page.text("#t_tables")
    wait_for(lambda: len(page.all("#t_figures .main-svg")) >= 2)
    page.accessible()
    page.shot(pictures, "trial")
    assert json.loads(page.fetched("#t_json"))["trial"] == "keynote-024"
    assert page.fetched("#t_yaml").startswith("#")


def test_files_become_a_card_and_wrong_files_an_error(page: Page, pictures: Path, tmp_path: Path) -> None:
    page.view("profile")
    wrong = tmp_path / "manifest.yaml"
    wrong.write_text("study: s\nfiles:\n  - {file: ../../../etc/passwd, format: samples}\n")
    page.send("#r_files", wrong)
    page.click("#r_run")
    page.wait_text("#r_message", "points outside the study's folder")
    example = shutil.make_archive(str(tmp_path / "case"), "zip", example_folder())
    page.send("#r_files", example)
    page.click("#r_run")
    text = page.wait_text("#r_card", "Mechanisms of resistance", 180)
    assert "EX-01" in page.text("#r_choose")
    assert "present" in text
    assert "immunescape profile FOLDER" in page.text("#r_code")
    page.put("r_patient", "3")
    page.wait_text("#r_code", "EX-04")
    page.accessible()
    page.shot(pictures, "profile")


def test_twins_are_drawn_of_the_patient_shown_and_the_options_ranked_on_them(
    page: Page, pictures: Path, tmp_path: Path
) -> None:
    page.view("profile")
    page.click("#r_example")
    page.wait_text("#r_choose", "example", 180)
    page.wait_text("#r_card", "Mechanisms of resistance", 180)
    page.click("#k_run")
    page.wait_text("#k_message", "drawing twins")
    page.click("#k_cancel")
    page.wait_text("#k_message", "Cancelled")
    # a patient of whom little is known: other files clear what was shown of the last one
    study = shutil.make_archive(str(tmp_path / "letter"), "zip", one_patient(tmp_path / "study"))
    page.send("#r_files", study)
    page.click("#r_run")
    page.wait_text("#r_choose", "letter", 180)
    wait_for(lambda: not page.text("#k_message"))
    page.put("k_options", "- {name: mine, regimen: docetaxle 75 mg/m2 every 3 weeks}")
    wait_for(lambda: "docetaxle" in page.script("return Shiny.shinyapp.$inputValues['k_options']"))
    page.click("#k_run")
    assert "docetaxel" in page.wait_text("#k_message", "unknown drug", 180)
    assert "immunescape-" not in page.text("#k_message"), "no folder of the machine is named"
    page.put("k_options", "- {name: mine, regimen: docetaxel 75 mg/m2 every 3 weeks}")
    wait_for(lambda: "docetaxel" in page.script("return Shiny.shinyapp.$inputValues['k_options']"))
    page.put("k_toxicity-range", 0.3)
    wait_for(lambda: page.script("return Shiny.shinyapp.$inputValues['k_toxicity']") == 0.3)
    page.click("#w_run")
    page.wait_text("#w_message", " of 200 twins", 300)
    command = page.wait_text("#w_code", "immunescape twin", 600)
    assert "immunescape twin FOLDER --patient P1 --twins 200 --seed 1 --out twins" in command
    assert "alive at 12 months" in page.text("#w_tables")
    stored = json.loads(page.fetched("#w_json"))
    assert f"{100 * stored['forecast']['os_12']:.0f} %" in page.text("#w_tables")
    page.click("#k_run")
    command = page.wait_text("#k_code", "immunescape rank", 900)
    assert "rank FOLDER --patient P1 --options options.yaml --weight survival=1" in command
    assert "mine" in page.text("#k_tables")
    assert "(standard)" in page.text("#k_tables")
    assert "--weight" not in page.text("#k_tables")
    broken = "return [...document.querySelectorAll('#k_tables .isc-whole')].map((e) => e.getClientRects().length)"
    assert set(page.script(broken)) == {1}, "intervals stand on one line each"
    wait_for(lambda: len(page.all("#k_figures .main-svg")) >= 2)
    assert page.fetched("#k_csv").startswith("option,evidence,role")
    assert json.loads(page.fetched("#k_json"))["patient"] == "P1"
    page.accessible()
    page.shot(pictures, "twins", "section[aria-label='Twins and ranking']")


def test_a_file_that_is_too_large_is_not_sent(page: Page, tmp_path: Path) -> None:
    page.view("profile")
    large = tmp_path / "large.csv"
    with large.open("wb") as stream:
        stream.truncate(65 << 20)
    page.one("#r_files").send_keys(str(large))
    page.wait_text(".isc-upload-error", "too large")
    assert page.one("#r_files").get_attribute("value") == ""


def test_a_design_is_simulated_under_a_changed_assumption(page: Page, pictures: Path) -> None:
    page.view("design")
    wait_for(lambda: page.all("#d_a11-range"))
    page.put("d_a6-range", 0.7)
    page.put("d_replicates-range", 50)
    wait_for(lambda: page.script("return Shiny.shinyapp.$inputValues['d_a6']") == 0.7)
    wait_for(lambda: page.script("return Shiny.shinyapp.$inputValues['d_replicates']") == 50)
    page.click("#d_run")
    assert "immunescape design design.yaml --replicates 50 --seed 1" in page.wait_text("#d_code", "immunescape", 180)
    assert "null" in page.text("#d_tables")
    assert "hazard_ratio: 0.7}" in page.fetched("#d_yaml")
    wait_for(lambda: len(page.all("#d_figures .main-svg")) >= 2)
    page.accessible()
    page.shot(pictures, "design")


def test_stored_results_are_shown_and_claims_searched(page: Page, pictures: Path) -> None:
    page.view("evidence")
    page.wait_text("#e_content", "Calibration trials")
    labels = "return [...document.querySelectorAll('.isc-page td')].map((e) => e.dataset.label)"
    assert "published (95 %)" in wait_for(lambda: page.script(labels)), "on a phone each value stands beside its name"
    cells = "return ['td.isc-head', 'td.isc-number'].map((s) => document.querySelectorAll('.isc-page ' + s).length)"
    headings, numbers = page.script(cells)
    links = "return [...document.querySelectorAll('.isc-chapters a')].map((a) => a.getAttribute('href'))"
    chapters = page.script(links)
    assert len(chapters) == len(page.all(".isc-page h2")) == len([c for c in chapters if page.all(c)])
    assert headings >= 2 * len(page.all(".isc-page tbody tr")), "rows are headed by what tells them apart"
    assert numbers > 0
    page.accessible()
    page.shot(pictures, "evidence")
    page.put("e_page", "claims-results")
    page.wait_text("#e_content", "Claims that do not hold")
    page.put("e_page", "claims")
    every = f"{len(claim_rows())} of {len(claim_rows())} claims"
    page.wait_text("#e_claims", every)
    page.put("e_search", "lactate")
    wait_for(lambda: "lactate-treg" in page.text("#e_claims") and every not in page.text("#e_claims"))
    page.shot(pictures, "claims")


def test_two_windows_do_not_share_what_they_show(page: Page, app_address: str, new_browser: Callable[..., Any]) -> None:
    other = Page(new_browser(), app_address)
    wait_for(lambda: other.all("#p_figures .isc-card"), 60)
    assert "k_kill" not in other.text("#p_code")
    assert "--seed 7" in other.text("#p_code")
    other.put("p_seed", 11)
    other.wait_text("#p_code", "--seed 11")
    page.view("patient")
    page.wait_text("#p_code", "--seed 7")
    page.put("f_k_kill-range", 2)
    page.wait_text("#p_code", "k_kill=x4")
    assert "k_kill" not in other.text("#p_code")
    assert not other.text("#t_code")
    assert not other.text("#r_card")
    other.browser.close()


def test_what_was_sent_and_computed_is_deleted_when_the_window_closes(
    app_address: str, app_temporary: Path, new_browser: Callable[..., Any], tmp_path: Path
) -> None:
    sent = tmp_path / "case.csv"
    sent.write_text("sample,gene\n")
    before = set(app_temporary.iterdir())
    guest = Page(new_browser(), app_address)
    guest.view("profile")
    guest.send("#r_files", sent)
    made = wait_for(lambda: set(app_temporary.iterdir()) - before)
    assert any(p.read_text() == "sample,gene\n" for p in app_temporary.rglob("*.csv"))
    assert all(p.stat().st_mode & 0o077 == 0 for p in made), "no other user of the machine can look into them"
    guest.browser.quit()
    wait_for(lambda: not set(app_temporary.iterdir()) - before, 30)


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
