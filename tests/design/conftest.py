"""Frozen tables for the tests of designs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def rpact() -> dict[str, Any]:
    """Frozen results of rpact; the script that made them lies beside."""
    return json.loads((Path(__file__).parent / "oracles" / "rpact.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def rpact_simulation() -> dict[str, Any]:
    """Frozen simulations of rpact: adaptive designs."""
    return json.loads((Path(__file__).parent / "oracles" / "rpact_simulation.json").read_text(encoding="utf-8"))
