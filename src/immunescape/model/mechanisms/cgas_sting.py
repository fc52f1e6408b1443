"""cGAS-STING: cytosolic DNA sensed in cancer cells and in dendritic cells."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Mechanism, Modulation, Pool, Quantity, Trait

MECHANISM = Mechanism(
    name="cgas_sting",
    title="cGAS-STING",
    summary=(
        "Cytosolic DNA of cancer cells (from genomic instability and therapy) is degraded by TREX1; the remainder "
        "activates cGAS, whose product cGAMP activates STING in the cancer cell and, after transfer, in dendritic "
        "cells. Dendritic cells also take up DNA from dying cancer cells. STING signals through TBK1 and IRF3 (type I "
        "interferon, CXCL10, CCL5) and through NF-kB (MHC-I independently of JAK). It limits MDSC recruitment and "
        "attracts NK cells; cGAMP that reaches CD8 T cells protects them from terminal exhaustion in proportion to "
        "their STING."
    ),
    references=(
        "woo2014",
        "deng2014",
        "harding2017",
        "marcus2018",
        "vanpouillebox2017",
        "zhang2019sting",
        "li2020sting",
        "dellacorte2020",
    ),
    parameters="cgas_sting.csv",
    requires=("tumour_growth",),
    processes={
        "sting_tumour": "sensing of cytosolic DNA and STING signalling in cancer cells",
        "sting_dc": "STING signalling in dendritic cells",
    },
    pools=(
        Pool("cytosolic_dna_T", "dimensionless", "Cytosolic DNA of cancer cells before TREX1, 1 in the typical tumour"),
        Pool("trex1_induction_T", "dimensionless", "TREX1 beyond its level in the untreated tumour, relative to it"),
        Pool("sting_agonist_T", "dimensionless", "STING agonist in the tumour / its half-maximal concentration"),
    ),
    contributions=(
        Contribution("cytosolic_dna_T", "dna_instability"),
        Contribution("sting_signal_T", "w_IFN1_cancer * H_STING_T + w_IFN1_DC * H_STING_DC"),
    ),
    traits=(Trait("sting_competence", "1", "cGAS and STING relative to the reference clone"),),
    quantities=(
        Quantity(
            "dna_load_T",
            "cytosolic_dna_T / (1 + trex1_induction_T)",
            "dimensionless",
            "Cytosolic DNA of cancer cells that TREX1 leaves, 1 in the typical untreated tumour",
            observable=True,
        ),
        Quantity(
            "sting_competence_T",
            "SUM(sting_competence_{clone} * C_{clone}) / (C_total + one_cell)",
            "dimensionless",
            "Mean competence of cancer cells for STING signalling",
        ),
        Quantity(
            "cgamp_T",
            "sting_competence_T * f_sting_tumour * dna_load_T / dna_50",
            "dimensionless",
            "cGAMP made in cancer cells, relative to what half opens STING",
        ),
        Quantity(
            "H_STING_T",
            "(cgamp_T + sting_competence_T * sting_agonist_T) / (1 + cgamp_T + sting_competence_T * sting_agonist_T)",
            "dimensionless",
            "STING signalling in cancer cells relative to saturation",
            observable=True,
        ),
        Quantity(
            "sting_input_DC",
            "f_sting_dc * (dying_T / (V_T * dying_50_DC) + w_cGAMP_DC * cgamp_T + sting_agonist_T)",
            "dimensionless",
            "Input of STING in dendritic cells: DNA of dying cells, cGAMP handed on, agonist",
        ),
        Quantity(
            "H_STING_DC",
            "sting_input_DC / (1 + sting_input_DC)",
            "dimensionless",
            "STING signalling in dendritic cells relative to saturation",
            observable=True,
        ),
    ),
    modulations=(
        Modulation("infiltration", "chemokines", "promotes", "r_inf_STING * H_STING_T"),
        Modulation("mhc1_expression", "nfkb", "promotes", "r_MHC1_NFkB * H_STING_T"),
        Modulation("dc_maturation", "sting", "promotes", "r_DC_STING * H_STING_DC"),
        Modulation("mdsc_recruitment", "sting", "inhibits", "r_MDSC_STING * H_STING_T"),
        Modulation("nk_recruitment", "chemokines", "promotes", "r_NK_STING * H_STING_T"),
        Modulation("exhaustion", "sting_cd8", "inhibits", "r_exh_STING_CD8 * sting_cd8 * cgamp_T / (1 + cgamp_T)"),
    ),
)
