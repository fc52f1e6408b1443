"""A22: small molecule that dimerises PD-L1; preclinical."""

from __future__ import annotations

from immunescape.model.declarations import Contribution
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "a22",
    title="A22",
    drug_class="small-molecule PD-L1 inhibitor",
    targets=("PD-L1",),
    molar_mass=500.0,
    synonyms=("compound A22",),
    references=("qin2019a22",),
    note="A triazolopyridine; a preclinical tool: no human dose, pharmacokinetics assumed.",
    requires=("checkpoints_pd1",),
    contributions=(
        Contribution("pdl1_antibody_T", "ratio_a22"),
        Contribution("pdl1_antibody_LN", "ratio_a22"),
    ),
)
