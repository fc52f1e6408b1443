"""Interferon alfa-2b: recombinant type I interferon, subcutaneous."""

from __future__ import annotations

from immunescape.model.declarations import Drug, Quantity, Reaction, State

_SERUM = "interferon_alfa_2b_C / v_interferon_alfa_2b"

DRUG = Drug(
    name="interferon_alfa_2b",
    title="Interferon alfa-2b",
    summary=(
        "Type I interferon, given subcutaneously. A share of the serum level reaches the tumour, adds to endogenous "
        "type I interferon and has all of its effects: induction of MHC-I and PD-L1, maturation of dendritic cells, "
        "activation of NK cells."
    ),
    references=("labelinterferon",),
    parameters="interferon_alfa_2b.csv",
    requires=("body", "tumour_growth", "type1_interferon"),
    states=(
        State("interferon_alfa_2b_D", "nanomole", "peripheral", "Under the skin"),
        State("interferon_alfa_2b_C", "nanomole", "central", "In serum"),
    ),
    reactions=(
        Reaction(
            "interferon_alfa_2b_absorption",
            "ka_interferon_alfa_2b * interferon_alfa_2b_D",
            "Absorption",
            {"interferon_alfa_2b_D": 1},
            {"interferon_alfa_2b_C": 1},
        ),
        Reaction(
            "interferon_alfa_2b_elimination",
            f"cl_interferon_alfa_2b * {_SERUM}",
            "Elimination, by the kidney",
            {"interferon_alfa_2b_C": 1},
        ),
        Reaction(
            "interferon_alfa_2b_entry",
            f"k_IFN1_deg * V_T * kp_interferon_alfa_2b * {_SERUM}",
            "Entry into the tumour, so that the concentration there follows serum as fast as interferon turns over",
            {},
            {"IFN1_T": 1},
        ),
    ),
    quantities=(
        Quantity(
            "conc_interferon_alfa_2b",
            f"{_SERUM} * molar_mass_interferon_alfa_2b",
            "microgram/milliliter",
            "Serum concentration of interferon alfa-2b",
            observable=True,
        ),
    ),
    drug_class="cytokine",
    targets=("IFNAR",),
    dose_state="interferon_alfa_2b_D",
    molar_mass=19_271.0,
    dose_units=("mg", "IU", "MIU", "MIU/m2"),
    dose_amounts={"IU": 1.0 / 2.6e8 * 1e6 / 19_271.0},
    route="sc",
    synonyms=("IFN-alpha", "interferon-alpha", "Intron A"),
)
