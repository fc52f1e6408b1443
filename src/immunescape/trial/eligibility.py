"""Who may enter a trial: criteria applied to the table of virtual patients, counted, and shares of the enrolled."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.trial.spec import Choice, Enrolment

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Screening", "assign_choices", "enrolment_weights", "screen"]


@dataclass(frozen=True)
class Screening:
    """Who is eligible, and what each criterion removed.

    Attributes
    ----------
    eligible : (n,) candidates that meet every criterion.
    criteria : their texts. met : candidates that meet each. remaining : candidates left after applying them in order.
    """

    eligible: NDArray[np.bool_]
    criteria: tuple[str, ...]
    met: tuple[int, ...]
    remaining: tuple[int, ...]

    @property
    def n(self) -> int:
        """Number of candidates."""
        return int(self.eligible.size)

    def table(self) -> list[dict[str, object]]:
        """Rows ``criterion, met, remaining`` for a report."""
        rows = zip(self.criteria, self.met, self.remaining, strict=True)
        return [{"criterion": text, "met": met, "remaining": left} for text, met, left in rows]


def screen(population: Enrolment, table: pd.DataFrame, *, where: str | None = None) -> Screening:
    """Apply the criteria of a trial to candidates.

    Parameters
    ----------
    population
        The trial's population.
    table
        One row per candidate, with covariate columns.
    where
        File, for the error.

    Raises
    ------
    InputError
        If a column is missing; if no candidate is eligible, with the criterion that nobody meets or the criteria that
        exclude each other.
    """
    missing = sorted({c.covariate for c in population.criteria} - set(table.columns))
    if missing:
        raise InputError(f"the table of patients lacks {', '.join(missing)}", where=where)
    met = [criterion.met(table) for criterion in population.criteria]
    left = np.ones(len(table), dtype=bool)
    remaining = []
    for criterion_met in met:
        left = left & criterion_met
        remaining.append(int(left.sum()))
    texts = tuple(str(criterion) for criterion in population.criteria)
    counts = tuple(int(criterion_met.sum()) for criterion_met in met)
    if len(table) and not left.any():
        raise _impossible(texts, met, len(table), where)
    return Screening(left, texts, counts, tuple(remaining))


def _impossible(texts: Sequence[str], met: list[NDArray[np.bool_]], n: int, where: str | None) -> InputError:
    """Name the smallest set of criteria that nobody meets."""
    for size in range(1, len(met) + 1):
        for group in itertools.combinations(range(len(met)), size):
            if not np.logical_and.reduce([met[i] for i in group]).any():
                parts = ", ".join(f"'{texts[i]}' ({int(met[i].sum())})" for i in group)
                if size == 1:
                    message = f"none of {n} candidates meets {parts}"
                else:
                    message = f"none of {n} candidates meets these criteria together: {parts}"
                return InputError(message, where=where, hint="Widen one of them.")
    raise AssertionError("no empty intersection")


def enrolment_weights(population: Enrolment, table: pd.DataFrame, *, where: str | None = None) -> NDArray[np.float64]:
    """Sampling weights under which eligible candidates have the shares that the trial published (`mix`).

    Raking: the weights are scaled to each covariate's shares in turn until all agree. Candidates in no stated level
    keep the share that the stated ones leave. The mean weight is 1.

    Parameters
    ----------
    population
        The trial's population; without `mix` all weights are 1.
    table
        Eligible candidates, (n, columns).

    Raises
    ------
    InputError
        If a level with a positive share has no candidate.
    """
    weights = np.ones(len(table))
    groups: list[tuple[NDArray[np.bool_], float]] = []
    margins = []
    for name, shares in population.mix.items():
        margin = []
        rest = np.ones(len(table), dtype=bool)
        for criterion, share in shares:
            inside = criterion.met(table) & rest
            rest &= ~inside
            if share > 0 and not inside.any():
                raise InputError(
                    f"no candidate with {criterion}, of whom the trial has {100 * share:g} %",
                    where=where,
                    hint="Check the share against the criteria, or screen more candidates.",
                )
            margin.append((inside, share))
        left = 1.0 - sum(share for _, share in shares)
        if rest.any() or left > 0.02:
            if left > 0.02 and not rest.any():
                raise InputError(f"the shares of '{name}' leave {100 * left:.0f} % to no level", where=where)
            margin.append((rest, max(left, 0.0)))
        margins.append(margin)
        groups += margin
    for _ in range(200):
        for margin in margins:
            total = weights.sum()
            for inside, share in margin:
                mass = weights[inside].sum()
                if mass > 0:
                    weights[inside] *= share * total / mass
        total = weights.sum()
        if all(abs(weights[inside].sum() / total - share) < 1e-6 for inside, share in groups):
            break
    return np.asarray(weights * len(weights) / weights.sum())


def assign_choices(
    choices: Sequence[Choice], table: pd.DataFrame, uniform: NDArray[np.float64], *, where: str | None = None
) -> NDArray[np.int64]:
    """Which of the choices each patient receives: by condition, then by weight.

    Parameters
    ----------
    choices
        The arm's choices.
    table
        Patients, (n, columns).
    uniform
        (n,) independent draws in [0, 1), one per patient, so that the assignment is the patient's own.

    Returns
    -------
    ndarray
        (n,) index into `choices`.

    Raises
    ------
    InputError
        If no choice applies to some patient.
    """
    weight = np.zeros((len(table), len(choices)))
    for k, choice in enumerate(choices):
        applies = np.ones(len(table), dtype=bool)
        for criterion in choice.when:
            applies &= criterion.met(table)
        weight[applies, k] = choice.weight
    total = weight.sum(axis=1)
    if (total == 0).any():
        raise InputError(
            f"no regimen applies to {int((total == 0).sum())} patients",
            where=where,
            hint="Add a choice without 'when'.",
        )
    edges = np.cumsum(weight, axis=1) / total[:, None]
    chosen = (np.asarray(uniform)[:, None] >= edges).sum(axis=1)
    last = len(choices) - 1 - np.argmax(weight[:, ::-1] > 0, axis=1)  # a draw of 1 - 1e-17 may pass the last edge
    return np.asarray(np.minimum(chosen, last), dtype=np.int64)
