"""Which mechanism carried the escape of a virtual patient: one is taken away, the patient is treated again, compared.

The patients of a trial whose disease resisted (primary or acquired, by the definitions of the Society for Immunotherapy
of Cancer) are simulated again from their own state at diagnosis with the same random numbers for doses, toxicity,
measurement and death. Each time one candidate is restored to the reference: a mechanism is switched off, which sets
its effect on every shared process to that of the reference patient; the cells of a mechanism's clones become ordinary
ones and no new ones emerge; or a group of the patient's parameters takes the reference values. The candidate without
which the patient gains most time free of progression is the one that carried the escape; where none gains more than
one interval between scans, none did alone.

The growth of the tumour is restored as well, and stands apart: it is no way past the immune system, every tumour that
progresses grows, and a slower one nearly always gains most. It is named only where nothing else gains enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from immunescape.errors import InputError
from immunescape.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.model.assembly import Model
    from immunescape.trial.spec import Trial

__all__ = ["PATIENT_GROUPS", "Candidate", "attribute", "candidates", "without"]

PATIENT_GROUPS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "fast growth": ("Growth of the tumour alone", ("k_growth",)),
    "weak killing": ("Killing capacity of CD8 T cells", ("k_kill",)),
    "few antigens": ("Number and affinity of neoantigens", ("n_clones_tum", "kd_peptide")),
    "exclusion": ("Access of T cells to the tumour", ("cd8_infiltration",)),
    "pd1 axis": ("PD-1, its ligands and sensitivity", ("T8_PD1", "pdl1_tumour", "pdl1_stroma", "PD1_50_killing")),
}
"""Groups of parameters that differ between patients: name -> meaning, parameters."""
GROWTH = "fast growth"
"""The group that is no escape: compared with all others, named only where none of them gains enough."""
_FOUNDATION = frozenset(
    {
        "body",
        "tumour_growth",
        "naive_t",
        "dendritic_cells",
        "neoantigen",
        "cd8",
        "killing",
        "mhc1",
        "memory",
        "helper_t",
        "il2",
        "exhaustion",
        "checkpoints_pd1",
        "checkpoints_ctla4",
    }
)
"""Mechanisms without which there is no response to speak of, or whose absence is no effect of the reference patient."""


@dataclass(frozen=True)
class Candidate:
    """What may have carried an escape: a mechanism that is switched off, or parameters that become the reference's."""

    name: str
    title: str
    values: Mapping[str, float]
    """Columns of the patient table (``p:...``, in the table's units) -> value."""
    clones: tuple[str, ...] = ()
    """Clones whose cells become ordinary ones."""

    @property
    def shared(self) -> tuple[str, ...]:
        """Parameters that all lesions of a patient then have from the patient."""
        return tuple(column.removeprefix("p:") for column in self.values)


def candidates(model: Model) -> tuple[Candidate, ...]:
    """Return the mechanisms of a model that modulate processes or bring clones, and the groups of parameters."""
    options = []
    for m in model.mechanisms:
        clones = tuple(c.name for c in m.clones if c.fraction)
        if m.name in _FOUNDATION or not (m.modulations or clones):
            continue
        values = {f"p:mu_{c}": 0.0 for c in clones if f"mu_{c}" in model.parameters}
        options.append(Candidate(m.name, m.title, values if clones else {f"p:switch_{m.name}": 0.0}, clones))
    for name, (title, parameters) in PATIENT_GROUPS.items():
        values = {f"p:{p}": float(model.parameters[p].value) for p in parameters if p in model.parameters}
        if values:
            options.append(Candidate(name, title, values))
    return tuple(options)


def without(table: pd.DataFrame, candidate: Candidate, model: Model) -> pd.DataFrame:
    """Return the table of patients at diagnosis with a candidate taken away."""
    changed = table.copy()
    for column, value in candidate.values.items():
        changed[column] = value
    ordinary = next((c.name for c in model.clones if not c.fraction), None)
    for clone in candidate.clones:
        cells = f"x:C_{clone}"
        if cells in changed.columns and ordinary is not None:
            changed[f"x:C_{ordinary}"] = changed[f"x:C_{ordinary}"] + changed[cells]
            changed[cells] = 0.0
    return changed


def _free_days(row: Mapping[str, Any]) -> float:
    """Days until progression or death in the trial's line, or until the follow-up ends."""
    last = min(float(row["follow_up_day"]), float(row["dropout_day"]))
    times = [row["progression_day"], row["death_day"]]
    return min([last, *(float(t) for t in times if t is not None and not math.isnan(float(t)))])


def attribute(
    trial: Trial,
    patients: pd.DataFrame,
    *,
    seed: int,
    engine: str,
    paired: bool = False,
    number: int = 30,
    arm: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Attribute the escape of the first `number` patients of an arm that resisted.

    Parameters
    ----------
    trial, patients, seed, engine, paired
        The protocol, the rows of its result and how it was run.
    number
        Patients that are simulated again, once for each candidate.
    arm
        Name of the arm; the first experimental one where None (the first, in a trial without).
    progress
        Called with (simulations done, simulations in all).

    Returns
    -------
    dict
        ``arm``, ``n``, ``least_gain_months``, ``candidates`` (name -> title), ``patients`` (one record each: ``id``,
        ``resistance``, ``free_months``, ``mechanism`` or None, its ``gain_months`` (the largest of an escape where
        None), ``gains`` by candidate) and ``counts`` (resistance -> mechanism or ``none alone`` -> patients).

    Raises
    ------
    InputError
        For an arm that the trial lacks, or where nobody resisted.
    """
    import pandas as pd

    from immunescape.trial.blocks import BlockTask, _Worker, candidates_per_block
    from immunescape.trial.runner import RTOL

    names = [a.name for a in trial.arms]
    chosen = arm or (trial.experimental[0].name if trial.experimental else names[0])
    if chosen not in names:
        raise InputError(f"the trial has no arm '{chosen}'", hint=f"Its arms: {', '.join(names)}.")
    index = names.index(chosen)
    rows = patients[(patients["arm"] == chosen) & patients["resistance"].isin(["primary", "acquired"])].head(number)
    if rows.empty:
        raise InputError(f"no patient of the arm '{chosen}' resisted", hint="Run more patients, or another arm.")
    size, stream = candidates_per_block(trial), 0 if paired else index
    worker = _Worker(BlockTask(trial=trial, seed=seed, engine=engine, rtol=RTOL, candidates=size))
    ids = [int(i) for i in rows["id"]]
    table = pd.concat([_block(worker, stream, k, size, ids) for k in sorted({i // size for i in ids})])
    options = candidates(worker.model)
    gains: dict[int, dict[str, float]] = {i: {} for i in ids}
    before: dict[int, float] = {}
    for done, option in enumerate((None, *options)):
        changed = table if option is None else without(table, option, worker.model)
        worker.simulator.shared = frozenset() if option is None else frozenset(option.shared)
        worker.simulator.absent = () if option is None else option.clones
        for row in worker.simulator.run(changed, [index], stream)[0].patients:
            i = int(row["id"])
            if option is None:
                before[i] = _free_days(row)
            elif i in before:
                gains[i][option.name] = (_free_days(row) - before[i]) / DAYS_PER_MONTH
        if progress is not None:
            progress(done + 1, 1 + len(options))
    return _summary(chosen, rows, before, gains, options, _least_gain(trial))


def _block(worker: Any, stream: int, index: int, size: int, patients_asked: Sequence[int]) -> pd.DataFrame:
    table = worker.maker(stream, index).block(index).table
    value: pd.DataFrame = table.loc[[i for i in patients_asked if i // size == index and i in table.index]]
    return value


def _least_gain(trial: Trial) -> float:
    """Interval between the first two scans, in months."""
    times = trial.visits.times(trial.follow_up_months * DAYS_PER_MONTH)
    return float(times[1] - times[0]) / DAYS_PER_MONTH if len(times) > 1 else 2.0


def _summary(
    arm: str,
    rows: pd.DataFrame,
    before: Mapping[int, float],
    gains: Mapping[int, Mapping[str, float]],
    options: Sequence[Candidate],
    least: float,
) -> dict[str, Any]:
    attributed: list[dict[str, Any]] = []
    counts: dict[str, dict[str, int]] = {}
    for i, kind in zip(rows["id"], rows["resistance"], strict=True):
        gain = gains[int(i)]
        if int(i) not in before or not gain:
            continue
        best = max((name for name in gain if name != GROWTH), key=lambda name: gain[name], default=GROWTH)
        if gain[best] <= least < gain.get(GROWTH, -math.inf):
            best = GROWTH
        carried = best if gain[best] > least else None
        attributed.append(
            {
                "id": int(i),
                "resistance": str(kind),
                "free_months": before[int(i)] / DAYS_PER_MONTH,
                "mechanism": carried,
                "gain_months": gain[best],
                "gains": dict(gain),
            }
        )
        tally = counts.setdefault(str(kind), {})
        tally[carried or "none alone"] = tally.get(carried or "none alone", 0) + 1
    return {
        "arm": arm,
        "n": len(attributed),
        "least_gain_months": least,
        "candidates": {o.name: o.title for o in options},
        "patients": attributed,
        "counts": {k: dict(sorted(v.items(), key=lambda item: -item[1])) for k, v in counts.items()},
    }
