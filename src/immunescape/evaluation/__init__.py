"""Judges the model: the review's claims as tests, sensitivity of what trials measure."""
