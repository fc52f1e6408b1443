"""Memory CD8 T cells: central memory that circulates, tissue-resident memory in the tumour."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Quantity, Reaction, State

MECHANISM = Mechanism(
    name="memory",
    title="Memory CD8 T cells",
    summary=(
        "As visible antigen declines, some of the tumour-specific cells in blood and tissue become central memory "
        "cells, and effectors that encounter no cancer cell become tissue-resident memory cells. Both persist for "
        "years without antigen; under persistent antigen load central memory is lost to exhaustion. Central memory "
        "cells patrol the tumour bed and add to the precursors primed when antigen returns; resident memory cells "
        "revert to effectors in situ."
    ),
    references=("hammarlund2003", "wherry2004", "miller2008", "snyder2019", "park2019", "ribas2016"),
    parameters="memory.csv",
    requires=("cd8", "mhc1", "tumour_growth", "naive_t", "neoantigen"),
    states=(
        State("CD8_mem_C", "cell", "central", "Central memory CD8 T cells of the body, tumour-specific"),
        State("CD8_rm_T", "cell", "tumour", "Tissue-resident memory CD8 T cells in the tumour and its bed"),
    ),
    reactions=(
        Reaction(
            "CD8_memory_from_blood",
            "k_mem_form * antigen_rest * CD8_C",
            "Cells in blood that become memory",
            reactants={"CD8_C": 1},
            products={"CD8_mem_C": 1},
        ),
        Reaction(
            "CD8_memory_from_tissue",
            "k_mem_form * antigen_rest * CD8_P",
            "Cells in tissue that become memory",
            reactants={"CD8_P": 1},
            products={"CD8_mem_C": 1},
        ),
        Reaction("CD8_mem_death", "k_mem_death * CD8_mem_C", "Loss without antigen", reactants={"CD8_mem_C": 1}),
        Reaction(
            "CD8_mem_exhaustion",
            "k_mem_chronic * (1 - antigen_rest) * CD8_mem_C",
            "Memory lost to a lasting antigen load",
            reactants={"CD8_mem_C": 1},
        ),
        Reaction(
            "CD8_mem_infiltration",
            "q_CD8_T_in * cd8_infiltration * f_infiltration * V_T"
            " * q_CD8_P_out / (q_CD8_P_in + q_CD8_P_out) * CD8_mem_C",
            "Memory cells in blood (they distribute as other CD8 T cells do) that enter the tumour and turn effector",
            reactants={"CD8_mem_C": 1},
            products={"CD8_eff_T": 1},
        ),
        Reaction(
            "CD8_residence",
            "k_rm_form * (1 - antigen_contact) * (1 - antigen_contact) * CD8_eff_T",
            "Effectors that meet no cancer cell become resident memory",
            reactants={"CD8_eff_T": 1},
            products={"CD8_rm_T": 1},
        ),
        Reaction(
            "CD8_rm_recall",
            "k_rm_recall * antigen_contact * CD8_rm_T",
            "Resident memory that meets cancer cells turns effector",
            reactants={"CD8_rm_T": 1},
            products={"CD8_eff_T": 1},
        ),
        Reaction("CD8_rm_death", "k_rm_death * CD8_rm_T", "Loss of resident memory", reactants={"CD8_rm_T": 1}),
    ),
    quantities=(
        Quantity(
            "antigen_load_T",
            "SUM(recognition_{clone} * C_{clone})",
            "cell",
            "Cancer cells weighted by how well CD8 T cells recognise them",
            observable=True,
        ),
        Quantity(
            "antigen_rest",
            "antigen_sparse * (CD8_C + CD8_P) * antigen_sparse * (CD8_C + CD8_P) / (antigen_sparse * (CD8_C + CD8_P)"
            " * antigen_sparse * (CD8_C + CD8_P) + antigen_load_T * antigen_load_T + one_cell * one_cell)",
            "dimensionless",
            "How far circulating tumour-specific cells rest from antigen",
        ),
        Quantity(
            "antigen_contact",
            "antigen_load_T / (antigen_load_T + CD8_T + CD8_rm_T + one_cell)",
            "dimensionless",
            "Chance that a T cell in the tumour meets a cancer cell that it recognises",
        ),
        Quantity(
            "memory_CD8_blood",
            "CD8_mem_C",
            "cell",
            "Central memory CD8 T cells specific for the tumour",
            observable=True,
        ),
    ),
    modulations=(
        Modulation(
            "priming",
            "memory",
            "promotes",
            "r_recall * f_mem_LN * CD8_mem_C"
            " / (f_mem_LN * CD8_mem_C + r_recall * nCD8_LN * n_clones_tum / nCD8_div + one_cell)",
        ),
    ),
)
