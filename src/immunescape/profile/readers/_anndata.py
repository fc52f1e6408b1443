"""Opening of AnnData files (h5ad), for every reader of them alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from immunescape.errors import InputError
from immunescape.profile.readers._base import need_extra
from immunescape.profile.readers._text import read_text

__all__ = ["open_anndata"]


def open_anndata(path: Path) -> Any:
    """Return the content of an h5ad file.

    Raises
    ------
    InputError
        Where there is no such file, the extra ``profile`` is not installed, or the file is no AnnData file.
    """
    if not path.is_file():
        read_text(path)  # complains as for every other missing file
    anndata = need_extra("anndata", "profile", path.name)
    try:
        return anndata.read_h5ad(str(path))
    except Exception as error:
        raise InputError(f"this AnnData file cannot be read: {error}", where=path.name) from error
