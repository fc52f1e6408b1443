"""Oxygen in the tumour and HIF-1alpha."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Quantity

MECHANISM = Mechanism(
    name="hypoxia",
    title="Oxygen and HIF-1alpha",
    summary=(
        "Oxygen in the tumour balances supply by perfusion against consumption, at quasi-steady state. HIF-1alpha "
        "rises as oxygen falls: it increases VEGF, glycolysis, ectonucleotidases and PD-L1, M2 polarisation and "
        "exhaustion; in dendritic cells it supports STING. Hypoxia slows the proliferation of cancer cells and "
        "killing by CD8 T cells."
    ),
    references=("le2006", "jiang1996", "forsythe1996", "noman2014", "scharping2021", "synnestvedt2002", "hu2023sting"),
    parameters="hypoxia.csv",
    requires=("tumour_growth",),
    quantities=(
        Quantity(
            "oxygen_share_T",
            "f_perfusion / (f_perfusion + oxygen_use)",
            "dimensionless",
            "Oxygen in the tumour relative to normal tissue",
        ),
        Quantity(
            "pO2_T",
            "pO2_normal * oxygen_share_T",
            "mmHg",
            "Partial pressure of oxygen in the tumour",
            observable=True,
        ),
        Quantity(
            "H_HIF",
            "pO2_50 * pO2_50 / (pO2_50 * pO2_50 + pO2_T * pO2_T)",
            "dimensionless",
            "HIF-1alpha in the tumour relative to its level without oxygen",
            observable=True,
        ),
    ),
    modulations=(
        Modulation("radiosensitivity", "oxygen", "promotes", "r_radio_O2 * pO2_T / (pO2_T + pO2_50_radio)"),
        Modulation("growth", "oxygen", "promotes", "r_growth_O2 * oxygen_share_T"),
        Modulation("vegf_production", "hif1a", "promotes", "r_VEGF_HIF * H_HIF"),
        Modulation("glycolysis", "hif1a", "promotes", "r_glycolysis_HIF * H_HIF"),
        Modulation("ectonucleotidases", "hif1a", "promotes", "r_ecto_HIF * H_HIF"),
        Modulation("pdl1_expression", "hif1a", "promotes", "r_PDL1_HIF * H_HIF"),
        Modulation("macrophage_m2", "metabolic", "promotes", "r_M2_HIF * H_HIF"),
        Modulation("exhaustion", "metabolic", "promotes", "r_exh_HIF * H_HIF"),
        Modulation("killing", "metabolic", "inhibits", "r_kill_HIF * H_HIF"),
        Modulation("sting_dc", "hif1a", "promotes", "r_STING_DC_HIF * H_HIF"),
    ),
)
