"""Guideline group of each patient and the strategies that match the mechanisms called; for research only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from immunescape.knowledge.profile_records import Measurement
from immunescape.knowledge.strategies import TrialEvidence, load_strata, load_strategies
from immunescape.profile.calls.caller import CallTable
from immunescape.profile.calls.logic import MeasurementColumns, evaluate

__all__ = ["Option", "StratumCall", "options_of", "strata_of"]

_TIERS = "ABCDN"


@dataclass(frozen=True)
class StratumCall:
    """Guideline group of one patient.

    Attributes
    ----------
    name, title : group, or ``not_assessable``.
    options : what guidelines list for the group.
    caveat : drivers that were not tested, or why there is no group.
    citation : keys of ``knowledge/references.bib``.
    """

    name: str
    title: str
    options: tuple[str, ...] = ()
    caveat: str = ""
    citation: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Option:
    """A strategy that the review matches to a mechanism that this patient shows.

    Attributes
    ----------
    strategy, title, tier, rationale : as in the table of strategies; the tier is that of its evidence.
    because : mechanisms of this patient that it is directed against.
    uncertain : those of them that are conflicting, not present.
    against : mechanisms of this patient that take away what it needs.
    trials : its trials, negative ones too.
    cautions : what the patient's line and history say against it, in sentences; none where that was not looked at.
    """

    strategy: str
    title: str
    tier: str
    rationale: str
    because: tuple[str, ...]
    uncertain: tuple[str, ...]
    against: tuple[str, ...]
    trials: tuple[TrialEvidence, ...]
    cautions: tuple[str, ...] = ()


def strata_of(biomarkers: Mapping[str, Mapping[str, Measurement]], patients: Sequence[str]) -> dict[str, StratumCall]:
    """Guideline group of every patient: driver first, then PD-L1.

    A group by PD-L1 is given where no driver was found; drivers that were not tested are named in the caveat,
    and where none was tested the title says so.
    """
    table = load_strata()
    columns = MeasurementColumns(biomarkers, patients)
    truth = [evaluate(s.when, columns) for s in table.strata]
    calls: dict[str, StratumCall] = {}
    for i, patient in enumerate(patients):
        untested, further = (
            [_driver(name) for name in tests if _untested(biomarkers.get(name, {}).get(patient))]
            for tests in (table.driver_tests, table.further_driver_tests)
        )
        open_drivers = ", ".join((*untested, *further))
        caveat = f"not excluded: {open_drivers}" if open_drivers else ""
        chosen = next((s for s, t in zip(table.strata, truth, strict=True) if t[i] == 1), None)
        if chosen is None:
            why = table.not_assessable + (f"; {caveat}" if caveat else "")
            calls[patient] = StratumCall("not_assessable", "Not assessable", (), why)
        else:
            said = "" if chosen.name == "driver" else caveat
            title = chosen.title
            if chosen.name != "driver" and len(untested) == len(table.driver_tests):
                title = title.replace("No targetable driver detected", "Drivers not tested")
            calls[patient] = StratumCall(chosen.name, title, tuple(chosen.options), said, tuple(chosen.citation))
    return calls


def _untested(m: Measurement | None) -> bool:
    """Whether nothing is known of a driver, or only that a change of unknown significance was found."""
    return m is None or m.value is None or m.value == "variant_of_unknown_significance"


def _driver(name: str) -> str:
    """A driver as a caveat names it: ``EGFR``, ``BRAF V600``."""
    return name.removesuffix("_status").upper().replace("_", " ")


def options_of(calls: CallTable, biomarkers: Mapping[str, Mapping[str, Measurement]]) -> dict[str, tuple[Option, ...]]:
    """Strategies that match the mechanisms called present (or conflicting) in every patient, best evidence first."""
    table = load_strategies()
    rules = calls.rules.mechanisms
    states = calls.states.to_numpy()
    place = {m: j for j, m in enumerate(calls.mechanisms)}
    options: dict[str, tuple[Option, ...]] = {}
    for i, patient in enumerate(calls.patients):
        chosen = []
        for name, strategy in table.strategies.items():
            state = {m: states[i, place[m]] for m in strategy.mechanisms if m in place and not rules[m].context}
            present = tuple(m for m, s in state.items() if s == "present")
            uncertain = tuple(m for m, s in state.items() if s == "conflicting")
            if not (present or uncertain) or not _needs(strategy.needs, biomarkers, patient):
                continue
            against = tuple(m for m in strategy.pointless_with if m in place and states[i, place[m]] == "present")
            chosen.append(
                Option(
                    strategy=name,
                    title=strategy.title,
                    tier=strategy.tier,
                    rationale=strategy.rationale,
                    because=(*present, *uncertain),
                    uncertain=uncertain,
                    against=against,
                    trials=tuple(strategy.trials),
                )
            )
        options[patient] = tuple(sorted(chosen, key=lambda o: (bool(o.against), _TIERS.index(o.tier))))
    return options


def _needs(needs: Mapping[str, bool | str], biomarkers: Mapping[str, Mapping[str, Measurement]], patient: str) -> bool:
    for name, needed in needs.items():
        m = biomarkers.get(name, {}).get(patient)
        if m is None or m.value != needed:
            return False
    return True
