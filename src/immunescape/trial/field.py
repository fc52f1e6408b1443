"""What lies in the field of radiation: the target that a regimen names, as a share of the patient's cancer cells.

Where the model follows all lesions as one volume, a target is a share of it, from the volumes of the patient's lesions
(`field_share`); where it follows each lesion apart, a lesion is in the field or not (`lane_shares`):

============== ==========================================================================================
target         share of the cancer cells
============== ==========================================================================================
all lesions    all of them
thorax         stage III: all. Stage IV: the largest lesion, and each other one with the probability
               `thoracic_lesion` of ``trial_conduct.csv``
one lesion     a lesion chosen at random, by its part of the volume
brain          `brain_burden` where there are brain metastases, else nothing
============== ==========================================================================================

Lesions that are followed apart but not seen at diagnosis (micrometastases) lie in the field of the thorax in stage
III, else in none. In the one volume, lesions that are no target lesions are as large as the smallest of these,
`other_lesion_mm` at most.

Without a target, stage III is irradiated as ``thorax``; in stage IV fractions of at least `stereotactic_gy` hit
``one lesion``, smaller ones the ``thorax``. The share is multiplied by `in_field_radiotherapy`, the part of a target
that a field takes in.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from immunescape.trial.regimen import DoseRule, Regimen

__all__ = ["TARGETS", "all_lesions", "field_share", "lane_shares", "radiation_rule", "target_of"]

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
    pick, elsewhere = float(rng.uniform()), rng.uniform(size=LARGEST_COUNT)[: len(parts)]
    if target == "all lesions" or (target == "thorax" and stage == "III"):
        return 1.0
    if target == "brain":
        return numbers["brain_burden"] if brain_mets else 0.0
    if target == "one lesion":
        return float(parts[min(int(pick * len(parts)), len(parts) - 1)])
    thoracic = elsewhere < numbers["thoracic_lesion"]
    thoracic[0] = True  # the primary tumour
    return float(parts[thoracic].sum())


def lane_shares(
    target: str,
    seen: int,
    lanes: int,
    stage: str,
    brain_mets: bool,
    numbers: Mapping[str, float],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Share of the cells of each lesion (lanes,) in the target; see the module.

    Parameters
    ----------
    target
        One of `TARGETS`.
    seen, lanes
        Lesions that scans show at diagnosis, the first ones and the largest first, and all that are followed.
    stage, brain_mets, numbers, rng
        As for `field_share`. The brain's metastases are no lesion of their own: their share holds for all.
    """
    pick, elsewhere = float(rng.uniform()), rng.uniform(size=LARGEST_COUNT)[:seen]
    if target == "thorax" and stage == "III":
        return np.ones(lanes)
    if target == "brain":
        return np.full(lanes, numbers["brain_burden"] if brain_mets else 0.0)
    shares = np.zeros(lanes)
    if target == "all lesions":
        shares[:seen] = 1.0
    elif target == "one lesion":
        shares[min(int(pick * seen), seen - 1)] = 1.0
    else:
        shares[:seen] = elsewhere < numbers["thoracic_lesion"]
        shares[0] = 1.0  # the primary tumour
    return shares
