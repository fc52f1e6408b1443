"""Itaconate released by suppressive myeloid cells, which inhibits CD8 T cells."""

from __future__ import annotations

from immunescape.model import Mechanism, Modulation, Quantity, Reaction, State

MECHANISM = Mechanism(
    name="itaconate",
    title="Itaconate",
    summary=(
        "Myeloid-derived suppressor cells release itaconate, which CD8 T cells take up; it depletes their amino acids "
        "and thereby impairs the killing of cancer cells."
    ),
    references=("zhao2022itaconate",),
    parameters="itaconate.csv",  # beside this module
    requires=("tumour_growth", "mdsc", "killing"),
    states=(State("Ita_T", "nanomole", "tumour", "Itaconate in the tumour"),),
    reactions=(
        Reaction("itaconate_release", "k_ita * MDSC_T", "Release by MDSCs", products={"Ita_T": 1}),
        Reaction("itaconate_loss", "k_ita_loss * Ita_T", "Uptake and washout", reactants={"Ita_T": 1}),
    ),
    quantities=(
        Quantity("itaconate_conc_T", "Ita_T / V_T", "micromole/liter", "Itaconate in the tumour", observable=True),
    ),
    # finite if the tumour contains none, and bounded if it contains much
    modulations=(
        Modulation("killing", "itaconate", "inhibits", "r_ita * itaconate_conc_T / (itaconate_conc_T + K_ita)"),
    ),
)
