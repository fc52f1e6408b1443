"""Taminadenant (PBF-509, NIR178): antagonist of the adenosine A2A receptor."""

from __future__ import annotations

from immunescape.model.declarations import Contribution
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "taminadenant",
    title="Taminadenant",
    drug_class="adenosine A2A receptor antagonist",
    targets=("ADORA2A",),
    molar_mass=306.12,
    synonyms=("PBF-509", "PBF509", "NIR178"),
    references=("chiappori2022",),
    note="Oral; pharmacokinetics assumed. Tested in patients with non-small cell lung cancer.",
    contributions=(Contribution("a2a_antagonist", "ratio_taminadenant"),),
)
