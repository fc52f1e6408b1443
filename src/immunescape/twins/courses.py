"""Twins through the lines that a patient has had, and from there under one or more regimens: the same twins, paired.

Every regimen starts from the same state of each twin, with the same random numbers. Earlier lines that the files name
are given as they were, with scans on the same days (`immunescape.trial.recorded_lines`); lines whose drugs are not
named are taken for what trials in such patients assume (a platinum doublet, then docetaxel).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.knowledge.tables import read_rows
from immunescape.model.specificity import DEFAULT
from immunescape.trial.grammar import parse_regimen
from immunescape.trial.regimen import Regimen
from immunescape.trial.schedule import Schedule
from immunescape.twins.crew import Crew, crew_of
from immunescape.twins.recorded_patient import LineRecord

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.model.assembly import Model
    from immunescape.trial.recorded_lines import LineOutcome
    from immunescape.trial.spec import PriorLine, Trial

__all__ = [
    "CourseTask",
    "Courses",
    "DaysAndThen",
    "follow",
    "joined",
    "regimen_of",
    "stacked",
    "trial_of",
    "usual_regimen",
    "with_drug_parameters",
]

FloatArray = NDArray[np.float64]
SCANS = "weeks 6 and 12 then every 9 weeks"
WASHOUT = 28.0
"""Days from progression to the next line, as the trials that ship take them."""
_YEAR = 2020
_PIECE_DAYS = 91.0
"""Days that are integrated at a time: half of a trial's, as twins progress early, and what comes after is in vain."""
_LINE_BEYOND = 1.6
"""A recorded line is simulated so much longer than it lasted, so that twins may progress later than the patient did."""


@dataclass(frozen=True)
class DaysAndThen(Schedule):
    """Scans on given days, then by the schedule."""

    days: tuple[float, ...] = ()

    def times(self, until_days: float) -> FloatArray:
        """See `Schedule.times`."""
        last = max(self.days, default=0.0)
        later = [t for t in super().times(until_days) if t > last + 21.0]
        days = np.asarray([*self.days, *later], dtype=float)
        return days[days <= until_days + 1e-9]


@dataclass(frozen=True)
class CourseTask:
    """What all twins share; sent to worker processes.

    Attributes
    ----------
    seed, region, engine, rtol : those of the twins.
    history : lines that are over, as they were.
    unknown_lines : further earlier lines whose drugs are not known.
    driver : the patient's driver, which tells what an unknown earlier line was.
    arms : (name, regimen text) of what follows; ``none`` for nothing.
    months : follow-up from the start of the arms.
    scan_days : days of scans on the arms before the usual ones.
    line : number of the line that the arms are.
    lesions : ``several`` simulates each lesion, ``single`` lets them share one tumour.
    to_entry : stop where the arms would begin: `Courses.patients` then has ``id`` and ``sld_mm_baseline`` (mm) alone.
    """

    seed: int
    arms: tuple[tuple[str, str], ...]
    _: KW_ONLY
    history: tuple[LineRecord, ...] = ()
    unknown_lines: int = 0
    driver: str = "none"
    months: float = 36.0
    scan_days: tuple[float, ...] = ()
    line: int = 1
    region: str = "western"
    engine: str = "auto"
    rtol: float = 1e-6
    lesions: str = "several"
    to_entry: bool = False


@dataclass(frozen=True)
class Courses:
    """What became of twins.

    Attributes
    ----------
    patients : a row for each twin (``id``) and arm that were simulated, as of `TrialResult.patients`.
    scans : a row for each scan of an arm.
    history : for each recorded line, number of the twin -> outcome.
    lost : twins that did not reach the arms (id), with the reason.
    drugs, specificity : of the model that they were simulated with.
    excluded : reason -> twins that earlier lines without named drugs left out for it.
    """

    patients: pd.DataFrame
    scans: pd.DataFrame
    history: tuple[dict[int, LineOutcome], ...] = ()
    lost: tuple[tuple[int, str], ...] = ()
    drugs: tuple[str, ...] = ()
    specificity: str = DEFAULT
    _: KW_ONLY
    excluded: Mapping[str, int] = field(default_factory=dict)


def usual_regimen(drugs: Sequence[str]) -> str:
    """Regimen text of drugs at their usual doses in lung cancer, as ``usual_regimens.csv`` has them.

    Raises
    ------
    InputError
        For a drug without a row.
    """
    table = _usual()
    lacking = [d for d in drugs if d not in table]
    if lacking:
        raise InputError(
            f"no usual regimen of {', '.join(lacking)} is entered",
            hint="Give the regimen as text in an options file, or add a row to usual_regimens.csv.",
        )
    return " + ".join(table[d] for d in drugs)


def _usual() -> dict[str, str]:
    return {row["drug"]: row["regimen"] for row in read_rows("usual_regimens")}


def regimen_of(text: str) -> Regimen:
    """Regimen of a text; nothing for ``none``."""
    return Regimen() if text.strip().casefold() in ("none", "no treatment", "") else parse_regimen(text)


def _assumed_lines(task: CourseTask) -> tuple[PriorLine, ...]:
    """Earlier lines whose drugs the files do not name, as the trials that ship assume them."""
    from immunescape.trial.covariates import Criterion
    from immunescape.trial.spec import Choice, PriorLine

    count = min(task.unknown_lines, 2)  # a third changes the twins little and costs as much
    if not count:
        return ()
    squamous, other = Criterion("histology", ("squamous",)), Criterion("histology", ("nonsquamous",))
    doublet = (
        Choice(parse_regimen("carboplatin AUC 5 + pemetrexed 500 mg/m2 every 3 weeks for 4 cycles"), when=(other,)),
        Choice(parse_regimen("carboplatin AUC 6 + paclitaxel 200 mg/m2 every 3 weeks for 4 cycles"), when=(squamous,)),
    )
    first = PriorLine(doublet, "progressed", 24.0, WASHOUT)
    if task.driver == "EGFR":
        first = PriorLine((Choice(parse_regimen(usual_regimen(("osimertinib",)))),), "progressed", 36.0, WASHOUT)
    second = PriorLine((Choice(parse_regimen(usual_regimen(("docetaxel",)))),), "progressed", 24.0, WASHOUT)
    return (first, second)[:count]


def trial_of(task: CourseTask) -> Trial:
    """Protocol of the arms of a task, with what trials in such patients give after progression."""
    from immunescape.model.registry import drugs
    from immunescape.trial.later_lines import with_later_lines
    from immunescape.trial.spec import Arm, Choice, Endpoints, Enrolment, PriorLine, Trial

    arms = tuple(Arm(name, "experimental", 1, (Choice(regimen_of(text)),)) for name, text in task.arms)
    prior = _assumed_lines(task)
    had = tuple(
        PriorLine((Choice(parse_regimen(usual_regimen(line.drugs))),), "progressed", 24.0) for line in task.history
    )
    region = task.region if task.region in ("western", "east_asian") else "western"
    arms = with_later_lines(
        arms, [True] * len(arms), prior=(*had, *prior), line=task.line, region=region, year=_YEAR, drugs=drugs()
    )
    base = Schedule.parse(SCANS)
    return Trial(
        name="twins",
        title="Twins",
        population=Enrolment((), (task.line, None)),
        arms=arms,
        visits=DaysAndThen(base.segments, tuple(task.scan_days)),
        follow_up_months=task.months,
        endpoints=Endpoints(("pfs",)),
        prior=prior,
        lesions="several" if task.lesions == "several" else "single",
    )


def with_drug_parameters(table: pd.DataFrame, model: Model, seed: int) -> pd.DataFrame:
    """Twins with the parameters of the drugs of a model, which growing a tumour does not need.

    They depend on the twin's seed, number and covariates alone, as every virtual patient's do.
    """
    import pandas as pd

    from immunescape.population.covariates import COLUMNS
    from immunescape.population.linking import patient_parameters

    have = {str(c)[2:] for c in table.columns if str(c).startswith("p:")}
    parts = []
    for draw, rows in table.groupby("draw"):
        covariates = rows[list(COLUMNS)].sort_index()
        values = patient_parameters(model.parameters, covariates, seed, 0, draw=int(str(draw)))
        new = {f"p:{k}": v for k, v in values.items() if k not in have}
        parts.append(pd.DataFrame(new, index=covariates.index))
    return pd.concat([table, pd.concat(parts).reindex(table.index)], axis=1)


def _drugs(task: CourseTask, trial: Trial) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*(d for line in task.history for d in line.drugs), *trial.drugs)))


def _follow(task: CourseTask, table: pd.DataFrame) -> Courses:
    """Follow some twins in this process."""
    import pandas as pd

    from immunescape.engine import get_engine
    from immunescape.population.diagnosis import Grower
    from immunescape.population.reference_baseline import prepared_model
    from immunescape.trial.recorded_lines import copied, follow_line
    from immunescape.trial.simulate import BlockSimulator
    from immunescape.twins.moved import moved_parameters

    trial, moved = trial_of(task), {f"p:{n}" for n in moved_parameters()}
    model = prepared_model(_drugs(task, trial))
    engine = get_engine(task.engine)
    simulator = BlockSimulator(
        trial, model, model.compiled(engine), task.seed, task.rtol, grower=lambda: Grower(model, engine, rtol=task.rtol)
    )
    simulator.piece_days = _PIECE_DAYS
    simulator.numbers = {**simulator.numbers, "dropout": 1e-300, "visit_window": 0.0}
    table = with_drug_parameters(table, model, task.seed)
    excluded: dict[str, int] = {}
    patients, failures = simulator.entrants(table, 0, excluded=excluded)
    lost = {int(i): "did not come through the earlier lines" for i in table.index}
    history = []
    for number, line in enumerate(task.history, start=1):
        length = _length(line)
        outcomes, patients = follow_line(
            simulator,
            patients,
            parse_regimen(usual_regimen(line.drugs)),
            number=number,
            scans=_scan_days(line, length),
            days=length,
            washout_days=WASHOUT,
        )
        history.append(outcomes)
    rows: list[dict[str, Any]] = []
    scans: list[dict[str, Any]] = []
    if task.to_entry:
        rows = [{"id": p.number, "sld_mm_baseline": p.course.entry_sld_mm} for p in patients if not p.failure]
    for k, arm in enumerate(() if task.to_entry else trial.arms):
        treated = copied(patients, simulator) if k + 1 < len(trial.arms) else patients
        simulator.treat(treated, arm, table)
        for p in treated:
            if p.failure:
                lost[p.number] = p.failure
                continue
            row, seen = simulator.collect(p, arm)
            rows.append({k: v for k, v in row.items() if k in moved or not k.startswith(("p:", "b:", "x:"))})
            scans.extend(seen)
    for failure in failures:
        lost[int(failure["id"])] = str(failure["reason"])
    seen_ids = {int(r["id"]) for r in rows}
    return Courses(
        pd.DataFrame(rows),
        pd.DataFrame(scans),
        tuple(history),
        tuple((i, why) for i, why in sorted(lost.items()) if i not in seen_ids),
        _drugs(task, trial),
        trial.specificity,
        excluded=excluded,
    )


def _length(line: LineRecord) -> float:
    """Days for which a recorded line is simulated."""
    recorded = line.progression_day if line.progressed else min(line.end, line.last_day + 1.0)
    if line.progressed:
        return math.ceil((_LINE_BEYOND * (recorded - line.start) + 63.0) / 7.0) * 7.0
    return max(math.ceil((recorded - line.start) / 7.0) * 7.0, 7.0)


def _scan_days(line: LineRecord, length: float) -> list[float]:
    """Days from the start of the line: the patient's, then every nine weeks."""
    recorded = [s.day - line.start for s in line.scans]
    last = max(recorded, default=0.0)
    return [*recorded, *np.arange(last + 63.0, length, 63.0)]


def follow(
    task: CourseTask,
    table: pd.DataFrame,
    *,
    workers: int | Crew = 1,
    size: int = 40,
    progress: Callable[[int, int], None] | None = None,
) -> Courses:
    """Follow twins through earlier lines and every arm.

    Parameters
    ----------
    task
        What they get.
    table
        Twins at diagnosis, as of `TwinPopulation.table`.
    workers, size
        Processes, and twins that one of them follows at a time. Results do not depend on the number of processes; which
        of those who progress get a later line is decided within `size`.
    progress
        Called with (twins done, twins in all).
    """
    from immunescape.engine import get_engine
    from immunescape.population.reference_baseline import prepared_model

    pieces = [table.iloc[k : k + size] for k in range(0, len(table), size)]
    done = 0

    def tell(place: int, _: Courses) -> None:
        nonlocal done
        done += len(pieces[place])
        if progress is not None:
            progress(done, len(table))

    def compiled() -> None:
        """Compile the model once, so that workers read it."""
        prepared_model(_drugs(task, trial_of(task))).compiled(get_engine(task.engine))

    with crew_of(workers) as crew:
        tasks = [(task, piece) for piece in pieces]
        return joined(crew.make("twins", _follow, tasks, keep=tell, prepare=compiled))


def joined(parts: Sequence[Courses]) -> Courses:
    """Courses of different twins on the same lines and arms as one."""
    excluded: dict[str, int] = {}
    for courses in parts:
        for reason, count in courses.excluded.items():
            excluded[reason] = excluded.get(reason, 0) + count
    lines = range(len(parts[0].history))
    return Courses(
        stacked([p.patients for p in parts]),
        stacked([p.scans for p in parts]),
        tuple({i: o for courses in parts for i, o in courses.history[k].items()} for k in lines),
        tuple(x for p in parts for x in p.lost),
        parts[0].drugs,
        parts[0].specificity,
        excluded=excluded,
    )


def stacked(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables below each other; a column that is empty in one of them keeps its kind from the others."""
    import pandas as pd

    return pd.DataFrame([row for table in tables for row in table.to_dict("records")])
