"""The pages of twins and rankings: what they say, and that pictures are ones that plotly knows."""

from __future__ import annotations

import html
from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from immunescape.profile.scores import response_probability
from immunescape.report.twin_report import (
    fan_picture,
    forest_picture,
    limiting_picture,
    relief_picture,
    write_ranking,
    write_twins,
)
from immunescape.report.twin_text import contradicting
from immunescape.twins.conditioning import TwinPopulation
from immunescape.twins.courses import Courses
from immunescape.twins.facts import Fact
from immunescape.twins.options import options_for
from immunescape.twins.ranking import RankedPatient, comparisons_of, ranked
from immunescape.twins.recorded_patient import LineRecord, PatientRecord, Scan, ShownScans
from immunescape.twins.twin import Followed, TwinResult, forecast

NOTICE = "research alone"


def made(n: int = 40) -> tuple[RankedPatient, TwinResult]:
    tps = Fact("pdl1_tps", "covariate", value=80.0, spread=10.0, scale="sd", biomarker="pdl1_tps", measured="80 %")
    line = LineRecord(("pembrolizumab",), 0.0, np.inf, 80.0, (Scan(42.0, 60.0, "SD"),), np.inf)
    shown = ShownScans(0.0, 80.0, ("pembrolizumab",), (Scan(42.0, 60.0, "SD"),), (Scan(91.0, 50.0, "PR"),))
    record = PatientRecord("P<1>", 42.0, (tps,), lines=(line,), shown=shown)
    options, left = options_for(PatientRecord("P<1>", 0.0, (tps,)))
    rng = np.random.default_rng(1)
    rows, scans = [], []
    for option in options:
        for i in range(n):
            end = float(rng.gamma(2.0, 200.0))
            rows.append(
                {
                    "id": i,
                    "arm": option.name,
                    "best_response": "PR",
                    "progression_day": end,
                    "death_day": 2 * end,
                    "grade3_day": 10.0,
                    "toxicity_stop_day": None,
                }
            )
            scans += [{"id": i, "arm": option.name, "day": d, "change_pct": rng.normal(-20, 9)} for d in (42.0, 84.0)]
    table = pd.DataFrame(index=pd.RangeIndex(n, name="id"))
    weights = np.full(n, 1 / n)
    twins = TwinPopulation(
        patient="P<1>",
        table=table,
        weights=weights,
        facts=(tps,),
        effective=float(n),
        candidates=n,
        surprise={"pdl1_tps": 0.2},
        seed=1,
    )
    followed = Followed(twins, Courses(pd.DataFrame(rows), pd.DataFrame(scans)), weights)
    early = {o.name: {"priming": 0.4, "killing": -0.1} for o in options}
    ranking = ranked(followed, options, discrepancy={}, limiting={"priming": 0.9, "killing": 0.1}, early=early)
    first = PatientRecord("P<1>", 0.0, (tps,), statistical=response_probability(pdl1=80, nlr=3.0).observed)
    beside = comparisons_of(first, followed, options)
    figures = forecast(followed.courses.patients.iloc[:n], weights)
    name = options[0].name
    result = TwinResult(
        record=record,
        twins=twins,
        label=name,
        regimen=options[0].regimen,
        courses=followed.courses,
        before=figures,
        now=dict(figures),
        comparison=beside[name],
    )
    return RankedPatient(record, followed, ranking, left, "line 1", comparisons=beside), result


def test_the_page_of_a_ranking_says_what_it_must(tmp_path):
    patient, _ = made()
    page = write_ranking(patient, tmp_path / "ranking.html", NOTICE).read_text(encoding="utf-8")
    expected = (
        NOTICE,
        "KEYNOTE-024",
        "cannot be told apart",
        "effective sample size 40",
        "survival 1",
        "priming",
        "Dendritic cells [claims]",
        "by trials: PD-1, PD-L1 and PD-L2 in the tumour",
        "P&lt;1&gt;",
    )
    for words in expected:
        assert words in page
    assert "<script src=" not in page


def test_what_is_for_trials_only_is_not_called_the_standard():
    from immunescape.report.twin_text import option_rows

    patient, _ = made()
    assert [row["option"] for row in option_rows(patient) if "(standard)" in row["option"]]
    rows = tuple(replace(r, option=replace(r.option, role="trial only")) for r in patient.ranking.rows)
    without = [r["option"] for r in option_rows(replace(patient, ranking=replace(patient.ranking, rows=rows)))]
    assert not [name for name in without if "(standard)" in name]
    assert len([name for name in without if name.endswith("(reference, no standard)")]) == 1


@pytest.mark.parametrize("place", ["page", "terminal"])
def test_every_figure_of_an_option_can_be_read(place, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # narrower terminals break headings between their words
    from immunescape.report.twin_text import print_ranking
    from immunescape.twins.ranking import FIGURES

    patient, _ = made()
    if place == "page":
        shown = write_ranking(patient, tmp_path / "ranking.html", NOTICE).read_text(encoding="utf-8")
    else:
        print_ranking(patient)
        shown = capsys.readouterr().out
    headings = {
        "response": "response, %",
        "rmst_24": "months alive of 24",
        "grade3": "grade ≥ 3, %",
        "stopped": "discontinued",
        **{f"{end}_{month}": f"{end.upper()} {month} months, %" for end in ("pfs", "os") for month in (6, 12, 24)},
    }
    assert set(headings) == set(FIGURES)
    missing = [name for name, heading in headings.items() if heading not in " ".join(shown.split())]
    assert missing == []
    alive = patient.ranking.rows[0].figures["rmst_24"]
    assert f"{alive.value:.1f} ({alive.low:.1f} to {alive.high:.1f})" in " ".join(shown.split())


def test_the_page_of_twins_shows_the_patients_scans_and_the_forecast(tmp_path):
    _, result = made()
    page = write_twins(result, tmp_path / "twins.html", NOTICE).read_text(encoding="utf-8")
    for words in (NOTICE, "the patient&#x27;s scans", "alive at 12 months", "change, points"):
        assert words in page or words.replace("&#x27;", "'") in page


def test_pictures_are_ones_that_plotly_knows():
    patient, result = made()
    fan = fan_picture(result.twins, result.courses.scans, result.label, "fan", result.record.shown, ("pembrolizumab",))
    relief = relief_picture(patient.ranking)
    assert fan is not None
    assert relief is not None
    for picture in (forest_picture(patient), fan, limiting_picture(patient.ranking), relief):
        go.Figure(data=list(picture.data), layout=dict(picture.layout))
    assert {t["name"] for t in fan.data if "name" in t} >= {"median twin", "the patient's scans"}


def test_scans_after_the_decision_stand_on_the_regimen_that_was_given_alone():
    _, result = made()
    shown = result.record.shown

    def marked(drugs: tuple[str, ...]) -> dict[str, tuple[list, list]]:
        fan = fan_picture(result.twins, result.courses.scans, result.label, "fan", shown, drugs)
        assert fan is not None
        return {t["name"]: (t["x"], t["y"]) for t in fan.data if t["mode"] == "markers"}

    given = marked(("pembrolizumab",))
    assert given["the patient's scans"] == ([pytest.approx(42.0 / 30.4375)], [pytest.approx(-25.0)])
    assert given["recorded later, not used"][1] == [pytest.approx(-37.5)]
    assert list(marked(("docetaxel",))) == ["the patient's scans"]


def test_steps_stand_in_the_order_of_the_cycle_with_a_mark_for_each_option():
    patient, _ = made()
    assert limiting_picture(patient.ranking).data[0]["y"] == ["Killing", "Priming"]  # from below
    relief = relief_picture(patient.ranking)
    assert relief is not None
    assert len(relief.data) == min(len(patient.ranking.rows), 5)
    assert relief.data[0]["x"] == [-0.1, 0.4]


def test_the_terminal_says_what_tested_that_through_which_options_act_and_what_limits(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    from immunescape.report.twin_text import print_ranking

    print_ranking(made()[0])
    shown = capsys.readouterr().out
    assert "What the options act through, by what tested it" in shown
    assert "Pembrolizumab: by trials: PD-1, PD-L1 and PD-L2 in the tumour" in shown
    assert shown.index("Limiting step") < shown.index("In brackets: what a mechanism was tested by")


def test_statistical_models_stand_beside_the_twins_on_page_terminal_and_in_json(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    from immunescape.report.twin_text import BESIDE, print_ranking, print_twins

    patient, result = made()
    print_ranking(patient)
    page = write_ranking(patient, tmp_path / "ranking.html", NOTICE).read_text(encoding="utf-8")
    texts = [capsys.readouterr().out, page]
    print_twins(result)
    texts += [capsys.readouterr().out, write_twins(result, tmp_path / "t.html", NOTICE).read_text(encoding="utf-8")]
    row = result.comparison.rows[0]
    shown = "{:.0f} ({:.0f} to {:.0f})".format(*(100 * v for v in row.combined))
    for text in texts:
        plain = html.unescape(" ".join(text.split()))
        for words in (BESIDE, shown, "held-out patients", "the better of its parts", "integrated over"):
            assert words in plain, words
    for text in texts[:2]:
        assert "No patients' data for this regimen" in html.unescape(text)
    content = patient.to_json()["statistical_models"]
    covered = [name for name, c in content["options"].items() if c["figures"]]
    assert covered
    assert len(covered) < len(content["options"])
    assert result.to_json()["statistical_models"]["figures"]["response"]["twins"] == pytest.approx(row.twins, abs=1e-4)


def test_the_page_and_the_terminal_say_what_to_measure_next(tmp_path, capsys):
    from dataclasses import replace

    from immunescape.report.twin_text import print_ranking
    from immunescape.twins.results import PossibleResults
    from immunescape.twins.value import value_of_information

    patient, _ = made()
    carried = np.arange(200) % 4 == 0
    result = PossibleResults("hla_loh", "f_hla_loh", ("absent", "present"), np.stack([~carried, carried], axis=1) * 1.0)
    scores = {"A": np.zeros(200), "B": np.where(carried, 0.4, -0.4)}
    answer = value_of_information([result], scores, np.full(200, 1 / 200), "A", titles={"B": "option <B>"})
    patient = replace(patient, next=answer)
    page = write_ranking(patient, tmp_path / "ranking.html", NOTICE).read_text(encoding="utf-8")
    would = "HLA class I loss of heterozygosity would change the first choice in 1 of 4 twins"
    assert f"{would} (present: option &lt;B&gt;)" in page
    assert "present: 25 %, option &lt;B&gt;" in page
    print_ranking(patient)
    assert would in capsys.readouterr().out
    assert patient.to_json()["measure_next"]["measurements"][0]["share_with_another_first_choice"] == 0.25


def test_the_scans_of_the_line_stand_beside_the_forecast_that_they_moved(tmp_path, capsys):
    from dataclasses import replace

    from immunescape.report.twin_text import course_rows, print_twins
    from immunescape.twins.recorded_patient import CtdnaSample

    _, result = made()
    samples = (CtdnaSample(0.0, 4.0), CtdnaSample(42.0, 1.0), CtdnaSample(80.0, 0.05, below=True))
    record = replace(result.record, at=84.0, ctdna=samples)
    moved = replace(result, record=record, now={**result.now, "os_12": 0.99})
    assert [tuple(row.values()) for row in course_rows(record)] == [
        ("day 0", "sum of diameters", "80 mm", "baseline"),
        ("day 0", "ctDNA", "4", "baseline"),
        ("day 42", "sum of diameters", "60 mm", "-25 %, SD"),
        ("day 42", "ctDNA", "1", "-75 %"),
        ("day 80", "ctDNA", "below 0.05", "below -99 %"),
    ]
    print_twins(moved)
    page = write_twins(moved, tmp_path / "twins.html", NOTICE).read_text(encoding="utf-8")
    for text in (" ".join(capsys.readouterr().out.split()), page):
        for words in ("60 mm", "-25 %, SD", "on day 84", "99 %", "without progression on the last scan"):
            assert words in text, words
    assert course_rows(replace(record, lines=())) == []


def test_ctdna_that_conditions_nothing_is_not_shown_as_if_it_did():
    from dataclasses import replace

    from immunescape.report.twin_text import course_rows
    from immunescape.twins.recorded_patient import CtdnaSample

    _, result = made()
    record = replace(result.record, ctdna=(CtdnaSample(42.0, 1.0),), unknown_lines=1)
    assert {row["measured"] for row in course_rows(record)} == {"sum of diameters"}


@pytest.mark.parametrize(
    ("share", "text"),
    [(1.0, "100 %"), (0.996, "100 %"), (0.36, "36 %"), (0.0996, "10 %"), (0.068, "6.8 %"), (0.0002, "0.02 %")],
)
def test_a_share_has_no_exponent(share, text):
    from immunescape.report.fact_text import share_text

    assert share_text(share) == text


def test_fans_side_by_side_have_one_scale(tmp_path):
    import json
    import re

    patient, _ = made()
    page = write_ranking(patient, tmp_path / "ranking.html", NOTICE).read_text(encoding="utf-8")
    pictures = [json.loads(text) for text in re.findall(r'class="picture-content"[^>]*>(.*?)</script>', page, re.S)]
    ranges = [layout["yaxis"]["range"] for _, layout, _ in pictures if "range" in layout.get("yaxis", {})]
    assert len(ranges) > 1
    assert all(r == ranges[0] for r in ranges)


def test_a_trial_without_a_registry_number_has_no_empty_brackets():
    ranking = made()[0].ranking
    found = next(e for r in ranking.rows for e in r.option.evidence)
    trials = tuple(replace(found, trial="JCOG1", registry=n, result="negative", finding="none") for n in ("", "NCT1"))
    rows = tuple(replace(r, option=replace(r.option, title="X", evidence=trials)) for r in ranking.rows[:1])
    assert contradicting(replace(ranking, rows=rows)) == ["X: JCOG1: none", "X: JCOG1 (NCT1): none"]


def test_trials_of_a_class_stand_once_with_their_results_counted(tmp_path):
    from immunescape.report.twin_report import evidence_groups

    patient, _ = made()
    groups = evidence_groups(patient)
    named = [str(row["trial"]) for group in groups for row in group["table"].rows]
    assert len(groups) < sum(bool(r.option.evidence) for r in patient.ranking.rows)  # two PD-1 antibodies are one class
    assert "Pembrolizumab (tested); atezolizumab (tested): 2 negative, 5 positive" in [g["title"] for g in groups]
    assert named.count("KEYNOTE-024") == 1
    assert [str(row["result"]) for row in groups[0]["table"].rows[:2]] == ["negative", "negative"]
    page = write_ranking(patient, tmp_path / "ranking.html", NOTICE).read_text(encoding="utf-8")
    assert page.index("What may be said</h2>") < page.index("Options</h2>")
