"""Mutations in a plain table: their reads, their samples' patients, and words that are not known."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.profile.study_files import SEEN, maf, profiled, state, states, written

from immunescape.api.profiles import ProfiledStudy
from immunescape.errors import InputError
from immunescape.profile.biomarkers.registry import measure
from immunescape.profile.loading import load_study

HEADER = "patient,sample,gene,classification,protein_change,chrom,start,ref,alt,{}\n"
READS = "t_ref_count,t_alt_count"
SHALLOW = "230,20"


def table(*rows: str, reads: str = READS) -> str:
    seen = ("TTN,Missense_Mutation,A10V,2,179400000,C,T,60,40", "MUC16,Missense_Mutation,R20C,19,9000000,C,T,70,30")
    return HEADER.format(reads) + "".join(f"S1,S1,{row}\n" for row in (*seen, *rows))


SAMPLES = "sample,patient,tumour_purity,ploidy,day\nS1,S1,0.7,2.0,-10\n"
COPIES = "sample\tgene\ttotal_cn\tminor_cn\nS1\tJAK1\t1\t0\n"


@pytest.mark.parametrize("reads", [READS, "ref_reads,alt_reads", "Ref Count,Alt Count", "t_ref,t_alt"])
def test_reads_of_a_table_tell_a_subclonal_loss_as_those_of_a_maf_do(reads: str, tmp_path: Path) -> None:
    row = f"JAK1,Frame_Shift_Del,L431Vfs*22,1,65310000,C,T,{SHALLOW}"
    files = {"mutations.csv": table(row, reads=reads), "samples.csv": SAMPLES, "genes.tsv": COPIES}
    status = measure(written(tmp_path, files), ["jak1_status"])["jak1_status"]["S1"]
    assert status.value == "biallelic_loss_subclonal"
    assert "subclonal (CCF" in status.note


def test_columns_of_reads_can_be_named(tmp_path: Path) -> None:
    text = table("JAK1,Frame_Shift_Del,L431Vfs*22,1,65310000,C,T,250,20", reads="all_reads,with_variant")
    text = text.replace("60,40", "100,40").replace("70,30", "100,30")
    options = {"mutations.csv": "columns: {t_depth: all_reads, t_alt_count: with_variant}"}
    mutations = written(tmp_path, {"mutations.csv": text}, options=options).mutations
    assert mutations["vaf"].tolist() == pytest.approx([0.4, 0.3, 0.08])
    assert mutations["t_depth"].tolist() == [100, 100, 250]


def test_a_variant_without_reads_in_the_tumour_is_left_out_of_a_table(tmp_path: Path) -> None:
    study = written(tmp_path, {"mutations.csv": table("STK11,Nonsense_Mutation,Q100*,19,1220400,C,T,100,0")})
    assert study.mutations["gene"].tolist() == ["TTN", "MUC16"]
    assert any("no read with the variant" in p and "(lines 4)" in p for p in study.problems)


def test_a_sample_whose_rows_are_all_left_out_was_sequenced(tmp_path: Path) -> None:
    text = HEADER.format(READS) + "P7,T7,STK11,Nonsense_Mutation,Q100*,19,1220400,C,T,100,0\n"
    study = written(tmp_path, {"mutations.csv": text})
    assert study.samples[["sample", "patient"]].to_numpy().tolist() == [["T7", "P7"]]
    assert study.covered("STK11") == {"P7": True}


def test_reads_of_the_normal_and_frequencies_in_populations_are_heeded_in_a_table(tmp_path: Path) -> None:
    columns = f"{READS},n_ref_count,n_alt_count,gnomAD_AF"
    head = HEADER.format(columns)
    rows = (
        "S1,S1,TTN,Missense_Mutation,A10V,2,179400000,C,T,60,40,50,0,",
        "S1,S1,MUC16,Missense_Mutation,R20C,19,9000000,C,T,50,50,25,25,",
        "S1,S1,STK11,Missense_Mutation,F354L,19,1223125,C,G,50,50,50,0,0.05",
    )
    mutations = written(tmp_path, {"mutations.csv": head + "\n".join(rows) + "\n"}).mutations
    assert mutations["gene"].tolist() == ["TTN", "MUC16"]
    assert [g is True for g in mutations["germline"]] == [False, True]


def test_an_allele_frequency_that_the_table_gives_stands(tmp_path: Path) -> None:
    text = table("KRAS,Missense_Mutation,G12C,12,25398285,C,A,50,50").replace(READS, f"{READS},vaf")
    text = text.replace("60,40", "60,40,41").replace("70,30", "70,30,29").replace("50,50", "50,50,52")
    study = written(tmp_path, {"mutations.csv": text}, options={"mutations.csv": "units: {vaf: percent}"})
    assert study.mutations["vaf"].tolist() == pytest.approx([0.41, 0.29, 0.52])


def test_more_reads_with_the_variant_than_reads_are_refused(tmp_path: Path) -> None:
    text = table("KRAS,Missense_Mutation,G12C,12,25398285,C,A,30,50", reads="t_depth,t_alt_count")
    with pytest.raises(InputError, match="larger than the depth"):
        written(tmp_path, {"mutations.csv": text.replace("60,40", "60,40")})


def test_a_table_that_names_patient_and_sample_says_whose_the_sample_is_in_other_files(tmp_path: Path) -> None:
    text = table().replace("S1,S1,", "P7,T7,")
    copies = "sample\tgene\ttotal_cn\tminor_cn\nT7\tJAK1\t2\t1\n"
    purity = "sample\tpurity\tploidy\nT7\t0.06\t2.0\n"
    study = written(tmp_path, {"genes.tsv": copies, "purity.tsv": purity, "mutations.csv": text})
    assert study.patient_ids == ["P7"]
    assert study.samples[["sample", "patient", "tumour_purity"]].to_numpy().tolist() == [["T7", "P7", 0.06]]
    assert not any("its own patient" in p for p in study.problems)


OPEN = "not_assessable"


@pytest.mark.parametrize(("purity", "expected"), [("0.06", OPEN), ("0.6", "absent"), ("", OPEN)])
def test_a_low_or_unknown_purity_leaves_no_amplification_open(purity: str, expected: str, tmp_path: Path) -> None:
    copies = "sample\tgene\ttotal_cn\tminor_cn\nS1\tMET\t2\t1\nS1\tMDM2\t2\t1\nS1\tMDM4\t2\t1\n"
    samples = SAMPLES.replace("0.7", purity)
    study = written(tmp_path, {"genes.tsv": copies, "samples.csv": samples})
    assert states(study, "met_amplification", "hyperprogression_mdm2") == [expected, expected]


def test_a_low_purity_takes_no_amplification_away(tmp_path: Path) -> None:
    files = {
        "genes.tsv": "sample\tgene\ttotal_cn\tminor_cn\nS1\tMET\t15\t1\n",
        "samples.csv": SAMPLES.replace("0.7", "0.06"),
    }
    assert state(tmp_path, files, "met_amplification") == "present"


def test_the_hint_for_an_unknown_consequence_names_no_class_at_random(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        written(tmp_path, {"mutations.csv": table("STK11,premature stop,Q100*,19,1220400,C,T,60,40")})
    assert "'premature stop': CLASS" in str(caught.value.hint)
    assert "Nonsense_Mutation" in str(caught.value.hint)


PDL1 = "patient,sample,assay,score,value_percent\n"


@pytest.mark.parametrize("values", [("0.6",), ("0.6", "0.02"), ("1", "0.4")])
def test_pdl1_that_may_be_a_fraction_is_asked_for_its_unit(values: tuple[str, ...], tmp_path: Path) -> None:
    text = PDL1 + "".join(f"P{i},T{i},22C3,tps,{v}\n" for i, v in enumerate(values))
    with pytest.raises(InputError, match="percent or fraction"):
        written(tmp_path / "a", {"pdl1.csv": text})
    fraction = written(tmp_path / "b", {"pdl1.csv": text}, options={"pdl1.csv": "units: {value_percent: fraction}"})
    assert fraction.pdl1["value_percent"].tolist() == pytest.approx([100 * float(v) for v in values])
    percent = written(tmp_path / "c", {"pdl1.csv": text}, options={"pdl1.csv": "units: {value_percent: percent}"})
    assert percent.pdl1["value_percent"].tolist() == pytest.approx([float(v) for v in values])


@pytest.mark.parametrize("values", [("1",), ("0", "1"), ("0",), ("0.5", "60")])
def test_pdl1_in_percent_is_not_asked_for(values: tuple[str, ...], tmp_path: Path) -> None:
    text = PDL1 + "".join(f"P{i},T{i},22C3,tps,{v}\n" for i, v in enumerate(values))
    study = written(tmp_path, {"pdl1.csv": text})
    assert study.pdl1["value_percent"].tolist() == pytest.approx([float(v) for v in values])


def test_drivers_that_nobody_tested_are_not_called_unseen(tmp_path: Path) -> None:
    text = PDL1 + "S1,S1,22C3,tps,70\n"
    alone = ProfiledStudy(profiled(tmp_path / "a", {"pdl1.csv": text})).patients["S1"].stratum
    assert (alone.name, alone.title) == ("pdl1_high", "Drivers not tested, PD-L1 ≥ 50 %")
    assert alone.caveat == "not excluded: EGFR, ALK, ROS1, RET, MET, BRAF V600, NTRK1, NTRK2, NTRK3"
    both = ProfiledStudy(profiled(tmp_path / "b", {"pdl1.csv": text, "mutations.maf": maf(*SEEN)}))
    sequenced = both.patients["S1"].stratum
    assert sequenced.title == "No targetable driver detected, PD-L1 ≥ 50 %"
    assert sequenced.caveat == "not excluded: ALK, ROS1, RET, NTRK1, NTRK2, NTRK3"  # no rearrangements were looked for


@pytest.mark.parametrize(
    ("variant", "group"),
    [
        ("BRAF p.V600E", "driver"),
        ("BRAF p.G469A", "pdl1_high"),
        ("KRAS p.G12C", "pdl1_high"),
        ("EGFR p.L858R", "driver"),
    ],
)
def test_who_has_a_target_of_an_approved_first_inhibitor_is_in_the_group_of_drivers(
    variant: str, group: str, tmp_path: Path
) -> None:
    text = PDL1 + "S1,S1,22C3,tps,70\n"
    gene, protein = variant.split()
    study = profiled(
        tmp_path,
        {"pdl1.csv": text, "mutations.maf": maf(*SEEN, (gene, 140453136, "Missense_Mutation", protein, 60, 40))},
    )
    assert ProfiledStudy(study).patients["S1"].stratum.name == group


def test_the_hint_for_transcripts_keeps_the_format_of_one_sample(tmp_path: Path) -> None:
    rows = "".join(f"ENST{i:011d}.1\t1000\t850.0\t{i % 50}\t{i % 300}\n" for i in range(50))
    (tmp_path / "quant.sf").write_text("Name\tLength\tEffectiveLength\tTPM\tNumReads\n" + rows, encoding="utf-8")
    manifest = "study: s\nfiles:\n  - {file: quant.sf, format: quantification, patient: P1}\n"
    (tmp_path / "manifest.yaml").write_text(manifest, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_study(tmp_path)
    assert "tx2gene" in str(caught.value.hint)
    assert "use format: expression" not in str(caught.value.hint)


def test_a_sample_of_two_patients_is_refused(tmp_path: Path) -> None:
    text = table() + table().split("\n", 1)[1].replace("S1,S1,", "P2,S1,")
    with pytest.raises(InputError, match="'S1' is of two patients, S1 and P2"):
        written(tmp_path, {"mutations.csv": text})


def test_segments_that_list_their_genes_are_read_as_segments(tmp_path: Path) -> None:
    head = "chromosome\tstart\tend\tgene\tlog2\tcn\tcn1\tcn2\n"
    rows = (
        "chr19\t10000\t10400000\tSTK11,GNA11\t0\t2\t1\t1\nchr19\t10400001\t10700000\tDNMT1,KEAP1,ICAM1\t-2\t0\t0\t0\n"
    )
    files = {"allele_specific.tsv": head + rows, "samples.csv": SAMPLES}
    options = {"allele_specific.tsv": "sample: S1, columns: {total_cn: cn, minor_cn: cn2}"}
    study = written(tmp_path, files, options=options)
    assert states(study, "keap1_loss") == ["present"]
    assert any("lists the genes of each segment" in p for p in study.problems)


def test_saliva_that_is_declared_as_stool_is_doubted(tmp_path: Path) -> None:
    head = "#clade_name\tP1\n"
    mouth = ("Streptococcus_mitis", "Veillonella_parvula", "Rothia_mucilaginosa", "Prevotella_melaninogenica")
    gut = ("Bacteroides_uniformis", "Faecalibacterium_prausnitzii", "Roseburia_hominis", "Blautia_obeum")
    doubts = []
    for name, species in (("mouth", mouth), ("gut", gut)):
        folder = tmp_path / name
        folder.mkdir()
        rows = "".join(f"k__Bacteria|g__{s.split('_')[0]}|s__{s}\t25\n" for s in species)
        (folder / "m.tsv").write_text(head + rows, encoding="utf-8")
        manifest = "study: s\nfiles:\n  - {file: m.tsv, format: metaphlan, site: stool}\n"
        (folder / "manifest.yaml").write_text(manifest, encoding="utf-8")
        doubts.append([p for p in load_study(folder).problems if "declared as stool" in p])
    assert len(doubts[0]) == 1
    assert "P1" in doubts[0][0]
    assert doubts[1] == []


@pytest.mark.parametrize(
    ("line", "name", "text", "advice"),
    [
        ("format: expression, unit: fpkm", "e.tsv", "gene\tP1\nSTK11\t3\n", "Convert it to TPM"),
        ("format: labs", "l.csv", "patient,day,analyte,value,unit\nP,2024-03-01,CRP,4,mg/L\n", "Days count from"),
        ("format: labs", "l.csv", "patient,day,analyte,value,unit\nP,soon,CRP,4,mg/L\n", "decimal point"),
    ],
)
def test_the_hint_says_what_to_do(line: str, name: str, text: str, advice: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "manifest.yaml").write_text(f"study: s\nfiles:\n  - {{file: {name}, {line}}}\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_study(tmp_path)
    assert advice in str(caught.value.hint)
