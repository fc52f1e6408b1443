"""The second allele: files in, call out."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
from tests.profile.study_files import SEEN, maf, profiled, state

from immunescape.api.profiles import ProfiledStudy
from immunescape.profile.profile_json import json_schema
from immunescape.report.profile_text import print_patient

SHIFT = ("B2M", 45003781, "Frame_Shift_Del", "p.L15Ffs*41", 40, 60)
SHIFTED = ("B2M", 45003783, "Frame_Shift_Del", "p.L15Ffs*41", 40, 60)
START = ("B2M", 45003746, "Missense_Mutation", "p.M1R", 40, 60)
MISSENSE = ("B2M", 45003800, "Missense_Mutation", "p.Q28L", 40, 60)
FEW = ("B2M", 45003781, "Frame_Shift_Del", "p.L15Ffs*41", 90, 10)
SAMPLES = "sample,patient,tumour_purity,ploidy,day\nS1,S1,{},2.0,-10\n"
WHOLE, HALF, NEUTRAL, NONE = "S1\tB2M\t2\t1\n", "S1\tB2M\t1\t0\n", "S1\tB2M\t2\t0\n", "S1\tB2M\t0\t0\n"
COPIES = "sample\tgene\ttotal_cn\tminor_cn\n"


def b2m(folder: Path, hits: tuple, copies: str | None = None, purity: str = "0.7", discrete: str | None = None) -> str:
    files = {"mutations.maf": maf(*SEEN, *hits), "samples.csv": SAMPLES.format(purity)}
    if copies is not None:
        files["genes.tsv"] = COPIES + copies
    if discrete is not None:
        files["discrete.txt"] = f"Hugo_Symbol\tS1\nB2M\t{discrete}\n"
    return state(folder, files, "mhc1_genetic_loss")


@pytest.mark.parametrize(
    ("hits", "copies", "discrete", "expected"),
    [
        ((SHIFT,), HALF, None, "present"),
        ((SHIFT,), NEUTRAL, None, "present"),
        ((SHIFT,), None, None, "not_assessable"),
        ((SHIFT,), None, "0", "not_assessable"),
        ((SHIFT,), WHOLE, None, "absent"),
        ((), NONE, None, "present"),
        ((), None, None, "not_assessable"),
        ((), WHOLE, None, "absent"),
        ((), HALF, None, "absent"),
        ((MISSENSE,), HALF, None, "not_assessable"),
        ((MISSENSE,), WHOLE, None, "not_assessable"),
        ((START,), HALF, None, "present"),
        ((SHIFT, SHIFTED), WHOLE, None, "absent"),
        ((SHIFT, MISSENSE), WHOLE, None, "not_assessable"),
    ],
)
def test_loss_of_b2m(hits: tuple, copies: str | None, discrete: str | None, expected: str, tmp_path: Path) -> None:
    assert b2m(tmp_path, hits, copies, discrete=discrete) == expected


def test_low_or_unknown_purity_leaves_a_negative_result_open_and_is_named(tmp_path: Path) -> None:
    quiet = maf(("TTN", 179400000, "Missense_Mutation", "p.A10V", 97, 4))
    files = {"mutations.maf": quiet, "genes.tsv": COPIES + WHOLE, "samples.csv": SAMPLES.format("0.08")}
    done = profiled(tmp_path / "a", files)
    assert done.calls.call("S1", "mhc1_genetic_loss").state == "not_assessable"
    assert "purity of 0.08" in done.measured["b2m_status"]["S1"].note
    del files["samples.csv"]
    assert state(tmp_path / "b", files, "mhc1_genetic_loss") == "not_assessable"
    files["mutations.maf"] = maf(*SEEN)  # reads of other mutations show the tumour cells
    assert state(tmp_path / "c", files, "mhc1_genetic_loss") == "absent"


def test_reads_purity_and_copies_make_a_subclonal_hit(tmp_path: Path) -> None:
    files = {"mutations.maf": maf(*SEEN, FEW), "genes.tsv": COPIES + HALF, "samples.csv": SAMPLES.format("0.7")}
    done = profiled(tmp_path, files)
    found = done.measured["b2m_status"]["S1"]
    assert found.value == "biallelic_loss_subclonal"
    assert "subclonal (CCF 0.1" in found.note
    evidence = done.calls.call("S1", "mhc1_genetic_loss").evidence
    assert any("subclonal (CCF 0.1" in e.statement for e in evidence)


def test_a_hit_of_two_reads_is_not_relied_on(tmp_path: Path) -> None:
    weak = ("B2M", 45003781, "Frame_Shift_Del", "p.L15Ffs*41", 200, 2)
    assert b2m(tmp_path, (weak,), HALF) == "not_assessable"


TWO = "sample,patient,tumour_purity,ploidy,day\nA,P1,0.7,2,-10\nB,P1,0.7,2,200\n"


def lesions(folder: Path, first: tuple, second: tuple, copies: str):
    text = maf(*SEEN, *first, sample="A") + maf(*SEEN, *second, sample="B").partition("\n")[2]
    return profiled(folder, {"samples.csv": TWO, "mutations.maf": text, "genes.tsv": COPIES + copies})


def test_a_hit_in_one_lesion_and_a_lost_copy_in_another_are_not_two_hits(tmp_path: Path) -> None:
    done = lesions(tmp_path / "a", (SHIFT,), (), "A\tB2M\t2\t1\nB\tB2M\t1\t0\n")
    assert done.calls.call("P1", "mhc1_genetic_loss").state == "absent"
    note = done.measured["b2m_status"]["P1"].note
    assert "A (day -10): monoallelic loss" in note
    assert "B (day 200): haploid loss" in note
    done = lesions(tmp_path / "b", (), (SHIFT,), "A\tB2M\t2\t1\nB\tB2M\t1\t0\n")
    assert done.calls.call("P1", "mhc1_genetic_loss").state == "present"


@pytest.mark.parametrize(
    ("first", "copies", "word"),
    [
        ((), "A\tB2M\t2\t1\nB\tB2M\t1\t0\n", "new"),
        ((SHIFT,), "A\tB2M\t1\t0\nB\tB2M\t1\t0\n", "there before"),
        ((MISSENSE,), "A\tB2M\t1\t0\nB\tB2M\t1\t0\n", "not known whether there before"),
    ],
)
def test_what_is_new_at_resistance_stands_apart_in_the_timeline(
    first: tuple, copies: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = lesions(tmp_path, first, (SHIFT,), copies)
    events = [e for e in done.profile.patients["P1"].timeline if e.kind == "gene" and e.day == 200]
    assert [e.label for e in events if e.label.startswith("B2M")] == [f"B2M biallelic loss in B ({word})"]
    jsonschema.validate(ProfiledStudy(done).to_json(), json_schema())
    print_patient(ProfiledStudy(done), "P1")
    assert f"day 200: B2M biallelic loss in B ({word})" in capsys.readouterr().out


HEAVY = "S1\tHLA-A\t{0}\t0\nS1\tHLA-B\t{1}\t0\nS1\tHLA-C\t{2}\t0\n"


@pytest.mark.parametrize(
    ("copies", "expected"), [((0, 0, 0), "present"), ((0.6, 0.3, 0.6), "present"), ((0, 1, 0), "absent")]
)
def test_loss_of_all_heavy_chains_is_present(copies: tuple, expected: str, tmp_path: Path) -> None:
    assert b2m(tmp_path, (), WHOLE + HEAVY.format(*copies)) == expected


@pytest.mark.parametrize(
    ("gene", "ploidy", "copies", "expected"),
    [
        ("MDM2", "4.0", 6, "absent"),
        ("MDM2", "2.0", 6, "present"),
        ("MDM2", "4.0", 8, "present"),
        ("MDM2", "", 6, "not_assessable"),
        ("MDM2", "", 4, "absent"),
        ("MDM2", "", 9, "present"),
        ("MDM4", "4.0", 6, "absent"),
        ("MDM4", "2.0", 6, "present"),
    ],
)
def test_mdm2_and_mdm4_are_amplified_relative_to_ploidy(
    gene: str, ploidy: str, copies: int, expected: str, tmp_path: Path
) -> None:
    other = {"MDM2": "MDM4", "MDM4": "MDM2"}[gene]
    files = {
        "samples.csv": f"sample,patient,tumour_purity,ploidy\nS1,S1,0.7,{ploidy}\n",
        "genes.tsv": f"{COPIES}S1\t{gene}\t{copies}\t1\nS1\t{other}\t2\t1\n",
    }
    assert state(tmp_path, files, "hyperprogression_mdm2") == expected


def test_one_lost_copy_of_stk11_and_keap1_is_no_comutation(tmp_path: Path) -> None:
    kras = ("KRAS", 25398285, "Missense_Mutation", "p.G12C", 60, 40)
    copies = {"genes.tsv": COPIES + "S1\tSTK11\t1\t0\nS1\tKEAP1\t1\t0\n"}
    discrete = {"discrete.txt": "Hugo_Symbol\tS1\nSTK11\t-1\nKEAP1\t-1\n"}
    for number, file in enumerate((copies, discrete)):
        files = {"mutations.maf": maf(*SEEN, kras), "samples.csv": SAMPLES.format("0.7"), **file}
        for mechanism in ("stk11_loss", "keap1_loss", "kras_comutation"):
            assert state(tmp_path / f"{number}{mechanism}", files, mechanism) == "absent"


@pytest.mark.parametrize(
    ("copies", "types", "expected"),
    [
        ("S1\tHLA-A\t1\t0\n", "", "present"),
        ("S1\tHLA-A\t2\t0\n", "S1,A*01:01\nS1,A*02:01\n", "present"),
        ("S1\tHLA-A\t1\t0\n", "S1,A*01:01\nS1,A*01:01\n", "not_assessable"),
        ("S1\tHLA-A\t2\t1\nS1\tHLA-B\t2\t1\nS1\tHLA-C\t2\t1\n", "", "not_assessable"),
    ],
)
def test_a_minor_copy_number_of_zero_is_loss_of_heterozygosity_of_hla(
    copies: str, types: str, expected: str, tmp_path: Path
) -> None:
    files = {"genes.tsv": COPIES + copies, "samples.csv": SAMPLES.format("0.7")}
    if types:
        files["hla.csv"] = "patient,allele\n" + types
    assert state(tmp_path, files, "hla_loh") == expected


def test_a_discrete_loss_and_few_reads_make_a_subclonal_hit(tmp_path: Path) -> None:
    discrete = {"discrete.txt": "Hugo_Symbol\tS1\nB2M\t-1\n"}
    done = profiled(tmp_path, {"mutations.maf": maf(*SEEN, FEW), "samples.csv": SAMPLES.format("0.7"), **discrete})
    assert done.measured["b2m_status"]["S1"].value == "biallelic_loss_subclonal"


def test_polymorphisms_are_no_proof_of_tumour_cells(tmp_path: Path) -> None:
    germline = (
        ("EGFR", 55229255, "Missense_Mutation", "p.Arg521Lys", 50, 50),
        ("TP53", 7579472, "Missense_Mutation", "p.P72R", 50, 50),
    )
    assert state(tmp_path, {"mutations.maf": maf(*germline), "genes.tsv": COPIES + WHOLE}, "mhc1_genetic_loss") == (
        "not_assessable"
    )


def test_the_reads_of_a_hit_show_the_tumour_cells_of_its_second_allele(tmp_path: Path) -> None:
    files = {"mutations.maf": maf(SHIFT, SHIFTED), "genes.tsv": COPIES + WHOLE}
    assert profiled(tmp_path, files).measured["b2m_status"]["S1"].value == "monoallelic_loss"
