"""Dirty input: a clear answer or a clear error each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from immunescape.errors import InputError
from immunescape.profile.loading import join, load_study
from immunescape.profile.readers import Partial, get_reader

MAF = (
    "Hugo_Symbol\tNCBI_Build\tChromosome\tStart_Position\tVariant_Classification\tReference_Allele\t"
    "Tumor_Seq_Allele2\tTumor_Sample_Barcode\tt_ref_count\tt_alt_count\n"
    "TP53\tGRCh38\tchr17\t7673802\tMissense_Mutation\tC\tA\tS1\t60\t40\n"
    "MLL2\tGRCh38\t12\t49040000\tNonsense_Mutation\tC\tT\tS1\tNA\tNA\n"
)


def read(name: str, text: str | bytes, tmp_path: Path, file: str = "x.tsv", **options: Any) -> Partial:
    path = tmp_path / file
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return get_reader(name)(path, options)


@pytest.mark.parametrize(
    "text",
    [
        MAF.encode(),
        MAF.replace("\n", "\r\n").encode(),
        MAF.replace("\n", "\r").encode(),
        b"\xef\xbb\xbf" + MAF.encode(),
        MAF.encode("utf-16"),
        b"#version 2.4\n\n" + MAF.encode(),
        "\n".join("\t".join(line.split("\t")[::-1]) for line in MAF.splitlines()).encode(),
    ],
)
def test_line_ends_marks_comments_and_shuffled_columns(text: bytes, tmp_path: Path) -> None:
    rows = read("maf", text, tmp_path).tables["mutations"]
    assert rows["gene"].tolist() == ["TP53", "KMT2D"]
    assert rows["chrom"].tolist() == ["17", "12"]
    assert rows["vaf"].iloc[0] == pytest.approx(0.4)
    assert np.isnan(rows["vaf"].iloc[1])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Missense_Mutation", "Missense_Mutatoin", "Missense_Mutation"),
        ("Variant_Classification", "Variant_Clasification", "Did you mean 'Variant_Clasification'"),
        ("MLL2\tGRCh38", "MLL2\tGRCh37", "two genome builds"),
        ("GRCh38", "GRCm38", "genome build"),
        ("7673802", "99673802", "another genome build"),
        ("\t60\t40", "\tsixty\t40", "line 2"),
        ("\t60\t40", "\t-60\t40", "t_ref_count is negative"),
        ("\tS1\t60\t40", "\tS1\t60\t40\textra", "line 2"),
    ],
)
def test_a_wrong_maf_names_the_line(old: str, new: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read("maf", MAF.replace(old, new), tmp_path)


def test_build_against_manifest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="manifest GRCh37"):
        read("maf", MAF, tmp_path, genome_build="hg19")


def test_repeated_mutations_count_once(tmp_path: Path) -> None:
    out = read("maf", MAF + MAF.splitlines()[1] + "\n", tmp_path)
    assert len(out.tables["mutations"]) == 2
    assert "line" in out.problems[0]


def test_no_mutations_is_given_and_empty(tmp_path: Path) -> None:
    study = join(
        [read("maf", MAF.splitlines()[0] + "\n", tmp_path), read("patients", "patient\np1\n", tmp_path, "p.csv")]
    )
    assert study.has("mutations")
    assert len(study.mutations) == 0


@pytest.mark.parametrize(
    ("text", "value"),
    [("4.1", 41.0), ("41", 41.0)],
)
def test_albumin_without_unit_is_inferred_only_where_one_is_possible(text: str, value: float, tmp_path: Path) -> None:
    out = read("labs", f"patient,day,analyte,value\np1,0,Albumin,{text}\n", tmp_path, "x.csv")
    assert out.tables["labs"]["value"].iloc[0] == pytest.approx(value)
    assert "inferred" in out.problems[0]


def test_mixed_or_unclear_units_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="albumin has no unit"):
        read("labs", "patient,analyte,value\np1,albumin,4.1\np2,albumin,41\n", tmp_path, "x.csv")
    with pytest.raises(InputError, match="several of"):
        read("labs", "patient,analyte,value\np1,crp,8\n", tmp_path, "x.csv")
    with pytest.raises(InputError, match="g/dL"):
        read("labs", "patient,analyte,value,unit\np1,albumin,4,g/dl1\n", tmp_path, "x.csv")


def test_vaf_unit(tmp_path: Path) -> None:
    table = "patient,gene,classification,vaf\np1,TP53,Silent,{}\n"
    with pytest.raises(InputError, match="fractions or percent"):
        read("mutations", table.format("0.3"), tmp_path, "x.csv")
    out = read("mutations", table.format("30"), tmp_path, "x.csv")
    assert out.tables["mutations"]["vaf"].iloc[0] == pytest.approx(0.3)
    assert "percent" in out.problems[0]
    with pytest.raises(InputError, match="outside"):
        read("mutations", table.format("1.3"), tmp_path, "x.csv", units={"vaf": "fraction"})


def test_negative_copies_become_none_and_are_told(tmp_path: Path) -> None:
    out = read("cna_allele_specific", "sample\tgene\ttotal_cn\tminor_cn\ns\tB2M\t-0.04\t-0.1\n", tmp_path)
    assert out.tables["copy_number"]["total_cn"].iloc[0] == 0.0
    assert "negative" in out.problems[0]


def test_lohhla_example(tmp_path: Path) -> None:
    """The allele of the published example with 0.027 copies is lost; one without p value is not assessable."""
    text = (
        "HLA_A_type1\tHLA_A_type2\tPVal_unique\tHLA_type1copyNum_withBAFBin\tHLA_type2copyNum_withBAFBin\tpatient\n"
        "hla_a_01_01_01_01\thla_a_24_02_01_01\t2e-6\t1.57\t0.027\tp1\n"
        "hla_b_07_02_01\thla_b_08_01_01\tNA\t0.2\t-0.3\tp1\n"
    )
    out = read("lohhla", text, tmp_path)
    lost = dict(zip(out.tables["hla_loh"]["allele"], out.tables["hla_loh"]["lost"], strict=True))
    assert lost == {"HLA-A*01:01": False, "HLA-A*24:02": True, "HLA-B*07:02": None, "HLA-B*08:01": None}
    assert any("not assessable" in p for p in out.problems)


def test_few_copies_without_a_significant_imbalance_are_no_loss(tmp_path: Path) -> None:
    text = (
        "HLA_A_type1\tHLA_A_type2\tPVal_unique\tHLA_type1copyNum_withBAFBin\tHLA_type2copyNum_withBAFBin\tpatient\n"
        "hla_a_01_01_01_01\thla_a_24_02_01_01\t0.2\t1.2\t0.3\tp1\n"
        "hla_b_07_02_01\thla_b_08_01_01\t0.009\t0.6\t0.49\tp1\n"
        "hla_c_04_01_01\thla_c_07_02_01\t0.011\t0.7\t0.49\tp1\n"
    )
    table = read("lohhla", text, tmp_path).tables["hla_loh"]
    lost = dict(zip(table["allele"], table["lost"], strict=True))
    assert lost == {
        "HLA-A*01:01": False,
        "HLA-A*24:02": None,
        "HLA-B*07:02": None,  # between 0.5 and 0.7 copies
        "HLA-B*08:01": True,
        "HLA-C*04:01": False,
        "HLA-C*07:02": None,
    }


def test_expression_with_mixed_ids_and_without_unit(tmp_path: Path) -> None:
    text = "gene\ts1\nTP53\t5\n567\t60\nENSG00000184584.12\t7\nTMEM173\t1\nnot_a_gene\t3\n"
    out = read("expression", text, tmp_path, unit="tpm")
    assert out.expression is not None
    assert out.expression["s1"].to_dict() == {"TP53": 5.0, "B2M": 60.0, "STING1": 8.0}
    assert out.gene_map is not None
    assert out.gene_map.identifiers == "mixed"
    with pytest.raises(InputError, match="unit of expression"):
        read("expression", "gene\ts1\nTP53\t5.5\n", tmp_path)
    with pytest.raises(InputError, match="negative expression"):
        read("expression", "gene\ts1\nTP53\t-5.5\n", tmp_path, unit="tpm")


def test_two_patients_whose_tumours_bear_one_name(tmp_path: Path) -> None:
    """Callers name every tumour TUMOR: the patient of the manifest keeps them apart."""
    head = (
        "##fileformat=VCFv4.2\n##reference=GRCh38\n"
        '##INFO=<ID=CSQ,Number=.,Type=String,Description="Format: Allele|Consequence|SYMBOL|HGVSp|CANONICAL">\n'
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tTUMOR\n"
    )
    row = "chr12\t25245351\t.\tC\tA\t.\tPASS\tCSQ=A|missense_variant|KRAS|ENSP1:p.Gly12Cys|YES\tAD\t70,30\n"
    (tmp_path / "one.vcf").write_text(head + row)
    (tmp_path / "two.vcf").write_text(head)
    entries = "".join(f"  - {{file: {f}.vcf, format: vcf, patient: {p}}}\n" for f, p in (("one", "A"), ("two", "B")))
    (tmp_path / "manifest.yaml").write_text("study: x\ngenome_build: GRCh38\nfiles:\n" + entries)
    study = load_study(tmp_path)
    assert study.patient_ids == ["A", "B"]
    assert list(study.samples["sample"]) == ["A-TUMOR", "B-TUMOR"]
    assert list(study.mutations["patient"]) == ["A"]
    assert all("neither a normal nor population frequencies" in problem for problem in study.problems)


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    lines = ["patient,age,sex", "a,60,female", "b,70,male", "c,50,female"]
    (tmp_path / "manifest.yaml").write_text("study: x\nfiles:\n  - {file: p.csv, format: patients}\n")
    (tmp_path / "p.csv").write_text("\n".join(lines)[:-8])
    with pytest.raises(InputError, match=r"line 4: the file ends inside a row: 2 of 3 cells"):
        load_study(tmp_path)
    (tmp_path / "p.csv").write_text("\n".join(lines))  # whole, without a line end
    assert len(load_study(tmp_path).patients) == 3
    (tmp_path / "p.csv").write_text("\n".join(lines)[:-8] + "\n")  # a short row that ends
    assert len(load_study(tmp_path).patients) == 3


def test_mutations_of_genes_without_a_name_are_told(tmp_path: Path) -> None:
    rows = ["patient,sample,gene,classification", "a,a,7157,Missense_Mutation", "a,a,0,Nonsense_Mutation"]
    rows += ["a,a,ENSG00000118046.16,Nonsense_Mutation", "a,a,MLL2,Nonsense_Mutation"]
    (tmp_path / "m.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "manifest.yaml").write_text("study: x\nfiles:\n  - {file: m.csv, format: mutations}\n")
    study = load_study(tmp_path)
    assert list(study.mutations["gene"]) == ["TP53", None, "STK11", "KMT2D"]
    assert any("1 rows have a gene identifier" in p and "'0', line 3" in p for p in study.problems)


def test_duplicated_patients(tmp_path: Path) -> None:
    one = read("patients", "patient,age\np1,60\np1,60\np2,50\n", tmp_path, "x.csv")
    assert join([one]).patients["patient"].tolist() == ["p1", "p2"]
    clash = join([read("patients", "patient,age\np1,60\np1,61\n", tmp_path, "x.csv")])
    assert any("contradict" in p for p in clash.problems)
    with pytest.raises(InputError, match="two patients"):
        join([read("samples", "sample,patient\ns,p1\ns,p2\n", tmp_path, "x.csv")])


def test_fhir_days_count_from_the_first_antibody(tmp_path: Path) -> None:
    text = """{"resourceType": "Bundle", "entry": [
     {"resource": {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1960-01-01"}},
     {"resource": {"resourceType": "MedicationAdministration", "subject": {"reference": "Patient/p1"},
       "medicationCodeableConcept": {"text": "carboplatin"}, "effectivePeriod": {"start": "2024-01-01"}}},
     {"resource": {"resourceType": "MedicationAdministration", "subject": {"reference": "Patient/p1"},
       "medicationCodeableConcept": {"text": "Pembrolizumab"}, "effectivePeriod": {"start": "2024-02-01"}}},
     {"resource": {"resourceType": "Observation", "subject": {"reference": "Patient/p1"},
       "code": {"coding": [{"system": "http://loinc.org", "code": "1751-7"}]}, "effectiveDateTime": "2024-02-08",
       "valueQuantity": {"value": 3.9, "code": "g/dL"}}},
     {"resource": {"resourceType": "Observation", "subject": {"reference": "Patient/p1"},
       "code": {"coding": [{"code": "94076-7"}]}, "valueQuantity": {"value": 12.5}}}]}"""
    out = read("fhir", text, tmp_path, "x.json")
    assert out.tables["labs"][["day", "analyte", "value"]].iloc[0].tolist() == [7.0, "albumin", 39.0]
    assert out.tables["treatments"]["start_day"].tolist() == [-31.0, 0.0]
    assert out.tables["samples"]["tmb"].iloc[0] == 12.5
    assert out.tables["patients"]["age"].iloc[0] == pytest.approx(64.1)


def test_ten_thousand_patients(tmp_path: Path) -> None:
    ids = [f"p{i}" for i in range(10_000)]
    pd.DataFrame({"patient": ids, "age": 60, "os_months": 5.0, "os_event": 1}).to_csv(tmp_path / "p.csv", index=False)
    pd.DataFrame({"patient": ids, "sample": ids, "gene": "TP53", "classification": "Silent"}).to_csv(
        tmp_path / "m.csv", index=False
    )
    (tmp_path / "manifest.yaml").write_text(
        "files: [{file: p.csv, format: patients}, {file: m.csv, format: mutations}]"
    )
    study = load_study(tmp_path)
    assert len(study.patients) == 10_000
    assert len(study.mutations) == 10_000


def test_an_extra_that_is_missing_is_named(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    try:
        import anndata  # noqa: F401
    except ImportError:
        with pytest.raises(InputError, match=r"immunescape\[profile\]"):
            read("h5ad", b"\x89HDF\r\n\x1a\n", tmp_path, "x.h5ad", unit="tpm")
    else:
        with pytest.raises(InputError, match="cannot be read"):
            read("h5ad", b"\x89HDF\r\n\x1a\n", tmp_path, "x.h5ad", unit="tpm")


_LILAC = "Allele\tTumorCopyNumber\tSomaticNonsenseOrFrameshift\tSomaticSplice\n"


def _lilac(copies: tuple[float, ...], truncated: tuple[float, ...], tmp_path: Path) -> Partial:
    names = ("A*01:01", "A*02:01", "B*07:02", "B*08:01", "C*07:01", "C*07:02")
    lines = [f"{a}\t{c}\t{t}\t0" for a, c, t in zip(names, copies, truncated, strict=True)]
    return read("lilac", _LILAC + "\n".join(lines) + "\n", tmp_path, "P1.lilac.tsv", patient="P1")


def test_lilac_without_tumour_copy_number_is_not_assessable(tmp_path: Path) -> None:
    out = _lilac((0.0,) * 6, (0.0,) * 6, tmp_path)
    assert out.tables["hla_loh"]["lost"].isna().all()
    assert any("no tumour copy number" in p for p in out.problems)


def test_lilac_copies_and_truncations(tmp_path: Path) -> None:
    out = _lilac((2.0, 0.1, 0.64, 1.4, 1.0, 1.0), (1.0, 0.0, 0.0, 0.0, 0.5, 0.5), tmp_path)
    assert out.tables["hla_loh"]["lost"].tolist() == [True, True, None, False, None, None]


def test_lilac_that_failed_its_quality_control_leaves_loss_open(tmp_path: Path) -> None:
    (tmp_path / "P1.lilac.qc.tsv").write_text("Status\tScoreMargin\nFAIL\t0.1\n")
    out = _lilac((2.0, 0.1, 1.0, 1.0, 1.0, 1.0), (0.0,) * 6, tmp_path)
    assert out.tables["hla_loh"]["lost"].isna().all()
    assert any("FAIL" in p for p in out.problems)
