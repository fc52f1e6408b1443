"""Interferon-gamma: secreted by effector and helper T cells; raises MHC-I, PD-L1 and T cell recruitment."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Mechanism, Modulation, Pool, Quantity, Reaction, State

MECHANISM = Mechanism(
    name="ifn_gamma",
    title="Interferon-gamma",
    summary=(
        "Secreted in the tumour by effector CD8 and helper T cells. It induces MHC-I and PD-L1 on cancer cells, "
        "recruits T cells (CXCL9, CXCL10) and opposes M2 polarisation of macrophages."
    ),
    references=("shin2017", "hofstra1998", "wang2023", "propper2003", "altanbonnet2019"),
    parameters="ifn_gamma.csv",
    requires=("cd8", "tumour_growth"),
    states=(State("IFNg_T", "nanomole", "tumour", "Interferon-gamma in the tumour", atol=1e-12),),
    reactions=(
        Reaction("IFNg_secretion", "ifng_secretion", "Secretion by T cells", products={"IFNg_T": 1}),
        Reaction("IFNg_degradation", "k_IFNg_deg * IFNg_T", "Degradation", reactants={"IFNg_T": 1}),
    ),
    quantities=(
        Quantity("IFNg_conc_T", "IFNg_T / V_T", "picomole/liter", "Interferon-gamma in the tumour", observable=True),
        Quantity(
            "H_IFNg",
            "IFNg_conc_T / (IFNg_conc_T + IFNg_50)",
            "dimensionless",
            "Interferon-gamma response relative to saturation",
        ),
    ),
    pools=(Pool("ifng_secretion", "nanomole/day", "Secretion of interferon-gamma in the tumour"),),
    contributions=(Contribution("ifng_secretion", "k_IFNg_sec * CD8_eff_T"),),
    modulations=(
        Modulation("mhc1_interferon", "ifn_gamma", "promotes", "r_MHC1_IFNg * H_IFNg"),
        Modulation("pdl1_interferon", "ifn_gamma", "promotes", "r_PDL1_IFNg * H_IFNg"),
        Modulation("infiltration", "chemokines", "promotes", "r_inf_IFNg * H_IFNg"),
        Modulation("vessel_maturation", "ifn_gamma", "promotes", "r_vessel_IFNg * H_IFNg"),
        Modulation("ido1_expression", "ifn_gamma", "promotes", "r_IDO1_IFNg * H_IFNg"),
        Modulation("macrophage_m2", "ifn_gamma", "inhibits", "r_M2_IFNg * H_IFNg"),
    ),
)
