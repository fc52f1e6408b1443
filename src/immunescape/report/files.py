"""Files of a result folder: written whole or not at all, with errors that say what to do."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from immunescape.errors import InputError
from immunescape.files import whole_file

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["parquet_bytes", "write_pieces", "write_whole"]


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all."""
    return _write(path, (content,))


def write_pieces(path: Path, pieces: Iterable[str]) -> Path:
    """Write text whole or not at all, piece by piece, so that it need not stand in memory at once."""
    return _write(path, (piece.encode("utf-8") for piece in pieces))


def _write(path: Path, pieces: Iterable[bytes]) -> Path:
    hint = "Free some space or choose another folder with --out."
    with whole_file(path, f"cannot write {path}", hint=hint, where="", parents=False, error=InputError) as file:
        file.writelines(pieces)
    return path


def parquet_bytes(table: pd.DataFrame) -> bytes:
    """Return a table as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()
