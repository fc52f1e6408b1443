"""A running app and a real browser, where both are at hand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


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


@pytest.fixture(scope="session")
def app_temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that the app makes its temporary files in."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="session")
def app_address(new_browser: Callable[..., Any], app_temporary: Path) -> Iterator[str]:
    """Address of an app that runs in a process of its own; it ends while windows are open, and leaves nothing."""
    pytest.importorskip("shiny", reason="shiny is not installed: pip install 'immunescape[app]'")
    environment = {**os.environ, "TMPDIR": str(app_temporary)}
    command = [sys.executable, "-m", "immunescape.cli", "app", "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "http://127.0.0.1:" in line, line
        yield line.split()[2]
    finally:
        process.terminate()
        process.wait(20)
    assert process.returncode == 143
    assert list(app_temporary.iterdir()) == []


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Folder for screenshots: IMMUNESCAPE_SCREENSHOTS where it is set."""
    return Path(os.environ.get("IMMUNESCAPE_SCREENSHOTS", tmp_path))
