"""2-Hydroxyglutarate."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Quantity

MECHANISM = Mechanism(
    name="oncometabolite",
    title="2-Hydroxyglutarate",
    summary=(
        "2-Hydroxyglutarate is low where IDH1 and IDH2 are wild type, and high in the rare mutant tumours. It lowers "
        "the chemokines that attract T cells, recruits macrophages and impairs CD8 T cells."
    ),
    references=("notarangelo2022", "bunse2018"),
    parameters="oncometabolite.csv",
    requires=("tumour_growth",),
    quantities=(
        Quantity(
            "HG2_conc_T",
            "HG2_wild_type + HG2_mutant * idh_mutant",
            "millimole/liter",
            "2-Hydroxyglutarate in the tumour",
            observable=True,
        ),
    ),
    modulations=(
        Modulation("infiltration", "metabolic", "inhibits", "HG2_conc_T / HG2_50"),
        Modulation("macrophage_recruitment", "hg2", "promotes", "HG2_conc_T / HG2_50"),
        Modulation("killing", "metabolic", "inhibits", "HG2_conc_T / HG2_50"),
    ),
)
