"""One virtual patient: drawn with given covariates or taken from a trial, simulated under any regimen, plotted."""

from __future__ import annotations

from immunescape.patients.course import PatientCourse
from immunescape.patients.courses import PatientCourses
from immunescape.patients.draw import draw_patient, patient_of_run, patient_of_trial, patient_of_twins
from immunescape.patients.simulate import regimen_text
from immunescape.patients.virtual_patient import VirtualPatient

__all__ = [
    "PatientCourse",
    "PatientCourses",
    "VirtualPatient",
    "draw_patient",
    "patient_of_run",
    "patient_of_trial",
    "patient_of_twins",
    "regimen_text",
]
