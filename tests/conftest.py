"""Fixtures that every test may use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SUITE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Give the whole suite a process per core and whole files to each; a part of it runs in one, as debuggers want.

    ``-n 0`` runs the whole suite in one process too.
    """
    option = config.option
    whole = all(Path(argument).resolve() in (SUITE, SUITE.parent) for argument in config.args)
    selected = option.keyword or option.usepdb or option.collectonly
    if whole and not selected and not hasattr(config, "workerinput") and getattr(option, "numprocesses", 0) is None:
        option.numprocesses = "auto"
        option.dist = "loadfile"
        option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with slow tests first, so that no process is left alone with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of public reference data that is not part of the package; tests skip where it is absent."""
    root = Path(os.environ.get("IMMUNESCAPE_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
    if not root.is_dir():
        pytest.skip(f"reference data not found at {root}; set IMMUNESCAPE_SHARED to the folder that holds data/")
    return root


@pytest.fixture(scope="session")
def new_browser() -> Iterator[Callable[..., Any]]:
    """Make headless browsers; all are closed at the end."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    binary = next((p for p in map(shutil.which, names) if p), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("no Chromium with its chromedriver is on PATH")
    made = []

    def make(width: int = 1280, height: int = 900) -> Any:
        options = webdriver.ChromeOptions()
        options.binary_location = binary
        for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--window-size={width},{height}"):
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        browser = webdriver.Chrome(options=options, service=Service(driver))
        browser.set_script_timeout(60)
        made.append(browser)
        return browser

    yield make
    for browser in made:
        browser.quit()


@pytest.fixture(autouse=True)
def _every_report_obeys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the rules of all reports of each HTML page that a test writes."""
    from tests.report.page_rules import page_faults

    from immunescape.report import writing

    write = writing.write_whole

    def checked(path: Path, content: bytes) -> None:
        write(path, content)
        faults = page_faults(content.decode("utf-8"))
        assert not faults, f"{path.name}: {faults}"

    monkeypatch.setattr(writing, "write_whole", checked)
