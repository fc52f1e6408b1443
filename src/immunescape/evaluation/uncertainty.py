"""How far each number of the model may be off, by its grade, and draws of all of them together.

The width is the standard deviation of the logarithm (of the log odds for shares below 1) of the value that the table
gives, the median where patients differ; it is itself assumed:

- ``assumed``: 0.5, a factor of 1.6 for one standard deviation and 2.7 for two, also where a source gives the direction;
- ``fitted``: 0.2; ``measured``: 0.15, for measurements in other patients, tissues or species than those simulated.

What moves the untreated reference patient is brought back: each draw gets reference strengths of its own, at which all
factors are 1 again in its reference patient; the ``k_growth`` at which that patient's tumour takes as long from the
first cell to diagnosis without any killing as it does with the tables' values; and the ``k_kill`` at which it does with
killing. A draw of the rest then says nothing about how fast tumours grow untreated, which is known; and no draw is lost
because immunity of its reference patient would never let a tumour be diagnosed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from immunescape.errors import ModelError
from immunescape.population.linking import DIAMETER, INDICATORS

if TYPE_CHECKING:
    from immunescape.model.assembly import Model
    from immunescape.model.parameters import Parameter
    from immunescape.model.reference_strengths import Key
    from immunescape.population.fit import PopulationFit
    from immunescape.trial.result import TrialResult

__all__ = ["WIDTHS", "Draw", "anchored", "draw", "failed_patients", "fit_of", "moved", "simulated_draw", "uncertain"]

WIDTHS = {"assumed": 0.5, "fitted": 0.2, "measured": 0.15}
"""Grade -> standard deviation of the logarithm (assumed)."""
GROWTH, ANCHOR = "k_growth", "k_kill"
"""What brings the reference patient's times to diagnosis back, without and with killing."""
_NO_KILLING = 1e-6
FARTHEST = math.log(1000.0)
_SHARES = frozenset(
    """lactate_yield subclonal_prevalence vessel_independent maturity_start crossed_docetaxel kill_log_docetaxel
    VEGF_50_density""".split()
)
"""Shares whose names do not say so. The last two are none, but the draws that the released tables stem from kept them
below 1."""
_SHARE = re.compile(r"share|bioavailability", re.IGNORECASE)
MOST_FAILED = 0.1
"""Share of a draw's virtual patients that may fail to integrate; the figures of the rest would describe a selection."""
PROBE, PROBE_FAILED = 8, 0.5
"""Patients per arm with which a draw is tried first, and the share of failures at which it is given up."""
CLOSE = 0.01
"""Error of the logarithm of the time to diagnosis that counts as none."""


def uncertain(model: Model) -> list[str]:
    """Names of the parameters that a draw moves: all of the tables but the anchors, zeros, and what patients carry."""
    from immunescape.model.drugs._covariates import covariate_parameters

    carried = {*INDICATORS, DIAMETER, GROWTH, ANCHOR, *covariate_parameters(model.parameters)}
    return [n for n, p in model.parameters.items() if p.grade in WIDTHS and p.value != 0.0 and n not in carried]


def is_share(p: Parameter) -> bool:
    """Whether a value is a share that cannot reach 1: by its upper bound or its name."""
    if p.unit != "dimensionless" or not 0.0 < p.value < 1.0:
        return False
    if p.upper is not None:
        return p.upper <= 1.0
    return p.name in _SHARES or p.name.startswith(("f_", "gamma_")) or bool(_SHARE.search(p.name))


def moved(p: Parameter, z: float) -> float:
    """Value of a parameter, in the unit of its table, `z` prior standard deviations away; its bounds hold."""
    width = WIDTHS[p.grade] * z
    if is_share(p):
        value = 1.0 / (1.0 + (1.0 / p.value - 1.0) * math.exp(-width))
    else:
        value = p.value * math.exp(width)
    return min(max(value, -math.inf if p.lower is None else p.lower), math.inf if p.upper is None else p.upper)


@dataclass(frozen=True)
class Draw:
    """One draw.

    Attributes
    ----------
    values : parameter -> value in the unit of its table.
    kill, growth : factors of `ANCHOR` and `GROWTH`. strengths : reference strengths.
    days : of the reference patient from seed to diagnosis.
    """

    values: Mapping[str, float]
    kill: float
    growth: float
    strengths: Mapping[Key, float]
    days: float


def draw(model: Model, seed: int, number: int, *, width: float = 1.0, engine: str = "auto") -> Draw:
    """Draw all uncertain parameters and bring the reference patient back.

    Parameters
    ----------
    model
        The model, with the drugs of a trial.
    seed, number
        Of the draw. A parameter's own random number depends on these and its name alone, so that draws of models with
        other drugs agree in what they share.
    width
        Factor of all widths.
    engine
        Name of the engine.
    """
    values = {}
    for name in uncertain(model):
        key = np.random.SeedSequence([seed, number, *name.encode()])
        values[name] = moved(model.parameters[name], width * float(np.random.default_rng(key).standard_normal()))
    return anchored(model, values, engine=engine)


def anchored(model: Model, values: Mapping[str, float], *, engine: str = "auto") -> Draw:
    """Find the reference strengths and the anchors with which changed values leave the reference patient in place.

    `GROWTH` brings back the time to diagnosis of a reference patient without killing, then `ANCHOR` that with it.

    Raises
    ------
    ModelError
        If no value of an anchor does.
    """
    bare = _bare(model)
    changed = {n: float(bare.parameters[n].to_base(v)) for n, v in values.items() if n in bare.parameters}
    bases = {name: bare.parameters[name].base for name in (GROWTH, ANCHOR)}
    alone = {ANCHOR: _NO_KILLING * bases[ANCHOR]}
    growth = _solved(
        bare,
        lambda x: {**changed, **alone, GROWTH: bases[GROWTH] * math.exp(-x)},
        _days(bare, alone, engine),
        engine,
        1e-3,
    )
    changed[GROWTH] = bases[GROWTH] * math.exp(-growth.at)
    kill = _solved(
        bare,
        lambda x: {**changed, ANCHOR: bases[ANCHOR] * math.exp(x)},
        _days(bare, {}, engine),
        engine,
        1e-6,
        growth.strengths,
    )
    return Draw(dict(values), math.exp(kill.at), math.exp(-growth.at), kill.strengths, kill.days)


@dataclass(frozen=True)
class _Solved:
    at: float
    strengths: dict[Key, float]
    days: float


def _days(bare: Model, changed: Mapping[str, float], engine: str) -> float:
    """Time to diagnosis of the reference patient of the tables, but for what is changed."""
    return _settled(bare, changed, engine, None, 1e-6)[1]


def _settled(
    bare: Model, changed: Mapping[str, float], engine: str, start: Mapping[Key, float] | None, tolerance: float
) -> tuple[dict[Key, float], float]:
    from immunescape.population.reference_baseline import reference_strengths

    strengths, baseline = reference_strengths(bare, engine=engine, start=start, tolerance=tolerance, changed=changed)
    return strengths, baseline.days


def _solved(
    bare: Model,
    changed: Callable[[float], Mapping[str, float]],
    aim: float,
    engine: str,
    tolerance: float,
    first: Mapping[Key, float] | None = None,
) -> _Solved:
    """Find where the time to diagnosis, which grows with x, is that aimed at: steps to a bracket, then Brent's method.

    `first` are strengths to start from, those of a slower or untouched tumour; else the stored ones.
    """
    from scipy.optimize import brentq

    settled: dict[float, tuple[dict[Key, float], float]] = {}
    solved: dict[float, float] = {}

    def off(x: float) -> float:
        """Ln of the time to diagnosis over that aimed at; large where immunity wins. Each x is looked at once."""
        if x not in solved:
            start = settled[min(settled, key=lambda other: abs(other - x))][0] if settled else first
            try:
                settled[x] = _settled(bare, changed(x), engine, start, tolerance)
                solved[x] = math.log(settled[x][1] / aim)
            except ModelError:
                solved[x] = 5.0 + x / FARTHEST
        return solved[x]

    low = high = 0.0
    step = 0.25
    while off(low) > 0.0 and low > -FARTHEST:
        low, step = low - step, 2.0 * step
    step = 0.25
    while off(high) < 0.0 and high < FARTHEST:
        high, step = high + step, 2.0 * step
    if off(low) > 0.0 or off(high) < 0.0:
        raise ModelError(
            "the reference patient's time to diagnosis cannot be restored",
            hint="The draw changes growth or killing too much; try smaller widths.",
        )
    if low < high:
        brentq(off, low, high, xtol=CLOSE / 4.0, rtol=1e-6, maxiter=40)
    best = min(settled, key=lambda x: abs(solved[x]))
    return _Solved(best, *settled[best])


def fit_of(draw: Draw, model: Model, fit: PopulationFit) -> PopulationFit:
    """A population fit that carries a draw: every value as a factor, every reference strength set."""
    from immunescape.model.reference_strengths import reference_id

    parameters = model.parameters
    changes = {n: ("times", v / parameters[n].value) for n, v in draw.values.items() if n in parameters}
    changes |= {ANCHOR: ("times", draw.kill), GROWTH: ("times", draw.growth)}
    changes |= {reference_id(key): ("set", x) for key, x in draw.strengths.items() if reference_id(key) in parameters}
    return fit.with_values(changes)


def simulated_draw(simulate: Callable[[int], TrialResult], patients: int) -> TrialResult | str:
    """Trial of a draw, or why the draw gives no figures.

    A patient that cannot be integrated costs the permitted number of steps, a hundred times those of another; where
    most fail, a trial would take an hour. A few patients are therefore tried first.

    Parameters
    ----------
    simulate
        The trial with a number of patients per arm.
    patients
        That number.
    """
    probe = ((PROBE, PROBE_FAILED),) if patients > PROBE else ()
    for n, permitted in (*probe, (patients, MOST_FAILED)):
        result = simulate(n)
        failed, tried = failed_patients(result)
        if failed > permitted * tried:
            return f"{failed} of {tried} virtual patients could not be integrated"
    return result


def failed_patients(result: TrialResult) -> tuple[int, int]:
    """Virtual patients of all arms that could not be integrated, and those tried (failed or with a course)."""
    failed = len(result.failures)
    return failed, failed + len(result.patients)


def _bare(model: Model) -> Model:
    """The same model without drugs."""
    from immunescape.population.reference_baseline import prepared_model

    return prepared_model((), model.specificity)
