"""Costimulation and its checkpoints in the node: CD28, CTLA-4, CD80, CD86, PD-1 and PD-L1 (quasi-steady binding)."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Pool, Quantity
from immunescape.model.mechanisms._binding import Antibody, costimulation

_DENSITY = "molecule/micrometer^2"
_ON_PD1, _PD1_ARMS = Antibody.on("aPD1_LN", "pd1_antibody_LN", "PD1", "T8_PD1 / A_Tcell")
_ON_PDL1, _PDL1_ARMS = Antibody.on("aPDL1_LN", "pdl1_antibody_LN", "PDL1", "C_PDL1 / A_cell")
_ON_CTLA4, _CTLA4_ARMS = Antibody.on("aCTLA4_LN", "ctla4_antibody_LN", "CTLA4", "CTLA4_CD8")
_SYNAPSE = costimulation(
    "synN",
    cd28="CD28_CD8",
    ctla4="CTLA4_CD8",
    cd80="CD80_LN",
    cd86="CD86_LN",
    pd1="PD1_LN",
    pdl1="PDL1_LN",
    pdl2="PDL2_LN",
    on_pd1=_ON_PD1,
    on_pdl1=_ON_PDL1,
    on_ctla4=_ON_CTLA4,
)

MECHANISM = Mechanism(
    name="checkpoints_ctla4",
    title="Costimulation and CTLA-4 in the node",
    summary=(
        "In the synapse between naive T cells and mature dendritic cells, CTLA-4 competes with CD28 for CD80 and "
        "CD86, and PD-L1 sequesters CD80 in cis. CTLA-4 of regulatory T cells removes CD80 and CD86 from dendritic "
        "cells (trans-endocytosis) unless it is blocked by antibody. CD28 signalling adds up to N_costim divisions: "
        "strength 2^(divisions added) - 1."
    ),
    references=("jansson2005", "vandermerwe1997", "collins2002", "parry2005", "qureshi2011", "cheng2013", "butte2008"),
    parameters="checkpoints_ctla4.csv",
    requires=("cd8", "checkpoints_pd1", "treg", "body"),
    states=_SYNAPSE.states,
    reactions=_SYNAPSE.reactions,
    quantities=(
        Quantity("K_CD28_CD80", "kd_CD28_CD80 * d_syn", _DENSITY, "Dissociation of CD28 and CD80 in the synapse"),
        Quantity("K_CD28_CD86", "kd_CD28_CD86 * d_syn", _DENSITY, "Dissociation of CD28 and CD86 in the synapse"),
        Quantity("K_CTLA4_CD80", "kd_CTLA4_CD80 * d_syn", _DENSITY, "Dissociation of CTLA-4 and CD80 in the synapse"),
        Quantity("K_CTLA4_CD86", "kd_CTLA4_CD86 * d_syn", _DENSITY, "Dissociation of CTLA-4 and CD86 in the synapse"),
        Quantity("K_CD80_PDL1", "kd_CD80_PDL1 * d_syn", _DENSITY, "Dissociation of CD80 and PD-L1 in cis"),
        Quantity("CD28_CD8", "T8_CD28 / A_Tcell", _DENSITY, "CD28 on naive CD8 T cells"),
        Quantity("CTLA4_CD8", "T8_CTLA4 / A_Tcell", _DENSITY, "CTLA-4 on primed CD8 T cells"),
        Quantity("PD1_LN", "r_PD1_LN * T8_PD1 / A_Tcell", _DENSITY, "PD-1 on CD8 T cells at priming"),
        Quantity("PDL1_LN", "r_PDL1_LN * APC_PDL1 / A_APC", _DENSITY, "PD-L1 on mature dendritic cells in the node"),
        Quantity("PDL2_LN", "r_PDL2_APC * PDL1_LN", _DENSITY, "PD-L2 on mature dendritic cells in the node"),
        *_PD1_ARMS,
        *_PDL1_ARMS,
        *_CTLA4_ARMS,
        Quantity(
            "CTLA4_open_LN",
            "2 / (1 + 2 * aCTLA4_LN_arm + sqrt((1 + 2 * aCTLA4_LN_arm) * (1 + 2 * aCTLA4_LN_arm)"
            " + 4 * aCTLA4_LN_cross * CTLA4_CD8))",
            "dimensionless",
            "Share of CTLA-4 on regulatory T cells in the node not bound by antibody",
        ),
        Quantity(
            "stripping_LN",
            "CTLA4_open_LN * Treg_LN / (V_LN * Treg_strip_50)",
            "dimensionless",
            "Trans-endocytosis of CD80 and CD86 relative to their own turnover",
        ),
        Quantity("CD80_LN", "APC_CD80 / A_APC / (1 + stripping_LN)", _DENSITY, "CD80 on mature dendritic cells"),
        Quantity("CD86_LN", "APC_CD86 / A_APC / (1 + stripping_LN)", _DENSITY, "CD86 on mature dendritic cells"),
        *_SYNAPSE.quantities,
        Quantity(
            "H_CD28",
            "synN_CD28 * synN_CD28 / (synN_CD28 * synN_CD28 + CD28_50 * CD28_50)",
            "dimensionless",
            "CD28 signal at priming relative to saturation",
            observable=True,
        ),
    ),
    pools=(
        Pool(
            "ctla4_antibody_T", "dimensionless", "Free antibody in the tumour / concentration that half blocks CTLA-4"
        ),
        Pool("ctla4_antibody_LN", "dimensionless", "Free antibody in the node / concentration that half blocks CTLA-4"),
    ),
    modulations=(
        Modulation("priming", "costimulation", "promotes", "exp(0.6931471805599453 * N_costim * H_CD28) - 1"),
        Modulation("priming", "pd1", "inhibits", "synN_PD1 / PD1_50_priming"),
    ),
)
