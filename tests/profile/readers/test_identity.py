"""Whose mutations a file holds, which genes it names, and which samples were sequenced at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from immunescape.errors import InputError
from immunescape.profile.biomarkers.alterations import gene_states

Profiled = Callable[..., Any]
COLUMNS = "Hugo_Symbol Variant_Classification Tumor_Sample_Barcode HGVSp_Short"
GENES = ["STK11", "KEAP1", "TP53", "B2M", "KRAS", "CD274", "JAK1"]
PANEL = {"panels": [{"name": "p", "genes": GENES, "megabases": 1.0}], "panel": "p"}


def maf(barcode: str = "TUMOR", gene: str = "STK11", kind: str = "Nonsense_Mutation") -> str:
    return COLUMNS.replace(" ", "\t") + f"\n{gene}\t{kind}\t{barcode}\tp.Q37*\n"


@pytest.mark.parametrize("barcode", ["TUMOR", "NORMAL", "tumour", "S1", "__UNKNOWN__"])
def test_one_name_in_two_files_is_refused_unless_the_patients_are_given(barcode: str, profiled: Profiled) -> None:
    files = {"a.maf": (maf(barcode), {"format": "maf"}), "b.maf": (maf(barcode, "KRAS"), {"format": "maf"})}
    with pytest.raises(InputError, match="one patient, or two with the same name"):
        profiled(files)
    one_named = {**files, "a.maf": (maf(barcode), {"format": "maf", "patient": "A"})}
    if barcode == "S1":
        with pytest.raises(InputError, match="one patient, or two with the same name"):
            profiled(one_named)
    named = {n: (text, {"format": "maf", "patient": n[0].upper()}) for n, (text, _) in files.items()}
    made = profiled(named, **PANEL)
    states = gene_states(made.study, ("STK11", "KRAS"))
    assert {k: len(v.hits) for k, v in states.items()} == {
        ("A", "STK11"): 1,
        ("A", "KRAS"): 0,
        ("B", "STK11"): 0,
        ("B", "KRAS"): 1,
    }


def test_two_files_of_one_tumour_are_joined_where_that_is_said(profiled: Profiled) -> None:
    files = {n: (maf("S1", g), {"format": "maf"}) for n, g in (("snv.maf", "STK11"), ("indel.maf", "KRAS"))}
    same = profiled({n: (t, {**e, "patient": "P"}) for n, (t, e) in files.items()})
    assert list(same.study.patient_ids) == ["P"]
    listed = profiled({**files, "samples.csv": ("sample,patient\nS1,P\n", {"format": "samples"})})
    assert sorted(listed.study.mutations["gene"]) == ["KRAS", "STK11"]
    assert set(listed.study.mutations["patient"]) == {"P"}


def test_a_default_barcode_is_told_and_an_empty_one_refused(profiled: Profiled) -> None:
    assert "set patient:" in " ".join(profiled({"a.maf": (maf(), {"format": "maf"})}).study.problems)
    with pytest.raises(InputError, match="Tumor_Sample_Barcode is empty"):
        profiled({"a.maf": (maf(""), {"format": "maf"})})
    assert profiled({"a.maf": (maf(""), {"format": "maf", "patient": "P"})}).study.patient_ids == ["P"]


def test_tumours_of_two_normals_under_one_barcode_are_refused(profiled: Profiled) -> None:
    head = f"{COLUMNS} Matched_Norm_Sample_Barcode".replace(" ", "\t") + "\n"
    rows = "".join(f"{g}\tNonsense_Mutation\tTUMOR\tp.Q37*\t{n}\n" for g, n in (("STK11", "A-N"), ("KRAS", "B-N")))
    with pytest.raises(InputError, match="2 matched normals"):
        profiled({"a.maf": (head + rows, {"format": "maf"})})
    same = rows.replace("B-N", "A-N")
    assert profiled({"a.maf": (head + same, {"format": "maf"})}).study.patient_ids == ["TUMOR"]


def test_two_vcf_files_with_one_column_name_are_refused(profiled: Profiled) -> None:
    text = (
        '##reference=GRCh38\n##INFO=<ID=CSQ,Number=.,Type=String,Description="Format: Allele|Consequence|SYMBOL">\n'
        "#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT TUMOR\n19 1206913 . C T . PASS CSQ=T|stop_gained|STK11 GT 0/1\n"
    )
    text = "\n".join(x if x.startswith("##") else x.replace(" ", "\t") for x in text.split("\n"))
    with pytest.raises(InputError, match="one patient, or two with the same name"):
        profiled({n: (text, {"format": "vcf"}) for n in ("a.vcf", "b.vcf")})


EXPRESSION = "gene\tS1\tR2\nSTK11\t5\t6\nKEAP1\t4\t60\nB2M\t2\t1\n"


def test_the_default_panel_is_only_of_samples_in_a_sequencing_file(profiled: Profiled) -> None:
    made = profiled(
        {
            "samples.csv": ("sample,patient,panel\nS1,P1,\nR2,P2,\nS3,P3,p\n", {"format": "samples"}),
            "m.maf": (maf("S1"), {"format": "maf"}),
            "e.tsv": (EXPRESSION, {"format": "expression", "unit": "tpm"}),
        },
        **PANEL,
    )
    assert made.measured["tmb"]["P1"].value == 1.0
    assert made.measured["tmb"]["P2"].status == "not_assessable"
    assert made.measured["tmb"]["P3"].value == 0.0
    for mechanism in ("stk11_loss", "b2m_loss", "keap1_loss"):
        if mechanism in made.calls.states.columns:
            assert made.calls.call("P2", mechanism).state == "not_assessable"
    assert "no sequencing file (first: R2)" in " ".join(made.study.problems)


@pytest.mark.parametrize(
    ("name", "gene"),
    [
        ("LKB1", "STK11"),
        ("STK-11", "STK11"),
        ("stk11", "STK11"),
        ("PD-L1", "CD274"),
        ("B7-H1", "CD274"),
        ("p53", "TP53"),
    ],
)
def test_aliases_and_other_spellings_are_read(name: str, gene: str, profiled: Profiled) -> None:
    made = profiled({"a.maf": (maf("S1", name), {"format": "maf"})}, **PANEL)
    assert made.study.mutations["gene"].tolist() == [gene]


@pytest.mark.parametrize(
    ("name", "gene"),
    [
        ("TP35", "TP53"),
        ("SKT11", "STK11"),
        ("KAEP1", "KEAP1"),
        ("B2N", "B2M"),
        ("JAKI", "JAK1"),
        ("STKII", "STK11"),
        ("Stk11", "STK11"),
    ],
)
def test_a_misspelt_gene_is_never_unchanged(name: str, gene: str, profiled: Profiled) -> None:
    copies = f"sample,gene,total_cn,minor_cn\nS1,{name},0,0\nS1,KRAS,2,1\n"
    made = profiled(
        {
            "a.maf": (maf("S1", name) + maf("S2", "KRAS").split("\n")[1] + "\n", {"format": "maf"}),
            "cn.csv": (copies, {"format": "copy_number"}),
        },
        **PANEL,
    )
    states = gene_states(made.study, (gene, "KRAS"))
    assert states["S1", gene].sequenced is None
    assert states["S1", gene].copies is not True
    assert states["S2", gene].sequenced is True
    assert states["S1", "KRAS"].sequenced is True
    told = " ".join(made.study.problems)
    assert f"'{name}' (nearest: " in told
    assert gene in told


def test_names_of_other_kinds_of_genes_raise_no_doubt(profiled: Profiled) -> None:
    names = ("PTENP1", "HLA-J", "LINC00115", "RP11-34P13.7", "STK11IP", "MIR21", "KRASP1", "TP53-AS1")
    rows = "".join(maf("S1", n).split("\n")[1] + "\n" for n in names)
    made = profiled({"a.maf": (maf("S1", "KRAS") + rows, {"format": "maf"})}, **PANEL)
    assert not any(panel.unclear for panel in made.study.panels.values())


def test_a_misspelt_gene_of_an_expression_table_is_told(profiled: Profiled) -> None:
    rows = "".join(f"{g}\t3\t4\n" for g in ("TP53", "KRAS", "EGFR", "MET"))
    made = profiled({"e.tsv": ("gene\tA\tB\n" + rows + "KAEP1\t4\t60\n", {"format": "expression", "unit": "tpm"})})
    assert "'KAEP1' is not an HGNC symbol and is left out (nearest: KEAP1)" in " ".join(made.study.problems)
