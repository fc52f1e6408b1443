"""Tryptophan in the tumour: three branches (WARS, IDO1, TDO), kynurenine and 3-hydroxyanthranilic acid."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Pool, Quantity

_UM = "micromole/liter"

MECHANISM = Mechanism(
    name="tryptophan",
    title="Tryptophan and kynurenine",
    summary=(
        "Tryptophan enters from blood and is consumed by three branches: charging of tRNA by WARS1, IDO1 (induced by "
        "interferon-gamma) and TDO2. The branches compete for one pool, so that TDO2 partly compensates for "
        "inhibition of IDO1; kynurenine also comes from blood. Kynurenine acts through the aryl hydrocarbon receptor "
        "on killing, dendritic cells, regulatory T cells and PD-1; its product 3-hydroxyanthranilic acid activates "
        "latent TGF-beta. Tryptophan charged by WARS1 of T cells lowers PD-1 (NFATc1). All is at quasi-steady state: "
        "amino acids turn over in minutes to hours."
    ),
    references=(
        "creelan2013",
        "shi2017",
        "opitz2011",
        "pilotte2012",
        "spranger2013",
        "mezrich2010",
        "liu2018kyn",
        "qin2021",
    ),
    parameters="tryptophan.csv",
    requires=("tumour_growth",),
    processes={
        "ido1_expression": "IDO1 in the tumour",
        "kynurenine_blood": "kynurenine in blood, from the gut and its flora among others",
    },
    quantities=(
        Quantity(
            "IDO1_use",
            "use_IDO1 * f_ido1_expression / (1 + ido1_inhibitor)",
            "dimensionless",
            "Clearance of tryptophan by IDO1 in the tumour, relative to exchange with blood",
        ),
        Quantity(
            "TDO_use",
            "use_TDO / (1 + tdo_inhibitor)",
            "dimensionless",
            "Clearance of tryptophan by TDO in the tumour, relative to exchange with blood",
        ),
        Quantity(
            "Trp_conc_T",
            "Trp_blood / (1 + use_WARS + IDO1_use + TDO_use)",
            _UM,
            "Tryptophan in the tumour",
            observable=True,
        ),
        Quantity(
            "Kyn_blood_conc",
            "Kyn_blood * f_kynurenine_blood"
            " * (share_IDO1_blood / (1 + ido1_inhibitor) + (1 - share_IDO1_blood) / (1 + tdo_inhibitor))",
            _UM,
            "Kynurenine in blood, from IDO1 and from TDO of the liver",
            observable=True,
        ),
        Quantity(
            "Kyn_conc_T",
            "(Kyn_blood_conc + (IDO1_use + TDO_use) * Trp_conc_T) / (1 + use_KMO)",
            _UM,
            "Kynurenine in the tumour",
            observable=True,
        ),
        Quantity(
            "HAA_conc_T",
            "yield_HAA * use_KMO * Kyn_conc_T",
            _UM,
            "3-Hydroxyanthranilic acid in the tumour",
            observable=True,
        ),
        Quantity(
            "Kyn_Trp_ratio_T",
            "Kyn_conc_T / Trp_conc_T",
            "dimensionless",
            "Kynurenine per tryptophan in the tumour",
            observable=True,
        ),
        Quantity("AhR_T", "Kyn_conc_T / Kyn_50", "dimensionless", "Kynurenine / concentration that half activates AhR"),
    ),
    pools=(
        Pool("ido1_inhibitor", "dimensionless", "Free inhibitor / concentration that half inhibits IDO1"),
        Pool("tdo_inhibitor", "dimensionless", "Free inhibitor / concentration that half inhibits TDO"),
    ),
    modulations=(
        Modulation("killing", "metabolic", "inhibits", "AhR_T + Trp_50 / (Trp_conc_T + Trp_50)"),
        Modulation("reactivation", "metabolic", "inhibits", "AhR_T + Trp_50 / (Trp_conc_T + Trp_50)"),
        Modulation("dc_maturation", "metabolic", "inhibits", "r_DC_Kyn * AhR_T"),
        Modulation("treg_recruitment", "metabolic", "promotes", "AhR_T"),
        Modulation("tgfb_activation", "haa", "promotes", "r_TGFb_HAA * HAA_conc_T / HAA_50"),
        Modulation("pd1_expression", "kynurenine", "promotes", "AhR_T"),
        Modulation("pd1_expression", "wars", "inhibits", "r_PD1_WARS * wars_T8 * Trp_conc_T / (Trp_conc_T + Trp_50)"),
    ),
)
