"""Sintilimab: antibody against PD-1."""

from __future__ import annotations

from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "sintilimab",
    targets=("PD-1",),
    molar_mass=146000,
    dose_units=("mg",),
    infusion_hours=0.75,
    synonyms=("IBI308", "Tyvyt"),
    references=("yang2020sintilimab",),
    note="Pharmacokinetics: clearance and volume in the range of PD-1 antibodies (assumed).",
)
