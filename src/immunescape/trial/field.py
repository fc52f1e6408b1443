"""What lies in the field of radiation: the target that a regimen names, as a share of the patient's cancer cells.

Where each lesion is simulated apart, a field takes in whole lesions of those that have been seen. Where the model
follows all lesions as one volume, a target is a share of it, from the volumes of the patient's lesions:

============== ==========================================================================================
target         share of the cancer cells
============== ==========================================================================================
all lesions    all of them
thorax         stage III: all. Stage IV: the largest lesion, and each other one with the probability
               `thoracic_lesion` of ``trial_conduct.csv``
one lesion     a lesion chosen at random, by its part of the volume
brain          `brain_burden` where there are brain metastases, else nothing
============== ==========================================================================================

Lesions that are no target lesions are as large as the smallest of these, `other_lesion_mm` at most.

Without a target, stage III is irradiated as ``thorax``; in stage IV fractions of at least `stereotactic_gy` hit
``one lesion``, smaller ones the ``thorax``. The share is multiplied by `in_field_radiotherapy`, the part of a target
that a field takes in.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from immunescape.trial.regimen import DoseRule, Regimen

__all__ = ["TARGETS", "all_lesions", "field_share", "in_field", "radiation_rule", "target_of"]

TARGETS = ("thorax", "all lesions", "brain", "one lesion")
"""Targets that a regimen may name."""
LARGEST_COUNT = 64
"""Lesions that are told apart."""


def radiation_rule(regimen: Regimen) -> DoseRule | None:
    """The regimen's first rule in Gy; None without radiation."""
    return next((rule for rule in regimen.rules if rule.unit == "Gy"), None)


def target_of(rule: DoseRule, stage: str, numbers: Mapping[str, float]) -> str:
    """The target of a course of radiation: as written, or the default of the stage."""
    if rule.target is not None:
        return rule.target
    return "one lesion" if stage != "III" and rule.amount >= numbers["stereotactic_gy"] else "thorax"


def all_lesions(targets_mm: ArrayLike, count: int, numbers: Mapping[str, float]) -> NDArray[np.float64]:
    """Volumes (k,) of a patient's lesions, the largest first: target lesions, and the others of `count` in all."""
    diameters = np.sort(np.asarray(targets_mm, dtype=np.float64))[::-1]
    others = np.full(max(count - len(diameters), 0), min(diameters[-1], numbers["other_lesion_mm"]))
    return np.concatenate([diameters, others]) ** 3


def field_share(
    target: str,
    volumes: ArrayLike,
    stage: str,
    brain_mets: bool,
    numbers: Mapping[str, float],
    rng: np.random.Generator,
) -> float:
    """Share of a patient's cancer cells in the target; see the module.

    Parameters
    ----------
    target
        One of `TARGETS`.
    volumes
        (k,) volumes of the lesions, the largest first, in any unit.
    stage, brain_mets
        Of the patient.
    numbers
        ``thoracic_lesion``, ``brain_burden``.
    rng
        The patient's own; as many numbers are drawn whatever the target.
    """
    parts: NDArray[np.float64] = np.asarray(volumes, dtype=np.float64)
    parts = parts[:LARGEST_COUNT] / parts[:LARGEST_COUNT].sum()
    return float(parts @ in_field(target, len(parts), stage, brain_mets, numbers, rng))


def in_field(
    target: str, count: int, stage: str, brain_mets: bool, numbers: Mapping[str, float], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Share of each of `count` lesions, the largest first, that lies in the target; arguments as in `field_share`."""
    pick, elsewhere = float(rng.uniform()), rng.uniform(size=LARGEST_COUNT)[:count]
    if target == "all lesions" or (target == "thorax" and stage == "III"):
        return np.ones(count)
    if target == "brain":
        return np.full(count, numbers["brain_burden"] if brain_mets else 0.0)
    reached = np.zeros(count)
    if target == "one lesion":
        reached[min(int(pick * count), count - 1)] = 1.0
    else:
        reached[elsewhere < numbers["thoracic_lesion"]] = 1.0
        reached[0] = 1.0  # the primary tumour
    return reached
