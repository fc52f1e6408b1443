"""Scores the exponent of capacities in series by data that are left out, to see which exponent they favour.

How to run it (completed exponents and seeds are kept in the folder; the same command resumes)::

    python scripts/exponent_profile.py --exponents 0.5,1,2 --patients 24 --seeds 3 --data FOLDER --out FOLDER

Exponents whose seeds are all stored, of the same package and data, are read without copying or running anything. Each
other exponent is written into ``model/composition.csv`` of a copy of the package, since an exponent is built into the
model's expressions. The copy predicts what `immunescape ablate` predicts of the full model: published results of the
calibration trials, each after re-tuning the median of ``k_kill`` to the other trials, and patient-level data, to which
nothing is tuned. Patients and seeds are the same for all exponents, so that differences are paired. The population was
fitted with the exponent of the shipped table, which favours that exponent.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import immunescape
from immunescape.console import markdown_table
from immunescape.evaluation.ablation import difference
from immunescape.evaluation.mechanism_labels import GROUPS
from immunescape.files import stored_json
from immunescape.model.composition import SERIES_EXPONENT, series_exponent
from immunescape.trial.runner import model_digest

TABLE = Path("immunescape") / "model" / "composition.csv"
CHEAP = "exosomes"
"""The command needs a mechanism to switch off; only the scores of the full model are read."""


def copy_with(exponent: float, folder: Path) -> Path:
    """Return the folder of a copy of the package whose table of composition has `exponent`."""
    copy = folder / f"exponent-{exponent:g}"
    shutil.rmtree(copy, ignore_errors=True)
    source = Path(immunescape.__file__).parent
    shutil.copytree(source, copy / "immunescape", ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / TABLE).open(encoding="utf-8", newline="") as stream:
        header, *rows = list(csv.reader(stream))
    for row in rows:
        if row[0] == SERIES_EXPONENT:
            row[1] = f"{exponent:g}"
    with (copy / TABLE).open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([header, *rows])
    return copy


def made_with(exponent: float, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what the scores of an exponent depend on, the number of seeds aside."""
    files = sorted(path for path in arguments.data.rglob("*") if path.is_file())
    stamps = [
        (path.relative_to(arguments.data).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in files
    ]
    data = hashlib.sha256(repr(stamps).encode()).hexdigest()
    return {"exponent": exponent, "model": model_digest(), "patients": arguments.patients, "data": data}


def stored_scores(runs: Path, made: Mapping[str, Any], seeds: int) -> dict[int, dict[str, float]] | None:
    """Return the scores of a folder where it has all seeds, made with the same package and data; else None."""
    record = stored_json(runs / "made-with.json", lambda content: content == made)
    content = stored_json(runs / "full-model.json", lambda content: isinstance(content["seeds"], dict))
    if record is None or content is None or not {str(k) for k in range(1, seeds + 1)} <= content["seeds"].keys():
        return None
    return {k: content["seeds"][str(k)]["scores"] for k in range(1, seeds + 1)}


def scores(exponent: float, arguments: argparse.Namespace) -> dict[int, dict[str, float]]:
    """Return seed -> kind of figure -> mean error of the model with `exponent`, in standard deviations."""
    runs = arguments.out / f"scores-{exponent:g}"
    made = made_with(exponent, arguments)
    stored = stored_scores(runs, made, arguments.seeds)
    if stored is not None:
        return stored
    copy = copy_with(exponent, arguments.out)
    command = (
        sys.executable,
        "-c",
        "from immunescape.cli import main; main()",
        "ablate",
        "-m",
        CHEAP,
        "-n",
        str(arguments.patients),
        "--seeds",
        str(arguments.seeds),
        "--rounds",
        "1",
        "-w",
        "1",
        "--data",
        str(arguments.data.resolve()),
        "-o",
        str(runs.resolve()),
    )
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(copy.resolve())}, stdout=sys.stderr)
    shutil.rmtree(copy)
    (runs / "made-with.json").write_text(json.dumps(made) + "\n", encoding="utf-8")
    completed = stored_scores(runs, made, arguments.seeds)
    if completed is None:
        raise SystemExit(f"{runs}: the run left not all of {arguments.seeds} seeds; delete the folder and run again")
    return completed


def main() -> None:
    """Run the exponents and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exponents", default="0.5,1,2")
    parser.add_argument("--patients", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    shipped = series_exponent().value
    chosen = list(dict.fromkeys([shipped, *map(float, arguments.exponents.split(","))]))
    by_exponent = {exponent: scores(exponent, arguments) for exponent in chosen}
    rows = []
    for exponent in sorted(chosen):
        cells = [f"{exponent:g}"]
        for group in GROUPS:
            own = [run[group] for run in by_exponent[exponent].values()]
            cell = f"{np.mean(own):.2f}"
            if exponent != shipped:
                change = difference(
                    [run[group] - by_exponent[shipped][seed][group] for seed, run in by_exponent[exponent].items()]
                )
                cell += f" ({change.mean:+.2f}" + ("" if change.se is None else f" ± {change.se:.2f}") + ")"
            cells.append(cell)
        rows.append(cells)
    sys.stdout.write("\n".join(markdown_table(["exponent", *GROUPS], rows)) + "\n")


if __name__ == "__main__":
    main()
