"""B cells and tertiary lymphoid structures: induced by CXCL13, they admit T cells and support progenitors in situ."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Quantity, Reaction, State

MECHANISM = Mechanism(
    name="tertiary_lymphoid",
    title="B cells and tertiary lymphoid structures",
    summary=(
        "CXCL13, secreted by exhausted CD8 T cells (relative level, quasi-steady state), attracts B cells and induces "
        "tertiary lymphoid structures within weeks. Their high endothelial venules admit T cells, and their dendritic "
        "and B cells present antigen in situ, which promotes the output of TCF1+ progenitors. Patients differ in how "
        "readily the structures form."
    ),
    references=("dieunosjean2008", "germain2014", "patil2022", "thommen2018"),
    parameters="tertiary_lymphoid.csv",
    requires=("tumour_growth", "cd8", "exhaustion"),
    processes={"tls_formation": "formation of tertiary lymphoid structures"},
    states=(
        State(
            "TLS_T",
            "dimensionless",
            "tumour",
            "Tertiary lymphoid structures per tumour volume, about 1 in the reference",
            "tls_tumour",
        ),
    ),
    reactions=(
        Reaction("TLS_build", "k_TLS * tls_tumour * f_tls_formation", "Formation", products={"TLS_T": 1}),
        Reaction("TLS_loss", "k_TLS * TLS_T", "Loss", reactants={"TLS_T": 1}),
    ),
    quantities=(
        Quantity(
            "CXCL13_T",
            "CD8_exh_T / V_T / CXCL13_source",
            "dimensionless",
            "CXCL13 in the tumour, about 1 in the reference",
            observable=True,
        ),
        Quantity("B_density_T", "B_per_TLS * TLS_T", "cell/milliliter", "B cells in the tumour", observable=True),
    ),
    modulations=(
        Modulation("tls_formation", "cxcl13", "promotes", "r_TLS_CXCL13 * CXCL13_T / (1 + CXCL13_T)"),
        Modulation("infiltration", "tls", "promotes", "r_inf_TLS * TLS_T"),
        Modulation("reactivation", "tls", "promotes", "r_react_TLS * TLS_T"),
    ),
)
