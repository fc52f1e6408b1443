"""Files that a user sends: bounded, put into a private folder under clean names, never executed."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from immunescape.errors import InputError

__all__ = ["Bounds", "gather", "study_root"]

_CHUNK = 1 << 20
_MARKS = ("manifest.yaml", "manifest.yml")
_CLUTTER = ("__MACOSX", ".DS_Store", "Thumbs.db")


@dataclass(frozen=True)
class Bounds:
    """Most files, bytes of one, bytes of all (of a zip: as unpacked)."""

    files: int
    file_bytes: int
    total_bytes: int


def gather(sent: Sequence[tuple[str, Path]], folder: Path, bounds: Bounds) -> Path:
    """Move what was sent into a folder, unpack a zip, and return the folder of the study.

    Parameters
    ----------
    sent
        (name that the user's machine gave, where the file lies now); the files are moved away.
    folder
        An empty private folder.
    bounds
        What may be sent.

    Raises
    ------
    InputError
        Naming the file: too many, too large, a name that leads elsewhere, a link, a zip that cannot be read.
    """
    if not sent:
        raise InputError("no file was sent", hint="Choose the files of a patient and their manifest.yaml, or a zip.")
    if len(sent) > bounds.files:
        raise InputError(f"{len(sent)} files were sent", hint=f"Send at most {bounds.files}.")
    if sum(path.stat().st_size for _, path in sent) > bounds.total_bytes:
        raise InputError("the files together are too large", hint=f"At most {bounds.total_bytes >> 20} MB.")
    budget = _Budget(bounds)
    for name, path in sent:
        clean = _clean(PurePosixPath(name.replace("\\", "/")).name, name)
        if path.stat().st_size > bounds.file_bytes:
            raise InputError("the file is too large", where=clean, hint=f"At most {bounds.file_bytes >> 20} MB.")
        if clean.lower().endswith(".zip"):
            _unpack(path, clean, folder, budget)
            path.unlink()
            continue
        target = folder / clean
        if target.exists():
            raise InputError("two files have this name", where=clean, hint="Rename one, or send a zip with folders.")
        budget.take(clean, path.stat().st_size)
        budget.count(clean)
        shutil.move(path, target)
    return study_root(folder)


def study_root(folder: Path) -> Path:
    """Return the folder that holds the manifest or the cBioPortal study: this one, or the one that lies in it."""
    from immunescape.profile.readers.study_folder import is_study_folder

    places = [folder, *sorted(p for p in folder.rglob("*") if p.is_dir())]
    marked = [p for p in places if any((p / m).is_file() for m in _MARKS)]
    marked = marked or [p for p in places if is_study_folder(p)]
    top = [p for p in marked if not any(q in p.parents for q in marked)]
    if len(top) > 1:
        names = ", ".join(str(p.relative_to(folder)) for p in top[:5])
        raise InputError(f"more than one study: {names}", hint="Send one study at a time.")
    return top[0] if top else folder


class _Budget:
    """Counts files and bytes over everything that was sent."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds, self.files, self.bytes = bounds, 0, 0

    def count(self, name: str) -> None:
        self.files += 1
        if self.files > self.bounds.files:
            raise InputError("too many files", where=name, hint=f"At most {self.bounds.files}, unpacked.")

    def take(self, name: str, size: int) -> None:
        self.bytes += size
        if self.bytes > self.bounds.total_bytes:
            raise InputError(
                "the files together are too large",
                where=name,
                hint=f"At most {self.bounds.total_bytes >> 20} MB, unpacked.",
            )


def _clean(name: str, whole: str) -> str:
    """A file name without a path; refuses what is none."""
    if not name or name in (".", "..") or len(name) > 200 or any(ord(c) < 32 or c in '<>:"|?*' for c in name):
        raise InputError(f"{whole[:200]!r} is not a name for a file", hint="Rename the file.")
    return name


def _unpack(path: Path, label: str, folder: Path, budget: _Budget) -> None:
    """Unpack a zip; sizes are counted as they come, not as the zip states them."""
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                parts = _parts(entry, label)
                if not parts:
                    continue
                budget.count(f"{label}: {entry.filename[:200]}")
                target = folder.joinpath(*parts)
                if target.exists():
                    raise InputError("two files have this name", where=f"{label}: {entry.filename[:200]}")
                target.parent.mkdir(parents=True, exist_ok=True)
                written = 0
                with archive.open(entry) as source, target.open("xb") as out:
                    while chunk := source.read(_CHUNK):
                        written += len(chunk)
                        if written > budget.bounds.file_bytes:
                            size = budget.bounds.file_bytes >> 20
                            raise InputError("the file is too large", where=entry.filename, hint=f"At most {size} MB.")
                        budget.take(entry.filename, len(chunk))
                        out.write(chunk)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"the zip cannot be read: {error}", where=label, hint="Pack it again, without a password."
        ) from None
    except Exception as error:
        if isinstance(error, InputError):
            raise
        # a damaged stream raises whatever its decompressor does (zlib.error, lzma.LZMAError)
        raise InputError(f"the zip cannot be read: {error}", where=label, hint="Pack it again.") from None


def _parts(entry: zipfile.ZipInfo, label: str) -> tuple[str, ...]:
    """Folders and name of an entry; empty for a folder and for what file managers add."""
    name = entry.filename.replace("\\", "/")
    where = f"{label}: {name[:200]}"
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise InputError("a link is not unpacked", where=where, hint="Put the file itself into the zip.")
    parts = tuple(p for p in name.split("/") if p not in ("", "."))
    if name.startswith("/") or ".." in parts or len(parts) > 8 or (os.name == "nt" and ":" in name):
        raise InputError("the name points outside the folder", where=where, hint="Pack the study's folder itself.")
    if entry.is_dir() or any(p in _CLUTTER or p.startswith("._") for p in parts):
        return ()
    for piece in parts:
        _clean(piece, name)
    return parts
