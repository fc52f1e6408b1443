"""Doxorubicin: anthracycline."""

from __future__ import annotations

from immunescape.model.drugs._chemotherapy import chemotherapy

DRUG = chemotherapy(
    "doxorubicin",
    title="Doxorubicin",
    drug_class="anthracycline",
    target="topoisomerase II",
    molar_mass=543.5,
    dose_units=("mg/m2", "mg"),
    infusion_hours=0.1,
    synonyms=("adriamycin", "DOX"),
    references=("labeldoxorubicin", "obeid2007"),
    note="Two compartments; half-life of a day or more. The first drug that was shown to induce immunogenic cell "
    "death.",
    clearance="cl_doxorubicin",
    damages_dna=True,
)
