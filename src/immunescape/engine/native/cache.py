"""Keeps compiled models on disk. An entry is used only if its content still has the fingerprint written with it.

The folder is that of :func:`immunescape.files.cache_folder`. Entries are folders that appear whole (written aside, then
renamed), so that several processes can share them. Where the folder cannot be written, is full or on a file system from
which nothing may be run, a temporary folder takes its place until the program ends, with a warning.
"""

from __future__ import annotations

import atexit
import errno
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

from immunescape.errors import EngineError
from immunescape.files import cache_folder

__all__ = [
    "CacheError",
    "cache_folder",
    "fetch",
    "fingerprint",
    "remove_spare",
    "settle_folder",
    "spare_folder",
]

_RECORD = "entry.json"
_LEAST_SPACE = 32 * 2**20  # bytes; what compiling the largest model writes, with a margin
_LONGEST_BUILD = 900.0  # seconds
_warned: set[Path] = set()  # temporary folders that a warning has named
_spares_made: set[str] = set()
_SPARE = "IMMUNESCAPE_SPARE_CACHE"  # environment variable by which worker processes find the temporary folder


class CacheError(EngineError):
    """Compiled models can be kept nowhere."""


def fingerprint(*parts: str) -> str:
    """Key of an entry: depends on every character of all parts."""
    hasher = blake2b(digest_size=20)
    for text in parts:
        data = text.encode()
        hasher.update(len(data).to_bytes(8, "little"))
        hasher.update(data)
    return hasher.hexdigest()


def fetch(key: str, build: Callable[[Path], dict[str, Any]]) -> tuple[Path, dict[str, Any]]:
    """Return an entry's folder and record; build it where it is missing or damaged.

    Parameters
    ----------
    key
        See `fingerprint`.
    build
        Fills an empty folder with files and returns the record, as plain data.
    """
    entry = cache_folder() / key
    record = _read(entry)
    if record is not None:
        return entry, record
    reason = _obstacle(entry.parent)
    if reason is None:
        try:
            return _make(entry, build)
        except (OSError, EngineError) as error:
            reason = _lack_of_space(error)
            if reason is None:
                raise
    entry = spare_folder(entry.parent, reason) / key
    record = _read(entry)
    return (entry, record) if record is not None else _make(entry, build)


def spare_folder(folder: Path, reason: str) -> Path:
    """Return a temporary folder that stands in for the cache, the same one for this process and its workers.

    Parameters
    ----------
    folder, reason
        The cache, and what is wrong with it, for the warning.

    Raises
    ------
    CacheError
        Where no temporary folder can be used either.
    """
    spare = _spare(reason)
    if spare not in _warned and multiprocessing.parent_process() is None:
        _warned.add(spare)
        warnings.warn(
            f"the cache {folder} {reason}: compiled models are kept in {spare} until this program ends, and "
            "compiled again by the next. Set IMMUNESCAPE_CACHE to a folder with room in which files can be "
            "written and run.",
            stacklevel=3,
        )
    return spare


def settle_folder() -> None:
    """Have a temporary folder ready where the cache cannot be written, so that processes started later share it."""
    reason = _obstacle(cache_folder())
    if reason is not None:
        with suppress(CacheError):  # said when something has to be kept
            _spare(reason)


def remove_spare() -> None:
    """Remove the temporary folder that this process made, if it did: for processes that end without more ado."""
    made = os.environ.get(_SPARE)
    if made and made in _spares_made:
        shutil.rmtree(made, ignore_errors=True)


def _spare(reason: str) -> Path:
    made = os.environ.get(_SPARE)
    if made and Path(made).is_dir():
        return Path(made)
    tried = []
    for base in dict.fromkeys((_temporary_folder(), "/var/tmp", "/dev/shm")):
        if base is None or not Path(base).is_dir():
            continue
        obstacle = _obstacle(Path(base))
        if obstacle is None:
            spare = tempfile.mkdtemp(prefix="immunescape-", dir=base)
            os.environ[_SPARE] = spare
            _spares_made.add(spare)
            atexit.register(_remove, spare, os.getpid())
            return Path(spare)
        tried.append(f"{base} {obstacle}")
    raise CacheError(
        f"the cache {reason}, and no temporary folder can be used: {'; '.join(tried)}",
        where=str(cache_folder()),
        hint="Set IMMUNESCAPE_CACHE to a folder with room in which files can be written and run.",
    )


def _temporary_folder() -> str | None:
    try:
        return tempfile.gettempdir()
    except OSError:
        return None


def _remove(folder: str, process: int) -> None:
    if os.getpid() == process:  # not in a forked child, which inherits the wish to tidy up
        shutil.rmtree(folder, ignore_errors=True)


def _obstacle(folder: Path) -> str | None:
    """What keeps compiled models from being written to a folder and run from there; None where nothing does."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
        if shutil.disk_usage(folder).free < _LEAST_SPACE:
            return f"has less than {_LEAST_SPACE // 2**20} MB left"
        if sys.platform == "linux" and os.statvfs(folder).f_flag & os.ST_NOEXEC:
            return "is on a file system mounted noexec"
    except OSError as error:
        return f"cannot be written ({error.strerror or error})"
    return None


def _lack_of_space(error: Exception) -> str | None:
    """Why a build failed, if for want of space: as the system says it, or the compiler in its message."""
    if isinstance(error, OSError):
        return (
            f"cannot be written ({error.strerror})"
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
            else None
        )
    words = ("no space left", "not enough space", "quota exceeded")
    return "is full" if any(text in str(error).lower() for text in words) else None


def _make(entry: Path, build: Callable[[Path], dict[str, Any]]) -> tuple[Path, dict[str, Any]]:
    """Build an entry aside and move it into place."""
    aside = Path(tempfile.mkdtemp(prefix=f".{entry.name[:8]}-", dir=entry.parent))
    try:
        with _alone(entry):
            record = _read(entry)
            if record is not None:
                return entry, record  # another process made it meanwhile
            record = build(aside)
            files = {p.name: _digest(p) for p in sorted(aside.iterdir())}
            body = json.dumps({"record": record, "files": files})
            (aside / _RECORD).write_text(json.dumps({"body": body, "digest": fingerprint(body)}), encoding="utf-8")
            _publish(aside, entry)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    stored = _read(entry)
    if stored is None:
        raise EngineError("a compiled model could not be read back from the cache", where=str(entry))
    return entry, stored


@contextmanager
def _alone(entry: Path) -> Iterator[None]:
    """Keep other processes from building the same entry. A lock ends with the process that holds it.

    Where a file system has no locks, or one is held for longer than any model takes to compile, all build and one entry
    is kept.
    """
    from filelock import FileLock

    lock = FileLock(entry.parent / f".{entry.name}.lock", timeout=_LONGEST_BUILD)
    with suppress(OSError, NotImplementedError):  # a timeout is an OSError
        lock.acquire()
    try:
        yield
    finally:
        if lock.is_locked:
            with suppress(OSError):  # Windows keeps files that are open
                Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()


def _publish(aside: Path, entry: Path) -> None:
    """Move the new entry into place; one that is there already and whole (another process was faster) stays."""
    for _ in range(10):
        try:
            aside.rename(entry)
            return
        except OSError:
            if _read(entry) is not None:
                return
            broken = Path(tempfile.mkdtemp(prefix=".broken-", dir=entry.parent))
            try:
                entry.rename(broken / "entry")
            except OSError:
                pass
            shutil.rmtree(broken, ignore_errors=True)


def _read(entry: Path) -> dict[str, Any] | None:
    """Record of an entry; None where it is missing or not what was written."""
    try:
        outer = json.loads((entry / _RECORD).read_text(encoding="utf-8"))
        body = outer["body"]
        if outer["digest"] != fingerprint(body):
            return None
        content = json.loads(body)
        for name, digest in content["files"].items():
            if _digest(entry / name) != digest:
                return None
        record = content["record"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if isinstance(record, dict) else None


def _digest(path: Path) -> str:
    hasher = blake2b(digest_size=20)
    hasher.update(path.read_bytes())
    return hasher.hexdigest()
