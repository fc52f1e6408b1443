"""Th17: helper T cells polarised by RORgammat to secrete IL-17A, and the effects of IL-17A in the tumour."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Mechanism, Modulation, Pool, Quantity

MECHANISM = Mechanism(
    name="th17",
    title="Th17 cells and IL-17A",
    summary=(
        "A share of the helper T cells in the tumour is Th17 (RORgammat); the process `th17` sets its odds, which "
        "TGF-beta raises. IL-17A, at quasi-steady state, recruits neutrophils and MDSCs and keeps dendritic cells "
        "immature; RORgammat and FOXP3 are mutually exclusive, so that Th17 polarisation prevents conversion of "
        "helper cells to regulatory T cells."
    ),
    references=("akbay2017", "he2010", "jin2019", "tsay2021", "hu2016", "zhou2008"),
    parameters="th17.csv",
    requires=("tumour_growth", "helper_t", "treg", "dendritic_cells", "mdsc", "tgf_beta"),
    processes={
        "th17": "odds of helper T cells in the tumour to be Th17 (RORgammat)",
        "il17_production": "production of IL-17A, gamma-delta T cells included",
    },
    quantities=(
        Quantity(
            "Th17_share_T",
            "odds_Th17 * f_th17 / (1 + odds_Th17 * f_th17)",
            "dimensionless",
            "Th17 share of helper T cells in the tumour",
            observable=True,
        ),
        Quantity(
            "IL17_conc_T",
            "f_il17_production * il17_secretion / (k_IL17_deg * V_T)",
            "picomole/liter",
            "IL-17A in the tumour (quasi-steady)",
            observable=True,
        ),
        Quantity(
            "H_IL17",
            "IL17_conc_T / (IL17_conc_T + IL17_50)",
            "dimensionless",
            "Response to IL-17A relative to saturation",
        ),
    ),
    pools=(Pool("il17_secretion", "nanomole/day", "Secretion of IL-17A in the tumour"),),
    contributions=(Contribution("il17_secretion", "k_IL17_sec * Th17_share_T * Th_T"),),
    modulations=(
        Modulation("th17", "tgf_beta", "promotes", "r_Th17_TGFb * TGFb_signal_T / (TGFb_signal_T + TGFb_50_Th17)"),
        Modulation("mdsc_recruitment", "il17", "promotes", "r_MDSC_IL17 * H_IL17"),
        Modulation("neutrophil_recruitment", "il17", "promotes", "r_TAN_IL17 * H_IL17"),
        Modulation("dc_maturation", "il17", "inhibits", "r_DC_IL17 * H_IL17"),
        Modulation("treg_conversion", "rorgt", "inhibits", "r_FOXP3_RORgt * Th17_share_T"),
    ),
)
