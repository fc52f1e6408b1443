"""Commands and programs that the documentation shows, and how each is run small or why it is not run.

Every block of ``bash`` or ``python`` in the pages is taken. A command is made small by `SMALL` (what is replaced) and
by `ADDED` (options added); `NOT_RUN` holds the reason for what cannot be run by a test.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "examples/plugin/README.md"]
)
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

NOT_RUN: tuple[tuple[str, str], ...] = (
    (r"^(pip|pipx|uv|uvx|python -m (venv|pip|build)|pre-commit|bash \.ci/\w+|docker)\b|^\. ", "installs: what CI does"),
    (r"^(pytest|python -m pytest)\b", "the tests themselves"),
    (r"^scripts/docs", "tests/docs/test_generated_pages.py builds the site"),
    (r"^python scripts/public_data", "downloads; tests/docs/test_public_data.py"),
    (r"^dask ", "opens a port; tests/parallel/test_same_on_a_cluster.py starts a cluster"),
    (r"--cluster", "needs a cluster; tests/parallel/test_same_on_a_cluster.py runs one"),
    (r"^immunescape app", "serves until it is stopped; tests/app walks through it"),
    (
        r"^immunescape (harness|calibrate|ablate) .*(FOLDER|DATA)",
        "takes public data and many minutes; tests/evaluation",
    ),
    (r"^immunescape validate", "all trials; tests/evaluation/test_scoreboard.py scores small ones"),
    (r"^immunescape ensemble", "each draw is anchored for half a minute; tests/evaluation/test_uncertainty.py"),
    (r"^immunescape sensitivity .*--method each", "minutes; tests/evaluation/test_uncertainty.py moves two parameters"),
    (r"^immunescape (twin|rank)", "takes minutes; tests/twins"),
    (r"^python scripts/front_table", "52,000 virtual patients; tests/evaluation/test_front_table.py"),
    (r"^python scripts/matched_platform", "a virtual trial of 2000 patients; tests/twins/test_matched.py"),
    (r"^python scripts/twin_sbc", "hundreds of virtual patients; tests/twins/test_sbc.py"),
    (r"^python scripts/twin_survey", "twins of 36 patients; tests/twins/test_twin_survey.py"),
    (r"^immunescape judge", "needs public data and minutes; tests/twins/test_judging.py"),
    (r"^immunescape credibility", "many trials; tests/evaluation runs it small"),
    (r"^immunescape predictions (make|enter)", "a phase 3 trial with three seeds; tests/predictions"),
    (r"domvanalimab|itaconate(?!\.xml)", "needs the plug-in; tests/test_plugins.py installs it"),
    (r"^immunescape claims --only metabolism", "a chapter takes minutes; tests/evaluation/test_claims.py"),
    (r"^immunescape (reference build|profile FOLDER --reference)", "needs 20 samples; tests/profile/biomarkers"),
    (r"--treated ARM", "the example has no arms; tests/profile/cohort"),
    (r"--unit CRP", "the example states its units; tests/profile/test_units_option.py"),
)
"""(what is not run, why)."""

SMALL: tuple[tuple[str, str], ...] = (
    (r"(--patients|-n) \d+", r"\1 4"),
    (r"--months 24", "--months 3"),
    (r"\bFOLDER\b|\bCOHORT\b", "{example}"),
    (r"--patient P1", "--patient EX-01"),
    (r"\bDIR\b|\bOUT\b", "made"),
    (r"\bexamples/sbml/", f"{ROOT}/examples/sbml/"),
)
"""(what is replaced, by what)."""

ADDED: tuple[tuple[str, str], ...] = (
    (r"^immunescape trial (?!.*--patients)(?!.*--template)", "--patients 4"),
    (r"^immunescape trial (?!.*--template)(?!.*--workers)", "--workers 1"),
    (r"^immunescape claims(?!.*(--only|--coverage|--changes|--must-not))", "--only ddr-ifn1"),
    (r"^immunescape claims(?!.*(--coverage|--changes))", "--patients 4"),
    (r"^immunescape claims --must-not", "--only {must_not}"),
    (r"^immunescape bench engine", "--patients 2 --limit 1"),
    (r"^immunescape design (?!size)(?!--template)(?!.*--replicates)", "--replicates 40 --workers 1"),
)
"""(command, options added)."""

SLOW = re.compile(
    r"^immunescape (trial (?!--)|profile (?!--[ts])|cohort|claims (?!--coverage|--changes)|claims$|bench|simulate|"
    r"design (?!size|--))"
)
"""Commands that simulate."""


@dataclass(frozen=True)
class Command:
    """One line of a block of ``bash``, without its comment."""

    page: str
    line: int
    text: str

    @property
    def why_not(self) -> str:
        """Why it is not run; '' where it is."""
        return next((why for pattern, why in NOT_RUN if re.search(pattern, self.text)), "")

    def small(self, **places: str) -> str:
        """Return the command with small numbers."""
        text = self.text
        for pattern, new in SMALL:
            text = re.sub(pattern, new, text)
        for pattern, options in ADDED:
            if re.search(pattern, text):
                head, sign, file = text.partition(" > ")
                text = f"{head} {options}{sign}{file}"
        return text.format(**places) if "{" in text else text


def blocks(page: Path) -> list[tuple[str, int, str]]:
    """Return (language, line, text) of each block of a page."""
    text = page.read_text(encoding="utf-8")
    return [(m.group(1).strip(), text[: m.start()].count("\n") + 2, m.group(2)) for m in FENCE.finditer(text)]


def without_comment(line: str) -> str:
    """Return a line of a shell without its comment."""
    words = shlex.split(line, comments=True, posix=False)
    return " ".join(words).removesuffix(" &")


def commands() -> list[Command]:
    """Return every command of every block of ``bash``."""
    every = []
    for page in PAGES:
        for language, start, text in blocks(page):
            if language not in ("bash", "sh", "console"):
                continue
            joined = text.replace("\\\n", "\0")
            number = start
            for line in joined.split("\n"):
                plain = without_comment(line.replace("\0", " "))
                for piece in plain.split(" && "):
                    if piece:
                        every.append(Command(str(page.relative_to(ROOT)), number, piece))
                number += 1 + line.count("\0")
    return every


def programs() -> list[tuple[str, str]]:
    """Return (page, program): all blocks of ``python`` of a page, one after the other."""
    found = []
    for page in PAGES:
        text = "\n".join(t for language, _, t in blocks(page) if language == "python")
        if text and page.name != "CONTRIBUTING.md":  # excerpts of files, which the tests of those files cover
            found.append((str(page.relative_to(ROOT)), text))
    return found
