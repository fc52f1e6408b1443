"""T cells with a transferred T-cell receptor."""

from __future__ import annotations

from immunescape.model.drugs._cell_therapy import cell_therapy

DRUG = cell_therapy(
    "tcr_t",
    title="T cells with a transferred receptor",
    sees="recognition_{clone}",
    summary=(
        "T cells with a transferred receptor for one antigen, here expressed by the whole tumour; they require MHC-I "
        "and lymphodepletion."
    ),
    references=("leidner2022",),
    synonyms=("TCR-T",),
)
