"""Gene names that are no symbols: which gene of the rules may be meant, so that it is not taken for unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from immunescape.errors import nearest
from immunescape.knowledge.tables import read_rows
from immunescape.profile.genes import gene_table, plain_name, to_symbols
from immunescape.profile.study import Study

__all__ = ["doubt_genes", "may_mean", "rule_genes"]

_DATA = Path(__file__).parents[1] / "knowledge" / "data"
_NO_PROTEIN = re.compile(
    r"(LOC|LINC|MIR|SNOR|SCARNA|RNU|RNA|RN7|RP\d+-|[A-Z]{2}\d{5}|CT[ABCD]-|XX-|KB-|GS1-|FLJ|KIAA|ENS|TTTY|MT-|"
    r"HLA-[H-Z]\d*$|IG[HKL]|TR[ABGD][VDJC]|.*-(AS|IT|OT|DT)\d*$|.*AS\d$|.*\.\d+$)",
    re.IGNORECASE,
)
"""Names of RNA genes, clones and pseudogenes: no misspelt symbols."""
_DATE = re.compile(r"\d{1,4}[-./]([A-Za-z]{3}|\d{1,2})([-./]\d+)?$|[A-Za-z]{3}[-./]\d{1,2}$")
_LONG = 7
"""Length of a name from which two typing errors are looked for, else one (assumed)."""


@lru_cache(maxsize=1)
def rule_genes() -> frozenset[str]:
    """Return the genes that rules, biomarkers and panels speak of."""
    from immunescape.profile.biomarkers.pathways import GENES  # biomarkers build on studies

    names: set[str] = {*GENES, "HLA-A", "HLA-B", "HLA-C", "CD274", "STK11", "KEAP1"}
    for file in ("panel_genes", "ddr_genes", "driver_alterations"):
        names.update(row["gene"] for row in read_rows(file))
    return frozenset(n for n in names if n in gene_table().symbols)


def _shorter(name: str, times: int) -> set[str]:
    """Return the name and all that is left of it after taking away up to so many letters."""
    spellings = {name}
    for _ in range(times):
        spellings |= {n[:i] + n[i + 1 :] for n in spellings for i in range(len(n))}
    return spellings


_ALIKE = str.maketrans("ILO", "110")
"""Letters that are read as digits: ``STKII``, ``PTPNl1``."""


@lru_cache(maxsize=1)
def _alike() -> dict[str, tuple[str, ...]]:
    same: dict[str, list[str]] = {}
    for gene in sorted(rule_genes()):
        same.setdefault(plain_name(gene).translate(_ALIKE), []).append(gene)
    return {k: tuple(v) for k, v in same.items()}


@lru_cache(maxsize=1)
def _index() -> dict[str, frozenset[str]]:
    index: dict[str, set[str]] = {}
    for gene in rule_genes():
        plain = plain_name(gene)
        for piece in _shorter(plain, 2 if len(plain) >= _LONG else 1):
            index.setdefault(piece, set()).add(gene)
    return {k: frozenset(v) for k, v in index.items()}


def _errors(first: str, second: str) -> int:
    """Return how many letters must be put in, taken away, replaced or swapped with their neighbour."""
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        now = [i]
        for j, b in enumerate(second, 1):
            cost = min(row[j] + 1, now[j - 1] + 1, row[j - 1] + (a != b))
            if i > 1 and j > 1 and a == second[j - 2] and first[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            now.append(cost)
        before, row = row, now
    return row[-1]


def _is_pseudogene(name: str) -> bool:
    return bool(re.search(r"P\d*$", name)) and re.sub(r"P\d*$", "", name) in gene_table().symbols


@lru_cache(maxsize=100_000)
def may_mean(name: str) -> tuple[str, ...]:
    """Return the genes of the rules that a name which is no symbol may mean, nearest first.

    Parameters
    ----------
    name
        A gene's name as a file gives it.

    Returns
    -------
    tuple
        Symbols within one typing error (two for long names); empty for symbols, and for names of other kinds of genes.
    """
    plain = plain_name(name)
    if to_symbols([name])[0] in gene_table().symbols or _NO_PROTEIN.match(name) or len(plain) < 3:
        return ()
    if _is_pseudogene(name):
        return ()
    allowed = 2 if len(plain) >= _LONG else 1
    candidates = {g for piece in _shorter(plain, allowed) for g in _index().get(piece, ())}
    near = sorted((_errors(plain, plain_name(g)), g) for g in candidates)
    likely = [g for d, g in near if d <= (2 if min(len(plain), len(plain_name(g))) >= _LONG else 1)]
    return tuple(dict.fromkeys([*_alike().get(plain.translate(_ALIKE), ()), *likely]))


def _strange(names: Iterable[object]) -> dict[str, tuple[str, ...]]:
    return {n: m for n in names if isinstance(n, str) and (m := may_mean(n))}


def _listed(strange: Mapping[str, tuple[str, ...]]) -> str:
    return "; ".join(f"'{n}' (nearest: {', '.join(m[:3])})" for n, m in sorted(strange.items())[:8])


def doubt_genes(study: Study) -> None:
    """Make genes that files leave open not assessable in their samples, and tell misspelt names.

    A misspelt name may mean any gene of the rules near it. Names that are no symbols and resemble no gene of the rules
    are told as a number, with the nearest symbol of the first. Samples with an open gene (`Study.unclear`) get a panel
    record of their own, in which it is open.
    """
    for panel in study.panels.values():
        if strange := _strange(sorted(panel.genes)):
            study.problems.append(
                f"panel {panel.name}: gene names that are not HGNC symbols cover no gene: {_listed(strange)}"
            )
    samples_of = study.samples.groupby("patient")["sample"].agg(list).to_dict() if len(study.samples) else {}
    for kind, title in (("mutations", "mutations"), ("copy_number", "copy number"), ("structural_variants", "fusions")):
        table = study.table(kind)
        columns = [c for c in ("gene", "gene1", "gene2") if c in table.columns]
        if not len(table):
            continue
        names = pd.unique(pd.concat([table[c] for c in columns]).dropna())
        strange = _strange(names)
        for name, meant in strange.items():
            rows = table[np.logical_or.reduce([table[c] == name for c in columns])]
            samples = set(rows["sample"].dropna())
            for patient in rows.loc[rows["sample"].isna(), "patient"].dropna().unique():
                samples.update(samples_of.get(patient, ()))
            looked_at = ("structural_variants", "mutations") if kind == "structural_variants" else (kind,)
            for key in [(k, gene) for gene in meant for k in looked_at]:
                study.unclear[key] = study.unclear.get(key, frozenset()) | samples
        if strange:
            study.problems.append(
                f"{title}: {len(strange)} gene names are not HGNC symbols: {_listed(strange)}. The nearest genes are "
                "not assessable in these samples: correct the names"
            )
        _tell_others(study, title, names, strange)
    _open_in_panels(study)


def _open_in_panels(study: Study) -> None:
    """Give samples with open genes a record of their panel in which these genes, under all their names, are open."""
    if not study.unclear:
        return
    former: dict[str, set[str]] = {}
    for name, symbol in (*gene_table().spellings.items(), *gene_table().previous.items()):
        former.setdefault(symbol, set()).add(name)
    for kind, column in (("mutations", "panel"), ("copy_number", "panel_cna"), ("structural_variants", "panel_sv")):
        of_sample: dict[str, set[str]] = {}
        for (of_kind, gene), samples in study.unclear.items():
            for sample in samples if of_kind == kind else ():
                of_sample.setdefault(sample, set()).add(to_symbols([gene])[0] or gene)
        panels = study.samples[column].tolist()
        for row, sample in enumerate(study.samples["sample"]):
            genes = of_sample.get(sample)
            panel = study.panels.get(panels[row]) if genes and isinstance(panels[row], str) else None
            if not genes or panel is None:
                continue
            key = f"{panels[row]} (open: {', '.join(sorted(genes))})"
            names = genes.union(*(former.get(g, set()) for g in genes))
            study.panels[key] = replace(panel, unclear=panel.unclear | names)
            panels[row] = key
        study.samples[column] = pd.Series(panels, index=study.samples.index, dtype=object)


def _tell_others(study: Study, title: str, names: Iterable[object], strange: Iterable[str]) -> None:
    symbols = gene_table().symbols
    skip = set(strange)
    named = (n for n in names if isinstance(n, str) and n not in symbols and n not in skip)
    others = sorted(n for n in named if not _NO_PROTEIN.match(n) and not _is_pseudogene(n))
    if others:
        close = [] if _DATE.match(others[0]) else nearest(others[0], symbols, 1)
        hint = f", nearest symbol {close[0]}" if close else ", a date that a spreadsheet made of a symbol"
        hint = hint if close or _DATE.match(others[0]) else ""
        study.problems.append(
            f"{title}: {len(others)} further gene names are not symbols of protein-coding genes (first: "
            f"'{others[0]}'{hint}); no rule refers to them"
        )
