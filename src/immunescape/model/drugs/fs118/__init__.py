"""FS118: antibody against LAG-3 and PD-L1."""

from __future__ import annotations

from immunescape.model.drugs._antibody import antibody

DRUG = antibody(
    "fs118",
    targets=("LAG-3", "PD-L1"),
    molar_mass=150000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=1.0,
    synonyms=("FS-118", "LAG-3/PD-L1 mAb2"),
    references=("kraman2020", "yap2023"),
    note="Pharmacokinetics: half-life of about four days (assumed).",
    bridges_lag3=True,
)
