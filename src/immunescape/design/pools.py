"""Virtual populations for designs: the patients of a virtual trial, simulated once and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from immunescape.errors import InputError
from immunescape.files import cache_folder, whole_file

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["pool_table", "table_of_trial"]

ENDPOINTS = ("pfs", "os")


def table_of_trial(result: object) -> pd.DataFrame:
    """Patients of a virtual trial with endpoints at the end of each one's follow-up (no data cut), in months.

    Columns ``arm, pfs_months, pfs_event, os_months, os_event, orr`` (1 for CR or PR) and the covariates.
    """
    from immunescape.trial.analysis import endpoints_at_cut
    from immunescape.trial.result import TrialResult

    assert isinstance(result, TrialResult)
    table = result.patients.copy()
    for endpoint in ENDPOINTS:
        for name, values in endpoints_at_cut(table, result.visits, result.trial, endpoint, np.inf).items():
            if name.endswith(("_months", "_event")):
                table[name] = values
    table["orr"] = table["best_response"].isin(["CR", "PR"]).astype(float)
    drop = [c for c in table.columns if c.startswith(("p:", "x:"))]
    return table.drop(columns=drop)


def pool_table(
    trial: str,
    patients: int,
    seed: int,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[pd.DataFrame, str]:
    """Virtual patients of a trial, `patients` per arm, and their source; simulated once, then read from disk.

    Raises
    ------
    InputError
        Where the table cannot be kept, or the trial cannot be simulated.
    """
    import pandas as pd

    from immunescape.trial.loading import load_trial
    from immunescape.trial.runner import run_trial

    spec = load_trial(trial)
    key = hashlib.sha256(
        "\x1f".join([spec.text or repr(spec), str(patients), str(seed), _code()]).encode()
    ).hexdigest()[:16]
    folder = cache_folder() / "pools"
    path = folder / f"{spec.name}-{patients}-{seed}-{key}.parquet"
    source = f"virtual trial {spec.name}, {patients} patients per arm, seed {seed}"
    if path.is_file():
        try:
            return pd.read_parquet(path), source
        except (OSError, ValueError):
            path.unlink(missing_ok=True)  # damaged: simulate again
    result = run_trial(spec, patients=patients, seed=seed, workers=workers, out=folder / path.stem, progress=progress)
    table = table_of_trial(result)
    hint = "Name another folder in IMMUNESCAPE_CACHE."
    with whole_file(path, "cannot keep the virtual population", hint=hint, error=InputError) as file:
        table.to_parquet(file, index=False)
    return table, source


def _code() -> str:
    """Hash of the model and the trial code: a pool is simulated again when they change."""
    from importlib.resources import files

    digest = hashlib.sha256()
    root = Path(str(files("immunescape")))
    for room in ("model", "engine", "population", "trial", "knowledge"):
        for path in sorted((root / room).rglob("*")):
            if path.suffix in (".py", ".csv", ".c", ".h", ".in") and "design" not in path.relative_to(root).parts:
                digest.update(path.relative_to(root).as_posix().encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()
