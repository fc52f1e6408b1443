"""Calls read as sentences: beyond six arguments, everything is named."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import immunescape

ROOT = Path(immunescape.__file__).parent
MOST = 6
EXCEPTIONS: dict[str, str] = {}
"""``path:name`` -> why it takes more; none does."""


def fields_before_keywords(node: ast.ClassDef) -> int | None:
    """Return how many fields a dataclass takes by position; None for any other class."""
    decorators = [d for d in node.decorator_list if "dataclass" in ast.unparse(d)]
    if not decorators:
        return None
    if "kw_only=True" in ast.unparse(decorators[0]):
        return 0
    count = 0
    for field in node.body:
        if isinstance(field, ast.AnnAssign):
            annotation = ast.unparse(field.annotation)
            if annotation.endswith("KW_ONLY"):
                break
            initialised = field.value is None or "init=False" not in ast.unparse(field.value)
            count += initialised and "ClassVar" not in annotation
    return count


def positions(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many parameters a function takes by position, ``self`` and ``cls`` left out."""
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def positional(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Return what can be called, with its number of positional parameters."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, positions(node)
        elif isinstance(node, ast.ClassDef) and (count := fields_before_keywords(node)) is not None:
            yield node.name, count


def test_no_function_or_record_takes_more_than_six_arguments_by_position() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{name}": count
        for path in sorted(ROOT.rglob("*.py"))
        for name, count in positional(ast.parse(path.read_text(encoding="utf-8")))
        if count > MOST
    }
    assert set(long) == set(EXCEPTIONS), {name: long[name] for name in long if name not in EXCEPTIONS}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(a, b, c, d, e, f, g): ...", 7),
        ("def f(a, *, b, c, d, e, f, g): ...", 1),
        ("class C:\n    def f(self, a, b): ...", 2),
        ("@dataclass(frozen=True)\nclass C:\n    a: int\n    b: int = field(init=False)\n    c: int = 0", 2),
        ("@dataclass\nclass C:\n    a: int\n    _: KW_ONLY\n    b: int = 0", 1),
        ("@dataclass(frozen=True, kw_only=True)\nclass C:\n    a: int", 0),
    ],
)
def test_positional_parameters_are_counted(source: str, expected: int) -> None:
    ((_, count),) = positional(ast.parse(source))
    assert count == expected
