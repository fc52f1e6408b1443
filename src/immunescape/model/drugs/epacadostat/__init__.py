"""Epacadostat: inhibitor of IDO1."""

from __future__ import annotations

from immunescape.model.declarations import Contribution
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "epacadostat",
    title="Epacadostat",
    drug_class="IDO1 inhibitor",
    targets=("IDO1",),
    molar_mass=438.23,
    synonyms=("INCB024360",),
    references=("beatty2017", "shi2017"),
    note="Oral; one compartment; potency in patients as plasma concentration.",
    contributions=(Contribution("ido1_inhibitor", "ratio_epacadostat"),),
)
