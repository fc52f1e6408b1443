"""The survey of twins: who gets enough, who is refused and why, and a rerun that repeats nobody."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest

from immunescape.errors import InputError

SCRIPT = Path(__file__).parents[2] / "scripts" / "twin_survey.py"


@pytest.fixture
def survey(monkeypatch):
    """The script, with the profiles and twins of three made-up patients."""
    spec = importlib.util.spec_from_file_location("twin_survey", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    asked: list[str] = []

    def twins_before(record, regimen, **_):
        asked.append(record.patient)
        if record.patient == "P2":
            raise InputError("only 12 of 6144 candidates are effective twins; least likely: nlr", hint="Check it.")
        fact = SimpleNamespace(biomarker="tmb", target="tmb_mut_mb")
        return SimpleNamespace(candidates=1024, effective=231.4, least_likely=(fact, 0.0123))

    def patient_record(study, profile, at):
        if profile == "P3":
            raise InputError("the first sum of diameters is 4 mm", hint="Give sums in mm.")
        facts = (SimpleNamespace(kind="observable"), SimpleNamespace(kind="covariate"))
        return SimpleNamespace(
            patient=profile,
            facts=facts,
            history=(),
            unknown_lines=1,
            ongoing=None,
            planned=SimpleNamespace(drugs=("docetaxel",)),
        )

    names = ("P1", "P2", "P3")
    profiled = SimpleNamespace(patients={n: n for n in names}, done=SimpleNamespace(study=None))
    monkeypatch.setattr("immunescape.twins.twin.twins_before", twins_before)
    monkeypatch.setattr("immunescape.twins.records.patient_record", patient_record)
    monkeypatch.setattr("immunescape.api.profiles.profile_study", lambda _: profiled)
    monkeypatch.setattr("immunescape.profile.loading.load_study", lambda _: SimpleNamespace(patient_ids=list(names)))
    module.asked = asked
    return module


def run(module, monkeypatch, *words: str) -> None:
    monkeypatch.setattr("sys.argv", ["twin_survey.py", "study", *words])
    module.main()


def test_the_table_says_who_is_refused_and_by_what_and_a_rerun_repeats_nobody(survey, monkeypatch, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n\n{survey.START}\n\nold\n\n{survey.END}\n\nafter\n")
    words = ("--out", str(tmp_path / "s.jsonl"), "--page", str(page))
    run(survey, monkeypatch, *words)
    run(survey, monkeypatch, *words)
    assert survey.asked == ["P1", "P2"]
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "3 of 3 patients: 1 have 200 effective candidates, 2 are refused." in text
    assert "| P1 | 1 | 2 (1) | 1024 | 231 | tmb (1.2 %) |" in text
    assert "least likely: nlr" in text
    assert "the first sum of diameters is 4 mm" in text


def test_it_stops_when_the_processor_time_is_spent(survey, monkeypatch, tmp_path, capsys):
    run(survey, monkeypatch, "--out", str(tmp_path / "s.jsonl"), "--cpu-minutes", "0")
    assert survey.asked == []
    assert "the processor time is spent" in capsys.readouterr().out
