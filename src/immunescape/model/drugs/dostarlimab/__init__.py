"""Dostarlimab: antibody against PD-1."""

from __future__ import annotations

from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "dostarlimab",
    targets=("PD-1",),
    molar_mass=144000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=0.5,
    synonyms=("TSR-042", "Jemperli"),
    references=("shang2022",),
    note="Pharmacokinetics in the range of the population analyses of PD-1 antibodies (assumed).",
)
