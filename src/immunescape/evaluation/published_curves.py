"""Published Kaplan-Meier curves that lie in a folder as event times, found by the name of a trial."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from immunescape.errors import InputError
from immunescape.evaluation.targets import CURVES
from immunescape.trial.curves import read_curves
from immunescape.trial.spec import EventTimes, Trial

__all__ = ["curves_at_hand"]


def curves_at_hand(trial: Trial, folder: Path) -> dict[str, Mapping[str, EventTimes]]:
    """Read the published curves of a trial from a folder.

    Parameters
    ----------
    trial
        The trial; its name without hyphens begins the names of the files: ``keynote024_pfs.csv`` and
        ``keynote024_os.csv``.
    folder
        Folder of such files, or one that holds them in ``km/``. Columns ``time`` (months), ``event``, ``arm``.

    Returns
    -------
    dict
        Endpoint -> arm of the trial -> event times.

    Raises
    ------
    InputError
        Where the folder holds no curve of the trial, or a file has an arm that the trial lacks.
    """
    places = [folder / "km", folder] if (folder / "km").is_dir() else [folder]
    found: dict[str, Mapping[str, EventTimes]] = {}
    looked_for = []
    for endpoint in ("pfs", "os"):
        stem = f"{trial.name.replace('-', '')}_{endpoint}"
        looked_for.append(f"{stem}.csv")
        path = next((p / f"{stem}.csv" for p in places if (p / f"{stem}.csv").is_file()), None)
        if path is None:
            continue
        names = CURVES[stem][1] if stem in CURVES else {arm.name: arm.name for arm in trial.arms}
        found[endpoint] = {names[arm]: times for arm, times in read_curves(path, list(names)).items()}
    if not found:
        raise InputError(
            f"no published curve of '{trial.name}'", where=str(folder), hint=f"Looked for: {', '.join(looked_for)}."
        )
    return found
