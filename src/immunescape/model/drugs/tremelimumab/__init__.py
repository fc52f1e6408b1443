"""Tremelimumab: IgG2 antibody against CTLA-4."""

from __future__ import annotations

from immunescape.model.drugs._antibody import IntegratedTissue, antibody

DRUG = antibody(
    "tremelimumab",
    targets=("CTLA-4",),
    kinetics=IntegratedTissue(),
    isotype="IgG2",
    molar_mass=149_000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=1.0,
    synonyms=("CP-675206", "ticilimumab", "Imjudo"),
    references=("hwang2023", "he2017"),
    note="Linear population pharmacokinetics; as an IgG2 it does not deplete regulatory T cells.",
)
