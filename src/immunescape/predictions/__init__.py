"""Predictions of trials whose results were not known, entered once and never changed, and the results beside them.

A folder of predictions holds ``protocols/`` (a trial file each), ``records/`` (a prediction each: protocol, figures,
date, version, seeds), ``ledger.csv`` (a hash over every record, chained to the one before) and ``outcomes.yaml`` (what
was published later). The folder that ships is this package; a user may keep another one.
"""

from immunescape.predictions.ledger import (
    Outcome,
    Prediction,
    check_ledger,
    enter_outcome,
    enter_prediction,
    last_hash,
    open_protocols,
    read_outcomes,
    read_predictions,
    shipped_folder,
)

__all__ = [
    "Outcome",
    "Prediction",
    "check_ledger",
    "enter_outcome",
    "enter_prediction",
    "last_hash",
    "open_protocols",
    "read_outcomes",
    "read_predictions",
    "shipped_folder",
]
