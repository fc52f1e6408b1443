"""How PD-L1 goes with infiltration and killing by T cells in real lung tumours: the centres of three links.

    python scripts/measure_pdl1_links.py FOLDER

FOLDER holds ``tcga_nsclc_pooled_cpm_n116.tsv.gz`` and its sample sheet (counts per million of 116 resected, untreated
tumours). All correlations are of normal scores within histology and source. Printed are

- *infiltration*: expression of CD274 with that of CD8A;
- *killing*: expression of CD274 with the interferon-gamma signature (``ayers2017``, the genes that were measured), of
  which the part that CD8A explains is removed: more interferon-gamma than the number of T cells alone explains;

each times the link of the proportion score to the expression of PD-L1 on tumour cells (``covariate_links.csv``),
because the links of infiltration and killing are to the score. That link is compared with pairs of specimens of one
patient, of which 81 to 85 % agree at a score of 1 % and 89 % at 50 % (``mansour2021``, medians of 25 studies): if each
specimen has the correlation r with the tumour, two have r squared.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import multivariate_normal, norm, rankdata

from immunescape.knowledge.tables import read_rows
from immunescape.population.linking import links

FloatArray = NDArray[np.float64]
COUNTS, SHEET = "tcga_nsclc_pooled_cpm_n116.tsv.gz", "tcga_nsclc_pooled_samples.tsv"
SPECIMENS = {"1 %": (0.52, (0.81, 0.85)), "50 %": (0.22, (0.89,))}
"""Cut-off of the score -> share of patients at or above it (``dietel2019``), and agreement of two specimens."""


def normal_scores(values: pd.Series[float], groups: Sequence[pd.Series[str]]) -> FloatArray:
    """Normal scores (n,) of the differences from the mean of the group."""
    within = values - values.groupby(list(groups)).transform("mean")
    scores: FloatArray = norm.ppf((rankdata(within) - 0.5) / len(within))
    return scores


def correlation(a: FloatArray, b: FloatArray, groups: int) -> tuple[float, float, float]:
    """Correlation with its 95 % interval (Fisher's z; the means of the groups take degrees of freedom)."""
    r = float(np.corrcoef(a, b)[0, 1])
    half = 1.96 / np.sqrt(len(a) - 3 - (groups - 1))
    return r, float(np.tanh(np.arctanh(r) - half)), float(np.tanh(np.arctanh(r) + half))


def unexplained(values: FloatArray, by: FloatArray) -> FloatArray:
    """What a straight line through `by` leaves of `values`."""
    rest: FloatArray = values - np.polyval(np.polyfit(by, values, 1), by)
    return rest


def measured(folder: Path) -> dict[str, tuple[float, float, float]]:
    """Correlations of CD274 with infiltration and with killing, with 95 % intervals."""
    table = pd.read_csv(folder / COUNTS, sep="\t", index_col=0)
    sheet = pd.read_csv(folder / SHEET, sep="\t", index_col=0).loc[table.columns]
    groups = [sheet["histology"], sheet["source"]]
    number = len(sheet.groupby(["histology", "source"]))
    log = pd.DataFrame(np.log2(table.T + 0.5))
    signature = next(row for row in read_rows("signatures") if row["name"] == "signature_ifng")["genes"].split()
    pdl1, cd8 = normal_scores(log["CD274"], groups), normal_scores(log["CD8A"], groups)
    interferon = normal_scores(log[[g for g in signature if g in log]].mean(axis=1), groups)
    return {
        "infiltration": correlation(pdl1, cd8, number),
        "killing": correlation(pdl1, unexplained(interferon, cd8), number),
    }


def agreement(r: float, positive: float) -> float:
    """Share of pairs of specimens on one side of a cut-off, for normal scores with correlation `r`."""
    cut = norm.ppf(positive)
    both = float(multivariate_normal.cdf([cut, cut], mean=[0.0, 0.0], cov=[[1.0, r], [r, 1.0]]))
    return 1.0 - 2.0 * (positive - both)


def specimen_link(agree: float, positive: float) -> float:
    """Correlation of one specimen with the tumour at which two specimens agree as often as is published."""
    return float(np.sqrt(brentq(lambda r: agreement(r, positive) - agree, 0.01, 0.999)))


def main() -> None:
    """Print the correlations, and the links of the score that pairs of specimens imply."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help=f"folder with {COUNTS} and {SHEET}")
    folder = parser.parse_args().folder
    if missing := [name for name in (COUNTS, SHEET) if not (folder / name).is_file()]:
        parser.error(f"{folder} does not contain {' and '.join(missing)}")
    score = next(row for row in links()["pdl1_tumour"] if row["score"] == "rank:pdl1_tps").number("weight")
    for name, values in measured(folder).items():
        r, low, high = values
        of_score = [f"{score * v:.2f}" for v in values]
        print(
            f"{name}: CD274 {r:.2f} ({low:.2f} to {high:.2f}); the score {of_score[0]} ({of_score[1]} to {of_score[2]})"
        )
    for cut, (positive, agrees) in SPECIMENS.items():
        found = ", ".join(f"{specimen_link(a, positive):.2f}" for a in agrees)
        print(f"specimens that agree at {cut} in {', '.join(f'{a:.0%}' for a in agrees)}: link of the score {found}")
    print(f"covariate_links.csv has {score:.2f} for the score")


if __name__ == "__main__":
    main()
