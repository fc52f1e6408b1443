"""Opening of AnnData files (h5ad), shared by all readers of this format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from immunescape.errors import InputError
from immunescape.profile.file_limits import refuse_large
from immunescape.profile.readers._base import need_extra
from immunescape.profile.readers._text import read_text

__all__ = ["hdf5_bytes", "open_anndata"]


def hdf5_bytes(path: Path) -> float:
    """Return the size in memory of all arrays of an HDF5 file, 0 for other files.

    Raises
    ------
    InputError
        Where the extra ``profile`` is not installed.
    """
    h5py = need_extra("h5py", "profile", path.name)
    sizes: list[float] = []

    def add(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.shape is not None:
            sizes.append(float(item.size) * item.dtype.itemsize)

    try:
        with h5py.File(str(path), "r") as file:
            file.visititems(add)
    except (OSError, RuntimeError, ValueError, KeyError):  # what is broken is refused when it is read
        return 0.0
    return sum(sizes)


def open_anndata(path: Path) -> Any:
    """Return the content of an h5ad file.

    Raises
    ------
    InputError
        Where the file is missing, the extra ``profile`` is not installed, or the file is not an AnnData file.
    """
    if not path.is_file():
        read_text(path)  # complains as for every other missing file
    anndata = need_extra("anndata", "profile", path.name)
    refuse_large(hdf5_bytes(path), "largest_array", path.name, "the arrays of this file are too large for the memory")
    try:
        return anndata.read_h5ad(str(path))
    except Exception as error:
        raise InputError(f"this AnnData file cannot be read: {error}", where=path.name) from error
