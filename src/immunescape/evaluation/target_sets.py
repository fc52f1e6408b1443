"""All that a data folder holds to fit to, for the trials at hand; held-out patients are left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from immunescape.errors import InputError
from immunescape.evaluation.outcome_targets import (
    UNTREATED,
    best_response_targets,
    clone_targets,
    cohort_responders,
    curve_crossings,
    immune_targets,
    oak_crossing,
    oak_responders,
    odds_targets,
    responder_targets,
)
from immunescape.evaluation.targets import (
    Target,
    ctdna_targets,
    curve_targets,
    kinetics_targets,
    oak_targets,
    response_by_btmb,
    response_by_histology,
    response_by_pdl1,
    response_by_size,
    response_by_sp142,
    response_by_tmb,
    stratum_targets,
    trial_targets,
)
from immunescape.trial.spec import Trial

__all__ = ["MONO_ARMS", "all_targets", "data_targets"]

MONO_ARMS = (
    ("oak", "atezolizumab"),
    ("checkmate-017", "nivolumab"),
    ("checkmate-057", "nivolumab"),
    ("all-comers-pembrolizumab", "pembrolizumab"),
)
"""Arms with a checkpoint inhibitor alone, of unselected PD-L1, that stand beside a cohort's response by biomarker; the
last is no trial but the first-line patients of such a cohort (``harness/protocols``)."""
RELAPSE_ARMS = (("keynote-024", "pembrolizumab"), *MONO_ARMS)
"""Arms whose patients with acquired resistance to an inhibitor alone are looked at for clones."""


def all_targets(trials: Sequence[Trial], data: Path | None) -> list[Target]:
    """Targets of the trials' published results and of the data folder.

    A protocol without published results takes part where patients' data stand beside one of its arms (`MONO_ARMS`).

    Raises
    ------
    InputError
        For a trial that has neither published results nor data to stand beside, or a wrong folder.
    """
    beside = {name for name, _ in MONO_ARMS} if data is not None else set()
    published = [t for trial in trials if trial.published or trial.name not in beside for t in trial_targets(trial)]
    return published + data_targets(data, trials)


def data_targets(data: Path | None, trials: Sequence[Trial]) -> list[Target]:
    """Targets from the data folder for the trials at hand; held-out patients are left out."""
    if data is None:
        return []
    if not data.is_dir():
        raise InputError("no such folder of data", where=str(data), hint="Leave --data out to fit to trials alone.")
    collected = curve_targets(data / "km", trials) if (data / "km").is_dir() else []
    arms = [a for a in MONO_ARMS if a[0] in {t.name for t in trials}]
    if (data / "loris").is_dir() and arms:
        collected += stratum_targets(
            response_by_pdl1(data / "loris", "training"), arms, "chowell2022;chang2024", "PD-(L)1 blockade"
        )
        for cells in response_by_tmb(data / "loris", "training").values():
            if all(0 < responders < n for responders, n in cells.values()):
                collected += stratum_targets(cells, arms, "chowell2022;chang2024", "PD-(L)1 blockade")
    table = data / "oak" / "oak_clinical.csv"
    if table.is_file() and "oak" in {t.name for t in trials}:
        collected += oak_targets(table, "training") + ctdna_targets(table, "training")
        by_pdl1 = response_by_sp142(table, "training")
        collected += stratum_targets(by_pdl1, [("oak", "atezolizumab")], "gandara2018", "atezolizumab")
        for split in (response_by_size, response_by_histology, response_by_btmb):
            for key, rates in split(table, "training").items():
                collected += stratum_targets(rates, [key], "gandara2018", key[1])
        collected += best_response_targets(table, "training") + oak_crossing(table, "training")
        for key, rows in oak_responders(table, "training").items():
            collected += responder_targets(rows, [key], "gandara2018", f"{key[0]}: {key[1]}")
    collected += _further_targets(data, trials, arms)
    lesions = data / "tumour_kinetics" / "oak.csv"
    if lesions.is_file() and "oak" in {t.name for t in trials}:
        collected += kinetics_targets(lesions, "training")
    if not collected:
        raise InputError(
            "the folder contains none of km/, loris/, oak/oak_clinical.csv and tumour_kinetics/oak.csv", where=str(data)
        )
    return collected


def _further_targets(data: Path, trials: Sequence[Trial], arms: Sequence[tuple[str, str]]) -> list[Target]:
    """Courses, clones, odds ratios and immune cells, as far as the folder and the trials have them."""
    names = {t.name for t in trials}
    collected = curve_crossings(data / "km", names) if (data / "km").is_dir() else []
    if (data / "loris").is_dir() and arms:
        rows = cohort_responders(data / "loris", "training")
        if rows:
            collected += responder_targets(rows, arms, "chowell2022;chang2024", "PD-(L)1 blockade")
    if arms:
        collected += odds_targets(data, arms)
    immune = data / "qsp_io" / "observed_immune_ratios_log.csv"
    if immune.is_file() and any(trial in names for trial, _ in UNTREATED):
        collected += immune_targets(immune)
    alone = [a for a in RELAPSE_ARMS if a[0] in names]
    if collected and alone:
        collected += clone_targets(alone)
    return collected
