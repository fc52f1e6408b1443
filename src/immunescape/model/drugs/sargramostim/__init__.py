"""Sargramostim: recombinant GM-CSF, subcutaneous."""

from __future__ import annotations

from immunescape.model.declarations import Drug, Modulation, Quantity, Reaction, State

_SERUM = "sargramostim_C / v_sargramostim"
_BOUND = f"{_SERUM} / ({_SERUM} + ec50_sargramostim)"

DRUG = Drug(
    name="sargramostim",
    title="Sargramostim",
    summary=(
        "GM-CSF, given subcutaneously. It matures dendritic cells and also recruits MDSCs: at high doses the second "
        "effect outweighs the first."
    ),
    references=("labelsargramostim", "serafini2004"),
    parameters="sargramostim.csv",
    requires=("body", "tumour_growth"),
    states=(
        State("sargramostim_D", "nanomole", "peripheral", "Under the skin"),
        State("sargramostim_C", "nanomole", "central", "In serum"),
    ),
    reactions=(
        Reaction(
            "sargramostim_absorption",
            "ka_sargramostim * sargramostim_D",
            "Absorption",
            {"sargramostim_D": 1},
            {"sargramostim_C": 1},
        ),
        Reaction("sargramostim_elimination", f"cl_sargramostim * {_SERUM}", "Elimination", {"sargramostim_C": 1}),
    ),
    quantities=(
        Quantity(
            "conc_sargramostim",
            f"{_SERUM} * molar_mass_sargramostim",
            "microgram/milliliter",
            "Serum concentration of sargramostim",
            observable=True,
        ),
    ),
    modulations=(
        Modulation("dc_maturation", "gm_csf", "promotes", f"r_DC_sargramostim * {_BOUND}"),
        Modulation("mdsc_recruitment", "gm_csf", "promotes", f"r_MDSC_sargramostim * {_BOUND}"),
    ),
    drug_class="cytokine",
    targets=("GM-CSF receptor",),
    dose_state="sargramostim_D",
    molar_mass=15_700.0,
    dose_units=("mg", "ug", "ug/m2", "ug/kg"),
    route="sc",
    synonyms=("GM-CSF", "Leukine", "molgramostim"),
)
