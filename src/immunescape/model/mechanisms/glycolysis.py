"""Glycolysis of cancer cells: competition for glucose, lactate and pH."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Quantity

_MM = "millimole/liter"

MECHANISM = Mechanism(
    name="glycolysis",
    title="Glucose, lactate and pH",
    summary=(
        "Cancer cells take up glucose supplied by blood and secrete lactate (mass balance at quasi-steady state). "
        "Glucose deprivation and lactate impair CD8 T cells, lactate also dendritic cells and NK cells; regulatory T "
        "cells metabolise lactate, and it polarises macrophages to M2. Glucose taken up by cancer cells binds NSUN2, "
        "which lowers their cytosolic DNA through TREX2; dendritic cells require glucose for STING signalling."
    ),
    references=(
        *("chang2015", "fischer2007", "brand2016", "gottfried2006", "watson2021", "colegio2014", "chen2023nsun2"),
        *("hu2023sting", "brizel2001"),
    ),
    parameters="glycolysis.csv",
    requires=("tumour_growth",),
    processes={"glycolysis": "uptake of glucose by cancer cells"},
    quantities=(
        Quantity(
            "glucose_use_T",
            "glycolysis_tumour * use_glucose * f_glycolysis",
            "dimensionless",
            "Clearance of glucose by the tumour relative to exchange with blood in the reference",
        ),
        Quantity(
            "glucose_conc_T",
            "glucose_blood * f_perfusion / (f_perfusion + glucose_use_T)",
            _MM,
            "Glucose in the tumour",
            observable=True,
        ),
        Quantity(
            "glucose_uptake_T",
            "glucose_use_T * glucose_conc_T / glucose_blood",
            "dimensionless",
            "Uptake of glucose by cancer cells relative to what exchange can bring in the reference",
        ),
        Quantity(
            "lactate_conc_T",
            "lactate_blood + 2 * lactate_yield * (glucose_blood - glucose_conc_T) / clear_lactate",
            _MM,
            "Lactate in the tumour",
            observable=True,
        ),
        Quantity(
            "pH_T",
            "pH_blood - pH_per_lactate * (lactate_conc_T - lactate_blood)",
            "dimensionless",
            "pH outside cells in the tumour",
            observable=True,
        ),
        Quantity(
            "glucose_lack_T",
            "glucose_50 / (glucose_50 + glucose_conc_T)",
            "dimensionless",
            "Lack of glucose for immune cells, 0 to 1",
        ),
    ),
    modulations=(
        Modulation("killing", "metabolic", "inhibits", "lactate_conc_T / lactate_50 + r_glucose * glucose_lack_T"),
        Modulation("reactivation", "metabolic", "inhibits", "lactate_conc_T / lactate_50 + r_glucose * glucose_lack_T"),
        Modulation("nk_killing", "metabolic", "inhibits", "lactate_conc_T / lactate_50"),
        Modulation("dc_maturation", "metabolic", "inhibits", "r_DC_lactate * lactate_conc_T / lactate_50"),
        Modulation("treg_recruitment", "metabolic", "promotes", "r_Treg_lactate * lactate_conc_T / lactate_50"),
        Modulation("macrophage_m2", "metabolic", "promotes", "r_M2_lactate * lactate_conc_T / lactate_50"),
        Modulation("sting_tumour", "nsun2_trex2", "inhibits", "r_STING_NSUN2 * glucose_uptake_T"),
        Modulation("sting_dc", "glucose", "inhibits", "r_STING_DC_glucose * glucose_lack_T"),
    ),
)
