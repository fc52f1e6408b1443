"""A finished run of the harness, read again from its ``harness.json``: nothing is simulated.

Comparisons, odds ratios and errors are computed from the stored figures with the tables and patients at hand, so that a
run is judged by what this version judges by.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from immunescape.errors import InputError
from immunescape.evaluation.harness.protocols import protocols
from immunescape.evaluation.harness.run import Harness, compare_run

__all__ = ["read_run"]

_HOW = "It is the file harness.json that `immunescape harness --out FOLDER` writes when all trials are done."


def read_run(path: Path, data: Path | None) -> Harness:
    """Read a finished run.

    Parameters
    ----------
    path : ``harness.json``, or the folder that holds it.
    data : the data folder of the run; None for the trials that ship.

    Raises
    ------
    InputError
        For a file that is no finished run, and for a trial of it that neither the package nor the folder has.
    """
    file = path / "harness.json" if path.is_dir() else path
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(file), hint=_HOW) from error
    except ValueError as error:
        raise InputError(f"not a JSON file ({error})", where=str(file), hint=_HOW) from error
    try:
        rows = {
            str(name): {
                **{key: row[key] for key in ("arms", "comparison", "helped", "wall_s")},
                "by_seed": row.get("by_seed", {}),
            }
            for name, row in content["trials"].items()
        }
        digest, version, patients = str(content["digest"]), str(content["version"]), int(content["patients"])
        seeds = tuple(int(s) for s in content["seeds"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"not a run of the harness ({error!r} is missing or wrong)"
        raise InputError(problem, where=str(file), hint=_HOW) from None
    chosen = protocols(data, rows)
    for protocol in chosen:
        arms = [arm["name"] for arm in rows[protocol.trial.name]["arms"]]
        if arms != [arm.name for arm in protocol.trial.arms]:
            raise InputError(
                f"the arms of '{protocol.trial.name}' are {', '.join(arms)} in the run, and others in its protocol",
                where=str(file),
                hint="Run that trial again: `immunescape harness --trials`.",
            )
    return compare_run(
        chosen,
        rows,
        data,
        digest=digest,
        version=version,
        patients=patients,
        seeds=seeds,
        numbers=str(content.get("numbers", "")),
    )
