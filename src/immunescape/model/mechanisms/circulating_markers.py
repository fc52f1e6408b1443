"""Circulating tumour DNA: shed by dying and living cancer cells, cleared within hours."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Quantity

MECHANISM = Mechanism(
    name="circulating_markers",
    title="Circulating tumour DNA",
    summary=(
        "Dying cancer cells, and living ones less, shed DNA into blood, where it is cleared with a half-life of "
        "hours: quasi-steady. How much is shed differs between patients more than tumours differ in size, so that "
        "the level at baseline says little and its change under treatment much."
    ),
    references=("diehl2008", "avanzini2020"),
    parameters="circulating_markers.csv",
    requires=("tumour_growth",),
    quantities=(
        Quantity(
            "ctDNA_conc",
            "ctdna_shedding * (q_ctDNA_dying * dying_T + q_ctDNA_living * C_total) / (k_ctDNA_clear * V_C)",
            "1/milliliter",
            "Circulating tumour DNA in blood (haploid genome equivalents)",
            observable=True,
        ),
    ),
)
