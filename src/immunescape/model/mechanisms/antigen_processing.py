"""Processing of antigens and turnover of MHC-I: limits to presentation in all cancer cells."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation

MECHANISM = Mechanism(
    name="antigen_processing",
    title="Antigen processing and turnover of MHC-I",
    summary=(
        "TAP, tapasin and ERAP supply peptide in series, so that the least abundant limits the supply; miR-125a and "
        "the lncRNA LINK-A act against TAP and the peptide-loading complex; ERAD, endocytosis through MAL2 and "
        "autophagy remove MHC-I. All levels are relative to the reference patient."
    ),
    references=("mari2018", "hu2019linka", "fang2021mal2", "yamamoto2020"),
    parameters="antigen_processing.csv",
    requires=("tumour_growth", "mhc1"),
    modulations=(
        Modulation(
            "mhc1_expression",
            "peptide_supply",
            "inhibits",
            "w_TAP / tap_activity + w_tapasin / tapasin_activity + w_ERAP / erap_activity",
        ),
        Modulation("mhc1_expression", "noncoding_rna", "inhibits", "w_miR125a * mir125a + w_LINKA * linka"),
        Modulation(
            "mhc1_expression", "mhc1_loss", "inhibits", "w_ERAD * k_erad + w_MAL2 * k_mal2 + w_autophagy * k_autophagy"
        ),
    ),
)
