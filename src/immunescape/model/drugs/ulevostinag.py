"""Ulevostinag (MK-1454): STING agonist, injected into the tumour."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Drug, Quantity, Reaction, State

DRUG = Drug(
    name="ulevostinag",
    title="Ulevostinag",
    summary=(
        "STING agonist (cyclic dinucleotide), injected into the tumour, which it leaves for blood within hours. A "
        "share of the tumour, injected_ulevostinag, is reached. Kinetics are assumed."
    ),
    references=("harrington2018",),
    parameters="ulevostinag.csv",
    requires=("body", "tumour_growth"),
    states=(
        State("ulevostinag_T", "nanomole", "tumour", "Ulevostinag in the tumour"),
        State("ulevostinag_C", "nanomole", "central", "Ulevostinag in plasma"),
    ),
    reactions=(
        Reaction(
            "ulevostinag_washout",
            "k_out_ulevostinag * ulevostinag_T",
            "Washout to blood",
            {"ulevostinag_T": 1},
            {"ulevostinag_C": 1},
        ),
        Reaction(
            "ulevostinag_elimination",
            "cl_ulevostinag / v_ulevostinag * ulevostinag_C",
            "Elimination",
            {"ulevostinag_C": 1},
        ),
    ),
    quantities=(
        Quantity(
            "conc_ulevostinag",
            "ulevostinag_C / v_ulevostinag * molar_mass_ulevostinag",
            "nanogram/milliliter",
            "Plasma concentration of ulevostinag",
            observable=True,
        ),
    ),
    contributions=(Contribution("sting_agonist_T", "injected_ulevostinag * ulevostinag_T / (V_T * ec50_ulevostinag)"),),
    drug_class="STING agonist",
    targets=("STING",),
    dose_state="ulevostinag_T",
    molar_mass=710.5,
    dose_units=("ug", "mg"),
    route="intratumoral",
    synonyms=("MK-1454",),
)
