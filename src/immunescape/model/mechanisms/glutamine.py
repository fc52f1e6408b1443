"""Glutamine and its depletion by cancer cells."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Quantity

MECHANISM = Mechanism(
    name="glutamine",
    title="Glutamine",
    summary=(
        "Cancer cells consume glutamine supplied by blood (quasi-steady state); glutamine deprivation limits the "
        "proliferation of CD8 T cells in the tumour, while the remaining glutamine supports MDSCs."
    ),
    references=("leone2019", "edwards2021", "romero2017"),
    parameters="glutamine.csv",
    requires=("tumour_growth",),
    processes={"glutamine_use": "uptake of glutamine by cancer cells"},
    quantities=(
        Quantity(
            "glutamine_conc_T",
            "glutamine_blood * f_perfusion / (f_perfusion + glutaminolysis_tumour * use_glutamine * f_glutamine_use)",
            "millimole/liter",
            "Glutamine in the tumour",
            observable=True,
        ),
        Quantity(
            "glutamine_lack_T",
            "glutamine_50 / (glutamine_50 + glutamine_conc_T)",
            "dimensionless",
            "Lack of glutamine for T cells, 0 to 1",
        ),
    ),
    modulations=(
        Modulation("reactivation", "metabolic", "inhibits", "r_glutamine * glutamine_lack_T"),
        Modulation("killing", "metabolic", "inhibits", "r_kill_glutamine * glutamine_lack_T"),
        Modulation("mdsc_recruitment", "glutamine", "promotes", "r_MDSC_glutamine * (1 - glutamine_lack_T)"),
    ),
)
