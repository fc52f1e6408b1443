"""Files of variants that are not somatic, or absent from the tumour -> what the genes and the mutation burden say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from immunescape.errors import InputError
from immunescape.profile.biomarkers.alterations import gene_states

Profiled = Callable[..., Any]
PANEL = {"panels": [{"name": "p", "genes": ["STK11", "KEAP1", "TP53", "B2M"], "megabases": 1.0}], "panel": "p"}
HEADER = (
    "##fileformat=VCFv4.2\n##reference=GRCh38\n"
    '##INFO=<ID=CSQ,Number=.,Type=String,Description="Format: Allele|Consequence|SYMBOL|HGVSp|gnomADe_AF|MAX_AF">\n'
)
STOP = "T|stop_gained|STK11|ENSP1:p.Gln37Ter|{population}"


def vcf(info: str, form: str, *cells: str, names: str = "TUMOR", header: str = "", filter_: str = "PASS") -> str:
    columns = "#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT".replace(" ", "\t")
    row = "\t".join(["19", "1206913", ".", "C", "T", ".", filter_, info, form, *cells])
    return HEADER + header + columns + "\t" + names.replace(" ", "\t") + "\n" + row + "\n"


def stk11(make: Profiled, text: str, **entry: object) -> tuple[int, int, float, list[str]]:
    """Return the number of somatic and of germline hits in STK11, the count of mutations, and what was told."""
    made = make({"x.vcf": (text, {"format": "vcf", "patient": "P1", **entry})}, **PANEL)
    state = gene_states(made.study, ("STK11",))["P1", "STK11"]
    germline = sum(h.germline for h in state.hits)
    count = made.measured["tmb_nonsynonymous_count"]["P1"].value
    return len(state.hits) - germline, germline, float(str(count)), made.study.problems


CSQ = "CSQ=" + STOP.format(population="|")


@pytest.mark.parametrize(
    ("text", "somatic", "message"),
    [
        (vcf(CSQ, "GT:AD", "0/1:60,40"), 1, ""),
        (vcf(CSQ, "GT:AD", "0/0:100,0"), 0, "absent from the tumour"),
        (vcf(CSQ, "GT:AD", "0|0:98,2"), 0, "absent from the tumour"),
        (vcf(CSQ, "GT", "0/0"), 0, "absent from the tumour"),
        (vcf(CSQ, "GT:AD", "0/1:100,0"), 0, "absent from the tumour"),
        (vcf(CSQ, "GT:RD:AD", "0/1:90:0"), 0, "absent from the tumour"),
        (vcf(CSQ, "AU:CU:GU:TU", "0,0:80,81:0,0:0,0"), 0, "absent from the tumour"),
        (vcf(CSQ, "AU:CU:GU:TU", "0,0:60,61:0,0:40,42"), 1, ""),
        (vcf(CSQ, "GT:AD", "0/0:80,20"), 1, "genotype 0/0, but their reads"),
        (vcf(CSQ, "GT:AD", "./.:50,50"), 1, ""),
        (vcf(CSQ + ";SS=0", "GT:AD", "0/1:60,40"), 0, "absent from the tumour"),
    ],
)
def test_a_variant_counts_only_where_the_tumour_has_it(
    text: str, somatic: int, message: str, profiled: Profiled
) -> None:
    hits, germline, count, told = stk11(profiled, text)
    assert (hits, germline, count) == (somatic, 0, somatic)
    assert message in " ".join(told)


def test_a_gene_whose_only_variant_was_not_genotyped_stays_open(profiled: Profiled) -> None:
    made = profiled({"x.vcf": (vcf(CSQ, "GT:AD", "./.:."), {"format": "vcf", "patient": "P1"})}, **PANEL)
    states = gene_states(made.study, ("STK11", "KEAP1"))
    assert states["P1", "STK11"].sequenced is None
    assert states["P1", "KEAP1"].sequenced is True
    assert made.calls.call("P1", "stk11_loss").state == "not_assessable"


@pytest.mark.parametrize(
    ("text", "germline", "message"),
    [
        (vcf("CSQ=" + STOP.format(population="0.31|0.4"), "GT:AD", "0/1:52,48"), 0, "common in a population"),
        (vcf("CSQ=" + STOP.format(population="|0.012"), "GT:AD", "0/1:52,48"), 0, "common in a population"),
        (vcf("CSQ=" + STOP.format(population="0.0009|"), "GT:AD", "0/1:52,48"), 1, "occur in a population"),
        (vcf(CSQ + ";gnomAD_AF=0.2", "GT:AD", "0/1:52,48"), 0, "common in a population"),
        (vcf(CSQ + ";COMMON=1", "GT:AD", "0/1:52,48"), 1, "occur in a population"),
        (vcf(CSQ + ";CAF=0.8,0.2", "GT:AD", "0/1:52,48"), 0, "common in a population"),
        (vcf(CSQ + ";SS=1", "GT:AD", "0/1:52,48"), 1, "germline according to the caller"),
        (vcf(CSQ, "GT:AD", "0/1:52,48", "0/1:26,24", names="TUMOR NORMAL"), 1, "matched normal"),
        (vcf(CSQ, "AD", "26,24", "52,48", names="NORMAL TUMOR"), 1, "matched normal"),
    ],
)
def test_a_variant_of_the_germline_is_no_somatic_mutation(
    text: str, germline: int, message: str, profiled: Profiled
) -> None:
    assert stk11(profiled, text)[:3] == (0, germline, 0)
    assert message in " ".join(profiled({"x.vcf": (text, {"format": "vcf", "patient": "P1"})}).study.problems)


def test_mutect_writes_population_frequencies_as_logarithms(profiled: Profiled) -> None:
    header = '##INFO=<ID=POPAF,Number=A,Type=Float,Description="negative log 10 population allele frequencies">\n'
    for popaf, somatic in (("0.5", 0), ("7.3", 1)):
        assert stk11(profiled, vcf(f"{CSQ};POPAF={popaf}", "GT:AD", "0/1:60,40", header=header))[0] == somatic


@pytest.mark.parametrize(
    ("names", "header", "options", "somatic"),
    [
        ("A B", "##tumor_sample=B\n##normal_sample=A\n", {}, 1),
        ("B A", "##tumor_sample=B\n", {}, 0),
        ("case_normal case_tumor", "", {}, 1),
        ("P1-blood P1-biopsy", "", {}, 1),
        ("TCGA-05-4244-10A TCGA-05-4244-01A", "", {}, 1),
        ("A B", "", {"tumour_sample": "B"}, 1),
        ("A B", "##PEDIGREE=<Derived=B,Original=A>\n", {}, 1),
        ("COLO829R COLO829T", "", {}, 1),
        ("P1-N P1-T", "", {}, 1),
    ],
)
def test_the_tumour_is_found_by_header_or_name(
    names: str, header: str, options: dict[str, str], somatic: int, profiled: Profiled
) -> None:
    text = vcf(CSQ, "GT:AD", "0/0:50,0", "0/1:60,40", names=names, header=header)
    assert stk11(profiled, text, **options)[0] == somatic


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (vcf(CSQ, "GT", "0/1", "0/1", names="A B"), {}, "which is the tumour"),
        (vcf(CSQ, "GT", "0/1", names="NORMAL"), {}, "is a normal"),
        (vcf(CSQ, "GT", "0/1", header="##source=HaplotypeCaller\n"), {}, "germline caller"),
        (
            vcf(CSQ, "GT", "0/1", "0/1", names="A B", header="##normal_sample=A\n"),
            {"tumour_sample": "A"},
            "names as the normal",
        ),
        (vcf("DP=10", "GT:AD", "0/1:60,40"), {}, "none of the 1 variants has it"),
        (vcf(CSQ, "GT", "0/1").replace("|SYMBOL|", "|BIOTYPE|"), {}, "names no gene"),
    ],
)
def test_a_vcf_that_cannot_be_read_right_is_refused(
    text: str, options: dict[str, str], message: str, profiled: Profiled
) -> None:
    with pytest.raises(InputError, match=message):
        profiled({"x.vcf": (text, {"format": "vcf", "patient": "P1", **options})})


@pytest.mark.parametrize(
    "info",
    [
        "IMPACT=STK11,ENST1,stop_gained,NONSENSE_OR_FRAMESHIFT,false,c.109C>T,p.Gln37*,,NONSENSE_OR_FRAMESHIFT,1",
        "PAVE_TI=ENSG1|STK11|ENST2|upstream_gene_variant|false||,ENSG1|STK11|ENST1|stop_gained|false|c.109C>T|p.Gln37*",
    ],
)
def test_annotation_by_pave(info: str, profiled: Profiled) -> None:
    text = vcf(info, "GT:AD", "0/0:50,0", "0/1:60,40", names="ref_sample tumor_sample")
    text = text.replace(HEADER, "##fileformat=VCFv4.2\n")
    made = profiled({"x.vcf": (text, {"format": "vcf", "patient": "P1"})}, **PANEL)
    (hit,) = gene_states(made.study, ("STK11",))["P1", "STK11"].hits
    assert (hit.protein, hit.loss) == ("Q37*", True)
    refused = text.replace(info, "DP=5")
    with pytest.raises(InputError, match="PAVE"):
        profiled({"x.vcf": (refused, {"format": "vcf", "patient": "P1"})})


COLUMNS = (
    "Hugo_Symbol Chromosome Start_Position Variant_Classification Reference_Allele Tumor_Seq_Allele2 "
    "Tumor_Sample_Barcode HGVSp_Short t_ref_count t_alt_count"
)


def maf(extra: str, cells: str, counts: str = "60 40") -> str:
    row = f"STK11 19 1206913 Nonsense_Mutation C T S1 p.Q37* {counts}"
    return f"{COLUMNS} {extra}".strip().replace(" ", "\t") + "\n" + f"{row} {cells}".strip().replace(" ", "\t") + "\n"


@pytest.mark.parametrize(
    ("text", "somatic", "germline", "message"),
    [
        (maf("", ""), 1, 0, ""),
        (maf("", "", "100 0"), 0, 0, "absent from the tumour"),
        (maf("", "", "NA 0"), 0, 0, "absent from the tumour"),
        (maf("", "", "0 0"), 1, 0, ""),
        (maf("gnomAD_AF", "0.31"), 0, 0, "common in a population"),
        (maf("ExAC_AF_NFE", "0.02"), 0, 0, "common in a population"),
        (maf("GMAF", "T:0.25"), 0, 0, "common in a population"),
        (maf("AF EUR_AF", "0.25 0.3"), 0, 0, "common in a population"),
        (maf("gnomADe_EAS_AF", "0.002"), 0, 1, "occur in a population"),
        (maf("gnomADe_EAS_AF CLIN_SIG", "0.002 pathogenic"), 1, 0, ""),
        (maf("gnomAD_AF", "0.00002"), 1, 0, ""),
        (maf("gnomAD_AC", "310"), 1, 0, ""),
        (maf("FILTER", "common_variant"), 0, 1, "occur in a population"),
        (maf("n_ref_count n_alt_count", "30 28"), 0, 1, "matched normal"),
        (maf("n_depth n_alt_count", "60 1"), 1, 0, ""),
    ],
)
def test_a_maf_is_judged_as_a_vcf_is(text: str, somatic: int, germline: int, message: str, profiled: Profiled) -> None:
    made = profiled({"x.maf": (text, {"format": "maf"})}, **PANEL)
    hits = gene_states(made.study, ("STK11",))["S1", "STK11"].hits
    assert (sum(not h.germline for h in hits), sum(h.germline for h in hits)) == (somatic, germline)
    assert message in " ".join(made.study.problems)
    assert made.measured["tmb"]["S1"].value == somatic


def test_without_normal_and_population_frequencies_the_doubt_is_told(profiled: Profiled) -> None:
    *_, told = stk11(profiled, vcf(CSQ, "GT:AD", "0/1:60,40"))
    assert "neither a normal nor population frequencies" in " ".join(told)
    text = maf("Matched_Norm_Sample_Barcode", "NA")
    told = profiled({"x.maf": (text, {"format": "maf"})}, **PANEL).study.problems
    assert "neither a matched normal nor population frequencies" in " ".join(told)
    told = profiled({"x.maf": (maf("Matched_Norm_Sample_Barcode", "N1"), {"format": "maf"})}, **PANEL).study.problems
    assert "population frequencies" not in " ".join(told)


def test_rows_that_did_not_pass_are_told_and_left_out_on_demand(profiled: Profiled) -> None:
    text = maf("FILTER", "panel_of_normals") + maf("FILTER", "PASS").split("\n")[1].replace("STK11", "KEAP1") + "\n"
    made = profiled({"x.maf": (text, {"format": "maf"})}, **PANEL)
    assert made.measured["tmb"]["S1"].value == 2.0
    assert "1 rows did not pass the caller's FILTER (lines 2): kept" in " ".join(made.study.problems)
    made = profiled({"x.maf": (text, {"format": "maf", "pass_only": True})}, **PANEL)
    assert made.measured["tmb"]["S1"].value == 1.0


@pytest.mark.parametrize(("gene", "mechanism"), [("STK11", "stk11_loss"), ("KEAP1", "keap1_loss")])
@pytest.mark.parametrize(
    ("copies", "state"), [("", "not_assessable"), ("2,1", "absent"), ("1,0", "present"), ("2,0", "present")]
)
def test_a_germline_hit_needs_the_loss_of_the_other_allele(
    gene: str, mechanism: str, copies: str, state: str, profiled: Profiled
) -> None:
    text = maf("n_ref_count n_alt_count", "30 28").replace("STK11", gene)
    files = {
        "x.maf": (text, {"format": "maf"}),
        "s.csv": (
            "sample,patient,tumour_purity\nS1,P1,0.8\n",
            {"format": "samples", "units": {"tumour_purity": "fraction"}},
        ),
    }
    if copies:
        rows = f"sample,gene,total_cn,minor_cn\nS1,{gene},{copies}\n"
        files["c.csv"] = (rows, {"format": "copy_number"})
    made = profiled(files, **PANEL)
    assert made.calls.call("P1", mechanism).state == state
