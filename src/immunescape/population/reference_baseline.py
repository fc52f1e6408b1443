"""The untreated reference patient: grown from the seed to diagnosis, and the reference strengths taken there.

The strength X of every modulation at diagnosis defines its reference X0, which makes all factors 1 there. X0
acts back on the growth before diagnosis, so X0 is the fixed point of "grow the reference patient with X0,
measure X at diagnosis". Plain iteration converges, as the factors are what the patient would have had anyway;
it is repeated until the strengths stand still. Where it swings about the fixed point or drifts, as for some draws of
the parameters, Anderson's extrapolation from the last steps takes over.

Those of the mechanisms of the package are stored in it. Where a plug-in or a declaration of your own modulates a
process, `with_reference_strengths` computes all strengths of that set of mechanisms anew and keeps them in the cache
folder.

As in virtual patients, clones do not grow along: the strengths are those of the tumour without them, and the baseline
has each clone's share of the cells at diagnosis.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import ModelError
from immunescape.model.reference_strengths import (
    Key,
    load_strengths,
    reference_id,
    strengths_file,
    strengths_from_state,
    write_strengths,
)
from immunescape.model.specificity import DEFAULT
from immunescape.plugins import cached
from immunescape.population.diagnosis import clones_off

if TYPE_CHECKING:
    from immunescape.engine.api import Compiled
    from immunescape.model.assembly import Model
    from immunescape.model.declarations import Mechanism

__all__ = [
    "Baseline",
    "extended_model",
    "prepared_model",
    "reference_baseline",
    "reference_strengths",
    "update_reference_strengths",
    "with_reference_strengths",
]

_MAX_DAYS = 20_000.0
_PATIENCE = 30
"""Iterations after which steps towards the fixed point are extrapolated."""
_MEMORY = 5
"""Earlier steps that an extrapolation is made from."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Baseline:
    """The untreated reference patient at diagnosis.

    Attributes
    ----------
    days : from the seed to diagnosis.
    states : amounts, in base units.
    quantities : value of every quantity of the model, in base units.
    """

    days: float
    states: Mapping[str, float]
    quantities: Mapping[str, float]


def with_reference_strengths(model: Model, *, engine: str = "auto") -> Model:
    """Return a model whose reference strengths are all known: itself, where none is missing.

    Else all of them are computed as the fixed point described above, once for each set of mechanisms: the result is
    kept beside the compiled models, under a fingerprint of the untreated model. A few seconds to minutes.

    Raises
    ------
    ModelError
        If they do not settle or the reference patient is never diagnosed: the mechanism is too strong, or its strength
        is not finite.
    """
    from immunescape.engine.native.cache import cache_folder, fingerprint
    from immunescape.model.assembly import Model as _Model

    if not model.missing_strengths:
        return model
    option = model.specificity
    untreated = _Model.build(model.mechanisms, check_units=False, specificity=option) if model.drugs else model
    folder = cache_folder() / "reference_strengths"
    file = folder / f"{fingerprint(untreated.to_sbml(unreferenced=True), str(_MAX_DAYS))}.csv"
    strengths: dict[Key, float] = {}
    with suppress(ModelError):  # a file that is damaged is written anew
        strengths = load_strengths(file)
    if set(untreated.modulations) - set(strengths):
        try:
            strengths, _ = reference_strengths(untreated, engine=engine)
        except ModelError as error:
            names = sorted({key[2] for key in model.missing_strengths})
            raise ModelError(
                f"the reference strengths with {', '.join(names)} cannot be computed: {error.message}",
                hint="The mechanism would shift the reference patient. Weaken it, or correct its strength.",
            ) from error
        with suppress(OSError):  # a folder that cannot be written costs time, nothing else
            folder.mkdir(parents=True, exist_ok=True)
            aside = folder / f"{file.name}.{os.getpid()}"
            write_strengths(strengths, aside)
            aside.replace(file)
    return _Model.build(model.mechanisms, model.drugs, check_units=False, strengths=strengths, specificity=option)


@cached(4)
def prepared_model(drugs: tuple[str, ...], specificity: str = DEFAULT) -> Model:
    """Return the model of every registered mechanism with some registered drugs, ready to be simulated."""
    from immunescape.model.stored import registered_model

    return with_reference_strengths(registered_model(drugs, specificity))


_EXTENDED: dict[tuple[str, tuple[str, ...], str], Model] = {}
"""The last models with mechanisms that are not registered."""


def extended_model(
    mechanisms: Sequence[Mechanism],
    drugs: Sequence[str] = (),
    specificity: str = DEFAULT,
    *,
    without: Sequence[str] = (),
) -> Model:
    """Return the model of every registered mechanism and some that are not, ready to be simulated.

    Parameters
    ----------
    mechanisms
        Declarations, such as :func:`immunescape.mechanism_from_sbml` reads.
    drugs
        Registered drugs by name.
    specificity
        See :mod:`immunescape.model.specificity`.
    without
        Registered mechanisms to leave out.

    Raises
    ------
    ModelError
        For a declaration that does not fit, its units included.
    """
    from immunescape.model import registry
    from immunescape.model.assembly import Model as _Model

    key = (repr((tuple(mechanisms), tuple(without))), tuple(drugs), specificity)
    if key not in _EXTENDED:
        every: list[str | Mechanism] = [*registry.mechanisms(), *mechanisms]
        model = with_reference_strengths(_Model.build(every, drugs, without, specificity=specificity))
        while len(_EXTENDED) >= 4:
            _EXTENDED.pop(next(iter(_EXTENDED)))
        _EXTENDED[key] = model
    return _EXTENDED[key]


def reference_baseline(
    model: Model | None = None,
    *,
    engine: str = "auto",
    strengths: Mapping[Key, float] | None = None,
    rtol: float = 1e-8,
) -> Baseline:
    """Grow the untreated reference patient from the seed to ``diameter_diagnosis``.

    Parameters
    ----------
    model
        All mechanisms without drugs where None.
    engine
        Name of the engine.
    strengths
        Reference strengths in place of those of the model.
    rtol
        Relative tolerance.

    Raises
    ------
    ModelError
        If the tumour does not reach the diameter: the immune system of the reference patient controls it.
    """
    model = _bare(model)
    if strengths is None:
        model = with_reference_strengths(model, engine=engine)
    compiled = _compile(model, engine)
    used = {k: model.parameters[reference_id(k)].base for k in model.modulations} if strengths is None else strengths
    grown = _grow(model, compiled, used, rtol)
    states = {**grown.states, **_shared_out(model, grown.states)}
    return Baseline(grown.days, states, _quantities(model, compiled, used, states, rtol))


def reference_strengths(
    model: Model | None = None,
    *,
    engine: str = "auto",
    start: Mapping[Key, float] | None = None,
    tolerance: float = 1e-7,
    max_iterations: int = 100,
    rtol: float = 1e-8,
    changed: Mapping[str, float] | None = None,
) -> tuple[dict[Key, float], Baseline]:
    """Compute the reference strengths as the fixed point described above.

    Parameters
    ----------
    model, engine, rtol
        As in `reference_baseline`.
    start
        Strengths to start from; the stored ones where None. Where any is missing, the tumour is first grown without
        killing, which cannot fail, to find a start.
    tolerance
        Largest change of ``X / (1 + X0)`` at which the iteration ends.
    max_iterations
        Iterations after which it gives up.
    changed
        Parameters (base units) in which the reference patient differs from the tables, such as a draw of what is
        assumed; the compiled model stays the same.

    Returns
    -------
    strengths, baseline : (process, pathway, mechanism) -> X0, and the patient they were taken from, without clones.

    Raises
    ------
    ModelError
        If the iteration does not settle, or the tumour does not reach the diameter of diagnosis.
    """
    model = _bare(model)
    compiled = _compile(model, engine)
    stored = load_strengths(strengths_file(model.specificity)) if start is None else start
    current = {key: stored.get(key, 0.0) for key in model.modulations}
    if any(key not in stored for key in model.modulations):
        for share in (0.0, 0.0, 0.25, 0.5, 0.75):
            baseline = _grow(model, compiled, current, rtol, share, changed)
            current = strengths_from_state(model, baseline.quantities)
    change = np.inf
    keys = sorted(current)
    history: list[tuple[FloatArray, FloatArray]] = []
    for number in range(max_iterations):
        try:
            baseline = _grow(model, compiled, current, rtol, changed=changed)
        except ModelError:
            if not history:
                raise
            # an extrapolated step went too far: half of the way back to the strengths before it
            history = history[-1:]
            halfway = 0.5 * (_vector(current, keys) + history[0][0])
            current = dict(zip(keys, halfway.tolist(), strict=True))
            continue
        strengths = strengths_from_state(model, baseline.quantities)
        change = max((abs(strengths[k] - current[k]) / (1.0 + strengths[k]) for k in strengths), default=0.0)
        if change < tolerance:
            return strengths, baseline
        if number < _PATIENCE:
            current = strengths
            continue
        history = [*history[-_MEMORY:], (_vector(current, keys), _vector(strengths, keys))]
        current = dict(zip(keys, _extrapolated(history).tolist(), strict=True))
    raise ModelError(
        f"the reference strengths do not settle (last change {change:.2g} after {max_iterations} iterations)",
        hint="The reference patient is too close to immune control; lower k_kill, or start from other strengths.",
    )


def _vector(strengths: Mapping[Key, float], keys: Sequence[Key]) -> FloatArray:
    return np.array([strengths[k] for k in keys])


def _extrapolated(history: Sequence[tuple[FloatArray, FloatArray]]) -> FloatArray:
    """Next strengths by Anderson's method, half a step along the residual; never negative.

    `history` holds (strengths, strengths that the patient grown with them has), the newest last.
    """
    # Residuals are scaled as the change that ends the iteration is, so that no large strength hides the others.
    x, g = history[-1]
    residual = g - x
    step = 0.5 * residual
    if len(history) > 1:
        scale = 1.0 / (1.0 + g)
        moves = np.array([x - a for a, _ in history[:-1]]).T
        turns = np.array([residual - (b - a) for a, b in history[:-1]]).T
        weights = np.linalg.lstsq(turns * scale[:, None], residual * scale, rcond=1e-8)[0]
        step = step - (moves + 0.5 * turns) @ weights
    return np.maximum(x + step, 0.0)


def update_reference_strengths(
    path: Path | None = None, *, engine: str = "auto", specificity: str = DEFAULT
) -> dict[Key, float]:
    """Compute the reference strengths of all mechanisms and store them; return them."""
    from immunescape.model.assembly import Model as _Model

    model = _Model.build(specificity=specificity)
    strengths, _ = reference_strengths(model, engine=engine)
    write_strengths(strengths, strengths_file(specificity) if path is None else path)
    return strengths


def _bare(model: Model | None) -> Model:
    from immunescape.model.assembly import Model as _Model

    if model is None:
        return _Model.build()
    if not model.drugs:
        return model
    return _Model.build(model.mechanisms, strengths=model.strengths, specificity=model.specificity)


def _compile(model: Model, engine: str) -> Compiled:
    from immunescape.engine import get_engine

    # the strengths are overridden in every job, so it does not matter that some may be missing
    return model.compiled(get_engine(engine), unreferenced=True)


def _grow(
    model: Model,
    compiled: Compiled,
    strengths: Mapping[Key, float],
    rtol: float,
    killing: float = 1.0,
    changed: Mapping[str, float] | None = None,
) -> Baseline:
    """Grow the reference patient; `killing` scales k_kill."""
    from immunescape.engine.api import STOPPED, Job, Stop

    diameter = model.parameters["diameter_diagnosis"].base
    parameters = {**(changed or {}), **_parameters(model, strengths), **clones_off(model)}
    if "k_kill" in model.parameters:
        parameters["k_kill"] = killing * (changed or {}).get("k_kill", model.parameters["k_kill"].base)
    grown = compiled.run(
        Job(
            n=1,
            times=np.linspace(0.0, _MAX_DAYS, 401),
            outputs=("diameter_T",),
            parameters=parameters,
            stop=Stop("diameter_T", np.array([diameter])),
            rtol=rtol,
            atol=model.atol(),
        )
    )
    if grown.status[0] != STOPPED:
        why = grown.messages.get(0, f"its diameter stays below {diameter:g} cm for {_MAX_DAYS:g} days")
        raise ModelError(f"the reference patient is never diagnosed: {why}", hint="Check k_growth and k_kill.")
    states = {name: float(grown.final[0, i]) for i, name in enumerate(grown.states)}
    values = _quantities(model, compiled, strengths, states, rtol, changed)
    return Baseline(float(grown.end_time[0]), states, values)


def _parameters(model: Model, strengths: Mapping[Key, float]) -> dict[str, float]:
    return {reference_id(key): strengths.get(key, 0.0) for key in model.modulations}


def _quantities(
    model: Model,
    compiled: Compiled,
    strengths: Mapping[Key, float],
    states: Mapping[str, float],
    rtol: float,
    changed: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Values of all quantities at a state."""
    from immunescape.engine.api import Job

    names = tuple(model.quantities)
    at = compiled.run(
        Job(
            n=1,
            times=np.array([0.0, 1e-6]),
            outputs=names,
            parameters={**(changed or {}), **_parameters(model, strengths)},
            initial=dict(states),
            rtol=rtol,
            atol=model.atol(),
        )
    )
    return {name: float(at.values[0, 0, k]) for k, name in enumerate(names)}


def _shared_out(model: Model, states: Mapping[str, float]) -> dict[str, float]:
    """Cancer cells of every clone by the reference patient's shares; the clone without a share keeps the rest."""
    total = sum(states[f"C_{c.name}"] for c in model.clones)
    shares = {c.name: model.parameters[c.fraction].base for c in model.clones if c.fraction in model.parameters}
    cells = {f"C_{name}": total * share for name, share in shares.items()}
    cells = {name: n if n >= 1.0 else 0.0 for name, n in cells.items()}
    rest = {f"C_{c.name}": total - sum(cells.values()) for c in model.clones if c.name not in shares}
    return {**cells, **rest}


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for option in ("none", "sparse", "series"):
        for key, value in sorted(update_reference_strengths(specificity=option).items()):
            print(option, *key, f"{value:.6g}")
