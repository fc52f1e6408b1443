"""M4112: inhibitor of IDO1 and TDO."""

from __future__ import annotations

from immunescape.model.declarations import Contribution
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "m4112",
    title="M4112",
    drug_class="IDO1 and TDO inhibitor",
    targets=("IDO1", "TDO"),
    molar_mass=400,
    synonyms=("M 4112",),
    references=("naing2020",),
    note=(
        "Oral; pharmacokinetics assumed. In its phase 1 trial the fall of plasma kynurenine was not sustained; the "
        "drug is modelled as designed."
    ),
    potencies=("IDO1", "TDO"),
    contributions=(
        Contribution("ido1_inhibitor", "ratio_IDO1_m4112"),
        Contribution("tdo_inhibitor", "ratio_TDO_m4112"),
    ),
)
