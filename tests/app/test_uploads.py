"""What a user sends is bounded, keeps to its folder, is never followed elsewhere, and is gone when it was read."""

from __future__ import annotations

import io
import shutil
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from immunescape.app.profile_card import run_profile_task
from immunescape.app.uploads import Bounds, gather, study_root
from immunescape.errors import InputError

BOUNDS = Bounds(files=8, file_bytes=2000, total_bytes=5000)
WIDE = {"files": 100, "file_bytes": 64 << 20, "total_bytes": 256 << 20}


def zipped(entries: Mapping[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return out.getvalue()


def sent(tmp_path: Path, files: Mapping[str, bytes]) -> list[tuple[str, Path]]:
    place = tmp_path / "browser"
    place.mkdir()
    pairs = []
    for k, (name, content) in enumerate(files.items()):
        path = place / str(k)
        path.write_bytes(content)
        pairs.append((name, path))
    return pairs


def gathered(tmp_path: Path, files: Mapping[str, bytes], bounds: Bounds = BOUNDS) -> Path:
    target = tmp_path / "study"
    target.mkdir()
    return gather(sent(tmp_path, files), target, bounds)


def test_files_lie_under_their_names_of_same_trial_and_are_moved_away(tmp_path: Path) -> None:
    root = gathered(tmp_path, {"C:\\Users\\me\\manifest.yaml": b"study: s", "../../labs.csv": b"a,b"})
    assert sorted(p.name for p in root.iterdir()) == ["labs.csv", "manifest.yaml"]
    assert not list((tmp_path / "browser").iterdir())


def test_a_zip_is_unpacked_with_its_folders_and_without_clutter(tmp_path: Path) -> None:
    content = zipped(
        {
            "case/manifest.yaml": "study: s",
            "case/data/labs.csv": "x",
            "__MACOSX/case/._labs.csv": "",
            "case/.DS_Store": "",
        }
    )
    root = gathered(tmp_path, {"case.zip": content})
    assert root.name == "case"
    assert sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()) == [
        "data/labs.csv",
        "manifest.yaml",
    ]


def link(name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    return out.getvalue()


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "no file"),
        ({"..": b"x"}, "not a name for a file"),
        ({"a\n.csv": b"x"}, "not a name for a file"),
        ({"a.csv": b"x" * 2001}, "too large"),
        ({f"{k}.csv": b"x" for k in range(9)}, "9 files"),
        ({f"{k}.csv": b"x" * 1900 for k in range(3)}, "together are too large"),
        ({"a.csv": b"x", "b/a.csv": b"y"}, "two files"),
        ({"a.zip": zipped({"../../evil.csv": "x"})}, "points outside"),
        ({"a.zip": zipped({"/etc/cron.d/evil": "x"})}, "points outside"),
        ({"a.zip": zipped({"..\\evil.csv": "x"})}, "points outside"),
        ({"a.zip": link("labs.csv")}, "a link"),
        ({"a.zip": zipped({f"{k}.csv": "x" for k in range(9)})}, "too many files"),
        ({"a.zip": zipped({"bomb.csv": b"0" * 1_000_000})}, "too large"),
        ({"a.zip": zipped({f"{k}.csv": b"0" * 1900 for k in range(4)})}, "together are too large"),
        ({"a.zip": b"this is not a zip"}, "cannot be read"),
        ({"a.zip": zipped({"labs.csv": "x" * 500})[:-40]}, "cannot be read"),
        ({"a.zip": zipped({"a/manifest.yaml": "x", "b/manifest.yaml": "y"})}, "more than one study"),
    ],
)
def test_what_cannot_be_taken_is_refused_in_words(tmp_path: Path, files: dict[str, bytes], says: str) -> None:
    with pytest.raises(InputError, match=says):
        gathered(tmp_path, files)
    assert not (tmp_path / "evil.csv").exists()
    assert not (tmp_path.parent / "evil.csv").exists()


def test_a_damaged_stream_in_a_zip_is_refused_in_words(tmp_path: Path) -> None:
    content = bytearray(zipped({"labs.csv": bytes(range(256)) * 4}))
    for k in range(60, 90):
        content[k] ^= 0xFF
    with pytest.raises(InputError, match="cannot be read"):
        gathered(tmp_path, {"a.zip": bytes(content)})


def test_a_cbioportal_study_is_known_without_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "data_clinical_patient.txt").write_text("x")
    assert study_root(tmp_path) == tmp_path / "inner"


def test_a_manifest_that_points_elsewhere_is_refused_and_everything_is_deleted(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("sample,gene\nroot,TP53\n")
    manifest = f"study: s\nfiles:\n  - {{file: '{secret}', format: samples}}\n"
    pairs = sent(tmp_path, {"manifest.yaml": manifest.encode()})
    job = tmp_path / "job"
    job.mkdir()
    with pytest.raises(InputError, match="points outside the study's folder"):
        run_profile_task({"sent": pairs, "bounds": WIDE}, job, None)
    assert secret.exists()
    assert not pairs[0][1].exists()
    assert not (job / "sent").exists()


def test_wrong_files_get_the_package_s_own_words(tmp_path: Path) -> None:
    job = tmp_path / "job"
    job.mkdir()
    pairs = sent(tmp_path, {"labs.csv": b"a,b\n1,2\n"})
    with pytest.raises(InputError, match=r"neither a manifest\.yaml nor a cBioPortal study"):
        run_profile_task({"sent": pairs, "bounds": WIDE}, job, None)


@pytest.mark.slow
def test_files_sent_give_the_calls_that_the_command_line_gives(tmp_path: Path) -> None:
    import json

    from immunescape.api.profiles import profile_study
    from immunescape.profile.loading import example_folder

    archive = shutil.make_archive(str(tmp_path / "example"), "zip", example_folder())
    job = tmp_path / "job"
    job.mkdir()
    result = run_profile_task({"sent": [("example.zip", archive)], "bounds": WIDE}, job, None)
    study = profile_study(example_folder())
    assert result["patients"] == list(study.patients)
    card = json.loads((job / "cards" / "0.json").read_text())
    first = result["patients"][0]
    states = {study.done.calls.rules.mechanisms[n].title: s for n, s in study.calls.loc[first].items()}
    assert {r["Mechanism"]: r["Call"] for r in card["calls"]} == {
        t: s for t, s in states.items() if s != "not_assessable"
    }
    assert {r["Mechanism"] for r in card["silent"]} == {t for t, s in states.items() if s == "not_assessable"}
    assert all(r["Evidence"] and r["Sources"] for r in card["calls"] if r["Call"] == "present")
    assert not Path(archive).exists()
