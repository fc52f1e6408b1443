"""Fits the effect sizes of drugs that the population's calibration does not fit, one factor for each class of drugs.

How to run it (completed designs are kept in the folder; the same command resumes)::

    python scripts/fit_drug_sizes.py --data FOLDER --out FOLDER --patients 200 --seeds 2

A factor multiplies the sizes of one class (`CLASSES`) in the model; the table of changed sizes,
``model/revised_sizes.csv``, takes precedence over the tables of drugs and mechanisms. Each design point is a copy of
the package with such a table, on which `immunescape harness` simulates the trials of the class; patients and seeds are
the same at every point, so that differences between points are nearly free of sampling error. Virtual figures, on
scales on which errors are close to normal (log odds of response, ln hazard ratio), are parabolas in the logarithms of
the factors. The factors are those of highest posterior density given the published figures of `TARGETS`; the errors
comprise that of the published figure, that of the virtual patients, and that of the model for trials to which it was
not fitted (``knowledge/data/prediction_errors.csv``), which the figures of one trial share. Only figures that were
found in a source are used.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import immunescape
from immunescape.console import markdown_table

FloatArray = NDArray[np.float64]
TABLE = Path("immunescape") / "model" / "revised_sizes.csv"
PRIOR = 0.7
"""Prior SD of the logarithm of a factor: half to twice the size that stands in the table (assumed)."""
BATCHES = ((0, 1, 2), (3,), (4, 5))
"""Classes that share a design point, since no trial depends on two of their factors."""


@dataclass(frozen=True)
class DrugClass:
    """A factor: the sizes that it multiplies, its values in the design, the trials, its prior SD."""

    name: str
    sizes: tuple[str, ...]
    levels: tuple[float, ...]
    trials: tuple[str, ...]
    prior: float = PRIOR


CLASSES = (
    DrugClass(
        "VEGF receptor inhibitors: growth",
        ("r_growth_anlotinib",),
        (0.4, 1.0, 2.5),
        ("campass", "contact-01", "leap-007", "leap-008"),
    ),
    DrugClass(
        "KRAS G12C inhibitors: killing",
        ("k_kill_adagrasib", "k_kill_sotorasib"),
        (0.5, 1.0, 2.0),
        ("codebreak-100", "codebreak-200"),
    ),
    DrugClass(
        "inhibitors of DNA repair: cytosolic DNA",
        ("r_dna_atm", "r_dna_atr", "r_dna_dnapk", "r_dna_parp"),
        (0.4, 1.0, 2.5),
        ("hudson-olaparib", "latify"),
    ),
    DrugClass(
        "inhibitors of DNA repair: division of T cells",
        ("r_T_division_azd1390", "r_T_division_ceralasertib", "r_T_division_olaparib", "r_T_division_peposertib"),
        (0.4, 1.0, 2.0),
        ("hudson-olaparib", "latify"),
    ),
    DrugClass("PARP inhibitors: killing", ("k_kill_parp",), (0.1, 1.0, 3.0), ("hudson-olaparib",), prior=1.0),
    DrugClass("ATR inhibitors: killing", ("k_kill_atr",), (0.3, 1.0, 10.0), ("latify",), prior=1.0),
)


@dataclass(frozen=True)
class Target:
    """A published figure: log odds of response of an arm with `n` patients, or a ln hazard ratio with its SE."""

    trial: str
    arm: str
    figure: str
    value: float
    se: float
    source: str


def response(trial: str, arm: str, percent: float, n: int, source: str) -> Target:
    """Return response as log odds with the SE of a proportion."""
    p = percent / 100
    return Target(trial, arm, "orr_pct", math.log(p / (1 - p)), 1 / math.sqrt(n * p * (1 - p)), source)


def ratio(trial: str, figure: str, value: float, se: float, source: str) -> Target:
    """Return a hazard ratio as its logarithm."""
    return Target(trial, "", figure, math.log(value), se, source)


TARGETS = (
    ratio("campass", "pfs_hr", 0.70, 0.110, "han2025campass"),
    ratio("leap-007", "os_hr", 1.10, 0.096, "yang2024leap"),
    ratio("leap-008", "pfs_hr", 0.89, 0.124, "leighl2025"),
    ratio("leap-008", "os_hr", 0.98, 0.124, "leighl2025"),
    ratio("contact-01", "pfs_hr", 0.74, 0.113, "neal2024"),
    ratio("contact-01", "os_hr", 0.88, 0.136, "neal2024"),
    response("codebreak-100", "experimental", 37.1, 124, "skoulidis2021"),
    ratio("codebreak-200", "pfs_hr", 0.66, 0.133, "delangen2023"),
    ratio("codebreak-200", "os_hr", 1.01, 0.139, "delangen2023"),
    response("hudson-olaparib", "experimental", 2.6, 87, "besse2024"),  # of the pooled arms, at olaparib's number
    response("latify", "experimental", 7.7, 297, "besse2026latify"),
    response("latify", "experimental", 13.9, 79, "besse2024"),  # the same regimen in HUDSON
    ratio("latify", "os_hr", 0.90, 0.098, "besse2026latify"),
)


def discrepancies() -> dict[str, float]:
    """Return kind of figure -> SD of the model's error in trials that were not fitted (all comparisons)."""
    path = Path(immunescape.__file__).parent / "knowledge" / "data" / "prediction_errors.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        lines = [line for line in stream if not line.startswith("#")]
    return {row["kind"]: float(row["sd"]) for row in csv.DictReader(lines) if row["comparison"] == "all"}


def copy_with(factors: Mapping[str, float], folder: Path) -> Path:
    """Return the folder of a copy of the package in which sizes are multiplied by factors (size -> factor)."""
    shutil.rmtree(folder, ignore_errors=True)
    source = Path(immunescape.__file__).parent
    shutil.copytree(source, folder / "immunescape", ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / TABLE).open(encoding="utf-8", newline="") as stream:
        header, *rows = list(csv.reader(stream))
    for row in rows:
        if row[0] in factors:
            row[1] = repr(float(row[1]) * factors[row[0]])
    for name in sorted(set(factors) - {row[0] for row in rows}):
        value, unit = released_size(name)
        rows.append([name, repr(value * factors[name]), unit, "", "", "", "", "assumed", "assumed", ""])
    with (folder / TABLE).open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([header, *rows])
    return folder


def released_size(name: str) -> tuple[float, str]:
    """Return value and unit of a parameter in the tables of drugs and mechanisms."""
    for path in sorted((Path(immunescape.__file__).parent / "model").rglob("*.csv")):
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(line for line in stream if not line.startswith("#")):
                if row.get("name") == name:
                    return float(row["value"]), row["unit"]
    raise SystemExit(f"no table of the model has a parameter {name}")


def simulated(
    name: str, factors: Mapping[str, float], trials: Sequence[str], arguments: argparse.Namespace
) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Return (trial, arm, figure) -> virtual figure on its scale and its SE at one design point."""
    out = arguments.out / name
    copy = copy_with(factors, arguments.out / f"package-{name}")
    command = (sys.executable, "-c", "from immunescape.cli import main; main()", "harness")
    options = ("--data", str(arguments.data.resolve()), "--trials", ",".join(trials), "--out", str(out.resolve()))
    size = ("--patients", str(arguments.patients), "--seeds", str(arguments.seeds), "--seed", str(arguments.seed))
    environment = {**os.environ, "PYTHONPATH": str(copy.resolve())}
    subprocess.run((*command, *options, *size), check=True, env=environment, stdout=sys.stderr)
    shutil.rmtree(copy)
    return read(out)


def read(out: Path) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Return the figures of a finished run of the harness, as `simulated` does."""
    content = json.loads((out / "harness.json").read_text(encoding="utf-8"))
    figures: dict[tuple[str, str, str], tuple[float, float]] = {}
    for trial, row in content["trials"].items():
        for arm in row["arms"]:
            value = arm["figures"]["orr_pct"][0]
            # half a responder more on either side, so that an arm without any has a finite logarithm
            p = (value / 100 * arm["n"] + 0.5) / (arm["n"] + 1)
            figures[trial, arm["name"], "orr_pct"] = math.log(p / (1 - p)), 1 / math.sqrt(arm["n"] * p * (1 - p))
        for figure in ("pfs_hr", "os_hr"):
            value, se = row["comparison"].get(figure, (None, None))
            if value is not None and se is not None:
                figures[trial, "", figure] = math.log(value), se
    return figures


def refuse_unknown_errors(centre: Mapping[tuple[str, str, str], tuple[float, float]], patients: int) -> None:
    """Stop before the other design points where a figure, or its error, cannot be estimated from so few patients."""
    missing = [f"{t.trial} {t.figure}" for t in TARGETS if (t.trial, t.arm, t.figure) not in centre]
    if missing:
        raise SystemExit(
            f"{', '.join(missing)}: no figure with a standard error from {patients} virtual patients per arm; take "
            "more patients (--patients) or seeds (--seeds), and another folder (--out)"
        )


def parabola(points: Sequence[tuple[float, float]]) -> FloatArray:
    """Return the coefficients (square, linear, constant) through three points, or of a line through two."""
    x, y = np.array(points).T
    return np.polyfit(x, y, len(points) - 1)


def main() -> None:
    """Simulate the design, fit, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=7000)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    centre = simulated("centre", {}, sorted({t for c in CLASSES for t in c.trials}), arguments)
    refuse_unknown_errors(centre, arguments.patients * arguments.seeds)
    design: dict[str, dict[float, dict[tuple[str, str, str], tuple[float, float]]]] = {}
    for number, batch in enumerate([CLASSES[k] for k in chosen] for chosen in BATCHES):
        for side in (0, 2):
            factors = {size: c.levels[side] for c in batch for size in c.sizes}
            trials = sorted({t for c in batch for t in c.trials})
            run = simulated(f"batch{number}-{'low' if side == 0 else 'high'}", factors, trials, arguments)
            for c in batch:
                design.setdefault(c.name, {1.0: centre})[c.levels[side]] = run
    report(design, centre)


def report(
    design: Mapping[str, Mapping[float, Mapping[tuple[str, str, str], tuple[float, float]]]],
    centre: Mapping[tuple[str, str, str], tuple[float, float]],
) -> None:
    """Print virtual figures at the design points, and the factors with all trials and without each."""
    rows = []
    for c in CLASSES:
        for target in TARGETS:
            if target.trial in c.trials:
                key = (target.trial, target.arm, target.figure)
                values = [design[c.name][level][key][0] for level in c.levels]
                cells = [plain(target.figure, v) for v in (*values, target.value)]
                rows.append([c.name, f"{target.trial} {target.figure}", *cells])
    sys.stdout.write("\n".join(markdown_table(["factor", "figure", "low", "1", "high", "published"], rows)) + "\n\n")
    rows = []
    for left_out in ("", *sorted({t.trial for t in TARGETS})):
        factor, sd = posterior([t for t in TARGETS if t.trial != left_out], design, centre)
        cells = [
            f"{math.exp(f):.2f} ({math.exp(f - 1.96 * s):.2f} to {math.exp(f + 1.96 * s):.2f})"
            for f, s in zip(factor, sd, strict=True)
        ]
        rows.append([left_out or "none", *cells])
    sys.stdout.write("\n".join(markdown_table(["left out", *(c.name for c in CLASSES)], rows)) + "\n")


def plain(figure: str, value: float) -> str:
    """Return a figure on its usual scale."""
    return f"{100 / (1 + math.exp(-value)):.1f} %" if figure == "orr_pct" else f"{math.exp(value):.2f}"


def posterior(
    targets: Sequence[Target],
    design: Mapping[str, Mapping[float, Mapping[tuple[str, str, str], tuple[float, float]]]],
    centre: Mapping[tuple[str, str, str], tuple[float, float]],
) -> tuple[FloatArray, FloatArray]:
    """Return the mode and SD of the logarithms of the factors."""
    from scipy.optimize import minimize

    errors, prior = discrepancies(), np.array([c.prior for c in CLASSES])
    curves = []
    for target in targets:
        key = (target.trial, target.arm, target.figure)
        own = []
        for c in CLASSES:
            if target.trial in c.trials:
                base = centre[key][0]
                own.append(parabola([(math.log(f), run[key][0] - base) for f, run in sorted(design[c.name].items())]))
            else:
                own.append(np.zeros(3))
        curves.append(own)
    kinds = ["orr" if t.figure == "orr_pct" else "hr" for t in targets]
    covariance = np.diag([t.se**2 + centre[t.trial, t.arm, t.figure][1] ** 2 for t in targets])
    for i, a in enumerate(targets):
        for j, b in enumerate(targets):
            if a.trial == b.trial and kinds[i] == kinds[j]:
                covariance[i, j] += errors[kinds[i]] ** 2
    precision = np.linalg.inv(covariance)

    def residuals(x: FloatArray) -> FloatArray:
        # constant beyond the design: a parabola says nothing there
        inside = [np.clip(v, math.log(c.levels[0]), math.log(c.levels[-1])) for v, c in zip(x, CLASSES, strict=True)]
        return np.array(
            [
                centre[t.trial, t.arm, t.figure][0]
                + sum(np.polyval(curve, v) for curve, v in zip(own, inside, strict=True))
                - t.value
                for t, own in zip(targets, curves, strict=True)
            ]
        )

    def loss(x: FloatArray) -> float:
        r = residuals(x)
        return float(r @ precision @ r + np.sum((x / prior) ** 2))

    starts = [np.zeros(len(CLASSES)), *(0.4 * np.eye(len(CLASSES))), *(-0.4 * np.eye(len(CLASSES)))]
    best = min((minimize(loss, s, method="Nelder-Mead", options={"xatol": 1e-4}) for s in starts), key=lambda m: m.fun)
    slopes = np.column_stack(
        [(residuals(best.x + d) - residuals(best.x - d)) / 0.1 for d in 0.05 * np.eye(len(CLASSES))]
    )
    information = slopes.T @ precision @ slopes + np.diag(1 / prior**2)
    return best.x, np.sqrt(np.diag(np.linalg.inv(information)))


if __name__ == "__main__":
    main()
