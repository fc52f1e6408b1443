"""The few calls of NVIDIA's driver that running a kernel takes, by ctypes; nothing of CUDA needs to be installed."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from numpy.typing import NDArray

from immunescape.errors import EngineError

__all__ = ["Device", "Memory", "open_device"]

_LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
_MAJOR = 75  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
_OLDEST = 7
_ANOTHER = "The engine 'native' needs no GPU."


class Device:
    """The first GPU, with a context.

    Parameters
    ----------
    library
        The driver's library.

    Raises
    ------
    EngineError
        Where a call fails, with what the driver says.
    """

    def __init__(self, library: Any) -> None:
        self._library = library
        self._call("cuInit", ctypes.c_uint(0))
        count = ctypes.c_int()
        self._call("cuDeviceGetCount", ctypes.byref(count))
        if not count.value:
            raise EngineError("the engine 'cuda' needs an NVIDIA GPU, and the driver sees none", hint=_ANOTHER)
        device, major = ctypes.c_int(), ctypes.c_int()
        self._call("cuDeviceGet", ctypes.byref(device), ctypes.c_int(0))
        self._call("cuDeviceGetAttribute", ctypes.byref(major), ctypes.c_int(_MAJOR), device)
        if major.value < _OLDEST:
            raise EngineError(
                f"this GPU has compute capability {major.value}; the engine 'cuda' needs {_OLDEST} or more",
                hint=_ANOTHER,
            )
        self._context = ctypes.c_void_p()
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), device)

    def _call(self, name: str, *arguments: Any) -> None:
        code = getattr(self._library, name)(*arguments)
        if code:
            text = ctypes.c_char_p()
            self._library.cuGetErrorString(ctypes.c_int(code), ctypes.byref(text))
            said = text.value.decode() if text.value else "unknown error"
            hint = "Split the job into smaller ones." if name.startswith("cuMemAlloc") else _ANOTHER
            raise EngineError(f"{name} of the GPU's driver failed: {said} ({code})", hint=hint)

    def _enter(self) -> None:
        """Make the context that of the calling thread."""
        self._call("cuCtxSetCurrent", self._context)

    def load(self, ptx: bytes, kernel: str) -> ctypes.c_void_p:
        """Have the driver translate a program; returns one of its kernels."""
        self._enter()
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        self._call("cuModuleLoadData", ctypes.byref(module), ctypes.c_char_p(ptx))
        self._call("cuModuleGetFunction", ctypes.byref(function), module, ctypes.c_char_p(kernel.encode()))
        return function

    def launch(self, kernel: ctypes.c_void_p, n: int, block: int, argument: int) -> None:
        """Run a kernel of one argument, a pointer, with `n` threads or a few more, and wait for its end."""
        value = ctypes.c_uint64(argument)
        arguments = (ctypes.c_void_p * 1)(ctypes.cast(ctypes.byref(value), ctypes.c_void_p))
        sizes = [ctypes.c_uint(size) for size in (-(-n // block), 1, 1, block, 1, 1, 0)]
        self._call("cuLaunchKernel", kernel, *sizes, None, arguments, None)
        self._call("cuCtxSynchronize")

    @contextmanager
    def memory(self) -> Iterator[Memory]:
        """Memory of the device, which is given back at the end."""
        self._enter()
        memory = Memory(self)
        try:
            yield memory
        finally:
            memory.free()


class Memory:
    """Pieces of memory of a device."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._pieces: list[ctypes.c_uint64] = []

    def copy_in(self, content: NDArray[Any] | bytes) -> int:
        """Copy an array or bytes to the device; returns where it lies there."""
        size = len(content) if isinstance(content, bytes) else content.nbytes
        place = ctypes.c_uint64()
        self._device._call("cuMemAlloc_v2", ctypes.byref(place), ctypes.c_size_t(max(size, 1)))
        self._pieces.append(place)
        source = ctypes.c_char_p(content) if isinstance(content, bytes) else ctypes.c_void_p(content.ctypes.data)
        if size:
            self._device._call("cuMemcpyHtoD_v2", place, source, ctypes.c_size_t(size))
        return place.value

    def copy_out(self, place: int, array: NDArray[Any]) -> None:
        """Fill an array with what lies on the device."""
        target = ctypes.c_void_p(array.ctypes.data)
        if array.nbytes:
            self._device._call("cuMemcpyDtoH_v2", target, ctypes.c_uint64(place), ctypes.c_size_t(array.nbytes))

    def free(self) -> None:
        """Give all pieces back."""
        while self._pieces:
            self._device._library.cuMemFree_v2(self._pieces.pop())


@cache
def open_device(library: str = _LIBRARY) -> Device:
    """Return the first GPU.

    Parameters
    ----------
    library
        The driver's library: its name, or a path.

    Raises
    ------
    EngineError
        Where there is no driver or no GPU.
    """
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        raise EngineError(
            f"the engine 'cuda' needs an NVIDIA GPU and its driver; {library} was not found", hint=_ANOTHER
        ) from None
    return Device(driver)
