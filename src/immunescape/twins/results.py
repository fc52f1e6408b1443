"""What a measurement that was not made could show in each twin: its possible results, with the error of measurement.

The same table that conditions twins (``profile_to_model.csv``) is read the other way round. Words (a loss, a driver, an
exposure) follow from the twin's own value; numbers are drawn several times with the error of the table and put into
classes of about equal weight, since a result tells no more than its error allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.knowledge.printed_units import printed_unit
from immunescape.knowledge.profile_to_model import ProfileLink, profile_links
from immunescape.profile.biomarkers.words import state_words, within_sentence
from immunescape.twins.covariates import effective
from immunescape.twins.facts import Fact
from immunescape.twins.population import Observables

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PossibleResults", "drawn_results", "in_words", "possible_results", "short_name", "unit_of", "with_unit"]

FloatArray = NDArray[np.float64]
_DRAWS = 8
"""Draws of the error of measurement for each twin."""
_CLASS = 40.0
"""Effective twins that a class of numbers has at least, as far as two classes have so many."""
_ABBREVIATIONS = frozenset(
    "alk b b2m braf cd8 ddr egfr erbb2 hla jak1 jak2 keap1 kras loh mdsc met nk nlr pdl1 pge2 ret ros1 stk11 tgfb tmb "
    "tp53 tps".split()
)


@dataclass(frozen=True, eq=False)
class PossibleResults:
    """Results that a measurement would have in twins.

    Attributes
    ----------
    biomarker, target : what is measured, and what of the twins it reads.
    names : results in words, in order.
    shares : (n, results) probability of each result in each twin; rows add up to 1.
    """

    biomarker: str
    target: str
    names: tuple[str, ...]
    shares: FloatArray


def in_words(biomarker: str) -> str:
    """Title of a biomarker within a sentence; of one that is not registered its name: ``hla_loh`` is HLA LOH."""
    from immunescape.profile.biomarkers.registry import BIOMARKERS

    if biomarker in BIOMARKERS.all():
        return within_sentence(str(BIOMARKERS.get(biomarker).title))
    return short_name(biomarker)


def short_name(biomarker: str) -> str:
    """Name of a biomarker where room is short, as in strata of a design: ``hla_loh`` is HLA LOH."""
    pieces = [p.upper() if p in _ABBREVIATIONS else p for p in biomarker.split("_")]
    return " ".join(pieces).replace("PDL1", "PD-L1")


def unit_of(biomarker: str) -> str:
    """Unit of the results of a biomarker as it is printed; '' where they have none."""
    link = next((link for link in profile_links() if link.biomarker == biomarker), None)
    if link is None:
        return ""
    return "percentile" if link.transformation == "percentile" else printed_unit(link.unit)


def with_unit(text: str, unit: str) -> str:
    """A result of numbers with its unit: ``below 10 /Mb``, ``10 /Mb or more``, ``percentile below 25``."""
    if unit == "percentile":
        return f"percentile {text}"
    number, more, _ = text.partition(" or more")
    return f"{f'{number} {unit}'.rstrip()}{more}"


def possible_results(
    open_questions: Sequence[str],
    facts: Sequence[Fact],
    table: pd.DataFrame,
    weights: FloatArray,
    observables: Observables | None,
    *,
    seed: int = 1,
) -> tuple[tuple[PossibleResults, ...], tuple[tuple[str, str], ...]]:
    """Results that each measurement which was not made would have in the twins.

    Parameters
    ----------
    open_questions
        Biomarkers that are not assessable, as of `PatientRecord`.
    facts
        What the twins were conditioned on: another measurement of the same thing is no open question.
    table, weights
        Twins at diagnosis, (n,) their weights.
    observables
        Observables of the whole population, for percentiles; None leaves those out.
    seed
        Of the error of measurement.

    Returns
    -------
    results, left_out
        One for each biomarker that the twins carry; and (biomarker, reason) of those that they do not.
    """
    settled = {f.target for f in facts if f.value is not None or len(f.allowed) <= 1}
    results, left = [], []
    for k, biomarker in enumerate(sorted(dict.fromkeys(open_questions))):
        links = [link for link in profile_links() if link.biomarker == biomarker]
        if not links:
            left.append((biomarker, "it has no counterpart in the model"))
            continue
        target = links[0].target
        if target in settled:
            left.append((biomarker, f"{target} was measured in another way"))
            continue
        x = _values(links[0], table, observables)
        if x is None:
            left.append((biomarker, f"the twins do not represent {target}"))
        elif links[0].when:
            results.append(PossibleResults(biomarker, target, *_of_words(links, x)))
        else:
            rng = np.random.default_rng([seed, 41, k])
            results.append(PossibleResults(biomarker, target, *_of_numbers(links[0], x.astype(float), weights, rng)))
    return tuple(results), tuple(left)


def drawn_results(table: pd.DataFrame, observables: Observables | None, *, seed: int = 1) -> pd.DataFrame:
    """Draw one result of every measurement that the twins carry (columns named as biomarkers): words, or numbers.

    Numbers hold the error of the table; other arguments as of `possible_results`.
    """
    import pandas as pd

    columns = {}
    for k, biomarker in enumerate(sorted({link.biomarker for link in profile_links()})):
        links = [link for link in profile_links() if link.biomarker == biomarker]
        x = _values(links[0], table, observables)
        if x is None:
            continue
        if links[0].when:
            names, shares = _of_words(links, x)
            columns[biomarker] = np.array(names, dtype=object)[shares.argmax(axis=1)]
        else:
            columns[biomarker] = _seen(links[0], x.astype(float), 1, np.random.default_rng([seed, 47, k]))[0]
    return pd.DataFrame(columns, index=table.index)


def _values(link: ProfileLink, table: pd.DataFrame, observables: Observables | None) -> NDArray[np.generic] | None:
    """What the twins carry of a target (n,), for percentiles as a normal score; None where they do not."""
    if link.kind == "covariate":
        return table[link.target].to_numpy() if link.target in table.columns else None
    if link.kind == "parameter":
        name = f"p:{link.target}"
        return table[name].to_numpy(dtype=float) if name in table.columns else None
    from immunescape.twins.population import observed_names

    if observables is None or not {f"b:{name}" for name in observed_names((link.target,))} <= set(table.columns):
        return None
    return (
        observables.score(table, link.target)
        if link.transformation == "percentile"
        else observables.of(table, link.target)
    )


def _of_words(links: Sequence[ProfileLink], x: NDArray[np.generic]) -> tuple[tuple[str, ...], FloatArray]:
    """Results in words: the first row of the table that a twin meets."""
    names = [" or ".join(state_words(level) for level in link.when) for link in links]
    names = [{"true": "present", "false": "absent"}.get(name, name) for name in names]
    place = np.full(len(x), len(links))
    ranges = []
    for k, link in reversed(list(enumerate(links))):
        if link.transformation == "range":
            low, _, high = link.factor.partition("..")
            ranges.append((float(low), float(high), k))
            met = (x.astype(float) >= float(low)) & (x.astype(float) <= float(high))
        else:
            level = {"true": True, "false": False}.get(link.factor, link.factor)
            met = x.astype(object) == level
            met = ~met if link.transformation == "exclude" else met
        place[met] = k
    if ranges:
        # between two ranges a call goes to the nearer one; below all of them nothing would be called
        value = x.astype(float)
        nearest = np.stack([np.maximum(np.maximum(low - value, value - high), 0.0) for low, high, _ in ranges])
        rest = (place == len(links)) & (value >= min(low for low, _, _ in ranges))
        place[rest] = np.array([k for _, _, k in ranges])[nearest.argmin(axis=0)][rest]
    names.append("none of these" if len(names) > 1 else f"not {names[0]}")
    used = [k for k in range(len(names)) if (place == k).any()]
    return tuple(names[k] for k in used), np.stack([place == k for k in used], axis=1).astype(float)


def _of_numbers(
    link: ProfileLink, x: FloatArray, weights: FloatArray, rng: np.random.Generator
) -> tuple[tuple[str, ...], FloatArray]:
    """Results that are numbers: drawn with their error, in classes of about equal weight."""
    seen = _seen(link, x, _DRAWS, rng)
    unit = unit_of(link.biomarker)
    count = int(np.clip(effective(weights) // _CLASS, 2, 4))
    flat = seen.ravel()
    order = np.argsort(flat)
    below = np.cumsum(np.tile(weights / weights.sum() / _DRAWS, _DRAWS)[order])
    levels = np.arange(1, count) / count
    edges = np.unique(flat[order][np.minimum(np.searchsorted(below, levels), len(flat) - 1)])
    edges = edges[edges > flat.min()]
    place = np.searchsorted(edges, seen, "right")
    shares = np.stack([(place == k).mean(axis=0) for k in range(len(edges) + 1)], axis=1)
    texts = [f"{e:.3g}" for e in edges]
    if not texts:
        return ("any value",), shares
    names = [f"below {texts[0]}", *(f"{a} to {b}" for a, b in pairwise(texts))]
    names.append(f"{texts[-1]} or more")
    return tuple(with_unit(name, unit) for name in names), shares


def _seen(link: ProfileLink, x: FloatArray, draws: int, rng: np.random.Generator) -> FloatArray:
    """Numbers (draws, n) that a measurement of `x` would show, in its unit or as a percentile."""
    from scipy.special import ndtr

    from immunescape.trial.coefficients import coefficients

    noise = rng.standard_normal((draws, len(x)))
    spread = link.spread or 0.0
    if link.spread_scale == "interval":  # a count over a length of the genome
        length = coefficients("twin_errors")["counted_megabases"].value
        seen = rng.poisson(np.maximum(x, 0.0) * length, (draws, len(x))) / length
    elif link.spread_scale == "sd_ln":
        seen = np.maximum(x, 0.0) * np.exp(spread * noise)
    else:
        seen = x + spread * noise
        if link.transformation != "percentile" and (x >= 0.0).all():
            seen = np.maximum(seen, 0.0)  # no assay shows a negative density or share
    return 100.0 * np.asarray(ndtr(seen)) if link.transformation == "percentile" else seen / float(link.factor)
