"""Anlotinib: inhibitor of VEGF receptors and other kinases."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Modulation
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "anlotinib",
    title="Anlotinib",
    drug_class="VEGF receptor inhibitor",
    targets=("VEGFR2", "VEGFR3", "PDGFR", "FGFR", "KIT"),
    molar_mass=407.44,
    synonyms=("AL3818", "catequentinib", "Focus V"),
    references=("sun2016", "xie2018", "han2018"),
    note=(
        "Oral, days 1 to 14 of 21; half-life of four days. Inhibition of VEGF receptors acts on vessels, "
        "that of FGFR, PDGFR and KIT on proliferation."
    ),
    contributions=(Contribution("vegf_blockade", "ratio_anlotinib"),),
    modulations=(
        Modulation(
            "growth", "kinase_inhibition", "inhibits", "r_growth_anlotinib * ratio_anlotinib / (1 + ratio_anlotinib)"
        ),
    ),
)
