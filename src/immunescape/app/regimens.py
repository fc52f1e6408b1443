"""Regimens that are proposed while one is being typed: those of shipped trials, and each drug with its dose."""

from __future__ import annotations

import re
from functools import cache

__all__ = ["suggestions"]

_INTERVAL = re.compile(r"every \d+ (?:weeks|days)|weekly|(?:once|twice) daily|daily")


@cache
def suggestions() -> tuple[str, ...]:
    """Return regimen texts, each readable as it stands: of the trials that ship, then one for each drug.

    A drug's text holds its largest usual dose where its note is an interval and nothing else:
    other notes say that the dose is the largest, or of another disease. Else it is the drug's name, to go on from.
    """
    from immunescape.model.drug_tables import usual_doses
    from immunescape.model.registry import drugs
    from immunescape.trial.grammar import parse_regimen
    from immunescape.trial.loading import list_trials, load_trial
    from immunescape.trial.tokens import number_text

    texts: dict[str, None] = {"none": None}
    for name in list_trials():
        for arm in load_trial(name).arms:
            for choice in arm.choices:
                if choice.regimen.drugs:
                    texts.setdefault(str(choice.regimen))
    usual = usual_doses()
    for drug in sorted(drugs()):
        text = drug
        if largest := usual.get(drug):
            amount = number_text(largest.value)
            dose = f"AUC {amount}" if largest.unit == "AUC" else f"{amount} {largest.unit}"
            if _INTERVAL.fullmatch(largest.note):
                text = f"{drug} {dose} {largest.note}"
                parse_regimen(text)
        texts.setdefault(text)
    return tuple(texts)
