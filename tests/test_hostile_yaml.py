"""Files that are no good YAML: every command that reads one answers with the file's name, and none with a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from immunescape.cli import app
from immunescape.errors import ImmunescapeError

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + k)}: &{chr(98 + k)} [{','.join(['*' + chr(97 + k)] * 9)}]\n" for k in range(9)
)
HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "only_comments": b"# nothing\n\n",
    "null": b"~\n",
    "number": b"3\n",
    "text": b"just words\n",
    "list": b"- a\n- b\n",
    "unknown_keys": b"nmae: x\nfoo: {bar: 1}\n",
    "wrong_types": b"name: [1, 2]\ntitle: {a: b}\narms: 7\nfiles: yes\nmechanisms: 3\nlooks: x\n",
    "not_a_number": b"name: x\npatients: .nan\narms: [{name: a, n: .inf}]\nalpha: -.inf\n",
    "negative": b"name: x\npatients: -5\narms: [{name: a, n: -3, regimen: none}]\n",
    "huge": b"name: x\npatients: 1" + b"0" * 400 + b"\narms: []\n",
    "huge_exponent": b"name: x\npatients: 1.0e+9999\n",
    "python_tag": b"name: !!python/object/apply:os.system ['echo hacked']\n",
    "own_tag": b"name: !mine x\n",
    "anchor_bomb": BOMB.encode(),
    "cyclic_anchor": b"&a [*a]\n",
    "cyclic_mapping": b"name: &n {x: *n}\narms: *n\n",
    "merge_of_text": b"<<: words\nname: x\n",
    "twice": b"name: x\nname: y\n",
    "list_as_key": b"? [a, b]\n: c\n",
    "mapping_as_key": b"? {a: b}\n: c\n",
    "bad_date": b"name: 2024-99-99\n",
    "broken": b"name: [a, b\narms: }\n",
    "tabs": b"name:\tx\n\tarms: y\n",
    "two_documents": b"name: x\n---\nname: y\n",
    "control_characters": b"name: \x00\x01\n",
    "binary": bytes(range(256)),
    "latin_1": "name: Pr\u00fcfung\n".encode("latin-1"),
    "utf_16": "name: x\n".encode("utf-16"),
    "byte_order_mark": b"\xef\xbb\xbfnmae: x\n",
    "carriage_returns": b"nmae: x\r\nfoo: 1\r\n",
    "deep": b"a: " + b"[" * 1200 + b"]" * 1200 + b"\n",
    "surrogate": b'name: "\\ud800"\n',
    "boolean_keys": b"yes: 1\nno: 2\n1: 3\nnull: 4\n",
}
FEW = ("empty", "list", "python_tag", "control_characters", "latin_1", "broken")
"""Tried with commands that read a file as another one does."""
READERS = ("trial", "design", "profile rules", "profile manifest")
COMMANDS: dict[str, list[str]] = {
    "trial": ["trial", "FILE", "-n", "2", "-w", "1", "--out", "OUT"],
    "show": ["show", "FILE"],
    "design": ["design", "FILE", "-r", "1", "-w", "1", "--out", "OUT"],
    "design size": ["design", "size", "FILE"],
    "two designs": ["design", "pdl1-enrichment", "FILE", "-r", "1", "-w", "1", "--out", "OUT"],
    "sensitivity": ["sensitivity", "FILE", "-n", "4"],
    "ensemble": ["ensemble", "FILE", "--draws", "2", "-n", "2", "-w", "1"],
    "credibility": ["credibility", "FILE", "-w", "1", "--out", "OUT"],
    "validate": ["validate", "FILE", "-n", "10", "-w", "1", "--out", "OUT"],
    "calibrate": ["calibrate", "FILE", "-n", "20", "-w", "1", "--out", "OUT"],
    "profile rules": ["profile", "FOLDER", "--rules", "FILE", "--out", "OUT"],
    "cohort rules": ["cohort", "FOLDER", "--rules", "FILE"],
    "profile manifest": ["profile", "FOLDER", "--out", "OUT"],
}


def answer(words: list[str], file: Path, tmp_path: Path) -> str:
    """What a command answers: its error, which must be one that immunescape raises on purpose."""
    places = {"FILE": str(file), "FOLDER": str(file.parent), "OUT": str(tmp_path / "out")}
    done = CliRunner().invoke(app, [places.get(word, word) for word in words])
    assert done.exit_code != 0
    assert isinstance(done.exception, (ImmunescapeError, SystemExit)), repr(done.exception)
    return f"{done.output}\n{done.exception}"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_hostile_file_is_refused_by_name(command: str, tmp_path: Path) -> None:
    name = "manifest.yaml" if command == "profile manifest" else "mine.yaml"
    for kind in HOSTILE if command in READERS else FEW:
        content = HOSTILE[kind]
        folder = tmp_path / kind
        folder.mkdir()
        (folder / name).write_bytes(content)
        text = answer(COMMANDS[command], folder / name, tmp_path)
        assert name in text, (kind, text)
        assert "Traceback" not in text, kind


@pytest.mark.parametrize("command", ["trial", "design", "show", "profile rules", "validate"])
def test_a_folder_in_the_place_of_a_file_is_refused(command: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").mkdir()
    assert "mine.yaml" in answer(COMMANDS[command], tmp_path / "mine.yaml", tmp_path)


def test_hostile_options_of_a_ranking_are_refused_by_name(tmp_path: Path) -> None:
    from immunescape.twins.options import options_from_file, setting_of
    from immunescape.twins.recorded_patient import PatientRecord

    setting = setting_of(PatientRecord("P1", 0.0, ()))
    for kind, content in HOSTILE.items():
        file = tmp_path / f"{kind}.yaml"
        file.write_bytes(content)
        with pytest.raises(ImmunescapeError) as refused:
            options_from_file(file, setting)
        assert file.name in str(refused.value), kind


@pytest.mark.parametrize("change", [lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n")])
def test_a_byte_order_mark_and_carriage_returns_do_no_harm(change, tmp_path: Path) -> None:
    from immunescape.design.loading import design_template
    from immunescape.design.loading import load_design as read_design_file
    from immunescape.trial.loading import load_trial, trial_template

    for template, read in ((trial_template(), load_trial), (design_template(), read_design_file)):
        file = tmp_path / "mine.yaml"
        file.write_bytes(change(template).encode())
        assert read(file).name
