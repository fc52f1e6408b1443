"""Trial designs: boundaries, sample size, interim decisions, and their operating characteristics."""

from __future__ import annotations

from immunescape.errors import refuse_call

refuse_call(__name__, "load_design")
