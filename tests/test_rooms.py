"""Packages import what lies below them, and nothing hides an import from this test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import immunescape

ROOT = Path(immunescape.__file__).parent
COMMON = {"console", "errors", "files", "units"}
KNOWLEDGE = COMMON | {"knowledge", "plugins", "registry"}
SIMULATION = KNOWLEDGE | {"stats", "engine", "parallel", "model", "population", "trial"}
RESULTS = SIMULATION | {"design", "patients", "evaluation", "profile", "twins"}
BELOW: dict[str, set[str]] = {
    "errors": set(),
    "console": set(),
    "units": set(),
    "files": {"errors"},
    "stats": {"errors"},
    "plugins": {"errors"},
    "registry": {"errors", "plugins"},
    "parallel": {"errors", "engine"},
    "knowledge": {"errors", "plugins"},
    "engine": {"errors", "registry"},
    "model": KNOWLEDGE | {"engine"},
    "population": KNOWLEDGE | {"engine", "model", "parallel"},
    "trial": SIMULATION - {"trial"},
    "design": SIMULATION - {"engine", "model"},
    "patients": SIMULATION,
    "profile": KNOWLEDGE | {"stats"},
    "evaluation": SIMULATION,
    "predictions": KNOWLEDGE | {"evaluation", "trial"},
    "twins": SIMULATION | {"evaluation", "profile"},
    "report": RESULTS,
    "api": RESULTS | {"report"},
    "testing": RESULTS - {"evaluation", "patients", "twins"},
    "app": RESULTS | {"report", "api", "predictions"},
    "cli": RESULTS | {"report", "api", "app", "predictions"},
}
"""Package or module -> what it may import. ``immunescape/__init__.py`` hands out what `api` offers, and no more."""


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    """Modules of ours that a file imports anywhere (also inside functions and for types alone), with the line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from ((name, node.lineno) for name in names if name.startswith("immunescape."))


def _package(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_every_package_is_placed() -> None:
    here = {_package(p) for p in ROOT.rglob("*.py")} - {"__init__"}
    assert here == set(BELOW)


@pytest.mark.parametrize("package", sorted(BELOW))
def test_a_package_imports_what_lies_below(package: str) -> None:
    paths = [p for p in sorted(ROOT.rglob("*.py")) if _package(p) == package]
    upward = [
        f"{p.relative_to(ROOT)}, line {line}: {name}"
        for p in paths
        for name, line in _imports(p)
        if name.split(".")[1] not in BELOW[package] | {package}
    ]
    assert not upward


def test_what_may_be_imported_forms_no_circle() -> None:
    left = {name: set(below) for name, below in BELOW.items()}
    while left:
        lowest = {name for name, below in left.items() if not below & set(left)}
        assert lowest, f"a circle among {sorted(left)}"
        left = {name: below for name, below in left.items() if name not in lowest}


def test_no_import_of_ours_is_written_as_text() -> None:
    """A module that is imported by its name would be an arrow that nobody sees; plug-ins alone are found so."""
    hidden = []
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called not in ("import_module", "__import__"):
                continue
            start = ast.unparse(node.args[0]).strip("'\"f").split("{")[0]
            if start.startswith("immunescape") and not start.startswith(f"immunescape.{_package(path)}."):
                hidden.append(f"{path.relative_to(ROOT)}, line {node.lineno}: {start}")
    assert not hidden
