"""Statistics of a cohort: biomarkers against outcomes, treatment interaction, curves, what is missing."""

from immunescape.profile.cohort.association import associate, contrasts
from immunescape.profile.cohort.discrimination import Estimate, auc, benjamini_hochberg, fisher, logistic
from immunescape.profile.cohort.interaction import Interaction, interaction, interactions
from immunescape.profile.cohort.missingness import missingness, overlap
from immunescape.profile.cohort.outcomes import ENDPOINTS, outcomes, responder
from immunescape.profile.cohort.survival import CoxFit, Curve, cox, kaplan_meier

__all__ = [
    "ENDPOINTS",
    "CoxFit",
    "Curve",
    "Estimate",
    "Interaction",
    "associate",
    "auc",
    "benjamini_hochberg",
    "contrasts",
    "cox",
    "fisher",
    "interaction",
    "interactions",
    "kaplan_meier",
    "logistic",
    "missingness",
    "outcomes",
    "overlap",
    "responder",
]
