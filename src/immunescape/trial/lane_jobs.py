"""Integration of lanes: one job of the engine for all lanes of many patients, and what came of each patient's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.engine.api import FAILED, Doses, Job, Result
from immunescape.trial.dosing import DoseRecord, to_doses
from immunescape.trial.lanes import Lane

if TYPE_CHECKING:
    from immunescape.engine.api import Compiled
    from immunescape.model.assembly import Model

__all__ = ["LIVING", "VOLUME", "LaneJobs", "LanePiece"]

FloatArray = NDArray[np.float64]
VOLUME, LIVING = "V_scan_T", "V_T"
"""Tumour volume on scans, and without the scar that radiation leaves."""
GONE_ML = 1e-3
"""Volume (1.2 mm) below which a lane without a cancer cell is integrated no further: debris is left."""


@dataclass(frozen=True, kw_only=True)
class LanePiece:
    """A piece of the trajectories of one patient's lanes.

    Attributes
    ----------
    volume_ml, living_ml : (lanes, t) volumes as scans show them, and without scar; a lane that had ended keeps its own.
    failure : what went wrong, and after how many days; None where all lanes were integrated.
    steps : most integrator steps of a lane.
    states : (lanes, t, s) states; of lanes that had ended, none.
    alive : (lanes, t) whether a lane has cancer cells.
    cells : (lanes, t) living cancer cells; 0 in a lane that had ended.
    """

    volume_ml: FloatArray
    living_ml: FloatArray
    failure: tuple[float, str] | None
    steps: int
    states: tuple[FloatArray | None, ...]
    alive: tuple[NDArray[np.bool_] | None, ...]
    cells: FloatArray

    def take(self, lanes: Sequence[Lane], index: int) -> bool:
        """Put the lanes into their states at an output; whether all of these are finite.

        A lane beside others that has no cancer cell left is closed.
        """
        finite = True
        for j, lane in enumerate(lanes):
            states, alive = self.states[j], self.alive[j]
            if states is None or alive is None:
                continue
            finite &= bool(np.isfinite(states[index]).all())
            lane.state = np.maximum(states[index], 0.0)
            lane.last = float(self.volume_ml[j, index]), float(self.living_ml[j, index])
            if len(lanes) > 1 and not alive[index] and lane.last[1] < GONE_ML:
                lane.open = False
        return finite


class LaneJobs:
    """Runs the lanes of patients of one model with one engine.

    Parameters
    ----------
    model, compiled, drugs
        The model, made ready by an engine, and the drugs that doses may name.
    rtol
        Relative tolerance of the integration.
    """

    def __init__(self, model: Model, compiled: Compiled, drugs: Mapping[str, Any], rtol: float) -> None:
        self.model, self.compiled, self.rtol, self._drugs = model, compiled, rtol, drugs
        self._atol = model.atol()
        self._outputs = (VOLUME, LIVING, *compiled.states)
        self._places = np.array([self._outputs.index(s) for s in compiled.states])
        self._clones = np.array([self._outputs.index(f"C_{c.name}") for c in model.clones], dtype=int)
        self._millilitres = model.scale(VOLUME)

    def run(
        self,
        patients: Sequence[Sequence[Lane]],
        times: FloatArray,
        doses: Sequence[Sequence[tuple[float, DoseRecord]]],
    ) -> list[LanePiece]:
        """Integrate the open lanes of each patient over `times` (days from now); those of one get the same doses."""
        tables: list[Doses] = []
        lanes: list[Lane] = []
        rows: list[list[int]] = []
        for patient_doses, given in zip(patients, doses, strict=True):
            table = to_doses([dose.at(time) for time, dose in given], self._drugs)
            mine = []
            for lane in patient_doses:
                mine.append(len(lanes) if lane.open else -1)
                if lane.open:
                    lanes.append(lane)
                    tables.append(table)
            rows.append(mine)
        result = self._integrate(lanes, times, tables) if lanes else None
        return [
            self._piece(patient_doses, mine, result, len(times))
            for patient_doses, mine in zip(patients, rows, strict=True)
        ]

    def _integrate(self, lanes: Sequence[Lane], times: FloatArray, tables: list[Doses]) -> Result:
        names = sorted(lanes[0].parameters)
        values = np.array([[lane.parameters[k] for k in names] for lane in lanes])
        states = np.array([lane.state for lane in lanes])
        job = Job(
            n=len(lanes),
            times=times,
            outputs=self._outputs,
            parameters={k: values[:, j] for j, k in enumerate(names)},
            initial={s: states[:, k] for k, s in enumerate(self.compiled.states)},
            doses=tables,
            rtol=self.rtol,
            atol=self._atol,
            # The reference engine takes minutes for a model of this size, and most of what it is asked for fails there
            # as well (draws of assumed strengths): such a patient is counted as failed.
            rescue=False,
        )
        return self.compiled.run(job)

    def _piece(self, lanes: Sequence[Lane], rows: Sequence[int], result: Result | None, points: int) -> LanePiece:
        volume, living = np.empty((len(lanes), points)), np.empty((len(lanes), points))
        states: list[FloatArray | None] = [None] * len(lanes)
        alive: list[NDArray[np.bool_] | None] = [None] * len(lanes)
        cells = np.zeros((len(lanes), points))
        failure, steps = None, 0
        for j, (i, lane) in enumerate(zip(rows, lanes, strict=True)):
            if i < 0 or result is None:
                volume[j], living[j] = lane.last
                continue
            values = result.values[i]
            volume[j], living[j] = values[:, 0] * self._millilitres, values[:, 1] * self._millilitres
            states[j] = values[:, self._places]
            alive[j] = np.asarray((values[:, self._clones] > 0.0).any(axis=1))
            cells[j] = values[:, self._clones].sum(axis=1)
            steps = max(steps, int(result.steps[i]))
            if failure is None and int(result.status[i]) == FAILED:
                failure = float(result.end_time[i]), result.messages.get(i, "failed")
        return LanePiece(
            volume_ml=volume,
            living_ml=living,
            failure=failure,
            steps=steps,
            states=tuple(states),
            alive=tuple(alive),
            cells=cells,
        )
