"""Every notebook of the documentation runs, cell by cell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "notebooks"
NOTEBOOKS = sorted(p for p in FOLDER.glob("*.md") if p.stem != "index")
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(?::[^\n]*\n)*(.*?)^```$", re.DOTALL | re.MULTILINE)


def script(text: str) -> str:
    """Return the cells of a notebook as one program, which draws without a screen."""
    cells = [c for c in CELL.findall(text)]
    body = "\n".join(cells)
    # what only a notebook has
    body = body.replace("from IPython.display import Image", "Image = lambda path, width: path")
    return f"import matplotlib\nmatplotlib.use('Agg')\n{body}"


def test_there_are_eight_notebooks_and_the_gallery_lists_them():
    gallery = (FOLDER / "index.md").read_text(encoding="utf-8").splitlines()
    assert len(NOTEBOOKS) >= 8
    assert all(p.stem in gallery for p in NOTEBOOKS)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_has_prose_between_its_cells_and_is_valid_python(notebook):
    text = notebook.read_text(encoding="utf-8")
    assert text.startswith("---\njupytext:")
    compile(script(text), notebook.name, "exec")
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert len(prose.split()) > 150


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs(notebook, tmp_path):
    program = tmp_path / "notebook.py"
    # engines that are timed in processes of their own import the program again
    text = script(notebook.read_text(encoding="utf-8"))
    program.write_text("if __name__ == '__main__':\n" + "".join(f"    {line}\n" for line in text.splitlines()))
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
