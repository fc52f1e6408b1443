"""What a patient's line and history say of the strategies of the profile.

Strategies are matched to mechanisms; trials and earlier treatment decide whether a class of regimen still makes sense.
Each strategy names its classes of regimen (``kinds`` in ``strategies.yaml``), in the words of the table of evidence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from immunescape.knowledge.strategies import load_strategies
from immunescape.twins.options import Setting, kind_of, kind_words, level_of, setting_of
from immunescape.twins.recorded_patient import PatientRecord
from immunescape.twins.records import record_of_history

if TYPE_CHECKING:
    from immunescape.knowledge.profile_records import PatientProfile
    from immunescape.profile.strata import Option
    from immunescape.profile.study import Study

__all__ = ["cautions_of", "strategies_in_setting"]

_PHASE_3 = ("3", "2/3")


def strategies_in_setting(study: Study, profile: PatientProfile) -> tuple[Option, ...]:
    """Strategies of a patient with what line and history say of them; those with a caution come after those without.

    Parameters
    ----------
    study
        What was read of the folder; all treatments that it records count as history.
    profile
        The patient's profile.

    Returns
    -------
    The strategies of the profile with ``cautions``, in the order: nothing against it, a caution, a mechanism that takes
    away what it needs; within each by tier, as before.
    """
    if not profile.options:
        return ()
    record = record_of_history(study, profile)
    setting = setting_of(record)
    strategies = load_strategies().strategies
    with_cautions = [
        replace(o, cautions=cautions_of(strategies[o.strategy].kinds, record, setting)) for o in profile.options
    ]
    # a strategy whose trials all failed (tier N) is no better than one that failed in this setting
    return tuple(sorted(with_cautions, key=lambda o: (bool(o.against), bool(o.cautions) or o.tier == "N")))


def cautions_of(kinds: Iterable[str], record: PatientRecord, setting: Setting) -> tuple[str, ...]:
    """Sentences that speak against classes of regimen in a setting; none where nothing does.

    Parameters
    ----------
    kinds
        Classes of regimen.
    record, setting
        The patient's history and setting.
    """
    cautions: list[str] = []
    failed = [line for line in record.history if line.progressed and line.drugs]
    for kind in kinds:
        named = kind_words(kind)
        parts = set(kind.split(" and "))
        on_class = [line for line in failed if parts <= set(kind_of(line.drugs).split(" and "))]
        if on_class:
            cautions.append(
                f"{named}: the disease progressed on this class ({on_class[-1].title}); it requires a reason"
            )
            continue
        level, rows = level_of(kind, setting)
        if level == "contradicted":
            names = ", ".join(r.trial for r in rows if r.result == "negative" and r.phase in _PHASE_3)
            cautions.append(f"{named}: contradicted in this setting ({names})")
        elif setting.had_inhibitor and "ici" in parts and not any(_supports(r.result, r.had_inhibitor) for r in rows):
            cautions.append(f"{named}: no trial supports it after a PD-(L)1 antibody, which was given before")
    return tuple(dict.fromkeys(cautions))


def _supports(result: str, had_inhibitor: str) -> bool:
    """Whether a trial in patients who had an inhibitor speaks for the class."""
    return result in ("positive", "single_arm") and had_inhibitor != "no"
