"""The reference patient at diagnosis on the fastest engine, with any drugs, for tests of what they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from mechanism_bench import exposure_mechanism
from numpy.typing import NDArray

from immunescape.engine import Doses, Job, get_engine
from immunescape.model import Model, registry
from immunescape.population.reference_baseline import reference_baseline


@lru_cache(maxsize=1)
def untreated() -> Mapping[str, float]:
    """States of the untreated reference patient at diagnosis, base units."""
    return reference_baseline().states


@lru_cache(maxsize=2)
def _compiled(drugs: tuple[str, ...]) -> tuple[Model, Any]:
    exposure = [] if drugs else [exposure_mechanism()]
    model = Model.build([*registry.mechanisms(), *exposure], drugs=drugs, check_units=False, specificity="none")
    return model, get_engine("auto").compile(model.to_sbml())


def follow(
    days: Sequence[float],
    outputs: tuple[str, ...],
    parameters: Mapping[str, float] | None = None,
    *,
    drugs: tuple[str, ...] = (),
    doses: Sequence[tuple[str, float, float]] = (),
    initial: Mapping[str, float] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Outputs in base units on some days after diagnosis; `doses` are (drug, day, amount in nanomole or cells)."""
    model, compiled = _compiled(drugs)
    given = sorted(doses, key=lambda dose: dose[1])
    states = tuple(model.drug(d).dose_state for d, _, _ in given)
    job = Job(
        n=1,
        times=np.asarray(days, dtype=float),
        outputs=outputs,
        parameters=dict(parameters or {}),
        initial={**untreated(), **(initial or {})},
        doses=Doses(
            np.array([t for _, t, _ in given]), states, np.array([a for _, _, a in given]), np.zeros(len(given))
        )
        if given
        else None,
        rtol=1e-6,
        atol=model.atol(),
    )
    result = compiled.run(job)
    assert result.failed == 0, dict(result.messages)
    return {name: result[name][0] for name in outputs}


def nanomole(drug: str, mg: float) -> float:
    """Milligrams of a drug in nanomole."""
    return mg * 1e6 / registry.get_drug(drug).molar_mass
