"""Writes what intervals of rankings need of assumed strengths, once for each fit.

    python scripts/ranking_uncertainty.py --draws 24 --patients 40 --out FOLDER [--write]

It simulates draws of what is assumed of the model's numbers, for every class of regimen; the same command resumes from
FOLDER. With ``--write`` the result becomes ``knowledge/data/assumed_strengths.json``. The errors by class of regimen
come from ``immunescape harness --from RUN --tables FOLDER``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from immunescape.errors import ImmunescapeError

DATA = Path(__file__).parents[1] / "src/immunescape/knowledge/data"


def strengths(args: argparse.Namespace) -> dict[str, Any]:
    """Draws of what is assumed."""
    from immunescape.twins.assumed import assumed_strengths

    content = assumed_strengths(
        draws=args.draws,
        patients=args.patients,
        seed=args.seed,
        workers=args.workers,
        out=args.out,
        progress=lambda done, total: print(f"draw {done} of {total}", flush=True),
    )
    print(f"{'class of regimen':60s} SD of: log odds of response, ln PFS, ln OS")
    for kind, figures in content["kinds"].items():
        print(f"{kind:60s} " + "  ".join(f"{np.std(figures[f]['moves']):.2f}" for f in ("response", "pfs", "os")))
    print(f"lost: {content['lost'] or 'none'}")
    return content


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=24)
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    try:
        content = strengths(args)
    except ImmunescapeError as error:
        parser.exit(2, f"{error}\n")
    if args.write:
        path = DATA / "assumed_strengths.json"
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(f"written: {path}")


if __name__ == "__main__":
    main()
