"""What `import immunescape` offers is documented: every parameter, what is returned (shape, unit), what is refused."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import immunescape
from immunescape.api import (
    DesignRun,
    ProfiledStudy,
    RankedCohort,
    RankedOptions,
    Twins,
    VirtualDesign,
    VirtualResult,
    VirtualTrial,
)
from immunescape.patients import PatientCourse, PatientCourses, VirtualPatient

RECORDS = (
    DesignRun,
    PatientCourse,
    PatientCourses,
    ProfiledStudy,
    RankedCohort,
    RankedOptions,
    Twins,
    VirtualDesign,
    VirtualPatient,
    VirtualResult,
    VirtualTrial,
)
"""What the functions return, whose methods a user calls."""


def offered() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every function of the public interface, and every public method of what it returns, by name."""
    for name in immunescape.__all__:
        if inspect.isfunction(value := getattr(immunescape, name)):
            yield name, value
    for record in RECORDS:
        for name, value in inspect.getmembers(record, inspect.isfunction):
            if not name.startswith("_"):
                yield f"{record.__name__}.{name}", value


def sections(function: Callable[..., Any]) -> dict[str, str]:
    """Sections of a numpy docstring by title; the text before the first is under ''."""
    pieces = re.split(r"^(\w+)\n-+$", inspect.getdoc(function) or "", flags=re.MULTILINE)
    return {"": pieces[0], **dict(zip(pieces[1::2], pieces[2::2], strict=True))}


def described(text: str) -> set[str]:
    """Names of a section: its lines that are not indented, which may hold several."""
    lines = (line.partition(":")[0] for line in text.splitlines() if line and not line[0].isspace())
    return {name.strip().lstrip("*") for line in lines for name in line.split(",")}


def lacking(function: Callable[..., Any]) -> list[str]:
    """What the docstring of a function does not say."""
    signature, found = inspect.signature(function), sections(function)
    parameters = set(signature.parameters) - {"self"}
    missing = [f"parameter {name}" for name in sorted(parameters - described(found.get("Parameters", "")))]
    missing += [f"there is no parameter {n}" for n in sorted(described(found.get("Parameters", "")) - parameters)]
    if str(signature.return_annotation) != "None" and not found.get("Returns", "").strip():
        missing.append("what is returned")
    if parameters and not found.get("Raises", "").strip():
        missing.append("what is refused")
    return missing


@pytest.mark.parametrize(("name", "function"), [pytest.param(n, f, id=n) for n, f in offered()])
def test_a_public_function_says_what_it_takes_returns_and_refuses(name: str, function: Callable[..., Any]) -> None:
    assert lacking(function) == [], name


def test_what_a_docstring_leaves_out_is_seen() -> None:
    def half(first: int, second: int = 0) -> int:
        """Add.

        Parameters
        ----------
        first, third
            A number.
        """
        return first + second

    assert lacking(half) == [
        "parameter second",
        "there is no parameter third",
        "what is returned",
        "what is refused",
    ]
