"""Prostaglandin E2 produced by COX-2."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Pool, Quantity

MECHANISM = Mechanism(
    name="pge2",
    title="Prostaglandin E2",
    summary=(
        "COX-2 of cancer cells and macrophages produces prostaglandin E2 (relative level, quasi-steady state). "
        "Through cAMP and protein kinase A it recruits MDSCs, converts helper T cells to regulatory T cells, keeps "
        "dendritic cells immature, impairs CD8 T cells and, in the draining lymph nodes, suppresses their "
        "interleukin-2."
    ),
    references=("sinha2007", "sharma2005", "zelenay2015", "bottcher2018", "anastassiou1992"),
    parameters="pge2.csv",
    requires=("tumour_growth",),
    processes={"pge2_production": "production of prostaglandin E2 in the tumour"},
    quantities=(
        Quantity(
            "PGE2_T",
            "cox2_tumour * f_pge2_production / (1 + cox2_inhibitor)",
            "dimensionless",
            "Prostaglandin E2 in the tumour, 1 in the untreated reference",
            observable=True,
        ),
    ),
    pools=(Pool("cox2_inhibitor", "dimensionless", "Free inhibitor / concentration that half inhibits COX-2"),),
    modulations=(
        Modulation("mdsc_recruitment", "pge2", "promotes", "r_MDSC_PGE2 * PGE2_T"),
        Modulation("il2_production", "pge2", "inhibits", "r_IL2_PGE2 * PGE2_T"),
        Modulation("treg_conversion", "pge2", "promotes", "r_Treg_PGE2 * PGE2_T"),
        Modulation("dc_maturation", "metabolic", "inhibits", "r_DC_PGE2 * PGE2_T"),
        Modulation("nk_killing", "metabolic", "inhibits", "r_kill_PGE2 * PGE2_T"),
        Modulation("killing", "metabolic", "inhibits", "r_kill_PGE2 * PGE2_T"),
        Modulation("reactivation", "metabolic", "inhibits", "r_kill_PGE2 * PGE2_T"),
    ),
)
