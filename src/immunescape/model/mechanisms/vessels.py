"""Vessels: VEGF, density and maturity of vessels, perfusion; normalisation is a window in dose and time."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Pool, Quantity, Reaction, State

_PLAIN = "dimensionless"

MECHANISM = Mechanism(
    name="vessels",
    title="VEGF, vessels and perfusion",
    summary=(
        "VEGF maintains a dense, immature vasculature. Where its signal falls, pericytes cover vessels within days "
        "(maturity), which improves their function, while VEGF-dependent vessels are lost within weeks (density). "
        "Perfusion is density times function: moderate blockade raises it, strong and prolonged blockade lowers it. "
        "VEGF also makes the endothelium less adhesive, inhibits the maturation of dendritic cells, recruits MDSCs "
        "and promotes exhaustion."
    ),
    references=(
        *("willett2004", "huang2012", "tian2017", "griffioen1996", "gabrilovich1996", "voron2015", "vanderveldt2012"),
    ),
    parameters="vessels.csv",
    requires=("tumour_growth",),
    processes={
        "vegf_production": "production of VEGF in the tumour",
        "vessel_maturation": "coverage of vessels by pericytes",
    },
    states=(
        State("vessel_density_T", _PLAIN, "tumour", "Density of vessels relative to the untreated reference", "1"),
        State("vessel_maturity_T", _PLAIN, "tumour", "Mature share of the vessels", "maturity_start"),
    ),
    reactions=(
        Reaction(
            "vessel_sprouting",
            "k_vessels * (vessel_independent + (1 - vessel_independent) * VEGF_signal_T * (1 + VEGF_50_density)"
            " / (VEGF_signal_T + VEGF_50_density))",
            "New vessels",
            products={"vessel_density_T": 1},
        ),
        Reaction("vessel_loss", "k_vessels * vessel_density_T", "Loss of vessels", reactants={"vessel_density_T": 1}),
        Reaction(
            "vessel_covering",
            "k_maturation * f_vessel_maturation / (f_vessel_maturation + VEGF_signal_T / VEGF_50_maturity)",
            "Coverage by pericytes, which VEGF hinders",
            products={"vessel_maturity_T": 1},
        ),
        Reaction(
            "vessel_uncovering",
            "k_maturation * vessel_maturity_T",
            "Loss of coverage",
            reactants={"vessel_maturity_T": 1},
        ),
    ),
    quantities=(
        Quantity("VEGF_T", "vegf_tumour * f_vegf_production", _PLAIN, "VEGF in the tumour, relative", observable=True),
        Quantity(
            "VEGF_signal_T",
            "VEGF_T / (1 + vegf_blockade)",
            _PLAIN,
            "Signal of VEGF receptor 2, relative to the untreated reference",
            observable=True,
        ),
        Quantity(
            "perfusion_T",
            "vessel_density_T * (1 + r_maturity * vessel_maturity_T) / (1 + r_maturity * maturity_start)",
            _PLAIN,
            "Perfusion of the tumour, about 1 in the untreated reference",
            observable=True,
        ),
        Quantity(
            "adhesion_T",
            "1 / (1 + VEGF_signal_T / VEGF_50_adhesion)",
            _PLAIN,
            "Adhesiveness of the endothelium to T cells; VEGF takes it away (anergy)",
        ),
    ),
    pools=(Pool("vegf_blockade", _PLAIN, "Free blocker of VEGF or its receptor / its half-blocking concentration"),),
    modulations=(
        Modulation("growth", "vessels", "promotes", "r_growth_vessels * vessel_density_T"),
        Modulation("perfusion", "vessels", "promotes", "r_perfusion * perfusion_T"),
        Modulation("drug_delivery", "vessels", "promotes", "r_delivery * perfusion_T"),
        Modulation("infiltration", "vessels", "promotes", "r_inf_vessels * perfusion_T * adhesion_T"),
        Modulation("dc_maturation", "vegf", "inhibits", "r_DC_VEGF * VEGF_signal_T"),
        Modulation("mdsc_recruitment", "vegf", "promotes", "r_MDSC_VEGF * VEGF_signal_T"),
        Modulation("exhaustion", "vegf", "promotes", "r_exh_VEGF * VEGF_signal_T"),
    ),
)
