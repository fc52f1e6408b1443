"""docs/design-questions.md prints what its twelve files give."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "design-questions.md").read_text(encoding="utf-8")
QUICK = 10
"""The question on response rates, which is simulated in a second."""


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("design_questions", ROOT / "benchmarks" / "design_questions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = _script()


def printed(k: int) -> str:
    """The part of the page on a question, without blank lines at its ends."""
    return re.split(r"(?m)^(?=## )", PAGE)[k].strip()


def test_the_page_holds_the_twelve_files_of_the_script() -> None:
    files = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert files == [text for _, text in SCRIPT.QUESTIONS]
    assert len(files) == 12
    assert f"{SCRIPT.REPLICATES:,} trials" in PAGE


def test_a_question_is_answered_as_printed() -> None:
    assert SCRIPT.section(QUICK, *SCRIPT.QUESTIONS[QUICK - 1], SCRIPT.REPLICATES).strip() == printed(QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("k", [k for k in range(1, 13) if k != QUICK])
def test_every_question_is_answered_as_printed(k: int) -> None:
    assert SCRIPT.section(k, *SCRIPT.QUESTIONS[k - 1], SCRIPT.REPLICATES).strip() == printed(k)
