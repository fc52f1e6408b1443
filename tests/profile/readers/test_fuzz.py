"""Whatever a file holds, a reader answers with a study or with an ImmunescapeError that says where."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from immunescape.errors import ImmunescapeError
from immunescape.profile.loading import example_folder, load_study
from immunescape.profile.readers import all_readers

VCF = """##fileformat=VCFv4.2
##reference=GRCh38
##INFO=<ID=CSQ,Number=.,Type=String,Description="VEP. Format: Allele|Consequence|SYMBOL|HGVSp">
#CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO	FORMAT	TUMOR
7	55191822	.	T	G	.	PASS	CSQ=G|missense_variant|EGFR|ENSP1:p.Leu858Arg	GT:AD	0/1:90,30
"""
LOHHLA = (
    "HLA_A_type1\tHLA_A_type2\tPVal_unique\tHLA_type1copyNum_withBAFBin\tHLA_type2copyNum_withBAFBin\tpatient\n"
    "hla_a_01_01_01\thla_a_24_02_01\t0.0001\t1.57\t-0.3\tp1\n"
)
PVAC = "HLA Allele\tGene Name\tMT Epitope Seq\tMedian MT IC50 Score\nHLA-A*02:01\tKRAS\tKLVVVGACGV\t40.5\n"
LILAC = "Allele\tTumorCopyNumber\tpatient\nA*01:01\t0.02\tp1\nA*02:01\t2.1\tp1\n"
SEG = "ID\tchrom\tloc.start\tloc.end\tnum.mark\tseg.mean\ns1\t1\t100\t2000\t5\t-0.4\n"
CNA = "Hugo_Symbol\ts1\ts2\nTP53\t-2\t0\nMDM2\t2\tNA\n"
GEO = '!Sample_geo_accession\t"G1"\t"G2"\n!Sample_characteristics_ch1\t"response: yes"\t"response: no"\n'
BIOM = '{"rows":[{"id":"a"},{"id":"b"}],"columns":[{"id":"s"}],"matrix_type":"sparse","data":[[0,0,3],[1,0,1]]}'
FHIR = '{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"p1","gender":"female"}}]}'
PACKET = (
    '{"subject":{"id":"p1","sex":"FEMALE"},'
    '"measurements":[{"assay":{"label":"albumin"},"value":{"quantity":{"value":40,"unit":{"label":"g/L"}}}}]}'
)
CLINICAL = "#a\n#b\nPATIENT_ID\tAGE\tOS_MONTHS\tOS_STATUS\nP1\t60\t5.0\t1:DECEASED\nP2\t>89\tNA\t0:LIVING\n"
SAMPLE = "SAMPLE_ID\tPATIENT_ID\tGENE_PANEL\tPDL1_SCORE\nS1\tP1\tIMPACT341\t50\nS2\tP2\t\t\n"
SV = "Sample_Id\tSite1_Hugo_Symbol\tSite2_Hugo_Symbol\tClass\nS1\tEML4\tALK\tFUSION\n"
TIMELINE = "PATIENT_ID\tSTART_DATE\tSTOP_DATE\tEVENT_TYPE\tAGENT\nP1\t0\t42\tTREATMENT\tnivolumab\n"
PANELS = "SAMPLE_ID\tmutations\tcna\nS1\tIMPACT341\tIMPACT341\n"
SPECIES = "Sample_id,a,b\ns1,0.4,0.6\ns2,1,0\n"
SEEDS = {
    "vcf": (VCF, {}),
    "lohhla": (LOHHLA, {}),
    "pvacseq": (PVAC, {"patient": "p1"}),
    "lilac": (LILAC, {}),
    "seg": (SEG, {}),
    "cna": (CNA, {}),
    "geo_series_matrix": (GEO, {}),
    "biom": (BIOM, {}),
    "fhir": (FHIR, {}),
    "phenopackets": (PACKET, {}),
    "purity": ("sample\tpurity\tploidy\nS1\t0.6\t2.1\n", {}),
    "cbioportal_clinical_patient": (CLINICAL, {}),
    "cbioportal_clinical_sample": (SAMPLE, {}),
    "cbioportal_sv": (SV, {}),
    "cbioportal_timeline": (TIMELINE, {}),
    "cbioportal_panel_matrix": (PANELS, {}),
    "cbioportal_cna_long": ("Hugo_Symbol\tEntrez_Gene_Id\tSample_Id\tValue\nTP53\t7157\tS1\t-2\n\t567\tS1\t0\n", {}),
    "cbioportal": ("a folder, not a file", {}),
    "species_table": (SPECIES, {}),
    "segments": ("sample,chrom,start,end,total_cn\ns1,1,5,9,2\n", {}),
    "h5ad": ("not really", {"unit": "tpm"}),
    "single_cells": ("not really", {}),
    "space_anndata": ("not really", {"units": {"x": "um"}}),
    "space_parquet": ("not really", {"units": {"x": "um"}}),
    "cell_counts": ("patient,sample,cell_type,cells\np1,s1,cd8,40\np1,s1,B cell,3\n", {}),
    "pseudobulk": ("patient,sample,cell_type,gene,log2_cpm,cells\np1,s1,tumour,B2M,9.1,80\n", {}),
    "cells_in_space": ("patient,sample,x,y,cell_type\np1,s1,4,5,cd8\np1,s1,14,9,tumour\n", {"units": {"x": "um"}}),
    "patients": ((example_folder() / "patients.csv").read_text(), {}),
    "samples": ((example_folder() / "samples.csv").read_text(), {}),
    "maf": ("\n".join((example_folder() / "mutations.maf").read_text().splitlines()[:6]), {}),
    "mutations": ("patient,gene,chrom,start,classification,vaf\np1,TP53,17,7673802,Silent,30\n", {}),
    "cna_allele_specific": ("\n".join((example_folder() / "copy_number.tsv").read_text().splitlines()[:6]), {}),
    "copy_number": ("patient,gene,total_cn,minor_cn\np1,B2M,1,0\n", {}),
    "structural_variants": ((example_folder() / "fusions.csv").read_text(), {}),
    "hla_types": ("\n".join((example_folder() / "hla.csv").read_text().splitlines()[:6]), {}),
    "hla": ("patient,allele\np1,HLA-A*02:01\n", {}),
    "hla_loh": ("\n".join((example_folder() / "hla_loh.csv").read_text().splitlines()[:6]), {}),
    "neoantigens": (
        "\n".join((example_folder() / "neoantigens.csv").read_text().splitlines()[:4]),
        {"units": {"vaf": "fraction"}},
    ),
    "expression": ("gene\ts1\ts2\nTP53\t5\t0\n7157\t4\t60\nENSG00000121410\t2\t1\n", {"unit": "counts"}),
    "quantification": (
        "Name\tLength\tEffectiveLength\tTPM\tNumReads\nTP53\t900\t800\t5.5\t40\nSTK11\t900\t800\t2.5\t20\n",
        {},
    ),
    "airr": ("\n".join((example_folder() / "tcr.tsv").read_text().splitlines()[:5]), {}),
    "tcr": ("patient,locus,junction_aa,duplicate_count\np1,TRB,CASSF,3\n", {}),
    "metaphlan": ((example_folder() / "metaphlan.tsv").read_text(), {}),
    "microbiome": ("patient,taxon,rank,abundance\np1,a,species,0.2\n", {}),
    "ctdna": ("\n".join((example_folder() / "ctdna.csv").read_text().splitlines()[:6]), {}),
    "labs": ("\n".join((example_folder() / "labs.csv").read_text().splitlines()[:8]), {}),
    "pdl1": ((example_folder() / "pdl1.csv").read_text(), {}),
    "treatments": ((example_folder() / "treatments.csv").read_text(), {}),
    "responses": ((example_folder() / "responses.csv").read_text(), {}),
}
_WORDS = ["NA", "nan", "inf", "-1", "1e400", "null", "[]", "{}", "0", "p1", "é", "9" * 20]
BITS = st.sampled_from(["", "\t", ",", "\n", '"', "\r\n", "#", "|", ";", "\x00", "\ufeff", *_WORDS])


def test_every_reader_has_a_seed_that_it_reads() -> None:
    assert set(SEEDS) == set(all_readers())


def _h5ad_is_read(folder: Path) -> None:
    """Cells of three samples come back as they went in, whatever ids the genes bear."""
    anndata = pytest.importorskip("anndata", reason="needs the extra 'profile'")
    values = np.array([[1.0, 0.0, 5.0, 2.0], [0.0, 3.0, 1.0, 4.0], [2.0, 2.0, 2.0, 2.0]])
    table = anndata.AnnData(values)
    table.obs_names, table.var_names = ["a", "b", "c"], ["TP53", "3845", "ENSG00000118046", "MLL2"]
    table.write_h5ad(folder / "x.h5ad")
    partial = all_readers()["h5ad"](folder / "x.h5ad", {"unit": "tpm"})
    assert partial.expression is not None
    assert list(partial.expression.index) == ["TP53", "KRAS", "STK11", "KMT2D"]
    assert np.array_equal(partial.expression[["a", "b", "c"]].to_numpy(), values.T)


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_the_seed_is_read(name: str, tmp_path: Path) -> None:
    if name == "h5ad":
        _h5ad_is_read(tmp_path)
        return
    if name in ("single_cells", "space_anndata", "space_parquet", "cbioportal"):
        return  # no text files: read in tests/profile/test_cells.py and tests/profile/readers/test_study_folder.py
    text, options = SEEDS[name]
    path = tmp_path / f"x.{'csv' if ',' in text.splitlines()[-1] and chr(9) not in text else 'tsv'}"
    path.write_text(text)
    partial = all_readers()[name](path, options)
    assert partial.reads
    assert partial.tables or partial.expression is not None


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(sorted(SEEDS)), st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.2), BITS), max_size=4), st.data()
)
def test_a_reader_answers_or_says_what_is_wrong(
    name: str, cuts: list[tuple[float, float, str]], data: st.DataObject
) -> None:
    text, options = SEEDS[name]
    for at, length, bit in cuts:
        start = int(at * len(text))
        text = text[:start] + bit + text[start + int(length * len(text)) :]
    if data.draw(st.booleans()):
        lines = text.splitlines()
        text = "\r\n".join(data.draw(st.permutations(lines)) if len(lines) < 12 else lines[::-1])
    raw = text.encode("utf-16" if data.draw(st.integers(0, 20)) == 0 else "utf-8", errors="replace")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / data.draw(st.sampled_from(["x.tsv", "x.csv", "x.txt", "x.dat"]))
        path.write_bytes(raw)
        reader = all_readers()[name]
        try:
            partial = reader(path, options)
        except ImmunescapeError:
            return
        assert partial.reads
        from immunescape.profile.loading import join

        try:
            study = join([partial])
        except ImmunescapeError:
            return
        assert len(study.patients)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300), st.sampled_from(sorted(SEEDS)))
def test_bytes_are_refused_or_read(raw: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.tsv"
        path.write_bytes(raw)
        try:
            all_readers()[name](path, SEEDS[name][1])
        except ImmunescapeError:
            return


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=200))
def test_a_manifest_is_refused_or_read(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manifest.yaml"
        path.write_text(text, encoding="utf-8", errors="replace")
        try:
            load_study(path)
        except ImmunescapeError:
            return
