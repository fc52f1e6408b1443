"""From a patient's measurements to facts about virtual patients: target, value or range, error, source.

What is not assessable gives no fact, so the population keeps its distribution there. A number in a unit that the table
does not ask for, or one that no patient can have, is refused before anything is conditioned on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import ImmunescapeError, InputError
from immunescape.knowledge.profile_records import Measurement
from immunescape.knowledge.profile_to_model import ProfileLink, profile_links
from immunescape.stats.estimate import NORMAL_975
from immunescape.twins.words import biomarker_title, measured_text, titles_text

__all__ = ["Fact", "checked", "facts_of_measurements", "in_unit"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Fact:
    """What one measurement says about virtual patients.

    Attributes
    ----------
    target, kind : covariate of the population, parameter of the model or observable of the model at diagnosis.
    allowed : values that a covariate of words (or truth values, or counts) may have; empty for numbers.
    value : measured number; for ``scale`` ``score`` the normal score of its percentile. None: only a range is known.
    spread, scale : standard deviation of the error, of the value (``sd``), of its logarithm (``sd_ln``) or of the
        normal score (``score``); ``none`` where the range says it all.
    low, high : range in which the value lies, where that is what is known.
    below : the value is a limit of detection: the truth lies below.
    biomarker, measured : where it comes from, in words.
    source, grade, note : as in the table.
    """

    target: str
    kind: str
    _: KW_ONLY
    allowed: tuple[str | bool | int, ...] = ()
    value: float | None = None
    spread: float = 0.0
    scale: str = "none"
    low: float = -math.inf
    high: float = math.inf
    below: bool = False
    biomarker: str = ""
    measured: str = ""
    source: tuple[str, ...] = ()
    grade: str = "measured"
    note: str = ""

    def log_likelihood(self, x: FloatArray) -> FloatArray:
        """Log likelihood (n,) of the measurement where the truth is `x` (for ``score``: its normal score).

        Up to a constant that does not depend on `x`.
        """
        from scipy.special import log_ndtr

        if self.value is None:
            return np.where((x >= self.low) & (x <= self.high), 0.0, -np.inf)
        if self.scale == "sd_ln":
            with np.errstate(divide="ignore"):
                distance = (math.log(self.value) - np.log(np.maximum(x, 0.0))) / self.spread
        else:
            distance = (self.value - x) / self.spread
        if self.below:
            return np.asarray(log_ndtr(distance))
        return np.asarray(-0.5 * distance**2)

    @property
    def text(self) -> str:
        """The fact in a few words."""
        if self.allowed:
            names = [{True: "yes", False: "no"}.get(a, str(a)) if isinstance(a, bool) else str(a) for a in self.allowed]
            return f"{self.target} is {' or '.join(names)}"
        if self.value is None:
            return f"{self.target} between {self.low:g} and {self.high:g}"
        how = {"sd": "±", "sd_ln": "times/over e^", "score": "score ±"}.get(self.scale, "±")
        return f"{self.target} {'below' if self.below else 'about'} {self.value:.3g} ({how}{self.spread:.2g})"


def _applies(link: ProfileLink, value: float | str | bool) -> bool:
    if not link.when:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    text = str(value).casefold() if isinstance(value, bool) else str(value)
    return text in link.when


def in_unit(m: Measurement, unit: str) -> Measurement:
    """Return the measurement in the unit that the table asks for.

    Raises
    ------
    InputError
        Where its unit says something else, and cannot be converted.
    """
    from dataclasses import replace

    from immunescape.model.units import parse_unit

    if m.unit == unit or not isinstance(m.value, (int, float)) or isinstance(m.value, bool):
        return m
    where = biomarker_title(m.name)
    hint = f"Give it in {unit or 'no unit'}; nothing was conditioned on it."
    try:
        given, asked = (parse_unit({"1": "", "fraction": ""}.get(text, text)) for text in (m.unit, unit))
    except ImmunescapeError:
        raise InputError(f"its unit is '{m.unit}', not '{unit}'", where=where, hint=hint) from None
    if given.dimension != asked.dimension:
        raise InputError(f"its unit is '{m.unit}', which is not {unit or 'plain number'}", where=where, hint=hint)
    factor = given.factor / asked.factor
    low, high = (None if b is None else b * factor for b in (m.low, m.high))
    return replace(m, value=float(m.value) * factor, unit=unit, low=low, high=high)


def _ordinal(number: int) -> str:
    """A rank as it is read: 1st, 12th, 73rd."""
    last = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{last}"


def _number(link: ProfileLink, m: Measurement) -> Fact | None:
    """Fact of a number; None where its percentile is asked for and not known."""
    from scipy.special import ndtri

    assert isinstance(m.value, (int, float))
    about: dict[str, Any] = {"biomarker": m.name, "source": link.source, "grade": link.grade, "note": link.note}
    if link.transformation == "percentile":
        if m.percentile is None:
            return None
        score = float(ndtri(min(max(m.percentile / 100.0, 0.005), 0.995)))
        measured = f"{_ordinal(round(m.percentile))} percentile of {m.reference}"
        return Fact(
            link.target, link.kind, value=score, spread=link.spread or 1.0, scale="score", measured=measured, **about
        )
    m = in_unit(m, link.unit)
    factor, measured = float(link.factor), f"{m.value:.4g} {m.unit}".strip()
    assert isinstance(m.value, (int, float))
    value, below = float(m.value) * factor, m.status == "below_limit"
    spread, scale = link.spread or 0.0, str(link.spread_scale)
    if scale == "interval":
        low, high = (m.low or 0.0) * factor, (value if m.high is None else m.high) * factor
        floor = max(low, 0.25 * high, 1e-12)  # of a count of zero the lower limit is zero
        spread, scale = max(math.log(max(high, floor * 1.01) / floor) / (2 * NORMAL_975), 0.05), "sd_ln"
        value = value if value > 0.0 else floor
    return Fact(
        link.target, link.kind, value=value, spread=spread, scale=scale, below=below, measured=measured, **about
    )


def _fact(link: ProfileLink, m: Measurement) -> Fact | None:
    from immunescape.population.covariates import LEVELS

    about: dict[str, Any] = {
        "biomarker": m.name,
        "measured": str(m.value),
        "source": link.source,
        "grade": link.grade,
        "note": link.note,
    }
    if link.transformation == "range":
        first, _, last = link.factor.partition("..")
        return Fact(link.target, link.kind, low=float(first), high=float(last), **about)
    level: str | bool = {"true": True, "false": False}.get(link.factor, link.factor)
    if link.transformation == "set":
        return Fact(link.target, link.kind, allowed=(level,), **about)
    if link.transformation == "exclude":
        return Fact(link.target, link.kind, allowed=tuple(w for w in LEVELS[link.target] if w != level), **about)
    return _number(link, m)


def _joined(first: Fact, second: Fact) -> Fact:
    """Two facts about the words of one covariate as one."""
    from dataclasses import replace

    both = tuple(w for w in first.allowed if w in second.allowed)
    if not both:
        raise InputError(
            f"{measured_text(first)} and {measured_text(second)} contradict each other in what they say of "
            f"{biomarker_title(first.target)}",
            hint="Correct one of them, or leave it out.",
        )
    names = dict.fromkeys((*first.biomarker.split(", "), second.biomarker))
    words = dict.fromkeys((*first.measured.split(", "), second.measured))
    return replace(first, allowed=both, biomarker=", ".join(names), measured=", ".join(words))


def facts_of_measurements(measurements: Mapping[str, Measurement]) -> tuple[Fact, ...]:
    """Return what a patient's measurements say about virtual patients.

    Parameters
    ----------
    measurements
        Biomarker -> measurement of one patient.

    Returns
    -------
    tuple of Fact
        Sorted by target, one for each: the first row of the table that applies wins (a score before its stratum).
        Rows that exclude words are put together, and ``range`` rows of several genes give the one with the largest
        share. What is not assessable gives no fact.

    Raises
    ------
    InputError
        For a unit that cannot be converted, and for measurements that contradict each other.
    """
    facts: dict[str, Fact] = {}
    for link in profile_links():
        m = measurements.get(link.biomarker)
        if m is None or m.value is None or not _applies(link, m.value):
            continue
        fact = _fact(link, m)
        if fact is None:
            continue
        earlier = facts.get(link.target)
        if earlier is None:
            facts[link.target] = fact
        elif earlier.allowed and fact.allowed:
            facts[link.target] = _joined(earlier, fact)
        elif earlier.value is None and fact.value is None and not fact.allowed and fact.high > earlier.high:
            facts[link.target] = fact
    return tuple(facts[name] for name in sorted(facts))


def checked(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Facts about covariates checked against what a patient can have.

    Raises
    ------
    InputError
        For a number outside what the covariate can be, as a wrong unit gives it.
    """
    from immunescape.trial.covariates import COVARIATES

    out = tuple(facts)
    for fact in out:
        if fact.kind != "covariate" or fact.value is None:
            continue
        about = COVARIATES[fact.target]
        if not about.low <= fact.value <= about.high:
            raise InputError(
                f"{fact.measured or fact.value} is outside what {about.meaning} can be "
                f"({about.low:g} to {about.high:g} {about.unit})".rstrip(),
                where=titles_text(fact),
                hint="Check the unit; nothing was conditioned on it.",
            )
    return out
