"""Keeps compiled models on disk. An entry is used only if its content still has the fingerprint written with it.

The folder is ``$IMMUNESCAPE_CACHE``, else the platform's cache folder (``$XDG_CACHE_HOME/immunescape``, else
``~/.cache/immunescape``). Entries are folders that appear whole (written aside, then renamed), so that several
processes can share them.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

from immunescape.errors import EngineError

__all__ = ["cache_folder", "fetch", "fingerprint"]

_RECORD = "entry.json"


def cache_folder() -> Path:
    """Folder of compiled models."""
    named = os.environ.get("IMMUNESCAPE_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "immunescape"


def fingerprint(*parts: str) -> str:
    """Key of an entry: depends on every character of all parts."""
    hasher = blake2b(digest_size=20)
    for part in parts:
        data = part.encode()
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
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{key[:8]}-", dir=entry.parent))
    except OSError as error:
        raise EngineError(
            f"cannot write to the cache: {error.strerror}",
            where=str(entry.parent),
            hint="Set IMMUNESCAPE_CACHE to another folder.",
        ) from None
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
    found = _read(entry)
    if found is None:
        raise EngineError("a compiled model could not be read back from the cache", where=str(entry))
    return entry, found


@contextmanager
def _alone(entry: Path) -> Iterator[None]:
    """Keep other processes from building the same entry, where the system has file locks."""
    try:
        import fcntl
    except ImportError:  # Windows: both build, one is kept
        yield
        return
    path = entry.parent / f".{entry.name}.lock"
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            pass  # a file system without locks
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


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
