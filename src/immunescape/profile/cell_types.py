"""Words for cell types, and the genes that tell states of cells apart."""

from __future__ import annotations

__all__ = ["CELL_TYPES", "COMPARTMENTS", "IMMUNE", "STATE_GENES", "T_CELLS", "cell_type_of"]

IMMUNE = (
    "cd8",
    "cd4",
    "treg",
    "t_other",
    "b",
    "plasma",
    "nk",
    "macrophage",
    "monocyte",
    "mdsc",
    "neutrophil",
    "dendritic",
    "mast",
    "immune_other",
)
"""Cell types of the immune system."""

CELL_TYPES = (*IMMUNE, "tumour", "epithelial", "fibroblast", "endothelial", "other")
"""Words that a cell type may be."""

T_CELLS = ("cd8", "cd4", "treg", "t_other")
COMPARTMENTS = ("tumour", "stroma")

STATE_GENES = {
    "cd8": ("TCF7", "CXCR5", "TOX", "ENTPD1", "HAVCR2"),
    "macrophage": ("CXCL9", "SPP1"),
}
"""Cell type -> genes that its states are told by."""

_SAME = {
    "cd8": "cd8+ t cell, cd8 t cell, cd8 t, t cd8, t cell cd8, cytotoxic t cell, t cells cd8",
    "cd4": "cd4+ t cell, cd4 t cell, cd4 t, t cd4, t cell cd4, helper t cell, t cells cd4",
    "treg": "regulatory t cell, t cell regulatory, treg, t regulatory, cd4 treg",
    "t_other": "t cell, t",
    "b": "b cell, cd20",
    "plasma": "plasma cell, plasmablast",
    "nk": "nk cell, natural killer cell",
    "macrophage": "tam, mac",
    "monocyte": "mono",
    "mdsc": "myeloid-derived suppressor cell",
    "neutrophil": "",
    "dendritic": "dc, dendritic cell, cdc, pdc",
    "mast": "mast cell",
    "tumour": "tumor, tumour cell, tumor cell, malignant, malignant cell, cancer cell, cancer",
    "epithelial": "epithelial cell, epithelium",
    "fibroblast": "caf",
    "endothelial": "endothelial cell",
    "other": "unknown, stroma",
}
_SPELLINGS = {w.strip(): name for name, text in _SAME.items() for w in text.split(",") if w.strip()}
_SPELLINGS |= {w: w for w in CELL_TYPES}


def cell_type_of(label: object) -> str | None:
    """Return the cell type for a word of a file (also in the plural), or None where it is not known."""
    text = str(label).strip().casefold().replace("_", " ")
    for form in (text, text.removesuffix("s")):
        for spelling in (form, form.replace(" ", "_")):
            if spelling in _SPELLINGS:
                return _SPELLINGS[spelling]
    return None
