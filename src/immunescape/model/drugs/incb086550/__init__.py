"""INCB086550: oral inhibitor of PD-L1."""

from __future__ import annotations

from immunescape.model.declarations import Contribution
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "incb086550",
    title="INCB086550",
    drug_class="small-molecule PD-L1 inhibitor",
    targets=("PD-L1",),
    molar_mass=694.0,
    synonyms=("evixapodlin",),
    references=("koblish2022",),
    note=(
        "Dimerises PD-L1 on the surface and induces its internalisation; acts as PD-L1 blockade in tumour and lymph "
        "node."
    ),
    requires=("checkpoints_pd1",),
    contributions=(
        Contribution("pdl1_antibody_T", "ratio_incb086550"),
        Contribution("pdl1_antibody_LN", "ratio_incb086550"),
    ),
)
