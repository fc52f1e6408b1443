"""Real study folders and manifests -> studies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from immunescape.errors import InputError
from immunescape.profile.loading import example_folder, load_study, study_name
from immunescape.profile.manifest import read_manifest, template
from immunescape.profile.readers import all_readers
from immunescape.profile.study import Study

MANIFESTS = Path(__file__).parent / "manifests"


@pytest.fixture(scope="module")
def msk(shared_data: Path) -> Study:
    return load_study(shared_data / "msk_nsclc_pd1_2018")


@pytest.fixture
def shared_root(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMMUNESCAPE_SHARED", str(shared_data.parent))


def test_msk_folder_is_read_whole(msk: Study) -> None:
    assert len(msk.patients) == 240
    assert len(msk.mutations) == 2517
    assert msk.mutations["patient"].nunique() == 240
    assert msk.genome_build == "GRCh37"
    assert msk.patients["pfs_event"].notna().all()
    assert msk.mutations["vaf"].between(0, 1).all()
    assert len(msk.pdl1) == 86
    assert msk.pdl1["value_percent"].max() == 100
    assert msk.has("structural_variants")
    assert not msk.has("expression")
    assert any("antibody clone" in p for p in msk.problems)
    assert sum(note.kept for note in msk.reads) > 0


def test_msk_panels_know_what_they_hold(msk: Study) -> None:
    assert [msk.panels[n].megabases for n in ("IMPACT341", "IMPACT410", "IMPACT468")] == [0.98, 1.06, 1.22]
    tap1 = msk.covered("TAP1")
    assert sum(v is True for v in tap1.values()) == 20
    assert all(v is not None for v in tap1.values())
    assert all(msk.covered("B2M").values())


def test_published_rate_is_count_over_our_megabases(msk: Study) -> None:
    """The study's MUTATION_RATE is its count over the panel size: its ratio to an integer count confirms the sizes."""
    size = msk.samples["panel"].map({n: p.megabases for n, p in msk.panels.items()})
    count = msk.samples["MUTATION_RATE"].astype(float) * size
    assert np.abs(count - count.round()).max() < 0.01


def test_zeros_outside_the_panel_are_not_diploid(msk: Study) -> None:
    small = set(msk.samples.loc[msk.samples["panel"] == "IMPACT341", "sample"])
    rows = msk.copy_number[msk.copy_number["sample"].isin(small) & (msk.copy_number["gene"] == "TAP1")]
    assert len(rows) == 0
    assert any("not measured is not diploid" in p for p in msk.problems)


@pytest.mark.usefixtures("shared_root")
def test_oak() -> None:
    study = load_study(MANIFESTS / "oak.yaml")
    assert len(study.patients) == 850
    assert len(study.mutations) == 8724
    assert len(study.samples) == 642
    assert int(study.patients["os_event"].sum()) == 569
    assert study.mutations["classification"].value_counts()["Silent"] == 1733
    covered = study.covered("STK11")
    outside = set(study.patient_ids) - set(study.samples["patient"])
    assert not any(covered[p] for p in outside)
    assert study.covered("B2M")[study.samples["patient"].iloc[0]] is not False


@pytest.mark.usefixtures("shared_root")
def test_loris_cohorts() -> None:
    train = load_study(MANIFESTS / "loris_train.yaml")
    assert len(train.patients) == 331
    albumin = train.labs[train.labs["analyte"] == "albumin"]
    assert albumin["unit"].unique().tolist() == ["g/L"]
    assert albumin["value"].between(20, 50).all()
    assert train.pdl1["value_percent"].notna().sum() == 169
    shim = load_study(MANIFESTS / "loris_shim.yaml")
    assert len(shim.patients) == 198
    assert shim.pdl1["value_percent"].notna().sum() == 144


@pytest.mark.usefixtures("shared_root")
def test_toposcore() -> None:
    study = load_study(MANIFESTS / "toposcore.yaml")
    clinical = study.patients[study.patients["os_months"].notna()]
    assert len(clinical) == 499
    sums = study.microbiome.groupby("sample")["abundance"].sum()
    assert sums.max() <= 1.001
    assert len(set(sums.index) & set(clinical["patient"])) == 188


@pytest.mark.usefixtures("shared_root")
def test_gse126044_maps_entrez_to_symbols() -> None:
    study = load_study(MANIFESTS / "gse126044.yaml")
    assert study.expression.shape[1] == 16
    assert study.expression_unit == "counts"
    assert study.gene_map.identifiers == "entrez"
    assert study.gene_map.mapped == 19499
    assert {"CD8A", "GZMA", "CD274", "STING1", "B2M"} <= set(study.expression.index)
    assert (study.patients["response"] == "responder").sum() == 5


def test_cbioportal_timeline(tmp_path: Path) -> None:
    """Treatments, laboratory values and RECIST words of a status timeline; what is not a response is left, and told."""
    (tmp_path / "data_clinical_patient.txt").write_text("PATIENT_ID\tSEX\nP1\tFemale\n")
    (tmp_path / "data_clinical_sample.txt").write_text("PATIENT_ID\tSAMPLE_ID\nP1\tS1\n")
    head = "PATIENT_ID\tSTART_DATE\tSTOP_DATE\tEVENT_TYPE\t"
    (tmp_path / "data_timeline_treatment.txt").write_text(head + "AGENT\nP1\t0\t200\tTREATMENT\tNivolumab\n")
    (tmp_path / "data_timeline_labs.txt").write_text(
        head + "TEST\tRESULT\tUNIT\nP1\t-3\t\tLAB_TEST\tALBUMIN\t3.9\tg/dL\n"
    )
    rows = "P1\t60\t\tSTATUS\tPartial Response\nP1\t250\t\tSTATUS\tProgressive Disease\nP1\t1\t\tSTATUS\tDiagnosis\n"
    (tmp_path / "data_timeline_status.txt").write_text(head + "STATUS\n" + rows)
    study = load_study(tmp_path)
    assert list(study.treatments["drug"]) == ["Nivolumab"]
    assert list(study.labs["value"]) == [39.0]
    assert list(zip(study.responses["day"], study.responses["recist"], strict=True)) == [(60.0, "PR"), (250.0, "PD")]
    [note] = [r for r in study.reads if r.file == "data_timeline_status.txt"]
    assert (note.rows, note.kept) == (3, 2)


def test_template_is_a_valid_manifest(tmp_path: Path) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text(template())
    known = all_readers()
    for entry in read_manifest(path).files:
        assert entry.format in known
        assert set(entry.options) <= set(known[entry.format].options)


def test_the_name_of_a_study_is_known_before_it_is_read(tmp_path: Path) -> None:
    assert study_name(example_folder()) == load_study(example_folder()).name
    (tmp_path / "manifest.yaml").write_text("study: mine\nfiles:\n  - {file: absent.csv, format: samples}\n")
    assert study_name(tmp_path) == study_name(tmp_path / "manifest.yaml") == "mine"
    folder = tmp_path / "nsclc"
    folder.mkdir()
    (folder / "data_clinical_patient.txt").write_text("PATIENT_ID\nP1\n")
    assert study_name(folder) == load_study(folder).name == "nsclc"
    (folder / "meta_study.txt").write_text("cancer_study_identifier: nsclc_2026\n")
    assert study_name(folder) == load_study(folder).name == "nsclc_2026"


def test_a_folder_without_study_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--template"):
        load_study(tmp_path)
    with pytest.raises(InputError, match="folder not found"):
        load_study(tmp_path / "nothing")
    with pytest.raises(InputError, match="folder not found"):
        study_name(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("files: [", "broken YAML"),
        ("files: []", "files"),
        ("- a", "mapping"),
        ("fles: []\nfiles: [{file: a.csv, format: labs}]", "Did you mean 'files'"),
        ("files: [{file: a.csv, format: lab}]", "Did you mean 'labs'"),
        ("files: [{file: a.csv, format: labs, unit: {}}]", "Did you mean 'units'"),
        ("genome_build: mm10\nfiles: [{file: a.csv, format: labs}]", "genome build"),
        ("panels: [{name: IMPACT469}]\nfiles: [{file: a.csv, format: labs}]", "IMPACT468"),
        ("root: ${NO_SUCH_VARIABLE}\nfiles: [{file: a.csv, format: labs}]", "NO_SUCH_VARIABLE"),
    ],
)
def test_a_wrong_manifest_says_where(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "manifest.yaml").write_text(text)
    (tmp_path / "a.csv").write_text("patient,analyte,value,unit\np1,albumin,40,g/L\n")
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        load_study(tmp_path)
