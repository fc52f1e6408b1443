"""Runs drugs in a model, for the tests of drugs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from immunescape.engine import Compiled, Doses, Job, get_engine
from immunescape.model import registry
from immunescape.model.assembly import Model
from immunescape.model.selection import closures

HOST = ("body", "tumour_growth")
"""Mechanisms that drugs need: volumes, and a tumour to enter."""


def host_of(drug: str) -> tuple[str, ...]:
    """Names of the mechanisms that a drug needs."""
    needed = closures([*registry.mechanisms().values(), *registry.drugs().values()])[drug]
    return tuple(m for m in registry.mechanisms() if m in needed or m in HOST)


Dose = tuple[str, float, float]
"""Drug, day, milligrams; over the drug's usual infusion."""


@lru_cache(maxsize=4)
def compiled(drugs: tuple[str, ...], mechanisms: tuple[str, ...] | None = HOST) -> tuple[Model, Compiled]:
    """Return the model of some drugs and mechanisms (None: all of them), ready to run."""
    model = Model.build(mechanisms, drugs=drugs)
    return model, get_engine("auto").compile(model.to_sbml())


def simulate(
    drugs: Sequence[str],
    doses: Sequence[Dose],
    times: Sequence[float] | NDArray[np.float64],
    outputs: Sequence[str],
    mechanisms: tuple[str, ...] | None = HOST,
    **parameters: float,
) -> dict[str, NDArray[np.float64]]:
    """Simulate the reference patient with a tumour of about 3 cm; outputs and parameters are in declared units."""
    model, kernel = compiled(tuple(drugs), mechanisms)
    given = [(model.drug(d), day, mg) for d, day, mg in doses]
    job = Job(
        n=1,
        times=np.asarray(times, dtype=float),
        outputs=tuple(outputs),
        parameters={k: float(model.to_base(k, v)) for k, v in parameters.items()},
        initial={"C_sensitive": 4e9},
        doses=Doses(
            np.array([day for _, day, _ in given]),
            tuple(d.dose_state for d, _, _ in given),
            np.array([mg * 1e6 / d.molar_mass for d, _, mg in given]),
            np.array([d.infusion_hours / 24 for d, _, _ in given]),
        )
        if given
        else None,
        rtol=1e-7,
        atol=1e-9,
    )
    result = kernel.run(job)
    assert result.failed == 0, result.messages
    return {name: result[name][0] * model.scale(name) for name in outputs}


def trough_and_peak(drug: str, mg: float, every: float, doses: int, **parameters: float) -> tuple[float, float, float]:
    """Return the serum concentrations (ug/mL) before the second dose, at the end of the last cycle, and its peak."""
    model, _ = compiled((drug,))
    last = (doses - 1) * every
    times = [0.0, every - 1e-6, last + model.drug(drug).infusion_hours / 24, last + every - 1e-6]
    given = [(drug, i * every, mg) for i in range(doses)]
    c = simulate((drug,), given, times, (f"conc_{drug}",), **parameters)[f"conc_{drug}"]
    return float(c[1]), float(c[3]), float(c[2])
