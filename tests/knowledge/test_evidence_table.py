"""Tables of trials for and against classes of regimens: read, checked, shown."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from typer.testing import CliRunner

from immunescape.cli.program import app
from immunescape.errors import ImmunescapeError, InputError
from immunescape.knowledge.evidence_table import COLUMNS, FURTHER, matching, read_evidence, shipped_evidence
from immunescape.knowledge.tables import DATA
from immunescape.predictions.ledger import check_ledger

BASE = "KEYNOTE-024,NCT02142738,3,ici,1,no,any,50-100,none,positive,longer survival,reck2016"
MORE = f"{BASE},os,305,2016,0.6,0.41,0.89,source,metastatic"
CHAIN = "a" * 64


def written(tmp_path, *rows: str, further: bool = False, first: str | None = None):
    columns = (*COLUMNS, *FURTHER) if further else COLUMNS
    lines = [f"# entered after: {CHAIN}"] if further and first is None else ([first] if first else [])
    file = tmp_path / "evidence.csv"
    file.write_text("\n".join([*lines, ",".join(columns), *rows]) + "\n")
    return file


def run(*arguments: str):
    return CliRunner().invoke(app, ["evidence", *arguments])


def test_rows_of_both_forms_are_read(tmp_path):
    (row,) = read_evidence(written(tmp_path, BASE)).rows
    assert (row.trial, row.result, row.ratio) == ("KEYNOTE-024", "positive", None)
    table = read_evidence(written(tmp_path, MORE, further=True))
    assert table.entered_after == CHAIN
    assert (table.rows[0].ratio, table.rows[0].n, table.rows[0].checked) == (0.6, 305, "source")
    assert "note" not in table.rows[0].to_json()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("NCT02142738", "NCT0214273", "not a registry number"),
        (",ici,", ",icy,", "'ici'"),
        (",ici,", ",chemotherapy and ici,", "'ici and chemotherapy'"),
        (",3,ici", ",4,ici", "phase"),
        (",1,no,", ",first,no,", "lines"),
        (",1,no,", ",1,nope,", "had_inhibitor"),
        ("50-100", "50-110", "not a range"),
        ("50-100", "100-50", "not a range"),
        (",none,", ",EGFRR,", "EGFR"),
        ("positive", "positiv", "positive"),
        ("positive", "single_arm", "cannot be a single arm"),
        ("longer survival", "", "no finding"),
        ("reck2016", "reck2061", "reck2061"),
        (",305,", ",30.5,", "n is 30.5"),
        (",2016,", ",16,", "year is 16"),
        ("0.6,0.41,0.89", "0.6,0.61,0.89", "is impossible"),
        ("0.6,0.41,0.89", "0.6,,0.89", "entered together"),
        ("0.6,0.41,0.89", "1.1,0.9,1.3", "the result is positive"),
        ("positive", "negative", "the result is negative"),
        (",os,", ",survival,", "endpoint"),
        (",os,", ",,", "no endpoint"),
        (",source", ",recalled", "checked"),
        (",metastatic", ",stage 3", "stage III"),
    ],
)
def test_a_row_that_cannot_be_names_file_line_and_what_is_wrong(tmp_path, old: str, new: str, message: str):
    head, _, tail = MORE.rpartition(old)
    file = written(tmp_path, head + new + tail, further=True)
    with pytest.raises(ImmunescapeError, match=message) as error:
        read_evidence(file)
    assert "evidence.csv, line 3" in str(error.value)


def test_a_trial_stands_once_in_a_setting_under_one_name(tmp_path):
    with pytest.raises(InputError, match="is listed twice"):
        read_evidence(written(tmp_path, BASE, BASE))
    other = BASE.replace("KEYNOTE-024", "KN024").replace(",1,no", ",2+,no")
    with pytest.raises(InputError, match="NCT02142738 is KN024 here and KEYNOTE-024"):
        read_evidence(written(tmp_path, BASE, other))
    read_evidence(written(tmp_path, BASE, BASE.replace(",1,no", ",2+,no")))  # another setting of the same trial


def test_a_table_of_combination_trials_says_what_it_was_entered_after(tmp_path):
    with pytest.raises(InputError, match="entered") as error:
        read_evidence(written(tmp_path, MORE, further=True, first=""))
    assert "predictions check" in str(error.value)
    with pytest.raises(InputError, match="entered"):
        read_evidence(written(tmp_path, MORE, further=True, first="# entered after: soon"))


def test_the_included_tables_hold_and_have_failures_too():
    rows = shipped_evidence().rows
    assert len(rows) >= 25
    assert len(matching(rows, result="negative")) >= 5
    assert {r.trial for r in matching(rows, kind="antiangiogenic", had_inhibitor="yes")} >= {"SAPPHIRE", "CONTACT-01"}
    with pytest.raises(InputError, match="antiangiogenic"):
        matching(rows, kind="antiangiogenc")


def test_the_command_shows_filters_and_checks(tmp_path):
    shown = json.loads(run("--kind", "antiangiogenic", "--after-inhibitor", "--json").output)
    assert {"SAPPHIRE", "CONTACT-01"} <= {r["trial"] for r in shown["rows"]}
    assert all(r["had_inhibitor"] == "yes" for r in shown["rows"])
    table = run("--result", "negative").output
    assert "SAPPHIRE" in table
    assert "KEYNOTE-024" not in table
    assert "trials: " in run("--check").output
    assert "no trial" in run("--kind", "flora").output
    wrong = run("--result", "negativ")
    assert wrong.exit_code != 0


def test_check_compares_with_the_chain_of_predictions(tmp_path, monkeypatch):
    from immunescape.predictions import ledger

    file = written(tmp_path, MORE, further=True)
    result = run("--check", "--file", str(file))
    assert result.exit_code != 0
    assert "hash" in str(result.exception)
    monkeypatch.setattr(ledger, "check_ledger", lambda folder=None, kept="": [] if kept == CHAIN else ["no"])
    good = run("--check", "--file", str(file))
    assert good.exit_code == 0
    assert "entered after the predictions up to aaaaaaaaaaaa" in good.output
    assert "fewer than the 80 rows" in good.output


def test_trials_of_another_stage_are_told_apart(tmp_path):
    later = MORE.replace(",metastatic", ",stage III")
    rows = read_evidence(written(tmp_path, MORE, later, further=True)).rows
    assert [r.stage for r in rows] == ["metastatic", "stage III"]


def test_the_table_of_combination_trials_holds_the_field_with_its_failures():
    table = read_evidence(DATA / "combination_evidence.csv")
    assert len(table.rows) >= 150
    assert check_ledger(kept=table.entered_after) == []
    results = Counter(r.result for r in table.rows)
    assert min(results["positive"], results["negative"]) > 50
    assert {r.trial for r in table.rows if r.had_inhibitor == "yes" and r.result == "negative"} >= {
        "SAPPHIRE",
        "CONTACT-01",
        "LEAP-008",
        "LATIFY",
        "Pragmatica-Lung S2302",
        "EVOKE-01",
        "COSTAR Lung",
    }
    assert not any(r.stage != "metastatic" and r.had_inhibitor == "yes" for r in table.rows)


def test_no_model_fit_claim_or_trial_reads_the_trials_of_combinations():
    source = DATA.parents[1]
    readers = {
        file.relative_to(source).as_posix()
        for folder in (
            "engine",
            "model",
            "population",
            "trial",
            "evaluation",
            "calibration",
            "patients",
            "knowledge/claims",
        )
        for file in (source / folder).rglob("*.*")
        if file.suffix in (".py", ".yaml")
        and any(
            w in file.read_text(encoding="utf-8") for w in ("evidence_table", "combination_evidence", "option_evidence")
        )
    }
    assert readers == set()
