"""Other simulators behind the interface of an engine, where they are installed: for measuring beside ours, no more.

Each is driven as its own users would: doses become SBML events (boluses only), so that a library that reads SBML
integrates a whole course in one call of its own; libroadrunner with its default options, past our engine of that name.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import re
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import libsbml
import numpy as np

from immunescape.engine.api import FAILED, OK, Doses, Job, Result
from immunescape.engine.sbml.dose_events import add_dose_event
from immunescape.errors import EngineError

__all__ = ["PEERS", "Peer", "installed_peers", "with_dose_events"]


def with_dose_events(sbml: str, doses: Doses | None) -> str:
    """Return the model with every bolus of a dose table as an event at its time.

    Doses are amounts; where the name of a species stands for a concentration they are divided by its compartment.
    The trigger of a dose at time 0 counts as false before, so that it fires at the start.
    """
    if doses is None or not len(doses.time):
        return sbml
    if np.any(np.asarray(doses.duration) > 0):
        raise EngineError("only boluses can be written as events")
    document = libsbml.readSBMLFromString(sbml)
    model = document.getModel()
    _name_modifiers(model)
    for k, (when, target, amount) in enumerate(zip(doses.time, doses.target, doses.amount, strict=True)):
        add_dose_event(model, k, float(when), target, float(amount))
    value: str = libsbml.writeSBMLToString(document)
    return value


def _name_modifiers(model: libsbml.Model) -> None:
    """Declare the species that a rate law names beside its reactants and products, as stricter readers want."""
    species = {s.getId() for s in model.getListOfSpecies()}
    for reaction in model.getListOfReactions():
        lists = (reaction.getListOfReactants(), reaction.getListOfProducts(), reaction.getListOfModifiers())
        species_of_reactions = {r.getSpecies() for references in lists for r in references}
        text = libsbml.formulaToL3String(reaction.getKineticLaw().getMath())
        for name in sorted(species & set(re.findall(r"[A-Za-z_]\w*", text)) - species_of_reactions):
            reaction.createModifier().setSpecies(name)


class Peer(ABC):
    """One library: compiles with the first doses it meets and runs patients one after the other.

    Attributes
    ----------
    name : in reports. setup : how it is used, in a sentence. package : what to install.
    """

    name = ""
    setup = ""
    package = ""

    def __init__(self, sbml: str) -> None:
        self.sbml = sbml
        document = libsbml.readSBMLFromString(sbml)
        model = document.getModel()
        ruled = {rule.getVariable() for rule in model.getListOfRules()}
        self.states = tuple(s.getId() for s in model.getListOfSpecies() if s.getId() not in ruled)
        self.quantities = tuple(sorted(ruled))
        self.parameters = {p.getId(): p.getValue() for p in model.getListOfParameters() if p.getConstant()}
        self._home = {s.getId(): s.getCompartment() for s in model.getListOfSpecies()}
        self._loaded_for: bytes | None = None

    def run(self, job: Job, *, progress: Callable[[int], None] | None = None) -> Result:
        """Integrate the patients of a job that has at most one table of boluses and no stop condition."""
        doses = job.doses
        if isinstance(doses, Sequence) or job.stop is not None or job.until is not None or job.initial:
            raise EngineError(f"{self.name} is only driven with one table of boluses, without stops or initial values")
        key = b"" if doses is None else doses.time.tobytes() + doses.amount.tobytes()
        if self._loaded_for != key:
            self._load(with_dose_events(self.sbml, doses), job)
            self._loaded_for = key
        values = np.full((job.n, len(job.times), len(job.outputs)), np.nan)
        status, messages = np.full(job.n, OK, dtype=np.int8), {}
        for i in range(job.n):
            overrides = {k: float(np.broadcast_to(v, job.n)[i]) for k, v in job.parameters.items()}
            try:
                values[i] = self._course(job, overrides)
            except Exception as error:  # the library's own exceptions are of many kinds
                status[i], messages[i] = FAILED, f"{type(error).__name__}: {error}"[:200]
            if progress:
                progress(i + 1)
        final = np.full((job.n, len(self.states)), np.nan)
        end, steps = np.full(job.n, job.times[-1]), np.zeros(job.n, dtype=np.int64)
        return Result(
            times=job.times,
            outputs=job.outputs,
            values=values,
            states=self.states,
            final=final,
            status=status,
            end_time=end,
            steps=steps,
            messages=messages,
        )

    @abstractmethod
    def _load(self, sbml: str, job: Job) -> None:
        """Make the library ready for the model with its doses."""

    @abstractmethod
    def _course(self, job: Job, overrides: dict[str, float]) -> Any:
        """Integrate one patient: (t, k) outputs."""


class _RoadRunner(Peer):
    """libroadrunner as its users run it."""

    name = "libroadrunner"
    setup = "CVODE, default options of loading and of the integrator but tolerances and the limit of steps"
    package = "libroadrunner"

    def _load(self, sbml: str, job: Job) -> None:
        roadrunner = importlib.import_module("roadrunner")
        roadrunner.Logger.setLevel(roadrunner.Logger.LOG_FATAL)
        self._runner = roadrunner.RoadRunner(sbml)

    def _course(self, job: Job, overrides: dict[str, float]) -> Any:
        runner = self._runner
        integrator = runner.getIntegrator()
        integrator.relative_tolerance = job.rtol
        integrator.absolute_tolerance = job.atol if isinstance(job.atol, float) else 1e-9
        integrator.maximum_num_steps = job.max_steps
        for name, value in overrides.items():
            runner[name] = value
        runner.reset()  # initial values follow from parameters
        for name, value in overrides.items():
            runner[name] = value
        runner.timeCourseSelections = ["time", *job.outputs]
        return np.array(runner.simulate(times=[float(t) for t in job.times]))[:, 1:]


class _Copasi(Peer):
    """COPASI's deterministic solver (LSODA) through basico."""

    name = "copasi"
    setup = "LSODA through basico, the model loaded once"
    package = "copasi-basico"

    def _load(self, sbml: str, job: Job) -> None:
        basico = importlib.import_module("basico")
        self._model = basico.load_model_from_string(sbml)
        compartments = basico.get_compartments(model=self._model)
        self._sizes = {} if compartments is None else compartments["initial_size"]

    def _course(self, job: Job, overrides: dict[str, float]) -> Any:
        basico = importlib.import_module("basico")
        for name, value in overrides.items():
            basico.set_parameters(name, exact=True, initial_value=value, model=self._model)
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            frame = basico.run_time_course(
                values=[float(t) for t in job.times],
                start_time=float(job.times[0]),
                r_tol=job.rtol,
                a_tol=job.atol if isinstance(job.atol, float) else 1e-9,
                max_steps=job.max_steps,
                use_sbml_id=True,
                use_initial_values=True,
                update_model=False,
                model=self._model,
            )
        if len(frame) < len(job.times):
            lines = [line.strip() for line in said.getvalue().splitlines() if line.strip()]
            reason = f": {lines[-1]}" if lines else ""
            raise EngineError(f"stopped at {float(frame.index[-1]) if len(frame) else 0.0:g}{reason}")
        columns = []
        for output in job.outputs:
            column = frame[output].to_numpy(dtype=float)[-len(job.times) :]
            if output in self._home:  # COPASI returns concentrations
                home = self._home[output]
                column = column * (frame[home].to_numpy(dtype=float) if home in frame else self._sizes[home])
            columns.append(column)
        return np.array(columns).T


class _Amici(Peer):
    """AMICI: the model as compiled C++ with an analytic Jacobian, CVODES and KLU."""

    name = "amici"
    setup = "compiled C++, analytic Jacobian, CVODES with KLU"
    package = "amici"

    def _load(self, sbml: str, job: Job) -> None:
        amici, self._run = (
            importlib.import_module("amici"),
            importlib.import_module("amici.sim.sundials").run_simulation,
        )
        folder = tempfile.mkdtemp(prefix="amici-")
        name = f"peer_{time.monotonic_ns()}"
        file = Path(folder) / "model.xml"
        file.write_text(sbml, encoding="utf-8")
        importer = amici.SbmlImporter(str(file))
        channel = importlib.import_module("amici.importers.utils").MeasurementChannel
        observables = [channel(id_=f"obs_{k}", formula=o) for k, o in enumerate(job.outputs)]
        importer.sbml2amici(
            name,
            str(Path(folder) / name),
            observation_model=observables,
            verbose=False,
            compute_conservation_laws=False,
            generate_sensitivity_code=False,
        )
        sys.path.insert(0, str(Path(folder) / name))
        self._model = importlib.import_module(name).get_model()

    def _course(self, job: Job, overrides: dict[str, float]) -> Any:
        self._model.set_timepoints([float(t) for t in job.times])
        for name, value in overrides.items():
            self._model.set_free_parameter_by_id(name, value)
        solver = self._model.create_solver()
        solver.set_relative_tolerance(job.rtol)
        solver.set_absolute_tolerance(job.atol if isinstance(job.atol, float) else 1e-9)
        solver.set_max_steps(job.max_steps)
        result = self._run(self._model, solver)
        if result.status != 0:
            raise EngineError("; ".join(m.message for m in result.messages)[:200] or f"status {result.status}")
        return np.asarray(result.y)


class _Sundae(Peer):
    """CVODE through scikit-sundae, with callbacks compiled from our generated C."""

    name = "scikit-sundae"
    setup = (
        "CVODE (BDF, dense), rates and Jacobian compiled from our generated C, called from Python; restarts at doses"
    )
    package = "scikit-sundae"

    def _load(self, sbml: str, job: Job) -> None:
        from immunescape.engine.oracle.peers_sundae import Callbacks, SundaeCourses

        with tempfile.TemporaryDirectory() as folder:
            doses = job.doses if isinstance(job.doses, Doses) else None
            self._courses = SundaeCourses(Callbacks(self.sbml, Path(folder)), doses)

    def _course(self, job: Job, overrides: dict[str, float]) -> Any:
        return self._courses.course(job, overrides)


PEERS: dict[str, tuple[str, type[Peer]]] = {
    "libroadrunner": ("roadrunner", _RoadRunner),
    "scikit-sundae": ("sksundae", _Sundae),
    "copasi": ("basico", _Copasi),
    "amici": ("amici", _Amici),
}
"""Name -> (module that must be installed, what makes it ready)."""


def installed_peers() -> tuple[str, ...]:
    """Those of `PEERS` whose module is installed."""
    return tuple(name for name, (module, _) in PEERS.items() if importlib.util.find_spec(module))
