"""What happens between the lines of a virtual trial: entry after earlier lines, later lines, the aim of radiation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from immunescape.trial.course import Course
from immunescape.trial.field import all_lesions, field_share, in_field, radiation_rule, target_of
from immunescape.trial.regimen import Regimen

if TYPE_CHECKING:
    from immunescape.trial.simulate import BlockSimulator, SimulatedPatient
    from immunescape.trial.spec import Arm, Choice

__all__ = ["NONE", "aim", "count", "eligible_at_entry", "later_lines"]

NONE = Regimen()
FIELD, FIELD_LOSS = "in_field_radiotherapy", "radiotherapy_K"
"""Parameter: share of the cancer cells in the field; state: log kill there so far."""


def count(counts: dict[str, int], reason: str) -> None:
    """Count a candidate under a reason."""
    counts[reason] = counts.get(reason, 0) + 1


def eligible_at_entry(
    simulator: BlockSimulator, patients: list[SimulatedPatient], excluded: dict[str, int]
) -> list[SimulatedPatient]:
    """Who enters after the earlier lines: criteria on the tumour are read now, not at diagnosis.

    A line may end with disease that cannot be measured (a rise from a small nadir, a new lesion). Such a patient
    is scanned again, without treatment, until a lesion is measurable or the longest wait is over.
    """
    enrolment = simulator.trial.population
    waiting, every = patients, simulator.numbers["run_in_visit_interval"]
    for _ in range(int(simulator.numbers["longest_wait_for_measurable"] // every)):
        waiting = [p for p in waiting if enrolment.measurable and not p.course.measurable and not p.failure]
        if not waiting:
            break
        simulator._rest(waiting, every)
        for p, volume in zip(waiting, simulator._lane_volumes(waiting), strict=True):
            if not p.failure:
                earlier, last = p.course.earlier_lines, p.course
                p.course = Course(p.row, volume, last.streams, simulator.models, earlier_lines=earlier, previous=last)
    import pandas as pd

    entering = []
    for p in patients:
        p.row["sld_mm"] = p.course.entry_sld_mm
        if enrolment.measurable and not p.course.measurable:
            count(excluded, "no measurable disease at entry")
        elif enrolment.at_entry and not all(c.met(pd.DataFrame([p.row]))[0] for c in enrolment.at_entry):
            count(excluded, "not eligible at entry")
        else:
            entering.append(p)
    return entering


def later_lines(simulator: BlockSimulator, patients: list[SimulatedPatient], arm: Arm) -> None:
    """What follows progression on the trial's line: a pause, then crossover, later therapy, or nothing.

    Shares are delivered as they are written: it is counted who progressed, and those who are alive after the pause
    share the places among them by their own draws. Where more places are asked for than patients are left, all
    of these receive one.
    """
    progressed = [p for p in patients if not p.failure and p.course.death is None and _ended(p)]
    waiting = [p for p in progressed if p.course.day < p.horizon - 1e-6]
    for p in waiting:
        p.course.start_line("after", p.course.day, NONE, np.empty(0), p.horizon, fallback=True)
    if not waiting:
        return
    horizons = [p.horizon for p in waiting]
    for p in waiting:
        p.horizon = min(p.horizon, p.course.day + simulator.numbers["next_line_gap"])
    simulator._integrate(waiting, arm)
    for p, horizon in zip(waiting, horizons, strict=True):
        p.horizon = horizon
    alive = [p for p in waiting if p.course.death is None and not p.failure and p.course.day < p.horizon - 1e-6]
    randomised = sum(not p.failure for p in patients)
    rounding = waiting[0].course.streams["rounding of shares"]
    places: list[tuple[str, tuple[Choice, ...], int]] = []
    left = len(progressed)
    if arm.crossover is not None:
        number = _rounded(arm.crossover.patients(left, randomised), rounding)
        places.append(("crossover", arm.crossover.choices, number))
        left -= min(number, len(alive))
    for option in arm.subsequent:
        places.append(("subsequent", option.choices, _rounded(option.patients(left, randomised), rounding)))
    for name, choices, number in places:
        draws = {p.number: float(p.course.streams[name].uniform()) for p in alive}
        chosen = sorted(alive, key=lambda p: draws[p.number])[:number]
        for p, regimen in zip(chosen, simulator._choose(choices, chosen, name), strict=True):
            course = p.course
            course.start_line(name, course.day, regimen, simulator._visits(course.streams, name), p.horizon)
            aim(simulator, p, regimen)
            p.context["stop"] = True
        taken = {p.number for p in chosen}
        alive = [p for p in alive if p.number not in taken]
    simulator._integrate(waiting, arm)


def _ended(p: SimulatedPatient) -> bool:
    """Whether the present line ended with progression."""
    return bool(p.context["stop"]) and math.isfinite(p.course.line.progression)


def _rounded(number: float, rng: np.random.Generator) -> int:
    """A whole number with the given mean."""
    return math.floor(number + float(rng.uniform()))


def aim(simulator: BlockSimulator, p: SimulatedPatient, regimen: Regimen) -> None:
    """Set what a regimen with radiation reaches of the patient's tumours; its field is a new one.

    Where each lesion is simulated apart, a lesion lies in the field or not; where all are one tumour, the field takes
    in a share of it.
    """
    rule = radiation_rule(regimen)
    if rule is None or FIELD not in p.parameters:
        return
    stage, brain = str(p.row.get("stage", "IV")), bool(p.row.get("brain_mets", False))
    numbers, rng = simulator.numbers, p.course.streams["radiation field"]
    target = target_of(rule, stage, numbers)
    lesions = p.course.lesions
    if len(p.lanes) > 1 or lesions.lanes > 1:
        seen = p.course.seen < math.inf
        reached = np.zeros(len(lesions))
        reached[seen] = in_field(target, int(seen.sum()), stage, brain, numbers, rng)
        shares = np.zeros(lesions.lanes)
        np.maximum.at(shares, lesions.lane, reached)
    else:
        volumes = all_lesions(lesions.diameter_mm, int(p.row.get("n_lesions", 1)), numbers)
        shares = np.array([field_share(target, volumes, stage, brain, numbers, rng)])
    whole = p.context.setdefault("field", p.parameters[FIELD])
    for lane, share in zip(p.lanes, shares, strict=True):
        lane.parameters[FIELD] = float(share) * whole
        lane.state[simulator.compiled.states.index(FIELD_LOSS)] = 0.0
