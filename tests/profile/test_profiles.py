"""The face: tables, JSON against its schema, files, report, exports, command line, on the real study and small ones."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import immunescape
from immunescape.api.profiles import ProfiledStudy
from immunescape.cli import app
from immunescape.errors import ImmunescapeError, InputError
from immunescape.profile.assemble import assemble
from immunescape.profile.export import long_table
from immunescape.profile.profile_json import expand, json_schema
from immunescape.profile.study import Study, empty_table

SHARED = Path(os.environ.get("IMMUNESCAPE_SHARED", Path(__file__).parents[3] / "shared")) / "data"
STATES = {"present", "absent", "not_assessable", "conflicting"}


def table(kind: str, rows: list[dict]) -> pd.DataFrame:
    return pd.concat([empty_table(kind), pd.DataFrame(rows)]).astype(empty_table(kind).dtypes.to_dict())


@pytest.fixture(scope="module")
def small() -> ProfiledStudy:
    """Three made-up patients: PD-L1 and blood for one, a name that tries to break out of the page, nothing for one."""
    patients = [
        {"patient": "a", "prior_lines": 1.0, "pfs_months": 3.0, "pfs_event": 1.0},
        {"patient": "<script>alert(1)</script>", "pfs_months": 12.0, "pfs_event": 0.0},
        {"patient": "c"},
    ]
    study = Study(
        name="small",
        patients=table("patients", patients),
        pdl1=table("pdl1", [{"patient": "a", "assay": "22C3", "score": "tps", "value_percent": 60.0}]),
        treatments=table("treatments", [{"patient": "a", "start_day": 0.0, "end_day": 60.0, "drug": "pembrolizumab"}]),
        responses=table(
            "responses",
            [{"patient": "a", "day": 40.0, "recist": "SD"}, {"patient": "a", "day": 80.0, "recist": "PD"}],
        ),
        given={"patients", "pdl1", "treatments", "responses"},
    )
    return ProfiledStudy(assemble(study))


def test_tables_hold_every_patient_and_state(small):
    assert list(small.calls.index) == list(small.patients)
    assert set(np.unique(small.calls.to_numpy().astype(str))) <= STATES
    assert small.calls.loc["a", "pdl1_negative"] == "absent"
    assert small.calls.loc["c", "pdl1_negative"] == "not_assessable"
    assert small.patients["a"].stratum.name == "pdl1_high"
    assert "EGFR" in small.patients["a"].stratum.caveat
    assert small.patients["c"].stratum.name == "not_assessable"
    assert small.patients["a"].resistance.kind == "primary"
    assert small.patients["a"].resistance.basis == "scans"
    assert [e.kind for e in small.patients["a"].timeline] == ["treatment", "response", "response"]
    counts = small.prevalence
    assert (counts[sorted(STATES)].sum(axis=1) == 3).all()


def test_json_follows_its_schema(small):
    import jsonschema

    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    data = json.loads(json.dumps(small.to_json(), allow_nan=False))
    jsonschema.validate(data, schema)
    assert set(data["patients"]) == set(small.patients)
    assert data["patients"]["a"]["biomarkers"]["pdl1_tps"]["value"] == 60.0
    data["patients"]["a"]["calls"]["hla_loh"]["state"] = "maybe"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, schema)


def test_what_patients_share_stands_once_and_nothing_is_lost(small):
    content = small.to_json()
    for patient, profile in small.patients.items():
        full = expand(content, patient)
        for name, m in profile.biomarkers.items():
            row = full["biomarkers"][name]
            assert (row["value"], row["unit"], row["status"]) == (m.value, m.unit, m.status)
            for field in ("low", "high", "coverage", "sample", "day", "percentile"):
                assert row.get(field) == getattr(m, field)
            for field in ("method", "note", "reference"):
                assert row.get(field, "") == getattr(m, field)
            for field in ("citation", "source"):
                assert tuple(row.get(field, ())) == getattr(m, field)
        for name, call in profile.calls.items():
            row = full["calls"][name]
            assert row["state"] == call.state
            speaking = {(e.measurement, e.threshold) for e in call.evidence if e.supports != "neither"}
            assert speaking <= {(e["measurement"], e["threshold"]) for e in row["evidence"]}
            unknown = [n for n in row.get("missing", ()) if full["biomarkers"][n]["value"] is not None]
            assert not unknown
            known = {(c["measurement"], c["threshold"]) for c in content["rules"]["mechanisms"][name]["conditions"]}
            assert {(e["measurement"], e["threshold"]) for e in row["evidence"]} <= known
        assert [s["note"] for s in full["scores"]] == [s.note for s in profile.scores]
    nothing = json.dumps(content["patients"]["c"])
    assert "file was given" not in nothing
    held = content["patients"]["c"]
    assert len(nothing) < 100 * (len(held["biomarkers"]) + len(held["calls"]))
    with pytest.raises(InputError, match="nobody"):
        expand(content, "nobody")


def test_the_file_is_what_to_json_returns(small, tmp_path):
    from immunescape.report.files import write_pieces

    written = small.save(tmp_path / "out")
    assert json.loads(written[0].read_text(encoding="utf-8")) == small.to_json()
    with pytest.raises(InputError, match="cannot write"):
        write_pieces(tmp_path / "none" / "a.json", iter(["{}"]))


def test_a_page_without_any_assessable_mechanism_draws_no_empty_chart(tmp_path):
    study = Study(name="none", patients=table("patients", [{"patient": "a"}, {"patient": "b"}]), given={"patients"})
    page = ProfiledStudy(assemble(study)).report(tmp_path / "r.html").read_text(encoding="utf-8")
    assert "No mechanism could be assessed in any patient" in page
    assert "Plotly.newPlot" not in page.split("plotly.js v")[-1].rpartition("<body>")[2]
    assert 'class="legend"' not in page.rpartition("<body>")[2]


def test_files_are_written_and_the_page_is_safe(small, tmp_path):
    written = small.save(tmp_path / "out")
    assert [p.name for p in written] == ["profile.json", "biomarkers.parquet", "report.html"]
    page = written[2].read_text(encoding="utf-8")
    assert "Research use only" in page
    assert "<script>alert(1)" not in page
    assert "https://" not in page.split("plotly.js v")[0].split("<script>")[0]
    frame = pd.read_parquet(written[1])
    row = frame[(frame["patient"] == "a") & (frame["biomarker"] == "pdl1_tps")].iloc[0]
    assert row["value"] == 60.0
    assert len(frame) == len(long_table(small.done))


def test_a_patient_alone_is_profiled_as_in_the_cohort(small):
    study = small.done.study
    alone = ProfiledStudy(assemble(study, patients=["a"]))
    assert list(alone.patients) == ["a"]
    assert expand(alone.to_json(), "a") == expand(small.to_json(), "a")
    with pytest.raises(InputError):
        assemble(study, patients=["nobody"])


def test_show_prints_states_and_notice(small, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # so that no title is wrapped
    small.show()
    small.show("a")
    printed = capsys.readouterr().out
    assert "not a medical device" in printed
    assert "PD-L1 not expressed on tumour cells" in printed
    with pytest.raises(InputError, match="nobody"):
        small.show("nobody")


def test_exports_name_their_extra_where_it_is_absent(small, tmp_path):
    for method, package in (("to_polars", "polars"), ("to_anndata", "anndata"), ("to_mudata", "mudata")):
        try:
            __import__(package)
        except ImportError:
            with pytest.raises(ImmunescapeError, match=package):
                getattr(small, method)()
        else:
            found = getattr(small, method)()
            assert found is not None
            if method == "to_anndata":
                found.write_h5ad(tmp_path / "a.h5ad")
                assert list(__import__(package).read_h5ad(tmp_path / "a.h5ad").obs_names) == list(small.patients)


def test_command_line_prints_schema_and_asks_for_a_folder(tmp_path):
    run = CliRunner()
    printed = run.invoke(app, ["profile", "--schema"])
    assert json.loads(printed.output)["title"].startswith("profile.json")
    missing = run.invoke(app, ["profile"])
    assert isinstance(missing.exception, InputError)
    wrong = run.invoke(app, ["profile", str(tmp_path / "none")])
    assert isinstance(wrong.exception, InputError)
    listed = run.invoke(app, ["biomarkers", "--json"])
    assert {"tmb", "pdl1_tps"} <= {row["name"] for row in json.loads(listed.output)}


@pytest.mark.parametrize("inside", [False, True])
def test_a_place_that_cannot_be_written_to_is_refused_before_anything_is_read(tmp_path, monkeypatch, inside):
    file = tmp_path / "notes.txt"
    file.write_text("mine", encoding="utf-8")
    monkeypatch.setattr("immunescape.api.profiles.profile_study", lambda *a, **k: pytest.fail("computed first"))
    target = file / "results" / "a" if inside else file
    refused = CliRunner().invoke(app, ["profile", "--example", "--out", str(target)])
    assert isinstance(refused.exception, InputError)
    assert "notes.txt is a file, not a folder" in str(refused.exception)
    assert "--out" in str(refused.exception)
    assert file.read_text(encoding="utf-8") == "mine"


def test_an_unwritable_folder_is_refused(tmp_path, monkeypatch):
    from immunescape.files import check_folder

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("immunescape.files.tempfile.TemporaryFile", refuse)
    with pytest.raises(InputError, match="is not writable"):
        check_folder(tmp_path / "new" / "folder")
    monkeypatch.undo()
    check_folder(tmp_path / "new" / "folder")
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_the_msk_study_as_downloaded(tmp_path):
    folder = SHARED / "msk_nsclc_pd1_2018"
    if not folder.exists():
        pytest.skip("reference data msk_nsclc_pd1_2018 not here")
    import jsonschema

    study = immunescape.profile_study(folder)
    assert len(study.patients) == 240
    counts = study.prevalence
    assert counts.loc["hla_loh", "not_assessable"] == 240
    assert counts.loc["low_neoantigen_burden", "present"] > 100
    assert counts.loc["oncogene_driver", "conflicting"] == 0
    one = next(iter(study.patients))
    data = study.to_json()
    jsonschema.validate({**data, "patients": {one: data["patients"][one]}}, json_schema())
    tests, _ = study.associations(["pfs"])
    row = tests[(tests["biomarker"] == "pdl1_tps")].iloc[0]
    assert row["estimate"] < 1
    assert row["q"] < 0.05
