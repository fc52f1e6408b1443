"""Ipilimumab: IgG1 antibody against CTLA-4."""

from __future__ import annotations

from immunescape.model.drugs._antibody import IntegratedTissue, antibody

DRUG = antibody(
    "ipilimumab",
    targets=("CTLA-4",),
    kinetics=IntegratedTissue(),
    isotype="IgG1",
    molar_mass=148_000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=0.5,
    synonyms=("BMS-734016", "MDX-010", "Yervoy"),
    references=("feng2014", "he2017", "richards2008"),
    note="Linear population pharmacokinetics; its Fc domain depletes regulatory T cells in the tumour.",
    depletes_treg=True,
)
