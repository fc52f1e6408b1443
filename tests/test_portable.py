"""What Windows and macOS need: no module of POSIX alone is imported, and processes that start from nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import immunescape

ROOT = Path(immunescape.__file__).parent
POSIX_ONLY = (
    "fcntl",
    "grp",
    "nis",
    "posix",
    "posixpath",
    "pty",
    "pwd",
    "resource",
    "spwd",
    "syslog",
    "termios",
    "tty",
)
"""Modules that Python for Windows lacks (``posixpath`` is there, but handles no path of Windows)."""
BLOCKED = ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty")
"""Those that Python's own library does without as well."""


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    blocked = f"import sys\nfor name in {BLOCKED!r}: sys.modules[name] = None\n"  # importing one of them fails
    return subprocess.run(
        [sys.executable, "-c", blocked + code, *arguments], capture_output=True, text=True, check=False, timeout=300
    )


def test_no_module_imports_what_windows_lacks_when_it_is_imported():
    found = []
    for path in ROOT.rglob("*.py"):
        for node in ast.parse(
            path.read_text(encoding="utf-8")
        ).body:  # imports within functions may depend on the system
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path}, line {node.lineno}: {name}" for name in names if name.split(".")[0] in POSIX_ONLY]
    assert not found


def test_the_command_line_starts_without_modules_of_posix():
    done = run("sys.argv = ['immunescape', '--help']\nfrom immunescape.cli import main\nmain()")
    assert done.returncode == 0, done.stderr
    assert "trial" in done.stdout


def test_everything_that_a_trial_imports_works_without_modules_of_posix():
    done = run(
        "import importlib, pkgutil\n"
        "for room in ('model', 'engine', 'population', 'trial', 'parallel', 'report', 'knowledge'):\n"
        "    folder = importlib.import_module(f'immunescape.{room}')\n"
        "    for module in pkgutil.walk_packages(folder.__path__, folder.__name__ + '.'):\n"
        "        importlib.import_module(module.name)\n"
        "import immunescape\n"
        "trial = immunescape.load_trial('keynote-024')\n"
        "from immunescape.model.stored import registered_model\n"
        "print(len(registered_model(trial.spec.drugs).states))\n"
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


@pytest.mark.slow
def test_workers_that_start_from_nothing_give_the_same_bytes_without_a_guarded_main_module(tmp_path):
    # as on Windows and macOS; the script has no `if __name__ == "__main__"`, which such systems else ask for
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing, sys\n"
        "multiprocessing.set_start_method('spawn')\n"
        "import immunescape\n"
        "result = immunescape.load_trial('keynote-024').run(patients=2, seed=3, workers=int(sys.argv[1]))\n"
        "result.patients.to_parquet(sys.argv[2], index=False)\n"
    )
    tables = []
    for workers in ("1", "2"):
        table = tmp_path / f"{workers}.parquet"
        done = subprocess.run(
            [sys.executable, str(script), workers, str(table)], capture_output=True, text=True, check=False, timeout=600
        )
        assert done.returncode == 0, done.stderr
        tables.append(table.read_bytes())
    assert tables[0] == tables[1]
