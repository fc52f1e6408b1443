"""Individualised mRNA vaccine that encodes neoantigens of the tumour."""

from __future__ import annotations

from immunescape.model.declarations import Drug, Modulation, Quantity, Reaction, State

DRUG = Drug(
    name="mrna_neoantigen_vaccine",
    title="Individualised neoantigen mRNA vaccine",
    summary=(
        "mRNA encoding up to 34 neoantigens, injected intramuscularly, is translated for days in dendritic cells of "
        "the draining lymph nodes. There it adds to the priming of specific CD8 and helper T cells, provided that the "
        "tumour has neoantigens."
    ),
    references=("weber2024", "gainor2024"),
    parameters="mrna_neoantigen_vaccine.csv",
    requires=("body", "cd8"),
    states=(
        State("mrna_neoantigen_vaccine_D", "nanomole", "peripheral", "mRNA at the site of injection", atol=1e-9),
        State("mrna_neoantigen_vaccine_A", "nanomole", "lymph_node", "Translated mRNA in dendritic cells", atol=1e-9),
    ),
    reactions=(
        Reaction(
            "mrna_neoantigen_vaccine_transfer",
            "k_transfer_mrna_neoantigen_vaccine * mrna_neoantigen_vaccine_D",
            "Uptake by dendritic cells and their migration",
            {"mrna_neoantigen_vaccine_D": 1},
            {"mrna_neoantigen_vaccine_A": 1},
        ),
        Reaction(
            "mrna_neoantigen_vaccine_decay",
            "k_decay_mrna_neoantigen_vaccine * mrna_neoantigen_vaccine_A",
            "Decay of the mRNA and its peptides",
            {"mrna_neoantigen_vaccine_A": 1},
        ),
    ),
    quantities=(
        Quantity(
            "presented_mrna_neoantigen_vaccine",
            "mrna_neoantigen_vaccine_A / (mrna_neoantigen_vaccine_A + A_50_mrna_neoantigen_vaccine)",
            "dimensionless",
            "Presentation of the vaccine's antigens relative to saturation",
            observable=True,
        ),
    ),
    modulations=(
        Modulation(
            "priming",
            "vaccine",
            "promotes",
            "r_prime_mrna_neoantigen_vaccine * presented_mrna_neoantigen_vaccine",
        ),
    ),
    drug_class="neoantigen vaccine",
    targets=("neoantigens",),
    dose_state="mrna_neoantigen_vaccine_D",
    molar_mass=1_000_000.0,
    dose_units=("mg",),
    synonyms=("mRNA-4157", "V940", "intismeran autogene", "neoantigen vaccine"),
)
