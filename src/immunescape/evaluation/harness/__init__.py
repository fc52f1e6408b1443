"""One run that scores the model over all trials at hand: what every change of the model is judged on.

See :func:`immunescape.evaluation.harness.run.run_harness`, and ``docs/harness.md`` for the history of its figures.
"""

from immunescape.evaluation.harness.run import Harness, run_harness

__all__ = ["Harness", "run_harness"]
