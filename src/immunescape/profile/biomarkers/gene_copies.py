"""From copy-number segments to the copy number of genes, ploidy and purity.

* A gene has the copy number of the segment that covers it. Where a breakpoint lies within the gene, or no segment
  covers it, its copy number is left open, with the reason.
* Allele-specific segments (total and minor copy number) are taken as given: their caller corrected for purity.
* A log2 ratio r means ``r = log2((p T + 2 (1 - p)) / (p P + 2 (1 - p)))`` with T copies of the gene, purity p and
  ploidy P. Unknown values of p and P range over `PURITIES` and `PLOIDIES`, so that T is an interval; only statements
  that hold over the whole interval are made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from immunescape.profile.biomarkers.registry import shared
from immunescape.profile.gene_places import gene_places
from immunescape.profile.study import Study

__all__ = [
    "GeneCopies",
    "copies_of_log2",
    "gene_copies",
    "sample_ploidy",
    "sample_purity",
    "segment_problems",
]

PURITIES = (0.2, 0.75)
"""Range of purity if none is given (assumed: samples below it are not assessable, and few biopsies are above it)."""
PLOIDIES = (2.0, 4.0)
"""Range of ploidy if none is given (assumed: diploid to whole-genome doubled)."""
NOISE = 0.1
"""Largest error of a segment mean, in log2 (assumed)."""
GENOME_SEEN = 1.4e9
"""Autosomal bases that segments must cover for their mean to be taken as ploidy (assumed; about half)."""
COVERED = 0.8
"""Share of the coding part of a gene that segments must cover (assumed)."""
SLIVER = 0.01
"""A segment that covers less of a gene than this is left out (assumed: ends of neighbours that touch)."""
_IMBALANCE = 0.5
"""Difference between the copy numbers of the two alleles from which allele frequency gives purity (assumed)."""


@dataclass(frozen=True)
class GeneCopies:
    """Copies of one gene in one sample, from segments.

    Attributes
    ----------
    total, minor : copy number; NaN where the segments do not give it.
    low, high : bounds of the total where only a log2 ratio is known.
    why : why the copy number is open; '' where it is known.
    label : the measurement as text.
    """

    total: float = math.nan
    minor: float = math.nan
    low: float = math.nan
    high: float = math.nan
    why: str = ""
    label: str = ""


def copies_of_log2(
    ratio: float, purity: float = math.nan, ploidy: float = math.nan, noise: float = 0.0
) -> tuple[float, float]:
    """Return the range of copy numbers compatible with a log2 ratio, given purity and ploidy (NaN: not known).

    `noise` is the largest error of the ratio, in log2.
    """
    purities = (purity,) if purity > 0 else PURITIES
    ploidies = (ploidy,) if ploidy > 0 else PLOIDIES
    depths = (2.0 ** (ratio - noise), 2.0 ** (ratio + noise))
    totals = [(d * (p * k + 2 * (1 - p)) - 2 * (1 - p)) / p for d in depths for p in purities for k in ploidies]
    return max(0.0, min(totals)), max(0.0, max(totals))


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])


def _given(study: Study, column: str) -> dict[str, float]:
    frame = study.samples.dropna(subset=["sample", column])
    return dict(zip(frame["sample"].astype(str), frame[column].astype(float), strict=True))


def _ploidies(study: Study) -> dict[str, float]:
    copies = {}
    frame = study.segments.dropna(subset=["sample", "total_cn", "start", "end"])
    frame = frame[~frame["chrom"].isin(("X", "Y", "MT"))]
    for sample, rows in frame.groupby("sample"):
        length = (rows["end"] - rows["start"]).to_numpy(dtype=float)
        if length.sum() >= GENOME_SEEN:
            copies[str(sample)] = float(np.average(rows["total_cn"], weights=length))
    return copies | _given(study, "ploidy")


def sample_ploidy(study: Study) -> dict[str, float]:
    """Return sample -> ploidy: as given, else the length-weighted mean total copy number of the autosomes.

    The mean requires segments over at least `GENOME_SEEN` bases.
    """
    return shared(study, "sample_ploidy", _ploidies)


def _purities(study: Study) -> dict[str, float]:
    ploidies: dict[str, float] = {}
    frame = study.segments
    if "observed_baf" in frame.columns:  # PURPLE: allele frequency before, alleles after correction for purity
        rows = frame[~frame["chrom"].isin(("X", "Y", "MT"))]
        total, minor = rows["total_cn"].to_numpy(dtype=float), rows["minor_cn"].to_numpy(dtype=float)
        seen = pd.to_numeric(rows["observed_baf"], errors="coerce").to_numpy(dtype=float)
        major = total - minor
        with np.errstate(all="ignore"):
            purity = (1 - 2 * seen) / (seen * (total - 2) - major + 1)
        length = (rows["end"] - rows["start"]).to_numpy(dtype=float)
        usable = (major - minor >= _IMBALANCE) & (seen > 0.5) & (purity > 0) & (purity <= 1.05) & (length > 0)
        names = rows["sample"].to_numpy(dtype=object)
        for sample in dict.fromkeys(names[usable]):
            of = usable & (names == sample)
            ploidies[str(sample)] = min(1.0, _weighted_median(purity[of], length[of]))
    if "cellular_fraction" in frame.columns:  # FACETS: the largest fraction of an altered segment is the purity
        rows = frame.assign(cf=pd.to_numeric(frame["cellular_fraction"], errors="coerce"))
        rows = rows[rows["cf"].notna() & (rows["cf"] < 1.0) & ~((rows["total_cn"] == 2) & (rows["minor_cn"] == 1))]
        for sample, segments in rows.groupby("sample"):
            ploidies.setdefault(str(sample), float(segments["cf"].max()))
    return ploidies | _given(study, "tumour_purity")


def sample_purity(study: Study) -> dict[str, float]:
    """Return sample -> purity: as given, else from PURPLE's allele frequencies or FACETS' cellular fractions."""
    return shared(study, "sample_purity", _purities)


def _rounded(total: float, minor: float) -> tuple[float, float]:
    return (round(total) if total == total else -1.0, round(minor) if minor == minor else -1.0)


def _absolute(rows: list[tuple[float, ...]], name: str) -> GeneCopies:
    states = {_rounded(r[2], r[3]) for r in rows}
    if len(states) > 1:
        listed = ", ".join(f"{r[2]:.3g}" for r in rows)
        return GeneCopies(why=f"a copy-number break lies within {name} ({listed} copies)")
    total, minor = rows[0][2], rows[0][3]
    text = f"{total:.4g} copies" + (f", minor allele {minor:.3g}" if minor == minor else "")
    return GeneCopies(total, minor, label=f"{text}, by segments")


def _relative(rows: list[tuple[float, ...]], name: str, purity: float, ploidy: float) -> GeneCopies:
    bounds = [copies_of_log2(r[4], purity, ploidy, NOISE) for r in rows]
    if len({_class(low, high) for low, high in bounds}) > 1:
        listed = ", ".join(f"{r[4]:.3g}" for r in rows)
        return GeneCopies(why=f"a copy-number break lies within {name} (log2 ratios {listed})")
    low, high = min(b[0] for b in bounds), max(b[1] for b in bounds)
    label = f"log2 ratio {rows[0][4]:.3g}, {low:.2g} to {high:.2g} copies"
    if _class(low, high) == "open":
        unknown = [w for w, v in (("purity", purity), ("ploidy", ploidy)) if not v > 0]
        because = f" as {' and '.join(unknown)} {'are' if len(unknown) > 1 else 'is'} not given" if unknown else ""
        return GeneCopies(low=low, high=high, why=f"a {label}{because}", label=label)
    return GeneCopies(low=low, high=high, label=label)


LEAST_COPY = 0.7
"""Copy number below which not all cells retain a copy; see `alterations.SUBCLONAL`."""


def _class(low: float, high: float) -> str:
    if high < LEAST_COPY:
        return "deleted"
    return "kept" if low >= LEAST_COPY else "open"


def _of_gene(rows: list[tuple[float, ...]], start: int, end: int, name: str, p: float, k: float) -> GeneCopies:
    """Return the copy number of a gene from the segments (start, end, total, minor, log2) that overlap it."""
    covering = [
        kind([r for _, r in segments], name)
        for column, kind in ((2, _absolute), (4, lambda rows, gene: _relative(rows, gene, p, k)))
        if (segments := _covering(rows, start, end, column))
    ]
    if not covering:
        touched = any(r[0] <= end and r[1] >= start for r in rows)
        return GeneCopies(why=f"no segment with a copy number covers {name}" + (" completely" if touched else ""))
    return next((f for f in covering if not f.why), covering[0])


def _covering(
    rows: list[tuple[float, ...]], start: int, end: int, column: int
) -> list[tuple[float, tuple[float, ...]]]:
    """Return (bases, segment) for segments with a value that together cover the gene; [] if they do not."""
    length = end - start + 1
    segments = [(min(r[1], end) - max(r[0], start) + 1, r) for r in rows if r[column] == r[column]]
    segments = [x for x in segments if x[0] > SLIVER * length]
    return segments if sum(x[0] for x in segments) >= COVERED * length else []


def _copies(study: Study) -> dict[tuple[str, str], GeneCopies]:
    places = gene_places(study.genome_build)
    frame = study.segments.dropna(subset=["sample", "start", "end"])
    copies: dict[tuple[str, str], GeneCopies] = {}
    if not places or frame.empty:
        return copies
    purity, ploidy = sample_purity(study), sample_ploidy(study)
    by_chrom = {str(c): rows for c, rows in frame.groupby("chrom")}
    samples = list(dict.fromkeys(frame["sample"].astype(str)))
    for name, place in places.items():
        per: dict[str, list[tuple[float, ...]]] = {s: [] for s in samples}
        rows = by_chrom.get(place.chrom)
        if rows is not None:
            near = rows[(rows["start"] <= place.end) & (rows["end"] >= place.start)]
            columns = ["sample", "start", "end", "total_cn", "minor_cn", "seg_mean"]
            for sample, *numbers in near[columns].to_numpy(dtype=object).tolist():
                per[str(sample)].append(tuple(float(x) for x in numbers))
        for sample, segments in per.items():
            copies[sample, name] = _of_gene(
                segments, place.start, place.end, name, purity.get(sample, math.nan), ploidy.get(sample, math.nan)
            )
    return copies


def gene_copies(study: Study) -> Mapping[tuple[str, str], GeneCopies]:
    """Return (sample, gene) -> copy number from segments, for the genes of the coordinate table; {} without any."""
    if not study.has("segments"):
        return {}
    return shared(study, "gene_copies", _copies)


def segment_problems(study: Study) -> tuple[str, ...]:
    """Return what prevents segments from being used, and what to do."""
    if not study.has("segments") or not len(study.segments):
        return ()
    source = ", ".join(study.sources.get("segments", ())) or "segments"
    if not gene_places(study.genome_build):
        return (
            f"{source}: the genome build is not known, so no gene is assigned a copy number from the segments. Set "
            "genome_build: GRCh37 or GRCh38 in the manifest.",
        )
    frame = study.segments
    relative = frame.loc[frame["total_cn"].isna() & frame["seg_mean"].notna(), "sample"].dropna().unique()
    purities = sample_purity(study)
    bare = [str(s) for s in relative if str(s) not in purities]
    if not bare:
        return ()
    return (
        f"{source}: {len(bare)} samples have log2 ratios without a tumour purity (first: {bare[0]}), so that only deep "
        "deletions, high gains and near-neutral genes can be identified. Give tumour_purity and ploidy in a table of "
        "samples.",
    )
