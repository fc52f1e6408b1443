"""Tumour-infiltrating lymphocytes."""

from __future__ import annotations

from immunescape.model.drugs._cell_therapy import cell_therapy

DRUG = cell_therapy(
    "til",
    title="Tumour-infiltrating lymphocytes",
    sees="recognition_{clone}",
    summary=(
        "Autologous lymphocytes grown from the tumour; they see the tumour's own antigens on MHC-I, and "
        "need lymphodepletion to engraft."
    ),
    references=("creelan2021",),
    synonyms=("TIL", "TIL therapy"),
)
