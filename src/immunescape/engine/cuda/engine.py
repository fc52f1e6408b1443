"""Engine ``cuda``: the generated C, one patient in each thread of an NVIDIA GPU.

The code of one lane is compiled for NVIDIA's virtual processor (PTX) by the clang that comes with the package; the
driver of the GPU translates that for the device at hand, so that no CUDA toolkit is needed. With ``emulate=True`` the
same code is compiled for this machine, and a loop takes the place of the threads: that is how it is tested.

It was built and emulated, and never run on a GPU.
"""

from __future__ import annotations

import ctypes
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.engine.api import Compiled, Job
from immunescape.engine.codegen.layout import Layout
from immunescape.engine.cuda.driver import Device, open_device
from immunescape.engine.jobs import dose_tables
from immunescape.engine.native.batch import OnDevice
from immunescape.engine.native.cache import fetch, fingerprint
from immunescape.engine.native.compilers import find_toolchain
from immunescape.engine.native.engine import (
    DelegatedModel,
    NativeEngine,
    NativeModel,
    NativeSensitivities,
    generated_source,
    system_content,
    write_sources,
)
from immunescape.engine.native.library import load_library
from immunescape.engine.native.shipped import shipped_compiler
from immunescape.engine.native.toolchain import Build, Toolchain, library_suffix
from immunescape.errors import EngineError

if TYPE_CHECKING:
    from immunescape.engine.ir.system import System

__all__ = ["CudaEngine"]

MOST_INFUSED = 64
"""States of one job that may be infused into: a thread's memory has a fixed size."""
_THREADS = 64  # of a block
_PTX_FLAGS = (
    "--target=nvptx64-nvidia-cuda",
    "-march=sm_70",
    "--cuda-feature=+ptx75",
    "-O1",
    "-std=gnu11",
    "-nostdinc",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-w",
    "-DW=1",
    "-DTHREADS",
    f"-DMOST_SLOTS={MOST_INFUSED}",
)
"""For devices from 2017 (Volta) on, and drivers from 2021 (470) on."""
_STANDARD = Path(__file__).parents[1] / "codegen" / "c" / "kernels" / "standard"
_KERNEL = "immunescape_kernel"
_OF_A_LIBRARY = re.compile(r"\bv_(a?(?:sin|cos|tan)h?)\(")
"""Functions of lanes.h that call the C library, which a GPU has not."""


class CudaEngine(NativeEngine):
    """Engine ``cuda``.

    Parameters
    ----------
    emulate
        Run the code of the GPU's threads on this machine, one after the other.
    method, rescue
        As in :class:`NativeEngine`.

    Raises
    ------
    EngineError
        Where there is no GPU with a driver, or no compiler.
    """

    name = "cuda"

    def __init__(self, *, emulate: bool = False, method: str = "rodas5p", rescue: bool = True) -> None:
        self.lanes, self.threads = 1, 1
        self.method, self.rescue = method, rescue
        self.device: Device | None = None if emulate else open_device()
        self.toolchain: Toolchain = find_toolchain() if emulate else shipped_compiler()

    def compile_system(self, system: System) -> Compiled:
        """Make a system that was read already ready to run."""
        return self._compile(system_content(system), lambda: system)

    def compile_sensitivities(self, *_: Any, **__: Any) -> NativeSensitivities:
        """Refuse: derivatives are integrated by the native engine alone."""
        raise EngineError("the engine 'cuda' has no derivatives", hint="Use the engine 'native'.")

    def _compile(self, content: str, system: Callable[[], System]) -> Compiled:
        settings = [*_PTX_FLAGS] if self.device else [*self.toolchain.command, *self.toolchain.flags(1)]
        settings += [self.toolchain.version, self.method]
        entry, record = fetch(
            fingerprint("one patient in a thread", content, generated_source(), json.dumps(settings)),
            lambda folder: _build(system(), folder, self.toolchain, self.method, ptx=self.device is not None),
        )
        if "unsupported" in record:
            return DelegatedModel(system(), record["unsupported"])
        run = _emulated(entry) if self.device is None else _DeviceFunction(self.device, entry / "model.ptx")
        return CudaModel(system, entry, Layout.from_record(record["layout"]), run, self.rescue)


class CudaModel(NativeModel):
    """A model compiled for the threads of a GPU; see :class:`NativeModel`."""

    backend = "cuda"

    def __init__(
        self, system: Callable[[], System], folder: Path, layout: Layout, run: Any, rescue: bool = True
    ) -> None:
        super().__init__(system, folder, layout, 1, rescue, function=run)

    def run(self, job: Job, **options: Any) -> Any:
        """Integrate a batch; see :meth:`NativeModel.run`.

        Raises
        ------
        EngineError
            Where more than 64 states are infused into, or the GPU has too little memory for the job.
        """
        infused = {
            t
            for d in {id(d): d for d in dose_tables(job)}.values()
            for t, length in zip(d.target, d.duration, strict=True)
            if length > 0
        }
        if len(infused) > MOST_INFUSED:
            raise EngineError(f"{len(infused)} states are infused into; the engine 'cuda' takes {MOST_INFUSED}")
        return super().run(job, **options)


def _emulated(folder: Path) -> Any:
    function = load_library(folder / f"model{library_suffix()}").immunescape_threads
    function.restype = ctypes.c_int
    return function


class _DeviceFunction(OnDevice):
    """The kernel of one model; callable as the function of a library is."""

    def __init__(self, device: Device, ptx: Path) -> None:
        self._device = device
        self._kernel = device.load(ptx.read_bytes(), _KERNEL)

    def call(self, struct: ctypes.Structure, inputs: dict[str, Any], results: dict[str, Any], n: int) -> None:
        """Copy everything to the device, run a thread for each patient, copy the results back."""
        job = type(struct).from_buffer_copy(struct)
        with self._device.memory() as memory:
            for name, array in {**inputs, **results}.items():
                setattr(job, name, memory.copy_in(array))
            self._device.launch(self._kernel, n, _THREADS, memory.copy_in(bytes(job)))
            for name, array in results.items():
                memory.copy_out(getattr(job, name), array)


def _build(system: System, folder: Path, toolchain: Toolchain, method: str, *, ptx: bool) -> dict[str, Any]:
    """Generate a model and compile it as one file, for a GPU's threads or for a loop on this machine."""
    names: list[str] = []
    record = write_sources(system, folder, method, None, names.append)
    if "unsupported" in record:
        return record
    source = folder / "threads.c"
    lines = ["#define THREADS", f"#define MOST_SLOTS {MOST_INFUSED}"] if not ptx else []
    source.write_text("\n".join([*lines, *(f'#include "{name}"' for name in names), ""]), encoding="utf-8")
    if not ptx:
        with Build(toolchain, folder / f"model{library_suffix()}", 1) as running:
            running.add(source)
        return record
    used = {symbol for name in names for symbol in _OF_A_LIBRARY.findall((folder / name).read_text(encoding="utf-8"))}
    if used:
        raise EngineError(
            f"the model uses {', '.join(sorted(used))}, which the engine 'cuda' does not have",
            hint="Use the engine 'native'.",
        )
    made = folder / "model.ptx"
    toolchain.call(
        [*toolchain.command, "clang", *_PTX_FLAGS, "-isystem", str(_STANDARD), "-S", str(source), "-o", str(made)]
    )
    return record
