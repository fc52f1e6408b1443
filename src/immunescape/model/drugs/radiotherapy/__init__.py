"""Radiotherapy: fractions in Gy."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Drug, Quantity, Reaction, State

_D = "radiotherapy_D"
_HIGH = f"{_D}^6 / ({_D}^6 + trex_50_radiotherapy^6)"

DRUG = Drug(
    name="radiotherapy",
    title="Radiotherapy",
    summary=(
        "Linear-quadratic killing with incomplete repair: a fraction of d Gy adds sublethal damage D, which is "
        "repaired at rate mu, and cells die at mu (alpha D + 2 beta D^2), which integrates to alpha d + beta d^2 for "
        "an isolated fraction. Damage gives rise to micronuclei (cytosolic DNA) over days; TREX1 is induced by "
        "fractions above about 12 Gy; blood in the field loses lymphocytes. A share of the cells, "
        "in_field_radiotherapy, lies in the field; the surviving tumour increasingly consists of cells outside it. "
        "Irradiated cells leave a scar that scans cannot distinguish from tumour."
    ),
    references=("geng2017", "vanpouillebox2017", "harding2017", "campian2013", "fowler1989", "koo2014"),
    parameters="radiotherapy.csv",
    requires=("tumour_growth", "dna_damage"),
    states=(
        State(_D, "dimensionless", "tumour", "Unrepaired dose in Gy", atol=1e-6),
        State(
            "radiotherapy_M", "dimensionless", "tumour", "Cytosolic DNA of irradiated cells, before TREX1", atol=1e-6
        ),
        State("radiotherapy_K", "dimensionless", "tumour", "Log kill in the field so far", atol=1e-6),
        State("radiotherapy_scar", "cell", "tumour", "Scar, in cells that would take its volume", atol=1e-2),
        State("radiotherapy_X", "dimensionless", "tumour", "TREX1 induced by large fractions", atol=1e-6),
    ),
    reactions=(
        Reaction("radiotherapy_repair", f"mu_radiotherapy * {_D}", "Repair of sublethal damage", {_D: 1}),
        Reaction(
            "radiotherapy_micronuclei",
            f"mu_radiotherapy * dna_radiotherapy * {_D}",
            "Breaks become micronuclei",
            {},
            {"radiotherapy_M": 1},
        ),
        Reaction(
            "radiotherapy_micronuclei_loss",
            "k_dna_radiotherapy * radiotherapy_M",
            "Loss of micronuclei",
            {"radiotherapy_M": 1},
        ),
        Reaction(
            "radiotherapy_log_kill",
            "kill_radiotherapy * f_radiosensitivity",
            "Cells in the field are lost",
            {},
            {"radiotherapy_K": 1},
        ),
        Reaction(
            "radiotherapy_scarring",
            "f_scar_radiotherapy * k_doomed * C_doomed_T",
            "Irradiated cells leave a scar as they die",
            {"C_dead_T": 1},
            {"radiotherapy_scar": 1},
        ),
        Reaction(
            "radiotherapy_scar_loss",
            "k_scar_radiotherapy * radiotherapy_scar",
            "The scar shrinks",
            {"radiotherapy_scar": 1},
        ),
        Reaction(
            "radiotherapy_trex1",
            f"mu_radiotherapy * trex_radiotherapy * {_HIGH}",
            "Induction of TREX1",
            {},
            {"radiotherapy_X": 1},
        ),
        Reaction(
            "radiotherapy_trex1_loss", "k_dna_radiotherapy * radiotherapy_X", "Loss of TREX1", {"radiotherapy_X": 1}
        ),
    ),
    quantities=(
        Quantity(
            "kill_radiotherapy",
            f"mu_radiotherapy * (alpha_radiotherapy * {_D}"
            f" + 2 * alpha_radiotherapy / ab_ratio_radiotherapy * {_D} * {_D})",
            "1/day",
            "Rate at which radiation kills well oxygenated cells with intact repair in the field",
        ),
        Quantity(
            "field_share_radiotherapy",
            "in_field_radiotherapy * exp(-radiotherapy_K)"
            " / (1 - in_field_radiotherapy + in_field_radiotherapy * exp(-radiotherapy_K))",
            "dimensionless",
            "Share of the living cancer cells that lies in the field",
            observable=True,
        ),
        Quantity("unrepaired_radiotherapy", _D, "dimensionless", "Unrepaired dose of radiation in Gy", observable=True),
    ),
    contributions=(
        Contribution("radiation_kill", "field_share_radiotherapy * kill_radiotherapy"),
        Contribution("damage_dna_T", "radiotherapy_M"),
        Contribution("scar_T", "radiotherapy_scar"),
        Contribution("trex1_induction_T", "radiotherapy_X"),
        Contribution("lymphodepletion", f"mu_radiotherapy * lympho_log_radiotherapy * {_D} / (1 + {_D})"),
    ),
    drug_class="radiotherapy",
    targets=("DNA",),
    dose_state=_D,
    dose_units=("Gy",),
    dose_amounts={"Gy": 1.0},
    route="external",
    synonyms=("radiation", "RT", "SBRT", "SABR"),
)
