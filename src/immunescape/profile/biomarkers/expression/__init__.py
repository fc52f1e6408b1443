"""Expression: signatures, cell scores and genes, scored within one sample; percentiles from a frozen reference."""

from immunescape.profile.biomarkers.expression import measuring  # registers the biomarkers
from immunescape.profile.biomarkers.expression.comparison import (
    ReferenceComparison,
    compare,
    reference_for,
    unlike_samples,
)
from immunescape.profile.biomarkers.expression.frozen_reference import (
    FrozenReference,
    available_references,
    load_reference,
    reference_build,
    reference_target,
    shipped_reference,
)
from immunescape.profile.biomarkers.expression.sample_scores import MINIMUM_GENES, chosen_samples, scores_of_samples
from immunescape.profile.biomarkers.expression.scoring import mean_rank, mean_score, ssgsea, zscore
from immunescape.profile.biomarkers.expression.signatures import Signature, signatures

__all__ = [
    "MINIMUM_GENES",
    "FrozenReference",
    "ReferenceComparison",
    "Signature",
    "available_references",
    "chosen_samples",
    "compare",
    "load_reference",
    "mean_rank",
    "mean_score",
    "measuring",
    "reference_build",
    "reference_for",
    "reference_target",
    "scores_of_samples",
    "shipped_reference",
    "signatures",
    "ssgsea",
    "unlike_samples",
    "zscore",
]
