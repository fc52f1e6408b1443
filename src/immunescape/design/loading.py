"""Reading design files: YAML with line numbers, validation, and the frozen :class:`Design` made from it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from immunescape.design.building import Building
from immunescape.design.file_checks import check_file
from immunescape.design.kinds import KINDS, make_rule
from immunescape.design.prognostic import PrognosticScore, fitted_score
from immunescape.design.records import Arm, Design, Dropout, check_looks
from immunescape.design.survival_model import Accrual, PiecewiseExponential
from immunescape.design.truth import SCORE, Endpoint, Generator, Rate, VirtualPool
from immunescape.errors import InputError, unknown_word
from immunescape.library import Library

__all__ = ["design_schema", "design_template", "list_designs", "load_design", "read_design", "resolve"]

Progress = Callable[[int, int], None]
LONGEST_ACCRUAL = 600.0
"""Months of accrual above which a rate is taken to be a mistake."""


DESIGNS = Library("design", "designs", "immunescape.design", "Start one with 'immunescape design --template'.")


def list_designs() -> list[str]:
    """Names of the included designs and of those of plug-ins."""
    return DESIGNS.names()


def design_schema() -> dict[str, Any]:
    """JSON schema of a design file."""
    from immunescape.design.schema import json_schema

    return json_schema()


def design_template() -> str:
    """A commented design file to start from; it loads as it stands."""
    from importlib.resources import files

    return (files("immunescape.design") / "template.yaml.txt").read_text(encoding="utf-8")


def resolve(name_or_path: str | Path) -> tuple[str, str]:
    """File name and content of a design, by name or path; see :meth:`immunescape.library.Library.read`."""
    return DESIGNS.read(name_or_path)


def load_design(name_or_path: str | Path, *, workers: int | None = None, progress: Progress | None = None) -> Design:
    """Load a design by name or path; simulates its virtual population if it needs one that is not stored yet."""
    file, text = resolve(name_or_path)
    return read_design(file, text, workers=workers, progress=progress)


def read_design(file: str, text: str, *, workers: int | None = None, progress: Progress | None = None) -> Design:
    """Read a design from YAML text.

    Raises
    ------
    InputError
        Naming file, line and field, and the reason for an inconsistency.
    """
    from pydantic import ValidationError

    from immunescape.design.schema import design_file
    from immunescape.trial.yaml_source import Source, join, validation_problem

    source = Source(file, text, template="immunescape design --template")
    try:
        block = design_file().model_validate(source.data)
    except ValidationError as error:
        problems = [validation_problem(source, detail) for detail in error.errors(include_url=False)]
        raise join(problems, file) from None
    builder = _Builder(source, block, workers, progress)
    block.built_by(builder)
    return builder.design()


class _Builder(Building):
    """Makes the design of one file."""

    def __init__(self, source: Any, block: Any, workers: int | None, progress: Progress | None) -> None:
        super().__init__(source, block)
        self.workers, self.progress = workers, progress

    def design(self) -> Design:
        b = self.block
        kind = KINDS.get(b.kind)
        check_file(self.source, b)
        if kind.needs and not getattr(b, kind.needs):
            self.refuse(f"a '{b.kind}' design needs the field '{kind.needs}'")
        endpoints = tuple(
            self.at(
                partial(
                    Endpoint,
                    n,
                    kind=e.kind,
                    visits_every=e.visits_every,
                    lag=e.lag,
                    months=e.months,
                    competing=e.competing or "",
                    precluded=e.precluded,
                ),
                "endpoints",
                n,
            )
            for n, e in b.endpoints.items()
        )
        for n, e in b.endpoints.items():
            if e.competing is not None and e.competing not in b.endpoints:
                raise unknown_word(
                    "endpoint", e.competing, b.endpoints, where=self.source.where(("endpoints", n, "competing"))
                )
        arms = tuple(self.at(partial(Arm, a.name, a.role, a.allocation), "arms", k) for k, a in enumerate(b.arms))
        rule, looks, patients = make_rule(self.source, b, endpoints)
        if b.looks:
            self.at(lambda: check_looks(looks, endpoints, patients), "looks")
        accrual = self.at(lambda: self.accrual(patients), "accrual")
        truths: dict[str, Any] = {
            s.name: self.at(partial(self.truth, s, k, endpoints, arms), "scenarios", k)
            for k, s in enumerate(b.scenarios)
        }
        dropout = (
            Dropout() if b.dropout is None else self.at(lambda: Dropout(b.dropout.share, b.dropout.months), "dropout")
        )
        return self.at(
            lambda: Design(
                name=b.name,
                arms=arms,
                endpoints=endpoints,
                patients=patients,
                accrual=accrual,
                looks=looks,
                truths=truths,
                rule=rule,
                alpha=b.alpha,
                dropout=dropout,
                stratified_randomisation=b.stratified_randomisation,
                title=b.title,
                description=b.description.strip(),
                references=tuple(b.references),
                assumptions=tuple(b.assumptions),
                text=self.source.text,
                file=self.source.file,
            ),
            kind.shown_at,
        )

    def accrual(self, patients: int) -> Accrual:
        rates, starts = self.block.accrual.rates, self.block.accrual.starts
        if len(rates) != len(starts) or starts[0] != 0 or np.any(np.diff(starts) <= 0):
            raise InputError("each accrual rate starts at its own month: the first at 0, then increasing")
        if len(rates) == 1:
            accrual = Accrual((rates[0],), (patients / rates[0],))
        else:
            accrual = Accrual.ramp(rates, starts, patients)
        months = float(np.sum(accrual.durations))
        if months > LONGEST_ACCRUAL:
            raise InputError(
                f"{patients} patients take {months:,.0f} months to enrol at these rates",
                hint="Rates are patients per month.",
            )
        return accrual

    def truth(
        self, block: Any, k: int, endpoints: tuple[Endpoint, ...], arms: tuple[Arm, ...]
    ) -> VirtualPool | Generator:
        if (block.pool is None) == (not block.truth):
            raise InputError("a scenario needs either 'truth' or 'pool', but not both")
        score = block.prognostic_score
        if score is not None:
            kinds = {e.name: e.kind for e in endpoints}
            if kinds.get(score.endpoint) != "survival":
                raise unknown_word(
                    "survival endpoint", score.endpoint, [n for n, v in kinds.items() if v == "survival"]
                )
            if bool(score.covariates) != (block.pool is not None) or (score.correlation is None) != bool(block.pool):
                raise InputError("a prognostic score takes covariates with a pool and a correlation with a truth")
        if block.pool:
            return self.pool(block.pool, endpoints, arms, score)
        return self.generator(block, k, endpoints, arms)

    def pool(
        self, block: Any, endpoints: tuple[Endpoint, ...], arms: tuple[Arm, ...], score: Any = None
    ) -> VirtualPool:
        from immunescape.design.pools import pool_table

        strata = {}
        for s in self.block.strata:
            if s.covariate is None or s.range is None:
                raise InputError(f"stratum '{s.name}' of a virtual population needs a covariate and its range")
            strata[s.name] = (s.covariate, *s.range)
        if block.table is not None:
            import pandas as pd

            path = Path(self.source.file).parent / block.table
            try:
                table, origin = pd.read_parquet(path), f"table {block.table}"
            except (OSError, ValueError) as error:
                raise InputError(f"the table of virtual patients cannot be read: {error}") from error
            counts: Any = table["arm"].value_counts() if "arm" in table else {}
            sizes = {arm.name: int(counts[arm.name]) for arm in arms if arm.name in counts}
            smallest = min(sizes, key=lambda name: sizes[name], default="")
            if smallest and sizes[smallest] != block.patients:
                raise InputError(
                    f"the table has {sizes[smallest]} virtual patients in arm '{smallest}', the file says "
                    f"{block.patients} per arm",
                    hint="Give the number in the table: patients are drawn from all of them.",
                )
        else:
            table, origin = pool_table(
                block.trial, block.patients, block.seed, workers=self.workers, progress=self.progress
            )
        if score is not None:
            control = next((a.name for a in arms if a.role == "control"), "")
            values = fitted_score(table, control, score.endpoint, score.covariates)
            table = table.assign(**{SCORE: values})
        return VirtualPool.from_table(table, [a.name for a in arms], endpoints, strata=strata or None, source=origin)

    def generator(self, block: Any, k: int, endpoints: tuple[Endpoint, ...], arms: tuple[Arm, ...]) -> Generator:
        strata = tuple(s.name for s in self.block.strata) or ("all",)
        shares = tuple(s.share for s in self.block.strata) or (1.0,)
        if any(s is None for s in shares):
            raise InputError("every stratum needs its share of the patients")
        control = next((a.name for a in arms if a.role == "control"), None)
        by_name = {e.name: e for e in endpoints}
        names = [a.name for a in arms]
        for j, entry in enumerate(block.truth):
            where = self.source.where(("scenarios", k, "truth", j))
            if entry.endpoint not in by_name:
                raise unknown_word("endpoint", entry.endpoint, by_name, where=where)
            if entry.arm is not None and entry.arm not in names:
                raise unknown_word("arm", entry.arm, names, where=where)
            if entry.stratum is not None and entry.stratum not in strata:
                raise unknown_word("stratum", entry.stratum, strata, where=where)
        parts: dict[tuple[str, str, str], PiecewiseExponential | Rate] = {}
        order = [control, *[n for n in names if n != control]] if control else names
        for arm in order:
            for stratum in strata:
                for endpoint in by_name:
                    matching = [
                        (j, e)
                        for j, e in enumerate(block.truth)
                        if e.endpoint == endpoint and e.arm in (None, arm) and e.stratum in (None, stratum)
                    ]
                    if not matching:
                        continue
                    j, entry = max(matching, key=lambda f: (f[1].arm is not None, f[1].stratum is not None, f[0]))
                    others = [v for v in (entry.median, entry.hazards, entry.hazard_ratio) if v is not None]
                    wrong = entry.rate is not None if by_name[endpoint].kind == "survival" else bool(others)
                    if wrong and len(others) + (entry.rate is not None) == 1:
                        gives = "median, hazards or hazard_ratio" if entry.rate is None else "rate"
                        raise InputError(
                            f"'{endpoint}' is a {by_name[endpoint].kind} endpoint, and its truth gives {gives}",
                            where=self.source.where(("scenarios", k, "truth", j)),
                            hint="A response has a rate; survival has a median, hazards or a hazard_ratio.",
                        )
                    base = parts.get((control, stratum, endpoint)) if control and arm != control else None
                    parts[arm, stratum, endpoint] = self.at(
                        partial(_outcome_model, entry, base), "scenarios", k, "truth", j
                    )
        p = block.prognostic_score
        score = None if p is None else PrognosticScore(p.endpoint, p.correlation)
        generator = Generator(tuple(names), strata, shares, parts, block.correlation, score)
        for arm in names:
            for stratum in strata:
                for endpoint in by_name:
                    generator.outcome_model(arm, stratum, endpoint)
        return generator


def _outcome_model(entry: Any, control: PiecewiseExponential | Rate | None) -> PiecewiseExponential | Rate:
    given = [n for n in ("median", "hazards", "hazard_ratio", "rate") if getattr(entry, n) is not None]
    if len(given) != 1:
        raise InputError(f"exactly one of median, hazards, hazard_ratio and rate is needed, not {given or 'none'}")
    if entry.rate is not None:
        return Rate(entry.rate)
    if entry.median is not None:
        return PiecewiseExponential.from_median(entry.median, entry.cured)
    if entry.hazards is not None:
        return PiecewiseExponential(tuple(entry.hazards), tuple(entry.changes), entry.cured)
    if not isinstance(control, PiecewiseExponential):
        raise InputError("a hazard ratio needs a control arm with survival of its own")
    changed = control.with_effect(entry.hazard_ratio, entry.delay)
    return PiecewiseExponential(changed.hazards, changed.changes, entry.cured or control.cured)
