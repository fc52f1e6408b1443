"""Tables of any layout: columns by their usual names, and a refusal where what the rows are about is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from immunescape.errors import InputError
from immunescape.profile.assemble import assemble
from immunescape.profile.loading import load_study
from immunescape.profile.readers import Partial, get_reader
from immunescape.profile.readers.tables import REQUIRED
from immunescape.profile.study import COLUMNS


def read(kind: str, text: str, tmp_path: Path, **options: Any) -> Partial:
    path = tmp_path / "x.csv"
    path.write_text(text)
    return get_reader(kind)(path, options)


@pytest.mark.parametrize(
    ("column", "word", "expected"),
    [
        ("Variant_Classification", "Nonsense_Mutation", "Nonsense_Mutation"),
        ("consequence", "stop_gained", "Nonsense_Mutation"),
        ("Consequence", "missense_variant&splice_region_variant", "Missense_Mutation"),
        ("effect", "frameshift_variant", "Frame_Shift_Del"),
        ("mutation_type", "missense", "Missense_Mutation"),
        ("ExonicFunc.refGene", "frameshift insertion", "Frame_Shift_Ins"),
        ("ExonicFunc.refGene", "stopgain", "Nonsense_Mutation"),
        ("ExonicFunc", "synonymous SNV", "Silent"),
        ("variant effect", "Splice Site", "Splice_Site"),
        ("Molecular_Consequence", "inframe_deletion", "In_Frame_Del"),
    ],
)
def test_consequences_under_their_usual_names_and_words(column: str, word: str, expected: str, tmp_path: Path) -> None:
    out = read("mutations", f"patient,gene,{column}\np1,STK11,{word}\n", tmp_path)
    assert out.tables["mutations"]["classification"].tolist() == [expected]


def test_a_stop_gained_in_a_plain_table_is_a_loss(tmp_path: Path) -> None:
    """From the file to the call: the column is not named `classification`, the words are not those of a MAF."""
    (tmp_path / "m.csv").write_text("patient,sample,gene,consequence\nP1,S1,STK11,stop_gained\nP2,S2,TP53,missense\n")
    (tmp_path / "manifest.yaml").write_text("panel: IMPACT468\nfiles:\n  - {file: m.csv, format: mutations}\n")
    calls = assemble(load_study(tmp_path)).profile.patients
    assert calls["P1"].calls["stk11_loss"].state == "present"
    assert calls["P2"].calls["stk11_loss"].state != "present"


@pytest.mark.parametrize("column", ["kind_of_thing", "severity", "notes"])
def test_mutations_whose_consequence_no_column_holds_are_refused(column: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"classification.*\n.*columns: \{classification: "):
        read("mutations", f"patient,gene,{column}\np1,STK11,high\n", tmp_path)
    out = read(
        "mutations",
        f"patient,gene,{column}\np1,STK11,high\n",
        tmp_path,
        columns={"classification": column},
        values={"classification": {"high": "Nonsense_Mutation"}},
    )
    assert out.tables["mutations"]["classification"].tolist() == ["Nonsense_Mutation"]


def test_a_consequence_of_no_vocabulary_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'stop_ganied'.*\n.*stop gain"):
        read("mutations", "patient,gene,effect\np1,STK11,stop_ganied\n", tmp_path)


ROWS: dict[str, dict[str, str]] = {
    "mutations": {"patient": "p1", "gene": "STK11", "classification": "Silent"},
    "copy_number": {"patient": "p1", "gene": "B2M", "total_cn": "2"},
    "segments": {"sample": "s1", "chrom": "1", "start": "5", "end": "90", "total_cn": "2"},
    "structural_variants": {"patient": "p1", "gene1": "EML4"},
    "hla": {"patient": "p1", "allele": "HLA-A*02:01"},
    "hla_loh": {"patient": "p1", "allele": "HLA-A*02:01", "copy_number": "0.1"},
    "neoantigens": {"patient": "p1", "peptide": "KLVVVGACGV", "ic50_nm": "40"},
    "tcr": {"patient": "p1", "junction_aa": "CASSF", "duplicate_count": "3"},
    "microbiome": {"patient": "p1", "taxon": "Akkermansia", "abundance": "0.2"},
    "ctdna": {"patient": "p1", "value": "0.1", "unit": "VAF fraction"},
    "labs": {"patient": "p1", "analyte": "ldh", "value": "200", "unit": "U/L"},
    "pdl1": {"patient": "p1", "value_percent": "60"},
    "treatments": {"patient": "p1", "drug": "nivolumab", "start_day": "0"},
    "responses": {"patient": "p1", "recist": "PR"},
    "cell_counts": {"patient": "p1", "sample": "s1", "cell_type": "cd8", "cells": "40"},
    "pseudobulk": {"patient": "p1", "sample": "s1", "cell_type": "tumour", "gene": "B2M", "log2_cpm": "9"},
    "cells_in_space": {"patient": "p1", "sample": "s1", "x": "4", "y": "5", "cell_type": "cd8"},
}
OPTIONS = {"cells_in_space": {"units": {"x": "um"}}}
MISSING = [
    (kind, column) for kind, groups in REQUIRED.items() for group in groups for column in group if column in ROWS[kind]
]


def test_every_table_knows_what_its_rows_are_about() -> None:
    assert set(REQUIRED) | {"patients", "samples"} == set(COLUMNS)
    assert set(REQUIRED) == set(ROWS)


@pytest.mark.parametrize("kind", sorted(ROWS))
def test_the_smallest_table_of_each_kind_is_read(kind: str, tmp_path: Path) -> None:
    row = ROWS[kind]
    out = read(kind, ",".join(row) + "\n" + ",".join(row.values()) + "\n", tmp_path, **OPTIONS.get(kind, {}))
    assert len(out.tables[kind]) == 1


@pytest.mark.parametrize(("kind", "column"), MISSING)
@pytest.mark.parametrize("how", ["renamed", "empty"])
def test_a_table_without_what_its_rows_are_about_is_refused(kind: str, column: str, how: str, tmp_path: Path) -> None:
    """Whichever of the columns is missing, no table is read as though nobody had anything."""
    row = dict(ROWS[kind])
    if how == "renamed":
        row = {("zz_9" if k == column else k): v for k, v in row.items()}
    else:
        row[column] = ""
    with pytest.raises(InputError):
        read(kind, ",".join(row) + "\n" + ",".join(row.values()) + "\n", tmp_path, **OPTIONS.get(kind, {}))


@pytest.mark.parametrize(
    ("kind", "text", "column", "value"),
    [
        ("copy_number", "patient,Hugo_Symbol,total_copy_number\np1,B2M,0\n", "total_cn", 0.0),
        ("tcr", "patient,cdr3_aa,count\np1,CASSF,7\n", "duplicate_count", 7.0),
        ("labs", "patient,test_name,result,units\np1,LDH,300,U/L\n", "value", 300.0),
        ("treatments", "patient,agent,start_day\np1,nivolumab,0\n", "drug", "nivolumab"),
        ("pdl1", "patient,TPS\np1,60\n", "score", "tps"),
        ("responses", "patient_id,day,best_response\np1,60,PR\n", "recist", "PR"),
        ("neoantigens", "patient,MT Epitope Seq,HLA Allele,ic50\np1,KLVV,HLA-A*02:01,30\n", "ic50_nm", 30.0),
        ("structural_variants", "Sample_Id,Site1_Hugo_Symbol,Site2_Hugo_Symbol\ns,EML4,ALK\n", "gene2", "ALK"),
    ],
)
def test_other_tables_by_usual_names(kind: str, text: str, column: str, value: object, tmp_path: Path) -> None:
    assert read(kind, text, tmp_path).tables[kind][column].tolist() == [value]


def test_columns_of_patients_are_suggested_not_guessed(tmp_path: Path) -> None:
    out = read("patients", "patient,OVERALL_SURVIVAL,Response\np1,12,1\n", tmp_path)
    assert out.tables["patients"]["os_months"].isna().all()
    assert any("os_months: OVERALL_SURVIVAL" in p and "columns:" in p for p in out.problems)


@pytest.mark.parametrize(
    ("cell", "stratum"),
    [
        ("<1", "<1%"),
        ("< 1%", "<1%"),
        (">=50", ">=50%"),
        ("≥50%", ">=50%"),
        ("1-49", "1-49%"),
        ("1 – 49 %", "1-49%"),
        (">50", ">=50%"),
        ("at least 50", ">=50%"),
        ("less than 1", "<1%"),
        ("60%", ">=50%"),
        ("60", ">=50%"),
    ],
)
def test_bounds_and_ranges_of_pdl1_are_categories(cell: str, stratum: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(f"patient;assay;score;value_percent\nP1;22C3;tps;{cell}\n")
    (tmp_path / "manifest.yaml").write_text("files:\n  - {file: p.csv, format: pdl1}\n")
    study = load_study(tmp_path)
    measured = assemble(study).measured["pdl1_stratum"]["P1"]
    assert measured.value == stratum
    told = any("read as categories" in p for p in study.problems)
    assert told is (not cell.rstrip("%").isdigit())


def test_a_pdl1_word_that_is_no_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 2.*neither a number nor a range\n.*category"):
        read("pdl1", "patient,value_percent\np1,strong\n", tmp_path)


def test_the_day_of_the_pdl1_table_says_which_value_stands(tmp_path: Path) -> None:
    """60 % long before, 0 % right before treatment: two days are no contradiction, and the later one stands."""
    (tmp_path / "p.csv").write_text("patient,assay,score,value_percent,day\nP1,22C3,tps,60,-400\nP1,22C3,tps,0,-7\n")
    (tmp_path / "manifest.yaml").write_text("files:\n  - {file: p.csv, format: pdl1}\n")
    measured = assemble(load_study(tmp_path)).measured
    assert measured["pdl1_stratum"]["P1"].value == "<1%"
    assert measured["pdl1_tps"]["P1"].value == 0.0
    (tmp_path / "p.csv").write_text("patient,assay,score,value_percent,day\nP1,22C3,tps,60,-7\nP1,22C3,tps,0,-7\n")
    assert assemble(load_study(tmp_path)).measured["pdl1_stratum"]["P1"].value is None


def test_laboratory_values_beyond_the_assay_are_their_limit(tmp_path: Path) -> None:
    out = read("labs", "patient,analyte,value,unit\np1,crp,<5,mg/L\np2,crp,12,mg/L\n", tmp_path)
    assert out.tables["labs"]["value"].tolist() == [5.0, 12.0]
    assert any("'<5' (line 2)" in p for p in out.problems)


@pytest.mark.parametrize("cell", ["<0.01", "not detected", "ND"])
def test_ctdna_below_its_limit_is_not_detected(cell: str, tmp_path: Path) -> None:
    text = f"patient,day,value,unit\np1,0,0.2,VAF fraction\np1,42,{cell},VAF fraction\n"
    out = read("ctdna", text, tmp_path).tables["ctdna"]
    assert out["detected"].tolist() == [True, False]
    assert bool(out["lod"].iloc[1] == 0.01) is (cell == "<0.01")


def test_a_wide_table_of_labs_is_told_how_to_be_read(tmp_path: Path) -> None:
    text = "patient,albumin,LDH\np1,40,200\n"
    with pytest.raises(InputError, match=r"analytes: \{albumin: albumin, ldh: LDH\}"):
        read("labs", text, tmp_path)
    analytes = {"albumin": "albumin", "ldh": "LDH"}
    out = read("labs", text, tmp_path, analytes=analytes, units={"albumin": "g/L", "ldh": "U/L"})
    assert out.tables["labs"]["value"].tolist() == [40.0, 200.0]
