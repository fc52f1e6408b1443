"""Fixtures of the model's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from toys import Toys, make_toys


@pytest.fixture
def toys(tmp_path: Path) -> Toys:
    """A tiny set of mechanisms in a temporary folder."""
    return make_toys(tmp_path)
