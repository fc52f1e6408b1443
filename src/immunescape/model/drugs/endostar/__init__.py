"""Recombinant human endostatin (Endostar)."""

from __future__ import annotations

from immunescape.model.declarations import Contribution
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "endostar",
    title="Recombinant human endostatin",
    drug_class="anti-angiogenic protein",
    targets=("VEGFR2", "integrin"),
    molar_mass=20_000.0,
    synonyms=("Endostar", "rh-endostatin", "YH-16"),
    references=("han2011endostar",),
    note="Infused daily on days 1 to 14 of 21. Pharmacokinetics assumed: a half-life of about ten hours.",
    dose_units=("mg/m2", "mg"),
    route="iv",
    infusion_hours=3.0,
    contributions=(Contribution("vegf_blockade", "ratio_endostar"),),
)
