"""Virtual figures beside published ones, with the chance of both, and the errors of the model and of naive rivals.

The rivals know no biology. Of a hazard ratio: the constant of the calibration trials (their mean, each trial left out
of its own), 0.65 for PFS and 0.75 for OS (round numbers near the mean of published first-line trials), no effect (1),
and the mean of the trial's class. Of a response rate: the constant, and the mean of arms of the same class and line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from immunescape.evaluation.harness.checks import UNVERIFIED, Check, checks
from immunescape.evaluation.harness.figures import CURVE_MONTHS
from immunescape.evaluation.harness.protocols import Protocol
from immunescape.evaluation.harness.real import curve_references, oak_references
from immunescape.evaluation.naive import ROUND_RATIOS
from immunescape.knowledge.tables import Row, read_rows
from immunescape.trial.spec import Arm, PublishedArm, Trial
from immunescape.trial.toxicity import contains_class

__all__ = ["FigureComparison", "Summary", "comparisons", "summaries"]

EVENT_SHARE = 0.7
"""Events per patient by which the error of a published hazard ratio without interval is guessed (assumed)."""
_95 = 3.92
ArmClasses = Mapping[tuple[str, str], tuple[bool, bool, bool]]


@dataclass(frozen=True, kw_only=True)
class FigureComparison:
    """One figure, virtual and published.

    `se` and `published_se` are errors of the logarithm for ratios and medians, else of the figure; `guessed` says that
    the published one follows from the numbers of patients alone.
    """

    trial: str
    role: str
    kind: str
    arm: str
    figure: str
    virtual: float | None
    se: float | None
    published: float
    published_low: float | None
    published_high: float | None
    published_se: float | None
    guessed: bool
    source: str
    checked: str
    n: int
    counted: bool

    @property
    def logarithmic(self) -> bool:
        """Whether errors are those of the logarithm."""
        return self.figure.endswith(("_hr", "_median_months"))

    @property
    def error(self) -> float | None:
        """Virtual less published, in logarithms where `logarithmic`."""
        if self.virtual is None:
            return None
        return math.log(self.virtual / self.published) if self.logarithmic else self.virtual - self.published

    @property
    def z(self) -> float | None:
        """The error in units of the chance of both figures."""
        error = self.error
        spread = math.hypot(self.se or 0.0, self.published_se or 0.0)
        return None if error is None or not self.se or not self.published_se else error / spread

    def row(self) -> dict[str, Any]:
        """As plain JSON."""
        return {**asdict(self), "error": self.error, "z": self.z}


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Errors over the figures of one kind and role.

    `chance` is the median absolute error that a perfect model would show: the chance of virtual and published figures.
    `rank` is Spearman's correlation of virtual and published figures; `rivals` are median absolute errors on the
    same figures.
    """

    role: str
    figure: str
    n: int
    median_abs: float
    mean_error: float
    chance: float | None
    beyond_2_se: float | None
    rank: float | None
    rivals: Mapping[str, float]

    def row(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def _recalled() -> tuple[Row, ...]:
    """Published figures that no trial file holds (``published.csv``)."""
    return read_rows(Path(__file__).parent / "published.csv")


def comparisons(
    chosen: Sequence[Protocol], rows: Mapping[str, Mapping[str, Any]], data: Path | None
) -> list[FigureComparison]:
    """Every published figure of the trials beside the virtual one."""
    out: list[FigureComparison] = []
    of_patients = [] if data is None else [*oak_references(data), *curve_references(data)]
    recalled = _recalled()
    for protocol in chosen:
        trial, row = protocol.trial, rows[protocol.trial.name]
        seen: set[tuple[str, str]] = set()
        # the first source of a figure counts: data of patients, then the trial's file, then what was recalled
        for figure in (
            *_of_patients(trial.name, of_patients),
            *_of_file(protocol),
            *_of_table(trial, recalled),
        ):
            key = (figure.arm, figure.figure)
            if figure.value is None or key in seen:
                continue
            seen.add(key)
            compared = _compared(protocol, row, figure, figure.value)
            if compared is not None:
                out.append(compared)
    return out


@dataclass(frozen=True, kw_only=True)
class _Published:
    """A published figure; `n` patients (or responders) that it comes from, `se` where its source gives it."""

    arm: str
    figure: str
    value: float | None
    source: str
    checked: str
    interval: Any = None
    n: float | None = None
    se: float | None = None


def _of_patients(trial: str, references: Iterable[Mapping[str, Any]]) -> Iterator[_Published]:
    """Figures from data of single patients."""
    for reference in references:
        if reference["trial"] == trial:
            yield _Published(**{k: reference[k] for k in ("arm", "figure", "value", "source", "checked", "se")})


def _of_file(protocol: Protocol) -> Iterator[_Published]:
    """Figures of the trial's file: of each arm, then hazard ratios, then the difference of response rates."""
    trial, published = protocol.trial, protocol.trial.published
    if published is None:
        return
    for arm in published.arms:
        n = arm.n or next((a.n for a in trial.arms if a.name == arm.name), None)
        yield from _of_arm(arm, n, published.sources, protocol.checked)
    for end in ("pfs", "os"):
        yield _Published(
            arm="",
            figure=f"{end}_hr",
            value=getattr(published, f"{end}_hr"),
            interval=getattr(published, f"{end}_hr_ci"),
            source=published.sources.get(end, ""),
            checked=protocol.checked,
        )
    rates = [published.arm(a.name) for a in (trial.arms[0], trial.arms[-1])]
    if len(trial.arms) > 1 and rates[0] and rates[1]:
        a, b = rates[0].orr_pct, rates[1].orr_pct
        if a is not None and b is not None:
            sizes = [r.n or 100 for r in rates if r]
            se = 100 * math.sqrt(sum(p / 100 * (1 - p / 100) / s for p, s in zip((a, b), sizes, strict=True)))
            yield _Published(
                arm="",
                figure="orr_difference",
                value=a - b,
                source=published.sources.get("orr", ""),
                checked=protocol.checked,
                se=se,
            )


def _of_arm(arm: PublishedArm, n: int | None, sources: Mapping[str, str], checked: str) -> Iterator[_Published]:
    """Response rate, medians, landmarks of the curves and duration of response of one arm."""
    yield _Published(
        arm=arm.name,
        figure="orr_pct",
        value=arm.orr_pct,
        interval=arm.orr_ci,
        source=sources.get("orr", ""),
        checked=checked,
        n=n,
    )
    for end in ("pfs", "os"):
        yield _Published(
            arm=arm.name,
            figure=f"{end}_median_months",
            value=getattr(arm, f"{end}_median_months"),
            interval=getattr(arm, f"{end}_median_ci"),
            source=sources.get(end, ""),
            checked=checked,
            n=n,
        )
        for months, percent in arm.km.get(end, ()):
            if months in CURVE_MONTHS:
                landmark, source = f"{end}_{months:g}_pct", sources.get("km", "")
                yield _Published(arm=arm.name, figure=landmark, value=percent, source=source, checked="", n=n)
    yield _Published(
        arm=arm.name,
        figure="dor_median_months",
        value=arm.dor_median_months,
        source=sources.get("dor", ""),
        checked="",
        n=n and n / 4,  # about as many respond
    )


def _of_table(trial: Trial, recalled: Iterable[Row]) -> Iterator[_Published]:
    """Figures that no trial file holds."""
    for row in recalled:
        if row["trial"] == trial.name:
            low, high = row.number_or_none("low"), row.number_or_none("high")
            size = next((a.n for a in trial.arms if a.name == row["arm"]), None)
            yield _Published(
                arm=row["arm"],
                figure=row["figure"],
                value=row.number("value"),
                interval=None if low is None or high is None else (low, high),
                source=row["source"],
                checked=row["checked"],
                n=size and (size / 4 if row["figure"].startswith("dor") else size),
            )


def _compared(protocol: Protocol, row: Any, published: _Published, value: float) -> FigureComparison | None:
    """A published figure beside the virtual one; None where the virtual trial has none."""
    figure, checked = published.figure, published.checked
    low, high = published.interval or (None, None)
    if (check := _check(protocol, published.arm, figure)) is not None:
        checked = check.source if check.verified else UNVERIFIED
        low, high = (low, high) if check.low is None else (check.low, check.high)
    se, guessed = _standard_error(protocol, published, value, (low, high))
    arms = {arm["name"]: arm for arm in row["arms"]}
    virtual = arms[published.arm]["figures"].get(figure) if published.arm in arms else row["comparison"].get(figure)
    if virtual is None:
        return None
    return FigureComparison(
        trial=protocol.trial.name,
        role=protocol.role,
        kind=protocol.kind,
        arm=published.arm,
        figure=figure,
        virtual=virtual[0],
        se=virtual[1],
        published=value,
        published_low=low,
        published_high=high,
        published_se=se,
        guessed=guessed,
        source=published.source,
        checked=checked,
        n=int(published.n or 0),
        counted=protocol.counted,
    )


def _standard_error(
    protocol: Protocol, published: _Published, value: float, bounds: tuple[float | None, float | None]
) -> tuple[float | None, bool]:
    """Error of a published figure, and whether it is guessed from numbers of patients: its own, or of its interval."""
    low, high = bounds
    figure, n = published.figure, published.n
    logarithmic = figure.endswith(("_hr", "_median_months"))
    if published.se is not None:
        return published.se, False
    if low and high:
        return (math.log(high / low) if logarithmic else high - low) / _95, False
    if figure.endswith("_pct") and n:
        p = min(max(value / 100, 0.5 / n), 1 - 0.5 / n)
        return 100 * math.sqrt(p * (1 - p) / n), True
    if figure.endswith("_hr"):
        sizes = [a.n for a in protocol.trial.arms]
        return math.sqrt(sum(1 / (EVENT_SHARE * s) for s in (sizes[0], sizes[-1]))), True
    if logarithmic and n:
        return 1 / math.sqrt(EVENT_SHARE * n), True
    return None, False


def _check(protocol: Protocol, arm: str, figure: str) -> Check | None:
    """What was found of a published figure of a combination."""
    if "combination" not in protocol.rows:
        return None
    if figure == "orr_pct":
        control = protocol.trial.control
        figure = "orr_control" if control is not None and control.name == arm else "orr_experimental"
    return checks().get((protocol.trial.name, figure))


# --- errors ----------------------------------------------------------------------------------------------------------

FIGURES = (
    "pfs_hr",
    "os_hr",
    "orr_difference",
    "orr_pct",
    "pd_pct",
    "dor_median_months",
    "pfs_median_months",
    "os_median_months",
    *(f"{end}_{months}_pct" for end in ("pfs", "os") for months in CURVE_MONTHS),
)


def summaries(chosen: Sequence[Protocol], compared: Sequence[FigureComparison]) -> list[Summary]:
    """Errors by figure, for each role and for add-ons and switches apart; with those of the rivals."""
    kinds = {(p.trial.name, arm.name): _arm_class(p, arm) for p in chosen for arm in p.trial.arms}
    groups = {
        "calibration": [c for c in compared if c.role == "calibration" and c.counted],
        "validation": [c for c in compared if c.role == "validation" and c.counted],
        "add-ons": [c for c in compared if c.kind == "addon" and c.counted],
        "switches": [c for c in compared if c.kind == "switch" and c.counted],
        "all": [c for c in compared if c.counted],
    }
    out = []
    for role, members in groups.items():
        for figure in FIGURES:
            used = [c for c in members if c.figure == figure and c.error is not None]
            if used:
                out.append(_summary(role, figure, used, compared, kinds))
    return out


def _arm_class(protocol: Protocol, arm: Arm) -> tuple[bool, bool, bool]:
    """Whether an arm holds a checkpoint inhibitor, and cytotoxic drugs, and is given as a later line."""
    drugs = [d for choice in arm.choices for d in choice.regimen.drugs]
    later = protocol.trial.population.line[0] > 1
    return contains_class(drugs, "ici"), contains_class(drugs, "cytotoxic"), later


def _summary(
    role: str, figure: str, used: Sequence[FigureComparison], compared: Sequence[FigureComparison], kinds: ArmClasses
) -> Summary:
    errors = np.array([c.error for c in used], dtype=float)
    scores = [abs(c.z) for c in used if c.z is not None]
    spreads = [math.hypot(c.se, c.published_se) for c in used if c.se and c.published_se]
    return Summary(
        role=role,
        figure=figure,
        n=len(used),
        median_abs=float(np.median(np.abs(errors))),
        mean_error=float(errors.mean()),
        chance=0.6745 * float(np.median(spreads)) if spreads else None,  # the median of |normal|
        beyond_2_se=float(np.mean([s > 2 for s in scores])) if scores else None,
        rank=_rank(used),
        rivals=_rivals(figure, used, compared, kinds),
    )


def _rank(used: Sequence[FigureComparison]) -> float | None:
    if len(used) < 4 or any(len({getattr(c, side) for c in used}) < 2 for side in ("virtual", "published")):
        return None
    from scipy.stats import spearmanr

    value = float(spearmanr([c.virtual for c in used], [c.published for c in used]).statistic)
    return value if math.isfinite(value) else None


def _rivals(
    figure: str, used: Sequence[FigureComparison], compared: Sequence[FigureComparison], kinds: ArmClasses
) -> dict[str, float]:
    """Median absolute errors of the rivals, on the same figures."""
    calibrated = [c for c in compared if c.figure == figure and c.role == "calibration" and c.counted]

    def scale(value: float, c: FigureComparison) -> float:
        return math.log(value) if c.logarithmic else value

    def pool(c: FigureComparison, *, same: bool) -> list[float]:
        others = [o for o in calibrated if o.trial != c.trial]
        if not same:
            return [scale(o.published, o) for o in others]
        if c.arm:
            alike = [o for o in others if kinds.get((o.trial, o.arm)) == kinds.get((c.trial, c.arm))]
        else:
            alike = [o for o in others if o.kind == c.kind]
        return [scale(o.published, o) for o in (alike or others)]

    errors: dict[str, list[float]] = {}
    for c in used:
        truth = scale(c.published, c)
        for name, same in (("constant", False), ("class mean", True)):
            values = pool(c, same=same)
            if values:
                errors.setdefault(name, []).append(abs(float(np.mean(values)) - truth))
        if figure in ROUND_RATIOS:
            errors.setdefault("no effect", []).append(abs(truth))
            errors.setdefault(f"{ROUND_RATIOS[figure]:g}", []).append(abs(math.log(ROUND_RATIOS[figure]) - truth))
        if figure == "orr_difference":
            errors.setdefault("no effect", []).append(abs(truth))
    return {name: float(np.median(values)) for name, values in errors.items()}
