"""Published Kaplan-Meier curves that lie in a folder as event times, found by the name of a trial."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from immunescape.errors import InputError
from immunescape.evaluation.curve_files import CURVES
from immunescape.trial.curves import EventTimes, read_curves
from immunescape.trial.spec import Trial

__all__ = ["curves_at_hand"]


def curves_at_hand(trial: Trial, folder: Path, *, required: bool = True) -> dict[str, Mapping[str, EventTimes]]:
    """Read the published curves of a trial from a folder.

    Parameters
    ----------
    trial
        The trial; its name without hyphens begins the names of the files, such as ``keynote024_pfs.csv``, unless
        :mod:`immunescape.evaluation.curve_files` names them.
    folder
        Folder of such files, or one that holds them in ``km/``. Columns ``time`` (months), ``event``, ``arm``.
    required
        Refuse a folder without any curve of the trial.

    Returns
    -------
    dict
        Endpoint -> arm of the trial -> event times.

    Raises
    ------
    InputError
        Where the folder holds no curve of the trial and one is required, or a file has an arm that the trial lacks.
    """
    places = [folder / "km", folder] if (folder / "km").is_dir() else [folder]
    curves: dict[str, Mapping[str, EventTimes]] = {}
    looked_for = []
    for endpoint in ("pfs", "os"):
        listed = {s: f for s, f in CURVES.items() if (f.trial, f.endpoint) == (trial.name, endpoint)}
        stem = next(iter(listed), f"{trial.name.replace('-', '')}_{endpoint}")
        looked_for.append(f"{stem}.csv")
        path = next((p / f"{stem}.csv" for p in places if (p / f"{stem}.csv").is_file()), None)
        if path is None:
            continue
        names = [arm.name for arm in trial.arms]
        curves[endpoint] = listed[stem].read(path) if listed else read_curves(path, names)
    if required and not curves:
        raise InputError(
            f"no published curve of '{trial.name}'", where=str(folder), hint=f"Looked for: {', '.join(looked_for)}."
        )
    return curves
