"""``struct job``, by which compiled code is called, and the numbers in it: ``driver.h`` alone declares them.

The header is read here, so that Python and C cannot come apart: a field that is added, moved or retyped there is at
once the same here.
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from importlib import resources
from typing import Any

__all__ = ["INPUTS", "NUMBERS", "RESULTS", "JobStruct", "StructField", "enumerated", "struct_fields"]

# name in C -> letter of the type in numpy, and the type in ctypes
_TYPES: dict[str, tuple[str, Any]] = {
    "int64_t": ("i8", ctypes.c_int64),
    "int32_t": ("i4", ctypes.c_int32),
    "int8_t": ("i1", ctypes.c_int8),
    "unsigned char": ("u1", ctypes.c_ubyte),
    "double": ("f8", ctypes.c_double),
}
_DECLARATION = re.compile(r"(const )?(" + "|".join(_TYPES) + r") (\*?\w+(?:, \*?\w+)*)")


@dataclass(frozen=True)
class StructField:
    """A field of a struct.

    Attributes
    ----------
    name : in C. dtype : of the number, or of what the pointer points to. pointer : whether it is an address.
    read_only : whether C promises not to write there.
    """

    name: str
    dtype: str
    pointer: bool
    read_only: bool

    @property
    def ctype(self) -> Any:
        """The type of the field itself in ctypes."""
        if self.pointer:
            return ctypes.c_void_p  # addresses of numpy arrays; the type of what is there is `dtype`
        return next(kind for dtype, kind in _TYPES.values() if dtype == self.dtype)


def struct_fields(header: str, name: str) -> tuple[StructField, ...]:
    """Return the fields of a struct of numbers and pointers to numbers, in order.

    Parameters
    ----------
    header
        Text in C.
    name
        Name of the struct.

    Raises
    ------
    ValueError
        Where the header has no such struct, or a declaration in it is of another form.
    """
    match = re.search(rf"^struct {name} \{{(.*?)^\}};", header, re.DOTALL | re.MULTILINE)
    if match is None:
        raise ValueError(f"the header declares no struct {name}")
    body = re.sub(r"/\*.*?\*/", "", match[1], flags=re.DOTALL)
    fields: list[StructField] = []
    for declaration in (text.strip() for text in body.split(";")):
        if not declaration:
            continue
        parts = _DECLARATION.fullmatch(declaration)
        if parts is None:
            raise ValueError(f"struct {name}: '{declaration}' is neither a number nor a pointer to numbers")
        dtype, _ = _TYPES[parts[2]]
        for entry in parts[3].split(", "):
            fields.append(StructField(entry.lstrip("*"), dtype, entry.startswith("*"), parts[1] is not None))
    return tuple(fields)


def enumerated(header: str) -> dict[str, int]:
    """Return the names of the enumerations of a header in C, each with its number."""
    numbers: dict[str, int] = {}
    for entries in re.findall(r"^enum \{(.*?)\};", header, re.DOTALL | re.MULTILINE):
        number = -1  # as in C, a name without a number follows the one before
        for entry in entries.split(","):
            name, sign, value = entry.partition("=")
            number = int(value) if sign else number + 1
            numbers[name.strip()] = number
    return numbers


def _driver() -> str:
    return (resources.files("immunescape.engine.codegen.c") / "kernels" / "driver.h").read_text(encoding="utf-8")


NUMBERS = enumerated(_driver())
"""Where a value lies (``IN_X`` and so on) and what a change does (``ADD_X`` and so on) -> its number."""
_FIELDS = struct_fields(_driver(), "job")
# `cancel` is read-only for C because the caller alone writes it, during the run: it lives as long as the results do.
INPUTS = {f.name: f.dtype for f in _FIELDS if f.pointer and f.read_only and f.name != "cancel"}
"""Array that compiled code reads -> its type."""
RESULTS = {f.name: f.dtype for f in _FIELDS if f.pointer and f.name not in INPUTS}
"""Array that compiled code writes, and the one by which a run is cancelled -> its type."""


class JobStruct(ctypes.Structure):
    """``struct job`` of ``driver.h``, field by field."""

    _fields_ = [(f.name, f.ctype) for f in _FIELDS]
