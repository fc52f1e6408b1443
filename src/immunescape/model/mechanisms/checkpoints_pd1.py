"""PD-1, PD-L1 and PD-L2 in the tumour, with antibodies in competition (quasi-steady binding)."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Pool, Quantity
from immunescape.model.mechanisms._binding import Antibody, pd1_synapse

_ON_PD1, _PD1_ARMS = Antibody.on("aPD1_T", "pd1_antibody_T", "PD1", "T8_PD1 / A_Tcell")
_ON_PDL1, _PDL1_ARMS = Antibody.on("aPDL1_T", "pdl1_antibody_T", "PDL1", "C_PDL1 / A_cell")
_CANCER = pd1_synapse(
    "synC", where="cancer cells", pd1="PD1_CD8", pdl1="PDL1_C", pdl2="PDL2_C", on_pd1=_ON_PD1, on_pdl1=_ON_PDL1
)
_APC = pd1_synapse(
    "synA",
    where="antigen-presenting cells",
    pd1="PD1_CD8",
    pdl1="PDL1_APC",
    pdl2="PDL2_APC",
    on_pd1=_ON_PD1,
    on_pdl1=_ON_PDL1,
)
_DENSITY = "molecule/micrometer^2"

MECHANISM = Mechanism(
    name="checkpoints_pd1",
    title="PD-1, PD-L1 and PD-L2 in the tumour",
    summary=(
        "Two synapses of CD8 T cells: with cancer cells, where PD-1 signalling inhibits killing, and with dendritic "
        "cells and macrophages, where it restrains the output of TCF1+ progenitors. Binding equilibrates within "
        "seconds to minutes and antibodies distribute within hours, so binding is at quasi-steady state. PD-L1 is "
        "induced by interferons where JAK1/2 are intact (f_pdl1_interferon) and by other signals (f_pdl1_expression, "
        "f_pdl1_cancer)."
    ),
    references=("cheng2013", "mkrtichyan2012", "wang2014", "im2016", "hui2017", "oh2020", "shin2017"),
    parameters="checkpoints_pd1.csv",
    requires=("cd8", "tumour_growth"),
    processes={
        "pdl1_expression": "PD-L1 and PD-L2 on cancer and antigen-presenting cells, interferons aside",
        "pdl1_interferon": "PD-L1 and PD-L2 on cancer and antigen-presenting cells by interferons, through JAK1/2",
        "pdl1_cancer": "PD-L1 and PD-L2 on cancer cells alone, interferons aside",
        "pd1_expression": "PD-1 on CD8 T cells",
    },
    states=(*_CANCER.states, *_APC.states),
    reactions=(*_CANCER.reactions, *_APC.reactions),
    quantities=(
        Quantity("K_PD1_PDL1", "kd_PD1_PDL1 * d_syn", _DENSITY, "Dissociation of PD-1 and PD-L1 in the synapse"),
        Quantity("K_PD1_PDL2", "kd_PD1_PDL2 * d_syn", _DENSITY, "Dissociation of PD-1 and PD-L2 in the synapse"),
        Quantity("PD1_CD8", "f_pd1_expression * T8_PD1 / A_Tcell", _DENSITY, "PD-1 on CD8 T cells in the tumour"),
        Quantity(
            "ifn_blind_share_T",
            "SUM((1 - ifn_response_{clone}) * C_{clone}) / (C_total + one_cell)",
            "dimensionless",
            "Share of living cancer cells that do not answer interferons",
            observable=True,
        ),
        Quantity(
            "PDL1_C",
            "pdl1_tumour * f_pdl1_expression * f_pdl1_cancer * C_PDL1 / A_cell"
            " * (f_pdl1_interferon + ifn_blind_share_T * (pdl1_constitutive - f_pdl1_interferon))",
            _DENSITY,
            "PD-L1 on cancer cells, mean of all clones",
        ),
        Quantity("PDL2_C", "r_PDL2_C * PDL1_C", _DENSITY, "PD-L2 on cancer cells"),
        Quantity(
            "PDL1_APC",
            "pdl1_stroma * (1 - pdl1_shared + pdl1_shared * pdl1_tumour) * f_pdl1_expression * f_pdl1_interferon"
            " * APC_PDL1 / A_APC",
            _DENSITY,
            "PD-L1 on antigen-presenting cells",
        ),
        Quantity("PDL2_APC", "r_PDL2_APC * PDL1_APC", _DENSITY, "PD-L2 on antigen-presenting cells"),
        *_PD1_ARMS,
        *_PDL1_ARMS,
        *_CANCER.quantities,
        *_APC.quantities,
        Quantity(
            "PD1_occupancy_T",
            "1 - synC_PD1_free - synC_complex / PD1_CD8",
            "dimensionless",
            "Share of PD-1 on CD8 T cells in the tumour bound by antibody",
            observable=True,
        ),
        Quantity(
            "PD1_engaged_T",
            "synC_complex / PD1_CD8",
            "dimensionless",
            "Share of PD-1 engaged by its ligands in the synapse with cancer cells",
            observable=True,
        ),
        Quantity("PDL1_T", "PDL1_C", _DENSITY, "PD-L1 on cancer cells, bound or not", observable=True),
    ),
    pools=(
        Pool("pd1_antibody_T", "dimensionless", "Free antibody in the tumour / concentration that half blocks PD-1"),
        Pool("pdl1_antibody_T", "dimensionless", "Free antibody in the tumour / concentration that half blocks PD-L1"),
        Pool("pd1_antibody_LN", "dimensionless", "Free antibody in the node / concentration that half blocks PD-1"),
        Pool("pdl1_antibody_LN", "dimensionless", "Free antibody in the node / concentration that half blocks PD-L1"),
    ),
    modulations=(
        Modulation("killing", "pd1", "inhibits", "synC_complex / PD1_50_killing"),
        Modulation("reactivation", "pd1", "inhibits", "synA_complex / PD1_50_reactivation"),
    ),
)
