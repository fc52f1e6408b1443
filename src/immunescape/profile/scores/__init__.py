"""Published response scores side by side, never averaged; and one calibrated probability from whatever was measured."""

from immunescape.profile.scores.blood_scores import blood_scores
from immunescape.profile.scores.loris import loris_nsclc, loris_score
from immunescape.profile.scores.records import Score
from immunescape.profile.scores.response import ResponseEstimate, response_probability, response_table
from immunescape.profile.scores.side_by_side import disagreement, scores_of

__all__ = [
    "ResponseEstimate",
    "Score",
    "blood_scores",
    "disagreement",
    "loris_nsclc",
    "loris_score",
    "response_probability",
    "response_table",
    "scores_of",
]
