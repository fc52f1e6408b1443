"""Type I interferon in the tumour: from STING signalling and viral mimicry."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Pool, Quantity, Reaction, State

MECHANISM = Mechanism(
    name="type1_interferon",
    title="Type I interferon",
    summary=(
        "Interferon-alpha and -beta of the tumour follow the signals of STING and of double-stranded RNA (viral "
        "mimicry) within a day. They induce MHC-I and PD-L1 by the pathway shared with interferon-gamma, CXCL9 and "
        "CXCL10, the maturation of dendritic cells and their capacity for priming (cross-presentation), and, where "
        "they are strong, CCL2, which recruits CCR2-positive MDSCs."
    ),
    references=("fuertes2011", "diamond2011", "garciadiaz2017", "liang2017", "chiappinelli2015"),
    parameters="type1_interferon.csv",
    requires=("tumour_growth",),
    states=(State("IFN1_T", "nanomole", "tumour", "Type I interferon in the tumour", atol=1e-12),),
    reactions=(
        Reaction(
            "IFN1_secretion",
            "k_IFN1_deg * IFN1_50 * V_T * (sting_signal_T + viral_mimicry_T)",
            "Secretion, of what the signals sustain",
            products={"IFN1_T": 1},
        ),
        Reaction("IFN1_degradation", "k_IFN1_deg * IFN1_T", "Degradation and uptake", reactants={"IFN1_T": 1}),
    ),
    pools=(
        Pool(
            "sting_signal_T",
            "dimensionless",
            "Type I interferon that STING sustains, relative to IFN1_50",
        ),
        Pool(
            "viral_mimicry_T",
            "dimensionless",
            "Type I interferon that double-stranded RNA (TLR3, MDA5) sustains, relative to IFN1_50",
        ),
    ),
    quantities=(
        Quantity("IFN1_conc_T", "IFN1_T / V_T", "picomole/liter", "Type I interferon in the tumour", observable=True),
        Quantity(
            "H_IFN1",
            "IFN1_conc_T / (IFN1_conc_T + IFN1_50)",
            "dimensionless",
            "Response to type I interferon relative to saturation",
        ),
        Quantity(
            "H_IFN1_CCL2",
            "IFN1_conc_T^4 / (IFN1_conc_T^4 + (r_50_CCL2 * IFN1_50)^4)",
            "dimensionless",
            "Induction of CCL2 by type I interferon, which needs more of it than other genes do",
        ),
    ),
    modulations=(
        Modulation("mhc1_interferon", "ifn_gamma", "promotes", "r_MHC1_IFN1 * H_IFN1"),
        Modulation("pdl1_interferon", "ifn_gamma", "promotes", "r_PDL1_IFN1 * H_IFN1"),
        Modulation("infiltration", "chemokines", "promotes", "r_inf_IFN1 * H_IFN1"),
        Modulation("dc_maturation", "ifn1", "promotes", "r_DC_IFN1 * H_IFN1"),
        Modulation("priming", "ifn1", "promotes", "r_prime_IFN1 * H_IFN1"),
        Modulation("nk_recruitment", "chemokines", "promotes", "r_NK_IFN1 * H_IFN1"),
        Modulation("nk_killing", "ifn1", "promotes", "r_NK_kill_IFN1 * H_IFN1"),
        Modulation("ccl2_production", "ifn1", "promotes", "r_CCL2_IFN1 * H_IFN1_CCL2"),
    ),
)
