"""Time of single-sample GSEA: ours beside gseapy and R GSVA, in one run on one matrix.

    python benchmarks/bench_ssgsea.py [--genes 20000] [--samples 500] [--sets 50] [--rscript Rscript]

gseapy and R GSVA are timed where they are installed. Scores are compared too: with R GSVA exactly; with gseapy on a
matrix without ties, because it breaks ties differently.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from immunescape.profile.biomarkers.expression.scoring import ssgsea

R_CODE = """
a <- commandArgs(trailingOnly = TRUE); suppressMessages(library(GSVA))
x <- as.matrix(read.csv(a[1], row.names = 1)); s <- read.csv(a[2]); sets <- split(s$gene, s$set)
t <- system.time(r <- gsva(x, sets, method = "ssgsea", ssgsea.norm = FALSE, verbose = FALSE))
cat("seconds", t["elapsed"], "\\n"); write.csv(format(as.data.frame(r), digits = 17), a[3], quote = FALSE)
"""


def matrix(genes: int, samples: int, sets: int, ties: bool) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    rng = np.random.default_rng(1)
    x = rng.lognormal(1, 2, (genes, samples))
    if ties:
        x[rng.random(x.shape) < 0.114] = 0.0
    names = [f"G{i}" for i in range(genes)]
    chosen = {f"S{k}": list(rng.choice(names, int(rng.integers(10, 200)), replace=False)) for k in range(sets)}
    return pd.DataFrame(x, index=names, columns=[f"P{j}" for j in range(samples)]), chosen


def time_ours(x: pd.DataFrame, sets: dict[str, list[str]]) -> tuple[float, float, pd.DataFrame]:
    best, cpu = float("inf"), float("inf")
    for _ in range(3):
        wall, used = time.perf_counter(), time.process_time()
        scores = ssgsea(x, sets)
        best, cpu = min(best, time.perf_counter() - wall), min(cpu, time.process_time() - used)
    return best, cpu, scores


def time_gseapy(x: pd.DataFrame, sets: dict[str, list[str]]) -> tuple[float, pd.DataFrame]:
    import gseapy

    start = time.perf_counter()
    found = gseapy.ssgsea(
        data=x,
        gene_sets=sets,
        outdir=None,
        sample_norm_method="rank",
        no_plot=True,
        threads=os.cpu_count(),
        min_size=1,
        max_size=10_000,
        weight=0.25,
    )
    seconds = time.perf_counter() - start
    return seconds, found.res2d.pivot(index="Term", columns="Name", values="ES").astype(float)


def why_no_gsva(rscript: str) -> str:
    """Say why R GSVA cannot be timed here, or '' where it can."""
    words = rscript.split()
    if shutil.which(words[0]) is None:
        return f"{words[0]} is not on the path"
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "version.R"
        script.write_text(
            'cat(if (requireNamespace("GSVA", quietly = TRUE)) format(packageVersion("GSVA")) else "none")'
        )
        try:
            done = subprocess.run([*words, str(script)], capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"R does not run: {error}"
    if done.returncode or not done.stdout.strip():
        return f"R does not run: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
    if done.stdout.split()[-1] == "none":
        return "R has no package GSVA"
    version = done.stdout.split()[-1]
    if not version.startswith("1.46"):
        return f"GSVA {version} is installed; this calls the interface of 1.46, whose tie rule is the one compared with"
    return ""


def time_r(x: pd.DataFrame, sets: dict[str, list[str]], rscript: str) -> tuple[float, pd.DataFrame]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        x.to_csv(folder / "x.csv")
        rows = [(k, g) for k, members in sets.items() for g in members]
        pd.DataFrame(rows, columns=["set", "gene"]).to_csv(folder / "s.csv", index=False)
        (folder / "run.R").write_text(R_CODE)
        command = [*rscript.split(), str(folder / "run.R"), *(str(folder / f) for f in ("x.csv", "s.csv", "r.csv"))]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds = float(done.stdout.split("seconds")[1].split()[0])
        return seconds, pd.read_csv(folder / "r.csv", index_col=0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--sets", type=int, default=50)
    parser.add_argument("--rscript", default="Rscript")
    asked = parser.parse_args()
    x, sets = matrix(asked.genes, asked.samples, asked.sets, ties=True)
    print(f"{asked.genes} genes x {asked.samples} samples x {asked.sets} sets; load {os.getloadavg()[0]:.1f}")
    ours, cpu, scores = time_ours(x, sets)
    print(f"immunescape  {ours:7.2f} s wall, {cpu:.2f} s CPU (best of 3)")
    try:
        seconds, _ = time_gseapy(x, sets)
        print(f"gseapy       {seconds:7.2f} s wall   ratio {seconds / ours:.1f}")
        small, few = matrix(2000, 20, 10, ties=False)
        difference = np.abs(ssgsea(small, few) - time_gseapy(small, few)[1].loc[list(few), small.columns]).max().max()
        print(f"             largest difference without ties {difference:.2e}")
    except ImportError:
        print("gseapy       not installed")
    missing = why_no_gsva(asked.rscript)
    if missing:
        print(f"R GSVA       skipped: {missing}")
    else:
        seconds, theirs = time_r(x, sets, asked.rscript)
        print(f"R GSVA       {seconds:7.2f} s wall   ratio {seconds / ours:.1f}")
        print(f"             largest difference with ties {np.abs(scores.loc[theirs.index] - theirs).max().max():.2e}")


if __name__ == "__main__":
    main()
