"""Test the readers on real outputs of tools: python scripts/tool_outputs_tally.py FOLDER > docs/tool-outputs.md.

FOLDER contains a folder for each tool. Every file is read with the format that a user would choose for it. It is
accepted, or refused with advice; anything else (rows that disappear without a message, columns taken for patients, a
refusal without advice, an exception) is a fault.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from immunescape.console import markdown_table
from immunescape.errors import ImmunescapeError
from immunescape.profile.loading import join, load_study
from immunescape.profile.readers import Partial, all_readers
from immunescape.profile.readers._advice import GENERAL
from immunescape.profile.readers._finish import finish
from immunescape.profile.readers._recognise import recognise
from immunescape.profile.study import Study

__all__ = ["CASES", "Outcome", "faults", "page", "tally"]

P = {"patient": "P1"}
S = {"sample": "S1"}
OWN = {"sample": "S1", "patient": "P1"}
CASES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("airr/*", "airr", P),
    ("ascat/*", "cna_allele_specific", {}),
    ("caller_vcf/*", "vcf", P),
    ("cbioportal_study_es_0", "cbioportal", {}),
    ("cnvkit/*", "seg", S),
    ("gdc_star/*", "expression", {"unit": "tpm"}),
    ("gistic/*.gistic", "seg", {}),
    ("gistic/*", "cna", {}),
    ("hmftools_orange_test_run/*.lilac.tsv", "lilac", P),
    ("hmftools_orange_test_run/*.lilac.qc.tsv", "lilac", P),
    (
        "hmftools_orange_test_run/*.purple.purity.tsv",
        "samples",
        {
            "columns": {"tumour_purity": "purity", "ploidy": "ploidy", "tmb": "tmbPerMb", "msi": "msStatus"},
            "constants": OWN,
        },
    ),
    (
        "hmftools_orange_test_run/*.linx.fusion.tsv",
        "structural_variants",
        {
            "columns": {"gene1": "geneStart", "gene2": "geneEnd", "event": "name"},
            "constants": OWN,
            "where": {"reported": ["true"]},
        },
    ),
    (
        "hmftools_orange_test_run/*.isf.pass_fusions.tsv",
        "structural_variants",
        {
            "columns": {"gene1": "GeneNameUp", "gene2": "GeneNameDown", "event": "SVType"},
            "constants": OWN,
        },
    ),
    ("hmftools_orange_test_run/*.isf.gene_data.tsv", "expression", {"unit": "tpm"}),
    ("hmftools_orange_test_run/*.sv.vcf", "vcf", P),
    ("hmftools_orange_test_run/*.vcf", "vcf", P | {"tumour_sample": "tumor_sample"}),
    ("hmftools_orange_test_run/*.isf.summary.tsv", "expression", {"unit": "tpm"}),
    ("hmftools_orange_test_run/*", "cna_allele_specific", S),
    ("lilac/*", "lilac", P),
    ("maf/*", "maf", {}),
    ("metaphlan/*", "metaphlan", {}),
    ("optitype/*", "hla_types", P),
    (
        "purple_multiqc/*.purity.tsv",
        "samples",
        {
            "columns": {"tumour_purity": "purity", "ploidy": "ploidy", "tmb": "tmbPerMb", "msi": "msStatus"},
            "constants": OWN,
        },
    ),
    ("purple_multiqc/*", "cna_allele_specific", S),
    ("pvacseq/*", "pvacseq", P),
    ("rsem/*", "expression", {"unit": "tpm"}),
    ("salmon/*", "expression", {"unit": "tpm"}),
    ("seg/*", "seg", {"genome_build": "hg19"}),
    ("star/*", "expression", {"unit": "counts"}),
    ("vcf2maf/*", "maf", {}),
    ("vep_vcf/*", "vcf", P | {"tumour_sample": "HCC1395_TUMOR_DNA"}),
)
"""Files (first match counts), the format that a user would name for them, its options."""


def _alleles(study: Study) -> dict[str, Any]:
    lost = {str(a): v for a, v in zip(study.hla_loh["allele"], study.hla_loh["lost"], strict=True)}
    return {"alleles": sorted(set(study.hla["allele"])), "lost": sorted(a for a, v in lost.items() if v is True)}


def _purity(study: Study) -> dict[str, Any]:
    row = study.samples.iloc[0]
    return {"purity": float(row["tumour_purity"]), "ploidy": float(row["ploidy"]), "msi": row["msi"]}


def _portal(study: Study) -> dict[str, Any]:
    return {
        "mutations": len(study.mutations),
        "copy numbers": len(study.copy_number) > 6000,
        "structural variants": len(study.structural_variants),
        "exome-wide samples": int((study.samples["panel"] == "WES").sum()),
    }


RIGHT: tuple[tuple[str, Callable[[Study], dict[str, Any]], dict[str, Any]], ...] = (
    (
        "hmftools_orange_test_run/*.lilac.tsv",
        _alleles,
        {
            "alleles": ["HLA-A*01:01", "HLA-B*08:01", "HLA-B*40:02", "HLA-C*03:04", "HLA-C*07:01"],
            "lost": [],
        },
    ),
    (
        "optitype/*",
        lambda s: {"alleles": sorted(s.hla["allele"])},
        {"alleles": ["HLA-A*01:01"] * 2 + ["HLA-B*08:01", "HLA-B*57:01", "HLA-C*06:02", "HLA-C*07:01"]},
    ),
    ("hmftools_orange_test_run/*.purple.purity.tsv", _purity, {"purity": 0.99, "ploidy": 3.1, "msi": "MSS"}),
    ("purple_multiqc/v2_FFPE*.purity.tsv", _purity, {"purity": 0.37, "ploidy": 3.3827, "msi": "MSS"}),
    (
        "cbioportal_study_es_0",
        _portal,
        {"mutations": 36, "copy numbers": True, "structural variants": 48, "exome-wide samples": 784},
    ),
)
"""Files whose right content is known beforehand: what is looked at, and what it must be."""
_NOT_IDS = frozenset(
    "length effectivelength tpm numreads fpkm expected_count unstranded stranded_first stranded_second name log2 start "
    "end probes weight depth gene chromosome n_unmapped".split()
)
"""Names of columns that are no patients and no samples."""


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Attributes
    ----------
    file, format : the file, inside the folder; the format that it was read with.
    verdict : ``right`` (verified against known content), ``accepted``, ``refused``, or ``fault``.
    what : numbers of rows, or the message. advice : advice of the error, or the first message.
    """

    file: str
    format: str
    verdict: str
    what: str
    advice: str = ""


def _read(path: Path, name: str, options: dict[str, Any]) -> Study:
    if path.is_dir():
        return load_study(path)
    chosen = all_readers()[name]
    parts = [chosen(path, {k: v for k, v in options.items() if k in (*chosen.options, *GENERAL)})]
    if "constants" in options:  # a file without rows still belongs to somebody
        parts.append(Partial(tables={"samples": finish("samples", pd.DataFrame([options["constants"]]), "", [])}))
    return join(parts, path.name)


def _ids(study: Study) -> set[str]:
    samples = {str(c) for c in study.expression.columns} | set(study.samples["sample"].dropna())
    return {str(i).casefold() for i in samples | set(study.patient_ids)}


def _accepted(study: Study, file: str, name: str) -> Outcome:
    rows = sum(r.rows for r in study.reads)
    kept = sum(r.kept for r in study.reads)
    remarks = [r.left for r in study.reads if r.left] + list(study.problems)
    if strange := sorted(_ids(study) & _NOT_IDS):
        return Outcome(file, name, "fault", f"columns are taken for samples: {', '.join(strange)}")
    if not any(study.has(k) for k in study.given):
        return Outcome(file, name, "fault", "nothing was read, without a message")
    if kept < rows and not remarks:
        return Outcome(file, name, "fault", f"{rows - kept} of {rows} rows disappear without a message")
    what = f"{kept} of {rows} rows" if kept != rows else f"{rows} rows"
    for pattern, look, right in RIGHT:
        if fnmatch.fnmatch(file, pattern):
            seen = look(study)
            if seen != right:
                return Outcome(file, name, "fault", f"read as {seen}, right is {right}")
            return Outcome(file, name, "right", what, "; ".join(remarks[:1]))
    return Outcome(file, name, "accepted", what, "; ".join(remarks[:1]))


def outcome_of(path: Path, file: str) -> Outcome:
    """Read one file and return the outcome."""
    case = next((c for c in CASES if fnmatch.fnmatch(file, c[0])), None)
    if case is None:
        return Outcome(file, "", "fault", "no case for this file")
    _, name, options = case
    signature = recognise(path) if path.is_file() else None
    try:
        return _accepted(_read(path, name, options), file, name)
    except ImmunescapeError as error:
        advice = (error.hint or "").strip()
        verdict = "refused" if advice else "fault"
        where = f" ({signature.tool})" if signature is not None else ""
        return Outcome(file, name, verdict, f"{error.message}{where}", advice or "no advice")
    except Exception as error:  # anything else is a fault, whatever it is
        return Outcome(file, name, "fault", f"{type(error).__name__}: {error}")


def files_of(folder: Path) -> list[tuple[Path, str]]:
    """Return the files of a folder of tool outputs; a study folder counts as one."""
    listed: list[tuple[Path, str]] = []
    for tool in sorted(p for p in folder.iterdir() if p.is_dir()):
        if any(tool.glob("meta_*.txt")):
            listed.append((tool, tool.name))
            continue
        listed.extend((p, f"{tool.name}/{p.name}") for p in sorted(tool.rglob("*")) if p.is_file())
    return listed


def tally(folder: Path) -> list[Outcome]:
    """Read every file of a folder of tool outputs."""
    return [outcome_of(path, file) for path, file in files_of(folder)]


def faults(outcomes: list[Outcome]) -> list[Outcome]:
    """Return what is neither accepted nor refused with advice."""
    return [o for o in outcomes if o.verdict == "fault"]


def _cell(text: str, most: int = 170) -> str:
    plain = " ".join(text.split()).replace("|", "\\|")
    return plain if len(plain) <= most else plain[: most - 1].rstrip() + "…"


def page(outcomes: list[Outcome]) -> str:
    """Return the tally as a page."""
    counts = {v: sum(o.verdict == v for o in outcomes) for v in ("right", "accepted", "refused", "fault")}
    lines = [
        "# Outputs of tools",
        "",
        "Public test outputs of tools, each read with the format that a user would choose for it. Generated by "
        "`scripts/tool_outputs_tally.py`.",
        "",
        f"Of {len(outcomes)} files, {counts['right'] + counts['accepted']} are accepted ({counts['right']} of them "
        f"verified against known content), {counts['refused']} are refused with advice, and {counts['fault']} are "
        "faults.",
        "",
        *markdown_table(
            ("file", "format", "verdict", "what", "message or advice"),
            ((o.file, f"`{o.format}`", o.verdict, _cell(o.what, 110), _cell(o.advice)) for o in outcomes),
        ),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with outputs of tools")
    done = tally(parser.parse_args().folder)
    print(page(done), end="")
    sys.exit(1 if faults(done) else 0)
