"""Scores of every sample of a study: signatures, cell scores and single genes, each from one sample alone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from immunescape.profile.biomarkers.expression.scoring import log2_values, ssgsea
from immunescape.profile.biomarkers.expression.signatures import GENES, Signature, signatures
from immunescape.profile.study import Study

__all__ = ["MINIMUM_GENES", "chosen_samples", "coverage_of", "scores_of_samples"]

MINIMUM_GENES = 5000
"""Ranks within a sample and counts per million require most of the transcriptome: fewer genes are not assessable."""

_OFFSET = 0.01  # of the geometric mean (Rooney 2015)


def coverage_of(study: Study, signature: Signature) -> float:
    """Return the share of a signature's genes that the expression table holds."""
    have = set(study.expression.index)
    return sum(g in have for g in signature.genes) / len(signature.genes)


def _linear(study: Study) -> tuple[pd.DataFrame, str]:
    if study.expression_unit == "log2_tpm1":
        return study.expression.rpow(2.0) - 1.0, "TPM"
    if study.expression_unit == "counts":
        totals = study.expression.sum(axis=0).replace(0.0, np.nan)
        return study.expression / totals * 1e6, "CPM"
    return study.expression, "TPM"


def scores_of_samples(study: Study, whole: bool = True) -> tuple[pd.DataFrame, dict[str, str]]:
    """Score every sample.

    Parameters
    ----------
    study
        A study with expression.
    whole
        False if the genes are known to be a selection, for which ranks are not meaningful.

    Returns
    -------
    tuple
        features (signatures, cell scores, ``expression_<gene>``) x samples, NaN where not assessable; feature -> unit.
    """
    table = study.expression
    all_signatures = signatures()
    logs, log_unit = log2_values(table, study.expression_unit)
    linear, linear_unit = _linear(study)
    rows: dict[str, np.ndarray] = {}
    units: dict[str, str] = {}
    whole = whole and len(table) >= MINIMUM_GENES
    usable = {n: s for n, s in all_signatures.items() if coverage_of(study, s) >= s.min_coverage}
    ranked = {n: s.genes for n, s in usable.items() if s.method == "ssgsea"}
    if whole and ranked:
        enriched = ssgsea(table, ranked) / len(table)
        rows.update({n: enriched.loc[n].to_numpy(float) for n in ranked})
    for name, signature in usable.items():
        genes = [g for g in signature.genes if g in table.index]
        if signature.method == "ssgsea" or (study.expression_unit == "counts" and not whole):
            continue
        if signature.method == "mean_log2":
            rows[name], units[name] = logs.loc[genes].mean(axis=0).to_numpy(float), log_unit
        else:
            values = np.log(linear.loc[genes].to_numpy(float) + _OFFSET).mean(axis=0)
            rows[name], units[name] = np.exp(values), linear_unit
    for gene in GENES:
        if gene in table.index and (whole or study.expression_unit != "counts"):
            rows[f"expression_{gene}"] = logs.loc[gene].to_numpy(float)
            units[f"expression_{gene}"] = log_unit
    units.update({n: "ES/n" for n in ranked})
    every = [*all_signatures, *(f"expression_{g}" for g in GENES)]
    empty = np.full(table.shape[1], np.nan)
    frame = pd.DataFrame(np.vstack([rows.get(n, empty) for n in every]), index=every, columns=table.columns)
    return frame, units


def chosen_samples(study: Study) -> dict[str, str]:
    """Return patient -> sample that stands for the patient: the last one before treatment, else the first."""
    have = set(study.expression.columns)
    rows = study.samples[study.samples["sample"].isin(have) & study.samples["patient"].notna()]
    order = rows.assign(_late=(rows["day"] > 0).astype(int), _day=-rows["day"].fillna(0.0))
    order = order.sort_values(["_late", "_day"], kind="stable")
    first = order.drop_duplicates("patient")
    return dict(zip(first["patient"], first["sample"], strict=True))
