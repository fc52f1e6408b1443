"""Predictions are entered once: the ledger shows every later change, and results stand beside, never over them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from immunescape.cli import app
from immunescape.errors import ImmunescapeError, InputError
from immunescape.evaluation.forecast import Forecast, ForecastFigure
from immunescape.predictions import (
    Outcome,
    check_ledger,
    enter_outcome,
    enter_prediction,
    last_hash,
    open_protocols,
    read_outcomes,
    read_predictions,
)
from immunescape.predictions.register import REGISTER
from immunescape.trial.loading import load_trial


def forecast(name: str = "harmoni-7", ratio: float = 0.7) -> Forecast:
    trial = load_trial(open_protocols()[name])
    pair = f"{trial.arms[0].name} / {trial.arms[-1].name}"
    figures = (
        ForecastFigure(
            arm=trial.arms[0].name,
            endpoint="orr_pct",
            value=41.23456,
            low=33.0,
            high=50.0,
            monte_carlo_se=1.0,
            simulated=900,
            planned=390,
        ),
        ForecastFigure(
            arm=pair,
            endpoint="pfs_hr",
            value=ratio,
            low=0.5,
            high=0.98,
            monte_carlo_se=0.03,
            simulated=900,
            planned=780,
        ),
        ForecastFigure(
            arm=pair, endpoint="os_hr", value=0.8, low=0.6, high=None, monte_carlo_se=None, simulated=900, planned=780
        ),
    )
    return Forecast(
        trial=trial,
        figures=figures,
        success={"pfs": 0.8},
        baselines={"pfs_hr": {"constant": 0.64}},
        seeds=(1, 2, 3),
        patients=300,
        failed=0,
        digest="ab" * 32,
        version="1",
        wall_s=1.0,
        tables={"numbers": "cd" * 32, "fit": "ef" * 6, "learnt": "01" * 32},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("harmoni-7", "krystal-7"):
        enter_prediction(forecast(name), tmp_path, question="Is it better?", declared="Nothing.", date="2026-01-02")
    return tmp_path


def test_a_prediction_comes_back_as_it_was_entered(folder: Path) -> None:
    first, second = read_predictions(folder)
    assert (first.trial, second.trial) == ("harmoni-7", "krystal-7")
    assert (first.registry, first.date) == ("NCT06767514", "2026-01-02")
    assert first.figure("pfs_hr")["value"] == 0.7  # type: ignore[index]
    assert first.figure("orr_pct")["value"] == 41.23  # type: ignore[index]
    assert first.figure("dor_median_months") is None


def test_the_protocol_of_a_record_loads_as_the_trial_that_was_predicted(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "again.yaml"
    path.write_text(read_predictions(folder)[0].protocol, encoding="utf-8")
    assert load_trial(path).arms == load_trial(open_protocols()["harmoni-7"]).arms


def test_a_record_that_was_changed_is_seen(folder: Path) -> None:
    path = folder / "records" / "harmoni-7.2026-01-02.yaml"
    path.write_text(path.read_text().replace("value: 0.7", "value: 0.5"))
    assert check_ledger(folder) == [
        "ledger.csv, row 2: record 'harmoni-7.2026-01-02.yaml' was changed after it was entered"
    ]
    with pytest.raises(InputError, match="is invalid"):
        read_predictions(folder)


def test_a_record_that_was_dropped_or_slipped_in_is_seen(folder: Path) -> None:
    records = folder / "records"
    (records / "extra.yaml").write_bytes((records / "krystal-7.2026-01-02.yaml").read_bytes())
    (records / "krystal-7.2026-01-02.yaml").unlink()
    assert [p.split(": ", 1)[1] for p in check_ledger(folder)] == [
        "record 'krystal-7.2026-01-02.yaml' is missing",
        "not in ledger.csv",
    ]


@pytest.mark.parametrize("change", ["drop the first row", "change a date", "a new hash without a new chain"])
def test_a_ledger_that_was_rewritten_in_part_is_seen(folder: Path, change: str) -> None:
    path = folder / "ledger.csv"
    header, first, second = path.read_text().splitlines()
    if change == "drop the first row":
        lines = [header, second.replace("2,", "1,", 1)]
    elif change == "change a date":
        lines = [header, first.replace(",2026-01-02,", ",2025-01-02,"), second]
    else:
        old = first.split(",")[3]
        lines = [header, first.replace(old, "0" * 64), second]
    path.write_text("\n".join(lines) + "\n")
    assert any("chain" in problem for problem in check_ledger(folder))


def test_the_last_record_dropped_with_its_row_is_seen_by_a_hash_that_was_kept(folder: Path) -> None:
    kept = last_hash(folder)
    assert check_ledger(folder, kept) == []
    ledger = folder / "ledger.csv"
    ledger.write_text("".join(ledger.read_text().splitlines(keepends=True)[:-1]))
    (folder / "records" / "krystal-7.2026-01-02.yaml").unlink()
    assert check_ledger(folder) == []
    assert [p for p in check_ledger(folder, kept) if kept in p]
    shown = CliRunner().invoke(app, ["predictions", "check", "--folder", str(folder), "--hash", kept])
    assert shown.exit_code == 1


def test_a_folder_without_its_ledger_says_that_and_not_that_its_records_can_go(folder: Path) -> None:
    (folder / "ledger.csv").unlink()
    assert check_ledger(folder) == ["ledger.csv is missing, and records/ has 2 files"]
    with pytest.raises(InputError, match="Restore the records"):
        read_predictions(folder)
    (folder / "ledger.csv").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        check_ledger(folder)


def test_a_record_without_its_row_is_said_to_be_of_an_entry_that_was_not_completed(folder: Path) -> None:
    extra = folder / "records" / "harmoni-7.2026-01-03.yaml"
    extra.write_bytes((folder / "records" / "harmoni-7.2026-01-02.yaml").read_bytes())
    with pytest.raises(InputError, match="not completed"):
        read_predictions(folder)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (("failed: 0", "failed: none of them"), "failed"),
        (("  figures:", "  rows:"), "figures"),
        (("value: 0.7", "value: !!python/name:os.system"), "harmoni-7"),
        (("question:", "forecast: &a\nquestion:"), "harmoni-7"),
    ],
)
def test_a_record_that_was_entered_with_other_content_is_refused_by_file_and_field(
    folder: Path, change: tuple[str, str], field: str
) -> None:
    import hashlib

    from immunescape.predictions import ledger

    record = folder / "records" / "harmoni-7.2026-01-02.yaml"
    record.write_text(record.read_text().replace(*change))
    rows = ledger._ledger_rows(folder)
    previous = ledger.START
    lines = [",".join(ledger.COLUMNS)]
    for row in rows:  # a ledger that was written anew over the changed record
        row["sha256"] = hashlib.sha256((folder / "records" / row["record"]).read_bytes()).hexdigest()
        row["chain"] = previous = ledger._link(previous, row)
        lines.append(",".join(row[name] for name in ledger.COLUMNS))
    (folder / "ledger.csv").write_text("\n".join(lines) + "\n")
    assert check_ledger(folder) == []
    with pytest.raises(InputError, match="Restore the file") as error:
        read_predictions(folder)
    assert str(record) in str(error.value)
    assert field in str(error.value)


@pytest.mark.parametrize("row", ["3,a.yaml", "3,a.yaml,2026-01-02,x,y,z"])
def test_a_row_of_the_ledger_with_too_few_or_too_many_fields_is_named(folder: Path, row: str) -> None:
    with (folder / "ledger.csv").open("a") as stream:
        stream.write(row + "\n")
    with pytest.raises(InputError, match="row 4"):
        check_ledger(folder)


@pytest.mark.parametrize("stop", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_entry_that_is_stopped_before_the_ledger_is_written_leaves_no_record(
    folder: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    import os

    replace_file = os.replace

    def failing(source: str, target: str) -> None:
        if Path(target).name == "ledger.csv":
            raise stop
        replace_file(source, target)

    monkeypatch.setattr("immunescape.files.os.replace", failing)
    with pytest.raises((ImmunescapeError, KeyboardInterrupt)):
        enter_prediction(forecast(), folder, question="Again?", declared="Nothing.", date="2026-01-03")
    assert check_ledger(folder) == []
    assert len(read_predictions(folder)) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--folder", "FOLDER", "check"], "before 'check'"),
        (["--json", "show", "harmoni-7"], "before 'show'"),
        (["check", "--folder", "missing"], "not a folder"),
        (["check", "--hash", "abc"], "64 hexadecimal digits"),
        (["show", "harmoni-7", "--folder", "EMPTY"], "no prediction is entered"),
        (["enter", "x", "--endpoint", "pfs_hr", "--value", "1", "--source", "A", "--folder", "EMPTY"], "is entered in"),
    ],
)
def test_commands_refuse_what_would_have_no_effect(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, arguments: list[str], message: str
) -> None:
    places = {"FOLDER": str(folder), "EMPTY": str(tmp_path_factory.mktemp("empty"))}
    result = CliRunner().invoke(app, ["predictions", *(places.get(a, a) for a in arguments)])
    assert isinstance(result.exception, ImmunescapeError)
    assert message in f"{result.exception.message} {result.exception.hint}"


def test_a_later_prediction_of_a_trial_stands_beside_the_earlier_one(folder: Path) -> None:
    enter_prediction(forecast(ratio=0.9), folder, question="Again?", declared="Nothing.", date="2026-01-02")
    values = [p.figure("pfs_hr")["value"] for p in read_predictions(folder) if p.trial == "harmoni-7"]  # type: ignore[index]
    assert values == [0.7, 0.9]
    assert not check_ledger(folder)


def test_the_same_prediction_is_entered_once(folder: Path) -> None:
    before = (folder / "ledger.csv").read_bytes()
    again = enter_prediction(forecast(), folder, question="Is it better?", declared="Nothing.", date="2026-01-02")
    assert again.figure("pfs_hr")["value"] == 0.7  # type: ignore[index]
    assert (folder / "ledger.csv").read_bytes() == before
    assert len(list((folder / "records").iterdir())) == 2


def test_a_result_is_entered_beside_and_changes_no_record(folder: Path) -> None:
    before = {p.name: p.read_bytes() for p in (folder / "records").iterdir()}
    enter_outcome(
        folder,
        Outcome(
            trial="harmoni-7",
            endpoint="pfs_hr",
            arm="ivonescimab / pembrolizumab",
            value=0.6,
            low=0.5,
            high=0.72,
            source="A 2027",
            entered="2027-01-01",
        ),
    )
    assert [o.value for o in read_outcomes(folder)] == [0.6]
    assert before == {p.name: p.read_bytes() for p in (folder / "records").iterdir()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trial": "harmony-7"}, "harmoni-7"),
        ({"endpoint": "pfs_ratio"}, "pfs_hr"),
        ({"arm": "ivonescimab"}, "ivonescimab / pembrolizumab"),
        ({"value": 0.9}, "is impossible"),
        ({"value": float("nan")}, "is impossible"),
        ({"value": 0.0, "low": None, "high": None}, "is impossible"),
        ({"endpoint": "os_median_months", "arm": "ivonescimab"}, "was not predicted"),
        ({"source": " "}, "citation"),
    ],
)
def test_a_result_that_cannot_be_is_refused(folder: Path, change: dict[str, object], message: str) -> None:
    good = Outcome(
        trial="harmoni-7",
        endpoint="pfs_hr",
        arm="ivonescimab / pembrolizumab",
        value=0.6,
        low=0.5,
        high=0.72,
        source="A 2027",
        entered="2027-01-01",
    )
    with pytest.raises(ImmunescapeError, match=message):
        enter_outcome(folder, replace(good, **change))  # type: ignore[arg-type]
    assert read_outcomes(folder) == []


def test_results_with_an_unknown_field_are_refused(folder: Path) -> None:
    enter_outcome(
        folder,
        Outcome(
            trial="harmoni-7",
            endpoint="pfs_hr",
            arm="ivonescimab / pembrolizumab",
            value=0.6,
            low=0.5,
            high=0.72,
            source="A 2027",
            entered="2027-01-01",
        ),
    )
    path = folder / "outcomes.yaml"
    path.write_text(path.read_text() + "  p_value: 0.01\n")
    with pytest.raises(InputError, match="p_value"):
        read_outcomes(folder)


def test_a_trial_with_published_results_is_no_prediction(tmp_path: Path) -> None:
    made = replace(forecast(), trial=load_trial("keynote-024"))
    with pytest.raises(InputError, match="published results"):
        enter_prediction(made, tmp_path, question="?", declared="!")


@pytest.mark.parametrize("twice", [False, True])
def test_a_trial_without_its_published_results_and_a_trial_named_twice_are_refused_before_a_run(
    tmp_path: Path, twice: bool
) -> None:
    text = load_trial("keynote-024").text
    file = tmp_path / "again.yaml"
    file.write_text(open_protocols()["krystal-7"].read_text() if twice else text[: text.index("\npublished:") + 1])
    words = ["predictions", "make", *[str(file)] * (2 if twice else 1), "--question", "?", "--known", "!"]
    result = CliRunner().invoke(app, [*words, "--folder", str(tmp_path / "p")])
    assert isinstance(result.exception, InputError)
    assert ("named twice" if twice else "NCT02142738") in result.exception.message
    assert not (tmp_path / "p").exists()


def test_an_included_trial_is_refused_with_where_its_result_is(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["predictions", "make", "keynote-024", "--folder", str(tmp_path / "p")])
    assert isinstance(result.exception, InputError)
    assert "published results" in result.exception.message


def test_a_trial_whose_result_ships_is_no_prediction_without_its_published_block_either(tmp_path: Path) -> None:
    made = replace(forecast(), trial=replace(load_trial("keynote-024"), published=None))
    with pytest.raises(InputError, match="whose result is in the included trial 'keynote-024'"):
        enter_prediction(made, tmp_path, question="?", declared="!")


def test_the_ledger_that_ships_holds() -> None:
    assert check_ledger() == []


def test_every_open_protocol_loads_without_published_results_and_is_declared() -> None:
    trials = {name: load_trial(path) for name, path in open_protocols().items()}
    assert len({t.registry for t in trials.values()}) >= 10
    assert all(t.published is None and len(t.arms) > 1 and t.name == name for name, t in trials.items())
    assert set(REGISTER.all()) == set(trials)
