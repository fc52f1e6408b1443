"""Domvanalimab: TIGIT antibody with a silenced Fc region."""

from __future__ import annotations

from immunescape.model.factories import antibody

DRUG = antibody(
    "domvanalimab",
    targets=("TIGIT",),
    molar_mass=148000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=1.0,
    synonyms=("AB154",),
    references=("johnson2022arc7",),
    note="Pharmacokinetics of a typical IgG1 (assumed).",
)
