"""Every command and program that README and documentation show is run, with small numbers."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from tests.docs.documented import NOT_RUN, PAGES, ROOT, SLOW, blocks, commands, programs
from typer.testing import CliRunner

COMMANDS = commands()
RUN = [c for c in COMMANDS if not c.why_not]
EXAMPLE = ROOT / "src" / "immunescape" / "profile" / "example"


def run(text: str) -> None:
    """Run one command of immunescape as a shell would."""
    from immunescape.cli import app

    command, _, file = text.partition(" > ")
    words = shlex.split(command)
    assert words[0] == "immunescape", f"no test knows how to run `{text}`; give the reason in NOT_RUN"
    result = CliRunner().invoke(app, words[1:])
    error = "" if result.exception is None else repr(result.exception)
    assert result.exit_code == 0, f"`{text}`: {error}\n{result.output[-2000:]}"
    if file:
        Path(file.strip()).write_text(result.stdout, encoding="utf-8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with what the pages take for granted: files of one's own, written as the pages say."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def prepared(text: str) -> None:
    """Write the files that a command names and that an earlier command of its page makes."""
    for name in re.findall(r"\b[\w-]+\.yaml\b", text.partition(" > ")[0]):
        kind = "design" if " design " in f" {text} " else "trial"
        run(f"immunescape {kind} --template > {name}")
        if name in ("a.yaml", "b.yaml"):  # designs side by side have names of their own
            file = Path(name)
            file.write_text(re.sub(r"^name: \S+", f"name: {file.stem}", file.read_text(), count=1, flags=re.MULTILINE))


def test_every_block_says_its_language():
    missing = [
        f"{page.relative_to(ROOT)}:{line}" for page in PAGES for language, line, _ in blocks(page) if not language
    ]
    assert not missing


def test_the_pages_show_commands_and_most_are_run():
    assert len(COMMANDS) > 50
    assert len(RUN) > 30
    unused = [pattern for pattern, _ in NOT_RUN if not any(re.search(pattern, c.text) for c in COMMANDS)]
    assert not unused, "reasons for commands that no page shows"


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(c, id=f"{c.page}:{c.line}:{c.text[:50]}", marks=[pytest.mark.slow] if SLOW.search(c.text) else [])
        for c in RUN
    ],
)
def test_a_documented_command_runs(command, folder):
    from immunescape.knowledge.must_not_records import load_must_not

    text = command.small(example=str(EXAMPLE), must_not=load_must_not()[0].id)
    if " predictions show " in text:
        from immunescape.predictions.ledger import read_predictions

        if not read_predictions():
            pytest.skip("no prediction is entered yet")
    prepared(text)
    run(text)


LEFT_OUT = {
    "docs/cluster.md": "needs a batch system or Kubernetes",
}
"""Page -> why its programs are not run."""

REPLACED = (
    (r"patients=(200|100_000)", "patients=4, workers=1"),
    (r"replicates=10_000", "replicates=40, workers=1"),
    (r"months=24", "months=3"),
    (r"n=1000", "n=4"),
    (r", 1000\)", ", 4)"),
    (r"full\(1000", "full(4"),
    (r'"(msk_nsclc_pd1_2018|my_study)"', repr(str(EXAMPLE))),
    (r"P-0000012", "EX-01"),
)
BEFORE = {
    "docs/engine.md": "import immunescape\n"
    "open('model.xml', 'w').write(immunescape.build_model(drugs='pembrolizumab').to_sbml())\n",
    "docs/response.md": "import pandas as pd\nframe = pd.DataFrame({'pdl1': [60.0, 1.0], 'nlr': [2.5, 6.0]})\n",
    "docs/cohort.md": "",
}
"""Page -> what a reader has at hand."""


@pytest.mark.parametrize("page", [page for page, _ in programs()])
def test_a_documented_program_is_python(page):
    compile(dict(programs())[page], page, "exec")


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page, _ in programs() if page not in LEFT_OUT])
def test_a_documented_program_runs(page, folder):
    import matplotlib

    matplotlib.use("Agg")
    text = dict(programs())[page]
    for pattern, new in REPLACED:
        text = re.sub(pattern, new.replace("\\", "\\\\"), text)
    exec(compile(BEFORE.get(page, "") + text, page, "exec"), {"__name__": "page"})
