"""Rooms import only what lies below them; the modules that all share import nothing but errors."""

from __future__ import annotations

import ast
from pathlib import Path

import immunescape

ROOT = Path(immunescape.__file__).parent
BELOW: dict[str, set[str]] = {
    "errors": set(),
    "plugins": {"errors"},
    "files": {"errors"},
    "parallel": {"errors", "engine"},
    "knowledge": {"errors", "plugins"},
    "engine": {"errors"},
    "model": {"errors", "plugins", "engine", "knowledge"},
    "population": {"errors", "plugins", "parallel", "model", "engine", "knowledge"},
    "trial": {"errors", "plugins", "files", "parallel", "model", "engine", "population", "knowledge"},
    "twins": {
        "errors",
        "files",
        "parallel",
        "model",
        "engine",
        "population",
        "trial",
        "profile",
        "knowledge",
        "evaluation",
    },
    "patients": {"errors", "files", "model", "engine", "population", "trial", "knowledge"},
    "profile": {"errors", "plugins", "knowledge"},
    "app": {
        "errors",
        "files",
        "parallel",
        "knowledge",
        "model",
        "trial",
        "patients",
        "profile",
        "evaluation",
        "report",
        "designs",
        "face",
        "profiles",
    },
    "evaluation": {"errors", "files", "parallel", "model", "engine", "population", "trial", "knowledge"},
}


def imported(path: Path) -> set[str]:
    """Rooms that a file names in its imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("immunescape.")}
    return found


def test_rooms_import_what_lies_below() -> None:
    wrong = []
    for room, below in BELOW.items():
        paths = sorted((ROOT / room).rglob("*.py")) or [ROOT / f"{room}.py"]
        wrong += [f"{p.relative_to(ROOT)}: {x}" for p in paths for x in imported(p) - below - {room}]
    assert not wrong
