"""COPASI (LSODA) behind the engine interface, as far as timing needs it: boluses, parameters, even output times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from immunescape.engine.api import OK, Doses, Job, Result
from immunescape.engine.roadrunner import RoadRunnerModel
from immunescape.errors import EngineError

__all__ = ["CopasiModel"]


class CopasiModel:
    """An SBML model loaded into COPASI through basico. Boluses become events of the document."""

    def __init__(self, sbml: str) -> None:
        names = RoadRunnerModel(sbml)
        self.states: tuple[str, ...] = names.states
        self.quantities: tuple[str, ...] = names.quantities
        self.parameters: Mapping[str, float] = names.parameters
        self._sbml = sbml
        self._loaded: dict[int | None, Any] = {}

    def _model(self, doses: Doses | None) -> Any:
        import basico

        key = None if doses is None else id(doses)
        if key not in self._loaded:
            self._loaded[key] = basico.load_model_from_string(_with_boluses(self._sbml, doses))
        return self._loaded[key]

    def run(self, job: Job, *, progress: Callable[[int], None] | None = None) -> Result:
        """Integrate a batch, one patient after the other.

        Raises
        ------
        EngineError
            For anything that timing does not need: infusions, stops, initial values, uneven output times.
        """
        import basico

        times = np.asarray(job.times, dtype=float)
        doses = job.doses if isinstance(job.doses, Doses) else None
        plain = job.stop is None and job.until is None and not job.initial and (doses is job.doses)
        if not plain or (doses is not None and np.any(doses.duration > 0)) or np.ptp(np.diff(times)) > 1e-9 * times[-1]:
            raise EngineError("COPASI is here for timing only: boluses, parameters and even output times")
        model = self._model(doses)
        atol = job.atol if isinstance(job.atol, float) else 1e-9
        values = np.empty((job.n, len(times), len(job.outputs)))
        for i in range(job.n):
            for name, value in job.parameters.items():
                array = np.broadcast_to(np.asarray(value, dtype=float), (job.n,))
                basico.set_parameters(sbml_id=name, exact=True, initial_value=float(array[i]), model=model)
            table = basico.run_time_course(
                start_time=times[0], duration=times[-1] - times[0], intervals=len(times) - 1, model=model,
                use_sbml_id=True, use_initial_values=True, r_tol=job.rtol, a_tol=atol, max_steps=job.max_steps,
                use_concentrations=False,
            )  # fmt: skip
            values[i] = table[list(job.outputs)].to_numpy()
            if progress is not None:
                progress(1)
        status = np.full(job.n, OK, dtype=np.int8)
        final = np.full((job.n, len(self.states)), np.nan)
        end = np.full(job.n, times[-1])
        return Result(times, job.outputs, values, self.states, final, status, end, np.zeros(job.n, dtype=np.int64), {})


def _with_boluses(sbml: str, doses: Doses | None) -> str:
    """Add an event for each dose."""
    import libsbml

    if doses is None:
        return sbml
    document = libsbml.readSBMLFromString(sbml)
    model = document.getModel()
    for k, (time, target, amount) in enumerate(zip(doses.time, doses.target, doses.amount, strict=True)):
        species = model.getSpecies(target)
        concentration = species is not None and not species.getHasOnlySubstanceUnits()
        added = f"{float(amount)!r} / {species.getCompartment()}" if concentration else repr(float(amount))
        event = model.createEvent()
        event.setId(f"dose_{k}")
        event.setUseValuesFromTriggerTime(True)
        trigger = event.createTrigger()
        trigger.setInitialValue(False)
        trigger.setPersistent(True)
        trigger.setMath(libsbml.parseL3Formula(f"time >= {float(time)!r}"))
        change = event.createEventAssignment()
        change.setVariable(target)
        change.setMath(libsbml.parseL3Formula(f"{target} + {added}"))
    return str(libsbml.writeSBMLToString(document))
