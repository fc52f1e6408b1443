"""What a mechanism does, simulated: the reference patient against one in whom the mechanism is strong.

Every factor of a process is 1 at the reference baseline, with a mechanism and without it, so that switching one off
shows nothing there. What shows is how patients differ by it: each of the mechanism's own parameters in which patients
differ moves to its 95th percentile (an indicator to 1, the share of a clone likewise); where it has none, each of its
parameters is tripled. The one that moves the plotted quantities most is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from immunescape.engine.api import Compiled
    from immunescape.model.assembly import Model
    from immunescape.model.declarations import Mechanism

__all__ = ["ParameterChange", "changes", "strongest"]

FloatArray = NDArray[np.float64]
PERCENTILE = 0.95
_CAP = 2.0


@dataclass(frozen=True)
class ParameterChange:
    """One parameter of a mechanism moved: `value` in base units, `label` in words; `clone` where it is a share."""

    parameter: str
    value: float
    label: str
    clone: str = ""


def changes(model: Model, mechanism: Mechanism) -> list[ParameterChange]:
    """Return the changes of a mechanism that are tried, in the order of its table."""
    from immunescape.population.distributions import Distribution
    from immunescape.population.linking import INDICATORS

    shares = {c.fraction: c.name for c in mechanism.clones if c.fraction}
    module_parameters = [
        p for n, p in model.parameters.items() if p.owner == mechanism.name and not n.startswith(("ref_", "switch_"))
    ]
    varied: list[ParameterChange] = []
    tripled: list[ParameterChange] = []
    activities: list[
        ParameterChange
    ] = []  # of a relief that is measured against the reference, and may show nothing there
    for p in module_parameters:
        if p.name.startswith(("u_emergence_", "mu_")):
            continue
        if p.name in INDICATORS:
            varied.append(ParameterChange(p.name, 1.0, f"{p.name} = 1"))
        elif p.distribution and Distribution.from_row(p).varies:
            high = float(Distribution.from_row(p).ppf(np.array([PERCENTILE]))[0])
            label = f"{p.name} at its 95th percentile ({high:.3g} {p.unit})".replace(" dimensionless", "")
            change = ParameterChange(p.name, float(model.to_base(p.name, high)), label, shares.get(p.name, ""))
            (activities if p.name.startswith("activity_") else varied).append(change)
        elif p.base == 0.0:
            tripled.append(ParameterChange(p.name, 1.0, f"{p.name} = 1"))
        else:
            tripled.append(ParameterChange(p.name, 3.0 * p.base, f"three times {p.name}"))
    return (varied or tripled) + activities


def strongest(
    model: Model,
    compiled: Compiled,
    base: Mapping[str, float],
    mechanisms: Sequence[Mechanism],
    shown: Callable[[Model, Mechanism], list[str]],
    days: FloatArray,
) -> dict[str, tuple[str, FloatArray, FloatArray]]:
    """Simulate all changes at once, the untouched reference patient first, and keep the strongest of each mechanism.

    Returns
    -------
    Mechanism -> label, and the plotted quantities (t, k) in declared units with the change and without it.
    """
    from immunescape.engine.api import Job

    tried = [(module, change) for module in mechanisms for change in changes(model, module)]
    names = sorted({n for mechanism in mechanisms for n in shown(model, mechanism)})
    n = len(tried) + 1
    parameters: dict[str, float | FloatArray] = {}
    initial: dict[str, float | FloatArray] = {s: base.get(s, 0.0) for s in compiled.states}
    total = sum(base[f"C_{c.name}"] for c in model.clones)
    for k, (_, change) in enumerate(tried):
        column = np.asarray(
            parameters.setdefault(change.parameter, np.full(n, model.parameters[change.parameter].base))
        )
        column[k + 1] = change.value
        if change.clone:
            for clone in (c.name for c in model.clones):
                cells = np.asarray(initial[f"C_{clone}"]) * np.ones(n)
                cells[k + 1] = change.value * total if clone == change.clone else (1.0 - change.value) * cells[k + 1]
                initial[f"C_{clone}"] = cells
    result = compiled.run(
        Job(
            n=n,
            times=days,
            outputs=tuple(names),
            parameters=parameters,
            initial=initial,
            rtol=1e-6,
            atol=model.atol(),
        )
    )
    effects: dict[str, tuple[str, FloatArray, FloatArray]] = {}
    best: dict[str, float] = {}
    for k, (module, change) in enumerate(tried):
        columns = [names.index(name) for name in shown(model, module)]
        scale = np.array([model.scale(names[c]) for c in columns])
        with_, plain = result.values[k + 1][:, columns] * scale, result.values[0][:, columns] * scale
        with np.errstate(all="ignore"):
            moved = np.abs(np.log(np.abs(with_[1:] / plain[1:])))
        size = float(np.nansum(np.minimum(np.where(np.isnan(moved), 0.0, moved), _CAP).max(axis=0)))
        if module.name not in best or size > best[module.name]:
            best[module.name] = size
            effects[module.name] = (change.label, with_, plain)
    return effects
