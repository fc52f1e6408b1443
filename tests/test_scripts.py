"""Whoever asks a script what it does must not start it: some write into the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAIN = 'if __name__ == "__main__":\n'
STARTED = [
    path
    for path in sorted([*(ROOT / "scripts").glob("*.py"), *(ROOT / "src" / "immunescape").rglob("*.py")])
    if f"\n{MAIN}" in path.read_text(encoding="utf-8") and path.name not in ("__main__.py", "processes.py")
]


@pytest.mark.parametrize("path", STARTED, ids=lambda path: path.stem)
def test_a_script_reads_its_arguments_before_it_does_anything(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "argparse.ArgumentParser(" in text or '"--help"' in text, f"{path.name} does not answer --help"


@pytest.mark.parametrize(
    ("started", "kept"),
    [
        (["scripts/write_units.py"], "src/immunescape/model/units.csv"),
        (["scripts/lock_claims.py"], "src/immunescape/knowledge/claims/lock.csv"),
        (
            ["-m", "immunescape.population.reference_baseline"],
            "src/immunescape/model/parameters/reference_strengths.csv",
        ),
    ],
    ids=lambda value: Path(value).stem if isinstance(value, str) else None,
)
def test_help_is_printed_and_changes_no_file(started: list[str], kept: str) -> None:
    before = (ROOT / kept).stat().st_mtime_ns
    done = subprocess.run([sys.executable, *started, "--help"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage:")
    assert (ROOT / kept).stat().st_mtime_ns == before
