"""Dazostinag: STING agonist, intravenous."""

from __future__ import annotations

from immunescape.model.declarations import Contribution
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "dazostinag",
    title="Dazostinag",
    drug_class="STING agonist",
    targets=("STING",),
    molar_mass=710.5,
    synonyms=("TAK-676",),
    references=("carideo2022",),
    note="Intravenous; one compartment with a short half-life, and an effect compartment; pharmacokinetics assumed.",
    route="iv",
    infusion_hours=1.0,
    effect_compartment=True,
    potencies=("sting",),
    contributions=(Contribution("sting_agonist_T", "ratio_sting_dazostinag"),),
)
