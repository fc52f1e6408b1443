"""CVODE of SUNDIALS through scikit-sundae, its callbacks compiled from the same generated C as ours: for measuring.

What a user with a fast right-hand side could reach: rates and Jacobian are C functions for one patient, written by the
code generator and called from Python; the solver is BDF with a dense matrix and starts afresh at each dose.
"""

from __future__ import annotations

import ctypes
import importlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.engine.api import Doses, Job
from immunescape.engine.codegen.layout import Layout
from immunescape.engine.ir.analysis import CLOCK, Plan, analyse
from immunescape.errors import EngineError

__all__ = ["Callbacks", "SundaeCourses"]

FloatArray = NDArray[np.float64]

_EXPORTED = """
void peer_start(double t, V *z, V *c, V *x, const unsigned char *z_fixed) {
    static const unsigned char none[SPAN(NX)];
    start(z, x, t, z_fixed, none);
    hoist(z, c);
}
void peer_rates(double t, const V *x, const V *z, const V *c, V *r) { rates(x, z, c, t, r); }
void peer_jacobian(double t, const V *x, const V *z, const V *c, V *j) { jacobian(x, z, c, t, j); }
void peer_quantities(double t, const V *x, const V *z, const V *c, V *q, const unsigned char *need) {
    quantities(x, z, c, t, q, need);
}
"""


class Callbacks:
    """A model as C functions for one patient, and the arrays that they read and write.

    Parameters
    ----------
    sbml
        The model (text). Events and conditions on which the rates' form depends are refused.
    folder
        Where the library is made.
    """

    def __init__(self, sbml: str, folder: Path) -> None:
        from immunescape.engine.codegen.c.generate import generate, headers
        from immunescape.engine.native.compilers import find_toolchain
        from immunescape.engine.native.library import load_library
        from immunescape.engine.native.toolchain import library_suffix
        from immunescape.engine.sbml.reader import read_sbml

        plan = analyse(read_sbml(sbml))
        if isinstance(plan, str):
            raise EngineError(f"no C code for a model with {plan}")
        if plan.triggers or plan.switches or plan.breaks:
            raise EngineError("scikit-sundae is driven only with models that have neither events nor switches of rates")
        files, self.layout = generate(plan)
        files["model.c"] += _jacobian(plan) + _EXPORTED
        for name, text in {**headers(), **files}.items():
            (folder / name).write_text(text, encoding="utf-8")
        library = folder / f"callbacks{library_suffix()}"
        find_toolchain().build([folder / name for name in files], library, 1)
        self._library = load_library(library)
        for name in ("peer_start", "peer_rates", "peer_jacobian", "peer_quantities"):
            function = getattr(self._library, name)
            function.restype = None
            function.argtypes = [ctypes.c_double] + [ctypes.c_void_p] * (5 if name == "peer_quantities" else 4)
        layout = self.layout
        self.defaults = np.array([layout.defaults.get(name, 0.0) for name in layout.fixed])
        self.z, self.x = np.zeros(max(len(layout.fixed), 1)), np.zeros(max(len(layout.integrated), 1))
        self.c = np.zeros(max(layout.counts["hoisted"], 1))
        self.q = np.zeros(max(len(layout.quantities), 1))
        self.jacobian_values = np.zeros((len(self.x), len(self.x)))
        self._at = (self.z.ctypes.data, self.c.ctypes.data)

    def start(self, time: float, overrides: dict[str, float]) -> None:
        """Set fixed values and initial states (`z`, `c`, `x`) for some parameters."""
        self.z[:] = self.defaults
        fixed = np.zeros(len(self.z), dtype=np.uint8)
        for name, value in overrides.items():
            place = self.layout.fixed.index(name)
            self.z[place], fixed[place] = value, 1
        z, c = self._at
        self._library.peer_start(time, z, c, self.x.ctypes.data, fixed.ctypes.data)

    def rates(self, t: float, y: FloatArray, yp: FloatArray) -> None:
        """Right-hand side as scikit-sundae calls it."""
        self._library.peer_rates(t, y.ctypes.data, *self._at, yp.ctypes.data)

    def jacobian(self, t: float, y: FloatArray, yp: FloatArray, values: FloatArray) -> None:
        """Jacobian as scikit-sundae calls it: row i holds the derivatives of rate i."""
        self._library.peer_jacobian(t, y.ctypes.data, *self._at, self.jacobian_values.ctypes.data)
        values[:, :] = self.jacobian_values

    def read(self, t: float, y: FloatArray, need: NDArray[np.uint8]) -> FloatArray:
        """Quantities at a point."""
        self._library.peer_quantities(t, y.ctypes.data, *self._at, self.q.ctypes.data, need.ctypes.data)
        return self.q


def _jacobian(plan: Plan) -> str:
    """C function with all elements of the Jacobian, row by row; zeros stay as they were."""
    from immunescape.engine.codegen.c.pieces import POINT, function_in_pieces
    from immunescape.engine.codegen.tangents import tangents
    from immunescape.engine.codegen.tape import Tape

    states = {name: f"x[{i}]" for i, name in enumerate(plan.states)}
    tape = Tape({**{name: f"z[{i}]" for i, name in enumerate(plan.fixed)}, **states, CLOCK: "t"})
    rates = tape.share([tape.value(r) for r in tape.lower(plan.rates)])
    elements = tangents(tape, rates, list(states.values()))
    targets = [(f"q[{i * len(states) + j}]", node) for (i, j), node in sorted(elements.items())]
    return function_in_pieces(tape, "jacobian", f"{POINT}, V *restrict q", targets, "static NOINLINE")


class SundaeCourses:
    """Courses of one patient after the other with scikit-sundae's CVODE.

    Parameters
    ----------
    callbacks
        The model.
    doses
        Boluses of every patient.
    """

    def __init__(self, callbacks: Callbacks, doses: Doses | None) -> None:
        self._solver = importlib.import_module("sksundae.cvode").CVODE
        self.callbacks = callbacks
        self.doses = doses or Doses.none()
        layout = callbacks.layout
        self._place = {name: i for i, name in enumerate(layout.integrated)}

    def course(self, job: Job, overrides: dict[str, float]) -> FloatArray:
        """Integrate one patient: (t, k) outputs."""
        made, layout = self.callbacks, self.callbacks.layout
        made.start(float(job.times[0]), overrides)
        y = made.x.copy()
        atol = job.atol if isinstance(job.atol, float) else 1e-9
        solver: Any = self._solver(
            made.rates, jacfn=made.jacobian, rtol=job.rtol, atol=atol, max_num_steps=job.max_steps
        )
        need, readers = _readers(layout, job.outputs)
        times = np.asarray(job.times, dtype=float)
        values = np.empty((len(times), len(job.outputs)))
        moments = np.unique(np.concatenate([[times[0]], self.doses.time[self.doses.time < times[-1]], [times[-1]]]))
        for a, b in itertools.pairwise(moments):
            for when, target, amount in zip(self.doses.time, self.doses.target, self.doses.amount, strict=True):
                if when == a:
                    y[self._place[target]] += amount
            rows = np.flatnonzero((times >= a) & (times < b if b < times[-1] else times <= b))
            grid = np.unique(np.concatenate([[a], times[rows], [b]]))
            if len(grid) == 2:  # two points ask for all internal steps
                grid = np.array([a, 0.5 * (a + b), b])
            solution = solver.solve(grid, y)
            if not solution.success:
                raise EngineError(f"CVODE stopped: {solution.message}")
            for row, state in zip(rows, solution.y[np.searchsorted(grid, times[rows])], strict=True):
                point = np.ascontiguousarray(state)
                quantities = made.read(float(times[row]), point, need)
                values[row] = [{"x": point, "z": made.z, "q": quantities}[array][i] for array, i in readers]
            y = np.array(solution.y[-1])
        return values


def _readers(layout: Layout, outputs: tuple[str, ...]) -> tuple[NDArray[np.uint8], list[tuple[str, int]]]:
    """Which quantities are needed, and array and position of each output."""
    need = np.zeros(max(len(layout.quantities), 1), dtype=np.uint8)
    readers = []
    for output in outputs:
        name = layout.alias.get(output, output)
        if name in layout.quantities:
            k = layout.quantities.index(name)
            need[list(layout.closure[k])] = 1
            readers.append(("q", k))
        elif name in layout.integrated:
            readers.append(("x", layout.integrated.index(name)))
        else:
            readers.append(("z", layout.fixed.index(name)))
    return need, readers
