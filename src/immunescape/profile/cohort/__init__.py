"""Statistics of a cohort: biomarkers against outcomes, treatment interaction, what is missing."""

from immunescape.profile.cohort.association import associate, contrasts
from immunescape.profile.cohort.interaction import Interaction, interaction, interactions
from immunescape.profile.cohort.missingness import missingness, overlap
from immunescape.profile.cohort.outcomes import ENDPOINTS, outcomes, responder

__all__ = [
    "ENDPOINTS",
    "Interaction",
    "associate",
    "contrasts",
    "interaction",
    "interactions",
    "missingness",
    "outcomes",
    "overlap",
    "responder",
]
