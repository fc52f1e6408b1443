"""Neoantigens: released by dying cancer cells, taken up and presented by dendritic cells."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Quantity, Reaction, State

MECHANISM = Mechanism(
    name="neoantigen",
    title="Neoantigens",
    summary=(
        "Dying cancer cells release neoantigens in proportion to the antigenicity of their clone; they are degraded "
        "or taken up by dendritic cells. Endosomal processing and MHC binding are at quasi-steady state (rates of 6 "
        "to 144 per day against weeks of tumour growth); the turnover of dendritic cells limits the extent of "
        "binding. All neoantigens share one affinity; their number, n_clones_tum, sets the number of T-cell clones "
        "and the share of progenitors that find their antigen in the tumour."
    ),
    references=("jafarnejad2019", "agrawal1996", "chen2014b", "kimachi1997", "palsson2013", "forde2018"),
    parameters="neoantigen.csv",
    requires=("tumour_growth", "dendritic_cells"),
    states=(State("Ag_T", "nanomole", "tumour", "Free protein of one average neoantigen in the tumour", atol=1e-12),),
    reactions=(
        Reaction("antigen_release", "Ag_content * dying_antigenic_T", "Release by dying cells", products={"Ag_T": 1}),
        Reaction("antigen_degradation", "k_xP_deg * Ag_T", "Degradation outside cells", reactants={"Ag_T": 1}),
    ),
    quantities=(
        Quantity(
            "peptide_endosome",
            "k_up / k_p_deg * Ag_T / V_T",
            "nanomole/liter",
            "Neoantigen peptide in endosomes of dendritic cells: uptake and processing against degradation",
        ),
        Quantity(
            "pMHC_DC",
            "n_MHC_DC * peptide_endosome / (peptide_endosome + (1 + k_out_MHC / k_in_MHC)"
            " * (kd_peptide + k_mAPC_death / k_on_peptide))",
            "molecule",
            "Peptide-MHC complexes of one neoantigen on the surface of a dendritic cell",
        ),
        Quantity(
            "H_Ag",
            "pMHC_DC / (pMHC_DC + n_pMHC_50)",
            "dimensionless",
            "Antigen-driven activation of specific naive T cells, relative to saturation",
        ),
    ),
    modulations=(Modulation("progenitor_niche", "neoantigens", "promotes", "n_clones_tum / n_clones_niche"),),
)
