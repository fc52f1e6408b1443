"""Runs a folder of cases in the layout of the SBML Test Suite: model, settings, expected results."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.engine.api import FAILED, Engine, Job
from immunescape.engine.ir.system import System
from immunescape.engine.sbml.reader import read_sbml_file
from immunescape.errors import EngineError, InputError

__all__ = ["Case", "check_case", "check_folder", "checking_engine", "find_cases", "read_case"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One case: a model, what to simulate, and what must come out.

    Attributes
    ----------
    id : its name. model : the SBML file. start, duration, steps : time course. variables : names in the results.
    amounts, concentrations : species to read out as the one or the other. absolute, relative : tolerances.
    expected : name -> (steps + 1,) values; times : (steps + 1,).
    """

    id: str
    model: Path
    start: float
    duration: float
    steps: int
    variables: tuple[str, ...]
    amounts: frozenset[str]
    concentrations: frozenset[str]
    absolute: float
    relative: float
    times: FloatArray
    expected: Mapping[str, FloatArray]


def find_cases(folder: str | Path) -> list[Path]:
    """Folders of cases below (or at) a folder, by name.

    Raises
    ------
    InputError
        If there is none.
    """
    root = Path(folder)
    folders = sorted({path.parent for path in root.glob("**/*-settings.txt")})
    if not folders:
        raise InputError(
            "no case of the SBML Test Suite here", where=str(root), hint="A case is a folder with NAME-settings.txt."
        )
    return folders


def read_case(folder: Path) -> Case:
    """Read one case.

    Raises
    ------
    InputError
        If a file is missing or cannot be understood.
    """
    settings_file = next(folder.glob("*-settings.txt"))
    name = settings_file.name.removesuffix("-settings.txt")
    settings: dict[str, str] = {}
    for line in settings_file.read_text(encoding="utf-8").splitlines():
        key, colon, value = line.partition(":")
        if colon:
            settings[key.strip()] = value.strip()
    models = [path for path in folder.glob(f"{name}-sbml-l*v*.xml") if "sedml" not in path.name]
    if not models:
        raise InputError("the case has no model", where=str(folder))
    try:
        words = {key: _words(settings.get(key, "")) for key in ("variables", "amount", "concentration")}
        times, expected = _read_results(folder / f"{name}-results.csv")
        return Case(
            id=name,
            model=max(models, key=lambda path: path.name),
            start=float(settings.get("start") or 0),
            duration=float(settings.get("duration") or 0),
            steps=int(settings.get("steps") or 0),
            variables=words["variables"],
            amounts=frozenset(words["amount"]),
            concentrations=frozenset(words["concentration"]),
            absolute=float(settings.get("absolute") or 0),
            relative=float(settings.get("relative") or 0),
            times=times,
            expected=expected,
        )
    except (OSError, ValueError) as error:
        raise InputError(f"the case cannot be read: {error}", where=str(folder)) from None


def _words(text: str) -> tuple[str, ...]:
    return tuple(name for name in re.split(r"[\s,]+", text) if name)


def _read_results(path: Path) -> tuple[FloatArray, dict[str, FloatArray]]:
    with path.open(encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.reader(handle) if row]
    header = [name.strip() for name in rows[0]]
    table = np.array([[float(cell) for cell in row] for row in rows[1:]], dtype=float)
    return table[:, 0], {name: table[:, i] for i, name in enumerate(header) if i}


def _outputs(case: Case, system: System) -> tuple[str, ...]:
    """Name of each variable among the outputs of an engine: ``[S]`` for a concentration."""
    species = {s.name: s for s in system.species}
    names = []
    for name in case.variables:
        item = species.get(name)
        by_default = item is not None and not item.substance_only and name not in case.amounts
        names.append(f"[{name}]" if item and (name in case.concentrations or by_default) else name)
    return tuple(names)


def check_case(case: Case, engine: Engine) -> tuple[bool, str]:
    """Run one case.

    Returns
    -------
    Whether every value lies within ``absolute + relative * |expected|``, and how far off the worst value is.

    Raises
    ------
    EngineError
        If the engine refuses the model.
    """
    system = read_sbml_file(case.model)
    outputs = _outputs(case, system)
    compile_system = getattr(engine, "compile_system", None)
    compiled = compile_system(system) if compile_system else engine.compile(case.model.read_text(encoding="utf-8"))
    end = case.start + case.duration
    grid = case.start + case.duration * np.arange(case.steps + 1) / max(case.steps, 1)
    times = grid if case.start == 0 else np.concatenate([[0.0], grid])
    if len(case.times) != len(grid) or np.max(np.abs(case.times - grid)) > 1e-6 * max(abs(end), 1.0):
        raise InputError("times of the expected results do not fit the settings", where=case.id)
    tight = dict(rtol=min(1e-9, case.relative * 1e-4 or 1e-9), atol=min(1e-13, case.absolute * 1e-5 or 1e-13))
    result = compiled.run(Job(n=1, times=times, outputs=outputs, max_steps=200_000, **tight))  # type: ignore[arg-type]
    if result.status[0] == FAILED:
        return False, f"integration failed {result.messages[0]}"
    worst, text = 0.0, ""
    for name, output in zip(case.variables, outputs, strict=True):
        got, want = result[output][0][len(times) - len(grid) :], case.expected[name]
        with np.errstate(invalid="ignore"):
            excess = np.abs(got - want) / (case.absolute + case.relative * np.abs(want))
        same = (got == want) | (np.isnan(got) & np.isnan(want))
        excess = np.where(same, 0.0, np.where(np.isnan(excess), np.inf, excess))
        if excess.max() >= worst:
            worst, row = float(excess.max()), int(excess.argmax())
            text = f"{name} at time {grid[row]:g}: {got[row]:.10g}, expected {want[row]:.10g}"
    return worst <= 1.0, text


def check_folder(
    folder: str | Path,
    engine: Engine,
    *,
    fallback: Engine | None = None,
    workers: int = 1,
    details: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Run every case below a folder.

    Parameters
    ----------
    folder
        Folder of cases.
    engine
        Engine that runs them.
    fallback
        Engine for models that the first one refuses.
    workers
        Threads for the native engine, which calls a compiler for each model; other engines use one.
    details
        Filled with case -> where it is wrong.

    Returns
    -------
    ``{"passed": [ids], "refused": {id: reason}, "wrong": [ids]}``
    """
    cases = [read_case(path) for path in find_cases(folder)]

    def run(case: Case) -> tuple[bool | None, str]:
        try:
            try:
                return check_case(case, engine)
            except EngineError:
                if fallback is None:
                    raise
                return check_case(case, fallback)
        except EngineError as error:
            return None, error.message

    with ThreadPoolExecutor(max_workers=workers if engine.name == "native" else 1) as pool:
        outcomes = list(pool.map(run, cases))
    results = [(case.id, good, text) for case, (good, text) in zip(cases, outcomes, strict=True)]
    if details is not None:
        details.update({name: text for name, good, text in results if good is False})
    return {
        "passed": [name for name, good, _ in results if good],
        "refused": {name: text for name, good, text in results if good is None},
        "wrong": [name for name, good, _ in results if good is False],
    }


def checking_engine(name: str) -> Engine:
    """Return the engine that checks cases of one patient each.

    For ``auto`` and ``native`` that is the native engine with one lane, which compiles three times faster than with
    more and gives the same bits; ``auto`` takes the reference engine where there is no C compiler.
    """
    from immunescape.engine import get_engine

    if name not in ("auto", "native"):
        return get_engine(name)
    from immunescape.engine.native.engine import NativeEngine

    try:
        return NativeEngine(lanes=1)
    except EngineError:
        if name == "native":
            raise
        return get_engine("reference")
