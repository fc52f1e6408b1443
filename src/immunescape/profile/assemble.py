"""From a study to the profiles of its patients: measure, call, place, match; pure, from the study alone."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pandas as pd

from immunescape.errors import unknown_word
from immunescape.knowledge.mechanism_rules import RuleSet, conditions
from immunescape.knowledge.profile_records import Measurement, PatientProfile, StudyProfile
from immunescape.profile.biomarkers.expression import compare
from immunescape.profile.biomarkers.gene_copies import segment_problems
from immunescape.profile.biomarkers.registry import measure
from immunescape.profile.calls import CallTable, call_mechanisms
from immunescape.profile.resistance import resistance_of
from immunescape.profile.scores import scores_of
from immunescape.profile.scores.blood_values import blood_values
from immunescape.profile.scores.response import estimates_of
from immunescape.profile.strata import options_of, strata_of
from immunescape.profile.study import Study
from immunescape.profile.timeline import timelines

__all__ = ["Assembled", "assemble"]


@dataclass(frozen=True, repr=False)
class Assembled:
    """Everything made from one study.

    Attributes
    ----------
    profile : profiles of the patients. study : the tables they were made from.
    measured : biomarker -> patient -> measurement. calls : states and evidence of all mechanisms.
    """

    profile: StudyProfile
    study: Study
    measured: Mapping[str, Mapping[str, Measurement]]
    calls: CallTable

    def __repr__(self) -> str:
        return f"Assembled({self.profile!r})"


def _only(study: Study, patients: Collection[str]) -> None:
    patient_ids = study.patient_ids
    for patient in patients:
        if patient not in patient_ids:
            raise unknown_word("patient", patient, patient_ids, where=study.name)


def assemble(study: Study, rules: RuleSet | None = None, patients: Collection[str] | None = None) -> Assembled:
    """Profile the patients of a study.

    Parameters
    ----------
    study
        What the readers made of a folder.
    rules
        Rules for the calls; None takes those that ship.
    patients
        Patients to profile; None takes all. No value depends on who else is in the study.

    Raises
    ------
    InputError
        For a patient that the study does not hold.
    """
    if patients is not None:
        _only(study, patients)
    ids = [p for p in study.patient_ids if patients is None or p in patients]
    measured = {n: {p: rows[p] for p in ids if p in rows} for n, rows in measure(study).items()}
    calls = call_mechanisms(measured, ids, rules)
    by_patient = calls.all()
    strata = strata_of(measured, ids)
    options = options_of(calls, measured)
    resistance = resistance_of(study)
    timeline = timelines(study)
    samples = _samples(study)
    prior = _prior_lines(study)
    blood = blood_values(study)
    response = estimates_of(study, measured, ids, blood)
    profiles = {}
    for p in ids:
        biomarkers = {n: rows[p] for n, rows in measured.items() if p in rows}
        profiles[p] = PatientProfile(
            patient=p,
            samples=samples.get(p, ()),
            biomarkers=biomarkers,
            calls=by_patient[p],
            stratum=strata[p],
            scores=scores_of(biomarkers, prior.get(p), blood.get(p, {})),
            options=options[p],
            timeline=timeline[p],
            resistance=resistance[p],
            response=response[p],
        )
    problems = (*study.problems, *segment_problems(study), *_percentiles(study, calls.rules))
    profile = StudyProfile(study.name, profiles, tuple(study.reads), problems)
    return Assembled(profile, study, measured, calls)


def _percentiles(study: Study, rules: RuleSet) -> tuple[str, ...]:
    """Say which reference percentiles of expression come from; where there is none, what that costs and what to do."""
    if not study.has("expression"):
        return ()
    build = (
        "Build a reference from at least 20 samples that were made like these (immunescape reference build FOLDER "
        "--name NAME), then give it: immunescape profile … --reference NAME"
    )
    comparison = compare(study, scored=False)
    hang = [
        name
        for name, rule in rules.mechanisms.items()
        if any(c.tests[0].startswith("percentile") for tree in rule.trees.values() for c in conditions(tree))
    ]
    if comparison is None:
        return (
            f"expression: no reference is loaded, so there are no percentiles, and {len(hang)} mechanisms that use "
            f"them are not assessable or rest on other measurements alone. {build}",
        )
    reference = comparison.reference
    default = ", taken by default" if comparison.by_default else ""
    said = [
        f"expression: percentiles are those of the reference {reference.label} ({reference.samples} samples of "
        f"'{reference.study}', {reference.unit}{default}). {reference.limits}".rstrip()
    ]
    refused = [s for s, place in comparison.places.items() if place.why_not]
    doubtful = [s for s, place in comparison.places.items() if place.doubt]
    if refused:
        why = comparison.places[refused[0]].why_not
        said.append(
            f"expression: {len(refused)} of {len(comparison.places)} samples get no percentile, so that {len(hang)} "
            f"mechanisms are not assessable in them or rest on other measurements alone (first: {refused[0]}, {why}). "
            f"{build}"
        )
    if doubtful:
        first = doubtful[0]
        said.append(
            f"expression: the percentiles of {len(doubtful)} of {len(comparison.places)} samples are doubtful "
            f"(first: {first}, {comparison.places[first].doubt})"
        )
    return tuple(said)


def _samples(study: Study) -> dict[str, tuple[str, ...]]:
    frame = study.samples.dropna(subset=["patient", "sample"])
    return {str(p): tuple(str(s) for s in rows) for p, rows in frame.groupby("patient")["sample"]}


def _prior_lines(study: Study) -> dict[str, float | None]:
    table: pd.DataFrame = study.patients
    return {
        str(p): None if v is None or (isinstance(v, float) and math.isnan(v)) else float(v)
        for p, v in zip(table["patient"], table["prior_lines"], strict=True)
    }
