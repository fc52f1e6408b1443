"""Which reference a study is compared with, whether each sample is comparable, and the percentiles of its scores.

Scores for percentiles are computed over the reference's genes only, as ranks and counts per million depend on the genes
in a table. Each sample is assessed separately, so that no result depends on other samples of the study.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from immunescape.profile.biomarkers.expression.frozen_reference import (
    SHIPPED,
    FrozenReference,
    histology_class,
    load_reference,
    shipped_reference,
)
from immunescape.profile.biomarkers.expression.sample_scores import scores_of_samples
from immunescape.profile.biomarkers.expression.scoring import log2_values
from immunescape.profile.biomarkers.expression.signatures import signatures
from immunescape.profile.study import Study

__all__ = ["MINIMUM_SHARED", "Place", "ReferenceComparison", "compare", "reference_for", "unlike_samples"]

MINIMUM_SHARED = 0.95
"""Share of a reference's genes that a table must contain (assumed): missing genes shift ranks and totals."""

_FFPE = ("ffpe", "paraffin")
_FROZEN = ("frozen", "fresh", "rnalater")


@dataclass(frozen=True)
class Place:
    """Comparison of one sample with the reference.

    Attributes
    ----------
    stratum, samples : the stratum it is compared with, and its number of samples.
    why_not : why no percentile is given; '' if one is.
    doubt : reasons against the comparison if the user requested it nevertheless.
    """

    stratum: str
    samples: int
    why_not: str = ""
    doubt: str = ""


@dataclass(frozen=True)
class ReferenceComparison:
    """Comparison of a study with a reference.

    Attributes
    ----------
    reference, by_default : the reference; whether it was chosen by default.
    scores : features x samples, over the reference's genes; None if they are the study's own scores.
    places : sample -> place. missing : feature -> genes that the reference used and the study lacks.
    further : the comparison used for scores that the reference lacks, or None.
    """

    reference: FrozenReference
    by_default: bool
    scores: pd.DataFrame | None
    places: Mapping[str, Place]
    missing: Mapping[str, tuple[str, ...]]
    further: ReferenceComparison | None = None

    def percentile(self, feature: str, sample: str, value: float) -> tuple[float | None, str, str]:
        """Return percentile (or None), label of the reference, and a note."""
        if self.further is not None and not self.reference.holds(feature) and self.further.reference.holds(feature):
            return self.further.percentile(feature, sample, value)
        reference, place = self.reference, self.places[sample]
        if place.why_not:
            return None, "", place.why_not
        if self.missing.get(feature):
            names = ", ".join(self.missing[feature][:6])
            return None, "", f"the reference {reference.label} used genes that are not measured here ({names})"
        score = value if self.scores is None else float(self.scores.loc[feature, sample])  # type: ignore[arg-type]
        percentile = reference.percentile(feature, score, place.stratum) if np.isfinite(score) else None
        if percentile is None:
            return None, "", f"the reference {reference.label} lacks this score"
        low, high = _interval(percentile, place.samples)
        stratum = "" if place.stratum == "all" and len(reference.strata) < 2 else f" ({place.stratum})"
        note = f"percentile among {place.samples} samples{stratum}, 95 % interval {low:.0f} to {high:.0f}"
        if reference.bias:
            note += f"; {reference.bias}"
        return percentile, reference.label, "; ".join(n for n in (note, place.doubt) if n)


def _interval(percentile: float, samples: int) -> tuple[float, float]:
    """Return the Clopper-Pearson interval of the share of the population below a value, from the reference's size."""
    from scipy.stats import beta

    below = percentile / 100.0 * samples
    low = 0.0 if below <= 0 else float(beta.ppf(0.025, below, samples - below + 1))
    high = 1.0 if below >= samples else float(beta.ppf(0.975, below + 1, samples - below))
    return 100.0 * low, 100.0 * high


def reference_for(study: Study) -> tuple[FrozenReference | None, bool]:
    """Return the reference of a study and whether it is the shipped one, taken by default for the study's unit."""
    if isinstance(study.expression_reference, FrozenReference):
        return study.expression_reference, False
    if not study.expression_unit:
        return None, True
    return shipped_reference(log2_values(study.expression.iloc[:0], study.expression_unit)[1]), True


def _column_texts(study: Study, column: str) -> dict[str, str]:
    """Return sample -> text in a column of the samples table, else of the patients table."""
    owner = dict(zip(study.samples["sample"], study.samples["patient"], strict=True))
    preservation_of: dict[str, str] = {}
    if column in study.patients.columns:
        preservation = dict(zip(study.patients["patient"], study.patients[column], strict=True))
        preservation_of = {
            str(s): str(preservation[p]) for s, p in owner.items() if isinstance(preservation.get(p), str)
        }
    if column in study.samples.columns:
        rows = zip(study.samples["sample"], study.samples[column], strict=True)
        preservation_of |= {str(s): w for s, w in rows if isinstance(w, str)}
    return preservation_of


def _preservation(stated: str) -> str:
    text = stated.casefold()
    if any(w in text for w in _FFPE):
        return "FFPE"
    return "frozen" if any(w in text for w in _FROZEN) else ""


def _doubts(
    study: Study, reference: FrozenReference, similarities: pd.Series | None, unit: str
) -> dict[str, list[str]]:
    doubts: dict[str, list[str]] = {str(s): [] for s in study.expression.columns}
    kept = _column_texts(study, "preservation")
    for sample, reasons in doubts.items():
        given = _preservation(kept.get(sample, ""))
        if given and reference.preservation and given != _preservation(reference.preservation):
            reasons.append(f"the sample is {given}, the reference {reference.preservation}")
        if similarities is None or reference.floor is None:
            continue
        value, (floor, share) = float(similarities[sample]), reference.floor
        if not value >= floor:
            reasons.append(
                f"its rank correlation with the mean sample of the reference is {value:.2f}, where {share:g} % of the "
                f"reference's own samples reach {floor:.2f}: library, preservation, tissue or unit may differ "
                f"from {unit} of {reference.tissue or 'the reference'}"
            )
    return doubts


def compare(study: Study, scored: bool = True) -> ReferenceComparison | None:
    """Compare a study with its reference; None if there is none in its unit.

    Parameters
    ----------
    study
        A study with expression. ``preservation`` (FFPE, frozen) in the samples or patients table is taken into account.
    scored
        False omits the scores if only the places are needed.

    Returns
    -------
    Comparison
        With an included reference, a sample that differs from the reference gets no percentile. With a reference chosen
        by the user it does, and the note states the doubts.
    """
    reference, by_default = reference_for(study)
    if reference is None:
        return None
    first = _beside(study, reference, by_default, scored)
    if not reference.further:
        return first
    return replace(first, further=_beside(study, load_reference(SHIPPED / reference.further), by_default, scored))


def _beside(study: Study, reference: FrozenReference, by_default: bool, scored: bool) -> ReferenceComparison:
    _, unit = log2_values(study.expression.iloc[:0], study.expression_unit)
    samples = [str(s) for s in study.expression.columns]
    histologies = _column_texts(study, "histology")
    strata = {s: reference.stratum_of(histology_class(histologies.get(s, ""))) for s in samples}
    why = ""
    if reference.unit != unit:
        why = f"no percentile, as the reference {reference.label} is in {reference.unit}, not {unit}"
    genes = [g for g in study.expression.index if g in reference.gene_set] if reference.fixed_genes else []
    if not why and reference.fixed_genes and len(genes) < MINIMUM_SHARED * reference.genes:
        why = (
            f"no percentile, as only {len(genes)} of the {reference.genes} genes of the reference {reference.label} "
            f"were measured and {MINIMUM_SHARED:.0%} are needed"
        )
    scores, similarities, missing = None, None, {}
    if not why and reference.fixed_genes:
        within = replace(study, expression=study.expression.loc[genes])
        scores = scores_of_samples(within, whole=reference.whole)[0] if scored else None
        missing = _missing(reference, set(genes))
        similarities = reference.similarities(log2_values(within.expression, study.expression_unit)[0])
        similarities.index = [str(s) for s in similarities.index]
    doubts = _doubts(study, reference, similarities, unit) if not why else {}
    places = {}
    for sample in samples:
        doubt = "; ".join(doubts.get(sample, ()))
        refused = why or (
            f"not comparable with the reference {reference.label}: {doubt}" if doubt and by_default else ""
        )
        stratum = strata[sample]
        size = reference.strata.get(stratum, reference.samples)
        places[sample] = Place(stratum, size, refused, f"doubtful: {doubt}" if doubt and not refused else "")
    return ReferenceComparison(reference, by_default, scores, places, missing)


def _missing(reference: FrozenReference, have: set[str]) -> dict[str, tuple[str, ...]]:
    """Return feature -> genes used by the reference for the score but missing from the study."""
    used = {name: s.genes for name, s in signatures().items()}
    preservation_of = {}
    for name, genes in used.items():
        lacking = tuple(g for g in genes if g in reference.gene_set and g not in have)
        if lacking:
            preservation_of[name] = lacking
    return preservation_of


def unlike_samples(comparison: ReferenceComparison) -> list[str]:
    """Return the samples that get no percentile, or one with a doubt."""
    return [s for s, place in comparison.places.items() if place.why_not or place.doubt]
