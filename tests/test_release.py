"""The installed release."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest

import immunescape
from immunescape import release


def test_every_record_names_the_installed_release() -> None:
    assert immunescape.__version__ == release.installed_version() == version("immunescape")


def test_files_that_are_not_installed_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(release, "version", missing)
    assert release.installed_version() == "unknown"
