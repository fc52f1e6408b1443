"""The split of the real patients that no model, hazard, probability or link of the project may be fitted to.

A patient is held out where ``SHA-256("STUDY:ID") mod 100 >= 70``, the digest read as one big-endian integer; STUDY is
the salt. The rule needs no list of patients, does not depend on the order of rows, and any program can repeat it.

================= ============================================== ==============
study             table                                          identifier
================= ============================================== ==============
``oak``           ``oak_clinical.csv`` (gandara2018)             ``PtID``
``loris_chowell`` ``chowell_train_nsclc.csv`` (chang2024)        ``SAMPLE_ID``
``loris_shim``    ``shim_nsclc.csv`` (chang2024)                 ``SAMPLE_ID``
``toposcore``     ``DS1_oncology_clinical_data…`` (derosa2024)   ``Group``
================= ============================================== ==============
"""

from __future__ import annotations

import hashlib

from immunescape.errors import unknown_word

__all__ = ["HELD_OUT_PERCENT", "STUDIES", "is_held_out"]

HELD_OUT_PERCENT = 30
STUDIES = ("oak", "loris_chowell", "loris_shim", "toposcore")


def is_held_out(study: str, patient: object) -> bool:
    """Tell whether a patient belongs to the 30 % that nothing is fitted to.

    Parameters
    ----------
    study
        One of `STUDIES`.
    patient
        Identifier as it stands in the study's table; a number is written without decimals.

    Raises
    ------
    InputError
        For a study without a split.
    """
    if study not in STUDIES:
        raise unknown_word("study", study, STUDIES)
    identifier = str(int(patient)) if isinstance(patient, float) and patient.is_integer() else str(patient).strip()
    digest = int(hashlib.sha256(f"{study}:{identifier}".encode()).hexdigest(), 16)
    return digest % 100 >= 100 - HELD_OUT_PERCENT
