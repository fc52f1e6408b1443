"""Which numbers matter most, and on what they rest: each parameter of the model moved by one prior standard deviation.

The same virtual patients of a trial are grown and treated with one parameter higher and lower
(:data:`immunescape.evaluation.uncertainty.WIDTHS`), and all else, random numbers too, as it was. The reference
strengths follow to first order: they are taken at the diagnosis of the reference patient of the tables, so that a
mechanism that is made stronger does not weaken that patient. Of those that are assumed, the ones that matter most are
those to find a source for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError, unknown_word
from immunescape.evaluation.sensitivity import OUTPUTS, Progress, TreatedPatients
from immunescape.evaluation.uncertainty import ANCHOR, GROWTH, WIDTHS, moved, uncertain
from immunescape.trial.loading import load_trial
from immunescape.trial.spec import Trial

if TYPE_CHECKING:
    from immunescape.model.assembly import Model
    from immunescape.model.parameters import Parameter

__all__ = ["Audit", "run_audit", "strengths_at"]

FloatArray = NDArray[np.float64]
_SPARE, _MOST_SPARE = 8, 256
"""Candidates for each patient, at first and at most: tumours that are never diagnosed as things are say nothing."""


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Parameters by what they do to the change of the diameter at week 18, over patients.

    Each row: parameter, mechanism, value, unit, grade, basis, sources, and per output the mean ``effect`` of one prior
    standard deviation (half of high less low) and its root mean square over patients (``rms``).
    """

    trial: str
    arm: str
    rows: tuple[dict[str, Any], ...]
    patients: int
    points: int
    undiagnosed: int
    failed: int
    seed: int
    seconds: float

    def top(self, n: int = 20, grade: str = "") -> list[dict[str, Any]]:
        """Return the n rows that matter most, of one grade where it is named."""
        return [r for r in self.rows if not grade or r["grade"] == grade][:n]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "trial": self.trial,
            "arm": self.arm,
            "patients": self.patients,
            "seed": self.seed,
            "points": self.points,
            "undiagnosed": self.undiagnosed,
            "failed": self.failed,
            "seconds": round(self.seconds, 1),
            "prior_widths": WIDTHS,
            "parameters": list(self.rows),
        }


def strengths_at(model: Model, names: Sequence[str], values: Sequence[float], engine: str = "auto") -> FloatArray:
    """Reference strengths with one parameter changed each, at the diagnosis of the reference patient of the tables.

    Parameters
    ----------
    model
        The drug-free model.
    names, values
        k parameters and their values, in the units of the tables.
    engine
        Name of the engine.

    Returns
    -------
    (k, modulations) strengths, in the order of ``model.modulations``.
    """
    from immunescape.engine import get_engine
    from immunescape.engine.api import Job
    from immunescape.model.reference_strengths import strength_id
    from immunescape.population.reference_baseline import reference_strengths

    states = reference_strengths(model, engine=engine)[1].states  # without clones, as the stored strengths
    compiled = model.compiled(get_engine(engine))
    base = {n: model.parameters[n].base for n in set(names)}
    parameters = {n: np.full(len(names), v) for n, v in base.items()}
    for k, (name, value) in enumerate(zip(names, values, strict=True)):
        parameters[name][k] = model.parameters[name].to_base(value)
    result = compiled.run(
        Job(
            n=len(names),
            times=np.array([0.0, 1e-6]),
            outputs=tuple(strength_id(key) for key in model.modulations),
            parameters=parameters,
            initial={name: np.full(len(names), v) for name, v in states.items()},
            rtol=1e-6,
            atol=model.atol(),
        )
    )
    return np.maximum(result.values[:, 0, :], 0.0)


def _diagnosed(treated: TreatedPatients, patients: int, seed: int) -> tuple[NDArray[np.int64], FloatArray]:
    """Take the first candidates whose tumour is diagnosed as things are; candidates are added until they suffice.

    Returns
    -------
    (patients,) their numbers among the candidates, and (patients, k) their quantiles.
    """
    rng = np.random.default_rng(seed)
    quantiles = np.empty((0, len(treated.parameters)))
    diagnosed = np.empty(0, dtype=np.int64)
    while len(diagnosed) < patients:
        first, last = len(quantiles), max(2 * len(quantiles), _SPARE * patients)
        if last > _MOST_SPARE * patients:
            raise InputError(
                f"only {len(diagnosed)} of {first} candidates are diagnosed",
                where=treated.trial.file or treated.trial.name,
                hint="Widen the eligibility criteria, or take fewer patients.",
            )
        treated.enlist(last)  # the same seed: those of before come first again
        more = rng.random((last - first, quantiles.shape[1]))
        unchanged = treated.evaluate(np.arange(first, last), more)
        diagnosed = np.concatenate([diagnosed, first + np.flatnonzero(np.isfinite(unchanged).all(axis=1))])
        quantiles = np.concatenate([quantiles, more])
    return diagnosed[:patients], quantiles[diagnosed[:patients]]


def run_audit(
    trial: str | Trial,
    *,
    arm: str = "",
    patients: int = 20,
    only: Sequence[str] = (),
    seed: int = 1,
    engine: str = "auto",
    progress: Progress | None = None,
) -> Audit:
    """Move every parameter of the model, one at a time.

    Parameters
    ----------
    trial, arm
        As for `run_sensitivity`.
    patients
        Virtual patients; each is simulated twice for each parameter.
    only
        Parameters; none takes all that are uncertain.
    seed, engine, progress
        As elsewhere.
    """
    if patients < 4:
        raise InputError(f"{patients} patients", hint="Take at least 4; 20 or more to report.")
    began = time.perf_counter()
    spec = load_trial(trial) if isinstance(trial, str) else trial
    treated = TreatedPatients(spec, arm, _SPARE * patients, seed, engine)
    names = _examined(treated.model, only)
    ends = [End(name, moved(treated.model.parameters[name], z)) for name in names for z in (1.0, -1.0)]
    changed = _changes(treated.model, ends, patients, engine)
    diagnosed, quantiles = _diagnosed(treated, patients, seed)
    who = np.tile(diagnosed, len(ends))
    values = treated.evaluate(who, np.tile(quantiles, (len(ends), 1)), progress, changed)
    finite = np.where(np.isfinite(values), values, np.nan).reshape(len(names), 2, patients, len(OUTPUTS))
    half = 0.5 * (finite[:, 0] - finite[:, 1])
    rows = [_row(treated.model.parameters[name], effects) for name, effects in zip(names, half, strict=True)]
    rows.sort(key=lambda r: (-r["change_week_18"]["rms"], -abs(r["orr"]["effect"])))
    return Audit(
        trial=treated.trial.name,
        arm=treated.arm.name,
        rows=tuple(rows),
        patients=patients,
        points=len(values),
        undiagnosed=int(np.isnan(values[:, 0]).sum()),
        failed=int(np.isinf(values[:, 0]).sum()),
        seed=seed,
        seconds=time.perf_counter() - began,
    )


class End(NamedTuple):
    """A parameter, and a value one prior standard deviation above or below its own."""

    name: str
    value: float


def _examined(model: Model, only: Sequence[str]) -> list[str]:
    """Parameters that are moved: those named, each once, or all that are uncertain."""
    uncertain_names = [*uncertain(model), ANCHOR, GROWTH]
    for name in only:
        if name not in uncertain_names:
            raise unknown_word("parameter that is uncertain", name, uncertain_names)
    return list(dict.fromkeys(only)) or uncertain_names


def _changes(model: Model, ends: Sequence[End], patients: int, engine: str) -> dict[str, tuple[str, FloatArray]]:
    """Parameters that change, and what is done to them in each patient of each end: its own, and the strengths.

    Returns
    -------
    name -> (``times`` or ``set``, (ends * patients,) factors or values).
    """
    from immunescape.model.reference_strengths import reference_id
    from immunescape.population.reference_baseline import prepared_model

    p = model.parameters
    changed: dict[str, tuple[str, FloatArray]] = {}
    for k, (name, value) in enumerate(ends):
        factors = changed.setdefault(name, ("times", np.ones(len(ends) * patients)))[1]
        factors[k * patients : (k + 1) * patients] = value / p[name].value
    bare = prepared_model((), model.specificity)
    stored = np.array([bare.parameters[reference_id(key)].base for key in bare.modulations])
    inner = [k for k, end in enumerate(ends) if end.name in bare.parameters]
    at = np.tile(stored, (len(ends), 1))
    at[inner] = strengths_at(bare, [ends[k].name for k in inner], [ends[k].value for k in inner], engine)
    for j, key in enumerate(bare.modulations):
        if reference_id(key) in p and not np.allclose(at[:, j], stored[j], rtol=1e-9, atol=0.0):
            changed[reference_id(key)] = ("set", np.repeat(at[:, j], patients))
    return changed


def _row(parameter: Parameter, effects: FloatArray) -> dict[str, Any]:
    """A parameter with its effects (patients, outputs) of one prior standard deviation."""
    row: dict[str, Any] = {
        "parameter": parameter.name,
        "mechanism": parameter.owner,
        "value": parameter.value,
        "unit": parameter.unit,
        "grade": parameter.grade,
        "basis": parameter.basis,
        "sources": list(parameter.sources),
    }
    for output, of_patients in zip(OUTPUTS, effects.T, strict=True):
        finite = of_patients[np.isfinite(of_patients)]
        row[output] = {
            "effect": float(f"{finite.mean():.4g}") if len(finite) else 0.0,
            "rms": float(f"{np.sqrt((finite**2).mean()):.4g}") if len(finite) else 0.0,
            "n": len(finite),
        }
    return row
