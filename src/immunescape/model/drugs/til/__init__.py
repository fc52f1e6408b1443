"""Tumour-infiltrating lymphocytes."""

from __future__ import annotations

from immunescape.model.drugs._cell_therapy import cell_therapy

DRUG = cell_therapy(
    "til",
    title="Tumour-infiltrating lymphocytes",
    sees="recognition_{clone}",
    summary=(
        "Autologous lymphocytes expanded from the tumour; they recognise the tumour's antigens on MHC-I and require "
        "lymphodepletion to engraft."
    ),
    references=("creelan2021",),
    synonyms=("TIL", "TIL therapy"),
)
