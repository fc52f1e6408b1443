"""Galunisertib: inhibitor of TGF-beta receptor 1."""

from __future__ import annotations

from immunescape.model.declarations import Contribution
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "galunisertib",
    title="Galunisertib",
    drug_class="TGF-beta receptor inhibitor",
    targets=("TGFBR1",),
    molar_mass=369.42,
    synonyms=("LY2157299",),
    references=("gueorguieva2014",),
    note="Oral, 150 mg twice daily on days 1 to 14 of 28.",
    contributions=(Contribution("tgfb_receptor_inhibitor", "ratio_galunisertib"),),
)
