"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of public reference data that is not part of the package; tests skip where it is absent."""
    root = Path(os.environ.get("IMMUNESCAPE_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
    if not root.is_dir():
        pytest.skip(f"reference data not found at {root}; set IMMUNESCAPE_SHARED to the folder that holds data/")
    return root
