"""Signatures, cell scores and single genes of each patient, as biomarkers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.expression.comparison import ReferenceComparison, compare
from immunescape.profile.biomarkers.expression.sample_scores import (
    MINIMUM_GENES,
    chosen_samples,
    coverage_of,
    scores_of_samples,
)
from immunescape.profile.biomarkers.expression.signatures import GENES, Signature, signatures
from immunescape.profile.biomarkers.registry import Biomarker, register, shared
from immunescape.profile.study import Study


def _why(study: Study, signature: Signature | None, gene: str | None) -> str:
    genes = len(study.expression)
    if gene is not None and gene not in study.expression.index:
        return f"{gene} is not in the expression table"
    if signature is not None:
        coverage = coverage_of(study, signature)
        if coverage < signature.min_coverage:
            missing = [g for g in signature.genes if g not in study.expression.index]
            return (
                f"{len(signature.genes) - len(missing)} of {len(signature.genes)} genes were measured, "
                f"{signature.min_coverage:.0%} are needed (missing: {', '.join(missing[:6])})"
            )
    if genes < MINIMUM_GENES:
        return f"{genes} genes were measured; ranks and counts per million require {MINIMUM_GENES}"
    return "no value for this sample"


def _measure(study: Study, name: str) -> Mapping[str, Measurement]:
    scores, units = shared(study, "expression scores", scores_of_samples)
    samples = shared(study, "expression samples", chosen_samples)
    signature = signatures().get(name)
    gene = None if signature else name.removeprefix("expression_")
    coverage = coverage_of(study, signature) if signature else float(gene in study.expression.index)
    citation = signature.references if signature else ()
    method = _method(signature)
    source = study.sources.get("expression", ())
    comparison = shared(study, "expression reference", compare)
    measurements = {}
    row = dict(zip(scores.columns, scores.loc[name].to_numpy(float), strict=True))
    for patient, sample in samples.items():
        value = float(row[sample])
        if not np.isfinite(value):
            measurements[patient] = Measurement.not_assessable(
                name,
                units.get(name, ""),
                _why(study, signature, gene),
                method=method,
                citation=citation,
                coverage=coverage,
                source=source,
                sample=sample,
            )
            continue
        percentile, label, note = _percentile(comparison, name, sample, value)
        measurements[patient] = Measurement(
            name,
            value,
            units[name],
            "measured",
            method=method,
            citation=citation,
            coverage=coverage,
            source=source,
            sample=sample,
            percentile=percentile,
            reference=label,
            note="; ".join(n for n in (signature.note if signature else "", note) if n),
        )
    return measurements


def _percentile(
    comparison: ReferenceComparison | None, name: str, sample: str, value: float
) -> tuple[float | None, str, str]:
    if comparison is None:
        return None, "", "no reference is loaded, so there is no percentile (immunescape reference build)"
    return comparison.percentile(name, sample, value)


def _method(signature: Signature | None) -> str:
    if signature is None:
        return "log2 of the normalised expression of one gene"
    if signature.method == "ssgsea":
        return "single-sample GSEA (raw score, ties as GSVA 1.46) over the number of ranked genes"
    if signature.method == "mean_log2":
        return "mean of the genes' log2 values"
    return "geometric mean of the genes"


_LIMITS = "Bulk tissue: purity and sampling affect every score; fresh and FFPE samples are not comparable."
for _signature in signatures().values():
    register(
        Biomarker(
            name=_signature.name,
            title=_signature.title,
            family="expression",
            unit={"ssgsea": "ES/n", "mean_log2": "log2", "geometric_mean": "TPM"}[_signature.method],
            definition=f"{_method(_signature)}: {', '.join(_signature.genes)}. {_signature.note}".strip(),
            function=partial(_measure, name=_signature.name),
            needs=("expression",),
            references=_signature.references,
            limits=_LIMITS + (" Gene list compiled for this software." if _signature.source == "assumed" else ""),
        )
    )
for _gene in GENES:
    register(
        Biomarker(
            name=f"expression_{_gene}",
            title=f"Expression of {_gene}",
            family="expression",
            unit="log2",
            definition="log2(TPM + 1); log2(CPM + 1) where counts were given.",
            function=partial(_measure, name=f"expression_{_gene}"),
            needs=("expression",),
            limits=_LIMITS,
        )
    )
