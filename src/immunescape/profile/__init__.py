"""Files of a patient or cohort -> biomarkers -> a call for each resistance mechanism. Nothing is simulated here."""

from __future__ import annotations

from immunescape.errors import refuse_call

refuse_call(__name__, "profile_study")
