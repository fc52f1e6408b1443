"""What a trial is: population, prior lines, arms, visits, endpoints, published results.

A trial is written as a YAML file; :func:`immunescape.trial.loading.load_trial` reads one that ships with the package or
one of a user. All records are frozen and hold plain values and parsed texts
(:class:`~immunescape.trial.regimen.Regimen`, :class:`~immunescape.trial.schedule.Schedule`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

from immunescape.model.specificity import DEFAULT, Specificity
from immunescape.trial.covariates import Criterion
from immunescape.trial.curves import EventTimes
from immunescape.trial.regimen import Regimen
from immunescape.trial.schedule import Schedule

__all__ = [
    "Arm",
    "Choice",
    "Crossover",
    "DataCut",
    "Endpoints",
    "Enrolment",
    "PriorLine",
    "Published",
    "PublishedArm",
    "Subsequent",
    "Trial",
]

Interval = tuple[float, float]
Curve = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Choice:
    """One of the regimens among which patients are divided by condition and weight."""

    regimen: Regimen
    weight: float = 1.0
    when: tuple[Criterion, ...] = ()


@dataclass(frozen=True)
class PriorLine:
    """A line of treatment before the trial, simulated as a run-in.

    The patient enters the trial if, within `months`, the tumour has (`progressed`) or has not progressed. A `share` of
    the patients had the line; the others pass it over.
    """

    choices: tuple[Choice, ...]
    outcome: Literal["progressed", "not progressed"]
    months: float
    washout_days: float = 0.0
    share: float = 1.0


@dataclass(frozen=True)
class Crossover:
    """Switch to another regimen at progression.

    `fraction` is a share of the arm's patients who progressed (`of` = "progressed") or of all patients of the arm
    (`of` = "randomised").
    """

    choices: tuple[Choice, ...]
    fraction: float
    of: Literal["progressed", "randomised"] = "progressed"
    when: Literal["progression"] = "progression"

    def patients(self, progressed: int, randomised: int) -> float:
        """How many of an arm's patients cross over (not rounded): `progressed` have progressed, of `randomised`."""
        return self.fraction * (progressed if self.of == "progressed" else randomised)


@dataclass(frozen=True)
class Subsequent:
    """Therapy after the trial's own, for patients who progressed and did not cross over.

    `fraction` is a share of those patients (`of` = "progressed") or of all patients of the arm (`of` = "randomised").
    """

    choices: tuple[Choice, ...]
    fraction: float
    of: Literal["progressed", "randomised"] = "progressed"
    stated: bool = True
    """Whether the trial file says so; else it is the default of :mod:`immunescape.trial.later_lines`."""

    def patients(self, progressed: int, randomised: int) -> float:
        """How many patients receive it (not rounded): `progressed` have progressed and not crossed over."""
        return self.fraction * (progressed if self.of == "progressed" else randomised)


@dataclass(frozen=True)
class Arm:
    """One arm. Treatment stops at progression, but for the share `beyond_progression` of the patients."""

    name: str
    role: Literal["experimental", "control"]
    n: int
    choices: tuple[Choice, ...]
    _: KW_ONLY
    stop_at_progression: bool = True
    beyond_progression: float = 0.0
    crossover: Crossover | None = None
    subsequent: tuple[Subsequent, ...] = ()
    mix: Mapping[str, tuple[tuple[Criterion, float], ...]] = field(default_factory=dict)
    """Shares of the arm's own patients; see :class:`Enrolment`."""

    @property
    def regimen(self) -> str:
        """The arm's treatment as one text."""
        texts = []
        for choice in self.choices:
            when = f" if {' and '.join(str(c) for c in choice.when)}" if choice.when else ""
            texts.append(f"{choice.regimen}{when}")
        return "; or ".join(texts)

    @property
    def drugs(self) -> tuple[str, ...]:
        """All drugs that a patient of this arm may receive, crossover and later therapy included."""
        names: dict[str, None] = {}
        later = [self.crossover.choices] if self.crossover else []
        for choices in [self.choices, *later, *(s.choices for s in self.subsequent)]:
            for choice in choices:
                names.update(dict.fromkeys(choice.regimen.drugs))
        return tuple(names)


@dataclass(frozen=True)
class Enrolment:
    """Who is enrolled.

    Attributes
    ----------
    criteria : conditions on covariates; all must be met.
    mix : shares that the enrolled population is to have: covariate -> ((criterion, share), ...).
    line : line of treatment that the trial gives, (first, last); last None is open ("2+").
    pdl1_assay : assay of the PD-L1 criterion, None where PD-L1 plays no part.
    region : region whose prevalences apply; of several, the one with the largest share.
    regions : (region, share of the enrolled) where there are several.
    measurable : whether a measurable lesion (RECIST 1.1) is demanded at entry, after the earlier lines.
    at_entry : those of the criteria on the tumour that are read at entry; `criteria` holds the others.
    """

    criteria: tuple[Criterion, ...]
    line: tuple[int, int | None]
    _: KW_ONLY
    mix: Mapping[str, tuple[tuple[Criterion, float], ...]] = field(default_factory=dict)
    pdl1_assay: str | None = None
    region: Literal["western", "east_asian"] = "western"
    measurable: bool = False
    at_entry: tuple[Criterion, ...] = ()
    regions: tuple[tuple[Literal["western", "east_asian"], float], ...] = ()


@dataclass(frozen=True)
class Endpoints:
    """What is measured, and how responses are assessed."""

    primary: tuple[str, ...]
    secondary: tuple[str, ...] = ()
    confirmation: bool = True
    assessor: Literal["central", "investigator"] = "investigator"


@dataclass(frozen=True)
class DataCut:
    """An analysis: which endpoints, and how many months after the first patient was randomised."""

    endpoints: tuple[str, ...]
    months: float
    label: str = ""


@dataclass(frozen=True)
class PublishedArm:
    """Published results of one arm; None where not published or not reached. Same names as in ``result.json``."""

    name: str
    _: KW_ONLY
    n: int | None = None
    orr_pct: float | None = None
    orr_ci: Interval | None = None
    dor_median_months: float | None = None
    pfs_median_months: float | None = None
    pfs_median_ci: Interval | None = None
    os_median_months: float | None = None
    os_median_ci: Interval | None = None
    grade3_pct: float | None = None
    discontinued_pct: float | None = None
    mpr_pct: float | None = None
    pcr_pct: float | None = None
    km: Mapping[str, Curve] = field(default_factory=dict)
    """Endpoint (``pfs``, ``os``) -> published points (months, percent event-free)."""


@dataclass(frozen=True)
class Published:
    """Published results of a trial.

    Attributes
    ----------
    arms : by arm, in the order of the trial's arms.
    pfs_hr, pfs_hr_ci, os_hr, os_hr_ci : hazard ratios, experimental over control.
    sources : endpoint -> key of the reference.
    curves : endpoint -> arm -> event times (months, whether an event) of the published Kaplan-Meier curve.
    """

    arms: tuple[PublishedArm, ...]
    _: KW_ONLY
    pfs_hr: float | None = None
    pfs_hr_ci: Interval | None = None
    os_hr: float | None = None
    os_hr_ci: Interval | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    curves: Mapping[str, Mapping[str, EventTimes]] = field(default_factory=dict)
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Hazard ratios of further experimental arms, by arm, under the names of the first one's."""

    def arm(self, name: str) -> PublishedArm | None:
        """Published results of the arm of that name, if any."""
        return next((arm for arm in self.arms if arm.name == name), None)

    def as_result(self) -> dict[str, Any]:
        """The block in the shape of ``result.json``: ``{"arms": [...], "comparison": {...}}``."""
        names = (
            "name",
            "n",
            "orr_pct",
            "orr_ci",
            "dor_median_months",
            "pfs_median_months",
            "os_median_months",
            "grade3_pct",
            "discontinued_pct",
        )
        pathology = tuple(n for n in ("mpr_pct", "pcr_pct") if any(getattr(arm, n) is not None for arm in self.arms))
        arms = [{name: _plain(getattr(arm, name)) for name in (*names, *pathology)} for arm in self.arms]
        comparison = {name: _plain(getattr(self, name)) for name in ("pfs_hr", "pfs_hr_ci", "os_hr", "os_hr_ci")}
        return {"arms": arms, "comparison": comparison}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A trial as read from its file; experimental arms first, the control last."""

    name: str
    title: str
    population: Enrolment
    arms: tuple[Arm, ...]
    visits: Schedule
    follow_up_months: float
    endpoints: Endpoints
    description: str = ""
    registry: str | None = None
    references: tuple[str, ...] = ()
    prior: tuple[PriorLine, ...] = ()
    lesions: Literal["several", "single"] = "single"
    """Whether each lesion is simulated, or target lesions share one simulated tumour; a trial file has `several`."""
    specificity: Specificity = DEFAULT
    """Which strengths differ between patients and how inhibitions add up; see `immunescape.model.specificity`."""
    stratify_by: tuple[str, ...] = ()
    accrual_months: float = 0.0
    data_cuts: tuple[DataCut, ...] = ()
    resection_day: float | None = None
    """Day on which the tumour is resected, after neoadjuvant treatment."""
    published: Published | None = None
    file: str = ""
    year: int = 0
    """Year of the first patient, or what was taken for it."""
    text: str = field(default="", repr=False, compare=False)
    """The file's content as read."""

    @property
    def control(self) -> Arm | None:
        """The control arm; None in a trial without one."""
        return next((arm for arm in self.arms if arm.role == "control"), None)

    @property
    def experimental(self) -> tuple[Arm, ...]:
        """The experimental arms."""
        return tuple(arm for arm in self.arms if arm.role == "experimental")

    @property
    def sha256(self) -> str:
        """Hash of the protocol: of its file, or of the record where it was made without one."""
        return hashlib.sha256((self.text or repr(self)).encode()).hexdigest()

    @property
    def can_pair(self) -> bool:
        """Whether the arms can share their patients: not where an arm has a mix of its own."""
        return not any(arm.mix for arm in self.arms)

    @property
    def drugs(self) -> tuple[str, ...]:
        """All drugs that the trial, its prior lines and its later therapy may give, in order of appearance."""
        names = dict.fromkeys(self.earlier_drugs)
        for arm in self.arms:
            names.update(dict.fromkeys(arm.drugs))
        return tuple(names)

    @property
    def earlier_drugs(self) -> tuple[str, ...]:
        """Drugs that patients may have had in the prior lines, in order of appearance."""
        return tuple(dict.fromkeys(d for line in self.prior for choice in line.choices for d in choice.regimen.drugs))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
