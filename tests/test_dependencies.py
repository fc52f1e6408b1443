"""What the package imports is installed with it, or belongs to an extra that an error names."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = {"pyyaml": "yaml", "python-libsbml": "libsbml", "libroadrunner": "roadrunner", "biom-format": "biom"}
"""Distributions whose module bears another name."""
WITH = {"pydantic_core": "pydantic", "markupsafe": "jinja2", "htmltools": "shiny"}
"""Modules that another dependency always brings."""


def modules_of(requirements: list[str]) -> set[str]:
    """Modules of some requirements."""
    names = {re.split(r"[\s<>=\[;]", r)[0] for r in requirements}
    return {MODULES.get(n, n.replace("-", "_")) for n in names}


def imported() -> dict[str, str]:
    """Top-level module -> a file that imports it."""
    modules: dict[str, str] = {}
    for file in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            else:
                continue
            for name in names:
                modules.setdefault(name.split(".")[0], str(file.relative_to(ROOT)))
    return modules


def test_every_import_is_a_dependency_or_of_an_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    core = modules_of(project["dependencies"])
    users = {k: v for k, v in project["optional-dependencies"].items() if k not in ("test", "dev", "docs")}
    extras = modules_of([r for requirements in users.values() for r in requirements])
    for module, file in imported().items():
        name = WITH.get(module, module)
        assert name in sys.stdlib_module_names or name == "immunescape" or name in core | extras, f"{module} in {file}"


def test_no_module_of_an_extra_is_imported_at_the_top_of_a_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    core = modules_of(project["dependencies"])
    views = ROOT / "src" / "immunescape" / "app" / "views"  # the app's own, which nothing but the running app imports
    for file in sorted(f for f in (ROOT / "src").rglob("*.py") if views not in f.parents):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:  # not within functions or TYPE_CHECKING
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in (n.split(".")[0] for n in names):
                known = name in sys.stdlib_module_names or name == "immunescape"
                assert known or WITH.get(name, name) in core, f"{name} at the top of {file.name}"
