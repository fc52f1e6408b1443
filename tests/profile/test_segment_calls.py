"""Copy-number segments of each tool in, calls out."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tests.profile.study_files import SEEN, maf, profiled, state

from immunescape.errors import InputError
from immunescape.profile.biomarkers.gene_copies import copies_of_log2, gene_copies, sample_ploidy, sample_purity
from immunescape.profile.gene_places import gene_places
from immunescape.profile.loading import load_study

PLACES = gene_places("GRCh37")
B2M = PLACES["B2M"]
ARM = (20_000_000, 102_000_000)  # the long arm of chromosome 15
CALLS = {
    "B2M": "mhc1_genetic_loss",
    "JAK1": "ifng_pathway_loss",
    "TAP1": "apm_genetic_loss",
    "STK11": "stk11_loss",
    "KEAP1": "keap1_loss",
}


def facets(chrom: str, start: int, end: int, total: int, minor: int, log2: float) -> tuple[str, str, str]:
    text = "chrom\tseg\tnum.mark\tnhet\tcnlr.median\tmafR\tstart\tend\tcf.em\ttcn.em\tlcn.em\n"
    row = f"{chrom}\t1\t300\t40\t{log2}\t0.1\t{start}\t{end}\t0.6\t{total}\t{minor}\n"
    return "allele_specific.tsv", text + row, "sample: S1"


def ascat(chrom: str, start: int, end: int, total: int, minor: int, log2: float) -> tuple[str, str, str]:
    text = "sample\tchr\tstartpos\tendpos\tnMajor\tnMinor\n"
    return "allele_specific.tsv", text + f"S1\t{chrom}\t{start}\t{end}\t{total - minor}\t{minor}\n", ""


def purple(chrom: str, start: int, end: int, total: int, minor: int, log2: float) -> tuple[str, str, str]:
    text = "chromosome\tstart\tend\tcopyNumber\tbafCount\tobservedBAF\tminorAlleleCopyNumber\n"
    return "allele_specific.tsv", text + f"{chrom}\t{start}\t{end}\t{total + 0.03}\t9\t0.5\t{minor}\n", "sample: S1"


def gdc_alleles(chrom: str, start: int, end: int, total: int, minor: int, log2: float) -> tuple[str, str, str]:
    text = "GDC_Aliquot\tChromosome\tStart\tEnd\tCopy_Number\tMajor_Copy_Number\tMinor_Copy_Number\n"
    return "allele_specific.tsv", text + f"S1\tchr{chrom}\t{start}\t{end}\t{total}\t{total - minor}\t{minor}\n", ""


def seg(chrom: str, start: int, end: int, total: int, minor: int, log2: float) -> tuple[str, str, str]:
    text = "ID\tchrom\tloc.start\tloc.end\tnum.mark\tseg.mean\n"
    return "ratios.seg", text + f"S1\t{chrom}\t{start}\t{end}\t300\t{log2}\n", ""


def gdc(chrom: str, start: int, end: int, total: int, minor: int, log2: float) -> tuple[str, str, str]:
    text = "GDC_Aliquot\tChromosome\tStart\tEnd\tNum_Probes\tSegment_Mean\n"
    return "ratios.seg", text + f"S1\t{chrom}\t{start}\t{end}\t300\t{log2}\n", ""


def cnvkit(chrom: str, start: int, end: int, total: int, minor: int, log2: float) -> tuple[str, str, str]:
    text = "chromosome\tstart\tend\tgene\tlog2\tdepth\tprobes\tweight\n"
    return "ratios.seg", text + f"chr{chrom}\t{start}\t{end}\tX,Y\t{log2}\t50\t300\t9\n", "sample: S1"


ABSOLUTE = (facets, ascat, purple, gdc_alleles)
RELATIVE = (seg, gdc, cnvkit)
EVERY = (*ABSOLUTE, *RELATIVE)


def call(folder: Path, tool, gene: str, total: int, minor: int, log2: float, mutations: str = "", **more) -> str:
    place = PLACES[gene]
    name, text, option = tool(place.chrom, place.start - 10**6, place.end + 10**6, total, minor, log2)
    files = {name: text} | ({"mutations.maf": mutations} if mutations else {}) | more
    return state(folder, files, CALLS[gene], options={name: option} if option else {})


@pytest.mark.parametrize(
    ("tool", "gene"), [*((t, "B2M") for t in EVERY), *((ascat, g) for g in CALLS if g != "B2M"), (seg, "STK11")]
)
def test_a_homozygous_deletion_in_segments_alone_is_present(tool, gene: str, tmp_path: Path) -> None:
    assert call(tmp_path, tool, gene, 0, 0, -4.5) == "present"


@pytest.mark.parametrize("tool", [facets, purple, seg, cnvkit])
def test_a_neutral_segment_and_no_mutation_is_absent(tool, tmp_path: Path) -> None:
    assert call(tmp_path, tool, "STK11", 2, 1, 0.01, maf(*SEEN)) == "absent"


STOP = ("B2M", 45003781, "Frame_Shift_Del", "p.L15Ffs*41", 40, 60)


@pytest.mark.parametrize(
    ("tool", "total", "minor", "expected"),
    [*((t, 2, 0, "present") for t in ABSOLUTE), (ascat, 1, 0, "present"), (ascat, 2, 1, "absent")],
)
def test_segments_tell_the_second_allele(tool, total: int, minor: int, expected: str, tmp_path: Path) -> None:
    mutations = maf(STOP, *SEEN)
    assert call(tmp_path, tool, "B2M", total, minor, 0.0, mutations) == expected


@pytest.mark.parametrize("tool", RELATIVE)
def test_a_neutral_log2_ratio_does_not_tell_the_second_allele(tool, tmp_path: Path) -> None:
    assert call(tmp_path, tool, "B2M", 2, 1, 0.0, maf(STOP, *SEEN)) == "not_assessable"


@pytest.mark.parametrize(("log2", "expected"), [(-0.7, "not_assessable"), (-0.35, "not_assessable"), (-0.02, "absent")])
def test_a_log2_ratio_without_purity_gives_what_it_can(log2: float, expected: str, tmp_path: Path) -> None:
    assert call(tmp_path, seg, "STK11", 2, 1, log2, maf(*SEEN)) == expected


@pytest.mark.parametrize(
    ("purity", "ploidy", "log2", "expected"),
    [("0.7", "2.0", "-1.70", "present"), ("0.4", "2.0", "-0.72", "present"), ("0.7", "2.0", "-0.62", "absent")],
)
def test_purity_and_ploidy_turn_a_log2_ratio_into_copies(
    purity: str, ploidy: str, log2: str, expected: str, tmp_path: Path
) -> None:
    samples = f"sample,patient,tumour_purity,ploidy\nS1,S1,{purity},{ploidy}\n"
    found = call(tmp_path, seg, "STK11", 0, 0, float(log2), maf(*SEEN), **{"samples.csv": samples})
    assert found == expected


def test_copies_of_log2_invert_the_mixture_of_tumour_and_normal_cells() -> None:
    from math import log2

    for purity in (0.3, 0.7):
        for ploidy in (2.0, 3.4):
            for total in (0.0, 1.0, 3.0, 8.0):
                ratio = log2((purity * total + 2 * (1 - purity)) / (purity * ploidy + 2 * (1 - purity)))
                assert copies_of_log2(ratio, purity, ploidy) == pytest.approx((total, total), abs=1e-9)
                low, high = copies_of_log2(ratio)
                assert low <= total + 1e-9 or ploidy not in (2.0,)
                assert low <= high


def two(first: tuple[int, int], second: tuple[int, int], at: int) -> str:
    text = "sample\tchr\tstartpos\tendpos\tnMajor\tnMinor\n"
    for (a, b), (start, end) in zip((first, second), ((ARM[0], at), (at + 1, ARM[1])), strict=True):
        text += f"S1\t15\t{start}\t{end}\t{a}\t{b}\n"
    return text


def test_a_break_within_a_gene_leaves_its_copies_open(tmp_path: Path) -> None:
    inside = (B2M.start + B2M.end) // 2
    files = {"mutations.maf": maf(*SEEN), "allele_specific.tsv": two((1, 1), (0, 0), inside)}
    done = profiled(tmp_path / "a", files)
    assert done.calls.call("S1", "mhc1_genetic_loss").state == "not_assessable"
    assert "break lies within B2M" in done.measured["b2m_status"]["S1"].note
    files["allele_specific.tsv"] = two((1, 1), (1, 1), inside)  # the same copies on both sides: no break
    assert state(tmp_path / "b", files, "stk11_loss") == "not_assessable"
    assert profiled(tmp_path / "c", files).measured["b2m_status"]["S1"].value == "wild_type"


def test_a_gene_that_no_segment_covers_is_not_assessable(tmp_path: Path) -> None:
    text = f"sample\tchr\tstartpos\tendpos\tnMajor\tnMinor\nS1\t15\t{ARM[0]}\t{B2M.start - 5000}\t1\t1\n"
    done = profiled(tmp_path, {"mutations.maf": maf(*SEEN), "allele_specific.tsv": text})
    assert done.calls.call("S1", "mhc1_genetic_loss").state == "not_assessable"
    assert "no segment with a copy number covers B2M" in done.measured["b2m_status"]["S1"].note


def test_the_genome_build_is_asked_for_where_it_cannot_be_told(tmp_path: Path) -> None:
    name, text, _ = ascat("15", *ARM, 0, 0, -4.5)
    done = profiled(tmp_path / "a", {name: text}, build="")
    assert done.calls.call("S1", "mhc1_genetic_loss").state == "not_assessable"
    assert any("genome_build: GRCh37 or GRCh38" in p for p in done.profile.problems)
    assert state(tmp_path / "b", {name: text, "mutations.maf": maf(*SEEN)}, "mhc1_genetic_loss", build="") == "present"
    whole = "sample\tchr\tstartpos\tendpos\tnMajor\tnMinor\nS1\t1\t1\t249250621\t1\t1\nS1\t15\t1\t102531392\t0\t0\n"
    assert state(tmp_path / "c", {name: whole}, "mhc1_genetic_loss", build="") == "present"  # longer than in GRCh38


def test_what_is_missing_in_a_file_of_segments_is_asked_for(tmp_path: Path) -> None:
    name, text, _ = facets("15", *ARM, 0, 0, -4.5)
    with pytest.raises(InputError, match="sample: NAME"):
        profiled(tmp_path / "a", {name: text})
    bad = text.replace("tcn.em", "cn_total")
    with pytest.raises(InputError, match=r"columns: \{total_cn: COLUMN\}"):
        profiled(tmp_path / "b", {name: bad}, options={name: "sample: S1"})
    mapped = "sample: S1, columns: {total_cn: cn_total}"
    assert profiled(tmp_path / "c", {name: bad}, options={name: mapped}).calls.call(
        "S1", "mhc1_genetic_loss"
    ).state == ("present")


def test_ploidy_is_the_mean_over_the_autosomes_and_facets_tells_purity(tmp_path: Path) -> None:
    header = "chrom\tseg\tnum.mark\tstart\tend\tcf.em\ttcn.em\tlcn.em\n"
    rows = "".join(f"{c}\t1\t9\t1000000\t101000000\t1\t2\t1\n" for c in range(1, 11))
    rows += "".join(f"{c}\t2\t9\t101000001\t116000000\t0.63\t5\t2\n" for c in range(1, 11) if c != 10)
    rows += "10\t2\t9\t101000001\t116000000\t0.4\t5\t2\n11\t2\t9\t1000000\t101000000\t0.63\t5\t2\n"
    rows += "12\t2\t9\t1000000\t101000000\t0.63\t5\t2\n13\t2\t9\t1000000\t101000000\t0.63\t5\t2\n"
    rows += "23\t3\t9\t1\t99000000\t0.4\t1\t0\n"
    profiled(tmp_path, {"allele_specific.tsv": header + rows}, options={"allele_specific.tsv": "sample: S1"})
    study = load_study(tmp_path)
    assert sample_ploidy(study)["S1"] == pytest.approx((10 * 100 * 2 + 450 * 5) / 1450)
    assert sample_purity(study)["S1"] == pytest.approx(0.63)


def test_the_real_purple_run_gives_its_own_ploidy_purity_and_driver_copies(shared_data: Path, tmp_path: Path) -> None:
    run = shared_data / "tool_outputs" / "hmftools_orange_test_run"
    text = (run / "tumor_sample.purple.cnv.somatic.tsv").read_text()
    profiled(tmp_path, {"allele_specific.tsv": text}, build="", options={"allele_specific.tsv": "sample: S1"})
    study = load_study(tmp_path)
    truth = pd.read_csv(run / "tumor_sample.purple.purity.tsv", sep="\t").iloc[0]
    assert study.genome_build == "GRCh37"
    assert sample_ploidy(study)["S1"] == pytest.approx(truth["ploidy"], abs=0.1)
    assert sample_purity(study)["S1"] == pytest.approx(truth["purity"], abs=0.05)
    copies = gene_copies(study)
    listed = pd.read_csv(run / "tumor_sample.linx.driver.catalog.tsv", sep="\t").drop_duplicates("gene")
    checked = 0
    for gene, low, high in zip(listed["gene"], listed["minCopyNumber"], listed["maxCopyNumber"], strict=True):
        if ("S1", gene) not in copies or high - low > 0.2:
            continue
        assert copies["S1", gene].total == pytest.approx(low, abs=0.15)
        checked += 1
    assert checked >= 2


def test_coordinates_hold_every_mutation_of_a_real_panel_study(shared_data: Path) -> None:
    frame = pd.read_csv(
        shared_data / "msk_nsclc_pd1_2018" / "data_mutations.txt", sep="\t", dtype=str, low_memory=False
    )
    frame = frame[frame["Hugo_Symbol"].isin(PLACES)]
    outside = [
        (gene, start)
        for gene, chrom, start in zip(
            frame["Hugo_Symbol"], frame["Chromosome"], frame["Start_Position"].astype(int), strict=True
        )
        if chrom != PLACES[gene].chrom or not PLACES[gene].start - 30 <= start <= PLACES[gene].end + 30
    ]
    assert len(frame) > 800
    assert not outside


def test_both_builds_place_the_same_genes_with_the_same_span() -> None:
    new = gene_places("GRCh38")
    assert new.keys() == PLACES.keys()
    for gene, place in new.items():
        assert place.chrom == PLACES[gene].chrom
        assert place.end - place.start == pytest.approx(PLACES[gene].end - PLACES[gene].start, abs=200)


@pytest.mark.parametrize("file", ["cnvkit/p2-9_2.call.cns", "cnvkit/tr95t.cns", "seg/TCGA.AB.3009.hg19.seg.txt"])
def test_real_segments_of_log2_ratios_act_or_say_why_not(shared_data: Path, tmp_path: Path, file: str) -> None:
    text = (shared_data / "tool_outputs" / file).read_text()
    option = "" if "seg/" in file else "sample: S1"
    done = profiled(tmp_path, {"ratios.seg": text}, options={"ratios.seg": option} if option else {})
    states = list(gene_copies(done.study).values())
    assert any(c.low == c.low or c.total == c.total for c in states)
    assert all(c.why or c.label for c in states)
    assert any("without a tumour purity" in p for p in done.profile.problems)


def test_log2_ratios_without_purity_never_contradict_the_callers_own_states(shared_data: Path) -> None:
    study = load_study(shared_data / "msk_nsclc_pd1_2018")
    copies = gene_copies(study)
    told = {"deleted": 0, "kept": 0, "open": 0}
    neutral = dict(told)
    for sample, gene, discrete in study.copy_number[["sample", "gene", "discrete"]].to_numpy(dtype=object).tolist():
        found = copies.get((sample, gene))
        if found is None or found.low != found.low or discrete not in (-2.0, 0.0):
            continue
        word = "deleted" if found.high < 0.7 else "kept" if found.low >= 0.7 else "open"
        (told if discrete == -2.0 else neutral)[word] += 1
    assert neutral["deleted"] == 0
    assert neutral["kept"] > 12_000
    assert told["kept"] <= 1  # CD274, a deletion smaller than its segment
    assert told["deleted"] >= 4
