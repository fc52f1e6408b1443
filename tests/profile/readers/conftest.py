"""A study from files written on the spot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml

from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.assemble import assemble
from immunescape.profile.biomarkers.registry import measure
from immunescape.profile.calls import CallTable
from immunescape.profile.loading import load_study
from immunescape.profile.study import Study


class _Measured:
    def __init__(self, study: Study) -> None:
        self._study = study

    def __getitem__(self, name: str) -> Mapping[str, Measurement]:
        return measure(self._study, [name])[name]


class Made:
    """A study that was read; what is measured and called of it is worked out when it is asked for."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.measured = _Measured(study)

    @cached_property
    def calls(self) -> CallTable:
        return assemble(self.study).calls


@pytest.fixture
def profiled(tmp_path: Path) -> Callable[..., Made]:
    """Write files and a manifest, and read the folder.

    Call it with name -> (text or bytes, entry of the manifest); further keywords are keys of the manifest.
    """

    def make(files: Mapping[str, tuple[str | bytes, dict[str, Any]]], **manifest: Any) -> Made:
        for name, (text, _) in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        entries = [{"file": name, **entry} for name, (_, entry) in files.items() if entry]
        (tmp_path / "manifest.yaml").write_text(yaml.safe_dump({"study": "s", "files": entries, **manifest}))
        return Made(load_study(tmp_path))

    return make
