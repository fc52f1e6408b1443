"""The suite itself: what would stop it only where all of it runs at once."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

SUITE = Path(__file__).parent


def test_files_of_tests_have_names_of_their_own() -> None:
    """Folders of tests are no packages, so that two modules of one name cannot be collected together."""
    places = defaultdict(list)
    for file in SUITE.rglob("test_*.py"):
        places[file.name].append(str(file.relative_to(SUITE)))
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_tests_that_run_at_night_are_slow_too() -> None:
    """``-m "not slow"`` on the command line takes the place of the default choice, which leaves both out."""
    wrong = []
    for file in SUITE.rglob("test_*.py"):
        lines = file.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if "mark.nightly" in line and file != Path(__file__):
                before = "\n".join(lines[max(number - 4, 0) : number + 6])
                if "mark.slow" not in before:
                    wrong.append(f"{file.name}:{number + 1}")
    assert wrong == []
