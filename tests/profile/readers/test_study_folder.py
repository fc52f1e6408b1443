"""cBioPortal study folders as downloaded: what is found, what is left out and told, and how a unit is answered."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from immunescape.errors import InputError
from immunescape.profile.assemble import assemble
from immunescape.profile.loading import load_study
from immunescape.profile.study import Study

PATIENTS = "PATIENT_ID\tSEX\nP1\tFemale\nP2\tMale\nP3\tMale\n"
SAMPLES = "PATIENT_ID\tSAMPLE_ID\nP1\tS1\nP2\tS2\nP3\tS3\n"
HEAD = (
    "Hugo_Symbol\tNCBI_Build\tChromosome\tStart_Position\tVariant_Classification\tReference_Allele\t"
    "Tumor_Seq_Allele2\tTumor_Sample_Barcode\tHGVSp_Short\tt_ref_count\tt_alt_count\n"
)
ROWS = {
    "tp53": "TP53\tGRCh37\t17\t7577120\tMissense_Mutation\tC\tT\tS1\tp.R273H\t60\t40\n",
    "kras": "KRAS\tGRCh37\t12\t25398285\tMissense_Mutation\tC\tA\tS2\tp.G12C\t70\t30\n",
    "stk11": "STK11\tGRCh37\t19\t1207021\tNonsense_Mutation\tC\tT\tS3\tp.Q37*\t50\t50\n",
    "egfr": "EGFR\tGRCh37\t7\t55259515\tMissense_Mutation\tT\tG\tS1\tp.L858R\t80\t20\n",
}
MAF = HEAD + "".join(ROWS.values())
PANEL = "stable_id: P\ngene_list: TP53\tKRAS\tSTK11\tKEAP1\tEGFR\tB2M\n"
MATRIX = "SAMPLE_ID\tmutations\nS1\tP\nS2\tP\nS3\tP\n"
CLINICAL_META = "genetic_alteration_type: CLINICAL\ndatatype: {}_ATTRIBUTES\ndata_filename: {}\n"


def study_of(folder: Path, files: dict[str, str], units: dict[str, str] | None = None, base: bool = True) -> Study:
    plain = {"data_clinical_patient.txt": PATIENTS, "data_clinical_sample.txt": SAMPLES} if base else {}
    for name, text in (plain | files).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return load_study(folder, units)


def told(study: Study, *words: str) -> bool:
    return any(all(w in p for w in words) for p in study.problems)


def note(study: Study, file: str) -> Any:
    return next(r for r in study.reads if r.file == file)


def state(study: Study, mechanism: str) -> dict[str, str]:
    done = assemble(study)
    return {p: profile.calls[mechanism].state for p, profile in done.profile.patients.items()}


def test_files_are_what_their_meta_files_say_whatever_they_are_called(tmp_path: Path) -> None:
    study = study_of(
        tmp_path,
        {
            "meta_a.txt": CLINICAL_META.format("PATIENT", "people.tsv"),
            "meta_b.txt": CLINICAL_META.format("SAMPLE", "tumours.tsv"),
            "meta_c.txt": "genetic_alteration_type: MUTATION_EXTENDED\ndatatype: MAF\ndata_filename: variants.tsv\n",
            "meta_d.txt": "genetic_alteration_type: COPY_NUMBER_ALTERATION\ndatatype: DISCRETE_LONG\n"
            "stable_id: gistic\ndata_filename: copies.tsv\n",
            "meta_e.txt": "genetic_alteration_type: STRUCTURAL_VARIANT\ndatatype: SV\ndata_filename: breaks.tsv\n",
            "people.tsv": PATIENTS,
            "tumours.tsv": SAMPLES,
            "variants.tsv": MAF,
            "copies.tsv": "Hugo_Symbol\tEntrez_Gene_Id\tSample_Id\tValue\nB2M\t567\tS1\t-2\n\t7157\tS2\t-1\n"
            "B2M\t567\tS1\t0\n",
            "breaks.tsv": "Sample_Id\tSV_Status\tSite1_Hugo_Symbol\tSite2_Hugo_Symbol\nS1\tSOMATIC\tEML4\tALK\n",
        },
        base=False,
    )
    assert study.patient_ids == ["P1", "P2", "P3"]
    assert len(study.mutations) == 4
    copies = dict(zip(study.copy_number["gene"], study.copy_number["discrete"], strict=True))
    assert copies == {"B2M": -2.0, "TP53": -1.0}
    assert list(study.structural_variants["gene2"]) == ["ALK"]


def test_a_meta_file_overrules_the_name_of_its_file(tmp_path: Path) -> None:
    """Z-scores under a name that says TPM are no expression; a patient table under a sample's name is one."""
    study = study_of(
        tmp_path,
        {
            "meta_x.txt": "genetic_alteration_type: MRNA_EXPRESSION\ndatatype: Z-SCORE\ndata_filename: data_tpm.txt\n",
            "data_tpm.txt": "Hugo_Symbol\tS1\nTP53\t-1.2\n",
        },
    )
    assert not study.has("expression")
    assert "z-scores" in note(study, "data_tpm.txt").left


def test_a_file_that_a_meta_file_names_and_nobody_gave_is_told(tmp_path: Path) -> None:
    meta = "genetic_alteration_type: MUTATION_EXTENDED\ndatatype: MAF\ndata_filename: data_mutations.txt\n"
    study = study_of(tmp_path, {"meta_mutations.txt": meta})
    assert told(study, "meta_mutations.txt", "data_mutations.txt", "not in the folder")
    assert not study.has("mutations")


def test_a_meta_file_cannot_reach_out_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text(MAF)
    inside = tmp_path / "study"
    inside.mkdir()
    meta = "genetic_alteration_type: MUTATION_EXTENDED\ndatatype: MAF\ndata_filename: ../secret.txt\n"
    with pytest.raises(InputError, match="outside the study folder"):
        study_of(inside, {"meta_mutations.txt": meta})


def test_files_that_nothing_reads_are_listed_with_the_reason(tmp_path: Path) -> None:
    study = study_of(
        tmp_path,
        {
            "meta_m.txt": "genetic_alteration_type: METHYLATION\ndatatype: CONTINUOUS\ndata_filename: data_m.txt\n",
            "data_m.txt": "Hugo_Symbol\tS1\nTP53\t0.5\n",
            "data_odd.txt": "x\ty\n1\t2\n",
        },
    )
    assert "methylation" in note(study, "data_m.txt").left
    assert "no meta file" in note(study, "data_odd.txt").left


def test_columns_that_nothing_uses_are_all_listed(tmp_path: Path) -> None:
    rows = "PATIENT_ID\tSEX\tFAVOURITE\tSHOE_SIZE\nP1\tFemale\tx\t40\n"
    study = study_of(tmp_path, {"data_clinical_patient.txt": rows})
    assert "FAVOURITE, SHOE_SIZE" in note(study, "data_clinical_patient.txt").left
    assert study.patients.set_index("patient").loc["P1", "SHOE_SIZE"] == "40"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("STK11\tGRCh37\t19\t999999999\tNonsense_Mutation\tC\tT\tS3\tp.Q37*\t50\t50\n", "lies outside chromosome 19"),
        ("STK11\tGRCh37\tchr99\t1207021\tNonsense_Mutation\tC\tT\tS3\tp.Q37*\t50\t50\n", "not a chromosome"),
        ("STK11\tGRCh37\tGL000192.1\t100\tNonsense_Mutation\tC\tT\tS3\tp.Q37*\t50\t50\n", "not a chromosome"),
        ("STK11\tGRCh37\t19\t1207021\tNonsens\tC\tT\tS3\tp.Q37*\t50\t50\n", "unknown variant classification"),
        ("STK11\tGRCh37\t19\t1207021\tNonsense_Mutation\tC\tT\tS3\tp.Q37*\t50\tmany\n", "is not a number"),
        ("STK11\tGRCh37\t19\t-5\tNonsense_Mutation\tC\tT\tS3\tp.Q37*\t50\t50\n", "lies outside chromosome 19"),
    ],
)
def test_one_bad_row_is_left_out_and_its_gene_stays_open(row: str, why: str, tmp_path: Path) -> None:
    """The study is read; the row is told with its line; the gene that it hit is not taken for unchanged."""
    files = {
        "data_mutations.txt": HEAD + ROWS["tp53"] + ROWS["kras"] + row,
        "data_gene_panel_P.txt": PANEL,
        "data_gene_panel_matrix.txt": MATRIX,
    }
    study = study_of(tmp_path, files)
    assert list(study.mutations["gene"]) == ["TP53", "KRAS"]
    assert told(study, "data_mutations.txt", "1 row", "line 4", why)
    assert (note(study, "data_mutations.txt").rows, note(study, "data_mutations.txt").kept) == (3, 2)
    assert study.covered("STK11") == {"P1": True, "P2": True, "P3": None}
    assert study.covered("KEAP1")["P3"] is True
    assert state(study, "stk11_loss")["P3"] == "not_assessable"


def test_many_bad_rows_are_counted_and_the_first_named(tmp_path: Path) -> None:
    bad = "".join(ROWS["egfr"].replace("55259515", str(900_000_000 + i)) for i in range(40))
    good = "".join(ROWS["tp53"].replace("7577120", str(7577120 + i)) for i in range(60))
    study = study_of(tmp_path, {"data_mutations.txt": HEAD + good + bad})
    assert len(study.mutations) == 60
    assert told(study, "40 rows", "line 62")


def test_positions_of_another_build_are_refused(tmp_path: Path) -> None:
    rows = "".join(r.replace("25398285", "925398285").replace("7577120", "97577120") for r in ROWS.values())
    rows = rows.replace("1207021", "99207021")
    with pytest.raises(InputError, match="another genome build"):
        study_of(tmp_path, {"data_mutations.txt": HEAD + rows})


def test_a_bad_segment_is_left_out(tmp_path: Path) -> None:
    head = "ID\tchrom\tloc.start\tloc.end\tnum.mark\tseg.mean\n"
    rows = "S1\t1\t100\t2000\t5\t-0.4\nS1\t2\t100\t900000000\t5\t-0.4\nS2\t3\t100\t2000\t5\t0.1\nS2\tUn\t1\t9\t5\t0.1\n"
    study = study_of(
        tmp_path,
        {
            "meta_seg.txt": "genetic_alteration_type: COPY_NUMBER_ALTERATION\ndatatype: SEG\n"
            "reference_genome_id: hg19\ndata_filename: cna.seg\n",
            "cna.seg": head + rows,
        },
    )
    assert list(study.segments["chrom"]) == ["1", "3"]
    assert told(study, "cna.seg", "2 rows")


def test_a_cell_that_is_no_number_costs_that_cell_alone(tmp_path: Path) -> None:
    rows = "PATIENT_ID\tAGE\tECOG\tOS_MONTHS\nP1\t60\t0-1\t12\nP2\t>89\t1\tabout 5\nP3\tUnknown\t2\t7\n"
    study = study_of(tmp_path, {"data_clinical_patient.txt": rows})
    table = study.patients.set_index("patient")
    assert table["age"].tolist()[:2] == [60.0, 89.0]
    assert table.loc["P1", "os_months"] == 12
    assert table["ecog"].isna().tolist() == [True, False, False]
    assert table["os_months"].isna().tolist() == [False, True, False]
    assert told(study, "ECOG", "'0-1'", "line 2")
    assert told(study, "OS_MONTHS", "'about 5'", "line 3")


@pytest.mark.parametrize(
    ("column", "unit", "cells", "months"),
    [
        ("OS_TIME", "days", "365.25", 12.0),
        ("OVERALL_SURVIVAL", "months", "12", 12.0),
        ("OS", "years", "1.5", 18.0),
    ],
)
def test_a_time_without_unit_is_asked_for_and_answered(
    column: str, unit: str, cells: str, months: float, tmp_path: Path
) -> None:
    rows = {"data_clinical_patient.txt": f"PATIENT_ID\t{column}\tOS_STATUS\nP1\t{cells}\t1:DECEASED\n"}
    silent = study_of(tmp_path, rows)
    assert silent.patients["os_months"].isna().all()
    assert told(silent, f"--unit {column}=")
    answered = load_study(tmp_path, {column: unit})
    assert answered.patients.set_index("patient").loc["P1", "os_months"] == pytest.approx(months)


def test_times_whose_name_states_the_unit_need_no_answer(tmp_path: Path) -> None:
    rows = "PATIENT_ID\tOS_DAYS\tPFS_WEEKS\tPFS_STATUS\nP1\t304.375\t8.6964\tProgressed\n"
    study = study_of(tmp_path, {"data_clinical_patient.txt": rows})
    one = study.patients.set_index("patient").loc["P1"]
    assert one["os_months"] == pytest.approx(10.0)
    assert one["pfs_months"] == pytest.approx(2.0, abs=1e-3)
    assert one["pfs_event"] == 1.0


def test_blood_values_of_a_clinical_table(tmp_path: Path) -> None:
    """A unit in the name counts; one that the values leave open is asked for; the answer is used."""
    rows = "PATIENT_ID\tBASELINE_ALBUMIN_G_DL\tNLR\tCRP\nP1\t3.9\t4.5\t8\nP2\t4.1\t2.0\t3\n"
    study = study_of(tmp_path, {"data_clinical_patient.txt": rows})
    values = {(p, a): v for p, a, v in study.labs[["patient", "analyte", "value"]].itertuples(index=False)}
    assert values[("P1", "albumin")] == pytest.approx(39.0)
    assert values[("P2", "nlr")] == 2.0
    assert ("P1", "crp") not in values
    assert told(study, "CRP", "--unit CRP=mg/L")
    answered = load_study(tmp_path, {"CRP": "mg/dL"})
    assert answered.labs.loc[answered.labs["analyte"] == "crp", "value"].tolist() == [80.0, 30.0]


def test_laboratory_values_of_a_timeline_ask_by_analyte(tmp_path: Path) -> None:
    rows = (
        "PATIENT_ID\tSTART_DATE\tEVENT_TYPE\tTEST\tRESULT\nP1\t-3\tLAB_TEST\tCRP\t8\nP1\t-3\tLAB_TEST\tALBUMIN\t41\n"
        "P2\t-1\tLAB_TEST\tCRP\t3\n"
    )
    study = study_of(tmp_path, {"data_timeline_labs.txt": rows})
    assert study.labs["analyte"].tolist() == ["albumin"]
    assert told(study, "2 values of CRP", "--unit CRP=")
    assert load_study(tmp_path, {"crp": "mg/L"}).labs["value"].tolist() == [8.0, 3.0, 41.0]


def test_expression_without_unit_is_asked_for_by_file(tmp_path: Path) -> None:
    files = {
        "meta_mrna.txt": "genetic_alteration_type: MRNA_EXPRESSION\ndatatype: CONTINUOUS\nstable_id: mrna\n"
        "data_filename: data_mrna.txt\n",
        "data_mrna.txt": "Hugo_Symbol\tS1\tS2\nTP53\t5\t7\nB2M\t900\t4\n",
    }
    study = study_of(tmp_path, files)
    assert not study.has("expression")
    assert told(study, "--unit data_mrna.txt=tpm")
    assert load_study(tmp_path, {"data_mrna.txt": "tpm"}).expression.loc["B2M", "S1"] == 900.0


def test_a_unit_that_nothing_asks_for_is_refused_with_the_nearest(tmp_path: Path) -> None:
    rows = {"data_clinical_patient.txt": "PATIENT_ID\tOS_TIME\nP1\t30\n"}
    with pytest.raises(InputError, match="'OS_TIME'"):
        study_of(tmp_path, rows, {"OS_TIMES": "days"})
    with pytest.raises(InputError, match="unit of OS_TIME 'fortnights'"):
        load_study(tmp_path, {"OS_TIME": "fortnights"})


def test_units_are_answered_in_a_manifest_as_well(tmp_path: Path) -> None:
    inner = tmp_path / "portal"
    inner.mkdir()
    study_of(inner, {"data_clinical_patient.txt": "PATIENT_ID\tOS_TIME\nP1\t60.875\n"})
    (tmp_path / "ldh.csv").write_text("patient,analyte,value,unit\nP1,ldh,250,U/L\n")
    (tmp_path / "manifest.yaml").write_text(
        "files:\n  - {file: portal, format: cbioportal, units: {OS_TIME: days}}\n  - {file: ldh.csv, format: labs}\n"
    )
    study = load_study(tmp_path)
    assert study.patients.set_index("patient").loc["P1", "os_months"] == pytest.approx(2.0)
    assert study.labs["value"].tolist() == [250.0]
    with pytest.raises(InputError, match="units: "):
        load_study(tmp_path, {"OS_TIME": "days"})


@pytest.mark.parametrize(
    ("column", "cell", "score", "value"),
    [
        ("PD-L1 TPS (%)", "60", "tps", 60.0),
        ("PDL1_IHC", "60%", "tps", 60.0),
        ("PD_L1_EXPRESSION", "5", "tps", 5.0),
        ("PDL1_CPS", "20", "cps", 20.0),
        ("PD-L1_TC", "3", "tc", 3.0),
        ("PDL1_IC", "10", "ic", 10.0),
    ],
)
@pytest.mark.parametrize("where", ["patient", "sample"])
def test_pdl1_under_its_usual_names(
    column: str, cell: str, score: str, value: float, where: str, tmp_path: Path
) -> None:
    head = "PATIENT_ID\tSAMPLE_ID" if where == "sample" else "PATIENT_ID"
    ids = "P1\tS1" if where == "sample" else "P1"
    study = study_of(tmp_path, {f"data_clinical_{where}.txt": f"{head}\t{column}\n{ids}\t{cell}\n"})
    assert study.pdl1[["score", "value_percent"]].to_numpy().tolist() == [[score, value]]


def test_pdl1_of_the_named_score_comes_before_one_without_name(tmp_path: Path) -> None:
    rows = "PATIENT_ID\tSAMPLE_ID\tPDL1_STATUS\tPDL1_TPS\tPDL1_CLONE\nP1\tS1\tPositive\t70\t22C3\n"
    study = study_of(tmp_path, {"data_clinical_sample.txt": rows})
    assert study.pdl1["value_percent"].tolist() == [70.0]
    assert study.pdl1["assay"].tolist() == ["22C3"]


def test_pdl1_that_may_be_fractions_is_asked_for(tmp_path: Path) -> None:
    rows = "PATIENT_ID\tSAMPLE_ID\tPDL1_TPS\n" + "".join(f"P{i}\tS{i}\t0.{i}\n" for i in range(1, 8))
    study = study_of(tmp_path, {"data_clinical_sample.txt": rows})
    assert not len(study.pdl1)
    assert told(study, "--unit PDL1_TPS=fraction")
    assert load_study(tmp_path, {"PDL1_TPS": "fraction"}).pdl1["value_percent"].max() == pytest.approx(70.0)


@pytest.mark.parametrize(
    ("head", "cells"),
    [
        ("HLA_A1\tHLA_A2\tHLA_B1\tHLA_B2", "A*02:01\tA*03:01\tB*07:02\tB*08:01"),
        ("HLA-A\tHLA-B", "02:01,03:01\tB*07:02;B*08:01"),
        ("HLA_TYPES", "HLA-A*02:01, A*03:01, B*07:02, HLA-B0801"),
        ("HLA Class I", "A*02:01|A*03:01|B*07:02|B*08:01"),
    ],
)
def test_hla_types_under_their_usual_names(head: str, cells: str, tmp_path: Path) -> None:
    study = study_of(tmp_path, {"data_clinical_patient.txt": f"PATIENT_ID\t{head}\nP1\t{cells}\n"})
    assert set(study.hla["allele"]) == {"HLA-A*02:01", "HLA-A*03:01", "HLA-B*07:02", "HLA-B*08:01"}


def test_words_that_are_no_alleles_are_told(tmp_path: Path) -> None:
    rows = "PATIENT_ID\tHLA_A1\tHLA_A2\nP1\tA*02:01\tnot_typed\n"
    study = study_of(tmp_path, {"data_clinical_patient.txt": rows})
    assert study.hla["allele"].tolist() == ["HLA-A*02:01"]
    assert told(study, "'not_typed' in HLA_A2, line 2")


@pytest.mark.parametrize("column", ["NEOANTIGEN_BURDEN", "Neoantigen Load", "NEOANTIGEN_COUNT", "NEOEPITOPE_COUNT"])
@pytest.mark.parametrize("where", ["patient", "sample"])
def test_neoantigen_burden_under_its_usual_names(column: str, where: str, tmp_path: Path) -> None:
    head = "PATIENT_ID\tSAMPLE_ID" if where == "sample" else "PATIENT_ID"
    ids = "P1\tS1" if where == "sample" else "P1"
    study = study_of(tmp_path, {f"data_clinical_{where}.txt": f"{head}\t{column}\n{ids}\t212\n"})
    value = assemble(study).measured["neoantigen_load"]["P1"]
    assert value.value == 212.0
    assert "reported" in value.method


def test_hla_divergence_is_read(tmp_path: Path) -> None:
    study = study_of(tmp_path, {"data_clinical_patient.txt": "PATIENT_ID\tMEAN_HED\nP1\t6.5\n"})
    value = assemble(study).measured["hla_evolutionary_divergence"]["P1"]
    assert value.value == 6.5
    assert "reported" in f"{value.method} {value.note}"


@pytest.mark.parametrize(
    ("column", "word", "recist"),
    [
        ("BEST_OVERALL_RESPONSE", "Partial Response", "PR"),
        ("BOR", "PD", "PD"),
        ("RECIST_RESPONSE", "stable disease", "SD"),
        ("Best RECIST", "CR", "CR"),
        ("TREATMENT_RESPONSE", "Progressive Disease", "PD"),
    ],
)
@pytest.mark.parametrize("where", ["patient", "sample"])
def test_best_response_under_its_usual_names(column: str, word: str, recist: str, where: str, tmp_path: Path) -> None:
    head = "PATIENT_ID\tSAMPLE_ID" if where == "sample" else "PATIENT_ID"
    ids = "P1\tS1" if where == "sample" else "P1"
    study = study_of(tmp_path, {f"data_clinical_{where}.txt": f"{head}\t{column}\n{ids}\t{word}\n"})
    assert study.patients.set_index("patient").loc["P1", "best_response"] == recist


def test_responses_that_are_no_recist_words_are_told(tmp_path: Path) -> None:
    rows = "PATIENT_ID\tRESPONSE\nP1\tresponder\nP2\tPR\n"
    study = study_of(tmp_path, {"data_clinical_patient.txt": rows})
    assert study.patients.set_index("patient")["best_response"].tolist()[:2] == [None, "PR"]
    assert told(study, "'responder'", "not RECIST categories")


EXOME = (
    "genetic_alteration_type: MUTATION_EXTENDED\ndatatype: MAF\nprofile_description: {}\n"
    "data_filename: data_mutations.txt\n"
)
LIST = "stable_id: s_sequenced\ncase_list_ids: S1\tS2\tS3\n"


def exome_study(folder: Path, description: str, **more: str) -> Study:
    files = {
        "meta_study.txt": "cancer_study_identifier: s\n",
        "meta_mutations.txt": EXOME.format(description),
        "data_mutations.txt": HEAD + ROWS["tp53"] + ROWS["kras"],
        "case_lists/cases_sequenced.txt": LIST,
    }
    return study_of(folder, files | more)


@pytest.mark.parametrize(
    "description",
    ["Mutation data from whole exome sequencing.", "WES of 34 tumours", "Whole-genome sequencing", "exome sequencing"],
)
def test_a_sample_without_panel_in_an_exome_study_is_exome_wide(description: str, tmp_path: Path) -> None:
    study = exome_study(tmp_path, description)
    assert study.samples["panel"].tolist() == ["WES"] * 3
    assert study.covered("B2M") == {"P1": True, "P2": True, "P3": True}
    assert told(study, "3 samples without a panel are taken as exome-sequenced")
    assert assemble(study).measured["tmb_nonsynonymous_count"]["P3"].value == 0.0


def test_samples_that_no_list_names_as_sequenced_stay_open(tmp_path: Path) -> None:
    study = exome_study(
        tmp_path, "whole exome sequencing", **{"case_lists/cases_sequenced.txt": LIST.replace("\tS3", "")}
    )
    assert study.covered("B2M")["P3"] is not True
    assert assemble(study).measured["tmb_nonsynonymous_count"]["P3"].value is None
    assert state(study, "stk11_loss")["P3"] == "not_assessable"


def test_exome_and_panel_stand_side_by_side(tmp_path: Path) -> None:
    more = {
        "data_gene_panel_P.txt": PANEL.replace("\tB2M", ""),
        "data_gene_panel_matrix.txt": "SAMPLE_ID\tmutations\nS1\tP\nS2\tNA\n",
    }
    study = exome_study(tmp_path, "whole exome sequencing and targeted panels", **more)
    assert study.covered("B2M") == {"P1": False, "P2": True, "P3": True}


@pytest.mark.parametrize("description", ["Targeted sequencing", "IMPACT panel; exome of two cell lines", ""])
def test_nothing_is_taken_for_an_exome_that_may_be_a_panel(description: str, tmp_path: Path) -> None:
    study = exome_study(tmp_path, description)
    assert study.covered("B2M") == {"P1": None, "P2": None, "P3": None}
    assert told(study, "3 samples were sequenced with an unnamed panel")


def test_the_exome_of_a_study_is_declared_in_a_manifest(tmp_path: Path) -> None:
    exome_study(tmp_path, "")
    (tmp_path / "manifest.yaml").write_text("panel: WES\nfiles:\n  - {file: ., format: cbioportal}\n")
    assert load_study(tmp_path).covered("B2M") == {"P1": True, "P2": True, "P3": True}


def test_the_panel_of_a_meta_file_is_that_of_its_samples(tmp_path: Path) -> None:
    meta = EXOME.format("targeted") + "gene_panel: P\n"
    study = study_of(
        tmp_path, {"meta_m.txt": meta, "data_mutations.txt": HEAD + ROWS["tp53"], "data_gene_panel_P.txt": PANEL}
    )
    assert study.covered("KEAP1")["P1"] is True
    assert study.covered("TAP1")["P1"] is False
    assert study.covered("KEAP1")["P2"] is not True


def test_an_exome_covers_the_copy_numbers_that_its_table_lists(tmp_path: Path) -> None:
    study = exome_study(tmp_path, "whole exome sequencing", **{"data_cna.txt": "Hugo_Symbol\tS1\tS2\nB2M\t0\t-2\n"})
    assert study.covered("B2M", "copy_number")["P1"] is True
    assert study.covered("JAK1", "copy_number")["P1"] is not True


def test_samples_of_one_patient_stay_apart(tmp_path: Path) -> None:
    files = {
        "data_clinical_sample.txt": "PATIENT_ID\tSAMPLE_ID\tTMB_NONSYNONYMOUS\tPDL1_TPS\nP1\tS1\t4\t60\nP1\tS2\t9\t1\n",
        "data_mutations.txt": HEAD + ROWS["tp53"] + ROWS["kras"],
        "data_gene_panel_P.txt": PANEL,
        "data_gene_panel_matrix.txt": MATRIX.replace("S3\tP\n", ""),
        "data_timeline_specimen.txt": "PATIENT_ID\tSTART_DATE\tEVENT_TYPE\tSAMPLE_ID\n"
        "P1\t-900\tSPECIMEN\tS1\nP1\t-20\tSPECIMEN\tS2\n",
    }
    study = study_of(tmp_path, files)
    assert study.samples_of("P1") == ("S1", "S2")
    assert study.samples.set_index("sample")["day"].to_dict() == {"S1": -900.0, "S2": -20.0}
    assert study.mutations.set_index("sample")["gene"].to_dict() == {"S1": "TP53", "S2": "KRAS"}
    assert told(study, "1 patients have several samples", "P1 with S1, S2", "the last up to day 0")
    assert assemble(study).measured["tmb_nonsynonymous_count"]["P1"].sample == "S2"


def test_what_a_patient_table_says_of_tumours_goes_to_the_only_sample(tmp_path: Path) -> None:
    files = {
        "data_clinical_patient.txt": "PATIENT_ID\tTMB\nP1\t7\nP2\t9\n",
        "data_clinical_sample.txt": "PATIENT_ID\tSAMPLE_ID\nP1\tS1\nP2\tS2\nP2\tS2b\n",
    }
    study = study_of(tmp_path, files)
    assert study.samples.set_index("sample")["tmb"].dropna().to_dict() == {"S1": 7.0}
    assert told(study, "1 patients have several samples or none", "P2")


def test_values_that_differ_between_samples_of_a_patient_are_told(tmp_path: Path) -> None:
    rows = "PATIENT_ID\tSAMPLE_ID\tNEOANTIGEN_BURDEN\nP1\tS1\t200\nP1\tS2\t300\n"
    study = study_of(tmp_path, {"data_clinical_sample.txt": rows})
    assert told(study, "neoantigen_load differ between the samples of 1 patients", "P1")


def test_a_mutation_whose_consequence_is_missing_leaves_its_gene_open(tmp_path: Path) -> None:
    row = "STK11\tGRCh37\t19\t1207021\t\tC\tT\tS3\t\t50\t50\n"
    files = {
        "data_mutations.txt": HEAD + ROWS["tp53"] + row,
        "data_gene_panel_P.txt": PANEL,
        "data_gene_panel_matrix.txt": MATRIX,
    }
    study = study_of(tmp_path, files)
    assert state(study, "stk11_loss")["P3"] == "not_assessable"
    assert told(study, "1 mutations have no known consequence", "STK11 in S3")


def test_rna_alone_says_nothing_of_mutations(tmp_path: Path) -> None:
    """The default panel is for sequenced samples: a sample with expression alone has no mutation burden of zero."""
    (tmp_path / "m.maf").write_text(HEAD.replace("\n", "") + "\n" + ROWS["tp53"])
    (tmp_path / "e.tsv").write_text("gene\tS1\tR2\nTP53\t5\t7\nB2M\t90\t4\n")
    (tmp_path / "s.csv").write_text("sample,patient\nS1,P1\nR2,P2\nS3,P3\n")
    (tmp_path / "manifest.yaml").write_text(
        "panel: IMPACT468\nfiles:\n  - {file: s.csv, format: samples}\n  - {file: m.maf, format: maf}\n"
        "  - {file: e.tsv, format: expression, unit: tpm}\n"
    )
    study = load_study(tmp_path)
    tmb = assemble(study).measured["tmb"]
    assert tmb["P1"].value == pytest.approx(1 / 1.22)
    assert tmb["P2"].value is None
    assert tmb["P3"].value == 0.0
    assert state(study, "stk11_loss")["P2"] == "not_assessable"
    assert told(study, "R2", "panel IMPACT468", "samples")


def test_the_test_study_of_cbioportal_is_read_by_its_meta_files(shared_data: Path) -> None:
    folder = shared_data / "tool_outputs" / "cbioportal_study_es_0"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    study = load_study(folder)
    assert len(study.mutations) == 36
    assert len(study.structural_variants) == 48
    assert note(study, "data_cna_discrete.txt").kept == 6304
    assert study.samples["panel"].value_counts().to_dict() == {"WES": 784, "TESTPANEL1": 9, "TESTPANEL2": 3}
    assert all(r.kept or r.left for r in study.reads)
    assert told(study, "--unit data_expression_median.txt=tpm")


def test_the_msk_study_is_profiled_in_ten_seconds(shared_data: Path) -> None:
    began = time.process_time()
    done = assemble(load_study(shared_data / "msk_nsclc_pd1_2018"))
    assert len(done.profile.patients) == 240
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("column", "cell", "target", "value"),
    [
        ("IO_OS_MONTHS", "14", "os_months", 14.0),
        ("OS_FROM_ICI_START_DAYS", "304.375", "os_months", 10.0),
        ("PFS_ICI_MONTHS", "3", "pfs_months", 3.0),
        ("Progression Free Survival (Months)", "3", "pfs_months", 3.0),
        ("PFS_ICI_STATUS", "1:PROGRESSION", "pfs_event", 1.0),
        ("OVERALL_SURVIVAL_STATUS", "Dead", "os_event", 1.0),
        ("BEST_CONFIRMED_RESPONSE", "cPR", "best_response", "PR"),
        ("RECIST_1_1", "Stable Disease (SD)", "best_response", "SD"),
        ("INVESTIGATOR_BOR", "PD - progressive", "best_response", "PD"),
    ],
)
def test_names_with_a_word_more_are_recognised(
    column: str, cell: str, target: str, value: object, tmp_path: Path
) -> None:
    study = study_of(tmp_path, {"data_clinical_patient.txt": f"PATIENT_ID\t{column}\nP1\t{cell}\n"})
    seen = study.patients.set_index("patient").loc["P1", target]
    assert seen == (pytest.approx(value) if isinstance(value, float) else value)


@pytest.mark.parametrize("column", ["PDL1_RNA", "PDL1_TEST_DATE", "CPS_ENERGY_COUNTY", "OS_NOTES", "POST_OS_SURGERY"])
def test_columns_that_only_sound_alike_are_left(column: str, tmp_path: Path) -> None:
    study = study_of(tmp_path, {"data_clinical_patient.txt": f"PATIENT_ID\t{column}\nP1\t5\n"})
    assert not len(study.pdl1)
    assert study.patients["os_months"].isna().all()
    assert column in note(study, "data_clinical_patient.txt").left


def test_an_event_that_says_neither_costs_that_cell_alone(tmp_path: Path) -> None:
    rows = "PATIENT_ID\tOS_STATUS\tAGE\nP1\t1:DECEASED\t60\nP2\tlost to follow-up\t61\nP3\tLIVING\t62\n"
    study = study_of(tmp_path, {"data_clinical_patient.txt": rows})
    table = study.patients.set_index("patient")
    assert table["os_event"].tolist()[::2] == [1.0, 0.0]
    assert table["age"].tolist() == [60.0, 61.0, 62.0]
    assert told(study, "OS_STATUS", "'lost to follow-up'", "line 3")


def test_one_table_of_patients_and_samples(tmp_path: Path) -> None:
    """The older data_clinical.txt holds both; what it says of patients is not lost."""
    rows = "PATIENT_ID\tSAMPLE_ID\tOS_MONTHS\tOS_STATUS\tLINES_OF_TX\tTMB\nP1\tS1\t12\t1:DECEASED\t3\t7\n"
    study = study_of(tmp_path, {"data_clinical.txt": rows}, base=False)
    one = study.patients.iloc[0]
    assert (one["os_months"], one["os_event"], one["prior_lines"]) == (12.0, 1.0, 2.0)
    assert study.samples["tmb"].tolist() == [7.0]


@pytest.mark.parametrize("place", ["999999999", "260000000"])
def test_a_position_beyond_every_build_is_seen_without_a_stated_build(place: str, tmp_path: Path) -> None:
    head = "Hugo_Symbol\tChromosome\tStart_Position\tVariant_Classification\tTumor_Sample_Barcode\n"
    rows = "TP53\t17\t7577120\tMissense_Mutation\tS1\nKRAS\t12\t25398285\tMissense_Mutation\tS2\n"
    study = study_of(tmp_path, {"data_mutations.txt": f"{head}{rows}MYC\t1\t{place}\tSilent\tS3\n"})
    assert study.mutations["gene"].tolist() == ["TP53", "KRAS"]
    assert told(study, "1 row", "line 4")


def test_the_build_of_the_study_counts_where_the_mutations_state_none(tmp_path: Path) -> None:
    head = "Hugo_Symbol\tChromosome\tStart_Position\tVariant_Classification\tTumor_Sample_Barcode\n"
    files = {
        "meta_study.txt": "cancer_study_identifier: s\nreference_genome: hg38\n",
        "data_mutations.txt": head + "TP53\t17\t7673802\tMissense_Mutation\tS1\n",
    }
    assert study_of(tmp_path, files).genome_build == "GRCh38"


def test_segments_that_count_from_zero_are_kept(tmp_path: Path) -> None:
    rows = "ID\tchrom\tloc.start\tloc.end\tnum.mark\tseg.mean\nS1\t1\t0\t2000\t5\t-0.4\n"
    study = study_of(tmp_path, {"data_cna_hg19.seg": rows})
    assert study.segments["end"].tolist() == [2000.0]


def test_columns_of_other_files_that_nothing_uses_are_listed(tmp_path: Path) -> None:
    rows = "Sample_Id\tSite1_Hugo_Symbol\tSite2_Hugo_Symbol\tMY_SCORE\nS1\tEML4\tALK\t5\n"
    study = study_of(tmp_path, {"data_sv.txt": rows, "data_mutations.txt": MAF.replace("t_ref_count", "MY_COUNT")})
    assert "MY_SCORE" in note(study, "data_sv.txt").left
    assert "MY_COUNT" in note(study, "data_mutations.txt").left


def test_no_file_or_folder_of_a_study_is_passed_over_in_silence(tmp_path: Path) -> None:
    files = {
        "study_tags.yml": "a: b\n",
        "report.html": "<p>x</p>\n",
        "more/data_x.txt": "x\n1\n",
        "case_lists/cases_sequenced.txt": LIST,
        "case_lists/cases_custom.txt": "stable_id: s_custom\ncase_list_ids: S1\n",
        "meta_study.txt": "cancer_study_identifier: s\n",
    }
    study = study_of(tmp_path, files)
    for name in ("study_tags.yml", "report.html", "more", "case_lists/cases_custom.txt"):
        assert note(study, name).left, name
    assert note(study, "case_lists/cases_sequenced.txt").kept == 3


def test_a_copy_number_that_cannot_be_leaves_its_gene_open(tmp_path: Path) -> None:
    wide = {"data_cna.txt": "Hugo_Symbol\tS1\tS2\nB2M\t7\t0\nTP53\t-2\t0\n", "data_gene_panel_P.txt": PANEL}
    wide["data_gene_panel_matrix.txt"] = "SAMPLE_ID\tcna\nS1\tP\nS2\tP\n"
    study = study_of(tmp_path, wide)
    assert set(study.copy_number["gene"]) == {"TP53"}
    assert told(study, "data_cna.txt", "line 2", "-2 to 2")
    assert study.covered("B2M", "copy_number")["P1"] is None
    assert study.covered("TP53", "copy_number")["P1"] is True
    long = "Hugo_Symbol\tEntrez_Gene_Id\tSample_Id\tValue\nB2M\t567\tS1\t7\nB2M\t567\tS2\t0\n"
    meta = "genetic_alteration_type: COPY_NUMBER_ALTERATION\ndatatype: DISCRETE_LONG\ndata_filename: data_cna.txt\n"
    study = study_of(tmp_path, wide | {"data_cna.txt": long, "meta_cna.txt": meta})
    assert study.covered("B2M", "copy_number") == {"P1": None, "P2": True, "P3": False}
