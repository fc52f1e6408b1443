"""Antigens on cancer cells targeted by antibody-drug conjugates: HER2 and TROP2."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Quantity

MECHANISM = Mechanism(
    name="surface_antigens",
    title="HER2 and TROP2 on cancer cells",
    summary=(
        "Receptors per cancer cell and the share of antigen-positive cancer cells, per patient. ERBB2 (HER2) mutation "
        "accelerates internalisation of the receptor."
    ),
    references=("heinmoller2003", "li2020her2", "mazieres2013"),
    parameters="surface_antigens.csv",
    requires=("tumour_growth",),
    quantities=(
        Quantity(
            "HER2_T",
            "her2_level * HER2_copies",
            "molecule/cell",
            "HER2 per antigen-bearing cancer cell",
            observable=True,
        ),
        Quantity(
            "HER2_internalisation",
            "k_int_HER2 * (1 + r_int_HER2 * her2_mutant)",
            "1/day",
            "Internalisation of HER2 with what is bound to it",
        ),
        Quantity(
            "TROP2_T",
            "trop2_level * TROP2_copies",
            "molecule/cell",
            "TROP2 per antigen-bearing cancer cell",
            observable=True,
        ),
        Quantity("TROP2_internalisation", "k_int_TROP2", "1/day", "Internalisation of TROP2 with what is bound to it"),
    ),
)
