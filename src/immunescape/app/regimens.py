"""Regimens that are proposed while one is being typed: those of shipped trials, and each drug with its dose."""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files

__all__ = ["suggestions"]

_INTERVAL = re.compile(r"every \d+ (?:weeks|days)|weekly|(?:once|twice) daily|daily")


@cache
def suggestions() -> tuple[str, ...]:
    """Return regimen texts, each readable as it stands: of the trials that ship, then one for each drug.

    A drug's text holds the dose of ``knowledge/data/usual_doses.csv`` where its note is an interval and nothing else:
    other notes say that the dose is the largest, or of another disease. Else it is the drug's name, to go on from.
    """
    from immunescape.model.registry import drugs
    from immunescape.trial.grammar import parse_regimen
    from immunescape.trial.loading import list_trials, load_trial

    texts: dict[str, None] = {"none": None}
    for name in list_trials():
        for arm in load_trial(name).arms:
            for choice in arm.choices:
                if choice.regimen.drugs:
                    texts.setdefault(str(choice.regimen))
    table = (files("immunescape.knowledge") / "data" / "usual_doses.csv").read_text(encoding="utf-8")
    usual = {row["name"]: row for row in csv.DictReader(table.splitlines())}
    for drug in sorted(drugs()):
        text = drug
        if row := usual.get(drug):
            dose = f"AUC {row['value']}" if row["unit"] == "AUC" else f"{row['value']} {row['unit']}"
            if _INTERVAL.fullmatch(row["note"].strip()):
                text = f"{drug} {dose} {row['note'].strip()}"
                parse_regimen(text)
        texts.setdefault(text)
    return tuple(texts)
