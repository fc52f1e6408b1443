"""Lanes: every lesion of a patient as a simulated tumour of its own, consistent with its own parameters.

A lane is one row of the engine's job. It has the patient's parameters, of which those of the lesion itself (growth,
access of T cells, their killing, sensitivity to drugs, shares of clones) are drawn for each lesion, correlated within
the patient, from the distribution that the patient's own come from (covariates and fit included): so a lesion taken at
random is distributed as before. The first lesion has the patient's own parameters and state.

A lane stands for the patient's whole tumour as it would be were all of it like this lesion. It grows from the seed to
the patient's tumour volume at diagnosis, as the population's tumours do, so its T cells, nodes, blood and tissue fit
its own parameters and nothing jumps at day 0; a draw that never gets there, or is implausible there, is not a lesion
and is drawn again. The lesion has the lane's relative volume. What counts single cells counts those of the lesion: with
``cell_multiple`` cells of the lane for one of the lesion, clones are drawn at diagnosis, emerge, and become extinct, as
in the lesion's own number of cells.

Small tumours grow faster than large ones. The model's growth is nearly exponential; a lane of micrometastases therefore
divides at the rate that Gompertz's law with the same capacity gives tumours of their size, relative to the patient's
whole tumour (``norton1988``): by ln(C_max / n) / ln(C_max / N), n cells at the mean of the logarithms of its diameter
and the one at which it is seen. The lane keeps that rate when they have grown, which is somewhat too fast then.

What is neglected: the lanes of a patient share blood and nodes at diagnosis in so far as they share its parameters, but
not what changes later. T cells that are primed by one lesion do not reach another, and antigen that one sheds does not
prime for another; each lane has the priming of a patient whose whole tumour behaves as it does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.population.diagnosis import Grower, emerge
from immunescape.population.distributions import Distribution
from immunescape.population.fit import PopulationFit
from immunescape.population.linking import DIAMETER, linked_score, parameters_at, unexplained_share
from immunescape.population.plausibility import baseline, implausible
from immunescape.population.scores import ScoredCovariates
from immunescape.trial.lesions import LesionModel, Lesions

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.model.assembly import Model

__all__ = ["CELL_MULTIPLE", "GROWTH", "IMMUNITY", "Lane", "LaneMaker", "correlations"]

FloatArray = NDArray[np.float64]
CELL_MULTIPLE = "cell_multiple"
GROWTH = ("k_growth",)
IMMUNITY = ("cd8_infiltration", "k_kill")
SENSITIVITY = "kill_log_"
"""Parameters in which the lesions of a patient differ, beside the shares of clones; the last by the first letters."""
ATTEMPTS = 6
"""Draws for a lesion; one that none of them lets grow has the patient's own parameters."""
TINY = 2.0**-40
"""Distance of quantiles from 0 and 1: normal scores stay finite, within about seven standard deviations."""


@dataclass
class Lane:
    """One simulated tumour: parameters and state (base units).

    `open` while it is integrated; `last` are the volumes, on scans and living, with which it ended. `draw` is the
    number of the draw that gave a further lesion its parameters, -1 where they are the patient's own.
    """

    parameters: dict[str, float]
    state: FloatArray
    open: bool = True
    last: tuple[float, float] = (0.0, 0.0)
    draw: int = -1


def correlations(model: Model, lesions: LesionModel) -> dict[str, float]:
    """Parameters of the model in which lesions of a patient differ -> correlation of their normal scores."""
    clones = [c.fraction for c in model.clones if c.fraction]
    pairs = [
        *((name, lesions.correlation_growth) for name in GROWTH),
        *((name, lesions.correlation_immunity) for name in IMMUNITY),
        *((name, lesions.correlation_clones) for name in clones),
        *((name, lesions.correlation_drugs) for name in sorted(model.parameters) if name.startswith(SENSITIVITY)),
    ]
    return {n: rho for n, rho in pairs if n in model.parameters and model.parameters[n].distribution}


def correlated(first: FloatArray, common: FloatArray, private: FloatArray, rho: float) -> FloatArray:
    """Standard scores of lesions that correlate by `rho` with each other and with the `first` score of the patient.

    `common` and `private` are standard normal draws: one of the patient, and one of each lesion.
    """
    # Each step correlates by sqrt(rho) and keeps the variance at 1: a lesion correlates by rho with the patient's own
    # score, over both steps, and by rho with a further lesion, which has the same `together`.
    together = np.sqrt(rho) * first + np.sqrt(1.0 - rho) * common
    return np.asarray(np.sqrt(rho) * together + np.sqrt(1.0 - rho) * private)


def _in_common(name: str) -> str:
    return f"lesions in common: {name}"


def _of_lesion(name: str, lesion: int, attempt: int) -> str:
    return f"lesion {lesion}, draw {attempt}: {name}"


def lesion_score(
    first: float, normal: Callable[[str], float], name: str, lesion: int, attempt: int, rho: float
) -> float:
    """Standard score of a lesion's parameter, drawn again; `normal` gives a number of the patient by its purpose."""
    scores_of_lesion = np.asarray(normal(_of_lesion(name, lesion, attempt)))
    return float(correlated(np.asarray(first), np.asarray(normal(_in_common(name))), scores_of_lesion, rho))


class LaneMaker:
    """Makes the lanes of patients at diagnosis.

    Parameters
    ----------
    model, states
        The trial's model and the engine's order of its states.
    grower
        Gives what grows tumours; called once, when the first lesion is to grow.
    seed, fit, lesions
        Those of the run.
    """

    def __init__(
        self,
        model: Model,
        states: Sequence[str],
        grower: Callable[[], Grower],
        seed: int,
        fit: PopulationFit,
        lesions: LesionModel,
    ) -> None:
        self.model, self.states, self.grower, self.seed, self.fit = model, tuple(states), grower, seed, fit
        self.correlation = correlations(model, lesions)
        self._millilitres = model.scale("V_T")
        self._of_patients = {n: Distribution.from_row(model.parameters[n]) for n in self.correlation}
        self._records = {n: model.parameters[n] for n in self.correlation}

    def lanes(
        self,
        table: pd.DataFrame,
        lesions: Sequence[Lesions],
        parameters: Sequence[Mapping[str, float]],
        states: FloatArray,
        stream: int,
        *,
        shared: frozenset[str] = frozenset(),
        absent: Sequence[str] = (),
    ) -> list[list[Lane]]:
        """Lanes of each patient.

        Parameters
        ----------
        table
            Rows of the patients at diagnosis.
        lesions
            Their lesions, one lane each.
        parameters, states
            The patients' own parameters (base units), and states (n, s) at diagnosis.
        stream
            Stream of the population.
        shared
            Parameters that all lesions of a patient have from the patient.
        absent
            Clones that no lesion has at diagnosis.
        """
        gone = {c.fraction for c in self.model.clones if c.fraction and c.name in absent}
        multiples = [_multiples(of_patient) for of_patient in lesions]
        haste = [self._haste(of_patient) for of_patient in lesions]
        made = [
            [Lane({**of_patient, **self._counting(m[0])}, state.copy())]
            for of_patient, state, m in zip(parameters, states, multiples, strict=True)
        ]
        place = [(i, j) for i, of_patient in enumerate(lesions) for j in range(1, of_patient.lanes)]
        grown = {}
        if place:
            grown = self._grow(
                table,
                place,
                multiples=multiples,
                haste=haste,
                parameters=parameters,
                stream=stream,
                shared=shared,
                gone=gone,
            )
        for i, j in place:
            # no draw let it grow: it has the patient's own parameters and state
            lane = grown.get((i, j)) or Lane(dict(parameters[i]), states[i].copy())
            made[i].append(replace(lane, parameters={**lane.parameters, **self._counting(multiples[i][j])}))
        return made

    def _haste(self, lesions: Lesions) -> FloatArray:
        """Growth rates (lanes,) of micrometastases relative to those that they would have as large tumours; else 1."""
        # cells over cells per volume: the capacity as a volume, for lesions are known by their volume
        capacity = self.model.parameters["C_max"].base / self.model.parameters["rho_tumour"].base * self._millilitres
        whole = np.log(capacity / lesions.volume_ml[lesions.at_diagnosis].sum())
        # geometric mean of the diameters between which it grows: the middle on the scale of Gompertz's law
        middle = np.sqrt(lesions.diameter_mm * np.maximum(lesions.seen_from_mm, lesions.diameter_mm))
        # mm to cm, so that spheres are in mL
        headroom = np.log(capacity / (np.pi / 6.0 * (middle / 10.0) ** 3))
        small = ~lesions.at_diagnosis
        out = np.ones(lesions.lanes)
        for j in np.unique(lesions.lane[small]):
            # a tumour close to its capacity, whose ln is near 0, must not make others infinitely fast
            out[j] = max(1.0, float(headroom[small & (lesions.lane == j)].mean()) / max(whole, 1.0))
        return out

    def _counting(self, multiple: float) -> dict[str, float]:
        return {CELL_MULTIPLE: multiple} if CELL_MULTIPLE in self.model.parameters else {}

    def _grow(
        self,
        table: pd.DataFrame,
        place: Sequence[tuple[int, int]],
        *,
        multiples: Sequence[FloatArray],
        haste: Sequence[FloatArray],
        parameters: Sequence[Mapping[str, float]],
        stream: int,
        shared: frozenset[str],
        gone: set[str],
    ) -> dict[tuple[int, int], Lane]:
        """Lanes of all lesions but the first, by patient's row and lesion; those that no draw let grow are absent."""
        drawn = [n for n in self.correlation if n not in shared]
        scores = self._scores(table, drawn)
        grown: dict[tuple[int, int], Lane] = {}
        left = list(place)
        for attempt in range(ATTEMPTS):
            if not left or not drawn:
                break
            rows = np.array([i for i, _ in left])
            values = self._values(table, left, scores, drawn, stream, attempt)
            # after drawing, so that absent clones leave the draws of the others as they are
            values |= {name: np.zeros(len(left)) for name in gone}
            for name in GROWTH:
                if name in values:
                    limit = self.model.parameters[name].upper
                    faster = values[name] * np.array([haste[i][j] for i, j in left])
                    # The bound holds for the factor: a rate that was drawn at the bound stays there.
                    top = np.inf if limit is None else float(self.model.to_base(name, limit))
                    values[name] = np.minimum(faster, np.maximum(top, values[name]))
            diagnosed = self._diagnosed(
                table, left, rows=rows, values=values, multiples=multiples, parameters=parameters, stream=stream
            )
            for (i, j), lane in diagnosed:
                # a lesion is taken with its first plausible draw; later attempts draw only for those left
                lane.draw = attempt
                grown[i, j] = lane
            left = [p for p in left if p not in grown]
        return grown

    def _scores(self, table: pd.DataFrame, names: Sequence[str]) -> dict[str, FloatArray]:
        """Normal scores (n,) of the patients' own parameters: what covariates and fit leave."""
        from scipy.special import ndtri

        out = {}
        scored = ScoredCovariates(table)
        for name in names:
            # Sampling backwards: value to quantile to score; then what fit and covariates have added is taken off,
            # and the rest, of variance `unexplained_share`, gets variance 1.
            z = ndtri(np.clip(self._of_patients[name].cdf(table[f"p:{name}"].to_numpy(dtype=float)), TINY, 1.0 - TINY))
            scale = self.fit.of(name).get("scale", 1.0)
            z = (z - self.fit.offset(name, scored)) / scale - linked_score(name, scored)
            out[name] = z / np.sqrt(unexplained_share(name, scored.region))
        return out

    def _values(
        self,
        table: pd.DataFrame,
        left: Sequence[tuple[int, int]],
        scores: Mapping[str, FloatArray],
        names: Sequence[str],
        stream: int,
        attempt: int,
    ) -> dict[str, FloatArray]:
        """Values (lesions,) of the lesions' own parameters, in base units.

        A lesion's score is sqrt(r) u + sqrt(1 - r) e; u is what the lesions of the patient have in common, drawn given
        the patient's own score z as normal(sqrt(r) z, 1 - r). So any two lesions correlate by r, the first included.
        """
        from scipy.special import ndtr

        from immunescape.population.sampling import patient_generator

        numbers = table.index.to_numpy()
        rows = np.array([i for i, _ in left])

        def draw(i: int, purpose: str) -> float:
            # by name, so that drugs that a model has or lacks shift nothing
            return float(patient_generator(self.seed, stream, int(numbers[i]), purpose).standard_normal())

        quantile = {}
        for name in names:
            common = {i: draw(i, _in_common(name)) for i in dict.fromkeys(rows.tolist())}
            drawn = np.array([draw(i, _of_lesion(name, j, attempt)) for i, j in left])
            shared = np.array([common[i] for i in rows])
            z = correlated(scores[name][rows], shared, drawn, self.correlation[name])
            quantile[name] = np.clip(ndtr(z), TINY, 1.0 - TINY)
        records = {n: r for n, r in self._records.items() if n in names}
        values = parameters_at(records, table.iloc[rows], quantile, fit=self.fit)
        return {n: np.asarray(self.model.to_base(n, values[n])) for n in names}

    def _diagnosed(
        self,
        table: pd.DataFrame,
        left: Sequence[tuple[int, int]],
        *,
        rows: NDArray[np.int64],
        values: Mapping[str, FloatArray],
        multiples: Sequence[FloatArray],
        parameters: Sequence[Mapping[str, float]],
        stream: int,
    ) -> list[tuple[tuple[int, int], Lane]]:
        """Grow lesions to the patients' diameters at diagnosis and draw their clones; those that get there."""
        names = sorted(parameters[0])
        values_of_patients = {n: np.array([parameters[i][n] for i in rows]) for n in names} | dict(values)
        # the lane has to reach the patient's whole tumour, not the lesion's own diameter
        growth = self.grower().grow(values_of_patients, table[f"p:{DIAMETER}"].to_numpy(dtype=float)[rows])
        grown = np.flatnonzero(growth.reached)
        if not len(grown):
            return []
        values_of_patients = {n: v[grown] for n, v in values_of_patients.items()}
        places = [left[int(k)] for k in grown]
        # clones are drawn in whole cells of the lesion, of which the lane has `multiple` for each
        multiple = np.array([multiples[i][j] for i, j in places])
        states = emerge(
            self.model,
            {n: v[grown] for n, v in growth.states.items()},
            values_of_patients,
            [int(table.index[i]) for i, _ in places],
            self.seed,
            stream,
            purposes=[f"emergence in lesion {j}" for _, j in places],
            multiple=multiple,
        )
        # the checks that patients of the population have passed
        good = implausible(self.model, baseline(self.model, states, values_of_patients)) == ""
        made = []
        for k in np.flatnonzero(good):
            mine: dict[str, float] = {n: float(v[k]) for n, v in values_of_patients.items()}
            made.append((places[k], Lane(mine, np.array([states[s][k] for s in self.states]))))
        return made


def _multiples(lesions: Lesions) -> FloatArray:
    """Cells of each lane that stand for one of its lesions (lanes,): the lane has the size of all seen at diagnosis."""
    volume = lesions.volume_ml
    # several lesions may share a lane: their volumes count together
    volume_of_lane = np.bincount(lesions.lane, weights=volume)
    return np.asarray(np.maximum(volume[lesions.at_diagnosis].sum() / volume_of_lane, 1.0))
