"""Circulating tumour DNA: shed by dying and living cancer cells, cleared within hours."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Quantity

MECHANISM = Mechanism(
    name="circulating_markers",
    title="Circulating tumour DNA",
    summary=(
        "Dying cancer cells, and to a lesser extent living ones, shed DNA into blood, from which it is cleared with a "
        "half-life of hours (quasi-steady state). Shedding varies more between patients than tumour size does, so "
        "that the level at baseline is weakly informative and its change under treatment strongly so."
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
