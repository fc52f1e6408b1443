"""Pictures of the documentation: each is there, says in words what is seen, and all of them stay small."""

from __future__ import annotations

import ast
import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
SCRIPT = DOCS.parent / "scripts" / "screenshots.py"


def shown() -> dict[str, str]:
    """Pictures of the page: file name -> words."""
    text = (DOCS / "screenshots.md").read_text(encoding="utf-8")
    return {name: words for words, name in re.findall(r"!\[([^\]]*)\]\(screenshots/([^)]+)\)", text)}


def test_every_picture_is_there_and_shown() -> None:
    assert set(shown()) == {p.name for p in (DOCS / "screenshots").glob("*.png")}


def test_every_picture_says_what_is_seen() -> None:
    assert all(len(words) >= 20 for words in shown().values())
    assert len(set(shown().values())) == len(shown())


def test_all_pictures_together_stay_small() -> None:
    assert sum(p.stat().st_size for p in (DOCS / "screenshots").glob("*.png")) <= 3_000_000


def test_each_report_is_shown_as_a_desk_and_as_a_phone_has_it() -> None:
    stems = {name.rsplit("-", 1)[0] for name in shown()}
    assert {f"{stem}-{width}.png" for stem in stems for width in (1280, 390)} == set(shown())


def test_the_script_knows_every_picture_and_every_page_of_the_package() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    values = {
        n.targets[0].id: n.value for n in tree.body if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)
    }
    reports = {ast.literal_eval(key) for key in values["REPORTS"].keys if key is not None}
    views = set(ast.literal_eval(values["VIEWS"]))
    assert {n.rsplit("-", 1)[0] for n in shown()} <= {f"report-{r}" for r in reports} | {f"app-{v}" for v in views}
