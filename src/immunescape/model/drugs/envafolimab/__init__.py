"""Envafolimab: antibody against PD-L1."""

from __future__ import annotations

from immunescape.model.drugs._antibody import QuasiSteadyTissue, antibody

DRUG = antibody(
    "envafolimab",
    targets=("PD-L1",),
    kinetics=QuasiSteadyTissue(subcutaneous=True),
    molar_mass=80000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=0,
    synonyms=("KN035",),
    references=("papadopoulos2021",),
    note="Pharmacokinetics: half-life of about two weeks (assumed).",
)
