"""Cells in space: densities by compartment, immune phenotype, distances, tertiary lymphoid structures.

Definitions on which studies do not agree use assumed numbers, all of them in `LIMITS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.registry import Biomarker, register, shared
from immunescape.profile.biomarkers.single_cells import sample_of_each
from immunescape.profile.cell_types import IMMUNE, T_CELLS
from immunescape.profile.study import Study

__all__ = ["LIMITS", "Section", "lymphoid_structures", "section_of"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Numbers of the definitions, all of them assumed.

    Attributes
    ----------
    tile : side length of the square tiles from which area is computed, micrometres.
    tumour_share : share of tumour cells among the non-immune cells of a tile and its eight neighbours from which the
        tile counts as tumour; infiltration therefore does not turn tumour into stroma.
    compartment_area, tls_area : smallest area examined, mm2.
    density : CD8 T cells per mm2 above which a compartment counts as infiltrated.
    cells : smallest number of cells for a distance.
    link : largest distance between neighbours of one aggregate, micrometres.
    core : smallest number of B cells within `link` of a B cell in the core of an aggregate.
    b_cells : smallest number of B cells of a structure.
    t_share : smallest share of T cells among its B and T cells.
    """

    tile: float = 50.0
    tumour_share: float = 0.5
    compartment_area: float = 0.1
    tls_area: float = 1.0
    density: float = 100.0
    cells: int = 20
    link: float = 30.0
    core: int = 5
    b_cells: int = 50
    t_share: float = 0.1


LIMITS = Limits()
_POINTS = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Section:
    """Measurements of one sample.

    Attributes
    ----------
    area : compartment -> mm2 examined. cd8 : compartment -> CD8 T cells. cells : cell type -> cells.
    tumour_distances : from each CD8 T cell to the nearest tumour cell, micrometres. pdl1_distances : to the nearest
    PD-L1-positive cell, empty if PD-L1 is not given. structures : B cells of each lymphoid structure.
    compartments : how the compartment of a cell was assigned.
    """

    area: Mapping[str, float]
    cd8: Mapping[str, int]
    cells: Mapping[str, int]
    tumour_distances: _POINTS
    pdl1_distances: _POINTS
    pdl1_stated: bool
    structures: tuple[int, ...]
    compartments: str

    @property
    def seen(self) -> float:
        """Area examined, mm2."""
        return sum(self.area.values())


def _tiles(points: _POINTS) -> NDArray[np.int64]:
    return np.floor(points / LIMITS.tile).astype(np.int64)


def _derived(points: _POINTS, kind: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Return for each cell whether its tile is tumour: by tumour cells among non-immune cells in the 3 x 3 tiles."""
    tiles = _tiles(points)
    keys, inverse = np.unique(tiles, axis=0, return_inverse=True)
    inverse = inverse.ravel()
    every = np.bincount(inverse, weights=~np.isin(kind, IMMUNE), minlength=len(keys))
    hits = np.bincount(inverse, weights=kind == "tumour", minlength=len(keys))
    place = {(int(a), int(b)): i for i, (a, b) in enumerate(keys)}
    around = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    is_tumour = np.zeros(len(keys), dtype=bool)
    for k, (a, b) in enumerate(keys):
        near = [place[q] for i, j in around if (q := (int(a) + i, int(b) + j)) in place]
        is_tumour[k] = hits[near].sum() > 0 and hits[near].sum() >= LIMITS.tumour_share * every[near].sum()
    return is_tumour[inverse]


def _nearest(points: _POINTS, targets: _POINTS) -> _POINTS:
    from scipy.spatial import cKDTree

    if not len(points) or not len(targets):
        return np.empty(0)
    return np.asarray(cKDTree(targets).query(points)[0], dtype=float)


def lymphoid_structures(b_cells: _POINTS, t_cells: _POINTS) -> tuple[int, ...]:
    """Return the number of B cells of each tertiary lymphoid structure.

    Density clusters of B cells (each with at least `core` others within `link`), linked within `link`, of at least
    `b_cells`; T cells within `link` of its B cells must make up `t_share` of the two.

    Parameters
    ----------
    b_cells, t_cells
        cells x 2, micrometres.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    if len(b_cells) < LIMITS.b_cells:
        return ()
    tree = cKDTree(b_cells)
    neighbours = tree.query_ball_point(b_cells, LIMITS.link, return_length=True) - 1
    core = np.flatnonzero(neighbours >= LIMITS.core)
    if not len(core):
        return ()
    pairs = cKDTree(b_cells[core]).query_pairs(LIMITS.link, output_type="ndarray")
    links = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(core), len(core)))
    count, label = connected_components(links, directed=False)
    regions = []
    for k in range(count):
        members = b_cells[core[label == k]]
        size = int(np.isfinite(cKDTree(members).query(b_cells, distance_upper_bound=LIMITS.link)[0]).sum())
        if size < LIMITS.b_cells:
            continue
        near = _nearest(t_cells, members)
        t_near = int((near <= LIMITS.link).sum())
        if t_near >= LIMITS.t_share * (t_near + size):
            regions.append(size)
    return tuple(sorted(regions, reverse=True))


def section_of(rows: pd.DataFrame) -> Section:
    """Measure one sample; regions are treated as separate, whatever their coordinates.

    Parameters
    ----------
    rows
        Cells of the sample: ``region``, ``x``, ``y`` (micrometres), ``cell_type``, ``compartment``, ``pdl1``.
    """
    area, cd8 = {"tumour": 0.0, "stroma": 0.0}, {"tumour": 0, "stroma": 0}
    distances: list[_POINTS] = []
    to_pdl1: list[_POINTS] = []
    structures: list[int] = []
    stained = bool(rows["pdl1"].notna().any())
    given = bool(rows["compartment"].notna().all())
    for _, region in rows.groupby("region", dropna=False, sort=True):
        points = region[["x", "y"]].to_numpy(float)
        kind = region["cell_type"].to_numpy(dtype=object)
        inside = (region["compartment"] == "tumour").to_numpy() if given else _derived(points, kind)
        keys, first = np.unique(_tiles(points), axis=0, return_inverse=True)
        share = np.bincount(first.ravel(), weights=inside, minlength=len(keys)) / np.bincount(first.ravel())
        area["tumour"] += float(share.sum()) * LIMITS.tile**2 / 1e6
        area["stroma"] += float((1 - share).sum()) * LIMITS.tile**2 / 1e6
        is_cd8 = kind == "cd8"
        cd8["tumour"] += int((is_cd8 & inside).sum())
        cd8["stroma"] += int((is_cd8 & ~inside).sum())
        distances.append(_nearest(points[is_cd8], points[kind == "tumour"]))
        if stained:
            to_pdl1.append(_nearest(points[is_cd8], points[(region["pdl1"] == True).to_numpy()]))  # noqa: E712
        structures += lymphoid_structures(points[kind == "b"], points[np.isin(kind, T_CELLS)])
    counts = {str(k): int(v) for k, v in rows["cell_type"].value_counts().items()}
    return Section(
        area=area,
        cd8=cd8,
        cells=counts,
        tumour_distances=np.sort(np.concatenate(distances)),
        pdl1_distances=np.sort(np.concatenate(to_pdl1)) if to_pdl1 else np.empty(0),
        pdl1_stated=stained,
        structures=tuple(sorted(structures, reverse=True)),
        compartments="compartments as given"
        if given
        else f"compartments by the share of tumour cells among non-immune cells, {LIMITS.tile:g} um tiles",
    )


def _sections(study: Study) -> dict[str, tuple[str, Section]]:
    chosen = sample_of_each(study, study.cells_in_space)
    groups = dict(tuple(study.cells_in_space.groupby("sample", sort=False)))
    return {patient: (sample, section_of(groups[sample])) for patient, sample in chosen.items()}


def _poisson(count: int) -> tuple[float, float]:
    from scipy.stats import chi2

    low = 0.0 if count == 0 else float(chi2.ppf(0.025, 2 * count)) / 2
    return low, float(chi2.ppf(0.975, 2 * count + 2)) / 2


Answer = tuple[Any, float | None, float | None, str]
Measure = Callable[[Section], Answer | str]


def _measured(study: Study, name: str) -> Mapping[str, Measurement]:
    space = _SPACE[name]
    fields: dict[str, Any] = {"method": space.title, "citation": space.references}
    fields["source"] = study.sources.get("cells_in_space", ())
    measurements = {}
    for patient, (sample, section) in shared(study, "cells in space", _sections).items():
        answer = space.measure(section)
        if isinstance(answer, str):
            measurements[patient] = Measurement.not_assessable(name, space.unit, answer, sample=sample, **fields)
            continue
        value, low, high, note = answer
        seen = f"{section.seen:.2f} mm2 examined, {sum(section.cells.values())} cells, {section.compartments}"
        text = "; ".join(t for t in (note, seen) if t)
        measurements[patient] = Measurement(
            name, value, space.unit, "measured", low=low, high=high, note=text, sample=sample, **fields
        )
    return measurements


def _density(section: Section, compartment: str) -> Answer | str:
    area, count = section.area[compartment], section.cd8[compartment]
    if area < LIMITS.compartment_area:
        return f"{area:.3f} mm2 of {compartment} was examined, {LIMITS.compartment_area:g} is needed"
    if "cd8" not in section.cells and not _is_labelled(section, "cd8"):
        return "no cell is labelled cd8, and cells that were not examined are not absent"
    low, high = _poisson(count)
    return count / area, low / area, high / area, f"{count} CD8 T cells in {area:.2f} mm2 of {compartment}"


def _is_labelled(section: Section, cell_type: str) -> bool:
    """Return whether a cell type without any cells was examined, i.e. whether other T cells are distinguished."""
    return cell_type == "cd8" and any(t in section.cells for t in ("cd4", "treg"))


def _phenotype(section: Section) -> Answer | str:
    densities = {}
    for compartment in ("tumour", "stroma"):
        answer = _density(section, compartment)
        if isinstance(answer, str):
            return answer
        value, low, high = (float(v) for v in answer[:3] if v is not None)
        if low <= LIMITS.density <= high:
            return (
                f"{value:.0f} CD8 T cells per mm2 of {compartment} ({low:.0f} to {high:.0f}) include the "
                f"threshold of {LIMITS.density:g}"
            )
        densities[compartment] = value
    infiltrated = {c: v > LIMITS.density for c, v in densities.items()}
    phenotype = "inflamed" if infiltrated["tumour"] else "excluded" if infiltrated["stroma"] else "desert"
    text = ", ".join(f"{v:.0f} in {c}" for c, v in densities.items())
    return phenotype, None, None, f"CD8 T cells per mm2: {text}"


def _distance(section: Section, name: str) -> Answer | str:
    if name == "pdl1" and not section.pdl1_stated:
        return "the file does not say which cells are PD-L1-positive"
    distances = section.tumour_distances if name == "tumour" else section.pdl1_distances
    if len(distances) < LIMITS.cells:
        return f"{len(distances)} CD8 T cells with a target cell, {LIMITS.cells} are needed"
    low, middle, high = np.percentile(distances, [25, 50, 75])
    return float(middle), float(low), float(high), f"median (quartiles) of {len(distances)} CD8 T cells"


def _structures(section: Section) -> Answer | str:
    if not any(t in section.cells for t in ("b", "plasma")):
        return "no cell is labelled b, and cells that were not examined are not absent"
    if not section.structures and section.seen < LIMITS.tls_area:
        return f"none in {section.seen:.2f} mm2; {LIMITS.tls_area:g} mm2 is needed to conclude that there is none"
    count = len(section.structures)
    low, high = _poisson(count)
    sizes = f", B cells in each: {', '.join(map(str, section.structures[:8]))}" if count else ""
    seen = section.seen
    return count / seen, low / seen, high / seen, f"{count} structures in {seen:.2f} mm2{sizes}"


@dataclass(frozen=True)
class _Space:
    title: str
    unit: str
    definition: str
    measure: Measure
    references: tuple[str, ...]
    words: tuple[str, ...] = ()


_AREA = f"area is that of the {LIMITS.tile:g} um tiles that contain a cell"
_SPACE = {
    "space_cd8_density_tumour": _Space(
        "CD8 T cells per area of tumour",
        "1/mm2",
        f"CD8 T cells in the tumour compartment over its area ({_AREA}), with the exact Poisson interval.",
        partial(_density, compartment="tumour"),
        ("tumeh2014",),
    ),
    "space_cd8_density_stroma": _Space(
        "CD8 T cells per area of stroma",
        "1/mm2",
        f"CD8 T cells in the stromal compartment over its area ({_AREA}), with the exact Poisson interval.",
        partial(_density, compartment="stroma"),
        ("tumeh2014",),
    ),
    "immune_phenotype": _Space(
        "Immune phenotype",
        "",
        f"Inflamed: at least {LIMITS.density:g} CD8 T cells per mm2 of tumour; excluded: in the stroma alone; desert: "
        "in neither; left open where an interval contains the limit. The three terms are those of the source; the "
        "threshold is assumed.",
        _phenotype,
        ("chen2017setpoint", "mariathasan2018"),
        ("inflamed", "excluded", "desert"),
    ),
    "space_cd8_tumour_distance": _Space(
        "Distance from CD8 T cells to tumour cells",
        "um",
        "Median distance from a CD8 T cell to the nearest tumour cell, with quartiles.",
        partial(_distance, name="tumour"),
        ("tumeh2014",),
    ),
    "space_cd8_pdl1_distance": _Space(
        "Distance from CD8 T cells to PD-L1-positive cells",
        "um",
        "Median distance from a CD8 T cell to the nearest PD-L1-positive cell, with quartiles.",
        partial(_distance, name="pdl1"),
        ("tumeh2014",),
    ),
    "space_tls_density": _Space(
        "Tertiary lymphoid structures per area",
        "1/mm2",
        f"Density clusters of B cells ({LIMITS.core} others within {LIMITS.link:g} um) of at least {LIMITS.b_cells}, "
        f"with T cells making up {LIMITS.t_share:.0%} of the two there, over the area examined ({_AREA}).",
        _structures,
        ("sautesfridman2019", "cabrita2020"),
    ),
}
for _name, _space in _SPACE.items():
    register(
        Biomarker(
            name=_name,
            title=_space.title,
            family="space",
            unit=_space.unit,
            definition=_space.definition,
            function=partial(_measured, name=_name),
            needs=("cells_in_space",),
            words=_space.words,
            references=_space.references,
            limits="A single section of one block; cell counts depend on segmentation and panel. The thresholds of the "
            "definition are assumed.",
        )
    )
