"""Gut microbiome: MetaPhlAn's merged table, species tables, BIOM 1.0 (JSON) and 2.1 (HDF5)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from immunescape.errors import InputError
from immunescape.profile.body_sites import body_site
from immunescape.profile.file_limits import refuse_large
from immunescape.profile.readers._anndata import hdf5_bytes
from immunescape.profile.readers._base import Partial, need_extra, reader
from immunescape.profile.readers._finish import finish
from immunescape.profile.readers._text import number_block, read_table, read_text, table_from_text

__all__ = ["read_biom", "read_metaphlan", "read_species_table"]

_RANKS = {
    "k": "kingdom",
    "d": "kingdom",
    "p": "phylum",
    "c": "class",
    "o": "order",
    "f": "family",
    "g": "genus",
    "s": "species",
    "t": "sgb",
}
_OPTIONS = {
    "day": "day of the samples",
    "rank": "rank of taxa without a rank prefix (default species)",
    "site": "body site of the samples: stool, oral, lung, skin, …; inferred from the genera if not given",
}


def _taxon(text: str, default: str) -> tuple[str, str]:
    ranks = [p.strip() for p in text.replace(";", "|").split("|")]
    last = ranks[-1]
    head, sign, name = last.partition("__")
    if sign and head.casefold() in _RANKS:
        rank = _RANKS[head.casefold()]
        genus = next((p[3:] for p in reversed(ranks[:-1]) if p[:3].casefold() == "g__"), "")
        if rank == "species" and genus and not re.search(r"[\s_]", name) and name != genus:
            return f"{genus}_{name}", rank  # Greengenes: the epithet alone
        return name, rank
    return last, default


def _long(
    values: np.ndarray,
    taxa: Sequence[str],
    samples: Sequence[str],
    options: Mapping[str, Any],
    percent: bool,
    sites: Sequence[str | None] = (),
) -> pd.DataFrame:
    """Return one row per taxon and sample; the site in the manifest takes precedence over those in the file."""
    day, rank = options.get("day"), str(options.get("rank", "species"))
    declared = str(options["site"]) if options.get("site") else None
    of_sample = [declared or (sites[i] if sites else None) for i in range(len(samples))]
    named = [_taxon(t, rank) for t in taxa]
    rows, cols = np.nonzero(np.isfinite(values))
    scale = 0.01 if percent else 1.0
    return pd.DataFrame(
        {
            "patient": None,
            "sample": np.array(samples, dtype=object)[cols],
            "day": np.nan if day is None else float(day),
            "taxon": np.array([n for n, _ in named], dtype=object)[rows],
            "rank": np.array([r for _, r in named], dtype=object)[rows],
            "abundance": values[rows, cols] * scale,
            "site": np.array(of_sample, dtype=object)[cols],
        }
    )


def _percent(values: np.ndarray, ranks: Sequence[str], file: str, unit: str | None, problems: list[str]) -> bool:
    """Decide whether abundances are percent, by their sums over one rank or the manifest."""
    if unit in ("percent", "%"):
        return True
    if unit == "fraction":
        return False
    if not values.size:
        return False
    rank = max(set(ranks), key=lambda r: sum(np.nansum(values[i]) for i, x in enumerate(ranks) if x == r), default="")
    sums = np.nansum(values[[i for i, r in enumerate(ranks) if r == rank]], axis=0)
    sums = sums[sums > 0]
    if not len(sums):
        return False
    if sums.max() <= 1.02:
        problems.append(f"{file}: abundances are read as fractions, because each sample sums to at most 1")
        return False
    if sums.max() <= 102 and sums.max() > 2:
        problems.append(f"{file}: abundances are read as percent, because samples sum to up to {sums.max():.1f}")
        return True
    raise InputError(
        f"abundances sum to up to {sums.max():g} in a sample: neither fractions (1) nor percent (100)",
        where=file,
        hint="Declare units: {abundance: fraction | percent}; counts are read from BIOM.",
    )


@reader(
    "metaphlan",
    "MetaPhlAn merged table (taxa x samples, with the database line)",
    ("microbiome",),
    {
        **_OPTIONS,
        "units": "abundance: percent or fraction (default percent, as MetaPhlAn writes)",
        "patient": "patient, for the profile of a single sample",
        "sample": "name of the sample of such a profile; otherwise it is named after the file",
    },
)
def read_metaphlan(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read a merged table of MetaPhlAn, or the profile of one sample; abundance becomes a fraction; all ranks are kept.

    Raises
    ------
    InputError
        For a missing column, and where abundances are neither fractions nor percent.
    """
    text = read_text(path)
    header = re.search(r"^#(clade_name\t.*)$", text, re.MULTILINE)  # a profile comments its header out
    named = [h.strip() for h in header.group(1).split("\t")] if header else None
    table = table_from_text(text, path.name, separator="\t", header=named)
    taxa_column = table.need("clade_name", "ID", "taxonomy")
    skip = {taxa_column, table.find("clade_taxid"), table.find("NCBI_tax_id"), table.find("additional_species")}
    skip |= {table.find("coverage"), table.find("estimated_number_of_reads_from_the_clade")}
    samples = [str(c) for c in table.frame.columns if c not in skip]
    out = Partial()
    if (single := table.find("relative_abundance")) is not None and single in samples:
        name = str(options.get("sample") or options.get("patient") or path.name.partition(".")[0])
        table.frame = table.frame.rename(columns={single: name})
        samples = [name]
        if not options.get("sample") and not options.get("patient"):
            out.problems.append(
                f"{path.name}: the sample is named {name}, after the file; set patient: in the manifest"
            )
    elif options.get("patient") and len(samples) > 1:
        raise InputError(f"{len(samples)} samples: patient: names one", where=path.name)
    taxa = [str(t) for t in table.frame[taxa_column].fillna("unnamed")]
    values = number_block(table.frame, samples, path.name)
    unit = dict(options.get("units") or {}).get("abundance", "percent")
    percent = _percent(values, [_taxon(t, "species")[1] for t in taxa], path.name, unit, out.problems)
    frame = _long(values, taxa, samples, options, percent)
    if options.get("patient"):
        frame["patient"] = str(options["patient"])
    version = next((c.lstrip("#").strip() for c in table.comments if "mpa" in c.casefold()), "")
    if not version:
        out.problems.append(f"{path.name}: no line gives the MetaPhlAn database; species names change between releases")
    out.tables["microbiome"] = finish("microbiome", frame, path.name, out.problems)
    out.note(path.name, "metaphlan", len(taxa), len(taxa), f"database {version}" if version else "")
    return out


@reader(
    "species_table",
    "microbiome table with one sample per row and one species per column",
    ("microbiome",),
    {
        **_OPTIONS,
        "sample_column": "column with the sample name",
        "units": "abundance: percent or fraction",
        "patients": "whether the sample name is that of the patient (true) or not",
        "skip": "columns that are not species",
        "duplicates": "first: use the first of several differing rows of a sample (otherwise an error)",
    },
)
def read_species_table(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read samples x species; abundance becomes a fraction of the sample's total as given (not renormalised)."""
    table = read_table(path)
    sample_column = str(options.get("sample_column") or "Sample_id")
    key = table.need(sample_column, "sample", "sample_id")
    skipped = {table.need(str(c)) for c in options.get("skip") or []}
    taxa = [str(c) for c in table.frame.columns if c != key and c not in skipped]
    out = Partial()
    missing = table.frame[key].isna()
    if missing.any():
        raise InputError("the sample is missing", where=f"{path.name}, line {table.frame.index[missing][0]}")
    rows = len(table.frame)
    table.frame = table.frame.drop_duplicates([key, *taxa])
    twice = table.frame[key].duplicated()
    if twice.any() and options.get("duplicates") != "first":
        line = table.frame.index[twice][0]
        raise InputError(
            f"the sample '{table.frame.loc[line, key]}' occurs twice with different values",
            where=f"{path.name}, line {line}",
            hint="Remove or rename one row, or set duplicates: first.",
        )
    if rows > len(table.frame) or twice.any():
        out.problems.append(f"{path.name}: {rows - int((~twice).sum())} repeated rows of a sample are counted once")
        table.frame = table.frame[~twice]
    samples = [str(s) for s in table.frame[key]]
    values = number_block(table.frame, taxa, path.name).T
    unit = dict(options.get("units") or {}).get("abundance")
    rank = str(options.get("rank", "species"))
    percent = _percent(values, [rank] * len(taxa), path.name, unit, out.problems)
    frame = _long(values, taxa, samples, options, percent)
    if options.get("patients"):
        frame["patient"] = frame["sample"]
    out.tables["microbiome"] = finish("microbiome", frame, path.name, out.problems)
    out.note(path.name, "species_table", rows, len(samples), ", ".join(sorted(skipped)))
    return out


def _site_of(metadata: object) -> str | None:
    """Return the body site in a sample's metadata, or None if there is none or it is not a site."""
    if not isinstance(metadata, Mapping):
        return None
    for key, value in metadata.items():
        plain = re.sub(r"[^a-z]", "", str(key).casefold())
        if plain in ("bodysite", "bodyhabitat", "sampletype", "envmaterial", "site", "isolationsource"):
            try:
                return body_site(str(value), "")
            except InputError:
                continue
    return None


def _biom_json(text: str, file: str) -> tuple[np.ndarray, list[str], list[str], list[str | None]]:
    try:
        data = json.loads(text)
        rows, cols = data["rows"], data["columns"]
        taxa = [_lineage(r) for r in rows]
        samples = [str(c["id"]) for c in cols]
        sites = [_site_of(c.get("metadata")) for c in cols]
        size = 8.0 * len(taxa) * len(samples)
        refuse_large(size, "largest_array", file, "the table of taxa and samples is too large for the memory")
        values = np.zeros((len(taxa), len(samples)))
        if data["matrix_type"] == "sparse":
            for i, j, v in data["data"]:
                if int(i) < 0 or int(j) < 0:
                    raise IndexError(f"negative index {i}, {j}")
                values[int(i), int(j)] = float(v)
        else:
            values[:] = np.asarray(data["data"], dtype=float).reshape(values.shape)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        raise InputError(f"this is not a BIOM 1.0 table: {type(error).__name__} {error}", where=file) from None
    return values, taxa, samples, sites


def _lineage(row: Mapping[str, Any]) -> str:
    lineage = (row.get("metadata") or {}).get("taxonomy")
    if isinstance(lineage, list) and lineage:
        named = [str(t) for t in lineage if not str(t).endswith("__")]
        return "|".join(named) if named else str(row["id"])
    return str(lineage) if lineage else str(row["id"])


@reader(
    "biom",
    "microbiome counts (BIOM 1.0 JSON; BIOM 2.1 HDF5 with the extra 'profile')",
    ("microbiome",),
    _OPTIONS,
    extra="profile",
)
def read_biom(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read a BIOM table; counts become the fraction of the sample's total.

    Raises
    ------
    InputError
        For anything but a BIOM table, negative counts, or BIOM 2.1 without the extra.
    """
    if not path.is_file():
        read_text(path)
    with path.open("rb") as file:
        magic = file.read(8)
    if magic.startswith(b"\x89HDF"):
        biom = need_extra("biom", "profile", path.name)
        refuse_large(hdf5_bytes(path), "largest_array", path.name, "the arrays of this file are too large")
        try:
            loaded = biom.load_table(str(path))
            size = 8.0 * loaded.shape[0] * loaded.shape[1]
            refuse_large(size, "largest_array", path.name, "the table of taxa and samples is too large for the memory")
            values = np.asarray(loaded.matrix_data.todense(), dtype=float)
            taxa = []
            for name in loaded.ids(axis="observation"):
                meta = loaded.metadata(name, axis="observation") or {}
                taxa.append(_lineage({"id": name, "metadata": dict(meta)}))
            samples = [str(s) for s in loaded.ids(axis="sample")]
            sites = [_site_of(loaded.metadata(s, axis="sample")) for s in loaded.ids(axis="sample")]
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"this BIOM file cannot be read: {error}", where=path.name) from error
    else:
        values, taxa, samples, sites = _biom_json(read_text(path), path.name)
    if (values < 0).any() or not np.isfinite(values).all():
        raise InputError("negative or infinite counts", where=path.name)
    totals = values.sum(axis=0)
    empty = [s for s, t in zip(samples, totals, strict=True) if t <= 0]
    out = Partial()
    if empty:
        out.problems.append(f"{path.name}: samples without any counts are left out: {', '.join(empty[:5])}")
    keep = totals > 0
    share = values[:, keep] / totals[keep]
    names = [s for s, k in zip(samples, keep, strict=True) if k]
    frame = _long(share, taxa, names, options, False, [s for s, k in zip(sites, keep, strict=True) if k])
    frame = frame[frame["abundance"] > 0]
    out.tables["microbiome"] = finish("microbiome", frame, path.name, out.problems)
    out.note(path.name, "biom", len(samples), len(names), "")
    return out
