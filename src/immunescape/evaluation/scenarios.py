"""Many scenarios over the same virtual patients, as few engine jobs as possible.

A scenario is what is changed from day 0 on, on top of a patient at diagnosis. Patients are drawn and grown once; every
scenario starts from the same states and parameters (common random numbers). Scenarios whose drugs fit into one model
share its compilation and are integrated as extra patients of one job.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import EngineError, InputError, unknown_word
from immunescape.knowledge.claim_records import Setting
from immunescape.model.specificity import DEFAULT

if TYPE_CHECKING:
    from immunescape.engine.api import Compiled, Doses, Engine
    from immunescape.model.assembly import Model
    from immunescape.population.population import Population
    from immunescape.population.rewiring import Rewiring

__all__ = ["Scenario", "Simulated", "drug_groups", "quick_engine", "scenario", "simulate"]

FloatArray = NDArray[np.float64]
Progress = Callable[[int, int], None]
Library = dict[tuple[str, ...], tuple["Model", "Compiled"]]
DRUGS_PER_MODEL = 10
_PER_JOB = 1500
_RTOL = 1e-5
_MAX_STEPS = 20_000  # ten times what a year takes; a patient that needs more counts as failed


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What is changed in every patient: parameters, switches, clones, doses. Hashable, so that equal ones run once.

    Attributes
    ----------
    factors, values : (parameter, factor) and (parameter, value in the unit of its table).
    off : mechanisms or drugs switched off.
    clones : (clone, share of the living cancer cells at day 0).
    regimens : regimens that are given together.
    treat_from : day of the first dose.
    links : (source, parameter, weight) of biomarkers that are made to go with a parameter: `weight` SDs of
        ln(parameter) for each SD of the rank score of the source, a parameter or ``covariate:NAME``.
    """

    factors: tuple[tuple[str, float], ...] = ()
    values: tuple[tuple[str, float], ...] = ()
    off: tuple[str, ...] = ()
    clones: tuple[tuple[str, float], ...] = ()
    regimens: tuple[str, ...] = ()
    treat_from: float = 0.0
    links: tuple[tuple[str, str, float], ...] = ()

    def without(self, mechanisms: Iterable[str]) -> Scenario:
        """Return it with more mechanisms switched off."""
        return replace(self, off=tuple(sorted({*self.off, *mechanisms})))

    def inverse_factors(self, names: Iterable[str]) -> Scenario:
        """Return it with the factors of some parameters turned into their inverse."""
        turned = set(names)
        return replace(self, factors=tuple((n, 1.0 / f if n in turned else f) for n, f in self.factors))


def scenario(settings: Sequence[Setting], treat_from: float = 0.0) -> Scenario:
    """Put settings on top of each other; later ones win, factors of one parameter multiply, regimens add up."""
    factors: dict[str, float] = {}
    values: dict[str, float] = {}
    clones: dict[str, float] = {}
    off: set[str] = set()
    regimens: list[str] = []
    for setting in settings:
        for name in setting.set:
            factor = setting.factor(name)
            if factor is None:
                values[name] = float(setting.set[name])
            else:
                factors[name] = factors.get(name, 1.0) * factor
        clones.update(setting.clones)
        off.update(setting.off)
        regimens += setting.give
    return Scenario(
        factors=tuple(sorted(factors.items())),
        values=tuple(sorted(values.items())),
        off=tuple(sorted(off)),
        clones=tuple(sorted(clones.items())),
        regimens=tuple(regimens),
        treat_from=treat_from if regimens else 0.0,
    )


@dataclass
class Simulated:
    """What was simulated.

    Attributes
    ----------
    days : (t,) output days.
    values : scenario -> output -> (n, t) in declared units; NaN where a patient failed.
    failures : scenario -> number of patients that failed.
    """

    days: FloatArray
    values: dict[Scenario, dict[str, FloatArray]] = field(default_factory=dict)
    failures: dict[Scenario, int] = field(default_factory=dict)

    def at(self, scenario_: Scenario, name: str, day: float) -> FloatArray:
        """Values (n,) of an output on a day."""
        index = int(np.argmin(np.abs(self.days - day)))
        if abs(self.days[index] - day) > 1e-6:
            raise InputError(f"day {day:g} was not output")
        return self.values[scenario_][name][:, index]

    def between(self, scenario_: Scenario, name: str, first: float, last: float) -> FloatArray:
        """Values (n, k) of an output from one day to another."""
        chosen = (self.days >= first - 1e-6) & (self.days <= last + 1e-6)
        return self.values[scenario_][name][:, chosen]


Simulations = tuple[dict[Scenario, dict[str, FloatArray]], dict[Scenario, int]]
"""Values and failures of some of the scenarios, as in `Simulated`."""


def drug_groups(
    by_scenario: Mapping[Scenario, tuple[str, ...]], most: int = DRUGS_PER_MODEL, least: int = 1
) -> list[tuple[str, ...]]:
    """Divide drugs into models of at most `most` drugs, such that each scenario finds its drugs in one of them.

    Combinations that occur most often go first; a combination joins the group to which it adds the fewest drugs. With
    `least` 0 nothing wanted is no model; else one without drugs.
    """
    combinations: dict[frozenset[str], int] = {}
    for drugs in by_scenario.values():
        if drugs:
            combinations[frozenset(drugs)] = combinations.get(frozenset(drugs), 0) + 1
    order = sorted(combinations, key=lambda c: (-len(c), -combinations[c], sorted(c)))
    groups: list[set[str]] = []
    for combination in order:
        fitting = [g for g in groups if len(g | combination) <= most]
        if fitting:
            best = min(fitting, key=lambda g: len(combination - g))
            best |= combination
        else:
            groups.append(set(combination))
    if not groups:
        return [()] if least or by_scenario else []
    return [tuple(sorted(g)) for g in groups]


def quick_engine(name: str, threads: int | None = None) -> Engine:
    """Return an engine that shares a batch between `threads` (None: all) cores; a patient that fails is not rescued."""
    from immunescape.engine import get_engine
    from immunescape.engine.native.engine import NativeEngine

    made = get_engine(name)
    if isinstance(made, NativeEngine):
        made.threads, made.rescue = threads or os.cpu_count() or 1, False
    return made


def _compile(models: Sequence[Model], engine: str, threads: int | None) -> list[Compiled]:
    from concurrent.futures import ThreadPoolExecutor

    if not models:
        return []

    def compile_model(model: Model) -> Any:
        return quick_engine(engine, threads).compile(model.to_sbml())

    with ThreadPoolExecutor(min(len(models), threads or os.cpu_count() or 1)) as pool:
        return list(pool.map(compile_model, models))


def simulate(
    population: Population,
    scenarios: Mapping[Scenario, float],
    outputs: Mapping[Scenario, Iterable[str]],
    days: Iterable[float],
    *,
    engine: str = "auto",
    rtol: float = _RTOL,
    progress: Progress | None = None,
    library: Library | None = None,
    cluster: Any = None,
    rewirings: tuple[Rewiring, ...] = (),
    threads: int | None = None,
) -> Simulated:
    """Simulate scenarios over a population.

    Parameters
    ----------
    population
        Patients at diagnosis.
    scenarios
        Scenario -> last day that is wanted of it.
    outputs
        Scenario -> states and quantities to put out.
    days
        Output days of all.
    engine, rtol
        Engine by name and its relative tolerance.
    progress
        Called with (patients done, patients in all).
    library
        Compiled models by their drugs, for further calls: those that it has are used, new ones are added.
    cluster
        A ``distributed.Client`` or the address of a dask scheduler, whose workers then simulate; None simulates here.
    rewirings
        What the models are given gates for; a `library` serves one set of them.
    threads
        Cores to use here; None takes all. Results do not depend on it.

    Raises
    ------
    InputError
        For an unknown parameter, mechanism, clone or output.
    """
    from immunescape.trial.grammar import parse_regimen

    regimens = {text: parse_regimen(text) for s in scenarios for text in s.regimens}
    drugs = {s: tuple(dict.fromkeys(d for text in s.regimens for d in regimens[text].drugs)) for s in scenarios}
    library = {} if library is None else library
    here = cluster is None
    models = _models(drugs, library, population, engine=engine, rewirings=rewirings, here=here, threads=threads)
    grid = np.array(sorted({0.0, *(float(d) for d in days)}))
    if len(grid) == 1:
        grid = np.array([0.0, 1e-3])
    simulated = Simulated(grid)
    keep = _keeper(simulated, len(population), len(scenarios), progress)
    doses = _DoseTables(population, scenarios, regimens)
    team = None
    if cluster is not None:
        from immunescape.parallel import open_team

        team = open_team(1, cluster)
    try:
        for group, first, shared in _jobs(scenarios, drugs, tuple(models), len(population)):
            names = sorted({name for s in shared for name in outputs[s]})
            until = np.repeat([max(scenarios[s], float(grid[1])) for s in shared], len(population))
            course = _Course(shared, tuple(names), until, grid, rtol)
            if team is None:
                keep(shared, _run(population, models[group], library[group][1], course, doses.of(shared)))
                continue
            people = replace(population, model=None)
            label = f"scenarios {first + 1} to {first + len(shared)} with {', '.join(group) or 'no drug'}"
            how = (group, engine, rewirings, _specificity(population))
            team.submit(shared, label, _run_there, how, people, course, doses.of(shared))
        while team is not None and team.under_way:
            team.take(keep)
    finally:
        if team is not None:
            team.close()
    return simulated


def _keeper(
    simulated: Simulated, patients: int, scenarios: int, progress: Progress | None
) -> Callable[[Any, Simulations], None]:
    """Return what keeps the result of some of the scenarios, and reports progress."""

    def keep(_: Any, result: Simulations) -> None:
        simulated.values.update(result[0])
        simulated.failures.update(result[1])
        if progress is not None:
            progress(len(simulated.values) * patients, scenarios * patients)

    return keep


def _specificity(population: Population) -> str:
    return DEFAULT if population.model is None else population.model.specificity


def _models(
    drugs: Mapping[Scenario, tuple[str, ...]],
    library: Library,
    population: Population,
    *,
    engine: str,
    rewirings: tuple[Rewiring, ...],
    here: bool,
    threads: int | None,
) -> dict[tuple[str, ...], Model]:
    """Group of drugs -> model, as few as serve all scenarios; if they run `here`, `library` gets the new compiled."""
    groups = [g for g in library if any(set(d) <= set(g) for d in drugs.values())]
    groups += drug_groups({s: d for s, d in drugs.items() if not any(set(d) <= set(g) for g in groups)}, least=0)
    new = {g: _model(g, rewirings, _specificity(population)) for g in groups if g not in library}
    if here:
        compiled = _compile(list(new.values()), engine, threads)
        library |= {g: pair for g, pair in zip(new, zip(new.values(), compiled, strict=True), strict=True)}
    return {g: library[g][0] if g in library else new[g] for g in groups}


def _jobs(
    scenarios: Mapping[Scenario, float],
    drugs: Mapping[Scenario, tuple[str, ...]],
    groups: tuple[tuple[str, ...], ...],
    patients: int,
) -> Iterator[tuple[tuple[str, ...], int, tuple[Scenario, ...]]]:
    """Scenarios that one job integrates: the group of drugs, the number of the first, and those of similar length."""
    size = max(1, _PER_JOB // max(1, patients))
    for group in groups:
        served = [s for s in scenarios if next(g for g in groups if set(drugs[s]) <= set(g)) == group]
        served.sort(key=lambda s: scenarios[s])  # a job runs as long as its longest scenario
        for start in range(0, len(served), size):
            yield group, start, tuple(served[start : start + size])


@dataclass(frozen=True)
class _DoseTables:
    """Doses of all patients by regimens and the day on which they start, each made at its first use."""

    population: Population
    scenarios: Mapping[Scenario, float]
    regimens: Mapping[str, Any]
    made: dict[tuple[Any, float], list[Doses]] = field(default_factory=dict)

    def of(self, shared: Sequence[Scenario]) -> dict[tuple[Any, float], list[Doses]]:
        """Return the tables of the scenarios that have regimens."""
        tables = {}
        for s in shared:
            key = (s.regimens, s.treat_from)
            if s.regimens:
                if key not in self.made:
                    last = max(
                        end for other, end in self.scenarios.items() if (other.regimens, other.treat_from) == key
                    )
                    given = [self.regimens[text] for text in s.regimens]
                    self.made[key] = _doses(self.population, given, s.treat_from, last)
                tables[key] = self.made[key]
        return tables


def _model(drugs: tuple[str, ...], rewirings: tuple[Rewiring, ...], specificity: str) -> Model:
    from immunescape.model.assembly import Model
    from immunescape.population.reference_baseline import with_reference_strengths

    model = with_reference_strengths(Model.build(drugs=list(drugs), check_units=False, specificity=specificity))
    if not rewirings:
        return model
    from immunescape.population.rewiring import rewire

    return rewire(model, rewirings, _reference_values)


@lru_cache(maxsize=1)
def _reference_values() -> Mapping[str, float]:
    """States and quantities of the untreated reference patient at diagnosis, in base units."""
    from immunescape.population.reference_baseline import reference_baseline

    baseline = reference_baseline()
    return {**baseline.states, **baseline.quantities}


@lru_cache(maxsize=4)
def _compiled_there(
    drugs: tuple[str, ...], engine: str, rewirings: tuple[Rewiring, ...], specificity: str
) -> tuple[Model, Compiled]:
    model = _model(drugs, rewirings, specificity)
    return model, quick_engine(engine, threads=1).compile(model.to_sbml())


def _run_there(
    built: tuple[tuple[str, ...], str, tuple[Rewiring, ...], str],
    population: Population,
    course: _Course,
    doses: Mapping[Any, Sequence[Doses]],
) -> Any:
    """Run a course on a worker of a cluster, which builds and compiles the model at its first."""
    return _run(population, *_compiled_there(*built), course, doses)


def _doses(population: Population, regimens: Sequence[Any], start: float, last: float) -> list[Doses]:
    from immunescape.engine.api import Doses
    from immunescape.trial.dosing import BodySize, administered, to_doses

    tables = []
    for _, row in population.covariates.iterrows():
        size = BodySize.of({str(k): v for k, v in row.to_dict().items()})
        parts = [
            to_doses(administered(r, size, until_days=max(last - start, 1e-3)), start_days=start) for r in regimens
        ]
        tables.append(
            Doses(
                np.concatenate([p.time for p in parts]),
                tuple(t for p in parts for t in p.target),
                np.concatenate([p.amount for p in parts]),
                np.concatenate([p.duration for p in parts]),
            )
        )
    return tables


@dataclass(frozen=True)
class _Course:
    """What is integrated together: scenarios, outputs, the end of each patient's course, output times."""

    scenarios: tuple[Scenario, ...]
    names: tuple[str, ...]
    until: FloatArray
    grid: FloatArray
    rtol: float


def _run(
    population: Population,
    model: Model,
    compiled: Compiled,
    course: _Course,
    doses: Mapping[Any, Sequence[Doses]],
) -> Simulations:
    """Simulate a course."""
    from immunescape.engine.api import FAILED, Doses, Job

    n, scenarios, names, grid = len(population), course.scenarios, course.names, course.grid
    for name in names:
        model.scale(name)  # refuses an unknown one
    base, initial = _base(population, model)
    parameters = {k: np.tile(v, len(scenarios)) for k, v in base.items() if k in compiled.parameters}
    states = {k: np.tile(v, len(scenarios)) for k, v in initial.items()}
    tables: list[Doses] = []
    for k, case in enumerate(scenarios):
        rows = slice(k * n, (k + 1) * n)
        changed = changed_parameters(model, base, case, n)
        for source, name, weight in case.links:
            factor = linked_factor(population, base, source, name, weight)
            changed[name] = changed.get(name, base[name]) * factor
        for name, value in changed.items():
            if name not in parameters:
                parameters[name] = np.full(n * len(scenarios), model.parameters[name].base)
            parameters[name][rows] = value
        cells_before = {c: v[rows] for c, v in states.items() if c.startswith("C_")}
        for name, cells in clone_cells(model, cells_before, case).items():
            states[name][rows] = cells
        tables += list(doses[case.regimens, case.treat_from]) if case.regimens else [Doses.none()] * n
    job = Job(
        n=n * len(scenarios),
        times=grid[grid <= course.until.max() + 1e-9],
        outputs=names,
        parameters=parameters,
        initial=states,
        doses=tables,
        until=course.until,
        rtol=course.rtol,
        atol=model.atol(),
        max_steps=_MAX_STEPS,
    )
    result = compiled.run(job)
    scale = {name: model.scale(name) for name in names}
    all_values: dict[Scenario, dict[str, FloatArray]] = {}
    failures: dict[Scenario, int] = {}
    for k, case in enumerate(scenarios):
        rows = slice(k * n, (k + 1) * n)
        failed = result.status[rows] == FAILED
        values: dict[str, FloatArray] = {}
        for j, name in enumerate(names):
            full = np.full((n, len(grid)), np.nan)
            full[:, : len(job.times)] = result.values[rows, :, j] * scale[name]
            full[failed] = np.nan
            values[name] = full
        all_values[case] = values
        failures[case] = int(failed.sum())
        if failed.all():
            raise EngineError(f"no patient could be simulated: {next(iter(result.messages.values()), 'failed')}")
    return all_values, failures


def _base(population: Population, model: Model) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    """Parameters and states of the patients, body size of dosed drugs included."""
    from immunescape.model.drugs._covariates import covariate_parameters

    parameters = population.parameters(model)
    for name, column in covariate_parameters(model.parameters).items():
        parameters[name] = np.asarray(model.to_base(name, population.table[column].to_numpy(dtype=float)))
    return parameters, population.initial(model)


def changed_parameters(model: Model, base: Mapping[str, FloatArray], case: Scenario, n: int) -> dict[str, FloatArray]:
    """Return the parameters that a scenario changes: name -> (n,) values in base units."""
    from immunescape.model.draft import switch_id

    out: dict[str, FloatArray] = {}
    for name, value in case.values:
        if name not in model.parameters:
            raise unknown_word("parameter", name, model.parameters)
        out[name] = np.full(n, float(model.to_base(name, value)))
    for name, factor in case.factors:
        if name not in model.parameters:
            raise unknown_word("parameter", name, model.parameters)
        current = out.get(name, base.get(name, np.full(n, model.parameters[name].base)))
        out[name] = current * factor
    for name in case.off:
        if switch_id(name) in model.parameters:
            out[switch_id(name)] = np.zeros(n)
    return out


def linked_factor(
    population: Population, base: Mapping[str, FloatArray], source: str, parameter: str, weight: float
) -> FloatArray:
    """Factor (n,) of a parameter that is made to go with a biomarker.

    Parameters
    ----------
    population, base
        The patients, and their parameters in base units.
    source
        A parameter in which they differ, or ``covariate:NAME``.
    parameter, weight
        SDs of ln(parameter) that one SD of the source's normal score (of its rank, ties at their mean) moves it.

    Raises
    ------
    InputError
        Where patients do not differ in the parameter or have no such biomarker.
    """
    from scipy.stats import norm, rankdata

    kind, _, name = source.rpartition(":")
    if kind == "covariate":
        if name not in population.table:
            raise unknown_word("covariate", name, list(population.covariates.columns))
        values = population.table[name].to_numpy(dtype=float)
    elif source in base:
        values = base[source]
    else:
        raise unknown_word("parameter in which patients differ", source, base)
    if parameter not in base:
        raise unknown_word("parameter in which patients differ", parameter, base)
    score = norm.ppf((rankdata(values, nan_policy="omit") - 0.5) / max(np.isfinite(values).sum(), 1))
    spread = float(np.std(np.log(base[parameter])))
    result: FloatArray = np.exp(weight * spread * np.nan_to_num(score))
    return result


def _clones_without_mechanism(model: Model, case: Scenario) -> list[str]:
    """Return the clones of mechanisms that a scenario switches off: they do not exist in it."""
    return [c.name for c in model.clones if c.fraction and model.quantities[f"fraction_{c.name}"].owner in case.off]


def clone_cells(model: Model, states: Mapping[str, FloatArray], case: Scenario) -> dict[str, FloatArray]:
    """Return the cells of every clone: shares as the scenario has them; the others keep their proportions.

    Nothing where the scenario leaves the clones alone.
    """
    registered = {c.name for c in model.clones}
    shares = dict(case.clones)
    for name, _ in case.clones:
        if name not in registered:
            raise unknown_word("clone", name, registered)
    shares |= dict.fromkeys(_clones_without_mechanism(model, case), 0.0)
    if not shares:
        return {}
    total = np.sum([states[f"C_{c}"] for c in registered], axis=0)
    others = [c for c in registered if c not in shares]
    rest = np.sum([states[f"C_{c}"] for c in others], axis=0) if others else np.zeros_like(total)
    left = 1.0 - sum(shares.values())
    out = {f"C_{c}": share * total for c, share in shares.items()}
    for c in others:
        out[f"C_{c}"] = states[f"C_{c}"] * np.where(rest > 0, left * total / np.where(rest > 0, rest, 1.0), 0.0)
    return out
