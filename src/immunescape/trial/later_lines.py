"""What patients receive after progression where a trial file does not say: a default by line, region and year.

Shares and sources: ``knowledge/data/later_lines.csv``, of patients who progressed and did not cross over; regimens:
``later_line_regimens.csv``. The default speaks only where the file is silent: an arm whose file names a later inhibitor
(or a crossover to one) keeps that and takes over only what the default says of chemotherapy, and the other way round;
``subsequent: []`` gives an arm nothing,
``later_lines: as written`` does so for all arms. It holds for stage IV.

The later inhibitor is the trial's own PD-1 or PD-L1 antibody at its dose, where there is one (so that no other drug
need be simulated), else nivolumab. The year is that of the first patient; without one, four years before the earliest
publication that the file names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from immunescape.knowledge.tables import read_rows
from immunescape.trial.covariates import Criterion
from immunescape.trial.grammar import parse_regimen
from immunescape.trial.regimen import Phase, Regimen
from immunescape.trial.spec import Arm, Choice, PriorLine, Subsequent

__all__ = ["enrolment_year", "with_later_lines"]

PUBLICATION_LAG = 4
"""Years from the first patient to the first publication (assumed)."""
RECENT = 2017
"""Year that is taken where a file names no publication."""
_REGIMEN_COLUMNS = ("treatment", "histology", "regimen", "source", "grade", "note")


def enrolment_year(year: int | None, texts: Iterable[str]) -> int:
    """Year of the first patient: as written, else from the years in `texts` (keys and texts of references)."""
    if year is not None:
        return year
    named = [int(y) for text in texts for y in re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", text)]
    return min(named) - PUBLICATION_LAG if named else RECENT


def with_later_lines(
    arms: Sequence[Arm],
    silent: Sequence[bool],
    *,
    prior: Sequence[PriorLine],
    line: int,
    region: str,
    year: int,
    drugs: Mapping[str, Any],
) -> tuple[Arm, ...]:
    """Arms with the default's later lines added where their file is silent.

    Parameters
    ----------
    arms
        As written.
    silent
        Whether the default may speak for an arm.
    prior
        Lines before the trial.
    line, region, year
        Line of treatment that the trial gives, region, and year of the first patient.
    drugs
        Drugs that regimens may name; where the default's is not among them, it adds nothing.
    """
    trial_regimen = next((r for arm in arms for r in [_inhibitor(arm, drugs)] if r is not None), None)
    out = []
    for arm, may in zip(arms, silent, strict=True):
        had = _had(arm, prior)
        stated = {_kind(c.regimen.drugs) for s in arm.subsequent for c in s.choices}
        if arm.crossover is not None:
            stated |= {_kind(c.regimen.drugs) for c in arm.crossover.choices}
        added = []
        for row in read_rows("later_lines") if may and had else ():
            if (row["line"], row["region"], row["had"]) != (str(min(line, 2)), region, had):
                continue
            if not int(row["first_year"]) <= year <= int(row["last_year"]):
                continue
            kind = "inhibitor" if row["give"] == "inhibitor" else "chemotherapy"
            given = _choices(row["give"], trial_regimen, drugs)
            if kind not in stated and given:
                added.append(Subsequent(given, float(row["fraction"]), stated=False))
        out.append(replace(arm, subsequent=(*arm.subsequent, *added)) if added else arm)
    return tuple(out)


def _choices(give: str, trial_regimen: Regimen | None, drugs: Mapping[str, Any]) -> tuple[Choice, ...]:
    if give == "inhibitor" and trial_regimen is not None:
        return (Choice(trial_regimen),)
    rows = [row for row in read_rows("later_line_regimens", _REGIMEN_COLUMNS) if row["treatment"] == give]
    texts = [row["regimen"] for row in rows]
    names = {"docetaxel", "gemcitabine", "nivolumab", "carboplatin", "pemetrexed", "paclitaxel"}
    if any(name in text and name not in drugs for text in texts for name in names):
        return ()
    regimens = [parse_regimen(text, drugs) for text in texts]
    if len(regimens) == 1:
        return (Choice(regimens[0]),)
    by = [Criterion("histology", (row["histology"],)) for row in rows]
    return tuple(Choice(regimen, when=(when,)) for regimen, when in zip(regimens, by, strict=True))


def _inhibitor(arm: Arm, drugs: Mapping[str, Any]) -> Regimen | None:
    """The arm's PD-1 or PD-L1 antibody by itself, from day 0 on."""
    for choice in arm.choices:
        for rule in choice.regimen.rules:
            targets = set(getattr(drugs.get(rule.drug), "targets", ()))
            if targets and targets <= {"PD-1", "PD-L1", "PD1", "PDL1"}:
                return Regimen((Phase((replace(rule, start_day=1),)),))
    return None


def _kind(drugs: Iterable[str]) -> str:
    from immunescape.trial.toxicity import contains_class

    return "inhibitor" if contains_class(tuple(drugs), "ici") else "chemotherapy"


def _had(arm: Arm, prior: Sequence[PriorLine]) -> str:
    """What an arm's patients have had when they progress on it; empty for treatment that the table does not know."""
    from immunescape.trial.toxicity import contains_class

    given = [d for c in arm.choices for d in c.regimen.drugs]
    before = [d for line in prior for c in line.choices for d in c.regimen.drugs]
    ici, ici_before = contains_class(given, "ici"), contains_class(before, "ici")
    chemotherapy = contains_class(given, "cytotoxic")
    if ici_before:
        return "inhibitor and chemotherapy"
    if ici:
        return "inhibitor and chemotherapy" if chemotherapy else "inhibitor"
    return "chemotherapy" if chemotherapy else ""
