"""TTX-030: IgG4 antibody against CD39."""

from __future__ import annotations

from immunescape.model.drugs._antibody import IntegratedTissue, antibody

DRUG = antibody(
    "ttx_030",
    targets=("CD39",),
    kinetics=IntegratedTissue(),
    isotype="IgG4",
    molar_mass=146_000,
    dose_units=("mg", "mg/kg"),
    infusion_hours=1.0,
    synonyms=("TTX-030",),
    references=("perrot2019",),
    note="Pharmacokinetics of a typical antibody (assumed). It inhibits the enzyme CD39.",
)
