"""Observables of the unconditioned population at diagnosis: what percentiles and wrong units are judged against."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError, unknown_word
from immunescape.twins.crew import Crew
from immunescape.twins.facts import Fact
from immunescape.twins.growth import GrowTask, grow_many
from immunescape.twins.words import measured_text, titles_text

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.population.covariates import Region

__all__ = ["Observables", "observed_names", "reference_observables"]

FloatArray = NDArray[np.float64]
_PATIENTS = 512
_DERIVED: Mapping[str, Callable[[pd.DataFrame], pd.Series]] = {
    # Treg / (CD8 + CD4), from Treg / CD8 and CD8 / CD4
    "treg_share_of_T_cells": lambda t: t["b:Treg_CD8_ratio"] * t["b:CD8_CD4_ratio"] / (1.0 + t["b:CD8_CD4_ratio"]),
    # tumour-specific cells that have come in, per cell in blood
    "infiltration": lambda t: t["b:CD8_density_T"] / np.maximum(t["b:CD8_blood"], 1e-3),
    "killing_per_cell": lambda t: t["b:kill_rate"] / np.maximum(t["b:CD8_density_T"], 1.0),
    "persistent_share": lambda t: 1.0 - t["b:exhausted_share_T"],
}


_BEHIND: Mapping[str, tuple[str, ...]] = {
    "treg_share_of_T_cells": ("Treg_CD8_ratio", "CD8_CD4_ratio"),
    "infiltration": ("CD8_density_T", "CD8_blood"),
    "killing_per_cell": ("kill_rate", "CD8_density_T"),
    "persistent_share": ("exhausted_share_T",),
}


def observed_names(names: Sequence[str]) -> tuple[str, ...]:
    """Observables of the model behind some that may be made of several."""
    return tuple(dict.fromkeys(x for name in names for x in _BEHIND.get(name, (name,))))


@dataclass(frozen=True)
class Observables:
    """Observables at diagnosis of patients of the whole population.

    Attributes
    ----------
    table : (n, columns ``b:<observable>``) of unconditioned virtual patients.
    names, scores : the d varying parameters, and their normal scores (n, d); without names none are kept.
    """

    table: pd.DataFrame
    names: tuple[str, ...] = ()
    scores: FloatArray = field(default_factory=lambda: np.zeros((0, 0)), repr=False)

    def of(self, table: pd.DataFrame, name: str) -> FloatArray:
        """Observable (n,) of patients, in its declared unit."""
        if name in _DERIVED:
            return np.asarray(_DERIVED[name](table), dtype=float)
        if f"b:{name}" not in table.columns:
            names = [str(c)[2:] for c in table.columns if str(c).startswith("b:")]
            raise unknown_word("observable", name, [*names, *_DERIVED])
        return table[f"b:{name}"].to_numpy(dtype=float)

    def score(self, table: pd.DataFrame, name: str) -> FloatArray:
        """Normal score (n,) of the rank of an observable in the whole population."""
        from scipy.special import ndtri

        order = np.sort(self.of(self.table, name))
        x = self.of(table, name)
        below, upto = np.searchsorted(order, x, "left"), np.searchsorted(order, x, "right")
        return np.asarray(ndtri((below + upto + 1.0) / (2.0 * len(order) + 2.0)))

    def scaled(self, table: pd.DataFrame, fact: Fact) -> FloatArray:
        """Observable (n,) as `Fact.log_likelihood` takes it."""
        return self.score(table, fact.target) if fact.scale == "score" else self.of(table, fact.target)

    def check(self, fact: Fact) -> None:
        """Refuse a measurement that lies far beyond every virtual patient, as a wrong unit gives it.

        Raises
        ------
        InputError
            Naming the biomarker.
        """
        if fact.value is None or fact.scale == "score":
            return
        from immunescape.trial.coefficients import coefficients

        margin = coefficients("twin_errors")["unit_margin"].value
        values = self.of(self.table, fact.target)
        if fact.scale == "sd_ln":
            noise = float(np.exp(4.0 * fact.spread))
            low, high = values.min() / margin / noise, values.max() * margin * noise
        else:
            noise = 4.0 * fact.spread
            low, high = values.min() - noise, values.max() + noise
            if values.min() >= 0.0:
                low, high = min(low, 0.0), max(high, values.max() * 1.5)
        if not low <= fact.value <= high:
            raise InputError(
                f"{measured_text(fact)} corresponds to {fact.value:.3g} in the model, where virtual patients have "
                f"{values.min():.3g} to {values.max():.3g}",
                where=titles_text(fact),
                hint="Check the unit; nothing was conditioned on it.",
            )


_READ: dict[str, Observables] = {}
"""Region -> its reference, once it was read or made in this process."""
_SCORE = "z:"
"""Prefix of the columns of scores in the stored reference."""


def reference_observables(region: Region = "western", workers: int | Crew = 1) -> Observables:
    """Observables and parameters of the first candidates of the population (seed 0); kept in the cache folder.

    The file is named after all that it depends on, so that another model or fit makes its own.
    """
    if region not in _READ:
        _READ[region] = _with_scores(_stored_reference(region, workers))
    return _READ[region]


def _with_scores(table: pd.DataFrame) -> Observables:
    scored = [c for c in table.columns if str(c).startswith(_SCORE)]
    names = tuple(str(c)[len(_SCORE) :] for c in scored)
    return Observables(table.drop(columns=scored), names, table[scored].to_numpy(dtype=float))


def _stored_reference(region: Region, workers: int | Crew) -> pd.DataFrame:
    """Return the table of the reference: from the cache folder, or grown and put there."""
    import pandas as pd

    from immunescape.engine.native.cache import cache_folder, fingerprint
    from immunescape.population.covariates import sample_covariates
    from immunescape.trial.runner import model_digest

    folder = cache_folder() / "twins"
    file = folder / f"reference-{fingerprint(model_digest(), region, str(_PATIENTS))}.parquet"
    with suppress(OSError, ValueError):
        return pd.read_parquet(file)
    covariates = sample_covariates(0, _PATIENTS, 0, 0, region=region)
    grown = grow_many(GrowTask(0, region=region), covariates, workers=workers)
    scores = pd.DataFrame(grown.scores, index=grown.table.index, columns=[f"{_SCORE}{n}" for n in grown.names])
    table = pd.concat([grown.table[[c for c in grown.table.columns if str(c).startswith("b:")]], scores], axis=1)
    with suppress(OSError):  # a folder that cannot be written costs time, nothing else
        folder.mkdir(parents=True, exist_ok=True)
        aside = file.with_suffix(f".{os.getpid()}")
        table.to_parquet(aside)
        aside.replace(file)
    return table
