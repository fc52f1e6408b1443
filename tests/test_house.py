"""The source keeps its measure: short files and functions, and a script that counts right."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]

SOURCE = '''"""A module."""

import os  # a reason


def double(found, n):
    """Return twice n."""
    # another reason
    if n and found:
        return [2 * x for x in n if x]
    return n.found_at  # noqa: X
'''


@pytest.fixture(scope="module")
def metrics() -> ModuleType:
    spec = importlib.util.spec_from_file_location("house_metrics", ROOT / "scripts" / "house_metrics.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["house_metrics"] = module
    spec.loader.exec_module(module)
    return module


def test_lines_branches_vague_names_and_comments_are_counted(metrics: ModuleType) -> None:
    source = metrics.Source("engine/codegen/tape.py", SOURCE)
    (function,) = source.functions()
    assert metrics.length(function) == 6
    assert metrics.complexity(function) == 5  # itself, if, and, for, if
    assert source.vague_names() == {"found": 2, "found_at": 1}
    assert source.comments() == 2
    assert source.code() == 5


def test_the_numerics_whose_comments_are_counted_are_there(metrics: ModuleType) -> None:
    tree = metrics.Tree.read(ROOT)
    assert all(float(tree.comments_per_100_lines(patterns)) > 5 for patterns in metrics.NUMERICS.values())


def test_a_folder_without_the_package_is_refused(metrics: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no src/immunescape"):
        metrics.main([str(tmp_path)])


def test_the_formatter_is_on_everywhere_and_names_state_what_they_hold(metrics: ModuleType) -> None:
    tree = metrics.Tree.read(ROOT)
    assert [s.path for s in tree.sources if "# fmt: " in s.text] == []
    assert {s.path: s.vague_names() for s in tree.sources if s.vague_names()} == {}


def test_no_file_is_over_600_lines_and_no_function_over_100(metrics: ModuleType) -> None:
    tree = metrics.Tree.read(ROOT)
    assert {s.path: s.lines for s in tree.sources if s.lines > 600} == {}
    assert [place for lines, _, place in tree.functions if lines > 100] == []
