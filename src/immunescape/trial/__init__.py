"""What is done to virtual patients: regimens, trials, endpoints, survival."""

from __future__ import annotations

from immunescape.errors import refuse_call

refuse_call(__name__, "load_trial")

WORKER_IMPORTS = (
    "pandas",
    "scipy.special",
    "immunescape.trial.simulate",
    "immunescape.trial.blocks",
    "immunescape.engine.native.engine",
    "immunescape.model.stored",
    "immunescape.population.blocks",
    "immunescape.population.linking",
)
"""Modules that the processes that simulate patients need."""
