"""The script that lays out public reference data."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import tarfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "public_data.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("public_data", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def archive(**files: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return made.getvalue()


def test_every_source_is_named_with_address_licence_and_use(script):
    rows = script.sources()
    assert len(rows) >= 10
    assert all(row["source"] and row["licence"] and row["used_for"] and row["address"] for row in rows)
    assert {row["how"] for row in rows} <= {"archive", "file", "gzip", "by hand"}
    assert {name.split("/")[0] for name in script.hashes()} <= {row["folder"] for row in rows}


def test_what_can_be_downloaded_is_laid_out_and_the_rest_is_told(script, tmp_path, capsys):
    def get(address: str) -> bytes:
        if address.endswith(".tar.gz"):
            return archive(**{"study/data_mutations.txt": "M", "study/../../outside.txt": "no"})
        return gzip.compress(b"matrix") if address.endswith("series_matrix.txt.gz") else b"table"

    assert script.fetch(tmp_path, [], get) == 0
    assert (tmp_path / "msk_nsclc_pd1_2018" / "data_mutations.txt").read_text() == "M"
    assert (tmp_path / "gse126044" / "GSE126044_series_matrix.txt").read_bytes() == b"matrix"
    assert (tmp_path / "toposcore" / "clin_disc.csv").read_bytes() == b"table"
    assert not list(tmp_path.parent.glob("outside.txt"))
    assert "oak: by hand" in capsys.readouterr().out


def test_a_source_that_has_moved_is_named_and_the_others_are_fetched(script, tmp_path, capsys):
    def get(address: str) -> bytes:
        if "TOPOSCORE" in address:
            raise OSError("404")
        return gzip.compress(b"x")

    assert script.fetch(tmp_path, ["toposcore", "gse126044"], get) == 4
    assert "derosa2024" in capsys.readouterr().err
    assert (tmp_path / "gse126044" / "GSE126044_series_matrix.txt").is_file()


def test_files_are_compared_with_those_that_were_used(script, tmp_path, monkeypatch, capsys):
    (tmp_path / "a.csv").write_text("1")
    (tmp_path / "b.csv").write_text("2")
    right = hashlib.sha256(b"1").hexdigest()
    monkeypatch.setattr(script, "hashes", lambda: {"a.csv": right, "b.csv": right, "c.csv": right})
    assert script.check(tmp_path) == {"equal": 1, "different": 1, "absent": 1}
    assert "different  b.csv" in capsys.readouterr().out


def test_the_data_at_hand_are_those_that_were_used(script, shared_data):
    assert script.check(shared_data)["different"] == 0


def test_only_https_is_fetched(script):
    with pytest.raises(ValueError, match="https"):
        script.download("file:///etc/hostname")


@pytest.mark.parametrize("words", [["--help"], ["fetch", "--help"], ["-h"]])
def test_help_is_printed_and_nothing_is_made(script, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert script.main(words) == 0
    assert "fetch FOLDER" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_a_dry_run_names_every_source_and_downloads_nothing(script, tmp_path, capsys):
    assert script.main(["fetch", "--dry-run", str(tmp_path / "data")]) == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    for row, line in zip(script.sources(), lines, strict=True):
        assert line.startswith(f"{row['folder']}: ")
        assert row["address"] in line
        assert ("by hand" in line) == (row["how"] == "by hand")
        assert ("would be downloaded" in line) == (row["how"] != "by hand")
    assert not list(tmp_path.iterdir())
    assert script.main(["fetch", "--dry-run", str(tmp_path / "data"), "nothing"]) == 2
    assert "Known: " in capsys.readouterr().err


def test_an_unknown_option_is_refused(script, tmp_path, capsys):
    assert script.main(["fetch", "--dryrun", str(tmp_path / "data")]) == 2
    assert "--dryrun" in capsys.readouterr().err
