"""Says what the model makes of the master protocol, and writes its effects into the design that ships.

    python scripts/matched_platform.py --patients 2000 --out FOLDER [--write]
    immunescape design mechanism-matched-platform        # operating characteristics, afterwards

One virtual trial after a PD-1 antibody gives every arm to the same patients (`immunescape.twins.matched`). Printed are
the strata, the effect of each combination in its stratum, in the other patients and in all, the hazard ratio that an
arm would need, and whether any cut of its biomarker reaches it. With ``--write`` the scenario `as the model` of
``design/library/mechanism-matched-platform.yaml`` and the shares of its strata are written anew.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from immunescape.errors import ImmunescapeError
from immunescape.twins.matched import NONE, MatchedPlatform, matched_platform, scenario_text

DESIGN = Path(__file__).parents[1] / "src/immunescape/design/library/mechanism-matched-platform.yaml"
BEGIN, END = "  # as the model: written by scripts/matched_platform.py\n", "  # end of what the script writes\n"


def report(found: MatchedPlatform) -> None:
    """Print what the model says."""
    print(f"{found.patients} virtual patients after a PD-1 antibody")
    print("strata: " + ", ".join(f"{name} {100 * share:.0f} %" for name, share in found.shares.items()))
    print(f"\n{'arm':44s} {'patients':10s} {'n':>5s} {'ORR %':>6s}  PFS hazard ratio against docetaxel")
    for e in found.effects:
        ratio = "–" if e["hazard_ratio"] is None else f"{e['hazard_ratio']:.2f} ({e['low']:.2f} to {e['high']:.2f})"
        orr = "–" if e["orr"] is None else f"{100 * e['orr']:.0f}"
        print(f"{e['arm']:44s} {e['group']:10s} {e['n']:5d} {orr:>6s}  {ratio}")
    print()
    for sentence in found.words():
        print(sentence)


def written(text: str, found: MatchedPlatform) -> str:
    """The design file with the scenario of the model and the shares of its strata."""
    if BEGIN in text:
        text = text[: text.index(BEGIN)] + text[text.index(END) + len(END) :]
    text = text.replace("scenarios:\n", f"scenarios:\n{BEGIN}{scenario_text(found)}{END}", 1)
    shares = {name: round(share, 3) for name, share in found.shares.items()}
    shares[NONE] = round(1.0 - sum(v for k, v in shares.items() if k != NONE), 3)
    for name, share in shares.items():
        text = re.sub(rf"(- {{name: {re.escape(name)}, share: )[0-9.]+", rf"\g<1>{share:g}", text)
    return text


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    try:
        found = matched_platform(
            patients=args.patients,
            seed=args.seed,
            workers=args.workers,
            out=args.out,
            progress=lambda done, total: print(f"{done} of {total}", end="\r", flush=True),
        )
    except ImmunescapeError as error:
        parser.exit(2, f"{error}\n")
    report(found)
    if args.write:
        DESIGN.write_text(written(DESIGN.read_text(encoding="utf-8"), found), encoding="utf-8")
        print(f"written: {DESIGN}")


if __name__ == "__main__":
    main()
