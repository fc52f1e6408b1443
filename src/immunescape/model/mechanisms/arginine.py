"""Arginine in the tumour and its depletion by arginase-1."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Quantity

MECHANISM = Mechanism(
    name="arginine",
    title="Arginine",
    summary=(
        "Unless inhibited, arginase-1 of MDSCs depletes the arginine supplied by blood (quasi-steady state). Arginine "
        "deprivation lowers CD3 and limits the proliferation of T cells in the tumour-draining lymph node and of NK "
        "cells; the direct effect of arginase-1 on T cells in the tumour belongs to the MDSC mechanism."
    ),
    references=("rodriguez2004", "steggerda2017"),
    parameters="arginine.csv",
    requires=("tumour_growth", "mdsc"),
    quantities=(
        Quantity(
            "arginine_conc_T",
            "arginine_blood * f_perfusion / (f_perfusion + ArgI_active_T / ArgI_use_50)",
            "micromole/liter",
            "Arginine in the tumour",
            observable=True,
        ),
        Quantity(
            "arginine_lack_T",
            "arginine_50 / (arginine_50 + arginine_conc_T)",
            "dimensionless",
            "Lack of arginine for T cells, 0 to 1",
        ),
    ),
    modulations=(
        Modulation("proliferation", "arginine", "inhibits", "r_prolif_arginine * arginine_lack_T"),
        Modulation("nk_killing", "metabolic", "inhibits", "r_prolif_arginine * arginine_lack_T"),
    ),
)
