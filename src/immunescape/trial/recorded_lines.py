"""Lines of treatment that a real patient has had, simulated in virtual patients: what each of them does on it.

A line before a virtual trial keeps those who end it as the protocol asks. Here the regimen and the days of the scans
are a patient's own, all virtual patients are kept, and what happened to each is told: a likelihood weighs it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.trial.between_lines import aim
from immunescape.trial.course import Course
from immunescape.trial.recist import best_overall_response
from immunescape.trial.regimen import Regimen

if TYPE_CHECKING:
    from immunescape.trial.simulate import BlockSimulator, SimulatedPatient

__all__ = ["LineOutcome", "copied", "follow_line"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class LineOutcome:
    """What one virtual patient did on a line.

    Attributes
    ----------
    progression_day : day of the scan of progression, counted from the line's start; infinite where there was none.
    death_day : day of death; infinite where the patient lived to the end of the line.
    best_response : best response by RECIST 1.1.
    changes : day of a scan -> sum of diameters over that of the line's baseline.
    """

    progression_day: float
    death_day: float
    best_response: str
    changes: dict[float, float]


def follow_line(
    simulator: BlockSimulator,
    patients: Sequence[SimulatedPatient],
    regimen: Regimen,
    *,
    number: int,
    scans: Sequence[float],
    days: float,
    washout_days: float,
) -> tuple[dict[int, LineOutcome], list[SimulatedPatient]]:
    """Give patients a line; those alive after it stand at the start of the next.

    Parameters
    ----------
    simulator
        Simulator whose model has the drugs of the regimen.
    patients
        Patients at the start of the line; they are changed.
    regimen
        What is given until progression.
    number
        Number of the line, for its random numbers.
    scans
        Days of the scans, from the start of the line.
    days
        End of the line where there is no progression before it.
    washout_days
        Days without treatment after it.

    Returns
    -------
    Number of the patient -> outcome, for all that could be simulated, and the patients who are alive.
    """
    name = f"recorded {number}"
    for p in patients:
        p.horizon = days
        p.course.start_line(name, 0.0, regimen, np.asarray(sorted(scans), dtype=float), days)
        aim(simulator, p, regimen)
    simulator._integrate(list(patients), None)
    outcomes: dict[int, LineOutcome] = {}
    alive = []
    for p in patients:
        if p.failure:
            continue
        line = p.course.line
        death = math.inf if p.course.death is None else p.course.death
        seen = [k for k, day in enumerate(line.days) if day <= death]
        outcomes[p.number] = LineOutcome(
            line.progression,
            death,
            best_overall_response([line.days[k] for k in seen], [line.responses[k] for k in seen], confirm=False),
            {line.days[k]: line.sld_mm[k] / line.baseline_mm for k in seen},
        )
        if p.course.death is None:
            alive.append(p)
    if washout_days > 0 and alive:
        simulator._rest(alive, washout_days)
    going_on = []
    for p, volume in zip(alive, simulator._lane_volumes(alive), strict=True):
        if p.failure:
            continue
        earlier = p.course.earlier_lines + 1
        p.course = Course(p.row, volume, p.course.streams, simulator.models, earlier_lines=earlier, previous=p.course)
        p.row["sld_mm"] = p.course.entry_sld_mm
        p.context = {}
        going_on.append(p)
    return outcomes, going_on


def copied(patients: Sequence[SimulatedPatient], simulator: BlockSimulator) -> list[SimulatedPatient]:
    """Copies of patients, so that several regimens can start from the same state with the same luck."""
    import copy

    shared: dict[int, Any] = {id(simulator.models): simulator.models}
    return [copy.deepcopy(p, dict(shared)) for p in patients]
