"""A study from files written on the spot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from immunescape.profile.assemble import Assembled, assemble
from immunescape.profile.loading import load_study

Profiled = Callable[..., Assembled]


@pytest.fixture
def profiled(tmp_path: Path) -> Profiled:
    """Write files and a manifest, and profile the folder.

    Call it with name -> (text or bytes, entry of the manifest); further keywords are keys of the manifest.
    """

    def make(files: Mapping[str, tuple[str | bytes, dict[str, Any]]], **manifest: Any) -> Assembled:
        for name, (text, _) in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        entries = [{"file": name, **entry} for name, (_, entry) in files.items() if entry]
        (tmp_path / "manifest.yaml").write_text(yaml.safe_dump({"study": "s", "files": entries, **manifest}))
        return assemble(load_study(tmp_path))

    return make
