"""TGF-beta: produced by regulatory T cells, M2 macrophages and stroma; excludes and suppresses T cells."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Mechanism, Modulation, Pool, Quantity, Reaction, State

MECHANISM = Mechanism(
    name="tgf_beta",
    title="TGF-beta",
    summary=(
        "Active TGF-beta in the tumour: basal production by stroma and cancer cells, plus that of regulatory T cells "
        "and M2 macrophages. It excludes T cells, inhibits killing, converts helper T cells to regulatory T cells and "
        "polarises macrophages to M2."
    ),
    references=("robertsontessi2012", "liyanage2002", "mariathasan2018", "ivanovic2003"),
    parameters="tgf_beta.csv",
    requires=("tumour_growth", "helper_t", "treg"),
    processes={
        "treg_conversion": "turning of helper into regulatory T cells in the tumour",
        "tgfb_activation": "release of TGF-beta from its latent form",
    },
    states=(State("TGFb_T", "nanomole", "tumour", "Active TGF-beta in the tumour", atol=1e-12),),
    reactions=(
        Reaction(
            "TGFb_secretion", "f_tgfb_activation * tgfb_secretion", "Secretion and release", products={"TGFb_T": 1}
        ),
        Reaction("TGFb_degradation", "k_TGFb_deg * TGFb_T", "Degradation", reactants={"TGFb_T": 1}),
        Reaction(
            "Th_to_Treg",
            "k_Th_Treg * f_treg_conversion * TGFb_signal_T / (TGFb_signal_T + TGFb_50) * Th_T",
            "Helper T cells become regulatory",
            reactants={"Th_T": 1},
            products={"Treg_T": 1},
        ),
    ),
    quantities=(
        Quantity("TGFb_conc_T", "TGFb_T / V_T", "nanomole/liter", "Active TGF-beta in the tumour", observable=True),
        Quantity(
            "TGFb_signal_T",
            "TGFb_conc_T / (1 + tgfb_receptor_inhibitor)",
            "nanomole/liter",
            "Active TGF-beta that would signal as much without an inhibitor of its receptor",
        ),
    ),
    pools=(
        Pool("tgfb_secretion", "nanomole/day", "Production of active TGF-beta in the tumour"),
        Pool(
            "tgfb_receptor_inhibitor",
            "dimensionless",
            "Free inhibitor / concentration that half inhibits TGF-beta receptor 1",
        ),
    ),
    contributions=(Contribution("tgfb_secretion", "k_TGFb_deg * TGFb_base * V_T + k_TGFb_sec_Treg * Treg_T"),),
    modulations=(
        Modulation("killing", "tgf_beta", "inhibits", "TGFb_signal_T / TGFb_50_killing"),
        Modulation("infiltration", "tgf_beta", "inhibits", "TGFb_signal_T / TGFb_50_infiltration"),
        Modulation("treg_recruitment", "tgf_beta", "promotes", "TGFb_signal_T / TGFb_50"),
        Modulation(
            "macrophage_m2", "m2_cytokines", "promotes", "r_M2_TGFb * TGFb_signal_T / (TGFb_signal_T + TGFb_50)"
        ),
        Modulation("stroma", "tgf_beta", "promotes", "r_stroma_TGFb * TGFb_signal_T / (TGFb_signal_T + TGFb_50)"),
    ),
)
