"""The made-up study that ships."""

from __future__ import annotations

from immunescape.profile.biomarkers import measure
from immunescape.profile.loading import example_folder, load_study
from immunescape.profile.readers import all_readers
from immunescape.profile.study import COLUMNS


def test_example_holds_every_kind_of_data() -> None:
    study = load_study(example_folder())
    assert len(study.patients) == 12
    missing = [k for k in COLUMNS if not study.has(k)]
    assert missing == ["segments"]
    assert study.has("expression")
    assert "made-up" in study.name
    assert study.covered("B2M")["EX-12"] is False
    assert study.covered("B2M")["EX-05"] is True
    assert set(study.mutations["patient"]) <= set(study.patient_ids)
    found = measure(study, ["signature_cytolytic", "signature_t_cell_inflamed", "expression_B2M"])
    assert found["signature_cytolytic"]["EX-01"].value > found["signature_cytolytic"]["EX-03"].value  # type: ignore[operator]
    assert found["signature_t_cell_inflamed"]["EX-12"].status == "not_assessable"


def test_every_file_says_that_it_is_made_up() -> None:
    for path in example_folder().iterdir():
        assert "made-up" in path.read_text(encoding="utf-8")[:400], path.name


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
