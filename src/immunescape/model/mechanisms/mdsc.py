"""Myeloid-derived suppressor cells: recruited by CCL2, suppress through arginase-1 and nitric oxide."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Mechanism, Modulation, Pool, Quantity, Reaction, State

MECHANISM = Mechanism(
    name="mdsc",
    title="Myeloid-derived suppressor cells",
    summary=(
        "CCL2 recruits MDSCs into the tumour. Their arginase-1 and nitric oxide inhibit killing and the output of "
        "progenitors (one pathway with one saturation); arginase-1 also promotes regulatory T cells."
    ),
    references=("serafini2008", "huang2007", "opalek2007", "parra2021", "lai2018"),
    parameters="mdsc.csv",
    requires=("tumour_growth",),
    processes={
        "mdsc_recruitment": "recruitment of MDSC into the tumour",
        "ccl2_production": "secretion of CCL2 in the tumour",
    },
    states=(
        State("MDSC_T", "cell", "tumour", "Myeloid-derived suppressor cells in the tumour"),
        State("CCL2_T", "nanomole", "tumour", "CCL2 in the tumour", atol=1e-12),
        State("NO_T", "nanomole", "tumour", "Nitric oxide in the tumour", atol=1e-12),
        State("ArgI_T", "nanomole", "tumour", "Arginase-1 in the tumour", atol=1e-12),
    ),
    reactions=(
        Reaction(
            "MDSC_recruitment",
            "k_MDSC_rec * f_mdsc_recruitment * V_T * CCL2_conc_T / (CCL2_conc_T + CCL2_50)",
            "Recruitment along CCL2",
            products={"MDSC_T": 1},
        ),
        Reaction("MDSC_depletion", "mdsc_depletion * MDSC_T", "Loss to chemotherapy", reactants={"MDSC_T": 1}),
        Reaction("MDSC_death", "k_MDSC_death * MDSC_T", "Death", reactants={"MDSC_T": 1}),
        Reaction("CCL2_secretion", "ccl2_secretion * f_ccl2_production", "Secretion", products={"CCL2_T": 1}),
        Reaction("CCL2_degradation", "k_CCL2_deg * CCL2_T", "Degradation", reactants={"CCL2_T": 1}),
        Reaction("NO_secretion", "k_NO_sec * MDSC_T", "Secretion by MDSC", products={"NO_T": 1}),
        Reaction("NO_degradation", "k_NO_deg * NO_T", "Degradation", reactants={"NO_T": 1}),
        Reaction("ArgI_secretion", "k_ArgI_sec * MDSC_T / ArgI_activity", "Secretion by MDSC", products={"ArgI_T": 1}),
        Reaction("ArgI_degradation", "k_ArgI_deg * ArgI_T", "Degradation", reactants={"ArgI_T": 1}),
    ),
    quantities=(
        Quantity("CCL2_conc_T", "CCL2_T / V_T", "nanomole/liter", "CCL2 in the tumour", observable=True),
        Quantity("NO_conc_T", "NO_T / V_T", "nanomole/liter", "Nitric oxide in the tumour", observable=True),
        Quantity(
            "ArgI_activity_T",
            "ArgI_T * ArgI_activity / V_T",
            "nanomole/minute/microliter",
            "Arginase-1 activity in the tumour (mU per microlitre)",
            observable=True,
        ),
        Quantity(
            "ArgI_active_T",
            "ArgI_activity_T / (1 + arginase_inhibitor)",
            "nanomole/minute/microliter",
            "Uninhibited arginase-1 activity",
        ),
        Quantity("MDSC_density_T", "MDSC_T / V_T", "cell/milliliter", "MDSC in the tumour", observable=True),
    ),
    pools=(
        Pool("mdsc_depletion", "1/day", "Rate at which chemotherapy removes MDSC in the tumour"),
        Pool("ccl2_secretion", "nanomole/day", "Secretion of CCL2 in the tumour"),
        Pool("arginase_inhibitor", "dimensionless", "Free inhibitor / concentration that half inhibits arginase-1"),
    ),
    contributions=(Contribution("ccl2_secretion", "k_CCL2_sec * (C_total + doomed_T)"),),
    modulations=(
        Modulation("killing", "mdsc", "inhibits", "ArgI_active_T / ArgI_50_Teff + NO_conc_T / NO_50_Teff"),
        Modulation("reactivation", "mdsc", "inhibits", "ArgI_active_T / ArgI_50_Teff + NO_conc_T / NO_50_Teff"),
        Modulation("treg_recruitment", "arginase", "promotes", "ArgI_active_T / ArgI_50_Treg"),
    ),
)
