"""Zimberelimab: antibody against PD-1."""

from __future__ import annotations

from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "zimberelimab",
    targets=("PD-1",),
    molar_mass=146000,
    dose_units=("mg",),
    infusion_hours=0.5,
    synonyms=("AB122", "GLS-010"),
    references=("johnson2023arc7",),
    note="Pharmacokinetics: clearance and volume in the range of PD-1 antibodies (assumed).",
)
