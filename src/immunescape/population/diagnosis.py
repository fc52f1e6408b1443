"""Growth from the seed to the diameter at diagnosis, and the clones that have emerged by then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.model.draft import switch_id
from immunescape.model.stored import untreated_model
from immunescape.population.sampling import patient_generator

if TYPE_CHECKING:
    from immunescape.engine.api import Engine
    from immunescape.model.assembly import Model

__all__ = ["DIAMETER_QUANTITY", "MAX_DAYS", "Grower", "Growth", "clones_off", "emerge"]

FloatArray = NDArray[np.float64]
MAX_DAYS = 8000.0
"""Days from the seed within which a tumour has to be diagnosed (wang2023)."""
DIAMETER_QUANTITY = "diameter_T"
_PIECE = 400.0
_MAX_STEPS = 20_000  # of a piece; tumours that grow to diagnosis take some hundred


def clones_off(model: Model) -> dict[str, float]:
    """Parameters that keep clones away while a tumour grows to diagnosis: no share, and none emerges."""
    off = dict.fromkeys((c.fraction for c in model.clones if c.fraction in model.parameters), 0.0)
    if "clone_emergence" in model.parameters:
        off["clone_emergence"] = 0.0
    return off


@dataclass(frozen=True)
class Growth:
    """What became of n seeds.

    Attributes
    ----------
    states : state -> (n,) amount at diagnosis, in base units; NaN where diagnosis was not reached.
    days : (n,) days from the seed to diagnosis; NaN where it was not reached.
    reached, failed : (n,) diameter reached; integration failed. Neither: never diagnosed.
    messages : patient (position) -> why its integration failed.
    """

    states: Mapping[str, FloatArray]
    days: FloatArray
    reached: NDArray[np.bool_]
    failed: NDArray[np.bool_]
    messages: Mapping[int, str]


class Grower:
    """Grows tumours with one engine; the model is compiled once.

    Untreated growth needs no drugs: they are left out of the compiled model, and their states are zero at diagnosis.
    Clones that emerge (those with a share) do not grow along; `emerge` draws them at diagnosis.
    """

    def __init__(
        self, model: Model, engine: Engine, *, rtol: float = 1e-6, max_days: float = MAX_DAYS, check_every: float = 50.0
    ) -> None:
        self.model, self.rtol, self.max_days, self.check_every = model, rtol, float(max_days), check_every
        # libroadrunner looks for the crossing only when a piece of the trajectory is done, so pieces are short
        self._piece = self.max_days if engine.name in ("native", "cuda") else min(_PIECE, self.max_days)
        self._bare = untreated_model(model)
        self._compiled = self._bare.compiled(engine)
        # leaving out the drugs may change computed values; tumours grow with those of the full model
        self._changed = {
            name: p.base
            for name, p in model.parameters.items()
            if name in self._bare.parameters and p.base != self._bare.parameters[name].base
        }
        self._shares = clones_off(self._bare)
        self._clones = tuple(f"C_{clone.name}" for clone in self._bare.clones)

    def grow(self, parameters: Mapping[str, FloatArray], diameter: FloatArray) -> Growth:
        """Integrate from the model's initial state until `diameter_T` reaches `diameter` (cm), by root finding.

        Parameters
        ----------
        parameters
            Name -> (n,) values in base units; those that the growing model does not have are ignored.
        diameter
            (n,) cm.
        """
        from immunescape.engine.api import FAILED, OK, STOPPED, Job, Stop

        n = len(diameter)
        goal = np.asarray(diameter, dtype=float)
        of_bare_model = {k: np.asarray(v) for k, v in parameters.items() if k in self._bare.parameters}
        names = [s for s in self._compiled.states if s in self.model.states]
        final = np.full((n, len(self._compiled.states)), np.nan)
        status = np.zeros(n, dtype=np.int8)
        days = np.full(n, np.nan)
        messages: dict[int, str] = {}
        # Only tumours below their diameter at diagnosis go on; each piece starts where the one before has ended.
        going, start = np.arange(n), 0.0
        while len(going) and start < self.max_days:
            end = min(start + self._piece, self.max_days)
            points = max(2, round((end - start) / self.check_every) + 1)
            job = Job(
                n=len(going),
                times=np.linspace(start, end, points),
                outputs=(DIAMETER_QUANTITY,),
                parameters={
                    **self._changed,
                    **{k: v[going] for k, v in of_bare_model.items()},
                    # last, so that clones stay away whatever the patient's own parameters say
                    **self._shares,
                },
                # the first piece starts from initial assignments, which depend on the patient's parameters
                initial={s: final[going, k] for k, s in enumerate(self._compiled.states)} if start > 0.0 else {},
                stop=Stop(DIAMETER_QUANTITY, goal[going]),
                # No clone emerges while a tumour grows: one without a living cell is never diagnosed.
                gone=self._clones,
                rtol=self.rtol,
                atol=self._bare.atol(),
                # A candidate whose tumour cannot be integrated is counted and replaced: minutes of rescue gain nothing.
                max_steps=_MAX_STEPS,
                rescue=False,
            )
            result = self._compiled.run(job)
            status[going], final[going] = result.status, result.final
            days[going] = result.end_time
            messages.update({int(going[i]): text for i, text in result.messages.items()})
            # OK: the piece ended below the goal; the others have reached it or have failed
            going, start = going[result.status == OK], end
        reached, failed = status == STOPPED, status == FAILED
        # A stop is found on the diameter alone: another state may have overflowed by then.
        bad = reached & ~np.isfinite(final).all(axis=1)
        for i in np.flatnonzero(bad):
            messages[int(i)] = "the state at diagnosis is not finite"
        failed |= bad
        reached &= ~bad
        states = {s: np.where(reached, final[:, self._compiled.states.index(s)], np.nan) for s in names}
        for name in self.model.states:
            # states of drugs that the growing model lacks: none has been given
            if name not in states:
                states[name] = np.where(reached, 0.0, np.nan)
        return Growth(states, np.where(reached, days, np.nan), reached, failed, messages)


def emerge(
    model: Model,
    states: Mapping[str, FloatArray],
    parameters: Mapping[str, FloatArray],
    ids: Sequence[int],
    seed: int,
    stream: int = 0,
    *,
    purposes: Sequence[str] | None = None,
    multiple: FloatArray | None = None,
) -> dict[str, FloatArray]:
    """Draw the clones that exist at diagnosis.

    The number of cells of a clone with share f of a tumour of N cells is Poisson distributed with mean f N, drawn from
    the patient's own seed. A tumour has whole cells of it or none. The clone without a share keeps the rest.

    Parameters
    ----------
    model
        For its clones.
    states
        State -> (n,) amounts, base units.
    parameters
        Name -> (n,) shares and switches of mechanisms (dimensionless); a clone whose share is not there has the
        model's, and none where its mechanism is switched off.
    ids
        Numbers of the n patients.
    seed, stream
        Those of the population.
    purposes
        (n,) names of the patients' own numbers, where a patient has several tumours; None: that of its first.
    multiple
        (n,) simulated cells that stand for one cell of the tumour; None: one.

    Returns
    -------
    The states, with the cells of each clone replaced.
    """
    out = {k: np.array(v, dtype=float) for k, v in states.items()}
    emerging = [c for c in model.clones if c.fraction]
    rest = [c for c in model.clones if not c.fraction]
    if not emerging or not rest:
        return out
    total = np.sum([out[f"C_{c.name}"] for c in model.clones], axis=0)
    left = total.copy()
    each = np.ones(len(total)) if multiple is None else multiple
    named = ["emergence"] * len(ids) if purposes is None else purposes
    for clone in emerging:
        share = np.broadcast_to(parameters.get(clone.fraction, model.parameters[clone.fraction].base), total.shape)
        # a clone of a mechanism that is switched off has no cells, as in the model's own initial state
        share = share * parameters.get(switch_id(model.quantities[f"fraction_{clone.name}"].owner), 1.0)
        for k, patient in enumerate(ids):
            mean = float(np.clip(share[k], 0.0, 1.0)) * total[k] / each[k]
            # a stream for each clone by name: clones that a model has or lacks shift no other draw
            cells = float(patient_generator(seed, stream, patient, f"{named[k]}:{clone.name}").poisson(mean))
            # a Poisson draw can exceed what the clones before have left of a small tumour
            out[f"C_{clone.name}"][k] = min(cells * each[k], left[k]) if cells >= 1.0 else 0.0
        left = left - out[f"C_{clone.name}"]
    first, *others = rest
    out[f"C_{first.name}"] = left
    for clone in others:
        out[f"C_{clone.name}"] = np.zeros_like(left)
    return out
