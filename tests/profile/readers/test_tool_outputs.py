"""Real outputs of tools are accepted right or refused with the way forward; nothing happens in silence."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from scripts.tool_outputs_tally import CASES, Outcome, faults, outcome_of, page, tally

from immunescape.errors import InputError
from immunescape.profile.loading import join
from immunescape.profile.readers import Partial, all_readers
from immunescape.profile.readers._recognise import recognise, signatures

LILAC = (
    "Allele\tTumorCopyNumber\tSomaticNonsenseOrFrameshift\tSomaticSplice\nA*01:01\t2.00\t0\t0\nA*01:01\t2.00\t0\t0\n"
    "B*08:01\t1.10\t0\t0\nB*40:02\t0.90\t0\t0\nC*03:04\t0.90\t0\t0\nC*07:01\t1.10\t0\t0\n"
)
PURITY = "purity\tdiploidProportion\tploidy\tgender\tmsStatus\ttmbPerMb\n0.9900\t0.0211\t3.1000\tMALE\tMSS\t13.72\n"
FUSION = (
    "fivePrimeBreakendId\tthreePrimeBreakendId\tname\treported\tgeneStart\tgeneEnd\n1\t2\tDMD_DMD\tfalse\tDMD\tDMD\n"
    "3\t4\tEML4_ALK\ttrue\tEML4\tALK\n"
)
STAND_INS = {
    "hmftools_orange_test_run/tumor_sample.lilac.tsv": LILAC,
    "hmftools_orange_test_run/tumor_sample.purple.purity.tsv": PURITY,
    "hmftools_orange_test_run/tumor_sample.linx.fusion.tsv": FUSION,
    "hmftools_orange_test_run/tumor_sample.purple.chromosome_arm.tsv": "chromosome\tarm\tmeanCopyNumber\t"
    "medianCopyNumber\n1\tP\t2.2\t2.3\n",
    "hmftools_orange_test_run/tumor_sample.chord.prediction.tsv": "sample\tp_BRCA1\tp_BRCA2\tp_hrd\nx\t0\t0\t0\n",
    "optitype/example_pe_result.tsv": "\tA1\tA2\tB1\tB2\tC1\tC2\tReads\tObjective\n0\tA*01:01\tA*01:01\tB*08:01\t"
    "B*57:01\tC*06:02\tC*07:01\t1129.0\t1108.678\n",
    "vcf2maf/minimalist_test_maf.tsv": "Chromosome\tStart_Position\tReference_Allele\tTumor_Seq_Allele2\t"
    "Tumor_Sample_Barcode\n1\t3599659\tC\tT\tTCGA-A1-A0SF-01A\n",
    "gistic/tcga_laml.amp_genes.conf_99.txt": "cytoband\t11q23.3\nq value\t1e-8\n",
    "caller_vcf/test_mutect.vcf": "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tTUMOR\n"
    "1\t2453125\t.\tC\tG\t.\tPASS\t.\tGT:AD\t0/1:60,31\n",
}
EXPRESSION = ("gdc_star", "isf.gene_data", "rsem", "salmon", "star/")
"""Expression files have tests of their own."""


def stand_ins(folder: Path) -> dict[str, Outcome]:
    for name, text in STAND_INS.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return {o.file: o for o in tally(folder)}


def test_small_stand_ins_are_accepted_right_or_refused_with_advice(tmp_path: Path) -> None:
    outcomes = stand_ins(tmp_path)
    verdicts = {file.rpartition("/")[2]: o.verdict for file, o in outcomes.items()}
    assert verdicts == {
        "test_mutect.vcf": "refused",
        "tcga_laml.amp_genes.conf_99.txt": "refused",
        "tumor_sample.chord.prediction.tsv": "refused",
        "tumor_sample.lilac.tsv": "right",
        "tumor_sample.linx.fusion.tsv": "accepted",
        "tumor_sample.purple.chromosome_arm.tsv": "refused",
        "tumor_sample.purple.purity.tsv": "right",
        "example_pe_result.tsv": "right",
        "minimalist_test_maf.tsv": "refused",
    }
    assert "1 of 2 rows" in outcomes["hmftools_orange_test_run/tumor_sample.linx.fusion.tsv"].what
    assert "vcf2maf" in outcomes["vcf2maf/minimalist_test_maf.tsv"].advice
    assert "Of 9 files" in page(list(outcomes.values()))


def test_the_tally_sees_a_wrong_reading(tmp_path: Path) -> None:
    """An allele that reads as lost, where the truth is known to be none, is a fault."""
    stand_ins(tmp_path)
    path = tmp_path / "hmftools_orange_test_run" / "tumor_sample.lilac.tsv"
    path.write_text(LILAC.replace("B*40:02\t0.90", "B*40:02\t0.05"))
    seen = outcome_of(path, "hmftools_orange_test_run/tumor_sample.lilac.tsv")
    assert seen.verdict == "fault"
    assert "HLA-B*40:02" in seen.what


def test_the_tally_sees_columns_that_became_samples(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from scripts import tool_outputs_tally

    part = Partial(expression=pd.DataFrame({"TPM": [1.0], "NumReads": [2.0]}, index=["TP53"]), expression_unit="tpm")
    monkeypatch.setattr(tool_outputs_tally, "_read", lambda *_: join([part]))
    (tmp_path / "quant.sf").write_text("Name\tTPM\n")
    assert outcome_of(tmp_path / "quant.sf", "salmon/quant.sf").verdict == "fault"


def test_real_outputs_are_accepted_right_or_refused_with_advice(shared_data: Path) -> None:
    folder = shared_data / "tool_outputs"
    if not folder.is_dir():
        pytest.skip(f"no outputs of tools at {folder}")
    outcomes = tally(folder)
    assert len(outcomes) >= 60
    assert [o for o in faults(outcomes) if not any(w in o.file for w in EXPRESSION)] == []
    assert sum(o.verdict == "right" for o in outcomes) >= 5
    assert all(o.advice for o in outcomes if o.verdict == "refused")


def test_every_signature_names_a_format_that_exists() -> None:
    formats = set(all_readers())
    assert {s.format for s in signatures()} - {""} <= formats
    assert all(s.format or s.advice for s in signatures())
    assert {c[1] for c in CASES} <= formats


@pytest.mark.parametrize(
    ("header", "tool"),
    [
        ("Allele\tRefTotal\tTumorCopyNumber\tSomaticNonsenseOrFrameshift", "LILAC table of alleles"),
        ("Name\tLength\tEffectiveLength\tTPM\tNumReads", "Salmon"),
        ("# a comment\ngene_id\tgene_name\tgene_type\tunstranded\ttpm_unstranded", "STAR counts of GDC"),
        ("chromosome\tstart\tend\tgene\tlog2\tprobes\tweight", "CNVkit"),
        ("ID\tchrom\tloc.start\tloc.end\tnum.mark\tseg.mean", "SEG"),
        ('"Hugo_Symbol","Variant_Classification","Tumor_Sample_Barcode"', "MAF"),
    ],
)
def test_files_are_recognised_by_their_columns(header: str, tool: str, tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    path.write_text(header + "\n1\t2\n")
    known = recognise(path)
    assert known is not None
    assert known.tool == tool


@pytest.mark.parametrize(
    ("header", "format", "expected"),
    [
        ("Allele\tTumorCopyNumber\tSomaticNonsenseOrFrameshift", "lohhla", "format: lilac"),
        ("sample\tchr\tstartpos\tendpos\tnMajor\tnMinor", "maf", "format: cna_allele_specific"),
        ("signature\tallocation\tpercent", "mutations", "no format reads it"),
        ("Hugo_Symbol\tVariant_Classification\tTumor_Sample_Barcode", "cna_allele_specific", "format: maf"),
    ],
)
def test_a_file_of_another_format_says_which(header: str, format: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    path.write_text(header + "\n" + "\t".join("x" * len(header.split("\t"))) + "\n")
    with pytest.raises(InputError, match=expected):
        all_readers()[format](path, {})
