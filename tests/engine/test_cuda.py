"""The engine for GPUs, as far as it goes without one: its threads emulated, its program built, its driver replaced."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tests.engine.small import sbml

from immunescape.engine import FAILED, OK, STOPPED, Doses, Job, Stop, get_engine
from immunescape.engine.cuda import engine as cuda
from immunescape.engine.cuda.driver import open_device
from immunescape.engine.cuda.engine import CudaEngine
from immunescape.engine.native.compilers import find_toolchain
from immunescape.engine.native.engine import NativeEngine
from immunescape.engine.native.toolchain import library_suffix
from immunescape.errors import EngineError

needs_clang = pytest.mark.skipif(find_spec("ziglang") is None, reason="needs the compiler in the package ziglang")
N = 7
MODEL = sbml(
    {"A": (0.0, "-k * A"), "B": (1.0, "k * A - 0.2 * B / (1 + B) + 0.01 * exp(-time) * B^1.3"), "C": (1.0, "g * C")},
    {"k": 0.7, "g": 0.1},
    variables={"n": 0.0},
    events=[{"trigger": "B > 3", "assignments": {"n": "n + 1", "B": "B / 2"}}],
)


def job(**changes: object) -> Job:
    doses = [
        Doses(np.array([0.0, 4.0, 4.0 + i]), ("A", "A", "A"), np.array([3.0, 5.0, 2.0]), np.array([0.0, 1.5, 0.0]))
        for i in range(N)
    ]
    content = {
        "n": N,
        "times": np.linspace(0.0, 30.0, 31),
        "outputs": ("A", "B", "n"),
        "parameters": {"k": np.linspace(0.3, 2.0, N)},
        "initial": {"B": np.linspace(0.5, 2.0, N)},
        "doses": doses,
        "stop": Stop("C", np.linspace(5.0, 40.0, N)),
        "rtol": 1e-7,
    }
    return Job(**(content | changes))  # type: ignore[arg-type]


def same(one, other):
    for name in ("values", "final", "status", "end_time", "steps"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMMUNESCAPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def emulated():
    return CudaEngine(emulate=True).compile(MODEL)


def test_threads_give_the_bits_of_the_scalar_lane(emulated):
    native = NativeEngine(lanes=1).compile(MODEL)
    result = emulated.run(job())
    same(result, native.run(job()))
    assert set(result.status) == {OK, STOPPED}
    assert np.nanmax(result["n"]) >= 1  # the event took part
    until = np.linspace(5.0, 29.0, N)
    same(emulated.run(job(stop=None, until=until)), native.run(job(stop=None, until=until)))


def test_a_patient_that_fails_is_named_and_the_others_stay(emulated):
    result = emulated.run(job(max_steps=60, stop=None))
    failed = np.flatnonzero(result.status == FAILED)
    assert 0 < len(failed)
    assert sorted(result.messages) == failed.tolist()
    assert "steps" in result.messages[int(failed[0])]


def test_more_infused_states_than_a_thread_has_room_for_are_refused():
    names = [f"s{i}" for i in range(65)]
    model = CudaEngine(emulate=True).compile(sbml({name: (0.0, f"-{name}") for name in names}))
    doses = Doses(np.zeros(65), tuple(names), np.ones(65), np.ones(65))
    with pytest.raises(EngineError, match=r"65 states are infused into; the engine 'cuda' takes 64"):
        model.run(Job(1, np.array([0.0, 1.0]), ("s0",), doses=doses))
    most = Doses(np.zeros(64), tuple(names[:64]), np.ones(64), np.ones(64))
    filled = model.run(Job(1, np.array([0.0, 1.0]), tuple(names), doses=most, rtol=1e-8))
    np.testing.assert_allclose(filled.values[0, -1], [*[1.0 - np.exp(-1.0)] * 64, 0.0], rtol=1e-6)


def test_what_generated_code_does_not_handle_goes_to_the_reference_engine():
    text = sbml({"x": (1.0, "-x")}, events=[{"trigger": "x < 0.5", "delay": "0.1", "assignments": {"x": "1"}}])
    model = CudaEngine(emulate=True).compile(text)
    assert model.backend.startswith("reference (")
    with pytest.raises(EngineError, match="no derivatives"):
        CudaEngine(emulate=True).compile_sensitivities(MODEL, ("k",), ("A",))


def test_without_a_gpu_the_message_says_what_is_missing_and_what_to_use(monkeypatch):
    monkeypatch.setattr(cuda, "open_device", lambda: open_device("libcuda-that-nobody-has.so.1"))
    with pytest.raises(EngineError, match="needs an NVIDIA GPU and its driver") as caught:
        get_engine("cuda")
    assert "libcuda-that-nobody-has.so.1" in str(caught.value)
    assert "'native' needs no GPU" in str(caught.value)


DRIVER = r"""
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* A driver whose device is this machine. Memory is known by its pieces, so that a pointer to any other is noticed. */
static struct { char *start; size_t size; } piece[256];
static int pieces, freed;
static void *library;
static int inside(const void *p) {
    for (int i = 0; i < pieces; i++)
        if ((const char *)p >= piece[i].start && (const char *)p < piece[i].start + piece[i].size + 1) return 1;
    return p == 0;
}
int cuInit(unsigned flags) { return flags != 0; }
int cuDeviceGetCount(int *count) { *count = getenv("NO_DEVICE") ? 0 : 1; return 0; }
int cuDeviceGet(int *device, int i) { *device = i; return 0; }
int cuDeviceGetAttribute(int *v, int which, int device) {
    *v = which == 75 ? atoi(getenv("CAPABILITY") ? getenv("CAPABILITY") : "9") : 0;
    return device;
}
int cuDevicePrimaryCtxRetain(void **context, int device) { *context = &pieces; return device; }
int cuCtxSetCurrent(void *context) { return context == &pieces ? 0 : 201; }
int cuGetErrorString(int code, const char **text) { *text = code == 2 ? "out of memory" : "invalid value"; return 0; }
int cuModuleLoadData(void **module, const char *image) {
    *module = library = dlopen(image, RTLD_NOW);
    return library ? 0 : 218;
}
int cuModuleGetFunction(void **function, void *module, const char *name) {
    *function = strcmp(name, "immunescape_kernel") ? 0 : dlsym(module, "immunescape_threads");
    return *function ? 0 : 500;
}
int cuMemAlloc_v2(uint64_t *place, size_t size) {
    if (getenv("FULL") || pieces == 256) return 2;
    piece[pieces].start = malloc(size + 8);
    piece[pieces].size = size;
    *place = (uint64_t)piece[pieces++].start;
    return 0;
}
int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t n) {
    memcpy((void *)to, from, n);
    return !inside((void *)to);
}
int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t n) {
    memcpy(to, (void *)from, n);
    return !inside((void *)from);
}
int cuMemFree_v2(uint64_t place) { freed++; return 0; }
int cuCtxSynchronize(void) { return 0; }
int cuLaunchKernel(int (*kernel)(const void *), unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned shared, void *stream, void **arguments, void **extra) {
    const char *job = *(const char **)arguments[0];
    int64_t n = *(const int64_t *)job;
    if ((int64_t)gx * bx < n || (int64_t)(gx - 1) * bx >= n || gy * gz * by * bz != 1) return 1;
    if (shared || stream || extra) return 1;
    if (!inside(job)) return 700;
    for (int i = 8; i < POINTERS_END; i++)
        if (!inside(((void *const *)job)[i])) return 700;
    return kernel(job);
}
int all_freed(void) { return pieces > 0 && freed == pieces; }
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the driver in its place is written for POSIX")
def test_a_job_goes_to_the_device_and_comes_back(tmp_path, monkeypatch, emulated):
    from immunescape.engine.native.job_struct import INPUTS

    source, library = tmp_path / "driver.c", tmp_path / f"driver{library_suffix()}"
    source.write_text(DRIVER.replace("POINTERS_END", str(8 + len(INPUTS))), encoding="utf-8")
    command = find_toolchain().command
    try:
        subprocess.run([*command, "-shared", "-fPIC", "-w", source, "-o", library, "-ldl"], check=True, timeout=300)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the compiler at hand has no headers of the system")
    monkeypatch.setattr(cuda, "open_device", lambda: open_device(str(library)))
    program = Path(emulated.source).with_name(f"model{library_suffix()}")

    def build(system, folder, toolchain, method, *, ptx):
        assert ptx
        record = cuda.write_sources(system, folder, method, None, lambda name: None)
        (folder / "model.ptx").write_text(str(program), encoding="utf-8")  # what this driver takes for a program
        return record

    monkeypatch.setattr(cuda, "_build", build)
    monkeypatch.setattr(cuda, "shipped_compiler", find_toolchain)
    model = CudaEngine().compile(MODEL)
    seen: list[int] = []
    same(model.run(job(), progress=seen.append), emulated.run(job()))
    assert sum(seen) == N
    assert open_device(str(library))._library.all_freed()
    monkeypatch.setenv("FULL", "1")
    with pytest.raises(EngineError, match="out of memory") as caught:
        model.run(job())
    assert "Split the job" in str(caught.value)
    open_device.cache_clear()
    monkeypatch.setenv("CAPABILITY", "6")
    with pytest.raises(EngineError, match="compute capability 6"):
        CudaEngine()
    monkeypatch.setenv("NO_DEVICE", "1")
    with pytest.raises(EngineError, match="the driver sees none"):
        CudaEngine()
    open_device.cache_clear()


@pytest.fixture
def no_device(monkeypatch):
    """A device that keeps the program that it is given."""

    class Kept:
        def __init__(self) -> None:
            self.programs: list[bytes] = []

        def load(self, ptx: bytes, kernel: str) -> None:
            self.programs.append(ptx)

    device = Kept()
    monkeypatch.setattr(cuda, "open_device", lambda: device)
    return device


@needs_clang
def test_the_program_for_the_gpu_is_built_and_needs_no_library(no_device):
    CudaEngine().compile(MODEL)
    text = no_device.programs[-1].decode()
    assert ".visible .entry immunescape_kernel(" in text
    assert ".extern" not in text
    assert "fma.rn.f64" in text
    assert ".target sm_70" in text
    assert ".approx" not in text  # every operation is rounded as IEEE says
    assert ".version 7.5" in text


@needs_clang
def test_functions_that_a_gpu_would_need_a_library_for_are_named(no_device):
    with pytest.raises(EngineError, match=r"uses cos, sin, which the engine 'cuda' does not have"):
        CudaEngine().compile(sbml({"x": (1.0, "sin(x) + cos(2 * x)")}))
