"""4-Phenylindoline: small molecule that dimerises PD-L1; preclinical."""

from __future__ import annotations

from immunescape.model.declarations import Contribution
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "phenylindoline",
    title="4-Phenylindoline",
    drug_class="small-molecule PD-L1 inhibitor",
    targets=("PD-L1",),
    molar_mass=500.0,
    synonyms=("4-phenylindoline", "4-arylindoline"),
    references=("qin2020indoline",),
    note="A representative of the published indolines; a preclinical tool: no human dose, pharmacokinetics assumed.",
    requires=("checkpoints_pd1",),
    contributions=(
        Contribution("pdl1_antibody_T", "ratio_phenylindoline"),
        Contribution("pdl1_antibody_LN", "ratio_phenylindoline"),
    ),
)
