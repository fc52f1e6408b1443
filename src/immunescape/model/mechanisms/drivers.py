"""Driver and histology context: effects of the tumour's driver alterations on PD-L1, infiltration and suppressors."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Mechanism, Modulation, Pool, Quantity


def _temper(process: str, tag: str) -> tuple[Modulation, Modulation]:
    """How drivers inflame and cool a tumour: two modulations of a process with strengths ``r_<tag>_<driver>``."""
    return (
        Modulation(
            process, "inflamed_drivers", "promotes", f"r_{tag}_kras * kras_active * (1 - stk11_loss) * (1 - keap1_loss)"
        ),
        Modulation(
            process,
            "drivers",
            "inhibits",
            f"r_{tag}_stk11 * stk11_loss + r_{tag}_keap1 * keap1_loss"
            f" + r_{tag}_egfr * egfr_active * (1 - alk_fusion) + r_{tag}_egfr * alk_fusion",
        ),
    )


MECHANISM = Mechanism(
    name="drivers",
    title="Driver and histology context",
    summary=(
        "Driver alterations and histology of the patient as parameters that are 0 or 1; the reference patient has "
        "none. KRAS mutation raises PD-L1 on cancer cells, TGF-beta, IL-10, MDSCs and regulatory T cells, and with "
        "intact STK11 and KEAP1 is associated with greater infiltration; loss of STK11 lowers PD-L1 and infiltration, "
        "loss of KEAP1 lowers infiltration; EGFR-mutant and ALK-rearranged tumours have few T cells, EGFR-mutant ones "
        "many regulatory T cells and high CD73. Mutational burden depends on the drivers through the covariates. MET "
        "amplification and loss of STK11 silence STING in cancer cells; TP53 and squamous histology act through other "
        "mechanisms and covariates."
    ),
    references=(
        "skoulidis2018",
        "koyama2016",
        "chen2017k",
        "liu2020k",
        "gainor2016",
        "sugiyama2020",
        "zhang2021met",
        "le2021egfr",
    ),
    parameters="drivers.csv",
    requires=("tumour_growth",),
    contributions=(
        Contribution("tgfb_secretion", "k_TGFb_kras * kras_active * C_total"),
        Contribution("il10_secretion", "k_IL10_kras * kras_active * C_total"),
    ),
    pools=(
        Pool("kras_g12c_inhibitor", "dimensionless", "Free inhibitors of KRAS G12C in the tumour / half-inhibiting"),
        Pool("egfr_inhibitor", "dimensionless", "Free inhibitors of mutant EGFR in the tumour / half-inhibiting"),
    ),
    quantities=(
        Quantity(
            "kras_active",
            "kras_mutant * (1 - kras_g12c * kras_g12c_inhibitor / (1 + kras_g12c_inhibitor))",
            "dimensionless",
            "Signal of mutant KRAS that inhibitors of G12C leave",
        ),
        Quantity(
            "egfr_active",
            "egfr_mutant / (1 + egfr_inhibitor)",
            "dimensionless",
            "Signal of mutant EGFR that inhibitors leave",
        ),
    ),
    modulations=(
        Modulation("pdl1_cancer", "kras", "promotes", "r_PDL1_kras * kras_active"),
        Modulation("sting_tumour", "met", "inhibits", "r_STING_met * met_amplified"),
        Modulation("sting_tumour", "stk11", "inhibits", "r_STING_stk11 * stk11_loss"),
        Modulation("pdl1_cancer", "low_drivers", "inhibits", "r_PDL1_stk11 * stk11_loss + r_PDL1_egfr * egfr_active"),
        Modulation("mdsc_recruitment", "kras", "promotes", "r_MDSC_kras * kras_active"),
        Modulation("treg_recruitment", "drivers", "promotes", "r_Treg_kras * kras_active + r_Treg_egfr * egfr_active"),
        *_temper("infiltration", "inf"),
        *_temper("progenitor_niche", "niche"),
        Modulation("neutrophil_recruitment", "stk11", "promotes", "r_TAN_stk11 * stk11_loss"),
        Modulation("ectonucleotidases", "drivers", "promotes", "r_ecto_egfr * egfr_active"),
        Modulation("glycolysis", "drivers", "promotes", "r_glycolysis_kras * kras_active"),
        Modulation("glutamine_use", "drivers", "promotes", "r_glutamine_keap1 * keap1_loss"),
    ),
)
