"""Fractions of cells and their states from single cells, with binomial intervals; MHC class I of tumour cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.registry import Biomarker, register, shared
from immunescape.profile.cell_types import IMMUNE, T_CELLS
from immunescape.profile.study import Study

__all__ = ["MINIMUM_CELLS", "binomial_interval", "sample_of_each"]

MINIMUM_CELLS = 50
"""Smallest number of cells for a fraction (assumed): with fewer the interval spans half the scale."""

_UNSTATED = "not told"
_LIMITS = (
    "Dissociation depletes cell types unevenly (neutrophils, plasma cells, tumour cells), so that fractions are "
    "comparable within one protocol only. A gene that was not detected in a cell counts as not expressed."
)


def binomial_interval(hits: int, of: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a share (Clopper and Pearson 1934)."""
    from scipy.stats import beta

    low = 0.0 if hits == 0 else float(beta.ppf(0.025, hits, of - hits + 1))
    high = 1.0 if hits == of else float(beta.ppf(0.975, hits + 1, of - hits))
    return low, high


def sample_of_each(study: Study, table: pd.DataFrame) -> dict[str, str]:
    """Return patient -> sample that stands for the patient: the last one before treatment, else the first."""
    pairs = table.loc[table["patient"].notna() & table["sample"].notna(), ["patient", "sample"]].drop_duplicates()
    day = dict(zip(study.samples["sample"], study.samples["day"], strict=True))
    days = pairs["sample"].map(day).astype(float)
    order = pairs.assign(_late=(days > 0).astype(int), _day=-days.fillna(0.0))
    first = order.sort_values(["_late", "_day", "sample"], kind="stable").drop_duplicates("patient")
    return dict(zip(first["patient"], first["sample"], strict=True))


@dataclass(frozen=True)
class _Share:
    """A share: cells of some types (in a state) among cells of others."""

    title: str
    types: tuple[str, ...]
    among: tuple[str, ...]
    state: str
    definition: str
    references: tuple[str, ...]


_SHARES = {
    "sc_cd8_of_immune": _Share(
        "CD8 T cells among immune cells",
        ("cd8",),
        IMMUNE,
        "",
        "CD8 T cells over all immune cells.",
        ("sadefeldman2018",),
    ),
    "sc_cd8_progenitor": _Share(
        "Progenitor cells among CD8 T cells",
        ("cd8",),
        ("cd8",),
        "progenitor",
        "CD8 T cells that express TCF7 or CXCR5 but not HAVCR2, or are labelled as such in the file, over CD8 T cells.",
        ("miller2019", "siddiqui2019", "im2016"),
    ),
    "sc_cd8_exhausted": _Share(
        "Terminally exhausted cells among CD8 T cells",
        ("cd8",),
        ("cd8",),
        "exhausted",
        "CD8 T cells that express HAVCR2 with TOX or ENTPD1 but not TCF7, or are labelled as such in the file, "
        "over CD8 T cells.",
        ("miller2019", "sadefeldman2018"),
    ),
    "sc_treg_of_t": _Share(
        "Regulatory T cells among T cells",
        ("treg",),
        T_CELLS,
        "",
        "Regulatory T cells over all T cells.",
        ("togashi2019",),
    ),
    "sc_mdsc_of_immune": _Share(
        "MDSCs among immune cells",
        ("mdsc",),
        IMMUNE,
        "",
        "Cells labelled as myeloid-derived suppressor cells in the file, over immune cells; no single gene "
        "identifies them reliably.",
        ("gabrilovich2009",),
    ),
    "sc_tam_spp1": _Share(
        "SPP1+ macrophages among macrophages",
        ("macrophage",),
        ("macrophage",),
        "spp1",
        "Macrophages that express SPP1 but not CXCL9, over macrophages.",
        ("bill2023",),
    ),
    "sc_tam_cxcl9": _Share(
        "CXCL9+ macrophages among macrophages",
        ("macrophage",),
        ("macrophage",),
        "cxcl9",
        "Macrophages that express CXCL9 but not SPP1, over macrophages.",
        ("bill2023",),
    ),
    "sc_b_plasma_of_immune": _Share(
        "B and plasma cells among immune cells",
        ("b", "plasma"),
        IMMUNE,
        "",
        "B cells and plasma cells over immune cells.",
        ("patil2022",),
    ),
    "sc_nk_of_immune": _Share(
        "NK cells among immune cells", ("nk",), IMMUNE, "", "NK cells over immune cells.", ("sadefeldman2018",)
    ),
}


Counts = dict[tuple[str, str], int]


def _counts(study: Study) -> dict[str, tuple[str, Counts, str]]:
    """Return patient -> sample, cells by type and state, and how cells were selected before."""
    table = study.cell_counts
    chosen = sample_of_each(study, table)
    cells: dict[str, Counts] = {}
    selected: dict[str, set[str]] = {}
    columns = (table[c] for c in ("sample", "cell_type", "state", "cells", "selection"))
    for sample, kind, state, number, selection in zip(*columns, strict=True):
        key = (str(kind), state if isinstance(state, str) else _UNSTATED)
        mine = cells.setdefault(sample, {})
        mine[key] = mine.get(key, 0) + int(number)
        if isinstance(selection, str):
            selected.setdefault(sample, set()).add(selection)
    return {p: (s, cells[s], ", ".join(sorted(selected.get(s, ())))) for p, s in chosen.items()}


def _share(study: Study, name: str) -> Mapping[str, Measurement]:
    share = _SHARES[name]
    fields: dict[str, Any] = {
        "method": "Share of cells with its exact binomial interval",
        "citation": (*share.references, "clopper1934"),
        "source": study.sources.get("cell_counts", ()),
    }
    measurements = {}
    for patient, (sample, counts, selection) in shared(study, "cell counts", _counts).items():
        among = {key: n for key, n in counts.items() if key[0] in share.among}
        of = sum(among.values())
        why = _why_not(share, among, of, {kind for kind, _ in counts}, selection)
        if why:
            measurements[patient] = Measurement.not_assessable(name, "1", why, sample=sample, **fields)
            continue
        hits = sum(n for (kind, state), n in among.items() if kind in share.types and share.state in ("", state))
        low, high = binomial_interval(hits, of)
        note = f"{hits} of {of} cells" + (f"; selected beforehand: {selection}" if selection else "")
        measurements[patient] = Measurement(
            name, hits / of, "1", "measured", low=low, high=high, note=note, sample=sample, **fields
        )
    return measurements


def _why_not(share: _Share, among: Counts, of: int, types: set[str], selection: str) -> str:
    if not types & set(share.types):
        return (
            f"the file does not distinguish {' or '.join(share.types)}, and cells that were not examined are not absent"
        )
    if of < MINIMUM_CELLS:
        return f"{of} cells are too few; at least {MINIMUM_CELLS} ({', '.join(share.among[:3])} …) are needed"
    if share.state and any(state == _UNSTATED and n for (_, state), n in among.items()):
        return "the file does not give the state of these cells"
    selected = selection.casefold()
    if selected and share.among == IMMUNE and not any(w in selected for w in ("cd45", "none", "viable", "live")):
        return f"cells were selected beforehand ({selection}), so their share of immune cells is that of the selection"
    return ""


_HLA = ("HLA-A", "HLA-B", "HLA-C", "B2M")


def _mhc1(study: Study) -> Mapping[str, Measurement]:
    name, table = "sc_tumour_mhc1", study.pseudobulk
    chosen = sample_of_each(study, table)
    groups = dict(tuple(table.groupby("sample", sort=False)))
    fields: dict[str, Any] = {
        "method": "Mean difference of log2 CPM of HLA-A, -B, -C and B2M, tumour cells minus T cells of the same sample",
        "citation": ("gettinger2017",),
        "source": study.sources.get("pseudobulk", ()),
    }
    measurements = {}
    for patient, sample in chosen.items():
        rows = groups[sample]
        tumour = rows[rows["cell_type"] == "tumour"]
        t_cells = rows[rows["cell_type"].isin(T_CELLS)]
        enough = [(cells, cells.drop_duplicates("cell_type")["cells"].sum()) for cells in (tumour, t_cells)]
        if any(count < MINIMUM_CELLS for _, count in enough):
            why = f"{enough[0][1]:.0f} tumour cells and {enough[1][1]:.0f} T cells; {MINIMUM_CELLS} of each are needed"
            measurements[patient] = Measurement.not_assessable(name, "log2", why, sample=sample, **fields)
            continue
        differences = []
        for gene in _HLA:
            a, b = tumour[tumour["gene"] == gene], t_cells[t_cells["gene"] == gene].sort_values("cell_type")
            if len(a) and len(b):
                weighted = float(np.average(b["log2_cpm"], weights=b["cells"]))
                differences.append(float(a["log2_cpm"].mean()) - weighted)
        if len(differences) < len(_HLA):
            why = f"only {len(differences)} of the {len(_HLA)} genes were measured"
            measurements[patient] = Measurement.not_assessable(name, "log2", why, sample=sample, **fields)
            continue
        note = f"{enough[0][1]:.0f} tumour cells, {enough[1][1]:.0f} T cells"
        measurements[patient] = Measurement(
            name, float(np.mean(differences)), "log2", "measured", note=note, sample=sample, **fields
        )
    return measurements


def _register(names: Sequence[str]) -> None:
    for name in names:
        share = _SHARES[name]
        register(
            Biomarker(
                name=name,
                title=share.title,
                family="single_cells",
                unit="1",
                definition=f"{share.definition[:-1]}, in the sample before treatment; at least {MINIMUM_CELLS} cells.",
                function=partial(_share, name=name),
                needs=("cell_counts",),
                references=share.references,
                limits=_LIMITS,
            )
        )


_register(list(_SHARES))
register(
    Biomarker(
        name="sc_tumour_mhc1",
        title="MHC class I of tumour cells relative to T cells of the same sample",
        family="single_cells",
        unit="log2",
        definition=(
            "Mean difference of log2 CPM (pseudobulk) of HLA-A, HLA-B, HLA-C and B2M, tumour cells minus T cells."
        ),
        function=_mhc1,
        needs=("pseudobulk",),
        references=("gettinger2017",),
        limits="RNA, not surface protein; loss in a subset of the tumour cells is masked by the mean. No cut-off.",
    )
)
