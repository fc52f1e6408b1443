"""Files of a patient or cohort -> biomarkers -> a call for each resistance mechanism. Nothing is simulated here."""
