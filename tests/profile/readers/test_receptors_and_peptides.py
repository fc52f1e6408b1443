"""Repertoires of several loci, and tables of peptides of both classes -> what is counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from immunescape.errors import InputError
from immunescape.profile.biomarkers.registry import measure
from immunescape.profile.loading import join
from immunescape.profile.readers import get_reader
from immunescape.profile.receptor_loci import is_class_two, receptor_locus

Profiled = Callable[..., Any]
LETTERS = "ACDEFGHIKLMNPQRSTVWY"


def airr(loci: dict[str, int], column: str = "locus") -> str:
    """Return a table with so many clones of each locus, one template each."""
    rows = []
    for locus, clones in loci.items():
        name = locus if column == "locus" else f"{locus}V1-1*01"
        rows += [
            f"{name}\tCASS{LETTERS[i // 400 % 20]}{LETTERS[i // 20 % 20]}{LETTERS[i % 20]}F\t1" for i in range(clones)
        ]
    return f"{column}\tjunction_aa\tduplicate_count\n" + "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    ("loci", "locus", "clones"),
    [
        ({"TRA": 1500, "IGH": 1}, "TRA", 1500),
        ({"TRA": 1500, "TRB": 1}, "TRA", 1500),
        ({"TRB": 700, "TRA": 1500}, "TRB", 700),
        ({"TRB": 900, "IGH": 4000, "IGK": 10}, "TRB", 900),
        ({"TRG": 600, "IGL": 600, "TRD": 5}, "TRG", 600),
    ],
)
@pytest.mark.parametrize("column", ["locus", "v_call"])
def test_only_t_cell_receptors_of_one_locus_count(
    loci: dict[str, int], locus: str, clones: int, column: str, profiled: Profiled
) -> None:
    made = profiled({"r.tsv": (airr(loci, column), {"format": "airr", "patient": "P1"})})
    richness = made.measured["tcr_richness"]["P1"]
    assert richness.note.startswith(f"{locus}, {clones} clones")
    if any(x.startswith("IG") for x in loci):
        assert "not T-cell receptors" in " ".join(made.study.problems)
    assert ("not counted" in richness.note) == (sum(x.startswith("TR") for x in loci) > 1)


@pytest.mark.parametrize("loci", [{"IGH": 600}, {"IGH": 50, "IGK": 41, "IGL": 38}])
def test_a_repertoire_of_b_cells_is_refused(loci: dict[str, int], profiled: Profiled) -> None:
    with pytest.raises(InputError, match="no T cell receptor among"):
        profiled({"r.tsv": (airr(loci), {"format": "airr", "patient": "P1"})})


def test_a_table_without_locus_needs_it_named(profiled: Profiled) -> None:
    text = "junction_aa\tduplicate_count\n" + "".join(f"CASS{a}{b}F\t2\n" for a in LETTERS for b in LETTERS)
    with pytest.raises(InputError, match="neither locus nor v_call"):
        profiled({"r.tsv": (text, {"format": "airr", "patient": "P1"})})
    made = profiled({"r.tsv": (text, {"format": "airr", "patient": "P1", "locus": "TRB"})})
    assert made.measured["tcr_richness"]["P1"].note.startswith("TRB, 400 clones")


ALL = "Chromosome\tStart\tStop\tReference\tVariant\tGene Name\tHLA Allele\tMT Epitope Seq\tMedian MT IC50 Score\n"
BEST = "ID\tGene\tAA Change\tBest Peptide\tAllele\tIC50 MT\tTier\n"
PEPTIDES = [
    ("chr1-10-11-A-T", "KRAS", "HLA-A*02:01", "KLVVVGACG", "40"),
    ("chr1-10-11-A-T", "KRAS", "HLA-A*02:01", "LVVVGACGV", "80"),
    ("chr1-10-11-A-T", "KRAS", "HLA-B*07:02", "VVVGACGVG", "300"),
    ("chr2-50-51-C-G", "TP53", "HLA-A*02:01", "SVVRCPHHE", "450"),
    ("chr2-70-71-C-G", "TP53", "HLA-A*02:01", "HMTEVVRHC", "20"),
    ("chr3-90-91-C-G", "EGFR", "HLA-A*02:01", "KITDFGRAK", "900"),
]


def every_peptide(rows: list[tuple[str, ...]]) -> str:
    return ALL + "".join("\t".join([*v.split("-"), g, a, p, n]) + "\n" for v, g, a, p, n in rows)


def best_peptides(rows: list[tuple[str, ...]]) -> str:
    best = {v: min((r for r in rows if r[0] == v), key=lambda r: float(r[4])) for v, *_ in rows}
    return BEST + "".join(f"{v}\t{g}\tX1Y\t{p}\t{a}\t{n}\tPass\n" for v, g, a, p, n in best.values())


@pytest.mark.parametrize("write", [every_peptide, best_peptides])
def test_the_load_counts_variants_whatever_the_table(
    write: Callable[[list[tuple[str, ...]]], str], profiled: Profiled
) -> None:
    made = profiled({"p.tsv": (write(PEPTIDES), {"format": "pvacseq", "patient": "P1"})})
    load = made.measured["neoantigen_load"]["P1"]
    assert load.value == 3
    assert "variants with a peptide" in load.method.lower()


def test_peptides_that_name_no_variant_are_joined_where_they_overlap(profiled: Profiled) -> None:
    rows = "".join(f"P1,{g},{p},{a},{n}\n" for _, g, a, p, n in PEPTIDES)
    made = profiled({"n.csv": ("patient,gene,peptide,allele,ic50_nm\n" + rows, {"format": "neoantigens"})})
    load = made.measured["neoantigen_load"]["P1"]
    assert load.value == 3
    assert "merged where they overlap (assumed)" in load.note


@pytest.mark.parametrize("allele", ["DRB1*04:05", "HLA-DQB1*06:02", "DPA1*01:03-DPB1*02:01"])
def test_peptides_of_class_two_never_count(allele: str, profiled: Profiled) -> None:
    assert is_class_two(allele)
    second = [(v, g, allele, p + "LLLLLL", n) for v, g, _, p, n in PEPTIDES]
    mixed = profiled({"p.tsv": (every_peptide(PEPTIDES[:3] + second), {"format": "pvacseq", "patient": "P1"})})
    assert mixed.measured["neoantigen_load"]["P1"].value == 1
    assert "6 of 9 rows are for class II" in " ".join(mixed.study.problems)
    with pytest.raises(InputError, match="class II alleles"):
        profiled({"p.tsv": (every_peptide(second), {"format": "pvacseq", "patient": "P1"})})
    rows = f"patient,gene,peptide,allele,ic50_nm\nP1,KRAS,KLVVVGACGVGKSALT,{allele},20\n"
    alone = profiled({"n.csv": (rows, {"format": "neoantigens"})})
    assert alone.measured["neoantigen_load"]["P1"].status == "not_assessable"
    assert "1 peptides bind class II alleles" in " ".join(alone.study.problems)


def test_real_tables_of_one_tumour(shared_data: Path) -> None:
    folder = shared_data / "tool_outputs" / "pvacseq"
    partial = get_reader("pvacseq")(folder / "HCC1395.MHC_I.all_epitopes.aggregated.tsv", {"patient": "P"})
    assert measure(join([partial]))["neoantigen_load"]["P"].note == "57 variants, 57 binding peptides"
    partial = get_reader("pvacseq")(folder / "Test.all_epitopes.first300.tsv", {"patient": "P"})
    assert measure(join([partial]))["neoantigen_load"]["P"].note == "4 variants, 10 binding peptides"


@pytest.mark.parametrize(
    ("text", "locus"),
    [
        ("TRBV7-9*01", "TRB"),
        ("TCRBV07-09", "TRB"),
        ("trb", "TRB"),
        ("TCR-beta", "TRB"),
        ("alpha", "TRA"),
        ("IGHV4-31*03", "IGH"),
        ("IGK", "IGK"),
        ("blood", None),
        (None, None),
    ],
)
def test_words_for_loci(text: str | None, locus: str | None) -> None:
    assert receptor_locus(text) == locus


def test_a_table_of_receptors_is_judged_alike(profiled: Profiled) -> None:
    clones = [f"CASS{a}{b}F" for a in LETTERS for b in LETTERS]
    head = "patient,locus,junction_aa,duplicate_count\n"
    text = head + "".join(f"P1,{x},{c},2\n" for x in ("TCRB", "IGH") for c in clones)
    made = profiled({"t.csv": (text, {"format": "tcr"})})
    assert made.measured["tcr_richness"]["P1"].note.startswith("TRB, 400 clones")
    assert "400 rows are B-cell receptors" in " ".join(made.study.problems)
    bare = profiled({"t.csv": (text.replace("TCRB", "").replace("IGH", ""), {"format": "tcr"})})
    assert "no locus is given" in " ".join(bare.study.problems)
    with pytest.raises(InputError, match="locus"):
        profiled({"t.csv": (text.replace("TCRB", "blood"), {"format": "tcr"})})
