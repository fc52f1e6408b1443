"""Loads compiled models into the process."""

from __future__ import annotations

import ctypes
import shutil
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from immunescape.engine.native.cache import spare_folder
from immunescape.errors import EngineError

__all__ = ["load_library"]


def load_library(path: Path) -> ctypes.CDLL:
    """Load a shared library; from a copy in a temporary folder where programs may not be run from its own.

    Raises
    ------
    EngineError
        Where it can be loaded from neither.
    """
    _offer_mathematics()
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        first = error
    try:
        folder = spare_folder(path.parent.parent, "does not allow libraries to be loaded")
        copy = Path(tempfile.mkdtemp(prefix="copy-", dir=folder)) / path.name
        shutil.copyfile(path, copy)
        return ctypes.CDLL(str(copy))
    except OSError:
        raise EngineError(
            f"a compiled model could not be loaded: {first}",
            where=str(path),
            hint="Set IMMUNESCAPE_CACHE to a folder that libraries can be loaded from.",
        ) from None


@cache
def _offer_mathematics() -> None:
    """Make sin and the like visible to libraries that were linked without the C library."""
    if sys.platform.startswith("linux"):
        with suppress(OSError):  # musl has them in the C library, which every process has
            ctypes.CDLL("libm.so.6", mode=ctypes.RTLD_GLOBAL)
