"""A running app, where shiny is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


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
