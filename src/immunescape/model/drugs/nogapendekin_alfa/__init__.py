"""Nogapendekin alfa inbakicept (N-803, ALT-803): interleukin-15 superagonist, subcutaneous."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Drug, Modulation, Quantity, Reaction, State

_SIGNAL = "nogapendekin_alfa_C / (nogapendekin_alfa_C + v_nogapendekin_alfa * ec50_nogapendekin_alfa)"

DRUG = Drug(
    name="nogapendekin_alfa",
    title="Nogapendekin alfa inbakicept",
    summary=(
        "Interleukin-15 bound to its receptor chain and an Fc domain, given subcutaneously. It drives the "
        "proliferation of NK cells and CD8 T cells, but not of regulatory T cells: NK cells increase in blood, "
        "infiltrate the tumour and kill; primed CD8 T cells give rise to more progeny and thereby increase in blood."
    ),
    references=("wrangle2018", "margolin2018"),
    parameters="nogapendekin_alfa.csv",
    requires=("body", "cd8", "nk_cells"),
    states=(
        State("nogapendekin_alfa_D", "nanomole", "peripheral", "Under the skin"),
        State("nogapendekin_alfa_C", "nanomole", "central", "In serum"),
    ),
    reactions=(
        Reaction(
            "nogapendekin_alfa_absorption",
            "ka_nogapendekin_alfa * nogapendekin_alfa_D",
            "Absorption",
            {"nogapendekin_alfa_D": 1},
            {"nogapendekin_alfa_C": 1},
        ),
        Reaction(
            "nogapendekin_alfa_elimination",
            "k_el_nogapendekin_alfa * nogapendekin_alfa_C",
            "Elimination",
            {"nogapendekin_alfa_C": 1},
        ),
    ),
    quantities=(
        Quantity(
            "conc_nogapendekin_alfa",
            "nogapendekin_alfa_C / v_nogapendekin_alfa * molar_mass_nogapendekin_alfa",
            "microgram/milliliter",
            "Serum concentration",
            observable=True,
        ),
        Quantity("il15_signal", _SIGNAL, "dimensionless", "Signal relative to saturation", observable=True),
    ),
    contributions=(Contribution("nk_expansion", "r_NK_blood_nogapendekin_alfa * il15_signal"),),
    modulations=(
        Modulation("nk_killing", "il15", "promotes", "r_NK_nogapendekin_alfa * il15_signal"),
        Modulation("proliferation", "il15", "promotes", "r_CD8_nogapendekin_alfa * il15_signal"),
    ),
    drug_class="cytokine",
    targets=("IL-15 receptor",),
    dose_state="nogapendekin_alfa_D",
    molar_mass=92_000.0,
    dose_units=("mg", "ug/kg", "mg/kg"),
    route="sc",
    synonyms=("ALT-803", "N-803", "IL-15 superagonist"),
)
