"""What each drug adds to a checkpoint inhibitor, patient by patient: helped, harmed, unmoved, and the step it relieves.

The same virtual patients get the inhibitor alone and with each drug of ``knowledge/data/add_ons.csv``, at its clinical
dose, as one simulated tumour each. Most randomised add-ons to a PD-1 antibody failed; a model in which each of them
shrinks nearly every tumour says nothing, so the shares are kept beside every change of the model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.console import markdown_table
from immunescape.errors import unknown_word
from immunescape.evaluation.harness.harmed import BEYOND, HARMING_PCT, HarmedPatients, baseline_features, harmed_in
from immunescape.evaluation.mechanism_labels import acts_through, explanation, labelled, ranks, through_text
from immunescape.evaluation.scenarios import Scenario, Simulated, simulate
from immunescape.knowledge.tables import Row, read_rows
from immunescape.model.registry import get_drug
from immunescape.model.specificity import checked

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.population.population import Population

__all__ = ["BACKBONE", "MOVED", "AddOn", "AddOns", "add_on_rows", "add_ons"]

FloatArray = NDArray[np.float64]
BACKBONE = "pembrolizumab 200 mg every 3 weeks"
DAY = 126.0
"""Day on which tumours are compared: the second scan of most trials, after six cycles of three weeks."""
LAST_DAY = 189.0
"""Day until which a response may come."""
MOVED = 0.05
"""A patient is helped where the drug lowers the tumour's volume on `DAY` by more than this share of it, and harmed
where it raises it by as much: far above the error of the integration (1e-5), far below what a scan can see."""
VISIBLE_MM = 0.10
"""Share of the diameter at diagnosis by which it has to be smaller to be seen by repeated scans: the points of the
harness's patients whom an add-on helps."""
GAIN_POINTS = 1.0
"""Response gained, in points, below which a drug counts as adding none."""
RESPONSE = 0.7
"""Share of the diameter at diagnosis at or below which a tumour has responded (RECIST 1.1)."""
STEPS: Mapping[str, tuple[float, tuple[str, ...]]] = {
    "antigen presentation": (1.0, ("mhc1_expression", "mhc1_interferon")),
    "dendritic cells and priming": (1.0, ("dc_maturation", "priming")),
    "T cells made and renewed": (1.0, ("proliferation", "progenitor_niche")),
    "infiltration": (1.0, ("infiltration",)),
    "recognition and killing": (1.0, ("killing",)),
    "persistence": (1.0, ("reactivation",)),
    "suppressive cells": (-1.0, ("treg_recruitment", "mdsc_recruitment", "macrophage_m2")),
    "NK cells": (1.0, ("nk_killing", "nk_recruitment")),
    "growth of cancer cells": (-1.0, ("growth",)),
}
"""Step -> whether relief raises (1) or lowers (-1) the factors of the shared processes that stand for it."""
STEP_DAY = 42.0
_LEAST = 0.02


@dataclass(frozen=True, kw_only=True)
class AddOn:
    """What one drug adds.

    Attributes
    ----------
    drug, kind, regimen : as in the table of add-ons.
    patients : of whom both arms were simulated.
    helped_pct, harmed_pct : patients whose tumour is smaller, or larger, by more than `MOVED`; the rest are unmoved.
    visible_pct : patients whose diameter is smaller by `VISIBLE_MM` of that at diagnosis.
    volume_pct : mean change of the volume (geometric), percent.
    response_pct, gain_points, gain_se : response with the drug, and what it adds, patient by patient.
    step, step_pct : step whose factor it relieves most on day 42, and by how much (mean over patients, percent).
    through : mechanisms through which it acts, each with what it was tested by in one word.
    ranked : whether these may rank it against others (:func:`immunescape.evaluation.mechanism_labels.ranks`).
    harmed_in : how those whom it harms differ at diagnosis; None where it harms fewer than `HARMING_PCT`.
    """

    drug: str
    kind: str
    regimen: str
    patients: int
    helped_pct: float
    harmed_pct: float
    visible_pct: float
    volume_pct: float
    response_pct: float
    gain_points: float
    gain_se: float
    step: str
    step_pct: float
    through: str = ""
    ranked: bool = True
    harmed_in: HarmedPatients | None = None

    @property
    def helped_se(self) -> float:
        """Standard error of `helped_pct`, points; of none or all that of half a patient."""
        p = min(max(self.helped_pct / 100.0, 0.5 / self.patients), 1.0 - 0.5 / self.patients)
        return 100.0 * math.sqrt(p * (1.0 - p) / self.patients)


@dataclass(frozen=True, kw_only=True)
class AddOns:
    """What every drug adds to a backbone, in the same patients.

    Attributes
    ----------
    response_pct : response on the backbone alone.
    by_patient : one row for each patient: ``seed``, ``id``, features at diagnosis (those of which the logarithm is
        compared as such), and for each drug ``drug:<name>``, the change of ln(volume) on `DAY`.
    """

    backbone: str
    specificity: str
    patients: int
    seeds: tuple[int, ...]
    response_pct: float
    rows: tuple[AddOn, ...]
    by_patient: pd.DataFrame | None = field(default=None, repr=False, compare=False)

    def immune(self) -> list[AddOn]:
        """Drugs that act by way of immune cells or the milieu: those of which most failed."""
        return [row for row in self.rows if row.kind == "immune"]

    def median_helped_pct(self) -> float:
        """Median over these drugs of the share of patients helped."""
        return float(np.median([row.helped_pct for row in self.immune()]))

    def without_gain(self) -> list[str]:
        """Those that add less than `GAIN_POINTS` of response."""
        return [row.drug for row in self.immune() if row.gain_points < GAIN_POINTS]

    def harming(self, share_pct: float = HARMING_PCT) -> list[str]:
        """Those that harm at least this share of patients."""
        return [row.drug for row in self.immune() if row.harmed_pct >= share_pct]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "backbone": self.backbone,
            "specificity": self.specificity,
            "patients": self.patients,
            "seeds": list(self.seeds),
            "response_pct": self.response_pct,
            "median_helped_pct": self.median_helped_pct(),
            "without_gain": self.without_gain(),
            "harming": self.harming(),
            "drugs": [
                {**asdict(replace(row, harmed_in=None)), "harmed_in": row.harmed_in and row.harmed_in.to_json()}
                for row in self.rows
            ],
        }

    def to_markdown(self) -> str:
        """The table, most helpful first, with its summary above; drugs that nothing may rank stand last."""
        head = (
            f"{self.patients} patients ({', '.join(f'seed {s}' for s in self.seeds)}), {self.backbone}, response alone "
            f"{self.response_pct:.0f} %, specificity `{self.specificity}`. Immune drugs: median helped "
            f"{self.median_helped_pct():.0f} %, without gain in response {len(self.without_gain())} of "
            f"{len(self.immune())}, harming at least 5 % of patients {len(self.harming())}."
        )
        columns = (
            "drug",
            "kind",
            "helped, %",
            "harmed, %",
            "seen, %",
            "volume, %",
            "response gained, points (SE)",
            "step",
            "acts through",
        )
        cells = (
            (
                r.drug,
                r.kind,
                f"{r.helped_pct:.0f}",
                f"{r.harmed_pct:.0f}",
                f"{r.visible_pct:.0f}",
                f"{r.volume_pct:+.0f}",
                f"{r.gain_points:+.1f} ({r.gain_se:.1f})",
                f"{r.step} ({r.step_pct:+.0f} %)",
                r.through or "–",
            )
            for r in sorted(self.rows, key=lambda r: (not r.ranked, -r.helped_pct))
        )
        below = [explanation(), *self._unranked()]
        return "\n".join([head, "", *markdown_table(columns, cells), *below, *self._harm()])

    def _unranked(self) -> list[str]:
        """A sentence on drugs that stand last because nothing tests what they act through."""
        names = [r.drug for r in self.rows if not r.ranked]
        if not names:
            return []
        return ["", f"Last, in no order: nothing tests what these act through: {', '.join(names)}."]

    def _harm(self) -> list[str]:
        """Lines on the patients harmed, most frequent harm first; none where no drug harms as many."""
        harming = sorted((r for r in self.rows if r.harmed_in is not None), key=lambda r: -r.harmed_pct)
        if not harming:
            return []
        note = (
            "Features at diagnosis in which harmed patients differ from the others, each compared alone: standardised "
            f"difference with its standard error; nothing is stated below {BEYOND:g} standard errors. Features are "
            'correlated, and with many of them some differ by chance; "after correction" is Bonferroni\'s, at 5 %.'
        )
        said = [f"* {r.harmed_in.sentence(r.drug)}" for r in harming if r.harmed_in is not None]
        return ["", f"## In whom drugs do harm (at least {HARMING_PCT:g} % of patients)", "", note, "", *said, ""]


def add_on_rows(drugs: Iterable[str] = ()) -> list[Row]:
    """Return the rows of the table of add-ons, or those of some drugs, in the order of the table.

    Raises
    ------
    InputError
        With the nearest, for a drug that is not in the table.
    """
    rows = {r["drug"]: r for r in read_rows("add_ons", ("drug", "kind", "regimen", "source", "grade", "note"))}
    selected = list(drugs) or list(rows)
    for name in selected:
        if name not in rows:
            raise unknown_word("drug in the table of add-ons", name, rows)
    return [row for name, row in rows.items() if name in selected]


def add_ons(
    drugs: Iterable[str] = (),
    *,
    backbone: str = BACKBONE,
    patients: int = 80,
    seeds: Sequence[int] = (1,),
    specificity: str | None = None,
    workers: int | None = None,
    engine: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> AddOns:
    """Simulate what drugs add to a backbone.

    Parameters
    ----------
    drugs
        Names as in the table of add-ons; empty takes all.
    backbone
        Regimen that every patient gets.
    patients
        Virtual patients of each seed: all comers, as those of the claims.
    seeds
        Seeds, pooled.
    specificity
        Of the model, see :mod:`immunescape.model.specificity`; None takes the package's default.
    workers
        Cores to use; None takes all. Results do not depend on it.
    engine
        Engine by name.
    progress
        Called with (courses simulated, courses in all).
    """
    from immunescape.evaluation.claims import virtual_patients

    rows, option = add_on_rows(drugs), checked(specificity)
    alone = Scenario(regimens=(backbone,))
    pairs = {row["drug"]: replace(alone, regimens=(backbone, row["regimen"])) for row in rows}
    processes = [f"f_{p}" for _, names in STEPS.values() for p in names]
    names = ("diameter_T", *processes)
    runs: list[tuple[Population, Simulated]] = []
    days = [*np.arange(0.0, LAST_DAY + 1.0, 21.0).tolist()]
    library: Any = {}
    every = dict.fromkeys((alone, *pairs.values()), LAST_DAY)
    outputs = dict.fromkeys(every, names)
    for number, seed in enumerate(seeds):
        people = virtual_patients(patients, seed, engine, None, option, workers)
        tell = None if progress is None else _counted(progress, number, len(seeds))
        run = simulate(people, every, outputs, days, engine=engine, progress=tell, library=library, threads=workers)
        runs.append((people, run))
    compared, by_patient = _compared(rows, alone, pairs, seeds, runs)
    responded = np.concatenate([_response(run, alone) for _, run in runs])
    response = 100.0 * float(np.nanmean(responded))
    return AddOns(
        backbone=backbone,
        specificity=option,
        patients=patients * len(seeds),
        seeds=tuple(seeds),
        response_pct=response,
        rows=compared,
        by_patient=by_patient,
    )


def _counted(progress: Callable[[int, int], None], number: int, seeds: int) -> Callable[[int, int], None]:
    """Progress of one of several seeds as that of all."""

    def tell(done: int, total: int) -> None:
        progress(number * total + done, seeds * total)

    return tell


def _compared(
    rows: Sequence[Row],
    alone: Scenario,
    pairs: Mapping[str, Scenario],
    seeds: Sequence[int],
    runs: Sequence[tuple[Population, Simulated]],
) -> tuple[tuple[AddOn, ...], pd.DataFrame]:
    """Rows of all drugs, and the table of patients."""
    import pandas as pd

    tables = [people.table.assign(seed=seed) for seed, (people, _) in zip(seeds, runs, strict=True)]
    table = pd.concat(tables).rename_axis("id").reset_index()
    features = baseline_features(table)
    columns = {name: values for name, (values, _) in features.items()}
    compared = []
    for row in rows:
        added, change = _row(row, alone, pairs[row["drug"]], runs, features)
        compared.append(added)
        columns[f"drug:{added.drug}"] = change
    return tuple(compared), pd.DataFrame({"seed": table["seed"], "id": table["id"], **columns})


def _response(run: Simulated, scenario: Scenario) -> FloatArray:
    """1 where a tumour (n,) has ever shrunk by 30 % on an output day, 0 where not, NaN where it failed."""
    diameter = run.values[scenario]["diameter_T"]
    best = np.min(diameter / diameter[:, :1], axis=1)
    return np.where(np.isfinite(best), best <= RESPONSE, np.nan)


def _row(
    row: Row,
    alone: Scenario,
    pair: Scenario,
    runs: Sequence[tuple[Population, Simulated]],
    features: Mapping[str, tuple[FloatArray, bool]],
) -> tuple[AddOn, FloatArray]:
    """One drug, and the change (n,) of ln(volume) that it makes in each patient; NaN where one of the arms failed."""
    without, with_, start, responds, gains = [], [], [], [], []
    factors: dict[str, list[FloatArray]] = {step: [] for step in STEPS}
    worst: dict[str, list[FloatArray]] = {step: [] for step in STEPS}
    for _, run in runs:
        without.append(run.at(alone, "diameter_T", DAY))
        with_.append(run.at(pair, "diameter_T", DAY))
        start.append(run.at(alone, "diameter_T", 0.0))
        responds.append(_response(run, pair))
        gains.append(_response(run, pair) - _response(run, alone))
        for step, (sign, processes) in STEPS.items():
            relief = [
                sign * np.log(run.at(pair, f"f_{p}", STEP_DAY) / run.at(alone, f"f_{p}", STEP_DAY)) for p in processes
            ]
            factors[step].append(max(relief, key=lambda v: float(np.nanmean(v))))
            worst[step].append(min(relief, key=lambda v: float(np.nanmean(v))))
    drug = get_drug(row["drug"])
    a, b, zero = (np.concatenate(x) for x in (without, with_, start))
    finite = np.isfinite(a) & np.isfinite(b)
    a, b, zero = a[finite], b[finite], zero[finite]
    every = np.full(len(finite), np.nan)
    every[finite] = change = 3.0 * np.log(
        np.maximum(b, 1e-3) / np.maximum(a, 1e-3)
    )  # a diameter below 10 um is not a tumour
    gain = np.concatenate(gains)
    gain = gain[np.isfinite(gain)]
    steps = {step: float(np.nanmean(np.concatenate(values))) for step, values in factors.items()}
    best = max(steps, key=lambda s: steps[s])
    relieved = 100.0 * math.expm1(steps[best])
    harmed = change > math.log(1.0 + MOVED)
    harmed_pct = 100.0 * float(np.mean(harmed))
    differ = None
    if harmed_pct >= HARMING_PCT:
        weakened = {s: float(np.nanmean(np.concatenate(v)[finite][harmed])) for s, v in worst.items()}
        step = min(weakened, key=lambda s: weakened[s])
        lost = 100.0 * math.expm1(weakened[step])
        differ = harmed_in(
            harmed,
            {name: (values[finite], logarithmic) for name, (values, logarithmic) in features.items()},
            step=step if lost <= -100.0 * _LEAST else "",
            step_pct=lost,
            through=through_text(drug),
        )
    added = AddOn(
        drug=row["drug"],
        kind=row["kind"],
        regimen=row["regimen"],
        patients=int(finite.sum()),
        helped_pct=100.0 * float(np.mean(change < math.log(1.0 - MOVED))),
        harmed_pct=harmed_pct,
        visible_pct=100.0 * float(np.mean((a - b) >= VISIBLE_MM * zero)),
        volume_pct=100.0 * math.expm1(float(np.mean(change))),
        response_pct=100.0 * float(np.nanmean(np.concatenate(responds))),
        gain_points=100.0 * float(gain.mean()),
        gain_se=100.0 * float(gain.std()) / math.sqrt(len(gain)),
        step=best if relieved >= 100.0 * _LEAST else "none of them",
        step_pct=relieved,
        through=", ".join(labelled(name) for name in acts_through(drug)),
        ranked=ranks(drug)[0],
        harmed_in=differ,
    )
    return added, every
