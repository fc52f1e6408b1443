"""Prednisone: systemic glucocorticoid, given for brain metastases, dyspnoea, fatigue and immune-related toxicity."""

from __future__ import annotations

from immunescape.model.declarations import Modulation
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "prednisone",
    title="Prednisone",
    drug_class="glucocorticoid",
    targets=("NR3C1",),
    molar_mass=358.43,
    synonyms=("prednisolone", "Deltasone"),
    references=("rose1981", "georgitis1982", "magee2002", "arbour2018steroids", "ricciuti2019"),
    note=(
        "Oral; prednisolone, into which it is converted at once, in one compartment. Only the direct suppression of "
        "dividing T cells is modelled, at the potency measured in whole blood: the redistribution of "
        "lymphocytes and the relief of oedema and toxicity are not."
    ),
    modulations=(
        Modulation("proliferation", "glucocorticoid", "inhibits", "ratio_prednisone"),
        Modulation("reactivation", "glucocorticoid", "inhibits", "ratio_prednisone"),
    ),
)
