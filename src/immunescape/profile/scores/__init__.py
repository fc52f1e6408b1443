"""Published response scores of one patient, shown side by side and never averaged."""

from immunescape.profile.scores.loris import loris_nsclc, loris_score
from immunescape.profile.scores.records import Score
from immunescape.profile.scores.side_by_side import disagreement, scores_of

__all__ = ["Score", "disagreement", "loris_nsclc", "loris_score", "scores_of"]
