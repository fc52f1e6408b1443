"""The data folder of the scoreboard: measured lesions and cohorts of real patients, none of which ships.

===================================== ====================================================================
``tumour_kinetics/oak.csv``, also     one target lesion a patient, released with ``laleh2022``: columns
``birch.csv`` and ``fir.csv``         ``Patient_Anonmyized, Treatment_Day, TargetLesionLongDiam_mm, Study_Arm``
``oak/oak_clinical.csv``              patients of OAK, released with ``gandara2018``: columns ``TRT01P, BCOR, blSLD``
``loris/*.csv``                       patients with NSCLC of the cohorts of ``chang2024``: columns
                                      ``PDL1_TPS(%), Systemic_therapy_history, Drug, Response``
===================================== ====================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from immunescape.errors import InputError
from immunescape.evaluation.cohort_response import MeasuredCohort, read_cohorts
from immunescape.evaluation.kinetics import read_lesions
from immunescape.evaluation.lesion_comparison import FILES, Lesions
from immunescape.evaluation.targets import response_by_size

__all__ = ["HOW", "PatientData"]

HOW = (
    "Measured lesions and response by PD-L1 and by size are compared with --data FOLDER, which contains "
    "tumour_kinetics/oak.csv, birch.csv and fir.csv (the lesions released with doi 10.1371/journal.pcbi.1009822), "
    "loris/*.csv (the NSCLC cohorts of doi 10.1038/s43018-024-00772-7) and oak/oak_clinical.csv (the supplement of doi "
    "10.1038/s41591-018-0134-3). They are not part of this package."
)


@dataclass(frozen=True, eq=False)
class PatientData:
    """What a data folder holds.

    Attributes
    ----------
    lesions : file -> study arm -> patient -> (days, mm). cohort : None where there is no table.
    by_size : (trial, arm) -> stratum of the sum of diameters -> (responders, patients).
    notes : parts that are missing, and patients that were left out.
    """

    lesions: Mapping[str, Lesions]
    cohort: MeasuredCohort | None
    by_size: Mapping[tuple[str, str], Mapping[str, tuple[int, int]]]
    notes: tuple[str, ...]

    @classmethod
    def read(cls, folder: str | Path) -> PatientData:
        """Read what is there of the folder.

        Raises
        ------
        InputError
            If the folder is missing, or nothing in it; for a bad cell, with file and row.
        """
        root = Path(folder)
        if not root.is_dir():
            raise InputError("no such folder", where=str(folder), hint=HOW)
        tables = {name: root / "tumour_kinetics" / name for name in FILES}
        lesions = {name: read_lesions(path) for name, path in tables.items() if path.is_file()}
        paths = sorted((root / "loris").glob("*.csv"))
        notes = [f"Missing: {path}; its lesions are left out." for path in tables.values() if not path.is_file()]
        cohort = None
        if paths:
            cohort = read_cohorts(paths)
            if cohort.left_out:
                notes.append(
                    f"Patients left out for missing PD-L1, prior therapy, drug or response: {cohort.left_out}."
                )
        else:
            notes.append(f"Missing: {root / 'loris'}/*.csv; response by PD-L1 is left out.")
        clinical = root / "oak" / "oak_clinical.csv"
        by_size = response_by_size(clinical) if clinical.is_file() else {}
        if not by_size:
            notes.append(f"Missing: {clinical}; response by size is left out.")
        if not lesions and cohort is None and not by_size:
            raise InputError("this folder contains no data to compare with", where=str(folder), hint=HOW)
        return cls(lesions, cohort, by_size, tuple(notes))
