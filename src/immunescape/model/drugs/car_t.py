"""T cells with a chimeric antigen receptor."""

from __future__ import annotations

from immunescape.model.drugs._cell_therapy import cell_therapy

DRUG = cell_therapy(
    "car_t",
    title="T cells with a chimeric antigen receptor",
    sees="car_antigen_car_t",
    summary=(
        "T cells with a chimeric receptor: they see a surface antigen without MHC-I, and exhaust sooner "
        "in solid tumours."
    ),
    references=("haas2019",),
    synonyms=("CAR-T", "CAR T cells"),
)
