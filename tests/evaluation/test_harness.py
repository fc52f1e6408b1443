"""The harness: protocols against tables, odds ratios, stored rows, figures over seeds, the history of its scores."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from immunescape.cli import app
from immunescape.errors import InputError
from immunescape.evaluation.harness import run as harness_run
from immunescape.evaluation.harness.protocols import deviations, protocols
from immunescape.evaluation.harness.real import odds_ratio, patient_odds
from immunescape.evaluation.harness.run import pooled, run_harness
from immunescape.report.harness_report import HISTORY_COLUMNS, append_history, harness_markdown
from immunescape.trial.loading import trial_template

TRIALS = "trial,role,population,line,histology,pdl1,driver,arm,n,crossover_pct,orr_pct,pfs_hr,os_hr,reference\n"
COMBINATIONS = (
    "trial,setting,line,histology,pdl1,driver,experimental regimen,control regimen,n_exp,n_ctl,orr_exp,orr_ctl,pfs_hr,"
    "os_hr,primary_endpoint_met,kind,stand_in,source,checked,trial_file\n"
)


def folder(tmp_path: Path, *, n: int = 120, line: str = "2", pfs: float = 0.9) -> Path:
    """A data folder with the template as the protocol of one combination."""
    (tmp_path / "trial_files").mkdir(exist_ok=True)
    (tmp_path / "trial_files" / "mine.yaml").write_text(trial_template().replace("name: my-trial", "name: mine"))
    (tmp_path / "trials.csv").write_text(TRIALS)
    row = f"Mine,metastatic,{line},any,TPS>=1,no EGFR/ALK,a + b,c,{n},120,20,12,{pfs},0.75,no,switch,,x,no,mine.yaml"
    (tmp_path / "combinations.csv").write_text(f"{COMBINATIONS}{row}\n")
    return tmp_path


def test_a_protocol_that_agrees_with_its_row_has_no_deviation(tmp_path):
    assert deviations(protocols(folder(tmp_path), ["mine"])) == []


@pytest.mark.parametrize(
    ("change", "field", "shown"),
    [({"n": 99}, "n (experimental)", "99"), ({"line": "1"}, "line", "1"), ({"pfs": 0.5}, "pfs hazard ratio", "0.5")],
)
def test_a_protocol_that_differs_from_its_row_is_named_with_both_values(tmp_path, change, field, shown):
    found = deviations(protocols(folder(tmp_path, **change), ["mine"]))
    assert [(d.trial, d.field, d.table) for d in found] == [("mine", field, shown)]


def test_a_row_without_its_protocol_is_refused(tmp_path):
    data = folder(tmp_path)
    (data / "trial_files" / "mine.yaml").unlink()
    with pytest.raises(InputError, match="no protocol for mine"):
        protocols(data)


def _edited(text: str, column: str, value: str) -> str:
    header, row = text.strip().splitlines()
    cells = row.split(",")
    cells[header.split(",").index(column)] = value
    return f"{header}\n{','.join(cells)}\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: _edited(t, "pfs_hr", "abc"), ("line 2, pfs_hr", "'abc' is not a number")),
        (lambda t: _edited(t, "os_hr", "-0.5"), ("line 2, os_hr", "'-0.5' is not a number from 0.01")),
        (lambda t: _edited(t, "orr_exp", "120"), ("line 2, orr_exp", "from 0 to 100")),
        (lambda t: _edited(t, "n_ctl", "nan"), ("line 2, n_ctl", "'nan' is not a number")),
        (lambda t: _edited(t, "kind", "swich"), ("line 2, kind", "Did you mean 'switch'?")),
        (lambda t: _edited(t, "primary_endpoint_met", "maybe"), ("line 2, primary_endpoint_met", "'maybe'")),
        (lambda t: _edited(t, "trial_file", ""), ("line 2, trial_file", "the cell is empty")),
        (lambda t: t.replace(",pfs_hr,", ",pfs_hazard,"), ("line 1", "no column 'pfs_hr'", "pfs_hazard")),
        (lambda t: t.rsplit(",", 3)[0] + "\n", ("line 2", "17 cells, but the header has 20")),
        (lambda t: t + t.splitlines()[1] + "\n", ("line 3", "'mine.yaml' is given twice", "line 2")),
        (lambda t: t.encode() + b"caf\xe9", ("the file is not UTF-8",)),
        (lambda _: "", ("no column 'trial'",)),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_line_and_column(tmp_path, change, words):
    path = folder(tmp_path) / "combinations.csv"
    changed = change(path.read_text())
    path.write_bytes(changed if isinstance(changed, bytes) else changed.encode())
    with pytest.raises(InputError) as caught:
        protocols(tmp_path)
    for word in ("combinations.csv", *words):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("oak/oak_clinical.csv", "PtID,TRT01P,BEST\n1,Docetaxel,PR\n", ("no column 'BCOR'",)),
        ("loris/chowell_train_nsclc.csv", "SAMPLE_ID,Respnse\n1,1\n", ("no column 'Response'", "'Respnse'")),
        ("toposcore/DS1_oncology_clinical_data_DiscValid.csv", "", ("not a table of patients",)),
    ],
)
def test_patients_that_cannot_be_read_are_refused_with_file_and_column(tmp_path, file, text, words):
    (tmp_path / file).parent.mkdir()
    (tmp_path / file).write_text(text)
    with pytest.raises(InputError) as caught:
        patient_odds(tmp_path)
    for word in (Path(file).name, *words):
        assert word in str(caught.value)


def test_a_trial_that_is_named_twice_is_scored_once(tmp_path):
    assert [p.trial.name for p in protocols(None, ["oak", "keynote-024", "oak"])] == ["oak", "keynote-024"]


def test_a_trial_of_a_data_folder_is_missed_with_the_option_that_names_the_folder(tmp_path):
    with pytest.raises(InputError, match="unknown trial 'mine'") as missed:
        protocols(None, ["mine"])
    assert "--data FOLDER" in str(missed.value)
    with pytest.raises(InputError, match="unknown trial 'no-such'") as unknown:
        protocols(folder(tmp_path), ["no-such"])
    assert "--data" not in str(unknown.value)


def test_the_tables_take_a_byte_order_mark_and_empty_lines(tmp_path):
    path = folder(tmp_path) / "combinations.csv"
    path.write_text("\ufeff" + path.read_text() + "\n\n", encoding="utf-8")
    assert deviations(protocols(tmp_path, ["mine"])) == []


def test_the_protocols_at_hand_deviate_only_where_it_is_known(shared_data):
    """The stand-in drugs, and six fields in which protocol and row tell different things."""
    found = {(d.trial, d.field) for d in deviations(protocols(shared_data)) if d.field != "drug"}
    assert found == {
        ("codebreak-100", "inhibitor before"),
        ("galunisertib-nivo", "line"),
        ("keynote-407", "driver"),
        ("lifileucel-iov-lun-202", "histology"),
        ("nivolumab-alt-803", "line"),
        ("pacific", "line"),
        ("pembro-rt", "driver"),
        ("til-nivolumab", "line"),
    }


def test_every_row_of_both_tables_has_a_protocol(shared_data):
    found = protocols(shared_data)
    assert len(found) == 54
    assert sum("combination" in p.rows for p in found) == 29
    assert sum(p.role == "validation" for p in found) == 6


def test_an_odds_ratio_of_one_stratum_is_the_cross_product_with_woolfs_error():
    value, low, high = odds_ratio([[10, 40, 5, 60]])
    ratio = (10 * 55) / (30 * 5)
    se = math.sqrt(1 / 10 + 1 / 30 + 1 / 5 + 1 / 55)
    assert value == pytest.approx(ratio)
    assert (math.log(high) - math.log(low)) / 3.92 == pytest.approx(se, rel=1e-3)


def test_strata_that_differ_in_response_alone_do_not_make_an_odds_ratio():
    """Simpson's case: the factor is without effect in each stratum, but rare where response is frequent."""
    strata = [[8, 10, 72, 90], [9, 90, 1, 10]]
    assert odds_ratio(strata)[0] == pytest.approx(1.0)
    crude = odds_ratio([[sum(c) for c in zip(*strata, strict=True)]])[0]
    assert crude < 0.1


def test_a_factor_that_nobody_carries_has_no_odds_ratio():
    assert odds_ratio([[0, 0, 5, 60]]) is None


def test_real_patients_are_counted_by_the_split_that_no_fit_may_cross(shared_data):
    odds = patient_odds(shared_data)
    fitted, held, everyone = (odds["TMB >= 10/Mb"]["LORIS"][g] for g in ("fitted to", "held out", "all"))
    assert [[a + b for a, b in zip(*pair, strict=True)] for pair in zip(fitted, held, strict=True)] == everyone
    assert odds_ratio(everyone)[0] == pytest.approx(2.17, abs=0.01)
    assert odds_ratio(odds["PD-L1 >= 50 v < 1 %"]["OAK"]["all"])[0] == pytest.approx(3.93, abs=0.02)


def arm(value: float, se: float, n: int) -> dict:
    return {
        "name": "a",
        "n": n,
        "failed": 0,
        "kind": "",
        "figures": {"orr_pct": [value, se]},
        "odds": {"f": [1, 2, 3, 4]},
    }


def test_seeds_are_pooled_with_the_error_of_their_mean():
    rows = [
        {"arms": [arm(20.0, 3.0, 50)], "comparison": {"pfs_hr": [0.5, 0.2]}, "helped": {}, "wall_s": 1.0},
        {"arms": [arm(40.0, 4.0, 50)], "comparison": {"pfs_hr": [2.0, 0.2]}, "helped": {}, "wall_s": 1.0},
    ]
    found = pooled(rows)
    assert found["arms"][0]["figures"]["orr_pct"] == [30.0, 2.5]
    assert found["arms"][0]["n"] == 100
    assert found["arms"][0]["odds"]["f"] == [2, 4, 6, 8]
    assert found["comparison"]["pfs_hr"] == [pytest.approx(1.0), pytest.approx(0.2 / math.sqrt(2))]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run of one shipped trial of two arms, with four patients an arm."""
    out = tmp_path_factory.mktemp("harness")
    return out, run_harness(["checkmate-017"], patients=4, seed=3, workers=1, out=out)


def test_a_run_scores_every_published_figure_beside_chance_and_rivals(ran):
    _, run = ran
    figures = {(c.arm, c.figure) for c in run.comparisons}
    assert {("", "pfs_hr"), ("", "os_hr"), ("nivolumab", "orr_pct"), ("nivolumab", "pd_pct")} <= figures
    row = run.rows["checkmate-017"]
    words = [row["arms"][0]["figures"][f"{w}_pct"][0] for w in ("cr", "pr", "sd", "pd", "ne")]
    assert sum(words) == pytest.approx(100.0)
    assert row["arms"][0]["figures"]["orr_pct"][0] == pytest.approx(words[0] + words[1])
    assert set(row["helped"]) >= {"helped_pct", "harmed_pct", "responds_only_with_pct"}
    text = harness_markdown(run)
    assert "| checkmate-017 | calibration | ici |" in text
    assert "baseline: constant" in text
    assert json.loads(json.dumps(run.to_json(), allow_nan=False))["trials"]["checkmate-017"]["role"] == "calibration"


def test_a_finished_trial_is_taken_from_its_file_and_a_damaged_one_is_not(ran, monkeypatch):
    out, run = ran
    stored = next((out / "rows").glob("*.json"))

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("simulated again")

    monkeypatch.setattr("immunescape.trial.runner.run_trial", forbidden)
    again = run_harness(["checkmate-017"], patients=4, seed=3, workers=1, out=out)
    assert again.rows == run.rows
    with pytest.raises(AssertionError, match="simulated again"):  # another seed is another trial
        run_harness(["checkmate-017"], patients=4, seed=4, workers=1, out=out)
    copy = out / "copy"
    shutil.copytree(out / "rows", copy / "rows")
    (copy / "rows" / stored.name).write_text(stored.read_text()[:-20])
    with pytest.raises(AssertionError, match="simulated again"):
        run_harness(["checkmate-017"], patients=4, seed=3, workers=1, out=copy)


def test_a_changed_model_makes_a_stored_trial_anew(ran, monkeypatch):
    out, _ = ran
    monkeypatch.setattr("immunescape.trial.runner.model_digest", lambda: "another model")
    made = []
    monkeypatch.setattr(
        "immunescape.trial.runner.run_trial", lambda *a, **k: made.append(1) or (_ for _ in ()).throw(KeyError)
    )
    with pytest.raises(KeyError):
        harness_run.run_harness(["checkmate-017"], patients=4, seed=3, workers=1, out=out)
    assert made


def test_a_run_is_recorded_as_a_row_of_the_history(ran, tmp_path):
    _, run = ran
    page = tmp_path / "harness.md"
    with pytest.raises(InputError, match="no such page"):
        append_history(page, run, "before", "2026-01-01")
    page.write_text(
        "# Harness\n\n| " + " | ".join(HISTORY_COLUMNS) + " |\n" + "|---" * len(HISTORY_COLUMNS) + "|\n\nEnd.\n"
    )
    append_history(page, run, "before", "2026-01-01")
    append_history(page, run, "after", "2026-01-02")
    rows = [line for line in page.read_text().splitlines() if line.startswith("|")]
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| before", "| after"]
    assert {row.count("|") for row in rows} == {len(HISTORY_COLUMNS) + 1}
    assert page.read_text().endswith("End.\n")


def test_the_page_of_the_documentation_holds_the_table_that_the_command_appends_to():
    page = Path(__file__).resolve().parents[2] / "docs" / "harness.md"
    assert "| " + " | ".join(HISTORY_COLUMNS) + " |" in page.read_text(encoding="utf-8").splitlines()


def test_an_unknown_trial_is_refused_with_the_nearest_name(tmp_path):
    answer = CliRunner().invoke(app, ["harness", "--trials", "keynote-023", "--out", str(tmp_path)])
    assert answer.exit_code != 0
    assert "keynote-024" in str(answer.exception)
