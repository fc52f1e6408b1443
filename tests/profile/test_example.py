"""The made-up study that ships."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from immunescape.api.profiles import ProfiledStudy, profile_study
from immunescape.cli import app
from immunescape.errors import InputError
from immunescape.profile.biomarkers import measure
from immunescape.profile.loading import example_folder, load_study
from immunescape.profile.readers import all_readers
from immunescape.profile.study import COLUMNS

STATES = {"present", "absent", "not_assessable", "conflicting"}
NEVER = {"lung_microbiome", "exosomal_pdl1"}


@pytest.fixture(scope="module")
def example() -> ProfiledStudy:
    return profile_study(example_folder())


def test_example_holds_every_kind_of_data() -> None:
    study = load_study(example_folder())
    assert len(study.patients) == 40
    missing = [k for k in COLUMNS if not study.has(k)]
    assert missing == ["segments", "cell_counts", "pseudobulk", "cells_in_space"]
    assert study.has("expression")
    assert "made-up" in study.name
    assert study.covered("B2M")["EX-12"] is False
    assert study.covered("B2M")["EX-05"] is True
    assert study.covered("NLRC5")["EX-06"] is False
    assert study.covered("NLRC5")["EX-05"] is True
    assert set(study.mutations["patient"]) <= set(study.patient_ids)
    found = measure(study, ["signature_cytolytic", "signature_t_cell_inflamed", "expression_B2M"])
    assert found["signature_cytolytic"]["EX-01"].value > found["signature_cytolytic"]["EX-03"].value  # type: ignore[operator]
    assert found["signature_t_cell_inflamed"]["EX-12"].status == "not_assessable"


def test_every_file_says_that_it_is_made_up() -> None:
    for path in example_folder().iterdir():
        if path.is_dir():
            path = path / "reference.json"
        content = path.read_bytes()
        text = gzip.decompress(content) if path.suffix == ".gz" else content
        assert "made-up" in text.decode("utf-8")[:400], path.name


def test_example_shows_every_mechanism_and_state(example: ProfiledStudy) -> None:
    counts = example.prevalence
    assert set(counts.index[(counts["present"] + counts["absent"] == 0)]) == NEVER
    assert set(np.unique(example.calls.to_numpy().astype(str))) == STATES
    assert (counts["not_assessable"] > 0).all()
    assert (counts["conflicting"] > 0).sum() >= 4
    for name in set(counts.index) - NEVER - {"ddr_proficiency", "low_neoantigen_burden", "neoantigen_loss"}:
        assert counts.loc[name, "present_share"] < 0.55, name
    assert example.calls.loc["EX-05", "mhc1_genetic_loss"] == "present"
    assert example.calls.loc["EX-16", "mhc1_genetic_loss"] == "conflicting"
    assert example.calls.loc["EX-03", "kras_comutation"] == "present"


def test_example_names_its_made_up_reference(example: ProfiledStudy, tmp_path: Path) -> None:
    [said] = [p for p in example.done.profile.problems if p.startswith("expression: percentiles")]
    assert "made-up-example@" in said
    assert "200 made-up samples" in said
    m = example.patients["EX-01"].biomarkers["signature_hypoxia"]
    assert m.reference.startswith("made-up-example@")
    own = tmp_path / "own"
    shutil.copytree(example_folder(), own)
    manifest = own / "manifest.yaml"
    manifest.write_text(manifest.read_text().replace("reference: reference", "reference: refrence"))
    with pytest.raises(InputError, match="refrence"):
        profile_study(own)


def test_a_reference_is_built_and_makes_expression_assessable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a reference the output says what to do; doing it makes the mechanisms assessable."""
    monkeypatch.setenv("IMMUNESCAPE_CACHE", str(tmp_path / "cache"))
    own = tmp_path / "own"
    shutil.copytree(example_folder(), own)
    manifest = own / "manifest.yaml"
    lines = [line for line in manifest.read_text().splitlines() if not line.startswith("reference:")]
    manifest.write_text("\n".join(lines) + "\n")
    run = CliRunner()
    bare = run.invoke(app, ["profile", str(own), "--out", str(tmp_path / "bare")])
    assert bare.exit_code == 0, bare.output
    assert "immunescape reference build" in bare.output
    assert "immunescape reference build" in (tmp_path / "bare" / "report.html").read_text(encoding="utf-8")
    before = json.loads((tmp_path / "bare" / "profile.json").read_text(encoding="utf-8"))["patients"]
    assert {p["calls"]["hypoxia_angiogenesis"]["state"] for p in before.values()} == {"not_assessable"}
    built = run.invoke(app, ["reference", "build", str(own), "--name", "mine"])
    assert built.exit_code == 0, built.output
    assert "mine" in run.invoke(app, ["reference", "list"]).output
    done = run.invoke(app, ["profile", str(own), "--reference", "mine", "--out", str(tmp_path / "with")])
    assert done.exit_code == 0, done.output
    after = json.loads((tmp_path / "with" / "profile.json").read_text(encoding="utf-8"))["patients"]
    states = [p["calls"]["hypoxia_angiogenesis"]["state"] for p in after.values()]
    assert {"present", "absent"} <= set(states)
    assert states.count("not_assessable") < len(states) - 10


def test_reference_build_refuses_a_place_before_it_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("mine", encoding="utf-8")
    monkeypatch.setattr("immunescape.profile.loading.load_study", lambda *a: pytest.fail("read first"))
    for out in (file, file / "inside"):
        refused = CliRunner().invoke(app, ["reference", "build", str(example_folder()), "--out", str(out)])
        assert isinstance(refused.exception, InputError)
        assert "notes.txt is a file, not a folder" in str(refused.exception)
    wrong = CliRunner().invoke(app, ["reference", "build", str(example_folder()), "--name", "../x"])
    assert "is not a valid name for a reference" in str(wrong.exception)
    assert file.read_text(encoding="utf-8") == "mine"


def test_readers_print_what_they_read() -> None:
    readers = all_readers()
    assert {
        "maf",
        "vcf",
        "fhir",
        "phenopackets",
        "airr",
        "metaphlan",
        "biom",
        "h5ad",
        "lohhla",
        "lilac",
        "pvacseq",
    } <= set(readers)
    for r in readers.values():
        assert r.title
        assert set(r.gives) <= {*COLUMNS, "panels", "expression"}
