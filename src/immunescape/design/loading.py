"""Reading design files: YAML with line numbers, validation, and the frozen :class:`Design` made from it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from immunescape import plugins
from immunescape.design.bayes import Bayesian
from immunescape.design.cohort import Milestone
from immunescape.design.dose_finding import Boin, bop2
from immunescape.design.enrichment import Enrichment, Population
from immunescape.design.file_checks import check_file
from immunescape.design.group_sequential import BetaSpending, EarlyFutility, GroupSequential, Hypothesis, Spending
from immunescape.design.kinds import made_rule, plugin_kinds
from immunescape.design.multiarm import MultiArm
from immunescape.design.platform import Entry, Platform
from immunescape.design.prognostic import PrognosticScore, fitted_score
from immunescape.design.records import Arm, Design, Dropout, Rule, check_looks
from immunescape.design.single_arm import DoseFinding, Monitored, TwoStage
from immunescape.design.ssr import BlindedReestimation, Reestimation
from immunescape.design.statistics import Statistic
from immunescape.design.survival_model import Accrual, PiecewiseExponential
from immunescape.design.truth import SCORE, Endpoint, Generator, Pool, Rate
from immunescape.design.two_stage import simon
from immunescape.errors import InputError, unknown_word

__all__ = ["design_schema", "design_template", "list_designs", "load_design", "read_design", "resolve"]

Progress = Callable[[int, int], None]
LONGEST_ACCRUAL = 600.0
"""Months of accrual beyond which a rate is taken for a slip."""


def list_designs() -> list[str]:
    """Names of the designs that ship and of those that plug-ins bring."""
    shipped = _shipped()
    return sorted([*shipped, *plugins.library("designs", shipped)])


def _shipped() -> list[str]:
    from importlib.resources import files

    folder = files("immunescape.design") / "library"
    return sorted(p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml"))


def design_schema() -> dict[str, Any]:
    """JSON schema of a design file."""
    from immunescape.design.schema import json_schema

    return json_schema()


def design_template() -> str:
    """A commented design file to start from; it loads as it stands."""
    from importlib.resources import files

    return (files("immunescape.design") / "template.yaml.txt").read_text(encoding="utf-8")


def resolve(name_or_path: str | Path) -> tuple[str, str]:
    """File name and content of a design of the package or a plug-in (by name) or of a user's file (by path)."""
    from importlib.resources import files

    name, path = str(name_or_path), Path(name_or_path)
    shipped = {d.casefold(): d for d in _shipped()}
    path = {d.casefold(): file for d, file in plugins.library("designs", shipped).items()}.get(name.casefold(), path)
    if name.casefold() in shipped:
        entry = files("immunescape.design") / "library" / f"{shipped[name.casefold()]}.yaml"
        return entry.name, entry.read_text(encoding="utf-8")
    if path.is_file():
        try:
            return str(path), path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                "cannot be read: this is not UTF-8 text", where=str(path), hint="Save it as plain text in UTF-8."
            ) from error
        except OSError as error:
            raise InputError(f"cannot be read: {error}", where=str(path)) from error
    if path.exists() and (path.suffix or len(path.parts) > 1):
        kind = "a folder" if path.is_dir() else "no ordinary file"
        raise InputError(f"this is {kind}, not a YAML file", where=name, hint="Name the file itself.")
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        raise InputError("no such file", where=name, hint=f"Designs that ship: {', '.join(list_designs())}.")
    raise unknown_word("design", name, list_designs())


def load_design(name_or_path: str | Path, *, workers: int | None = None, progress: Progress | None = None) -> Design:
    """Load a design by name or path; simulates its virtual population where it needs one that is not kept yet."""
    file, text = resolve(name_or_path)
    return read_design(file, text, workers=workers, progress=progress)


def read_design(file: str, text: str, *, workers: int | None = None, progress: Progress | None = None) -> Design:
    """Read a design from YAML text.

    Raises
    ------
    InputError
        Naming file, line and field, and the reason where things do not go together.
    """
    from pydantic import ValidationError

    from immunescape.design.schema import DesignFile
    from immunescape.trial.loading import Source, _problem, join

    source = Source(file, text, template="immunescape design --template")
    try:
        block = DesignFile.model_validate(source.data)
    except ValidationError as error:
        problems = [_problem(source, detail) for detail in error.errors(include_url=False)]
        raise join(problems, file) from None
    return _Builder(source, block, workers, progress).design()


class _Builder:
    """Makes the records of one file; every complaint names the file and the line of the field."""

    def __init__(self, source: Any, block: Any, workers: int | None, progress: Progress | None) -> None:
        self.source, self.block = source, block
        self.workers, self.progress = workers, progress

    def at(self, make: Callable[[], Any], *path: str | int) -> Any:
        """Call `make`, adding where to any complaint."""
        try:
            return make()
        except InputError as error:
            if error.where:
                raise
            field = getattr(error, "field", ()) or path
            raise InputError(error.message, where=self.source.where(field), hint=error.hint) from error

    def design(self) -> Design:
        b = self.block
        if b.kind != "enrichment" and b.enrichment is not None:
            raise InputError(
                f"a '{b.kind}' test cannot choose its population from its own data: that is enrichment, and without "
                "combination tests and closed testing its type-I error is not held",
                where=self.source.where(("enrichment",)), hint="Use kind: enrichment, or test one population.",
            )  # fmt: skip
        check_file(self.source, b)
        needed = {
            "group-sequential": "hypotheses", "enrichment": "enrichment", "bayesian": "bayesian",
            "two-stage": "two_stage", "bop2": "bop2", "dose-finding": "dose_finding",
        }  # fmt: skip
        name = needed.get(b.kind)
        if name is not None and not getattr(b, name):
            raise InputError(f"a '{b.kind}' design needs the field '{name}'", where=self.source.where(()))
        endpoints = tuple(
            self.at(
                partial(Endpoint, n, e.kind, e.visits_every, e.lag, e.months, e.competing or "", e.precluded),
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
        rule, looks, patients = self.rule(endpoints)
        if b.looks:
            self.at(lambda: check_looks(looks, endpoints, patients), "looks")
        accrual = self.at(lambda: self.accrual(patients), "accrual")
        truths = {
            s.name: self.at(partial(self.truth, s, k, endpoints, arms), "scenarios", k)
            for k, s in enumerate(b.scenarios)
        }
        dropout = (
            Dropout() if b.dropout is None else self.at(lambda: Dropout(b.dropout.share, b.dropout.months), "dropout")
        )
        return self.at(
            lambda: Design(
                b.name, arms, endpoints, patients, accrual, looks, truths, rule, b.alpha, dropout,
                b.stratified_randomisation, b.title, b.description.strip(), tuple(b.references), tuple(b.assumptions),
                self.source.text, self.source.file,
            ),
            *self._blame(),
        )  # fmt: skip

    def _blame(self) -> tuple[str, ...]:
        """The field that a complaint about the whole is shown at."""
        return {
            "group-sequential": ("hypotheses",), "enrichment": ("enrichment",), "bayesian": ("bayesian",),
            "two-stage": ("two_stage",), "bop2": ("bop2",),
            "dose-finding": ("dose_finding",), "platform": ("arms",), "multi-arm": ("kind",),
        }.get(self.block.kind, ("options",))  # fmt: skip

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

    def statistic(self, block: Any, *path: str | int) -> Statistic:
        return self.at(
            lambda: Statistic(block.name, block.rho, block.gamma, block.months, block.stratified, block.margin), *path
        )

    def looks(self) -> tuple[Milestone, ...]:
        if not self.block.looks:
            raise InputError("the field 'looks' is needed", where=self.source.where(()))
        return tuple(
            self.at(
                partial(
                    Milestone, 
                    x.events, x.months, x.patients, x.endpoint, x.follow_up, x.earliest,
                    np.inf if x.latest is None else x.latest, tuple(x.strata),
                ),
                "looks", k,
            )
            for k, x in enumerate(self.block.looks)
        )  # fmt: skip

    def rule(self, endpoints: tuple[Endpoint, ...]) -> tuple[Rule, tuple[Milestone, ...], int]:
        b = self.block
        extra = plugin_kinds().get(b.kind)
        if extra is not None:
            return self.at(lambda: made_rule(extra, self.source, b, endpoints), "options")  # type: ignore[no-any-return]
        spending = self.at(lambda: Spending(b.boundaries.family, b.boundaries.parameter), "boundaries")
        if b.kind in ("multi-arm", "enrichment", "platform"):
            if b.endpoint is None:
                raise InputError(f"a '{b.kind}' design needs the field 'endpoint'", where=self.source.where(()))
            if b.endpoint not in b.endpoints:
                raise unknown_word("endpoint", b.endpoint, b.endpoints, where=self.source.where(("endpoint",)))
        bounds = b.boundaries
        stops = bounds.futility or bounds.futility_hazard_ratio or bounds.beta_spending or bounds.binding
        if b.kind != "group-sequential" and stops:
            raise InputError(
                "futility bounds of 'boundaries' belong to a group-sequential design",
                where=self.source.where(("boundaries",)), hint="Platforms name them by arm; enrichment has stop_below.",
            )  # fmt: skip
        test = self.statistic(b.test, "test")
        if b.kind == "group-sequential":
            tested = tuple(
                Hypothesis(
                    h.name,
                    h.endpoint,
                    self.statistic(h.test, "hypotheses", k, "test"),
                    h.share,
                    tuple(h.strata),
                    tuple(h.looks),
                )
                for k, h in enumerate(b.hypotheses)
            )
            for k, h in enumerate(b.hypotheses):
                if h.endpoint not in b.endpoints:
                    raise unknown_word("endpoint", h.endpoint, b.endpoints, where=self.source.where(("hypotheses", k)))
            r, e = b.reestimation, b.early_futility
            again = None if r is None else self.at(partial(_reestimation, r), "reestimation")
            early = None
            if e is not None:
                early = EarlyFutility(e.look, e.endpoint, e.bound, self.statistic(e.test, "early_futility", "test"))
            edges = {h.name: dict(h.hands_on) for h in b.hypotheses if h.hands_on}
            t = bounds.beta_spending
            beta = None if t is None else self.at(lambda: BetaSpending(t.beta, t.family, t.parameter), "boundaries")
            rule: Rule = GroupSequential(
                tested, spending, edges, tuple(bounds.futility), bounds.binding, b.stop_when, again, early,
                tuple(bounds.futility_hazard_ratio), beta,
            )  # fmt: skip
            return rule, self.looks(), b.patients
        if b.kind == "multi-arm":
            s = b.selection
            bound = -np.inf if s is None or s.bound is None else s.bound
            rule = MultiArm(
                b.endpoint, test, spending, "dunnett" if s is None else s.intersections,
                "best" if s is None else s.rule,
                1 if s is None else s.keep, bound, b.stop_when,
            )  # fmt: skip
            return rule, self.looks(), b.patients
        if b.kind == "enrichment":
            e = b.enrichment
            rule = Enrichment(
                b.endpoint, tuple(Population(p.name, tuple(p.strata)) for p in e.populations), test, spending,
                e.intersections, e.choose, e.bound, -np.inf if e.stop_below is None else e.stop_below, e.combination,
                e.decide_on, self.statistic(e.decide_test, "enrichment", "decide_test"), e.first_follow_up,
            )  # fmt: skip
            return rule, self.looks(), b.patients
        if b.kind == "bayesian":
            y = b.bayesian
            rule = Bayesian(y.endpoint, y.threshold, y.futility, y.adaptive, y.power, y.floor, y.prior, y.calibration)
            return rule, self.looks(), b.patients
        if b.kind == "two-stage":
            t = b.two_stage
            found = self.at(lambda: simon(t.p0, t.p1, alpha=b.alpha, beta=t.beta, kind=t.choose), "two_stage")
            if found.n > b.patients:
                raise InputError(
                    f"Simon's design takes {found.n} patients, the file has {b.patients}",
                    where=self.source.where(("patients",)), hint="Raise 'patients', or allow larger errors.",
                )  # fmt: skip
            months = next((e.months for e in endpoints if e.name == t.endpoint), 0.0)
            return TwoStage(t.endpoint, found, t.p0, t.p1), TwoStage.looks(found, months), found.n
        if b.kind == "bop2":
            w = b.bop2
            looks = self.looks()
            sizes = [int(look.size) for look in looks]
            read_after = next((e.months + e.lag for e in endpoints if e.name == w.endpoint), 0.0)
            if any(look.follow_up < read_after - 1e-9 for look in looks):
                raise InputError(
                    f"the response is read {read_after:g} months after entry, and a look comes before its patients are "
                    "read",
                    where=self.source.where(("looks",)), hint=f"Give each look follow_up: {read_after:g}.",
                )  # fmt: skip
            boundary = self.at(lambda: bop2(w.p0, w.p1, sizes, alpha=b.alpha), "bop2")
            return Monitored(w.endpoint, boundary, w.p1), looks, sizes[-1]
        if b.kind == "dose-finding":
            f = b.dose_finding
            boin = self.at(
                lambda: Boin(
                    f.target, cohort=f.cohort, cohorts=f.cohorts, stop_at=f.stop_at or 10**6, eliminate=f.eliminate
                ),
                "dose_finding",
            )
            return DoseFinding(f.endpoint, boin), (Milestone(months=1.0),), b.patients
        p = b.platform
        entries = tuple(
            self.at(
                partial(
                    Entry, 
                    a.name, tuple(a.looks), a.opens, np.inf if a.closes is None else a.closes, tuple(a.strata),
                    10**9 if a.patients is None else a.patients, tuple(a.futility),
                ),
                "arms", k,
            )
            for k, a in enumerate(b.arms)
            if a.role == "experimental"
        )  # fmt: skip
        options = {} if p is None else p.model_dump()
        return Platform(entries, b.endpoint, test, spending, **options), (Milestone(months=1.0),), b.patients

    def truth(self, block: Any, k: int, endpoints: tuple[Endpoint, ...], arms: tuple[Arm, ...]) -> Pool | Generator:
        if (block.pool is None) == (not block.truth):
            raise InputError("a scenario needs either 'truth' or 'pool', and not both")
        score = block.prognostic_score
        if score is not None:
            kinds = {e.name: e.kind for e in endpoints}
            if kinds.get(score.endpoint) != "survival":
                raise unknown_word(
                    "survival endpoint", score.endpoint, [n for n, v in kinds.items() if v == "survival"]
                )
            if bool(score.covariates) != (block.pool is not None) or (score.correlation is None) != bool(block.pool):
                raise InputError("a prognostic score has covariates beside a pool, and a correlation beside a truth")
        if block.pool:
            return self.pool(block.pool, endpoints, arms, score)
        return self.generator(block, k, endpoints, arms)

    def pool(self, block: Any, endpoints: tuple[Endpoint, ...], arms: tuple[Arm, ...], score: Any = None) -> Pool:
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
                    hint="Give the number that the table has: all of them are drawn from.",
                )
        else:
            table, origin = pool_table(
                block.trial, block.patients, block.seed, workers=self.workers, progress=self.progress
            )
        if score is not None:
            control = next((a.name for a in arms if a.role == "control"), "")
            values = fitted_score(table, control, score.endpoint, score.covariates)
            table = table.assign(**{SCORE: values})
        return Pool.from_table(table, [a.name for a in arms], endpoints, strata=strata or None, source=origin)

    def generator(self, block: Any, k: int, endpoints: tuple[Endpoint, ...], arms: tuple[Arm, ...]) -> Generator:
        strata = tuple(s.name for s in self.block.strata) or ("all",)
        shares = tuple(s.share for s in self.block.strata) or (1.0,)
        if any(s is None for s in shares):
            raise InputError("every stratum needs its share of the patients")
        control = next((a.name for a in arms if a.role == "control"), None)
        known = {e.name: e for e in endpoints}
        names = [a.name for a in arms]
        for j, entry in enumerate(block.truth):
            where = self.source.where(("scenarios", k, "truth", j))
            if entry.endpoint not in known:
                raise unknown_word("endpoint", entry.endpoint, known, where=where)
            if entry.arm is not None and entry.arm not in names:
                raise unknown_word("arm", entry.arm, names, where=where)
            if entry.stratum is not None and entry.stratum not in strata:
                raise unknown_word("stratum", entry.stratum, strata, where=where)
        parts: dict[tuple[str, str, str], PiecewiseExponential | Rate] = {}
        order = [control, *[n for n in names if n != control]] if control else names
        for arm in order:
            for stratum in strata:
                for endpoint in known:
                    found = [
                        (j, e) for j, e in enumerate(block.truth)
                        if e.endpoint == endpoint and e.arm in (None, arm) and e.stratum in (None, stratum)
                    ]  # fmt: skip
                    if not found:
                        continue
                    j, entry = max(found, key=lambda f: (f[1].arm is not None, f[1].stratum is not None, f[0]))
                    others = [v for v in (entry.median, entry.hazards, entry.hazard_ratio) if v is not None]
                    wrong = entry.rate is not None if known[endpoint].kind == "survival" else bool(others)
                    if wrong and len(others) + (entry.rate is not None) == 1:
                        gives = "median, hazards or hazard_ratio" if entry.rate is None else "rate"
                        raise InputError(
                            f"'{endpoint}' is a {known[endpoint].kind} endpoint, and its truth gives {gives}",
                            where=self.source.where(("scenarios", k, "truth", j)),
                            hint="A response has a rate; survival has a median, hazards or a hazard_ratio.",
                        )
                    base = parts.get((control, stratum, endpoint)) if control and arm != control else None
                    parts[arm, stratum, endpoint] = self.at(partial(_part, entry, base), "scenarios", k, "truth", j)
        p = block.prognostic_score
        score = None if p is None else PrognosticScore(p.endpoint, p.correlation)
        generator = Generator(tuple(names), strata, shares, parts, block.correlation, score)
        for arm in names:
            for stratum in strata:
                for endpoint in known:
                    generator.part(arm, stratum, endpoint)
        return generator


def _reestimation(block: Any) -> Reestimation | BlindedReestimation:
    blinded = block.kind == "blinded"
    for name in ("target", "promising") if blinded else ("assumed",):
        if name in block.model_fields_set:
            raise InputError(f"'{name}' is not read in re-estimation of kind '{block.kind}'")
    if not blinded:
        return Reestimation(block.look, block.target, block.promising, block.maximum)
    if block.assumed is None:
        raise InputError(
            "blinded re-estimation needs 'assumed'",
            hint="The response rate of both arms together, or events per patient-month, that the plan assumed.",
        )
    return BlindedReestimation(block.look, block.assumed, block.maximum)


def _part(entry: Any, control: PiecewiseExponential | Rate | None) -> PiecewiseExponential | Rate:
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
