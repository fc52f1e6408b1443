"""Expression: signatures, cell scores and single genes, scored within one sample; percentiles by a frozen reference."""

from immunescape.profile.biomarkers.expression.measuring import MINIMUM_GENES, chosen_samples, scores_of_samples
from immunescape.profile.biomarkers.expression.reference import (
    Reference,
    load_reference,
    reference_build,
    reference_target,
    references_known,
)
from immunescape.profile.biomarkers.expression.scoring import mean_rank, mean_score, ssgsea, zscore
from immunescape.profile.biomarkers.expression.signatures import Signature, signatures

__all__ = [
    "MINIMUM_GENES",
    "Reference",
    "Signature",
    "chosen_samples",
    "load_reference",
    "mean_rank",
    "mean_score",
    "reference_build",
    "reference_target",
    "references_known",
    "scores_of_samples",
    "signatures",
    "ssgsea",
    "zscore",
]
