"""Made-up studies in the formats of the public ones: every value that is read, the calls and the outcomes."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from immunescape.profile.assemble import assemble
from immunescape.profile.cohort import outcomes
from immunescape.profile.loading import load_study
from immunescape.profile.study import Study
from immunescape.stats.survival import kaplan_meier, median_time

STAND_IN = Path(__file__).parents[1] / "data" / "stand_in"
MANIFESTS = Path(__file__).parent / "manifests"
FOLDER = STAND_IN / "data" / "msk_nsclc_pd1_2018"


@pytest.fixture(scope="module")
def cbioportal() -> Study:
    return load_study(FOLDER)


@pytest.fixture
def by_manifest(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Study]:
    monkeypatch.setenv("IMMUNESCAPE_SHARED", str(STAND_IN))
    return lambda name: load_study(MANIFESTS / f"{name}.yaml")


def column(table: pd.DataFrame, value: str, by: str = "patient") -> dict[str, object]:
    """Return a column as a dictionary with None where nothing is given."""
    return {k: None if v is None or v != v else v for k, v in zip(table[by], table[value], strict=True)}


def test_status_codes_of_cbioportal_are_events_and_censored_times(cbioportal: Study) -> None:
    assert column(cbioportal.patients, "os_event") == {"P-1": 0, "P-2": 1, "P-3": 1, "P-4": 0, "P-5": 1, "P-6": 0}
    assert column(cbioportal.patients, "pfs_event") == {"P-1": 0, "P-2": 1, "P-3": 1, "P-4": 1, "P-5": 0, "P-6": None}
    assert column(cbioportal.patients, "os_months")["P-3"] == 5.5
    assert column(cbioportal.patients, "pfs_months")["P-1"] == 27.2


def test_a_status_of_either_clinical_table_reaches_survival(cbioportal: Study) -> None:
    """Deaths at 2.1, 5.5 and 20 months among six, censored at 9, 12 and 30.1: 5/6, 4/6, then half of it."""
    outcome = outcomes(cbioportal)
    curve = kaplan_meier(outcome["os_months"], outcome["os_event"]).set_index("time")
    assert curve["events"].sum() == 3
    assert curve["survival"][[2.1, 5.5, 20.0]].tolist() == pytest.approx([5 / 6, 4 / 6, 2 / 6])
    assert median_time(outcome["os_months"], outcome["os_event"]) == 20.0


def test_zeros_outside_the_panel_were_never_measured(cbioportal: Study) -> None:
    """TAP1 and STK19 are on IMPACT468 alone, with which the copies of P-4 were read too; a loss was measured."""
    patients = cbioportal.copy_number.groupby("gene")["patient"].agg(set)
    assert patients["TAP1"] == {"P-4", "P-5", "P-6"}
    assert patients["STK19"] == {"P-3", "P-4", "P-5", "P-6"}
    assert len(patients["B2M"]) == 6
    table = cbioportal.copy_number.set_index(["patient", "gene"])["discrete"]
    changed = {("P-2", "B2M"): -2, ("P-6", "TAP1"): -2, ("P-1", "MDM2"): 2, ("P-4", "STK11"): -2, ("P-3", "STK19"): -1}
    assert table[table != 0].to_dict() == changed
    assert any("5 zeros of 2 genes" in p and "not measured is not diploid" in p for p in cbioportal.problems)


def test_panels_say_what_was_sequenced(cbioportal: Study) -> None:
    assert column(cbioportal.samples, "panel", "sample") == {
        **dict.fromkeys(("P-1-T01-IM3", "P-2-T01-IM3"), "IMPACT341"),
        **dict.fromkeys(("P-3-T01-IM5", "P-4-T01-IM5"), "IMPACT410"),
        **dict.fromkeys(("P-5-T01-IM6", "P-6-T01-IM6"), "IMPACT468"),
    }
    assert {p for p, held in cbioportal.covered("TAP1").items() if held} == {"P-5", "P-6"}
    assert {p for p, held in cbioportal.covered("TAP1", "copy_number").items() if held} == {"P-4", "P-5", "P-6"}
    assert all(cbioportal.covered("B2M").values())
    size = cbioportal.samples["panel"].map({n: p.megabases for n, p in cbioportal.panels.items()})
    counted = cbioportal.samples["MUTATION_RATE"].astype(float) * size
    np.testing.assert_allclose(counted, [3, 1, 1, 1, 2, 0], atol=1e-9)


def test_mutations_carry_reads_and_changes(cbioportal: Study) -> None:
    table = cbioportal.mutations.set_index(["patient", "gene"])
    assert len(table) == 9
    assert table["vaf"].to_dict() == {
        ("P-1", "TP53"): 0.25,
        ("P-1", "KRAS"): 0.25,
        ("P-1", "KEAP1"): 0.1,
        ("P-2", "EGFR"): 0.5,
        ("P-3", "STK11"): 0.75,
        ("P-4", "JAK1"): 0.1,
        ("P-5", "STK11"): 0.4,
        ("P-5", "TERT"): 0.2,
        ("P-5", "TP53"): 0.25,
    }
    assert table.loc[("P-1", "KRAS"), "protein_change"] == "G12C"
    assert table.loc[("P-5", "STK11"), "classification"] == "Silent"
    assert cbioportal.genome_build == "GRCh37"


def test_clinical_columns_have_their_meaning(cbioportal: Study) -> None:
    assert list(cbioportal.patients["prior_lines"]) == [0, 3, 0, 2, 1, 0]  # the column counts the present line
    assert list(cbioportal.patients["sex"]) == ["female", "male", "female", "male", "male", "female"]
    assert column(cbioportal.pdl1, "value_percent") == {"P-2": 100, "P-3": 0, "P-5": 60, "P-6": 5}
    [fusion] = cbioportal.structural_variants.itertuples()
    assert (fusion.patient, fusion.gene1, fusion.gene2) == ("P-6", "EML4", "ALK")


def test_calls_follow_from_the_files(cbioportal: Study) -> None:
    """Loss is present where it is seen, absent where it was looked for, and not assessable off the panel."""
    calls = assemble(cbioportal).calls.states
    stk11 = ["absent", "absent", "present", "present", "not_assessable", "not_assessable"]
    assert calls["stk11_loss"].tolist() == stk11  # P-3: a stop; P-4: both copies lost; P-5: silent, tumour cells unsure
    assert calls.loc[["P-1", "P-2"], "mhc1_genetic_loss"].tolist() == ["absent", "present"]  # B2M
    assert calls.loc["P-6", "apm_genetic_loss"] == "present"  # TAP1
    assert (calls["apm_genetic_loss"] != "absent").all()  # two of its genes are on no panel here
    assert calls.loc[["P-1", "P-2"], "hyperprogression_mdm2"].tolist() == ["present", "absent"]
    assert calls.loc[["P-1", "P-2", "P-6"], "oncogene_driver"].tolist() == ["absent", "present", "present"]
    assert calls["pdl1_negative"].tolist() == [
        *("not_assessable", "absent", "present"),
        *("not_assessable", "absent", "absent"),
    ]


def test_a_censoring_code_of_one_is_no_event(by_manifest: Callable[[str], Study]) -> None:
    """OAK gives CNSR, which is 1 where the time is censored."""
    study = by_manifest("oak")
    assert column(study.patients, "os_event") == {"901": 1, "902": 0, "903": 0, "904": 1}
    assert column(study.patients, "pfs_event") == {"901": 1, "902": 0, "903": 1, "904": 1}
    assert column(study.patients, "best_response") == {"901": "PD", "902": "PR", "903": "SD", "904": "NE"}
    responses = outcomes(study)["response"]
    assert responses[["901", "902", "903"]].tolist() == [False, True, False]
    assert responses.isna()["904"]  # not evaluable is not a failure
    arms = column(study.patients, "treatment")
    assert [p for p, drug in arms.items() if drug == "Docetaxel"] == ["901", "904"]


def test_variants_in_blood_are_assessable_in_those_who_gave_blood(by_manifest: Callable[[str], Study]) -> None:
    study = by_manifest("oak")
    assert list(study.samples["patient"]) == ["901", "902", "904"]
    assert not study.covered("STK11")["903"]
    assert study.covered("STK11")["902"]
    assert study.covered("B2M")["901"] is None  # nobody has it mutated, and the panel's genes are not given
    variants = study.mutations.set_index("gene")
    assert variants["vaf"].to_dict() == {"SPTA1": 0.0321, "STK11": 0.09, "DNMT3A": 0.05, "TP53": 0.05}
    assert variants.loc["DNMT3A", "classification"] == "Silent"
    assert variants.loc["STK11", "classification"] == "Nonsense_Mutation"


def test_laboratory_values_are_converted_from_the_units_that_are_named(by_manifest: Callable[[str], Study]) -> None:
    labs = by_manifest("loris_train").labs
    values = {name: list(rows["value"]) for name, rows in labs.groupby("analyte")}
    assert values["albumin"] == [40, 33, 38]  # g/dL in the file, g/L here
    assert values["hemoglobin"] == [94, 111, 125]
    assert values["nlr"] == [2.92, 5.45, 1.7]
    assert values["platelets"] == [352, 285, 240]
    assert dict(zip(labs["analyte"], labs["unit"], strict=True)) == {
        "albumin": "g/L",
        "hemoglobin": "g/L",
        "nlr": "ratio",
        "platelets": "10^9/L",
    }


def test_an_empty_cell_of_pdl1_is_not_zero(by_manifest: Callable[[str], Study]) -> None:
    assert column(by_manifest("loris_train").pdl1, "value_percent") == {"1": None, "2": 80, "3": 0}
    assert column(by_manifest("loris_shim").pdl1, "value_percent") == {"1": None, "2": 30}


def test_cohorts_of_loris_keep_events_sex_and_response(by_manifest: Callable[[str], Study]) -> None:
    study = by_manifest("loris_train")
    assert column(study.patients, "sex") == {"1": "female", "2": "male", "3": "male"}
    assert column(study.patients, "os_event") == {"1": 0, "2": 1, "3": 0}
    assert column(study.patients, "pfs_event") == {"1": 0, "2": 1, "3": 1}
    assert list(outcomes(study)["response"]) == [True, False, False]
    assert list(outcomes(by_manifest("loris_shim"))["response"]) == [True, False]


def test_abundances_in_percent_become_shares_and_a_repeated_sample_counts_once(
    by_manifest: Callable[[str], Study],
) -> None:
    study = by_manifest("toposcore")
    table = study.microbiome.set_index(["sample", "taxon"])["abundance"]
    assert len(table) == 8
    assert table["S_2", "Akkermansia_muciniphila"] == pytest.approx(0.005)
    assert table["S_2", "Acidaminococcus_intestini"] == pytest.approx(0.25)  # the first of its two rows
    assert table["S_1", "Blautia_wexlerae"] == pytest.approx(0.4)
    assert column(study.patients, "best_response") == {"S_1": "PD", "S_2": "PR", "S_3": "PD"}
    assert column(study.patients, "os_event") == {"S_1": 1, "S_2": 0, "S_3": 1}
    assert column(study.patients, "ecog") == {"S_1": 1, "S_2": None, "S_3": None}


def test_counts_by_entrez_number_become_gene_symbols(by_manifest: Callable[[str], Study]) -> None:
    study = by_manifest("gse126044")
    file = STAND_IN / "data" / "gse126044" / "GSE126044_raw_counts_GRCh38.p13_NCBI.tsv.gz"
    assert len(gzip.decompress(file.read_bytes()).splitlines()) == 8
    assert study.expression_unit == "counts"
    assert study.gene_map.identifiers == "entrez"
    assert study.gene_map.mapped == 5  # two numbers name no gene with a symbol
    assert study.expression["GSM9000001"].to_dict() == {
        "CD8A": 900,
        "GZMA": 400,
        "CD274": 250,
        "STING1": 70,
        "B2M": 5000,
    }
    assert column(study.patients, "response") == {
        "GSM9000001": "responder",
        "GSM9000002": "non-responder",
        "GSM9000003": "non-responder",
    }
