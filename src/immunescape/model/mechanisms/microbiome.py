"""Gut microbiome: commensals, Akkermansia, pathobionts, antibiotics and their recovery."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Pool, Quantity, Reaction, State

_PLAIN = "dimensionless"

MECHANISM = Mechanism(
    name="microbiome",
    title="Gut microbiome",
    summary=(
        "Commensals relax to the patient's own diversity, and pathobionts expand where commensals are lost; both "
        "recover over weeks after antibiotics, which kill both: antibiotics harm a patient with a favourable "
        "microbiome and may help one with an unfavourable one. Akkermansia raises IL-12 of dendritic cells in tumour "
        "and lymph node, commensals (Bifidobacterium) their maturation; pathobionts raise kynurenine in blood, hence "
        "3-HAA, and regulatory T cells. Faecal transplantation and probiotics add commensals."
    ),
    references=("routy2018", "derosa2022", "derosa2018", "palleja2018", "gopalakrishnan2018", "sivan2015"),
    parameters="microbiome.csv",
    requires=("tumour_growth",),
    states=(
        State("commensals", _PLAIN, "peripheral", "Commensals of the gut, 1 in the typical patient", "commensal_set"),
        State(
            "pathobionts", _PLAIN, "peripheral", "Pathobionts of the gut, 1 in the typical patient", "gut_pathobionts"
        ),
        State("akkermansia_gut", _PLAIN, "peripheral", "Akkermansia, 1 in a patient who has it", "akkermansia"),
    ),
    reactions=(
        Reaction(
            "commensals_return",
            "k_flora * (commensal_set + commensal_supply)",
            "Commensals return to the patient's own level, and what is supplied",
            products={"commensals": 1},
        ),
        Reaction(
            "commensals_loss",
            "(k_flora + k_antibiotic * gut_antibiotic) * commensals",
            "Turnover of commensals and loss to antibiotics",
            reactants={"commensals": 1},
        ),
        Reaction(
            "akkermansia_return",
            "k_flora * (akkermansia * abx_factor + akkermansia_supply)",
            "Akkermansia returns where the patient has it, or is supplied",
            products={"akkermansia_gut": 1},
        ),
        Reaction(
            "akkermansia_loss",
            "(k_flora + k_antibiotic * gut_antibiotic) * akkermansia_gut",
            "Turnover of Akkermansia and loss to antibiotics",
            reactants={"akkermansia_gut": 1},
        ),
        Reaction(
            "pathobionts_bloom",
            "k_flora * gut_pathobionts * (1 + r_bloom) / (1 + r_bloom * commensals)",
            "Pathobionts grow, held back by commensals",
            products={"pathobionts": 1},
        ),
        Reaction(
            "pathobionts_loss",
            "(k_flora + k_antibiotic * s_pathobionts * gut_antibiotic) * pathobionts",
            "Turnover of pathobionts and loss to antibiotics",
            reactants={"pathobionts": 1},
        ),
    ),
    quantities=(
        Quantity(
            "abx_factor",
            "1 - abx_depth * antibiotics_recent",
            _PLAIN,
            "Flora left in a patient with courses of antibiotics around the start of treatment",
        ),
        Quantity("commensal_set", "gut_diversity * abx_factor", _PLAIN, "The patient's own level of commensals"),
        Quantity("gut_diversity_now", "commensals", _PLAIN, "Diversity of the gut flora, relative", observable=True),
        Quantity("gut_pathobionts_now", "pathobionts", _PLAIN, "Pathobionts of the gut, relative", observable=True),
        Quantity("gut_akkermansia_now", "akkermansia_gut", _PLAIN, "Akkermansia of the gut, relative", observable=True),
    ),
    pools=(
        Pool("gut_antibiotic", _PLAIN, "Inhibition of the gut flora by antibiotics, 0 to 1 for each"),
        Pool("commensal_supply", _PLAIN, "Commensals supplied (transfer, probiotics), relative to the typical level"),
        Pool("akkermansia_supply", _PLAIN, "Akkermansia supplied (transfer), relative to the level of who has it"),
    ),
    modulations=(
        Modulation("il12_production", "akkermansia", "promotes", "r_IL12_akkermansia * akkermansia_gut"),
        Modulation("priming", "il12", "promotes", "r_prime_akkermansia * akkermansia_gut"),
        Modulation("priming", "microbiome", "promotes", "r_prime_commensals * commensals"),
        Modulation("dc_maturation", "microbiome", "promotes", "r_DC_commensals * commensals"),
        Modulation("treg_recruitment", "microbiome", "promotes", "r_Treg_pathobionts * pathobionts"),
        Modulation("kynurenine_blood", "gut", "promotes", "r_Kyn_pathobionts * pathobionts"),
    ),
)
