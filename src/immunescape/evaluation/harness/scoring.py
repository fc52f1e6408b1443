"""Virtual figures beside published ones, with the chance of both, and the errors of the model and of naive rivals.

The rivals know no biology. Of a hazard ratio: the constant of the calibration trials (their mean, each trial left out
of its own), 0.65 for PFS and 0.75 for OS (round numbers near the mean of published first-line trials), no effect (1),
and the mean of the trial's class. Of a response rate: the constant, and the mean of arms of the same class and line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from immunescape.evaluation.harness.checks import NOT_FOUND, Check, checks
from immunescape.evaluation.harness.figures import CURVE_MONTHS
from immunescape.evaluation.harness.protocols import Protocol
from immunescape.evaluation.harness.real import curve_references, oak_references
from immunescape.knowledge.tables import Row, read_rows
from immunescape.trial.spec import Arm
from immunescape.trial.toxicity import contains_class

__all__ = ["Comparison", "Summary", "comparisons", "summaries"]

ROUND = {"pfs_hr": 0.65, "os_hr": 0.75}
EVENT_SHARE = 0.7
"""Events per patient by which the error of a published hazard ratio without interval is guessed (assumed)."""
_95 = 3.92
ArmClasses = Mapping[tuple[str, str], tuple[bool, bool, bool]]


@dataclass(frozen=True)
class Comparison:
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


@dataclass(frozen=True)
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
) -> list[Comparison]:
    """Every published figure of the trials beside the virtual one."""
    out: list[Comparison] = []
    of_patients = [] if data is None else [*oak_references(data), *curve_references(data)]
    for protocol in chosen:
        trial, row = protocol.trial, rows[protocol.trial.name]
        arms = {arm["name"]: arm for arm in row["arms"]}
        seen: set[tuple[str, str]] = set()

        def add(
            arm: str,
            figure: str,
            value: float | None,
            interval: Any,
            source: str,
            checked: str,
            n: float | None,
            se: float | None = None,
            protocol: Protocol = protocol,
            row: Any = row,
            arms: Any = arms,
            seen: Any = seen,
        ) -> None:
            if value is None or (arm, figure) in seen:
                return
            seen.add((arm, figure))
            low, high = interval or (None, None)
            if (check := _check(protocol, arm, figure)) is not None:
                checked = check.source if check.found else NOT_FOUND
                low, high = (low, high) if check.low is None else (check.low, check.high)
            guessed = False
            logarithmic = figure.endswith(("_hr", "_median_months"))
            if se is None and low and high:
                se = (math.log(high / low) if logarithmic else high - low) / _95
            elif se is None and figure.endswith("_pct") and n:
                p = min(max(value / 100, 0.5 / n), 1 - 0.5 / n)
                se, guessed = 100 * math.sqrt(p * (1 - p) / n), True
            elif se is None and figure.endswith("_hr"):
                sizes = [a.n for a in protocol.trial.arms]
                se, guessed = math.sqrt(sum(1 / (EVENT_SHARE * s) for s in (sizes[0], sizes[-1]))), True
            elif se is None and logarithmic and n:
                se, guessed = 1 / math.sqrt(EVENT_SHARE * n), True
            found = arms[arm]["figures"].get(figure) if arm in arms else row["comparison"].get(figure)
            if found is None:
                return
            out.append(
                Comparison(
                    protocol.trial.name,
                    protocol.role,
                    protocol.kind,
                    arm,
                    figure,
                    found[0],
                    found[1],
                    value,
                    low,
                    high,
                    se,
                    guessed,
                    source,
                    checked,
                    int(n or 0),
                    protocol.counted,
                )
            )

        for ref in of_patients:
            if ref["trial"] == trial.name:
                add(ref["arm"], ref["figure"], ref["value"], None, ref["source"], ref["checked"], None, ref["se"])
        published = trial.published
        if published is not None:
            sources = published.sources
            for arm in published.arms:
                n = arm.n or next((a.n for a in trial.arms if a.name == arm.name), None)
                add(arm.name, "orr_pct", arm.orr_pct, arm.orr_ci, sources.get("orr", ""), protocol.checked, n)
                for end in ("pfs", "os"):
                    add(
                        arm.name,
                        f"{end}_median_months",
                        getattr(arm, f"{end}_median_months"),
                        getattr(arm, f"{end}_median_ci"),
                        sources.get(end, ""),
                        protocol.checked,
                        n,
                    )
                    for months, percent in arm.km.get(end, ()):
                        if months in CURVE_MONTHS:
                            add(arm.name, f"{end}_{months:g}_pct", percent, None, sources.get("km", ""), "", n)
                add(arm.name, "dor_median_months", arm.dor_median_months, None, sources.get("dor", ""), "", n and n / 4)
            for end in ("pfs", "os"):
                add(
                    "",
                    f"{end}_hr",
                    getattr(published, f"{end}_hr"),
                    getattr(published, f"{end}_hr_ci"),
                    sources.get(end, ""),
                    protocol.checked,
                    None,
                )
            rates = [published.arm(a.name) for a in (trial.arms[0], trial.arms[-1])]
            if len(trial.arms) > 1 and rates[0] and rates[1]:
                a, b = rates[0].orr_pct, rates[1].orr_pct
                if a is not None and b is not None:
                    sizes = [r.n or 100 for r in rates if r]
                    se = 100 * math.sqrt(sum(p / 100 * (1 - p / 100) / s for p, s in zip((a, b), sizes, strict=True)))
                    add("", "orr_difference", a - b, None, sources.get("orr", ""), protocol.checked, None, se)
        for row in _recalled():
            if row["trial"] == trial.name:
                low, high = row.number_or_none("low"), row.number_or_none("high")
                interval = None if low is None or high is None else (low, high)
                size = next((a.n for a in trial.arms if a.name == row["arm"]), None)
                responders = size and (size / 4 if row["figure"].startswith("dor") else size)
                add(row["arm"], row["figure"], row.number("value"), interval, row["source"], row["checked"], responders)
    return out


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


def summaries(chosen: Sequence[Protocol], compared: Sequence[Comparison]) -> list[Summary]:
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
    role: str, figure: str, used: Sequence[Comparison], compared: Sequence[Comparison], kinds: ArmClasses
) -> Summary:
    errors = np.array([c.error for c in used], dtype=float)
    scores = [abs(c.z) for c in used if c.z is not None]
    spreads = [math.hypot(c.se, c.published_se) for c in used if c.se and c.published_se]
    return Summary(
        role,
        figure,
        len(used),
        float(np.median(np.abs(errors))),
        float(errors.mean()),
        0.6745 * float(np.median(spreads)) if spreads else None,  # the median of |normal|
        float(np.mean([s > 2 for s in scores])) if scores else None,
        _rank(used),
        _rivals(figure, used, compared, kinds),
    )


def _rank(used: Sequence[Comparison]) -> float | None:
    if len(used) < 4 or any(len({getattr(c, side) for c in used}) < 2 for side in ("virtual", "published")):
        return None
    from scipy.stats import spearmanr

    value = float(spearmanr([c.virtual for c in used], [c.published for c in used]).statistic)
    return value if math.isfinite(value) else None


def _rivals(
    figure: str, used: Sequence[Comparison], compared: Sequence[Comparison], kinds: ArmClasses
) -> dict[str, float]:
    """Median absolute errors of the rivals, on the same figures."""
    known = [c for c in compared if c.figure == figure and c.role == "calibration" and c.counted]

    def scale(value: float, c: Comparison) -> float:
        return math.log(value) if c.logarithmic else value

    def pool(c: Comparison, *, same: bool) -> list[float]:
        others = [o for o in known if o.trial != c.trial]
        if not same:
            return [scale(o.published, o) for o in others]
        if c.arm:
            alike = [o for o in others if kinds.get((o.trial, o.arm)) == kinds.get((c.trial, c.arm))]
        else:
            alike = [o for o in others if o.kind == c.kind]
        return [scale(o.published, o) for o in (alike or others)]

    found: dict[str, list[float]] = {}
    for c in used:
        truth = scale(c.published, c)
        for name, same in (("constant", False), ("class mean", True)):
            values = pool(c, same=same)
            if values:
                found.setdefault(name, []).append(abs(float(np.mean(values)) - truth))
        if figure in ROUND:
            found.setdefault("no effect", []).append(abs(truth))
            found.setdefault(f"{ROUND[figure]:g}", []).append(abs(math.log(ROUND[figure]) - truth))
        if figure == "orr_difference":
            found.setdefault("no effect", []).append(abs(truth))
    return {name: float(np.median(values)) for name, values in found.items()}
