"""Response to DNA damage: death from radiation, repair, and inhibitors of repair."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Mechanism, Modulation, Pool, Quantity, Reaction, State, Trait

MECHANISM = Mechanism(
    name="dna_damage",
    title="Response to DNA damage",
    summary=(
        "Radiation kills cancer cells of every clone, and more of them where PARP, DNA-PK, ATR or ATM is inhibited. "
        "Inhibited or deficient repair leaves DNA in the cytosol, both endogenous and that induced by radiation and "
        "platinum; PARP and ATR inhibitors kill repair-deficient cells. Irradiated cells are doomed but survive, and "
        "secrete, for some days; as they die they release danger signals."
    ),
    references=("barker2015", "pilie2019", "sen2019", "ricciuti2020", "zenke2020", "durant2018"),
    parameters="dna_damage.csv",
    requires=("tumour_growth",),
    processes={"radiosensitivity": "killing of cancer cells by radiation"},
    pools=(
        Pool(
            "radiation_kill", "1/day", "Rate at which radiation kills well oxygenated cancer cells with intact repair"
        ),
        Pool("damage_dna_T", "dimensionless", "Cytosolic DNA that radiation and platinum cause where repair is intact"),
        Pool("parp_inhibitor", "dimensionless", "Free inhibitor / concentration that half inhibits PARP"),
        Pool("dnapk_inhibitor", "dimensionless", "Free inhibitor / concentration that half inhibits DNA-PK"),
        Pool("atr_inhibitor", "dimensionless", "Free inhibitor / concentration that half inhibits ATR"),
        Pool("atm_inhibitor", "dimensionless", "Free inhibitor / concentration that half inhibits ATM"),
    ),
    traits=(Trait("radio_sensitivity", "1", "Sensitivity to radiation relative to the reference clone"),),
    states=(State("C_doomed_T", "cell", "tumour", "Cancer cells with lethal damage that still live", atol=1e-2),),
    quantities=(
        *(
            Quantity(
                f"H_{target}",
                f"{target}_inhibitor / (1 + {target}_inhibitor)",
                "dimensionless",
                f"Inhibited share of {name} in cancer cells",
            )
            for target, name in (("parp", "PARP"), ("dnapk", "DNA-PK"), ("atr", "ATR"), ("atm", "ATM"))
        ),
        Quantity(
            "ddr_inhibition",
            "r_dna_parp * H_parp + r_dna_dnapk * H_dnapk + r_dna_atr * H_atr + r_dna_atm * H_atm",
            "dimensionless",
            "Cytosolic DNA by inhibition of repair, relative to the typical untreated tumour",
        ),
        Quantity(
            "ddr_kill",
            "(k_kill_parp * H_parp + k_kill_atr * H_atr) * ddr_deficient",
            "1/day",
            "Rate at which inhibitors of repair kill cells whose repair is deficient",
        ),
        Quantity(
            "radiation_rate_{clone}",
            "radiation_kill * f_radiosensitivity * radio_sensitivity_{clone}",
            "1/day",
            "Rate at which radiation kills cells of a clone",
        ),
    ),
    reactions=(
        Reaction(
            "dna_damage_death_{clone}",
            "ddr_kill * C_{clone}",
            "Death by inhibited repair",
            reactants={"C_{clone}": 1},
            products={"C_dead_T": 1},
        ),
        Reaction(
            "radiation_doom_{clone}",
            "radiation_rate_{clone} * C_{clone}",
            "Lethal damage by radiation",
            reactants={"C_{clone}": 1},
            products={"C_doomed_T": 1},
        ),
        Reaction(
            "doomed_death",
            "k_doomed * C_doomed_T",
            "Death of irradiated cells as they try to divide",
            reactants={"C_doomed_T": 1},
            products={"C_dead_T": 1},
        ),
    ),
    contributions=(
        Contribution("death_rate_{clone}", "radiation_rate_{clone} + ddr_kill"),
        Contribution("doomed_T", "C_doomed_T"),
        Contribution("dying_T", "ddr_kill * C_total + k_doomed * C_doomed_T"),
        Contribution(
            "dying_antigenic_T",
            "SUM(antigenicity_{clone} * C_{clone}) * (ddr_kill + k_doomed * C_doomed_T / (C_total + one_cell))",
        ),
        Contribution("immunogenic_dying_T", "icd_radiation * k_doomed * C_doomed_T"),
        Contribution(
            "cytosolic_dna_T",
            "r_dna_deficient * ddr_deficient + ddr_inhibition * (1 + r_dna_lethal * ddr_deficient)"
            " + damage_dna_T * (1 + ddr_inhibition)",
        ),
    ),
    modulations=(
        Modulation(
            "radiosensitivity",
            "repair",
            "promotes",
            "r_radio_parp * H_parp + r_radio_dnapk * H_dnapk + r_radio_atr * H_atr + r_radio_atm * H_atm"
            " + r_radio_deficient * ddr_deficient",
        ),
    ),
)
