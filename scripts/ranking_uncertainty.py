"""Writes what the intervals of rankings hold beyond their twins and the posterior of the fit, once for each fit.

    python scripts/ranking_uncertainty.py strengths --draws 24 --patients 40 --out FOLDER [--write]
    python scripts/ranking_uncertainty.py classes HARNESS.json SHARED_DATA [--write]

``strengths`` simulates draws of what is assumed of the model's numbers, for every class of regimen; the same command
resumes from FOLDER. ``classes`` reads the comparison with calibration trials that ``immunescape harness --data
SHARED_DATA --out FOLDER`` leaves in ``harness.json``. With ``--write`` the results become
``knowledge/data/assumed_strengths.json`` and ``class_errors.json``; without it they are printed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from immunescape.errors import ImmunescapeError, InputError

DATA = Path(__file__).parents[1] / "src/immunescape/knowledge/data"


def strengths(args: argparse.Namespace) -> dict[str, Any]:
    """Draws of what is assumed."""
    from immunescape.twins.assumed import assumed_strengths

    content = assumed_strengths(
        draws=args.draws, patients=args.patients, seed=args.seed, workers=args.workers, out=args.out,
        progress=lambda done, total: print(f"draw {done} of {total}", flush=True),
    )  # fmt: skip
    print(f"{'class of regimen':60s} SD of: log odds of response, ln PFS, ln OS")
    for kind, figures in content["kinds"].items():
        print(f"{kind:60s} " + "  ".join(f"{np.std(figures[f]['moves']):.2f}" for f in ("response", "pfs", "os")))
    print(f"lost: {content['lost'] or 'none'}")
    return content


def classes(args: argparse.Namespace) -> dict[str, Any]:
    """Errors by class of regimen."""
    from immunescape.evaluation.harness.protocols import protocols
    from immunescape.twins.class_errors import class_errors

    try:
        harness = json.loads(args.harness.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the comparison: {error}", where=str(args.harness)) from error
    drugs_of = {
        (p.trial.name, arm.name): [d for choice in arm.choices for d in choice.regimen.drugs]
        for p in protocols(args.data)
        for arm in p.trial.arms
    }
    content = class_errors(harness, drugs_of)
    for kind, figures in content["kinds"].items():
        print(f"{kind:60s} " + ", ".join(f"{k} {f['sd']:.2f} (n {f['figures']})" for k, f in figures.items()))
    for e in content["delivered"]:
        print(f"{e['figure']} {e['drug_class']:50s} share {e['mean']:.2f} (SD {e['sd']:.2f}, {e['trials']} trials)")
    return content


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("strengths")
    one.add_argument("--draws", type=int, default=24)
    one.add_argument("--patients", type=int, default=40)
    one.add_argument("--seed", type=int, default=1)
    one.add_argument("--workers", type=int, default=None)
    one.add_argument("--out", type=Path, default=None)
    two = commands.add_parser("classes")
    two.add_argument("harness", type=Path)
    two.add_argument("data", type=Path)
    for sub in (one, two):
        sub.add_argument("--write", action="store_true")
    args = parser.parse_args()
    try:
        content = strengths(args) if args.command == "strengths" else classes(args)
    except ImmunescapeError as error:
        parser.exit(2, f"{error}\n")
    if args.write:
        name = "assumed_strengths" if args.command == "strengths" else "class_errors"
        (DATA / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(f"written: {DATA / name}.json")


if __name__ == "__main__":
    main()
