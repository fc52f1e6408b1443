"""Tetrahydrouridine: cytidine deaminase inhibitor."""

from __future__ import annotations

from immunescape.model.declarations import Contribution
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "tetrahydrouridine",
    title="Tetrahydrouridine",
    drug_class="cytidine deaminase inhibitor",
    targets=("CDA",),
    molar_mass=248.23,
    synonyms=("THU",),
    references=("lavelle2012",),
    note="Oral, an hour before decitabine, whose clearance it lowers; no other effect.",
    dose_units=("mg", "mg/kg"),
    contributions=(Contribution("cda_inhibitor", "ratio_tetrahydrouridine"),),
)
