"""Variant Call Format 4.x with annotation by VEP (CSQ), SnpEff (ANN) or PAVE (IMPACT, PAVE_TI): plain text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from immunescape.errors import InputError
from immunescape.profile.readers._base import Partial, reader
from immunescape.profile.readers._finish import canonical_build, finish
from immunescape.profile.readers._somatic import (
    GENERIC_SAMPLES,
    Tally,
    frequency,
    germline_by_normal,
    is_population_column,
    population_verdict,
)
from immunescape.profile.readers._text import read_text
from immunescape.profile.readers._vcf_annotation import Annotation, annotation_of, maf_class, pave_annotation
from immunescape.profile.readers._vcf_samples import SampleNames, choose_samples, genotype, in_tumour, reads_of

__all__ = ["read_vcf"]

_HOW = "Annotate it: vep --vcf --symbol --hgvs --canonical --mane."
_GERMLINE_STATUS = "1"
_NO_VARIANT_STATUS = "0"
_LOH_STATUS = "3"
"""Somatic status SS of VarScan and SomaticSniper: 0 none, 1 germline, 2 somatic, 3 loss of heterozygosity."""


def _info(text: str) -> dict[str, str]:
    return {k: v for k, _, v in (entry.partition("=") for entry in text.split(";"))}


@dataclass
class _Header:
    fields: list[str] = field(default_factory=list)
    kind: str = ""
    build: str = ""
    columns: list[str] = field(default_factory=list)
    samples: SampleNames = field(default_factory=SampleNames)
    log10_population: bool = False

    def line(self, text: str, where: str) -> None:
        if match := re.match(r"##INFO=<ID=(CSQ|ANN),.*Format: ?'?\"?([^\"'>]+)", text):
            self.kind = match.group(1)
            self.fields = [f.strip().casefold() for f in match.group(2).split("|")]
        elif re.match(r"##INFO=<ID=ANN,", text) and not self.fields:
            self.kind = "ANN"
            self.fields = "allele|annotation|impact|symbol|gene|feature_type|feature|biotype|rank|hgvsc|hgvsp".split(
                "|"
            )
        elif text.startswith("##INFO=<ID=POPAF,"):
            self.log10_population = "log" in text.casefold()
        elif text.startswith(("##reference=", "##contig=")) and not self.build:
            low = text.casefold()
            for build_name in ("grch38", "hg38", "grch37", "hg19", "b37", "hs37d5"):
                if build_name in low:
                    self.build = canonical_build(build_name, where)
        elif text.startswith("#CHROM"):
            self.columns = text.lstrip("#").split("\t")
        else:
            self.samples.line(text)


@dataclass
class _Rows:
    """Rows of the file as they are read, and the reasons for those left out."""

    header: _Header
    _: KW_ONLY
    tumour: int = -1
    normal: int | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    unclear: set[str] = field(default_factory=set)
    total: int = 0
    filtered: int = 0
    annotated: int = 0
    bare: list[int] = field(default_factory=list)
    populations: bool = False

    def add(self, cells: list[str], number: int, where: str) -> None:
        """Take in one line of variants."""
        info, alts = _info(cells[7]), cells[4].split(",")
        try:
            position = int(cells[1])
        except ValueError:
            raise InputError(f"POS '{cells[1][:30]}' is not a number", where=where) from None
        if not any(_is_allele(a) for a in alts):
            return
        kind = self.header.kind
        given = bool(info.get(kind)) if kind else "IMPACT" in info or "PAVE_TI" in info
        self.annotated += given
        if not given:
            self.bare.append(number)
        for which, alt in enumerate(alts):
            if not _is_allele(alt):
                continue
            note = annotation_of(kind, self.header.fields, info, alt, alts) if kind else pave_annotation(info)
            tumour = self._cells(cells, self.tumour)
            reads, depth, share = reads_of(tumour, which, cells[3], alt, where)
            verdict = in_tumour(genotype(tumour, which), reads, depth, share) if tumour else ""
            if verdict:
                self.tally.add(verdict, number)
            if verdict == "no call" and note.gene:
                self.unclear.add(note.gene)
            if verdict in ("absent", "no call"):
                continue
            origin = self._origin(cells, info, tumour, note, which, where)
            if origin:
                self.tally.add(origin, number)
            if origin in ("common", "absent"):
                continue
            self.rows.append(
                {
                    "gene": note.gene,
                    "chrom": cells[0],
                    "start": float(position),
                    "ref": cells[3],
                    "alt": alt,
                    "classification": maf_class(note.terms, cells[3], alt),
                    "protein_change": note.protein_change,
                    "vaf": share,
                    "t_depth": depth,
                    "germline": origin in ("rare", "normal", "caller"),
                    "source_row": float(number),
                }
            )

    def _cells(self, cells: list[str], column: int | None) -> dict[str, str]:
        if column is None or len(cells) <= 9 + column:
            return {}
        return dict(zip(cells[8].split(":"), cells[9 + column].split(":"), strict=False))

    def _origin(
        self,
        cells: list[str],
        info: Mapping[str, str],
        tumour: dict[str, str],
        note: Annotation,
        which: int,
        where: str,
    ) -> str:
        """Say whether the variant is germline, and by what: population, normal or caller; '' for somatic."""
        in_populations = frequency([str(note.population), *_shares(info, which, self.header.log10_population)])
        self.populations |= in_populations == in_populations
        if verdict := population_verdict(in_populations, note.clinical or info.get("CLNSIG")):
            return verdict
        if info.get("COMMON") == "1":  # dbSNP: at least 1 % in a population, of this place if not of this allele
            return "rare"
        status = tumour.get("SS", info.get("SS", ""))
        if status == _NO_VARIANT_STATUS and "SOMATIC" not in info:
            return "absent"
        if status in (_GERMLINE_STATUS, _LOH_STATUS) or "germline" in re.split(r"[;,]", cells[6].casefold()):
            return "caller"
        normal = self._cells(cells, self.normal)
        if normal:
            reads, depth, share = reads_of(normal, which, cells[3], cells[4].split(",")[which], where)
            if share != share and genotype(normal, which) == "carries":
                return "normal"
            if germline_by_normal(reads, depth):
                return "normal"
        return ""


def _is_allele(alt: str) -> bool:
    return alt not in (".", "*", "<*>", "<NON_REF>")


def _shares(info: Mapping[str, str], which: int, log10: bool) -> list[str]:
    """Return the population frequencies of one allele given in INFO; dbSNP's CAF lists the reference first."""
    samples = []
    for key, text in info.items():
        pieces = text.strip("[]").split(",")
        if key == "CAF" and len(pieces) > which + 1:
            samples.append(pieces[which + 1])
        elif key == "POPAF" and log10 and len(pieces) > which:
            try:
                samples.append(str(10 ** -float(pieces[which])))
            except (ValueError, OverflowError):
                continue
        elif is_population_column(key):
            samples.append(pieces[which] if len(pieces) > which else pieces[0])
    return samples


@reader(
    "vcf",
    "mutations in VCF 4.x with VEP CSQ, SnpEff ANN or PAVE IMPACT",
    ("mutations", "samples"),
    {
        "tumour_sample": "name of the tumour's column, if it does not follow from header or names",
        "patient": "patient to whom the file belongs; otherwise the sample name",
        "pass_only": "true (default): read only rows whose FILTER is PASS or '.'",
        "genome_build": "GRCh37 or GRCh38, if the header does not state it",
    },
)
def read_vcf(path: Path, options: Mapping[str, Any]) -> Partial:
    """Read a VCF (plain or gzip) of one tumour, with or without its normal.

    Variants absent from the tumour (genotype 0/0, no read) and polymorphisms are left out; variants of the normal, and
    those that occur in a population, are marked as germline. Lines that were left out are reported.

    Raises
    ------
    InputError
        For a missing header line or annotation, an unknown sample, or an invalid row.
    """
    lines = read_text(path).splitlines()
    header, out = _Header(), Partial()
    read = _Rows(header)
    declared = str(options.get("genome_build") or "")
    pass_only = bool(options.get("pass_only", True))
    for number, line in enumerate(lines, 1):
        where = f"{path.name}, line {number}"
        if line.startswith("#"):
            header.line(line, where)
            continue
        if not line.strip():
            continue
        if not header.columns:
            raise InputError("no '#CHROM' header line before the first variant", where=where)
        if read.tumour < 0:
            tumour = str(options.get("tumour_sample") or "")
            read.tumour, read.normal = choose_samples(
                header.columns[9:], header.samples, tumour, path.name, out.problems
            )
        cells = line.split("\t")
        if len(cells) < 8 or len(cells) < len(header.columns):
            raise InputError(f"{len(cells)} cells, but the header has {len(header.columns)}", where=where)
        read.total += 1
        if pass_only and cells[6] not in ("PASS", ".", ""):
            read.filtered += 1
            continue
        read.add(cells, number, where)
    if not header.columns:
        raise InputError("no '#CHROM' header line: this is not a VCF", where=path.name)
    if read.tumour < 0:
        tumour = str(options.get("tumour_sample") or "")
        read.tumour, read.normal = choose_samples(header.columns[9:], header.samples, tumour, path.name, out.problems)
    _annotation_is_there(read, path.name, out.problems)
    build = canonical_build(declared, path.name) if declared else ""
    if header.build and build and header.build != build:
        raise InputError(f"the header says {header.build}, the manifest {build}", where=path.name)
    out.genome_build = header.build or build
    return _finished(read, options, path.name, out)


def _annotation_is_there(read: _Rows, file: str, problems: list[str]) -> None:
    """Reject a file without annotation, whether the header declares one or not; report rows that have none."""
    header = read.header
    if not header.fields and not read.annotated:
        raise InputError(
            "no annotation: the header has no INFO field CSQ (VEP) or ANN (SnpEff), and no row has IMPACT or PAVE_TI "
            "(PAVE)",
            where=file,
            hint=_HOW,
        )
    if header.fields and not {"symbol", "gene", "gene_name"} & set(header.fields):
        raise InputError(
            f"the annotation {header.kind} names no gene: its fields have no SYMBOL",
            where=file,
            hint=f"{_HOW} Fields: {', '.join(header.fields[:20])}",
        )
    if read.bare and not read.annotated:
        raise InputError(
            f"the header declares the annotation {header.kind}, but none of the {len(read.bare)} variants has it: "
            "every gene would appear unaltered",
            where=f"{file}, line {read.bare[0]}",
            hint=_HOW,
        )
    if read.bare:
        problems.append(
            f"{file}: {len(read.bare)} of {len(read.bare) + read.annotated} variants have no annotation and are not "
            f"assigned to any gene (first: line {read.bare[0]})"
        )


def _finished(read: _Rows, options: Mapping[str, Any], file: str, out: Partial) -> Partial:
    names = read.header.columns[9:]
    sample = names[read.tumour] if names else str(options.get("patient") or file.partition(".")[0])
    frame = pd.DataFrame(read.rows, index=pd.Index([r["source_row"] for r in read.rows], dtype=int))
    if not len(frame):
        frame = pd.DataFrame({"gene": pd.Series(dtype=object)})
    patient = str(options["patient"]) if options.get("patient") else None
    if patient and sample.casefold() in GENERIC_SAMPLES:  # a generic name that callers give to every tumour
        sample = f"{patient}-{sample}"
    frame["sample"], frame["patient"] = sample, patient
    if patient:
        owner = pd.DataFrame({"sample": [sample], "patient": [patient]})
        out.tables["samples"] = finish("samples", owner, file, out.problems)
    genes = frame["gene"].notna()
    out.problems.extend(read.tally.sentences(file))
    out.tables["mutations"] = finish(
        "mutations", frame.loc[genes], file, out.problems, {"vaf": "fraction"}, out.genome_build
    )
    out.assessed["mutations"] = out.sequenced = frozenset({sample})
    for gene in sorted(read.unclear):
        out.mark_unclear("mutations", gene, (sample,))
    if read.rows and read.normal is None and not read.populations:
        out.problems.append(
            f"{file}: neither a normal nor population frequencies: germline variants cannot be told apart from somatic "
            "ones and would inflate the mutational burden (annotate with vep --af_gnomade, or provide the normal)"
        )
    left = [f"{read.filtered} rows marked by FILTER"] if read.filtered else []
    if (~genes).any():
        left.append(f"{int((~genes).sum())} variants outside genes")
    left_out = {v for k in ("common", "absent", "no call") for v in read.tally.lines.get(k, ())}
    if left_out:
        left.append(f"{len(left_out)} lines of polymorphisms or of variants absent from the tumour")
    others = [n for i, n in enumerate(names) if i != read.tumour]
    if others:
        left.append(f"columns of other samples: {', '.join(others)}")
    out.note(file, "vcf", read.total, int(genes.sum()), "; ".join(left))
    return out
