"""Packages import what lies below them, and nothing hides an import from this test."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import immunescape

ROOT = Path(immunescape.__file__).parent
COMMON = {"console", "errors", "files", "release", "units"}
KNOWLEDGE = COMMON | {"knowledge", "plugins", "record_types", "registry"}
SIMULATION = KNOWLEDGE | {"library", "stats", "engine", "parallel", "model", "population", "trial"}
RESULTS = SIMULATION | {"design", "patients", "evaluation", "profile", "twins"}
BELOW: dict[str, set[str]] = {
    "errors": set(),
    "console": set(),
    "release": set(),
    "units": set(),
    "record_types": set(),
    "files": {"errors"},
    "stats": {"errors"},
    "plugins": {"errors"},
    "registry": {"errors", "plugins", "record_types"},
    "library": {"errors", "plugins"},
    "parallel": {"errors", "engine"},
    "knowledge": {"errors", "plugins", "registry"},
    "engine": {"errors", "files", "registry"},
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
    "__main__": {"cli"},
}
"""Package or module -> what it may import. ``immunescape/__init__.py`` hands out what `api` offers, and no more."""
ENGINE_BELOW: dict[str, set[str]] = {
    "api": set(),
    "jobs": {"api"},
    "ir": set(),
    "sbml": {"ir"},
    "codegen": {"ir"},
    "reference": {"api", "jobs", "ir", "sbml"},
    "native": {"api", "jobs", "ir", "sbml", "codegen", "reference"},
    "cuda": {"api", "jobs", "ir", "codegen", "native"},
    "oracle": {"api", "jobs", "ir", "sbml", "codegen", "native"},
}
"""Package or module of the engine -> those of the engine that it may import. The engines themselves are named, and
imported when asked for, by ``engine/__init__.py``."""


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    """Modules of ours that a file imports anywhere (also inside functions and for types alone), with the line."""
    for node in ast.walk(_tree(path)):
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


def test_the_guide_places_every_package() -> None:
    guide = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = guide.partition("## The packages")[2].partition("\n## ")[0]
    named = set(re.findall(r"\w+", section))
    assert {name for name in BELOW if (ROOT / name).is_dir()} <= named
    diagram = section.partition("```text")[2].partition("```")[0]
    assert set(re.findall(r"\w+", diagram)) - {"for", "all", "above"} <= set(BELOW)


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


def test_every_package_of_the_engine_is_placed() -> None:
    engine = ROOT / "engine"
    here = {p.relative_to(engine).parts[0].removesuffix(".py") for p in engine.rglob("*.py")} - {"__init__"}
    assert here == set(ENGINE_BELOW)


@pytest.mark.parametrize("package", sorted(ENGINE_BELOW))
def test_a_package_of_the_engine_imports_what_lies_below(package: str) -> None:
    engine = ROOT / "engine"
    paths = [p for p in sorted(engine.rglob("*.py")) if p.relative_to(engine).parts[0].removesuffix(".py") == package]
    upward = [
        f"{p.relative_to(ROOT)}, line {line}: {name}"
        for p in paths
        for name, line in _imports(p)
        if name.startswith("immunescape.engine.")
        and name.split(".")[2] not in ENGINE_BELOW[package] | {package, "get_engine"}
    ]
    assert paths
    assert not upward


@pytest.mark.parametrize("arrows", [BELOW, ENGINE_BELOW], ids=["packages", "engine"])
def test_what_may_be_imported_forms_no_circle(arrows: dict[str, set[str]]) -> None:
    left = {name: set(below) for name, below in arrows.items()}
    while left:
        lowest = {name for name, below in left.items() if not below & set(left)}
        assert lowest, f"a circle among {sorted(left)}"
        left = {name: below for name, below in left.items() if name not in lowest}


def _modules() -> dict[str, Path]:
    """Modules of the package by dotted name; a package goes by its ``__init__``."""
    dotted = {p: ".".join(p.relative_to(ROOT.parent).with_suffix("").parts) for p in sorted(ROOT.rglob("*.py"))}
    return {name.removesuffix(".__init__"): path for path, name in dotted.items()}


def _runtime_imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Dotted names that code imports when it runs, at the top and inside functions; blocks for type checkers apart."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        waiting += ast.iter_child_nodes(node)


def _imported_modules(sources: dict[str, ast.Module]) -> dict[str, dict[str, int]]:
    """Module -> modules among `sources` that it imports, with the line; a name out of a module counts as the module."""
    arrows: dict[str, dict[str, int]] = {}
    for module, tree in sources.items():
        arrows[module] = {}
        for name, line in _runtime_imports(tree):
            target = name if name in sources else name.rpartition(".")[0]
            if target in sources and target != module:
                arrows[module].setdefault(target, line)
    return arrows


def _circles(arrows: dict[str, dict[str, int]]) -> list[str]:
    """Circles of modules, each described by its arrows; every strongly connected set of modules gives one of them."""
    left = {module: set(targets) for module, targets in arrows.items()}
    while lowest := {m for m, targets in left.items() if not targets & set(left)}:
        left = {m: targets for m, targets in left.items() if m not in lowest}
    described = []
    while left:
        route = [min(left)]
        while True:
            following = min(left[route[-1]] & set(left))
            if following in route:
                break
            route.append(following)
        ring = [*route[route.index(following) :], following]
        described.append(", ".join(f"{a} line {arrows[a][b]} -> {b}" for a, b in itertools.pairwise(ring)))
        left = {m: targets for m, targets in left.items() if m not in ring}
        while lowest := {m for m, targets in left.items() if not targets & set(left)}:
            left = {m: targets for m, targets in left.items() if m not in lowest}
    return described


def test_no_two_modules_import_each_other_directly_or_by_way_of_others() -> None:
    """Neither at the top nor inside functions: a circle means that what both need has no module of its own."""
    circles = _circles(_imported_modules({name: _tree(path) for name, path in _modules().items()}))
    assert not circles, "\n".join(circles)


@pytest.mark.parametrize(
    ("first", "second", "circular"),
    [
        ("from p.b import x", "from p.a import y", True),
        ("from p import b", "import p.a", True),
        ("from p.b import x", "def f():\n    from p.a import y", True),
        ("class C:\n    def m(self):\n        if True:\n            import p.b", "from p.a import y", True),
        ("from p.b import x", "if TYPE_CHECKING:\n    from p.a import y", False),
        ("from p.b import x", "if typing.TYPE_CHECKING:\n    pass\nelse:\n    from p.a import y", True),
        ("from p.b import x", "from p import y", True),  # by way of the package, which imports both
        ("from p.b import x", "from q import y", False),
    ],
)
def test_a_circle_is_seen_wherever_its_imports_stand(first: str, second: str, circular: bool) -> None:
    sources = {"p": "from p.a import y", "p.a": first, "p.b": second, "p.c": "from p.a import y"}
    trees = {name: ast.parse(text) for name, text in sources.items()}
    assert bool(_circles(_imported_modules(trees))) == circular


def test_no_import_of_ours_is_written_as_text() -> None:
    """A module that is imported by its name would be an arrow that nobody sees; plug-ins alone are found so."""
    hidden = []
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(_tree(path)):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called not in ("import_module", "__import__"):
                continue
            start = ast.unparse(node.args[0]).strip("'\"f").split("{")[0]
            if start.startswith("immunescape") and not start.startswith(f"immunescape.{_package(path)}."):
                hidden.append(f"{path.relative_to(ROOT)}, line {node.lineno}: {start}")
    assert not hidden
