"""What lies in a result folder: schema, provenance, units; what is refused."""

from __future__ import annotations

import json

import jsonschema
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import immunescape
from immunescape.cli import app
from immunescape.report.result_files import result_schema

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("run") / "oak"
    immunescape.load_trial("oak").run(patients=4, seed=2, workers=1).save(made)
    return made


def test_result_json_obeys_its_schema_and_says_where_it_comes_from(folder):
    content = json.loads((folder / "result.json").read_text())
    jsonschema.Draft202012Validator.check_schema(result_schema())
    jsonschema.validate(content, result_schema())
    assert content["provenance"]["command"].startswith("immunescape trial oak --patients 4 --seed 2")
    broken = {**content, "arms": [{**content["arms"][0], "n": -1}]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, result_schema())


def test_columns_carry_units_and_descriptions(folder):
    schema = pq.read_schema(folder / "patients.parquet")
    assert schema.field("age").metadata[b"unit"] == b"year"
    assert schema.field("sld_mm_baseline").metadata[b"unit"] == b"mm"
    assert schema.field("p:k_growth").metadata[b"unit"]
    assert b"CD8" in schema.field("b:CD8_density_T").metadata[b"description"]
    notes = json.loads(schema.metadata[b"immunescape_columns"])
    assert all(note["description"] for note in notes.values())
    # a description says more than the name of its column
    plain = {"age", "b:doubling_time"}
    scans = json.loads(pq.read_schema(folder / "scans.parquet").metadata[b"immunescape_columns"])
    said = {**notes, **scans}
    assert [n for n, note in said.items() if note["description"] == n.replace("_", " ") and n not in plain] == []
    assert len(pd.read_parquet(folder / "patients.parquet")) == 8


def test_scans_are_written(folder):
    scans = pd.read_parquet(folder / "scans.parquet")
    assert {"id", "arm", "day", "sld_mm", "response"} <= set(scans.columns)
    assert pq.read_schema(folder / "scans.parquet").field("sld_mm").metadata[b"unit"] == b"mm"


def test_a_folder_of_another_trial_is_not_overwritten(folder):
    done = RUNNER.invoke(app, ["trial", "keynote-024", "-n", "2", "-o", str(folder)])
    assert done.exit_code != 0
    assert "contains the result of the trial 'oak'" in done.output + str(done.exception or "")
    assert json.loads((folder / "result.json").read_text())["trial"] == "oak"


def test_results_and_studies_are_shown_in_a_line():
    result = immunescape.load_trial("oak").run(patients=2, seed=2, workers=1)
    assert len(repr(result)) < 2000
    assert len(repr(result.result)) < 2000


def test_show_prints_json():
    for name, kind in (("pembrolizumab", "drug"), ("hypoxia", "mechanism"), ("oak", "trial")):
        done = RUNNER.invoke(app, ["show", name, "--json"])
        assert json.loads(done.stdout)["kind"] == kind


def test_mechanisms_are_one_line_each():
    lines = RUNNER.invoke(app, ["mechanisms"]).output.splitlines()
    from immunescape.model.registry import mechanisms

    for name in mechanisms():
        assert sum(line.split()[:1] == [name] for line in lines) == 1
    assert len(lines) <= len(mechanisms()) + 3
