"""Real output of tools: read right, or refused with the way forward; never read as something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from immunescape.errors import InputError
from immunescape.profile.loading import load_study
from immunescape.profile.readers import get_reader

READ = [
    ("vcf", "vep_vcf/HCC1395_mutect_vep_expression.first35.vcf", {"patient": "P"}, "mutations", 28),
    ("vcf", "hmftools_orange_test_run/purple.variants.vcf", {"patient": "P"}, "mutations", 1),
    ("maf", "vcf2maf/test_b38_output.maf", {"patient": "P"}, "mutations", 25),
    ("maf", "maf/tcga_laml.maf.gz", {}, "mutations", 2207),
    ("pvacseq", "pvacseq/HCC1395.MHC_I.all_epitopes.aggregated.tsv", {"patient": "P"}, "neoantigens", 358),
    ("pvacseq", "pvacseq/HCC1395.MHC_I.filtered.tsv", {"patient": "P"}, "neoantigens", 12),
    ("metaphlan", "metaphlan/SRR22078166_metaphlan_profile.txt", {"patient": "P"}, "microbiome", 166),
]
REFUSED = [
    ("vcf", "caller_vcf/test_mutect.vcf", {}, "Annotate it"),
    ("vcf", "caller_vcf/test_strelka.vcf", {}, "Annotate it"),
    ("vcf", "caller_vcf/test_muse.vcf", {}, "Annotate it"),
    ("vcf", "caller_vcf/test_varscan.vcf", {}, "Annotate it"),
    ("maf", "vcf2maf/minimalist_test_maf.tsv", {}, "Hugo_Symbol"),
    ("airr", "airr/good_rearrangement.tsv", {"patient": "P"}, "no T cell receptor among 9 rearrangements"),
    ("airr", "airr/rearrangement-example.tsv.gz", {"patient": "P"}, "no T cell receptor among 101 rearrangements"),
    ("airr", "airr/extra_rearrangement.tsv", {"patient": "P"}, "occurs twice in the header"),
    ("pvacseq", "pvacseq/HCC1395.MHC_II.all_epitopes.aggregated.tsv", {"patient": "P"}, "class II"),
    ("expression", "salmon/ERR188021.quant.first4500.sf", {}, "tx2gene"),
    ("quantification", "hmftools_orange_test_run/tumor_sample.isf.gene_data.tsv", {}, "no row"),
    ("expression", "hmftools_orange_test_run/tumor_sample.purple.cnv.somatic.tsv", {"unit": "tpm"}, "not a number"),
]


@pytest.mark.parametrize(("name", "file", "options", "kind", "rows"), READ)
def test_read(name: str, file: str, options: dict[str, str], kind: str, rows: int, shared_data: Path) -> None:
    partial = get_reader(name)(shared_data / "tool_outputs" / file, options)
    assert len(partial.tables[kind]) == rows
    if options:
        patients = {p for t in partial.tables.values() for p in t["patient"].dropna()}
        assert patients == {"P"}


@pytest.mark.parametrize(("name", "file", "options", "message"), REFUSED)
def test_refused(name: str, file: str, options: dict[str, str], message: str, shared_data: Path) -> None:
    with pytest.raises(InputError, match=message) as caught:
        get_reader(name)(shared_data / "tool_outputs" / file, options)
    assert caught.value.hint


def test_two_files_of_converters_are_two_patients(shared_data: Path, tmp_path: Path) -> None:
    text = (shared_data / "tool_outputs" / "vcf2maf" / "test_b38_output.maf").read_bytes()
    for i in range(2):
        (tmp_path / f"{i}.maf").write_bytes(text)
    entries = "".join(f"  - {{file: {i}.maf, format: maf}}\n" for i in range(2))
    (tmp_path / "manifest.yaml").write_text("files:\n" + entries)
    with pytest.raises(InputError, match="'TUMOR' is the tumour of 0"):
        load_study(tmp_path)
    named = "".join(f"  - {{file: {i}.maf, format: maf, patient: P{i}}}\n" for i in range(2))
    (tmp_path / "manifest.yaml").write_text("files:\n" + named)
    assert sorted(load_study(tmp_path).patient_ids) == ["P0", "P1"]
