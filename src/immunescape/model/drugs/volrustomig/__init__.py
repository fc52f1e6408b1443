"""Volrustomig: antibody against PD-1 and CTLA-4."""

from __future__ import annotations

from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "volrustomig",
    targets=("PD-1", "CTLA-4"),
    molar_mass=150000,
    dose_units=("mg",),
    infusion_hours=1.0,
    synonyms=("MEDI5752",),
    references=("dovedi2021",),
    note="Pharmacokinetics: as for a typical IgG1 (assumed).",
)
