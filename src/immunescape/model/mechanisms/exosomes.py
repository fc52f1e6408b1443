"""Exosomal PD-L1: shed by cancer cells, acts on T cells away from the tumour."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Quantity

MECHANISM = Mechanism(
    name="exosomes",
    title="Exosomal PD-L1",
    summary=(
        "Cancer cells shed PD-L1 on exosomes in proportion to their own expression; it is cleared within hours "
        "(quasi-steady state) and inhibits priming in the lymph node. Antibodies against PD-L1 and PD-1 do not change "
        "its release."
    ),
    references=("chen2018exo", "poggio2019"),
    parameters="exosomes.csv",
    requires=("tumour_growth", "checkpoints_pd1"),
    quantities=(
        Quantity(
            "exoPDL1_conc",
            "k_exoPDL1 * PDL1_T * A_cell * C_total / one_cell / (k_exoPDL1_clear * V_C)",
            "picomole/liter",
            "PD-L1 on exosomes and soluble in blood",
            observable=True,
        ),
    ),
    modulations=(Modulation("priming", "exosomal_pdl1", "inhibits", "exoPDL1_conc / exoPDL1_50"),),
)
