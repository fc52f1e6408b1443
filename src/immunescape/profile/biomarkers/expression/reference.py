"""A frozen, versioned reference of expression: where one sample's score stands among samples that never change.

None ships. ``reference_build`` makes one from a study of your own (its samples should be of one tumour type, library
and unit); its version is a hash of what it holds, and every percentile names it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from immunescape.errors import InputError, unknown_word
from immunescape.profile.biomarkers.expression.scoring import log2_values, zscore
from immunescape.profile.biomarkers.expression.signatures import signatures
from immunescape.profile.study import Study

__all__ = ["Reference", "load_reference", "reference_build", "reference_folder", "reference_target", "references_known"]

_MINIMUM = 20
_LEVELS = np.linspace(0.0, 100.0, 101)


@dataclass(frozen=True)
class Reference:
    """A frozen reference.

    Attributes
    ----------
    name, version : name and hash of the content.
    study : name of the study that it was built from.
    unit : unit of the expression it was built from; only studies in the same unit are compared.
    samples, genes : how many it was built from.
    quantiles : feature (score or ``expression_<gene>``) x percentile 0..100.
    statistics : gene of a signature -> mean and deviation of log2 values.
    """

    name: str
    version: str
    study: str
    unit: str
    samples: int
    genes: int
    quantiles: pd.DataFrame
    statistics: pd.DataFrame

    @property
    def label(self) -> str:
        """Name and version, as percentiles cite it."""
        return f"{self.name}@{self.version[:12]}"

    def percentile(self, feature: str, value: float) -> float | None:
        """Return the percentile (0..100) of a value; None where the reference lacks the feature."""
        if feature not in self.quantiles.index:
            return None
        grid = self.quantiles.loc[feature].to_numpy(float)
        if not np.isfinite(grid).all():
            return None
        low = np.interp(value, grid, _LEVELS, left=0.0, right=100.0)
        ties = _LEVELS[np.isclose(grid, value, rtol=0, atol=1e-12)]
        return float(ties.mean() if len(ties) > 1 else low)

    def zscores(self, expression: pd.DataFrame) -> pd.DataFrame:
        """Return combined z-scores (signatures x samples) of log2 values in the reference's unit."""
        sets = {name: s.genes for name, s in signatures().items()}
        return zscore(expression, sets, self.statistics["mean"], self.statistics["deviation"])


def reference_folder() -> Path:
    """Return the folder that references are looked for by name."""
    base = os.environ.get("IMMUNESCAPE_CACHE") or os.path.join(os.path.expanduser("~"), ".cache", "immunescape")
    return Path(base) / "references"


def references_known() -> dict[str, Path]:
    """Return name -> folder of the references that were built under their name."""
    folder = reference_folder()
    return {p.parent.name: p.parent for p in sorted(folder.glob("*/reference.json"))} if folder.is_dir() else {}


def _hash(folder: Path, fields: dict[str, object]) -> str:
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode())
    for name in ("quantiles.csv", "statistics.csv"):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def reference_target(name: str, folder: str | Path | None = None) -> Path:
    """Return the folder that a reference of this name is written to.

    Raises
    ------
    InputError
        For a name that cannot be a folder.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise InputError(f"'{name}' cannot name a reference", hint="Use letters, digits, - and _.")
    return Path(folder) if folder is not None else reference_folder() / name


def reference_build(study: Study, name: str, folder: str | Path | None = None) -> Path:
    """Build a frozen reference from the expression of a study.

    Parameters
    ----------
    study
        At least 20 samples with expression.
    name
        Name of the reference: letters, digits, ``-`` and ``_``.
    folder
        Where to write; None writes to the folder that names are looked up in.

    Returns
    -------
    Path
        Folder with ``reference.json``, ``quantiles.csv`` and ``statistics.csv``.

    Raises
    ------
    InputError
        Without expression, with too few samples, or for a name that cannot be a folder.
    """
    from immunescape.profile.biomarkers.expression.measuring import scores_of_samples

    target = reference_target(name, folder)
    if not study.has("expression"):
        raise InputError("the study has no expression", where=study.name, hint="Name an expression file.")
    count = study.expression.shape[1]
    if count < _MINIMUM:
        raise InputError(f"{count} samples are too few for a reference", hint=f"At least {_MINIMUM} are needed.")
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make the folder {target}: {error.strerror}", hint="Choose another with --out."
        ) from None
    scores, _ = scores_of_samples(study)
    quantiles = np.percentile(scores.to_numpy(float), _LEVELS, axis=1).T
    frame = pd.DataFrame(quantiles, index=scores.index, columns=[f"p{int(level)}" for level in _LEVELS])
    frame = frame.loc[np.isfinite(quantiles).all(axis=1)]
    frame.to_csv(target / "quantiles.csv", index_label="feature", float_format="%.10g", lineterminator="\n")
    logs, unit = log2_values(study.expression, study.expression_unit)
    wanted = {g for s in signatures().values() for g in s.genes}
    logs = logs[logs.index.isin(wanted)]
    statistics = pd.DataFrame({"mean": logs.mean(axis=1), "deviation": logs.std(axis=1, ddof=1)})
    statistics.to_csv(target / "statistics.csv", index_label="gene", float_format="%.10g", lineterminator="\n")
    fields: dict[str, object] = {
        "format": 1,
        "name": name,
        "study": study.name,
        "unit": unit,
        "samples": count,
        "genes": len(study.expression),
    }
    (target / "reference.json").write_text(
        json.dumps(fields | {"version": _hash(target, fields)}, indent=1) + "\n", encoding="utf-8"
    )
    return target


def load_reference(name: str | Path) -> Reference:
    """Load a reference by name or folder, and check that nothing in it was changed.

    Raises
    ------
    InputError
        For an unknown name, a broken file, or content that does not match its version.
    """
    known = references_known()
    folder = known.get(str(name), Path(name))
    if not (folder / "reference.json").is_file():
        raise unknown_word("reference", str(name), known or ["(none built yet: immunescape reference build)"])
    try:
        fields = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
        version = str(fields.pop("version"))
        found = _hash(folder, fields)
        quantiles = pd.read_csv(folder / "quantiles.csv", index_col="feature")
        statistics = pd.read_csv(folder / "statistics.csv", index_col="gene")
        reference = Reference(
            str(fields["name"]),
            version,
            str(fields["study"]),
            str(fields["unit"]),
            int(fields["samples"]),
            int(fields["genes"]),
            quantiles,
            statistics[["mean", "deviation"]],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"broken reference: {error}", where=str(folder), hint="Build it again.") from None
    if found != version:
        raise InputError("the reference was changed after it was built", where=str(folder), hint="Build it again.")
    return reference
