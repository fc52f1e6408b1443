"""From a validated trial file to the frozen records: texts are read, words checked, everything with its line."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from immunescape.errors import InputError, unknown_word
from immunescape.trial.covariates import COVARIATES, Covariate, Criterion
from immunescape.trial.curves import EventTimes, read_curves
from immunescape.trial.grammar import parse_regimen
from immunescape.trial.later_lines import enrolment_year, with_later_lines
from immunescape.trial.pdl1 import TPS_ASSAYS, tps_range
from immunescape.trial.regimen import Regimen
from immunescape.trial.schedule import parse_schedule
from immunescape.trial.spec import (
    Arm,
    Choice,
    Crossover,
    DataCut,
    Endpoints,
    Enrolment,
    PriorLine,
    Published,
    PublishedArm,
    Subsequent,
    Trial,
)
from immunescape.trial.yaml_source import Location, Source, join
from immunescape.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from immunescape.trial import schema

__all__ = ["Builder"]

T = TypeVar("T")

_LEVEL = re.compile(
    r"(?P<below><=?)\s*(?P<a>[\d.]+)|(?P<above>>=?)\s*(?P<b>[\d.]+)|(?P<low>[\d.]+)\s*[-–]\s*(?P<high>[\d.]+)"
)


class Builder:
    """Makes a :class:`Trial` of a validated file, collecting every problem before it refuses."""

    def __init__(self, source: Source, drugs: Mapping[str, Any] | Iterable[str] | None) -> None:
        self.source = source
        if drugs is None:
            from immunescape.model.registry import drugs as registered

            drugs = registered()
        self.drugs = drugs if isinstance(drugs, Mapping) else dict.fromkeys(drugs)
        self.problems: list[InputError] = []

    def attempt(self, default: T, make: Callable[[], T]) -> T:
        """Run `make`; note its refusal and go on with `default`."""
        try:
            return make()
        except InputError as error:
            self.problems.append(error)
            return default

    def refuse(self, message: str, path: Location, hint: str | None = None) -> None:
        """Note a problem at a field."""
        self.problems.append(InputError(message, where=self.source.where(path), hint=hint))

    def trial(self, block: schema.TrialFile) -> Trial:
        """Build the trial, or raise one error that names every problem."""
        population = self.population(block.population)
        prior = tuple(
            PriorLine(self.choices(line, ("prior", i)), line.outcome, line.months, line.washout_days, line.share)
            for i, line in enumerate(block.prior)
        )
        arms = tuple(self.arm(arm, ("arms", i)) for i, arm in enumerate(block.arms))
        self.check_arms(arms)
        year = enrolment_year(block.year, [*block.references, *_sources(block)])
        stage = next((c.allowed for c in population.criteria if c.covariate == "stage"), ())
        if block.later_lines == "default" and "IV" in stage:
            silent = [not ("subsequent" in arm.model_fields_set and not arm.subsequent) for arm in block.arms]
            arms = with_later_lines(
                arms,
                silent,
                prior=prior,
                line=population.line[0],
                region=population.region,
                year=year,
                drugs=self.drugs,
            )
        self.check_line(population, prior)
        self.check_resection(block)
        population = entry_criteria(population, prior, block.population.measurable)
        for i, name in enumerate(block.randomisation.stratify_by):
            if name not in COVARIATES and name != "region":
                path = ("randomisation", "stratify_by", i)
                self.problems.append(
                    _input(unknown_word("covariate", name, [*COVARIATES, "region"], where=self.source.where(path)))
                )
        visits = self.attempt(None, lambda: parse_schedule(block.visits, where=self.source.where(("visits",))))
        published = self.published(block.published, arms) if block.published else None
        if self.problems or visits is None:
            raise join(self.problems, self.source.file)
        ends = block.endpoints
        follow_up, cuts = follow_up_and_cuts(block)
        order = sorted(arms, key=lambda arm: arm.role == "control")
        return Trial(
            name=block.name,
            title=block.title,
            population=population,
            arms=tuple(order),
            visits=visits,
            follow_up_months=follow_up,
            lesions=block.lesions,
            specificity=block.specificity,
            endpoints=Endpoints(tuple(ends.primary), tuple(ends.secondary), ends.confirmation, ends.assessor),
            description=block.description.strip(),
            registry=block.registry,
            references=tuple(block.references),
            prior=prior,
            stratify_by=tuple(block.randomisation.stratify_by),
            accrual_months=block.randomisation.accrual_months,
            data_cuts=cuts,
            resection_day=block.resection_day,
            published=published,
            file=self.source.file,
            text=self.source.text,
            year=year,
        )

    # population ---------------------------------------------------------------------------------------------------

    def population(self, block: schema.PopulationBlock) -> Enrolment:
        """Who is enrolled."""
        path: Location = ("population",)
        criteria = [self.criterion("stage", block.stage, (*path, "stage"))]
        if block.histology != "any":
            criteria.append(self.criterion("histology", block.histology, (*path, "histology")))
        if block.ecog is not None:
            criteria.append(self.criterion("ecog", block.ecog, (*path, "ecog")))
        if block.drivers is not None:
            criteria.append(self.drivers(block.drivers, (*path, "drivers")))
        if block.pdl1 is not None and tuple(block.pdl1.range) != (0, 100):
            low, high = block.pdl1.range
            where = (*path, "pdl1", "range")
            if low > high:
                self.refuse("the lower bound of the range exceeds the upper bound", where, "Write [lowest, highest].")
            elif block.pdl1.assay not in TPS_ASSAYS:
                assay = block.pdl1.assay
                try:
                    low, high = tps_range(assay, low, high)
                except InputError as error:
                    self.refuse(error.message, where, error.hint)
            criteria.append(Criterion("pdl1_tps", low=low, high=high))
        criteria += self.conditions(block.covariates, (*path, "covariates"))
        for i, criterion in enumerate(criteria):
            if criterion is not None and any(
                criterion.covariate == other.covariate for other in criteria[:i] if other is not None
            ):
                self.refuse(f"two criteria on '{criterion.covariate}'", (*path, "covariates", criterion.covariate))
        mix = {name: self.shares(name, shares, (*path, "mix", name)) for name, shares in block.mix.items()}
        region, regions = self.regions(block, path)
        default: tuple[int, int | None] = (1, 1)
        line = self.attempt(default, lambda: self.line(block.line, (*path, "line")))
        return Enrolment(
            tuple(c for c in criteria if c is not None),
            line,
            mix={name: shares for name, shares in mix.items() if shares},
            pdl1_assay=block.pdl1.assay if block.pdl1 else None,
            region=region,
            regions=regions,
        )

    def regions(self, block: schema.PopulationBlock, path: Location) -> tuple[Any, Any]:
        """The main region, and the shares of several."""
        if isinstance(block.region, str):
            return block.region, ()
        total = sum(block.region.values())
        if abs(total - 1) > 1e-6:
            self.refuse(f"the shares of regions add up to {total:g}", (*path, "region"), "They add up to 1.")
        shares = tuple((name, share) for name, share in block.region.items() if share > 0)
        if not shares:
            return "western", ()
        return max(shares, key=lambda pair: pair[1])[0], shares if len(shares) > 1 else ()

    def line(self, value: int | str, path: Location) -> tuple[int, int | None]:
        """Line of treatment: first and last (None: open)."""
        match = re.fullmatch(r"([1-9])(\+?)", str(value).strip())
        if match is None:
            raise InputError(
                f"'{value}' is not a line of treatment", where=self.source.where(path), hint="Write 1, 2 or '2+'."
            )
        first = int(match.group(1))
        return first, None if match.group(2) else first

    def drivers(self, block: schema.Drivers, path: Location) -> Criterion | None:
        """Drivers that are allowed."""
        words = COVARIATES["driver"].values
        for name in ("exclude", "require"):
            for i, driver in enumerate(getattr(block, name)):
                if driver not in words or driver == "none":
                    where = self.source.where((*path, name, i))
                    self.problems.append(_input(unknown_word("driver", driver, set(words) - {"none"}, where=where)))
                    return None
        allowed = tuple(w for w in (block.require or words) if w not in block.exclude)
        if not allowed:
            self.refuse("no driver remains: those required are also excluded", path)
            return None
        return Criterion("driver", allowed)

    def conditions(self, block: Mapping[str, Any], path: Location) -> list[Criterion | None]:
        """Criteria of a mapping covariate -> value, list of values or {low, high}."""
        criteria: list[Criterion | None] = []
        for name, value in block.items():
            if name not in COVARIATES:
                where = self.source.where((*path, name))
                self.problems.append(_input(unknown_word("covariate", name, COVARIATES, where=where)))
            else:
                criteria.append(self.criterion(name, value, (*path, name)))
        return criteria

    def criterion(self, name: str, value: Any, path: Location) -> Criterion | None:
        """One condition on one covariate."""
        covariate = COVARIATES[name]
        if covariate.is_number:
            return self.attempt(None, lambda: self.number_range(name, covariate, value, path))
        values = value if isinstance(value, list) else [value]
        if not values:
            self.refuse(f"no value of '{name}' is allowed", path)
        for i, level in enumerate(values):
            if not any(level == v and type(level) is type(v) for v in covariate.values):
                where = self.source.where((*path, i))
                words = [_value_text(v) for v in covariate.values]
                self.problems.append(_input(unknown_word(f"value of {name}", _value_text(level), words, where=where)))
                return None
        return Criterion(name, tuple(values))

    def number_range(self, name: str, covariate: Covariate, value: Any, path: Location) -> Criterion:
        """A condition on a number."""
        where = self.source.where(path)
        hint = f"Write {{low: …}}, {{high: …}} or both, in {covariate.unit or 'plain numbers'}."
        if isinstance(value, list) and len(value) == 2:
            value = {k: v for k, v in zip(("low", "high"), value, strict=True) if v is not None}
        if not isinstance(value, dict) or not value:
            raise InputError(f"'{name}' needs a range", where=where, hint=hint)
        bounds: dict[str, float] = {}
        for key, bound in value.items():
            if key not in ("low", "high"):
                raise unknown_word("field", str(key), ("low", "high"), where=self.source.where((*path, key)))
            if isinstance(bound, bool) or not isinstance(bound, (int, float)) or not math.isfinite(bound):
                raise InputError(f"{bound!r} is not a number", where=self.source.where((*path, key)), hint=hint)
            if not covariate.low <= bound <= covariate.high:
                raise InputError(
                    f"{bound:g} is outside what {covariate.meaning} can be "
                    f"({covariate.low:g} to {covariate.high:g} {covariate.unit})",
                    where=self.source.where((*path, key)),
                    hint="Check the unit.",
                )
            bounds[key] = float(bound)
        criterion = Criterion(name, low=bounds.get("low", -math.inf), high=bounds.get("high", math.inf))
        if criterion.low > criterion.high:
            raise InputError("the lower bound of the range exceeds the upper bound", where=where)
        return criterion

    def shares(self, name: str, shares: Mapping[str, float], path: Location) -> tuple[tuple[Criterion, float], ...]:
        """Shares of levels of one covariate in the enrolled population."""
        if name not in COVARIATES:
            self.problems.append(_input(unknown_word("covariate", name, COVARIATES, where=self.source.where(path))))
            return ()
        covariate = COVARIATES[name]
        levels = []
        for level, share in shares.items():
            criterion = self.attempt(None, partial(self.level, name, covariate, level, (*path, level)))
            if criterion is not None:
                levels.append((criterion, share))
        total = sum(shares.values())
        if total > 1 + 1e-9:
            self.refuse(
                f"the shares of '{name}' add up to {total:g}", path, "They are fractions of one population: at most 1."
            )
        return tuple(levels)

    def level(self, name: str, covariate: Covariate, level: str, path: Location) -> Criterion | None:
        """One level of a covariate, e.g. ``1-49``."""
        if not covariate.is_number:
            words = {_value_text(v): v for v in covariate.values}
            if level not in words:
                raise unknown_word(f"value of {name}", level, words, where=self.source.where(path))
            return Criterion(name, (words[level],))
        match = _LEVEL.fullmatch(level.strip())
        if match is None:
            raise InputError(
                f"'{level}' is not a level of {name}",
                where=self.source.where(path),
                hint="Write '<1', '1-49' or '>=50'.",
            )
        if match["below"]:
            edge = float(match["a"])
            return Criterion(name, high=edge if match["below"] == "<=" else math.nextafter(edge, -math.inf))
        if match["above"]:
            edge = float(match["b"])
            return Criterion(name, low=edge if match["above"] == ">=" else math.nextafter(edge, math.inf))
        low, high = float(match["low"]), float(match["high"])
        if high == int(high) and covariate.unit == "%" and high < 100:  # 1-49 % ends where 50 % begins
            high = math.nextafter(high + 1, -math.inf)
        return Criterion(name, low=low, high=high)

    # arms ---------------------------------------------------------------------------------------------------------

    def regimen(self, text: str, path: Location) -> Regimen:
        """A regimen text."""
        return self.attempt(Regimen(), lambda: parse_regimen(text, self.drugs, where=self.source.where(path)))

    def choices(self, block: Any, path: Location) -> tuple[Choice, ...]:
        """Choices of a block with `regimen` or `choice`, of a text, or of a list of choices."""
        regimen = block if isinstance(block, str) else getattr(block, "regimen", None)
        if isinstance(regimen, str):
            where = path if isinstance(block, str) else (*path, "regimen")
            return (Choice(self.regimen(regimen, where)),)
        blocks = block if isinstance(block, list) else block.choice
        path = path if isinstance(block, list) else (*path, "choice")
        choices = tuple(
            Choice(
                self.regimen(option.regimen, (*path, i, "regimen")),
                option.weight,
                tuple(c for c in self.conditions(option.when, (*path, i, "when")) if c is not None),
            )
            for i, option in enumerate(blocks)
        )
        self.check_cover(choices, path)
        return choices

    def check_cover(self, choices: tuple[Choice, ...], path: Location) -> None:
        """Refuse choices that leave some patient without a regimen (as far as one category can tell)."""
        if any(not choice.when for choice in choices):
            return
        names = {criterion.covariate for choice in choices for criterion in choice.when}
        for name in sorted(names):
            covariate = COVARIATES[name]
            if covariate.is_number or not all(any(c.covariate == name for c in choice.when) for choice in choices):
                continue
            covered = {value for choice in choices for c in choice.when if c.covariate == name for value in c.allowed}
            left = [str(value) for value in covariate.values if value not in covered]
            if left:
                self.refuse(
                    f"no choice for patients with {name} {', '.join(left)}", path, "Add one, or one without 'when'."
                )

    def arm(self, block: schema.ArmBlock, path: Location) -> Arm:
        """One arm."""
        crossover = None
        if block.crossover is not None:
            cross = block.crossover
            crossover = Crossover(
                self.choices(cross.to, (*path, "crossover", "to")), cross.fraction, cross.of, cross.when
            )
        later = tuple(
            Subsequent(self.choices(line, (*path, "subsequent", i)), line.fraction, line.of)
            for i, line in enumerate(block.subsequent)
        )
        if sum(line.fraction for line in later) > 1 + 1e-9:
            self.refuse("the fractions of later therapy add up to more than 1", (*path, "subsequent"))
        return Arm(
            block.name,
            block.role,
            block.n,
            self.choices(block, path),
            stop_at_progression=block.stop_at_progression,
            beyond_progression=block.beyond_progression,
            crossover=crossover,
            subsequent=later,
            mix={name: self.shares(name, shares, (*path, "mix", name)) for name, shares in block.mix.items()},
        )

    def check_arms(self, arms: tuple[Arm, ...]) -> None:
        """Refuse arms without a control, and names given twice."""
        names = [arm.name for arm in arms]
        for i, name in enumerate(names):
            if name in names[:i]:
                self.refuse(f"two arms are named '{name}'", ("arms", i, "name"))
        controls = [i for i, arm in enumerate(arms) if arm.role == "control"]
        if len(controls) > 1:
            self.refuse(
                "two control arms",
                ("arms", controls[1], "role"),
                "One arm is the control; the others are experimental.",
            )
        if len(arms) > 1 and not controls:
            self.refuse("no arm is the control", ("arms",), "Give one arm 'role: control'.")

    def check_resection(self, block: schema.TrialFile) -> None:
        """Refuse pathological responses without a resection, and a resection after the end of follow-up."""
        pathological = [
            name for name in (*block.endpoints.primary, *block.endpoints.secondary) if name in ("mpr", "pcr")
        ]
        day = block.resection_day
        if day is None and pathological:
            self.refuse(
                f"'{pathological[0]}' needs a resection",
                ("endpoints",),
                "Say 'resection_day:', in days from the first dose.",
            )
        if day is not None and day > follow_up_and_cuts(block)[0] * DAYS_PER_MONTH:
            self.refuse(f"day {day:g} lies after the end of follow-up", ("resection_day",), "Raise 'follow_up_months'.")

    def check_line(self, population: Enrolment, prior: tuple[PriorLine, ...]) -> None:
        """Refuse a line of treatment that the prior lines do not lead to."""
        first, last = population.line
        if len(prior) < first - 1:
            self.refuse(
                f"line {first} of treatment needs {first - 1} before it, 'prior' has {len(prior)}",
                ("population", "line"),
                "State under 'prior:' which treatments patients had received, and their outcome.",
            )
        stage = next((c.allowed for c in population.criteria if c.covariate == "stage"), ())
        if last is not None and len(prior) > last - 1 and "IV" in stage:
            lines = "a line" if len(prior) == 1 else f"{len(prior)} lines"
            self.refuse(
                f"'prior' has {lines}, but the trial gives line {last}",
                ("prior",),
                hint=f"Write 'line: {len(prior) + 1}' under 'population' for patients who had received it "
                "before, or leave out"
                " 'prior'.",
            )

    # published ----------------------------------------------------------------------------------------------------

    def published(self, block: schema.PublishedBlock, arms: tuple[Arm, ...]) -> Published:
        """Published results, ordered as the arms."""
        path: Location = ("published",)
        names = [arm.name for arm in arms]
        published_arms = []
        for i, arm in enumerate(block.arms):
            where: Location = (*path, "arms", i)
            if arm.name not in names:
                self.problems.append(
                    _input(unknown_word("arm", arm.name, names, where=self.source.where((*where, "name"))))
                )
            for value, interval in (
                ("orr_pct", "orr_ci"),
                ("pfs_median_months", "pfs_median_ci"),
                ("os_median_months", "os_median_ci"),
            ):
                self.check_interval(getattr(arm, value), getattr(arm, interval), (*where, interval))
            km: dict[str, Any] = {end: tuple((p.months, p.percent) for p in points) for end, points in arm.km.items()}
            for end, points in km.items():
                if any(a[0] >= b[0] or a[1] < b[1] for a, b in itertools.pairwise(points)):
                    self.refuse("a survival curve advances in time and never rises", (*where, "km", end))
            fields: dict[str, Any] = {n: getattr(arm, n) for n in type(arm).model_fields}
            published_arms.append(PublishedArm(**{**fields, "km": km}))
        order = [arm.name for arm in sorted(arms, key=lambda arm: arm.role == "control")]
        published_arms.sort(key=lambda arm: order.index(arm.name) if arm.name in order else len(order))
        compare, others = self.comparisons(block, arms)
        curves: dict[str, Mapping[str, EventTimes]] = {}
        none: dict[str, EventTimes] = {}
        for end, name in block.km_file.items():
            file = Path(self.source.file).parent / name
            if file.is_file():
                curves[end] = self.attempt(none, partial(read_curves, file, names))
            else:
                self.refuse(f"no such file: {file}", (*path, "km_file", end))
        return Published(tuple(published_arms), **compare, sources=dict(block.sources), curves=curves, others=others)

    def comparisons(
        self, block: schema.PublishedBlock, arms: tuple[Arm, ...]
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Published hazard ratios of the first experimental arm, and those of the others by arm."""
        given = block.comparison
        blocks = given if isinstance(given, list) else [given] if given is not None else []
        names = [arm.name for arm in arms if arm.role == "experimental"]
        first: dict[str, Any] = {}
        others: dict[str, dict[str, Any]] = {}
        for i, line in enumerate(blocks):
            path: Location = ("published", "comparison", i) if isinstance(given, list) else ("published", "comparison")
            values = {n: getattr(line, n) for n in ("pfs_hr", "pfs_hr_ci", "os_hr", "os_hr_ci")}
            for end in ("pfs", "os"):
                self.check_interval(values[f"{end}_hr"], values[f"{end}_hr_ci"], (*path, f"{end}_hr_ci"))
            name = line.arm or (names[0] if names else "")
            if line.arm is not None and line.arm not in names:
                where = self.source.where((*path, "arm"))
                self.problems.append(_input(unknown_word("experimental arm", line.arm, names, where=where)))
            elif (name == names[:1][0] and first) or name in others:
                self.refuse(f"two comparisons of '{name}'", path, "Name the experimental arm of each with 'arm:'.")
            elif name == names[0]:
                first = values
            else:
                others[name] = values
        return first, others

    def check_interval(self, value: float | None, interval: Any, path: Location) -> None:
        """Refuse an interval that does not hold its value."""
        if interval is None:
            return
        low, high = interval
        if high is not None and low > high:
            self.refuse("the lower bound of the interval exceeds the upper bound", path)
        elif value is not None and not (low <= value and (high is None or value <= high)):
            self.refuse(f"the value {value:g} lies outside its interval", path)


def follow_up_and_cuts(block: schema.TrialFile) -> tuple[float, tuple[DataCut, ...]]:
    """Longest follow-up in months, and the data cuts.

    Patients enter evenly over the accrual, so that the median follow-up at a cut is the cut less half of the accrual.
    """
    cuts = tuple(DataCut(tuple(cut.endpoints), cut.months, cut.label) for cut in block.data_cuts)
    if block.median_follow_up_months is None:
        return float(block.follow_up_months or 0.0), cuts
    end = block.median_follow_up_months + 0.5 * block.randomisation.accrual_months
    from immunescape.trial.schema import ENDPOINTS

    named = {endpoint for cut in cuts for endpoint in cut.endpoints}
    rest = tuple(endpoint for endpoint in ENDPOINTS if endpoint not in named)
    added = (DataCut(rest, end, "from the median follow-up"),) if rest else ()
    return max([end, *(cut.months for cut in cuts)]), (*cuts, *added)


def _sources(block: schema.TrialFile) -> list[str]:
    """Where the published results are from; empty without any."""
    return [] if block.published is None else list(block.published.sources.values())


ENTRY_COVARIATES = ("sld_mm",)
"""Covariates that earlier lines change: criteria on them are read at entry."""


def entry_criteria(population: Enrolment, prior: tuple[PriorLine, ...], measurable: bool | None) -> Enrolment:
    """The population with what is read at entry, after the earlier lines, set apart from what is read at diagnosis."""
    if not prior:
        return population
    later = tuple(c for c in population.criteria if c.covariate in ENTRY_COVARIATES)
    demanded = prior[-1].outcome == "progressed" if measurable is None else measurable
    rest = tuple(c for c in population.criteria if c not in later)
    return replace(population, criteria=rest, at_entry=later, measurable=demanded)


def _value_text(value: Any) -> str:
    """A value as written in YAML."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _input(error: Exception) -> InputError:
    assert isinstance(error, InputError)
    return error
