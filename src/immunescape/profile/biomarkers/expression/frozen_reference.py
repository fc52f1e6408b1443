"""Frozen, versioned expression references: the percentile of a sample's score in a fixed set of samples.

References of resected lung tumours are included (``knowledge/data/expression_references``; built by
``scripts/build_expression_references.py``); ``reference_build`` builds one from your own study of one tumour type,
library and unit. A reference contains smoothed quantiles of scores by histology, and the mean and standard deviation of
each gene, but no samples. Its version is a hash of its content and is reported with every percentile.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from immunescape.errors import InputError, unknown_word
from immunescape.files import cache_folder, make_folder
from immunescape.profile.biomarkers.expression.sample_scores import scores_of_samples
from immunescape.profile.biomarkers.expression.scoring import log2_values, similarity, smoothed_quantiles, zscore
from immunescape.profile.biomarkers.expression.signatures import signatures
from immunescape.profile.study import Study

__all__ = [
    "SHIPPED",
    "FrozenReference",
    "available_references",
    "histology_class",
    "levels_of",
    "load_reference",
    "reference_build",
    "reference_folder",
    "reference_target",
    "shipped_reference",
    "write_reference",
]

SHIPPED = Path(__file__).parents[3] / "knowledge" / "data" / "expression_references"
"""Folder of the included references."""

_MINIMUM = 20
_ALL = "all"
_SIMILARITY = "similarity"


def levels_of(samples: int) -> tuple[float, ...]:
    """Return the percentiles of a reference of this size: in the tails, up to about one sample from the end."""
    inner = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 70.0, 75.0, 80.0, 85.0, 90.0, 95.0)
    if samples >= 200:
        return (0.5, 1.0, 2.5, *inner, 97.5, 99.0, 99.5)
    return (2.5, *inner, 97.5) if samples >= 40 else inner


def histology_class(stated: object) -> str:
    """Return ``adenocarcinoma``, ``squamous`` or '' for a histology as written in files (text, OncoTree, TCGA)."""
    text = re.sub(r"non[- ]?(squamous|adenocarcinoma)", "", str(stated or "").casefold())
    squamous = "squamous" in text or text in ("lusc", "sqcc", "scc")
    glandular = "adenocarcinoma" in text or text in ("luad", "adc")
    if squamous == glandular or "adenosquamous" in text:
        return ""
    return "squamous" if squamous else "adenocarcinoma"


@dataclass(frozen=True, kw_only=True)
class FrozenReference:
    """A frozen reference.

    Attributes
    ----------
    name, version : name and hash of the content.
    study : name of the study that it was built from.
    unit : unit of the expression it was built from; only studies in the same unit are compared.
    samples, genes : how many it was built from.
    quantiles : rows (stratum, feature), columns ``p<percentile>``; the stratum ``all`` holds every sample.
    statistics : gene -> mean and deviation of log2 values; its genes are those that scores are made over.
    strata : histology -> number of samples; ``all`` for the whole.
    preservation, tissue, limits, citation : what the samples are, what follows from it, keys of the bibliography.
    bias : known bias of its percentiles, reported with each; '' for none.
    further : name of the included reference used for scores that this one lacks; '' for none.
    whole : False if the genes are a selection, for which neither ranks nor counts per million are meaningful.
    """

    name: str
    version: str
    study: str
    unit: str
    samples: int
    genes: int
    quantiles: pd.DataFrame
    statistics: pd.DataFrame
    strata: Mapping[str, int] = field(default_factory=dict)
    preservation: str = ""
    tissue: str = ""
    limits: str = ""
    citation: tuple[str, ...] = ()
    whole: bool = True
    fixed_genes: bool = False
    further: str = ""
    bias: str = ""

    @property
    def label(self) -> str:
        """Name and version, as percentiles cite it."""
        return f"{self.name}@{self.version[:12]}"

    @cached_property
    def _grids(self) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
        levels = np.array([float(str(c).removeprefix("p")) for c in self.quantiles.columns])
        grids = {}
        for key, grid in zip(self.quantiles.index, self.quantiles.to_numpy(float), strict=True):
            kept = np.isfinite(grid)
            if kept.sum() > 1:
                grids[key] = (levels[kept], grid[kept])
        return grids

    @cached_property
    def gene_set(self) -> frozenset[str]:
        """Genes that scores are made over; empty for a reference that used every gene of its study."""
        return frozenset(self.statistics.index) if self.fixed_genes else frozenset()

    @property
    def floor(self) -> tuple[float, float] | None:
        """Similarity below which a sample is unlike those of the reference, and the percent of its own samples above.

        None where the reference cannot tell.
        """
        grid = self._grids.get((_ALL, _SIMILARITY))
        return None if grid is None else (float(grid[1][0]), 100.0 - float(grid[0][0]))

    def stratum_of(self, histology: str) -> str:
        """Return the stratum that a histology is compared with: its own where the reference has it, else all."""
        return histology if histology in self.strata else _ALL

    def percentile(self, feature: str, value: float, stratum: str = _ALL) -> float | None:
        """Return the percentile (0..100) of a value; None where the reference lacks the feature.

        A value beyond the outermost quantile is assigned the midpoint of the range beyond it (e.g. 1.25 below
        percentile 2.5), as the reference cannot resolve it further.
        """
        values = self._grids.get((stratum, feature))
        if values is None:
            return None
        levels, grid = values
        low = np.interp(value, grid, levels, left=levels[0] / 2, right=(100.0 + levels[-1]) / 2)
        ties = levels[np.isclose(grid, value, rtol=0, atol=1e-12)]
        return float(ties.mean() if len(ties) > 1 else low)

    def holds(self, feature: str) -> bool:
        """Return whether the reference has quantiles of a score."""
        return (_ALL, feature) in self._grids

    def similarities(self, logs: pd.DataFrame) -> pd.Series:
        """Return the rank correlation of each sample (columns, log2 values) with the mean sample of the reference."""
        genes = [g for g in self.statistics.index if g in logs.index]
        return similarity(logs.loc[genes], self.statistics.loc[genes, "mean"])

    def zscores(self, expression: pd.DataFrame) -> pd.DataFrame:
        """Return combined z-scores (signatures x samples) of log2 values in the reference's unit."""
        sets = {name: s.genes for name, s in signatures().items()}
        return zscore(expression, sets, self.statistics["mean"], self.statistics["deviation"])


def reference_folder() -> Path:
    """Return the folder that references are looked for by name."""
    return cache_folder() / "references"


def available_references() -> dict[str, Path]:
    """Return name -> folder of the included references and of those that were built under a name."""
    folders: dict[str, Path] = {}
    for folder in (SHIPPED, reference_folder()):
        if folder.is_dir():
            folders |= {p.parent.name: p.parent for p in sorted(folder.glob("*/reference.json"))}
    return folders


@lru_cache(maxsize=4)
def shipped_reference(unit: str) -> FrozenReference | None:
    """Return the largest included reference in a unit (``log2(CPM + 1)``, ``log2(TPM + 1)``), or None."""
    fields = [(json.loads(p.read_text(encoding="utf-8")), p.parent) for p in sorted(SHIPPED.glob("*/reference.json"))]
    fit = [(int(f["samples"]), place) for f, place in fields if f["unit"] == unit]
    return load_reference(max(fit)[1]) if fit else None


def _bytes(folder: Path, name: str) -> bytes:
    packed = folder / f"{name}.gz"
    return gzip.decompress(packed.read_bytes()) if packed.is_file() else (folder / name).read_bytes()


def _hash(folder: Path, fields: Mapping[str, object]) -> str:
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode())
    for name in ("quantiles.csv", "statistics.csv"):
        digest.update(_bytes(folder, name))
    return digest.hexdigest()


def reference_target(name: str, folder: str | Path | None = None) -> Path:
    """Return the folder that a reference of this name is written to.

    Raises
    ------
    InputError
        For a name that cannot be a folder.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise InputError(f"'{name}' is not a valid name for a reference", hint="Use letters, digits, - and _.")
    return Path(folder) if folder is not None else reference_folder() / name


def _histologies(study: Study) -> dict[str, str]:
    if "histology" not in study.patients.columns:
        return {str(s): "" for s in study.expression.columns}
    histology_of = {
        str(p): histology_class(h) for p, h in study.patients[["patient", "histology"]].itertuples(index=False)
    }
    owner = dict(zip(study.samples["sample"], study.samples["patient"], strict=True))
    return {str(s): histology_of.get(str(owner.get(s)), "") for s in study.expression.columns}


def reference_build(
    study: Study,
    name: str,
    folder: str | Path | None = None,
    *,
    whole: bool = True,
    about: Mapping[str, object] | None = None,
    digits: int = 10,
) -> Path:
    """Build a frozen reference from the expression of a study.

    Parameters
    ----------
    study
        At least 20 samples with expression, one for each patient. A histology with at least 20 samples becomes a
        stratum of its own.
    name
        Name of the reference: letters, digits, ``-`` and ``_``.
    folder
        Where to write; None writes to the folder that names are looked up in.
    whole
        False if the genes are a selection: rank-based scores are then omitted.
    about
        ``preservation``, ``tissue``, ``limits``, ``citation``, ``further``, ``bias`` of the reference.
    digits
        Significant digits that are written.

    Returns
    -------
    Path
        Folder with ``reference.json``, ``quantiles.csv`` and ``statistics.csv.gz``.

    Raises
    ------
    InputError
        Without expression, with too few samples, or for a name that cannot be a folder.
    """
    target = reference_target(name, folder)
    if not study.has("expression"):
        raise InputError("the study has no expression", where=study.name, hint="Name an expression file.")
    count = study.expression.shape[1]
    if count < _MINIMUM:
        raise InputError(f"{count} samples are too few for a reference", hint=f"At least {_MINIMUM} are needed.")
    scores, _ = scores_of_samples(study)
    logs, unit = log2_values(study.expression, study.expression_unit)
    # Each sample against the mean of the others, as a new sample will be compared with a mean that it is not part of.
    total = logs.sum(axis=1)
    alone = [float(similarity(logs[[s]], (total - logs[s]) / (count - 1)).iloc[0]) for s in logs.columns]
    scores.loc[_SIMILARITY] = alone
    histology_of = _histologies(study)
    groups = {_ALL: list(scores.columns)}
    for histology in ("adenocarcinoma", "squamous"):
        members = [s for s in scores.columns if histology_of[str(s)] == histology]
        if _MINIMUM <= len(members) < count:
            groups[histology] = members
    every = levels_of(count)
    rows = []
    for stratum, members in groups.items():
        levels = levels_of(len(members))
        table = scores[members].dropna(axis=0)
        made = smoothed_quantiles(table.to_numpy(float), np.array(levels) / 100.0)
        frame = pd.DataFrame(made, index=table.index, columns=[f"p{v:g}" for v in levels])
        frame = frame.reindex(columns=[f"p{v:g}" for v in every])
        frame.index = pd.MultiIndex.from_product([[stratum], frame.index], names=["stratum", "feature"])
        rows.append(frame)
    statistics = pd.DataFrame({"mean": logs.mean(axis=1), "deviation": logs.std(axis=1, ddof=1)}).sort_index()
    fields: dict[str, object] = {
        "format": 2,
        "name": name,
        "study": study.name,
        "unit": unit,
        "samples": count,
        "genes": len(study.expression),
        "strata": {stratum: len(members) for stratum, members in groups.items()},
        "whole": whole,
        **dict(about or {}),
    }
    write_reference(target, pd.concat(rows), statistics, fields, digits)
    return target


def write_reference(
    folder: Path, quantiles: pd.DataFrame, statistics: pd.DataFrame, fields: Mapping[str, object], digits: int = 10
) -> None:
    """Write the files of a reference; the version is the hash of their content."""
    make_folder(folder)
    quantiles.to_csv(folder / "quantiles.csv", float_format=f"%.{digits}g", lineterminator="\n")
    text = statistics.to_csv(index_label="gene", float_format=f"%.{digits}g", lineterminator="\n")
    (folder / "statistics.csv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    content = {**fields, "version": _hash(folder, fields)}
    (folder / "reference.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def load_reference(name: str | Path) -> FrozenReference:
    """Load a reference by name or folder, and verify that it is unchanged.

    Raises
    ------
    InputError
        For an unknown name, a broken file, or content that does not match its version.
    """
    available = available_references()
    folder = available.get(str(name), Path(name))
    if not (folder / "reference.json").is_file():
        raise unknown_word("reference", str(name), available or ["(none built yet: immunescape reference build)"])
    try:
        fields = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
        version = str(fields.pop("version"))
        changed = _hash(folder, fields) != version
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"broken reference: {error}", where=str(folder), hint="Build it again.") from None
    if changed:
        raise InputError("the reference was changed after it was built", where=str(folder), hint="Build it again.")
    try:
        quantiles = pd.read_csv(folder / "quantiles.csv")
        if "stratum" not in quantiles.columns:  # the first format: one stratum, every gene of the study
            quantiles.insert(0, "stratum", _ALL)
        quantiles = quantiles.set_index(["stratum", "feature"])
        places = [folder / "statistics.csv.gz", folder / "statistics.csv"]
        statistics = pd.read_csv(next(p for p in places if p.is_file()), index_col="gene", keep_default_na=False)
        return FrozenReference(
            name=str(fields["name"]),
            version=version,
            study=str(fields["study"]),
            unit=str(fields["unit"]),
            samples=int(fields["samples"]),
            genes=int(fields["genes"]),
            quantiles=quantiles,
            statistics=statistics[["mean", "deviation"]].astype(float),
            strata={str(k): int(v) for k, v in dict(fields.get("strata") or {_ALL: fields["samples"]}).items()},
            preservation=str(fields.get("preservation", "")),
            tissue=str(fields.get("tissue", "")),
            limits=str(fields.get("limits", "")),
            citation=tuple(fields.get("citation") or ()),
            whole=bool(fields.get("whole", True)),
            fixed_genes=int(fields["format"]) >= 2,
            further=str(fields.get("further", "")),
            bias=str(fields.get("bias", "")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise InputError(f"broken reference: {error}", where=str(folder), hint="Build it again.") from None
