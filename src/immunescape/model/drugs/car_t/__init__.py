"""Chimeric antigen receptor (CAR) T cells."""

from __future__ import annotations

from immunescape.model.drugs._cell_therapy import cell_therapy

DRUG = cell_therapy(
    "car_t",
    title="T cells with a chimeric antigen receptor",
    sees="car_antigen_car_t",
    summary=(
        "T cells with a chimeric antigen receptor: they recognise a surface antigen independently of MHC-I, and "
        "become exhausted sooner in solid tumours."
    ),
    references=("haas2019",),
    synonyms=("CAR-T", "CAR T cells"),
)
