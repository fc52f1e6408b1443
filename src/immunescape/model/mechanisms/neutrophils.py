"""Tumour-associated neutrophils and their extracellular traps."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Pool, Quantity

MECHANISM = Mechanism(
    name="neutrophils",
    title="Neutrophils and extracellular traps",
    summary=(
        "CXCR1 and CXCR2 ligands recruit neutrophils into the tumour, where they live for days, so that their number "
        "is at quasi-steady state. Their extracellular traps (NETs) shield cancer cells from contact with CD8 T cells "
        "and NK cells, impede T-cell infiltration and activate latent TGF-beta."
    ),
    references=("kargl2017", "teijeira2020", "fridlender2009", "kargl2019"),
    parameters="neutrophils.csv",
    requires=("tumour_growth",),
    processes={"neutrophil_recruitment": "recruitment of neutrophils into the tumour"},
    quantities=(
        Quantity(
            "TAN_density_T",
            "k_TAN_rec * f_neutrophil_recruitment / k_TAN_death",
            "cell/milliliter",
            "Neutrophils in the tumour",
            observable=True,
        ),
        Quantity(
            "NET_T",
            "TAN_density_T / (NET_50 * (1 + net_inhibitor))",
            "dimensionless",
            "Extracellular traps / density that halves contact with cancer cells",
            observable=True,
        ),
    ),
    pools=(Pool("net_inhibitor", "dimensionless", "Inhibition of extracellular traps (PAD4 inhibitor, DNase)"),),
    modulations=(
        Modulation("killing", "nets", "inhibits", "NET_T"),
        Modulation("nk_killing", "nets", "inhibits", "NET_T"),
        Modulation("infiltration", "neutrophils", "inhibits", "TAN_density_T / TAN_50_infiltration"),
        Modulation("tgfb_activation", "neutrophils", "promotes", "r_TGFb_TAN * TAN_density_T / TAN_50_infiltration"),
    ),
)
