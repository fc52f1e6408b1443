"""Durvalumab: Fc-silent IgG1 antibody against PD-L1."""

from __future__ import annotations

from immunescape.model.drugs._antibody import IntegratedTissue, antibody

DRUG = antibody(
    "durvalumab",
    targets=("PD-L1",),
    kinetics=IntegratedTissue(declining_clearance=True, saturable_clearance=True),
    isotype="Fc-silent IgG1",
    molar_mass=146_000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=1.0,
    synonyms=("MEDI4736", "Imfinzi"),
    references=("baverel2018",),
    note="Population pharmacokinetics with linear clearance that declines over time, and saturable clearance.",
)
